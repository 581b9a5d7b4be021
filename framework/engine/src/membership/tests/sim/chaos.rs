//! What goes wrong.

use super::super::super::{Input, Member};
use super::process::Mail;
use super::world::{Event, Pid, Slot, World};
use super::{CHAOS_ENDS, MILLI, SECOND, Time};

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// A process dies.
    Crash,
    /// A process is stopped and goes on later.
    Freeze,
    /// The system runtime of a process stands still; its beats go on.
    StandStill,
    /// A process is slow, and beats late.
    Starve,
    /// A link to the head breaks, in one direction or both; perhaps those to the others too.
    Cut,
    /// A session ends without the network being at fault.
    LoseLink,
    /// The head stands still.
    StallHead,
    /// The head dies and is started again.
    CrashHead,
    /// A second process with the same name is started.
    Double,
    /// Somebody wants a process replaced, or ended in order.
    Order,
}

impl World {
    pub(super) fn next_fault(&mut self) -> Fault {
        match self.rng.between(0, 99) {
            0..12 => Fault::Crash,
            12..30 => Fault::Freeze,
            30..38 => Fault::StandStill,
            38..46 => Fault::Starve,
            46..68 => Fault::Cut,
            68..74 => Fault::LoseLink,
            74..83 => Fault::StallHead,
            83..88 => Fault::CrashHead,
            88..93 => Fault::Double,
            _ => Fault::Order,
        }
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        if self.calm() {
            return;
        }
        if !self.living.is_empty() {
            let pid = self.living[self.rng.index(self.living.len())];
            self.strike(fault, pid);
        }
        let (next, pause) = (self.next_fault(), self.rng.between(50 * MILLI, 1500 * MILLI));
        self.after(pause, Event::Fault(next));
    }

    /// How long it lasts: often short, never far beyond the end of all faults.
    fn span(&mut self) -> Time {
        let longest =
            *[300 * MILLI, 2 * SECOND, 6 * SECOND].get(self.rng.index(3)).unwrap_or(&SECOND);
        let span = self.rng.between(50 * MILLI, longest);
        span.min(CHAOS_ENDS.saturating_sub(self.now) + MILLI)
    }

    fn strike(&mut self, fault: Fault, pid: Pid) {
        let (slot, span) = (self.processes[pid].slot, self.span());
        self.ledger.figures.faults += 1;
        match fault {
            Fault::Crash => self.process_dies(pid),
            Fault::Freeze => self.freeze(pid, span),
            Fault::StandStill => {
                let span = self.rng.between(500 * MILLI, 7 * SECOND);
                self.stand_still(pid, span);
            }
            Fault::Starve => self.slow_down(pid, span),
            Fault::Cut => self.cut(pid, slot, span),
            Fault::LoseLink => self.flap(pid),
            Fault::StallHead => self.head_freezes(span),
            Fault::CrashHead => self.head_crashes(span),
            Fault::Double => {
                if !self.slots[slot].is_child {
                    self.spawn(slot, None);
                }
            }
            Fault::Order => self.order(pid, slot),
        }
    }

    fn cut(&mut self, pid: Pid, slot: Slot, span: Time) {
        let which = self.rng.between(0, 3);
        let peers = self.rng.percent(40);
        let named = &mut self.slots[slot];
        (named.cut_down, named.cut_up) = (which != 0, which != 1);
        named.cut_peers = peers;
        if self.rng.percent(30) {
            self.lose_link(pid);
        }
        self.after(span, Event::Heal(slot));
    }

    pub(super) fn heal(&mut self, slot: Slot) {
        let named = &mut self.slots[slot];
        (named.cut_down, named.cut_up, named.cut_peers) = (false, false, false);
    }

    /// Its sessions end soon after they begin, perhaps before a request over them is answered.
    fn flap(&mut self, pid: Pid) {
        for _ in 0..self.rng.between(1, 4) {
            let delay = self.rng.between(0, 1200 * MILLI);
            self.after(delay, Event::LoseLink(pid));
        }
    }

    /// The session ends; one side may hear of it late, or the parent never.
    pub(super) fn lose_link(&mut self, pid: Pid) {
        let process = &self.processes[pid];
        let (slot, link, session) = (process.slot, process.link, process.session);
        let life = self.head.life;
        if !process.alive {
            return;
        }
        let incarnation = self.processes[pid].lease.incarnation();
        let delay = self.rng.between(MILLI, 500 * MILLI);
        if self.rng.percent(70) {
            self.after(delay, Event::To(pid, Mail::LinkLost { session }));
        }
        if let Some(incarnation) = incarnation.filter(|_| self.rng.percent(80)) {
            let member = Member::new(self.slots[slot].name.clone(), incarnation);
            let delay = self.rng.between(MILLI, 500 * MILLI);
            let mail = Input::LinkLost { member, link };
            self.after(delay, Event::Unlinked { life, pid, session, mail });
        }
    }

    fn order(&mut self, pid: Pid, slot: Slot) {
        let Some(incarnation) = self.processes[pid].lease.incarnation() else { return };
        let member = Member::new(self.slots[slot].name.clone(), incarnation);
        let replace = self.rng.percent(70);
        let mail = if replace { Input::Replace { member } } else { Input::Stop { member } };
        let life = self.head.life;
        self.after(0, Event::ToHead { life, mail });
    }
}

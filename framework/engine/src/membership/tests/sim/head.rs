//! The head: a judge, its journal, and the processes it starts and kills on its own host.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use raytree_types::ProcessIncarnation;

use super::super::super::{
    DeathCause, Effect, ExitStatus, Fence, Input, JoinAnswer, Judge, Member, Phase, Place, Settings,
};
use super::process::Mail;
use super::world::{Clock, Event, Pid, Slot, World};
use super::{MILLI, SECOND, Time};

/// What reaches the head, as its shell hands it to the judge; the time is read then.
pub(super) type HeadMail = Input;

#[derive(Debug)]
pub(super) struct Head {
    pub(super) judge: Option<Judge>,
    pub(super) life: u32,
    pub(super) clock: Clock,
    pub(super) frozen: Option<Time>,
    tick_at: Time,
    /// Ticks since it was frozen last.
    ticks: u32,
    /// What arrived while it was frozen.
    waiting: VecDeque<HeadMail>,
    /// The living of each name with their process, on disk.
    pub(super) journal: BTreeMap<Slot, (ProcessIncarnation, Pid)>,
    floor: ProcessIncarnation,
    /// What it tells everybody with each answer: the living incarnation of each name, 0 for none.
    pub(super) directory: Vec<u64>,
}

impl Head {
    pub(super) fn new(settings: Settings, clock: Clock, slots: usize) -> Self {
        Self {
            judge: Some(Judge::new(settings, clock.read(0))),
            life: 1,
            clock,
            frozen: None,
            tick_at: 0,
            ticks: 0,
            waiting: VecDeque::new(),
            journal: BTreeMap::new(),
            floor: ProcessIncarnation::NONE,
            directory: vec![0; slots],
        }
    }
}

impl World {
    pub(super) fn head_tick(&mut self, life: u32) {
        // There is one next tick; what a freeze left behind is not it.
        if life == self.head.life && self.now == self.head.tick_at && self.head.frozen.is_none() {
            self.judge(Input::Tick);
            self.head.ticks += 1;
            let late = self.rng.between(0, 20 * MILLI);
            self.head_ticks_after(self.settings.beat_every.as_micros() as Time + late);
        }
    }

    pub(super) fn head_ticks_after(&mut self, delay: Time) {
        let life = self.head.life;
        self.head.tick_at = self.now + delay;
        self.after(delay, Event::HeadTick { life });
    }

    pub(super) fn reaches_head(&mut self, life: u32, mail: HeadMail) {
        if life != self.head.life || self.head.judge.is_none() {
            return;
        }
        self.ledger.arrived(&mail, self.now);
        if self.head.frozen.is_some() {
            self.head.waiting.push_back(mail);
        } else {
            self.judge(mail);
        }
    }

    pub(super) fn head_freezes(&mut self, span: Time) {
        if self.head.frozen.is_none() && self.head.judge.is_some() {
            self.head.frozen = Some(self.now);
            self.ledger.head_freezes(self.now);
            self.after(span, Event::HeadThaws);
        }
    }

    pub(super) fn head_thaws(&mut self) {
        let Some(since) = self.head.frozen.take() else { return };
        self.ledger.head_thaws(self.now);
        // Whether time or what has arrived comes first is chance, if the judge can notice that it was late, and is not
        // always late.
        let noticed = self.now - since > 5 * self.settings.beat_every.as_micros() as Time / 2;
        let once = std::mem::take(&mut self.head.ticks) > 2;
        let time_first = noticed && once && self.rng.percent(50);
        if self.rng.percent(30) {
            let by = Duration::from_micros(self.now - since);
            self.judge(Input::Stalled { by });
        }
        if time_first {
            self.judge(Input::Tick);
        }
        for mail in std::mem::take(&mut self.head.waiting) {
            self.judge(mail);
        }
        self.head_ticks_after(MILLI);
    }

    pub(super) fn head_crashes(&mut self, span: Time) {
        if self.head.judge.take().is_none() {
            return;
        }
        self.head.frozen = None;
        self.head.waiting.clear();
        self.head.life += 1;
        for pid in self.living.clone() {
            let slot = self.processes[pid].slot;
            if self.slots[slot].is_child {
                // Children on the host die with their parent.
                self.process_dies(pid);
            } else if self.rng.percent(70) {
                let delay = self.rng.between(MILLI, 200 * MILLI);
                let session = self.processes[pid].session;
                self.after(delay, Event::To(pid, Mail::LinkLost { session }));
            }
        }
        self.after(span, Event::HeadStarts);
    }

    pub(super) fn head_starts(&mut self) {
        self.head.clock = Clock::new(&mut self.rng);
        let now = self.head.clock.read(self.now);
        self.ledger.head_starts(self.now);
        self.head.judge = Some(Judge::restarted(self.settings, self.head.floor, now));
        let life = self.head.life;
        for (slot, (incarnation, pid)) in self.head.journal.clone() {
            let member = Member::new(self.slots[slot].name.clone(), incarnation);
            let (place, origin) = (self.slots[slot].place, Self::origin(pid));
            self.ledger.known(slot, incarnation, self.now);
            self.judge(Input::Recall { member: member.clone(), place, origin });
            if self.slots[slot].is_child {
                self.judge(Input::Exited { member, status: ExitStatus::Unknown });
            }
        }
        for slot in 0..self.slots.len() {
            if self.slots[slot].is_child {
                self.after(MILLI, Event::StartLocal { life, slot });
            }
        }
        self.head_ticks_after(MILLI);
    }

    /// The head starts a process on its own host.
    pub(super) fn start_local(&mut self, life: u32, slot: Slot) {
        if life != self.head.life || self.head.journal.contains_key(&slot) {
            return;
        }
        if self.head.frozen.is_some() {
            self.after(100 * MILLI, Event::StartLocal { life, slot });
            return;
        }
        let Some(judge) = &self.head.judge else { return };
        let name = self.slots[slot].name.clone();
        let incarnation = judge.next_incarnation(&name);
        let pid = self.processes.len();
        self.enter(slot, incarnation, pid);
        let (member, origin) = (Member::new(name, incarnation), Self::origin(pid));
        self.judge(Input::Register { member, place: Place::Local, origin });
        self.spawn(slot, Some(incarnation));
    }

    /// Writes a new life into the journal, before anybody is told of it.
    fn enter(&mut self, slot: Slot, incarnation: ProcessIncarnation, pid: Pid) {
        if self.head.journal.get(&slot).is_none_or(|(known, _)| *known != incarnation) {
            self.ledger.begins(slot, incarnation, self.now);
            self.head.journal.insert(slot, (incarnation, pid));
            self.head.floor = self.head.floor.max(incarnation);
        }
    }

    /// Tells the judge, and does what it wants.
    pub(super) fn judge(&mut self, input: Input) {
        let now = self.head.clock.read(self.now);
        let Some(judge) = &mut self.head.judge else { return };
        if let Input::Join { origin, ticket, .. } = &input {
            let pid = origin.process as Pid;
            self.ledger.asked_over(pid, self.processes[pid].asked_over[ticket]);
        }
        let effects = judge.step(input, now);
        for effect in effects {
            self.note(|| format!("    {effect:?}"));
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Answer { member, seq } => {
                let slot = self.slot_of(&member.name);
                self.ledger.answered(slot, member.incarnation);
                let directory = self.head.directory.clone();
                let incarnation = member.incarnation;
                self.tell(slot, incarnation, &Mail::Answered { incarnation, seq, directory });
            }
            Effect::TellExit { member, .. } => {
                let slot = self.slot_of(&member.name);
                let incarnation = member.incarnation;
                self.tell(slot, incarnation, &Mail::ToldToExit { incarnation });
            }
            Effect::AnswerJoin { name, process, ticket, answer } => {
                let (slot, pid) = (self.slot_of(&name), process as Pid);
                if let JoinAnswer::NameTaken { .. } = answer {
                    let phase = self.head.judge.as_ref().and_then(|judge| judge.phase(&name));
                    assert_ne!(
                        phase,
                        Some(Phase::Suspect),
                        "MB-3: a successor of {slot} is refused"
                    );
                }
                if let JoinAnswer::Continue { incarnation, .. } = answer {
                    self.enter(slot, incarnation, pid);
                    self.ledger.answered(slot, incarnation);
                }
                self.send_down(pid, &Mail::Joined { ticket, answer });
            }
            Effect::Refused { member, why } => panic!("{member} was refused: {why:?}"),
            Effect::Mark { member, phase } => {
                let slot = self.slot_of(&member.name);
                self.ledger.marked(slot, member.incarnation, phase);
                if phase == Phase::Up {
                    self.head.directory[slot] = member.incarnation.0;
                }
            }
            Effect::AskToStop { member } => {
                let slot = self.slot_of(&member.name);
                if let Some(pid) = self.find(slot, member.incarnation) {
                    let delay = self.rng.between(MILLI, 300 * MILLI);
                    self.after(delay, Event::Dies(pid));
                }
            }
            Effect::Convict { member, cause, fence } => {
                let slot = self.slot_of(&member.name);
                let living = self.find(slot, member.incarnation);
                let stuck = living.map(|pid| self.still_for(pid));
                if let (DeathCause::LinkLost { .. }, Some(pid)) = (cause, living) {
                    self.ledger.check_unlinked(pid);
                }
                self.ledger.convicted(slot, member.incarnation, cause, stuck, self.now);
                if fence == Fence::Kill {
                    self.kill(slot, &member);
                }
            }
            Effect::Down { member, cause, .. } => {
                let slot = self.slot_of(&member.name);
                self.ledger.down(slot, member.incarnation, cause);
                self.head.journal.remove(&slot);
                self.head.directory[slot] = 0;
                if self.slots[slot].is_child {
                    let life = self.head.life;
                    self.after(10 * MILLI, Event::StartLocal { life, slot });
                }
            }
        }
    }

    fn tell(&mut self, slot: Slot, incarnation: ProcessIncarnation, mail: &Mail) {
        if let Some(pid) = self.find(slot, incarnation) {
            self.send_down(pid, mail);
        }
    }

    /// Kills a process on the head's host. Some hang in the kernel and end later.
    fn kill(&mut self, slot: Slot, member: &Member) {
        let life = self.head.life;
        // By its handle: whether it knows already who it is makes no difference.
        let handle = self.head.journal.get(&slot).map(|(_, pid)| *pid);
        match handle.filter(|pid| self.processes[*pid].alive) {
            Some(pid) if self.rng.percent(10) => {
                self.freeze(pid, 20 * SECOND);
                self.after(8 * SECOND, Event::Dies(pid));
            }
            Some(pid) => {
                let delay = self.rng.between(100, 5 * MILLI);
                self.after(delay, Event::Dies(pid));
            }
            None => {
                let mail = Input::Fenced { member: member.clone() };
                self.after(MILLI, Event::ToHead { life, mail });
            }
        }
    }
}

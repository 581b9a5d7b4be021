//! A node: a lease, and calls from and to the other nodes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use raytree_types::ProcessIncarnation;

use super::super::super::{
    ChildEffect, ChildInput, ExitStatus, Input, JoinAnswer, Lease, Member, Peers, Place, Standing,
};
use super::world::{Clock, Event, Pid, Slot, World};
use super::{MILLI, SECOND, Time};
use crate::delivery::{Call, CallInput, Caller, Delivered, Inbox, Outbox, Post, Refusal};

/// A call's number in the whole story; its reply is the same number.
type CallId = u64;

/// What reaches a process.
#[derive(Clone, Debug)]
pub(super) enum Mail {
    Answered { incarnation: ProcessIncarnation, seq: u64, directory: Vec<u64> },
    ToldToExit { incarnation: ProcessIncarnation },
    Joined { ticket: u64, answer: JoinAnswer },
    LinkLost { session: u64 },
    Call { from: Pid, caller: Caller<Slot>, call: Call<CallId> },
    Finish { caller: Caller<Slot>, from: Pid, seq: u64, reply: CallId },
    Reply { slot: Slot, from: ProcessIncarnation, seq: u64, reply: CallId },
    Refused { slot: Slot, to: ProcessIncarnation, seq: u64, why: Refusal },
    Ack { caller: Caller<Slot>, to: ProcessIncarnation, acked: u64 },
}

#[derive(Debug)]
pub(super) struct Process {
    pub(super) slot: Slot,
    pub(super) lease: Lease,
    pub(super) alive: bool,
    /// What it calls its newest link.
    pub(super) link: u64,
    /// Which connection it has in truth.
    pub(super) session: u64,
    /// Over which connection each request was sent.
    pub(super) asked_over: BTreeMap<u64, u64>,
    pub(super) clock: Clock,
    frozen_until: Option<Time>,
    waiting: VecDeque<Mail>,
    tick_at: Time,
    progress: u64,
    stuck: bool,
    moved_at: Time,
    /// The longest time between two moves.
    longest_still: Time,
    /// It is slow until then.
    slow_until: Time,
    peers: Peers,
    inbox: Option<Inbox<Slot, CallId, CallId>>,
    outboxes: Vec<Option<Outbox<CallId>>>,
}

impl Process {
    pub(super) fn may_work(&self, now: Time) -> bool {
        self.alive && self.lease.may_work(self.clock.read(now))
    }

    /// Calls that it has made and that are not resolved.
    pub(super) fn unresolved(&self) -> usize {
        self.outboxes.iter().flatten().map(Outbox::len).sum()
    }
}

impl World {
    pub(super) fn spawn_remote(&mut self, slot: Slot) {
        if !self.living.iter().any(|pid| self.processes[*pid].slot == slot) {
            self.spawn(slot, None);
        }
    }

    pub(super) fn spawn(&mut self, slot: Slot, incarnation: Option<ProcessIncarnation>) {
        let (pid, clock) = (self.processes.len(), Clock::new(&mut self.rng));
        // One that joins hears as what it is judged.
        let place = if self.slots[slot].is_child { Place::Local } else { Place::Remote };
        self.processes.push(Process {
            slot,
            lease: Lease::new(self.settings, place, incarnation, clock.read(self.now)),
            alive: true,
            link: 1,
            session: 1,
            asked_over: BTreeMap::new(),
            clock,
            frozen_until: None,
            waiting: VecDeque::new(),
            tick_at: 0,
            progress: 0,
            stuck: false,
            moved_at: self.now,
            longest_still: 0,
            slow_until: 0,
            peers: Peers::default(),
            inbox: None,
            outboxes: self.slots.iter().map(|_| None).collect(),
        });
        self.living.push(pid);
        self.process_ticks_after(pid, MILLI);
    }

    fn process_ticks_after(&mut self, pid: Pid, delay: Time) {
        self.processes[pid].tick_at = self.now + delay;
        self.after(delay, Event::ProcessTick(pid));
    }

    pub(super) fn process_tick(&mut self, pid: Pid) {
        let process = &mut self.processes[pid];
        let due = process.alive && process.frozen_until.is_none() && process.tick_at == self.now;
        if !due {
            return;
        }
        if !process.stuck {
            process.progress += 1;
            process.longest_still = process.longest_still.max(self.now - process.moved_at);
            process.moved_at = self.now;
        }
        let slow = self.now < process.slow_until;
        let pause = if slow { self.rng.between(300, 900) } else { self.rng.between(95, 105) };
        if slow {
            self.say_starved(pid, pause * MILLI);
        }
        self.lease(pid, ChildInput::Tick);
        self.calls_tick(pid);
        self.process_ticks_after(pid, pause * MILLI);
    }

    /// The operating system tells the head about a slow process on its host.
    fn say_starved(&mut self, pid: Pid, by: Time) {
        let process = &self.processes[pid];
        let (slot, incarnation) = (process.slot, process.lease.incarnation());
        let local = self.slots[slot].place == Place::Local;
        if let Some(incarnation) = incarnation.filter(|_| local) {
            let member = Member::new(self.slots[slot].name.clone(), incarnation);
            let (life, by) = (self.head.life, Duration::from_micros(by));
            self.after(MILLI, Event::ToHead { life, mail: Input::Starved { member, by } });
        }
    }

    pub(super) fn slow_down(&mut self, pid: Pid, span: Time) {
        self.processes[pid].slow_until = self.now + span;
    }

    pub(super) fn stand_still(&mut self, pid: Pid, span: Time) {
        if !self.processes[pid].stuck {
            self.processes[pid].stuck = true;
            self.after(span, Event::MovesAgain(pid));
        }
    }

    pub(super) fn moves_again(&mut self, pid: Pid) {
        self.processes[pid].stuck = false;
    }

    /// The longest time that its system runtime did not move.
    pub(super) fn still_for(&self, pid: Pid) -> Time {
        let process = &self.processes[pid];
        process.longest_still.max(self.now - process.moved_at)
    }

    pub(super) fn freeze(&mut self, pid: Pid, span: Time) {
        let until = self.now + span;
        let process = &mut self.processes[pid];
        if process.alive && process.frozen_until.is_none_or(|frozen| frozen < until) {
            process.frozen_until = Some(until);
            self.after(span, Event::Thaws(pid));
        }
    }

    pub(super) fn process_thaws(&mut self, pid: Pid) {
        let process = &mut self.processes[pid];
        if !process.alive || process.frozen_until != Some(self.now) {
            return;
        }
        process.frozen_until = None;
        for mail in std::mem::take(&mut process.waiting) {
            self.reaches(pid, mail);
        }
        self.process_ticks_after(pid, MILLI);
    }

    pub(super) fn process_dies(&mut self, pid: Pid) {
        if !self.processes[pid].alive {
            return;
        }
        self.processes[pid].alive = false;
        self.living.retain(|living| *living != pid);
        let (slot, link) = (self.processes[pid].slot, self.processes[pid].link);
        let (name, life) = (self.slots[slot].name.clone(), self.head.life);
        let known = if self.slots[slot].place == Place::Local && !self.slots[slot].is_child {
            // The head has its handle.
            let of = self.head.journal.get(&slot).filter(|(_, own)| *own == pid);
            of.map(|(life, _)| *life)
        } else {
            self.processes[pid].lease.incarnation()
        };
        if let Some(member) = known.map(|life| Member::new(name, life)) {
            if self.slots[slot].place == Place::Local {
                let status = ExitStatus::Signal(9);
                let delay = self.rng.between(100, 5 * MILLI);
                let mail = Input::Exited { member, status };
                self.after(delay, Event::ToHead { life, mail });
            } else if self.rng.percent(50) {
                self.send_up(slot, &Input::LinkLost { member, link });
            } else if self.rng.percent(30) {
                // Somebody saw the machine go dark.
                let delay = self.rng.between(SECOND, 5 * SECOND);
                self.after(delay, Event::ToHead { life, mail: Input::Fenced { member } });
            }
        }
        if !self.slots[slot].is_child {
            let delay = self.rng.between(50 * MILLI, SECOND);
            self.after(delay, Event::Spawn(slot));
        }
    }

    pub(super) fn reaches(&mut self, pid: Pid, mail: Mail) {
        let process = &mut self.processes[pid];
        if !process.alive {
            return;
        }
        if process.frozen_until.is_some() {
            process.waiting.push_back(mail);
            return;
        }
        match mail {
            Mail::Answered { incarnation, seq, directory } => {
                self.lease(pid, ChildInput::Answered { incarnation, seq });
                self.read_directory(pid, &directory);
            }
            Mail::ToldToExit { incarnation } => {
                self.lease(pid, ChildInput::ToldToExit { incarnation });
            }
            Mail::Joined { ticket, answer } => {
                self.ledger.join_answer(&answer);
                self.lease(pid, ChildInput::Joined { ticket, answer });
            }
            Mail::LinkLost { session } => {
                if session == self.processes[pid].session {
                    self.processes[pid].session += 1;
                    self.lease(pid, ChildInput::LinkLost);
                }
            }
            Mail::Call { from, caller, call } => self.called(pid, from, caller, call),
            Mail::Finish { caller, from, seq, reply } => self.finish(pid, from, caller, seq, reply),
            Mail::Reply { slot, from, seq, reply } => {
                self.outbox(pid, slot, CallInput::Reply { from, seq, reply });
            }
            Mail::Refused { slot, to, seq, why } => {
                self.outbox(pid, slot, CallInput::Refused { to, seq, why });
            }
            Mail::Ack { caller, to, acked } => {
                if let Some(inbox) = &mut self.processes[pid].inbox {
                    inbox.acknowledged(&caller, to, acked);
                }
            }
        }
    }

    /// Tells its lease, and does what it wants.
    fn lease(&mut self, pid: Pid, input: ChildInput) {
        let process = &mut self.processes[pid];
        let effects = process.lease.step(input, process.clock.read(self.now));
        let (slot, progress) = (process.slot, process.progress);
        let name = self.slots[slot].name.clone();
        for effect in effects {
            self.note(|| format!("    pid {pid}: {effect:?}"));
            match effect {
                ChildEffect::Beat { incarnation, seq } => {
                    let member = Member::new(name.clone(), incarnation);
                    self.send_up(slot, &Input::Beat { member, seq, progress });
                }
                ChildEffect::Join { claim, link, ticket } => {
                    let process = &mut self.processes[pid];
                    process.link = link;
                    process.asked_over.insert(ticket, process.session);
                    let (name, place) = (name.clone(), self.slots[slot].place);
                    let origin = Self::origin(pid);
                    self.send_up(slot, &Input::Join { name, claim, place, origin, link, ticket });
                }
                ChildEffect::Work { incarnation } => {
                    self.ledger.figures.leases += 1;
                    self.processes[pid].inbox.get_or_insert_with(|| Inbox::new(incarnation));
                }
                ChildEffect::Isolate => self.ledger.figures.isolations += 1,
                ChildEffect::Exit(reason) => {
                    self.ledger.exits(&reason);
                    self.process_dies(pid);
                }
            }
        }
    }

    /// The process that has this life of a name and is not dead.
    pub(super) fn find(&self, slot: Slot, incarnation: ProcessIncarnation) -> Option<Pid> {
        let mut living = self.living.iter().copied();
        living.find(|pid| {
            let process = &self.processes[*pid];
            process.slot == slot && process.lease.incarnation() == Some(incarnation)
        })
    }

    fn read_directory(&mut self, pid: Pid, directory: &[u64]) {
        for (slot, incarnation) in directory.iter().enumerate() {
            let to = ProcessIncarnation(*incarnation);
            if to == ProcessIncarnation::NONE || slot == self.processes[pid].slot {
                continue;
            }
            if self.processes[pid].outboxes[slot].is_none() {
                let resend_after = Duration::from_millis(500);
                self.processes[pid].outboxes[slot] = Some(Outbox::new(to, resend_after));
            }
            self.outbox(pid, slot, CallInput::Moved { to });
        }
    }

    fn calls_tick(&mut self, pid: Pid) {
        if !self.processes[pid].may_work(self.now) {
            return;
        }
        for slot in 0..self.slots.len() {
            if self.processes[pid].outboxes[slot].is_none() {
                continue;
            }
            if !self.calm() && self.rng.percent(15) {
                let retries = self.rng.between(0, 2) as u32;
                let id = self.ledger.calls_begin(pid, slot, retries);
                self.outbox(pid, slot, CallInput::Call { id, payload: id, retries });
            }
            self.outbox(pid, slot, CallInput::Tick);
        }
    }

    fn outbox(&mut self, pid: Pid, slot: Slot, input: CallInput<CallId, CallId>) {
        let process = &mut self.processes[pid];
        let now = process.clock.read(self.now);
        let caller = process.lease.incarnation().unwrap_or_default();
        let caller = Caller { name: process.slot, incarnation: caller };
        let Some(outbox) = &mut process.outboxes[slot] else { return };
        for post in outbox.step(input, now) {
            match post {
                Post::Send(call) => {
                    // A later life of the receiver has the address of the earlier one.
                    let newest = self.living.iter().rev().copied();
                    let mut newest = newest.filter(|pid| self.processes[*pid].slot == slot);
                    if let Some(to) = self.find(slot, call.to).or_else(|| newest.next()) {
                        self.send_across(
                            pid,
                            to,
                            &Mail::Call { from: pid, caller: caller.clone(), call },
                        );
                    }
                }
                Post::Ack { to, acked } => {
                    if let Some(receiver) = self.find(slot, to) {
                        let mail = Mail::Ack { caller: caller.clone(), to, acked };
                        self.send_across(pid, receiver, &mail);
                    }
                }
                Post::Resolved { id, outcome } => self.ledger.call_resolved(id, outcome),
            }
        }
    }

    fn called(&mut self, pid: Pid, from: Pid, caller: Caller<Slot>, call: Call<CallId>) {
        let process = &mut self.processes[pid];
        // An isolated process takes no calls, and nobody listens to an earlier life of a caller.
        let member = Member::new(self.slots[caller.name].name.clone(), caller.incarnation);
        if !process.may_work(self.now) || process.peers.admit(&member).is_err() {
            return;
        }
        let now = process.clock.read(self.now);
        let Some(inbox) = &mut process.inbox else { return };
        let effects = inbox.call(caller, call, now);
        self.deliver(pid, from, effects);
    }

    /// A call that ran has its reply. An isolated process holds it.
    fn finish(&mut self, pid: Pid, from: Pid, caller: Caller<Slot>, seq: u64, reply: CallId) {
        let process = &mut self.processes[pid];
        if !process.may_work(self.now) {
            self.after(100 * MILLI, Event::To(pid, Mail::Finish { caller, from, seq, reply }));
            return;
        }
        let Some(inbox) = &mut process.inbox else { return };
        let effects = inbox.finished(caller, seq, reply);
        self.deliver(pid, from, effects);
    }

    fn deliver(&mut self, pid: Pid, from: Pid, effects: Vec<Delivered<Slot, CallId, CallId>>) {
        let slot = self.processes[pid].slot;
        let me = self.processes[pid].lease.incarnation().unwrap_or_default();
        for effect in effects {
            match effect {
                Delivered::Run { caller, seq, payload } => {
                    self.ledger.call_runs(payload, slot, me, pid);
                    let mail = Mail::Finish { caller, from, seq, reply: payload };
                    let delay = self.rng.between(0, 50 * MILLI);
                    self.after(delay, Event::To(pid, mail));
                }
                Delivered::Reply { seq, reply, .. } => {
                    self.send_across(pid, from, &Mail::Reply { slot, from: me, seq, reply });
                }
                Delivered::Refuse { to, seq, why, .. } => {
                    self.send_across(pid, from, &Mail::Refused { slot, to, seq, why });
                }
            }
        }
    }

    /// Whether it is where it should be when all is well.
    pub(super) fn is_well(&self, pid: Pid) -> bool {
        let process = &self.processes[pid];
        process.lease.standing() == Standing::Member && process.may_work(self.now)
    }
}

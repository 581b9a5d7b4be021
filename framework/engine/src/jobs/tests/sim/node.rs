//! A node: a lease, and the worker processes that it starts and stops as it is told.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use raytree_types::{ProcessIncarnation, Resources};

use super::head::Up;
use super::world::{Event, Pid, SessionId, Slot, World};
use crate::jobs::{TOLD_TO_END, WorkerId};
use crate::membership::{ChildEffect, ChildInput, JoinAnswer, Lease, Member, Place};
use crate::sim::{MILLI, SECOND, Time};

/// What a node hears from its head.
#[derive(Clone, Debug)]
pub(super) enum Down {
    Answered { incarnation: ProcessIncarnation, seq: u64 },
    ToldToExit { incarnation: ProcessIncarnation },
    Joined { ticket: u64, answer: JoinAnswer },
    Start { worker: WorkerId, grant: Resources },
    Stop { worker: WorkerId, at_once: bool },
}

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) grant: Resources,
    pub(super) address: Option<SocketAddr>,
    /// Why its process has ended, once it has.
    why: &'static str,
    /// Its process runs. The node may not know yet that it does not.
    pub(super) alive: bool,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) slot: Slot,
    pub(super) lease: Lease,
    pub(super) alive: bool,
    pub(super) session: Option<SessionId>,
    /// It has said over this session what it has.
    reported: bool,
    frozen_until: Option<Time>,
    waiting: Vec<Event>,
    tick_at: Time,
    pub(super) workers: BTreeMap<WorkerId, Worker>,
}

impl World {
    pub(super) fn may_work(&self, pid: Pid) -> bool {
        let node = &self.nodes[pid];
        node.alive && node.lease.may_work(std::time::Duration::from_micros(self.now))
    }

    pub(super) fn member(&self, pid: Pid) -> Option<Member> {
        let node = &self.nodes[pid];
        let name = self.slots[node.slot].name.clone();
        node.lease.incarnation().map(|incarnation| Member::new(name, incarnation))
    }

    pub(super) fn spawn(&mut self, slot: Slot) {
        if self.living.iter().any(|pid| self.nodes[*pid].slot == slot) {
            return;
        }
        let now = std::time::Duration::from_micros(self.now);
        self.nodes.push(Node {
            slot,
            lease: Lease::new(self.settings, Place::Remote, None, now),
            alive: true,
            session: None,
            reported: false,
            frozen_until: None,
            waiting: Vec::new(),
            tick_at: 0,
            workers: BTreeMap::new(),
        });
        let pid = self.nodes.len() - 1;
        self.living.push(pid);
        self.node_ticks_after(pid, MILLI);
    }

    fn node_ticks_after(&mut self, pid: Pid, delay: Time) {
        self.nodes[pid].tick_at = self.now + delay;
        self.after(delay, Event::NodeTick(pid));
    }

    pub(super) fn node_tick(&mut self, pid: Pid) {
        let node = &self.nodes[pid];
        if node.alive && node.frozen_until.is_none() && node.tick_at == self.now {
            self.lease(pid, ChildInput::Tick);
            let pause = self.rng.between(95, 105);
            self.node_ticks_after(pid, pause * MILLI);
        }
    }

    pub(super) fn freeze(&mut self, pid: Pid, span: Time) {
        let until = self.now + span;
        let node = &mut self.nodes[pid];
        if node.alive && node.frozen_until.is_none_or(|frozen| frozen < until) {
            node.frozen_until = Some(until);
            self.after(span, Event::NodeThaws(pid));
        }
    }

    pub(super) fn node_thaws(&mut self, pid: Pid) {
        let node = &mut self.nodes[pid];
        if !node.alive || node.frozen_until != Some(self.now) {
            return;
        }
        node.frozen_until = None;
        for event in std::mem::take(&mut node.waiting) {
            self.happen(event);
        }
        self.node_ticks_after(pid, MILLI);
    }

    /// Its workers die with it, and the operating system ends its session.
    pub(super) fn node_dies(&mut self, pid: Pid) {
        let node = &mut self.nodes[pid];
        if !node.alive {
            return;
        }
        node.alive = false;
        node.workers.values_mut().for_each(|worker| worker.alive = false);
        self.living.retain(|living| *living != pid);
        if let Some(session) = self.nodes[pid].session {
            self.break_session(session);
        }
        let (slot, delay) = (self.nodes[pid].slot, self.rng.between(50 * MILLI, 2 * SECOND));
        self.after(delay, Event::Spawn(slot));
    }

    /// True when it cannot look now: then it looks when it thaws.
    fn later(&mut self, pid: Pid, event: impl FnOnce() -> Event) -> bool {
        let node = &mut self.nodes[pid];
        if node.frozen_until.is_some() {
            node.waiting.push(event());
        }
        !node.alive || node.frozen_until.is_some()
    }

    pub(super) fn node_hears_loss(&mut self, pid: Pid, session: SessionId) {
        if self.later(pid, || Event::NodeHearsLoss(pid, session)) {
            return;
        }
        let node = &mut self.nodes[pid];
        if node.session == Some(session) {
            (node.session, node.reported) = (None, false);
            self.lease(pid, ChildInput::LinkLost);
        }
    }

    fn lease(&mut self, pid: Pid, input: ChildInput) {
        let now = std::time::Duration::from_micros(self.now);
        for effect in self.nodes[pid].lease.step(input, now) {
            match effect {
                ChildEffect::Beat { incarnation, seq } => {
                    self.say(pid, Up::Beat { incarnation, seq });
                }
                ChildEffect::Join { claim, link, ticket } => {
                    let open = self.nodes[pid].session;
                    let session = open.unwrap_or_else(|| self.open_session(pid, link));
                    if open.is_none() && self.bad_luck(10) {
                        // It is lost before the answer has come.
                        let delay = self.rng.between(0, 3 * MILLI);
                        self.after(delay, Event::Breaks(session));
                    }
                    self.nodes[pid].session = Some(session);
                    self.say(pid, Up::Join { claim, link, ticket });
                }
                ChildEffect::Work { .. } | ChildEffect::Isolate => {}
                ChildEffect::Exit(_) => self.node_dies(pid),
            }
        }
    }

    fn say(&mut self, pid: Pid, mail: Up) {
        if let Some(session) = self.nodes[pid].session {
            self.send_up(session, mail);
        }
    }

    /// What happens to its workers is said after the report; before, the report will say it.
    fn say_news(&mut self, pid: Pid, mail: Up) {
        if self.nodes[pid].reported {
            self.say(pid, mail);
        }
    }

    pub(super) fn reaches_node(&mut self, session: SessionId, mail: Down) {
        let pid = self.sessions[session].pid;
        let kept = mail.clone();
        if self.later(pid, || Event::ToNode(session, kept)) {
            return;
        }
        // Nothing of an earlier session is carried out.
        if self.nodes[pid].session != Some(session) {
            return;
        }
        match mail {
            Down::Answered { incarnation, seq } => {
                self.lease(pid, ChildInput::Answered { incarnation, seq });
            }
            Down::ToldToExit { incarnation } => {
                self.lease(pid, ChildInput::ToldToExit { incarnation });
            }
            Down::Joined { ticket, answer } => self.joined(pid, ticket, answer),
            Down::Start { worker, grant } => self.start(pid, worker, grant),
            Down::Stop { worker, at_once } => self.stop(pid, worker, at_once),
        }
    }

    fn joined(&mut self, pid: Pid, ticket: u64, answer: JoinAnswer) {
        let goes_on = matches!(answer, JoinAnswer::Continue { .. });
        self.lease(pid, ChildInput::Joined { ticket, answer });
        let node = &mut self.nodes[pid];
        if goes_on && node.alive {
            // Whether its lease runs already or not; a second answer over one session makes it report again.
            node.reported = true;
            let known = node.workers.iter();
            let workers = known.map(|(worker, known)| (worker.clone(), known.address)).collect();
            self.say(pid, Up::Report { workers });
        }
    }

    fn start(&mut self, pid: Pid, worker: WorkerId, grant: Resources) {
        assert_eq!(Some(&worker.node), self.member(pid).as_ref(), "a start for another node");
        if !self.may_work(pid) || self.bad_luck(4) {
            return self.say_news(pid, Up::Declined { worker });
        }
        if self.bad_luck(5) {
            return self.say_news(pid, Up::Gone { worker, why: "it could not be started" });
        }
        self.nodes[pid]
            .workers
            .insert(worker.clone(), Worker { grant, address: None, why: "", alive: true });
        // A node bounds how long a start may take.
        let (fine, bad) = (self.rng.between(1, 200 * MILLI), self.bad_luck(6));
        match bad {
            true => self.after(SECOND, Event::WorkerDies(pid, worker, "it was not up in time")),
            false => self.after(fine, Event::WorkerReady(pid, worker)),
        }
    }

    /// Something goes wrong in so many of a hundred cases, as long as anything may.
    fn bad_luck(&mut self, chance: u64) -> bool {
        self.rng.percent(chance) && !self.calm()
    }

    fn stop(&mut self, pid: Pid, worker: WorkerId, at_once: bool) {
        if !self.nodes[pid].workers.contains_key(&worker) {
            return self.say_news(pid, Up::Gone { worker, why: "it is not there" });
        }
        let hangs = !at_once && self.rng.percent(20);
        if !hangs {
            let most = if at_once { 30 } else { 300 };
            let delay = self.rng.between(1, most * MILLI);
            self.after(delay, Event::WorkerDies(pid, worker, TOLD_TO_END));
        }
    }

    pub(super) fn worker_ready(&mut self, pid: Pid, worker: WorkerId) {
        let kept = worker.clone();
        if self.later(pid, || Event::WorkerReady(pid, kept)) {
            return;
        }
        let known = self.nodes[pid].workers.get_mut(&worker).filter(|known| known.alive);
        if let Some(known) = known {
            let port = 1000 + worker.life as u16 + 100 * worker.job.0 as u16;
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            known.address = Some(address);
            self.say_news(pid, Up::Ready { worker, address });
        }
    }

    pub(super) fn worker_dies(&mut self, pid: Pid, worker: WorkerId, why: &'static str) {
        let Some(known) = self.nodes[pid].workers.get_mut(&worker) else { return };
        if std::mem::take(&mut known.alive) {
            known.why = why;
            let delay = self.rng.between(10, 5 * MILLI);
            self.after(delay, Event::WorkerNoticed(pid, worker));
        }
    }

    pub(super) fn worker_noticed(&mut self, pid: Pid, worker: WorkerId) {
        let kept = worker.clone();
        if !self.later(pid, || Event::WorkerNoticed(pid, kept)) {
            let why = self.nodes[pid].workers.remove(&worker).map_or("", |known| known.why);
            self.say_news(pid, Up::Gone { worker, why });
        }
    }
}

//! Time, events and sessions.

use std::sync::Arc;
use std::time::Duration;

use raytree_types::Resources;

use super::chaos::Fault;
use super::drivers::Driver;
use super::head::{Head, Up};
use super::ledger::{Counted, Ledger};
use super::node::{Down, Node};
use super::{CHAOS_ENDS, STORY_ENDS};
use crate::jobs::{Policy, WorkerId};
use crate::membership::{Name, Settings};
use crate::sim::{MILLI, Rng, Time, Timeline, is_told};

/// A node process, by when it was started.
pub(super) type Pid = usize;
/// A name of nodes, by its number.
pub(super) type Slot = usize;
/// A session, by when it was opened.
pub(super) type SessionId = usize;

#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: Name,
    pub(super) total: Resources,
}

/// One connection between a node process and the head.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) pid: Pid,
    pub(super) link: u64,
    /// What would arrive later than this is lost: to the head, and to the node.
    cut: [Time; 2],
    /// Nothing overtakes what arrives then.
    last: [Time; 2],
}

#[derive(Debug)]
pub(super) enum Event {
    HeadTick,
    JudgeTick,
    HeadThaws,
    HeadHearsLoss(SessionId),
    Driver(usize),
    NodeTick(Pid),
    NodeThaws(Pid),
    NodeHearsLoss(Pid, SessionId),
    Spawn(Slot),
    WorkerReady(Pid, WorkerId),
    WorkerDies(Pid, WorkerId, &'static str),
    /// The node learns that a process of its own has ended.
    WorkerNoticed(Pid, WorkerId),
    ToHead(SessionId, Up),
    ToNode(SessionId, Down),
    Fault(Fault),
    CrashOne(Pid),
    Breaks(SessionId),
    /// The driver of a worker cannot reach it any more.
    Unreachable(WorkerId),
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) now: Time,
    pub(super) settings: Settings,
    pub(super) head: Head,
    pub(super) slots: Vec<Named>,
    pub(super) nodes: Vec<Node>,
    pub(super) living: Vec<Pid>,
    pub(super) sessions: Vec<Session>,
    pub(super) drivers: Vec<Driver>,
    pub(super) ledger: Ledger,
    timeline: Timeline<Event>,
    tells: bool,
}

/// Deadlines are shorter than by default, so that more happens in a story.
fn settings() -> Settings {
    let settings = Settings {
        beat_every: Duration::from_millis(200),
        suspect_after: Duration::from_millis(700),
        dead_after_local: Duration::from_millis(1500),
        dead_after_remote: Duration::from_millis(1500),
        lease_local: Duration::from_millis(1200),
        lease_remote: Duration::from_millis(1200),
        isolation_grace: Duration::from_secs(3),
        start_within: Duration::from_secs(2),
        ..Settings::default()
    };
    settings.checked().expect("the settings keep the promises")
}

/// The same for workers.
pub(super) fn policy() -> Policy {
    let limit = raytree_types::RestartLimit { max: 2, within: Duration::from_millis(1500) };
    let backoff = raytree_types::Backoff {
        base: Duration::from_millis(100),
        max: Duration::from_millis(400),
    };
    Policy { limit, backoff, end_within: Duration::from_millis(600) }
}

fn total(rng: &mut Rng) -> Resources {
    let halves = if rng.percent(20) { rng.between(1, 9) } else { 2 * rng.between(1, 4) };
    let cpus = Resources::cpus(halves as f64 / 2.0);
    if rng.percent(50) { cpus.gpus(rng.between(1, 2) as f64) } else { cpus }
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let settings = settings();
        let slots: Vec<Named> = (0..rng.between(2, 3))
            .map(|number| Named { name: Arc::from(format!("n{number}")), total: total(&mut rng) })
            .collect();
        let drivers: Vec<Driver> = (0..rng.between(2, 5)).map(|_| Driver::new(&mut rng)).collect();
        let mut world = Self {
            rng,
            now: 0,
            settings,
            head: Head::new(settings, policy(), slots.len()),
            slots,
            nodes: Vec::new(),
            living: Vec::new(),
            sessions: Vec::new(),
            drivers,
            ledger: Ledger::new(),
            timeline: Timeline::new(),
            tells: is_told(),
        };
        world.after(0, Event::JudgeTick);
        world.after(0, Event::HeadTick);
        for slot in 0..world.slots.len() {
            let delay = world.rng.between(0, 300 * MILLI);
            world.after(delay, Event::Spawn(slot));
        }
        for driver in 0..world.drivers.len() {
            let delay = world.rng.between(0, CHAOS_ENDS);
            world.after(delay, Event::Driver(driver));
        }
        let fault = world.next_fault();
        world.after(300 * MILLI, Event::Fault(fault));
        world
    }

    pub(super) fn run(mut self) -> Counted {
        while let Some((at, event)) = self.timeline.next() {
            if at > STORY_ENDS {
                break;
            }
            self.now = at;
            let routine = Self::is_routine(&event);
            if !routine {
                self.note(|| format!("{event:?}"));
            }
            self.happen(event);
            if !routine {
                self.check_all();
            }
        }
        self.check_the_end();
        self.ledger.figures
    }

    pub(super) fn after(&mut self, delay: Time, event: Event) {
        self.timeline.plan(self.now + delay, event);
    }

    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        if self.tells {
            println!("{:>9} {}", self.now, what());
        }
    }

    /// Nothing begins to run by it.
    fn is_routine(event: &Event) -> bool {
        let ticks = matches!(event, Event::HeadTick | Event::JudgeTick | Event::NodeTick(_));
        let beats = matches!(event, Event::ToHead(_, Up::Beat { .. }))
            || matches!(event, Event::ToNode(_, Down::Answered { .. }));
        ticks || beats
    }

    pub(super) fn calm(&self) -> bool {
        self.now >= CHAOS_ENDS
    }

    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::HeadTick => self.head_tick(),
            Event::JudgeTick => self.judge_tick(),
            Event::HeadThaws => self.head_thaws(),
            Event::HeadHearsLoss(session) => self.head_hears_loss(session),
            Event::Driver(driver) => self.driver_acts(driver),
            Event::NodeTick(pid) => self.node_tick(pid),
            Event::NodeThaws(pid) => self.node_thaws(pid),
            Event::NodeHearsLoss(pid, session) => self.node_hears_loss(pid, session),
            Event::Spawn(slot) => self.spawn(slot),
            Event::WorkerReady(pid, worker) => self.worker_ready(pid, worker),
            Event::WorkerDies(pid, worker, why) => self.worker_dies(pid, worker, why),
            Event::WorkerNoticed(pid, worker) => self.worker_noticed(pid, worker),
            Event::ToHead(session, mail) => {
                if self.now <= self.sessions[session].cut[0] {
                    self.reaches_head(session, mail);
                }
            }
            Event::ToNode(session, mail) => {
                if self.now <= self.sessions[session].cut[1] {
                    self.reaches_node(session, mail);
                }
            }
            Event::Fault(fault) => self.fault(fault),
            Event::CrashOne(pid) => self.crash_one(pid),
            Event::Breaks(session) => self.break_session(session),
            Event::Unreachable(worker) => self.unreachable(worker),
        }
    }

    pub(super) fn open_session(&mut self, pid: Pid, link: u64) -> SessionId {
        self.sessions.push(Session { pid, link, cut: [Time::MAX; 2], last: [0; 2] });
        self.sessions.len() - 1
    }

    /// When something that is sent now arrives: after all that was sent before.
    fn arrives(&mut self, session: SessionId, way: usize) -> Time {
        let slow = !self.calm() && self.rng.percent(5);
        let delay = if slow { self.rng.between(MILLI, 500 * MILLI) } else { 300 };
        let last = &mut self.sessions[session].last[way];
        *last = (*last).max(self.now + delay);
        *last
    }

    pub(super) fn send_up(&mut self, session: SessionId, mail: Up) {
        let at = self.arrives(session, 0);
        self.timeline.plan(at, Event::ToHead(session, mail));
    }

    pub(super) fn send_down(&mut self, session: SessionId, mail: Down) {
        let at = self.arrives(session, 1);
        self.timeline.plan(at, Event::ToNode(session, mail));
    }

    /// The session ends: what is under way may still arrive for a moment, in each direction for itself, and each side
    /// hears of it for itself.
    pub(super) fn break_session(&mut self, session: SessionId) {
        for way in 0..2 {
            let at = self.now + self.rng.between(0, 2 * MILLI);
            let cut = &mut self.sessions[session].cut[way];
            *cut = at.min(*cut);
        }
        let pid = self.sessions[session].pid;
        let (soon, late) = (2 * MILLI, 800 * MILLI);
        let node = self.rng.between(soon, late);
        self.after(node, Event::NodeHearsLoss(pid, session));
        let head = self.rng.between(soon, late);
        self.after(head, Event::HeadHearsLoss(session));
    }
}

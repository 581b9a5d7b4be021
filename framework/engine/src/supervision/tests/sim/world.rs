//! Time, events and workers.

use std::collections::BTreeMap;
use std::time::Duration;

use raytree_types::{Restart, RestartLimit, Strategy};

use super::actors::{ActorId, Story};
use super::calls::{CallStory, Letter};
use super::{CHAOS_ENDS, STORY_ENDS};
use crate::sim::{Figures, MILLI, Rng, SECOND, Time, Timeline, is_told};
use crate::supervision::{ChildKey, GroupPolicy, Input, Supervision, Timer};

/// A worker, by when it was started.
pub(super) type Pid = usize;

/// How often things happened.
pub(super) type Counted = Figures<17>;

const COUNTED: [&str; 17] = [
    "lives",
    "restarts",
    "waits",
    "placed again",
    "exhausted",
    "finished",
    "stopped",
    "abandoned",
    "lost with a worker",
    "workers died",
    "kills",
    "calls",
    "replies",
    "lost",
    "run again",
    "refused",
    "late timers",
];

#[derive(Debug)]
pub(super) enum Event {
    /// The constructor of a life returns, or fails.
    Constructed(Pid, ActorId, u64),
    /// A body ends; with `true` in order.
    Ends(Pid, ActorId, u64, bool),
    Fires(Pid, Timer),
    Fault,
    WorkerDies(Pid),
    /// Whoever places actors hears that a worker is dead.
    Noticed(Pid),
    Place(ActorId),
    Calls(ActorId),
    Resend(ActorId),
    Arrives(ActorId, Letter),
    /// The body of a call has run.
    Ran(ActorId, u64, u64, u64),
    Close,
}

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) supervision: Supervision,
    pub(super) alive: bool,
    /// What it was given to have, until it is told that that has ended.
    pub(super) has: BTreeMap<ChildKey, ActorId>,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) now: Time,
    pub(super) workers: Vec<Worker>,
    pub(super) actors: Vec<Story>,
    pub(super) calls: Vec<CallStory>,
    pub(super) figures: Counted,
    pub(super) closing: bool,
    timeline: Timeline<Event>,
    tells: bool,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut world = Self {
            rng: Rng::new(seed),
            now: 0,
            workers: Vec::new(),
            actors: Vec::new(),
            calls: Vec::new(),
            figures: Figures::new(COUNTED),
            closing: false,
            timeline: Timeline::new(),
            tells: is_told(),
        };
        for _ in 0..world.rng.between(2, 3) {
            world.start_worker();
        }
        for id in 0..world.rng.between(2, 5) as ActorId {
            let restart =
                [Restart::Permanent, Restart::Transient, Restart::Temporary][world.rng.index(3)];
            let budget = world.rng.between(0, 10) as u32;
            world.actors.push(Story::new(restart, budget));
            let delay = world.rng.between(0, SECOND);
            world.after(delay, Event::Place(id));
            world.after(delay, Event::Calls(id));
            world.after(delay, Event::Resend(id));
        }
        world.after(100 * MILLI, Event::Fault);
        world.after(CHAOS_ENDS, Event::Close);
        world
    }

    pub(super) fn run(mut self) -> Counted {
        while let Some((at, event)) = self.timeline.next() {
            if at > STORY_ENDS {
                break;
            }
            self.now = at;
            self.note(|| format!("{event:?}"));
            self.happen(event);
        }
        self.check_the_end();
        self.figures
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Constructed(pid, id, life) => self.constructed(pid, id, life),
            Event::Ends(pid, id, life, normal) => self.body_ends(pid, id, life, normal),
            Event::Fires(pid, timer) => self.decide(pid, Input::Timer(timer)),
            Event::Fault => self.fault(),
            Event::WorkerDies(pid) => self.worker_dies(pid),
            Event::Noticed(pid) => self.noticed(pid),
            Event::Place(id) => self.place(id),
            Event::Calls(id) => self.makes_a_call(id),
            Event::Resend(id) => self.resends(id),
            Event::Arrives(id, letter) => self.arrives(id, letter),
            Event::Ran(id, life, seq, reply) => self.ran(id, life, seq, reply),
            Event::Close => self.close(),
        }
    }

    pub(super) fn after(&mut self, delay: Time, event: Event) {
        self.timeline.plan(self.now + delay, event);
    }

    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        if self.tells {
            println!("{:>9} {}", self.now, what());
        }
    }

    pub(super) fn clock(&self) -> Duration {
        Duration::from_micros(self.now)
    }

    pub(super) fn calm(&self) -> bool {
        self.now >= CHAOS_ENDS
    }

    /// Something goes wrong in so many of a hundred cases, as long as anything may.
    pub(super) fn bad_luck(&mut self, chance: u64) -> bool {
        self.rng.percent(chance) && !self.calm()
    }

    pub(super) fn start_worker(&mut self) {
        let supervision = Supervision::new(GroupPolicy {
            strategy: Strategy::OneForOne,
            limit: RestartLimit { max: 3, within: Duration::from_secs(1) },
            independent: true,
        });
        self.workers.push(Worker { supervision, alive: true, has: BTreeMap::new() });
    }

    fn fault(&mut self) {
        if self.calm() {
            return;
        }
        let living: Vec<ActorId> =
            (0..self.actors.len()).filter(|id| self.actors[*id].body.is_some()).collect();
        if !living.is_empty() {
            let id = living[self.rng.index(living.len())];
            self.strike(id);
        }
        let pause = self.rng.between(5 * MILLI, 400 * MILLI);
        self.after(pause, Event::Fault);
    }

    fn strike(&mut self, id: ActorId) {
        let Some((pid, key)) = self.actors[id].placed else { return };
        let Some(body) = &self.actors[id].body else { return };
        let (life, hangs) = (body.life, body.hangs_until > self.now);
        match self.rng.between(0, 99) {
            0..70 if hangs => {}
            0..60 => self.body_ends(pid, id, life, false),
            60..70 => self.body_ends(pid, id, life, true),
            70..78 => {
                let kill = self.rng.percent(50);
                self.actors[id].is_to_end = true;
                self.decide(pid, Input::End(key, kill));
            }
            78..88 => {
                let delay = self.rng.between(0, 5 * MILLI);
                self.after(delay, Event::WorkerDies(pid));
            }
            _ => {
                // It does not do what it is told for a while, and perhaps is told something soon.
                let until = self.now + self.rng.between(SECOND, 12 * SECOND);
                if let Some(body) = &mut self.actors[id].body {
                    body.hangs_until = until;
                }
                if self.rng.percent(50) {
                    self.actors[id].is_to_end = true;
                    self.decide(pid, Input::End(key, false));
                }
            }
        }
    }

    /// Its bodies end with it; nobody knows yet.
    fn worker_dies(&mut self, pid: Pid) {
        if !std::mem::take(&mut self.workers[pid].alive) {
            return;
        }
        self.figures.count("workers died");
        for story in &mut self.actors {
            if story.body.as_ref().is_some_and(|body| body.pid == pid) {
                story.body = None;
            }
        }
        let delay = self.rng.between(0, 300 * MILLI);
        self.after(delay, Event::Noticed(pid));
    }

    fn noticed(&mut self, pid: Pid) {
        self.start_worker();
        for (_, id) in std::mem::take(&mut self.workers[pid].has) {
            self.lost_its_worker(id);
        }
    }

    fn close(&mut self) {
        self.closing = true;
        for pid in 0..self.workers.len() {
            self.decide(pid, Input::Shutdown);
        }
    }
}

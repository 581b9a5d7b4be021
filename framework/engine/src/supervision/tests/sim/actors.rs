//! Actors: what the shell around the decisions does, and what must hold of their lives.

use std::time::Duration;

use raytree_types::{Backoff, ProcessIncarnation, Restart, Shutdown};

use super::world::{Event, Pid, World};
use crate::delivery::{CallInput, Inbox, Outbox};
use crate::sim::{MILLI, Time};
use crate::supervision::{Budget, ChildKey, ChildPolicy, Effect, EndReason, Input};

pub(super) type ActorId = usize;

/// What really runs.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) pid: Pid,
    /// Which life of the actor, over all its placements, from 1.
    pub(super) life: u64,
    /// Which life of this placement.
    local: u32,
    pub(super) is_up: bool,
    pub(super) hangs_until: Time,
    pub(super) inbox: Inbox<(), u64, u64>,
}

/// All that is known of one actor.
#[derive(Debug)]
pub(super) struct Story {
    restart: Restart,
    budget: u32,
    pub(super) placed: Option<(Pid, ChildKey)>,
    placements: u64,
    /// Lives that have begun, over all placements.
    pub(super) lives: u64,
    /// Lives of this placement that have begun.
    begun_here: u64,
    /// No next life may begin before.
    not_before: Time,
    /// The last life ended in order.
    in_order: bool,
    pub(super) is_to_end: bool,
    pub(super) ended: bool,
    pub(super) body: Option<Body>,
    /// Bodies that were given up and may still run.
    left_behind: u32,
    pub(super) outbox: Outbox<u64>,
}

impl Story {
    pub(super) fn new(restart: Restart, budget: u32) -> Self {
        Self {
            restart,
            budget,
            placed: None,
            placements: 0,
            lives: 0,
            begun_here: 0,
            not_before: 0,
            in_order: false,
            is_to_end: false,
            ended: false,
            body: None,
            left_behind: 0,
            outbox: Outbox::new(ProcessIncarnation(1), Duration::from_millis(40)),
        }
    }

    /// Restarts that count, by the truth: every life but the first.
    fn used(&self) -> u32 {
        u32::try_from(self.lives.saturating_sub(1)).unwrap_or(u32::MAX)
    }
}

impl World {
    /// Gives an actor to a worker that lives, with the restarts that it has left.
    pub(super) fn place(&mut self, id: ActorId) {
        if self.actors[id].ended {
            return;
        }
        let living: Vec<Pid> = (0..self.workers.len()).filter(|p| self.workers[*p].alive).collect();
        if self.closing || living.is_empty() {
            return self.ends_for_good(id);
        }
        let pid = living[self.rng.index(living.len())];
        let story = &mut self.actors[id];
        story.placements += 1;
        (story.begun_here, story.not_before, story.in_order) = (0, 0, false);
        // The first life of a placement after the first is a restart already.
        let used = story.used() + u32::from(story.lives > 0);
        let policy = ChildPolicy {
            restart: story.restart,
            shutdown: Shutdown::Stop(Duration::from_millis(300)),
            backoff: Backoff { base: Duration::from_millis(20), max: Duration::from_millis(200) },
            budget: Budget::Own(story.budget - used),
        };
        let key = (id as u64) * 1000 + story.placements;
        story.placed = Some((pid, key));
        self.workers[pid].has.insert(key, id);
        self.decide(pid, Input::Adopt(key, policy));
    }

    /// Its worker is dead. Who has restarts left, and was not to end, is placed again.
    pub(super) fn lost_its_worker(&mut self, id: ActorId) {
        self.figures.count("lost with a worker");
        let story = &mut self.actors[id];
        story.placed = None;
        let next = if story.lives == 0 { 0 } else { story.used() + 1 };
        let again = match story.restart {
            Restart::Permanent => true,
            Restart::Transient => !story.in_order,
            Restart::Temporary => story.lives == 0,
        };
        if !again || story.is_to_end || next > story.budget {
            return self.ends_for_good(id);
        }
        self.figures.count("placed again");
        let delay = self.rng.between(0, 50 * MILLI);
        self.after(delay, Event::Place(id));
    }

    fn ends_for_good(&mut self, id: ActorId) {
        let story = &mut self.actors[id];
        assert!(!std::mem::replace(&mut story.ended, true), "SD-5: actor {id} ends twice");
        self.posts(id, CallInput::Ended);
    }

    /// Tells the supervisor of a worker, and does what it wants.
    pub(super) fn decide(&mut self, pid: Pid, input: Input) {
        if !self.workers[pid].alive {
            return;
        }
        let now = self.clock();
        for effect in self.workers[pid].supervision.step(input, now) {
            self.note(|| format!("    worker {pid}: {effect:?}"));
            match effect {
                Effect::Start(key, local) => self.begins(pid, key, local),
                Effect::Stop(key, _) => self.told_to_end(pid, key, false),
                Effect::Kill(key) => {
                    self.figures.count("kills");
                    self.told_to_end(pid, key, true);
                }
                Effect::Arm(timer, after) => {
                    let late = if self.bad_luck(20) { self.rng.between(0, 500 * MILLI) } else { 0 };
                    if late > 0 {
                        self.figures.count("late timers");
                    }
                    self.after(after.as_micros() as Time + late, Event::Fires(pid, timer));
                }
                Effect::Restarting { key, after, .. } => {
                    let now = self.now;
                    let id = self.workers[pid].has[&key];
                    self.actors[id].not_before = now + after.as_micros() as Time;
                    self.figures.count("restarts");
                    if !after.is_zero() {
                        self.figures.count("waits");
                    }
                }
                Effect::Ended(key, why) => self.child_ended(pid, key, why),
                Effect::Done { failed } => assert_eq!(failed, None, "its children are their own"),
            }
        }
    }

    fn begins(&mut self, pid: Pid, key: ChildKey, local: u32) {
        let id = self.workers[pid].has[&key];
        let now = self.now;
        let story = &mut self.actors[id];
        assert!(story.body.is_none() && story.left_behind == 0, "SD-1: two lives of actor {id}");
        assert!(!story.ended, "SD-5: actor {id} lives after its end");
        assert!(now >= story.not_before, "actor {id} does not wait for its back-off");
        assert_eq!(u64::from(local), story.begun_here, "lives of actor {id} are skipped");
        if story.begun_here > 0 {
            let temporary = story.restart == Restart::Temporary;
            let over = story.restart == Restart::Transient && story.in_order;
            assert!(
                !temporary && !over,
                "actor {id} is restarted, and its type does not ask for it"
            );
        }
        story.lives += 1;
        story.begun_here += 1;
        story.in_order = false;
        let (life, budget) = (story.lives, story.budget);
        assert!(life <= u64::from(budget) + 1, "actor {id} has {budget} restarts and life {life}");
        let inbox = Inbox::new(ProcessIncarnation(life));
        let hangs_until = 0;
        story.body = Some(Body { pid, life, local, is_up: false, hangs_until, inbox });
        self.figures.count("lives");
        let delay = self.rng.between(0, 60 * MILLI);
        self.after(delay, Event::Constructed(pid, id, life));
    }

    pub(super) fn constructed(&mut self, pid: Pid, id: ActorId, life: u64) {
        let fails = self.bad_luck(10);
        let story = &mut self.actors[id];
        let Some(body) = story.body.as_mut().filter(|body| body.life == life) else { return };
        if fails {
            return self.body_ends(pid, id, life, false);
        }
        body.is_up = true;
        let local = body.local;
        if let Some((_, key)) = story.placed {
            self.decide(pid, Input::Started(key, local));
        }
        self.posts(id, CallInput::Moved { to: ProcessIncarnation(life) });
    }

    fn told_to_end(&mut self, pid: Pid, key: ChildKey, kill: bool) {
        let id = self.workers[pid].has[&key];
        let longest = if kill { 5 } else { 400 };
        let delay = self.rng.between(0, longest * MILLI);
        let Some(body) = &self.actors[id].body else { panic!("a dead actor {id} is told to end") };
        let (life, hangs) = (body.life, body.hangs_until.saturating_sub(self.now));
        self.after(delay.max(hangs), Event::Ends(pid, id, life, !kill));
    }

    pub(super) fn body_ends(&mut self, pid: Pid, id: ActorId, life: u64, normal: bool) {
        let story = &mut self.actors[id];
        let Some(body) = story.body.take_if(|body| body.life == life) else { return };
        if story.left_behind > 0 {
            story.left_behind = 0;
            return;
        }
        story.in_order = normal;
        if let Some((_, key)) = story.placed {
            self.decide(pid, Input::Exited { key, life: body.local, normal });
        }
    }

    fn child_ended(&mut self, pid: Pid, key: ChildKey, why: EndReason) {
        let id = self.workers[pid].has.remove(&key).expect("SD-5: a child ends twice");
        self.figures.count(match why {
            EndReason::Finished => "finished",
            EndReason::Exhausted => "exhausted",
            EndReason::Stopped => "stopped",
            EndReason::Abandoned => "abandoned",
            EndReason::GaveUp => panic!("its restarts are its own"),
        });
        let story = &mut self.actors[id];
        story.placed = None;
        match why {
            EndReason::Exhausted => {
                assert_eq!(story.used(), story.budget, "actor {id} had restarts left");
            }
            EndReason::Abandoned => story.left_behind = 1,
            _ => assert!(story.body.is_none(), "SD-5: actor {id} is {why:?} and runs"),
        }
        self.ends_for_good(id);
    }

    /// Everything has ended, and everybody was told.
    pub(super) fn check_the_end(&self) {
        for (id, story) in self.actors.iter().enumerate() {
            assert!(story.ended, "SD-5: actor {id} has not ended");
            assert!(story.body.is_none() || story.left_behind == 1, "actor {id} still runs");
            assert_eq!(story.outbox.len(), 0, "DL-3: calls of actor {id} hang");
        }
        for (number, call) in self.calls.iter().enumerate() {
            assert!(call.resolved, "DL-3: call {number} was forgotten");
        }
        for worker in self.workers.iter().filter(|worker| worker.alive) {
            assert!(worker.has.is_empty() && worker.supervision.is_empty());
        }
    }
}

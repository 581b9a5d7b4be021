//! Time, events and links.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use raytree_types::{ActorIds, Backoff, Resources, RestartLimit, RuntimeId};

use super::drivers::Driver;
use super::head::{Due, Up};
use super::ledger::{Counted, Ledger};
use super::node::{Down, Node};
use super::{CHAOS_ENDS, STORY_ENDS};
use crate::jobs::{Book, Policy, WorkerId};
use crate::residents::{Directory, Ended};
use crate::sim::{MILLI, Rng, SECOND, Time, Timeline, is_told};

/// A name of nodes, by its number.
pub(super) type Slot = usize;

/// One connection with a name: which life of the node, and which connection with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    pub(super) life: u64,
    pub(super) session: u64,
}

#[derive(Debug)]
pub(super) enum Event {
    HeadTick,
    Driver(usize),
    Fault,
    ToHead(Slot, Link, Up),
    ToNode(Slot, Link, Down),
    /// The end of a life of a node is known to the head.
    Gone(Slot, u64),
    Resumes(Slot, u64),
    Links(Slot, u64),
    /// Its lease is over.
    Isolated(Slot, u64),
    Dies(Slot, u64),
    Spawn(Slot),
    Ready(Slot, WorkerId),
    Ends(Slot, WorkerId, Ended, &'static str),
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) now: Time,
    pub(super) ids: ActorIds,
    pub(super) directory: Directory,
    pub(super) book: Book,
    /// What the head still has to tell its directory and its book.
    pub(super) due: VecDeque<Due>,
    pub(super) nodes: Vec<Node>,
    pub(super) drivers: Vec<Driver>,
    pub(super) ledger: Ledger,
    timeline: Timeline<Event>,
    tells: bool,
}

/// Deadlines are shorter than by default, so that more happens in a story.
fn policy() -> Policy {
    Policy {
        limit: RestartLimit { max: 2, within: Duration::from_millis(1000) },
        backoff: Backoff { base: Duration::from_millis(40), max: Duration::from_millis(160) },
        end_within: Duration::from_millis(400),
    }
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let nodes = (0..rng.between(2, 3)).map(|number| {
            let total = Resources::cpus(rng.between(1, 5) as f64);
            Node::new(Arc::from(format!("n{number}")), total)
        });
        let nodes: Vec<Node> = nodes.collect();
        let drivers = (0..rng.between(2, 3)).map(|_| Driver::default()).collect();
        let mut world = Self {
            rng,
            now: 0,
            ids: ActorIds::new(RuntimeId::given(1)),
            directory: Directory::default(),
            book: Book::new(policy()),
            due: VecDeque::new(),
            nodes,
            drivers,
            ledger: Ledger::new(),
            timeline: Timeline::new(),
            tells: is_told(),
        };
        world.after(0, Event::HeadTick);
        for slot in 0..world.nodes.len() {
            let delay = world.rng.between(0, 300 * MILLI);
            world.after(delay, Event::Spawn(slot));
        }
        for driver in 0..world.drivers.len() {
            let delay = world.rng.between(0, SECOND);
            world.after(delay, Event::Driver(driver));
        }
        world.after(300 * MILLI, Event::Fault);
        world
    }

    pub(super) fn run(mut self) -> Counted {
        while let Some((at, event)) = self.timeline.next() {
            if at > STORY_ENDS {
                break;
            }
            self.now = at;
            let routine = matches!(event, Event::HeadTick);
            if !routine {
                self.note(|| format!("{event:?}"));
            }
            self.happen(event);
            self.check_truth();
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

    pub(super) fn calm(&self) -> bool {
        self.now >= CHAOS_ENDS
    }

    /// Something goes wrong in so many of a hundred cases, as long as anything may.
    pub(super) fn bad_luck(&mut self, chance: u64) -> bool {
        self.rng.percent(chance) && !self.calm()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::HeadTick => self.head_tick(),
            Event::Driver(driver) => self.driver_acts(driver),
            Event::Fault => self.fault(),
            Event::ToHead(slot, link, mail) => {
                if self.nodes[slot].link == Some(link) {
                    self.reaches_head(slot, link, mail);
                }
            }
            Event::ToNode(slot, link, mail) => {
                if self.nodes[slot].link == Some(link) {
                    self.reaches_node(slot, mail);
                }
            }
            Event::Gone(slot, life) => self.node_is_gone(slot, life),
            Event::Resumes(slot, life) => self.node_resumes(slot, life),
            Event::Links(slot, life) => self.node_links(slot, life),
            Event::Isolated(slot, life) => self.node_is_isolated(slot, life),
            Event::Dies(slot, life) => self.node_dies(slot, life),
            Event::Spawn(slot) => self.spawn(slot),
            Event::Ready(slot, worker) => self.is_ready(slot, &worker),
            Event::Ends(slot, worker, how, why) => self.ends(slot, worker, how, why),
        }
    }

    /// What is sent now arrives after all that was sent before, or never if the link breaks.
    pub(super) fn send_up(&mut self, slot: Slot, mail: Up) {
        if let Some((link, at)) = self.arrives(slot, 0) {
            self.timeline.plan(at, Event::ToHead(slot, link, mail));
        }
    }

    pub(super) fn send_down(&mut self, slot: Slot, mail: Down) {
        if let Some((link, at)) = self.arrives(slot, 1) {
            self.timeline.plan(at, Event::ToNode(slot, link, mail));
        }
    }

    fn arrives(&mut self, slot: Slot, way: usize) -> Option<(Link, Time)> {
        let slow = self.bad_luck(5);
        let delay = if slow { self.rng.between(MILLI, 200 * MILLI) } else { 300 };
        let node = &mut self.nodes[slot];
        let last = &mut node.last[way];
        *last = (*last).max(self.now + delay);
        node.link.map(|link| (link, *last))
    }
}

//! Nodes: they start and stop processes as they are told, and suffer.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use raytree_types::{ProcessIncarnation, Resources};

use super::head::Up;
use super::world::{Event, Link, Slot, World};
use crate::jobs::{TOLD_TO_END, WorkerId};
use crate::membership::{Member, Name};
use crate::residents::Ended;
use crate::sim::{MILLI, SECOND, Time};

/// What a node hears from its head.
#[derive(Clone, Debug)]
pub(super) enum Down {
    Start { worker: WorkerId },
    Stop { worker: WorkerId, at_once: bool },
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: Name,
    pub(super) total: Resources,
    pub(super) life: u64,
    pub(super) alive: bool,
    /// Its lease is not over.
    pub(super) works: bool,
    pub(super) link: Option<Link>,
    /// Over which its head has heard its report last.
    pub(super) heard: Option<Link>,
    /// Nothing overtakes what arrives then: at the head, and at the node.
    pub(super) last: [Time; 2],
    /// Its processes, and where each can be called.
    pub(super) processes: BTreeMap<WorkerId, Option<SocketAddr>>,
    /// Ends that it could not say yet.
    unsaid: Vec<Up>,
    pub(super) paused: bool,
}

impl Node {
    pub(super) fn new(name: Name, total: Resources) -> Self {
        Self {
            name,
            total,
            life: 0,
            alive: false,
            works: false,
            link: None,
            heard: None,
            last: [0; 2],
            processes: BTreeMap::new(),
            unsaid: Vec::new(),
            paused: false,
        }
    }

    pub(super) fn member(&self, life: u64) -> Member {
        Member::new(self.name.clone(), ProcessIncarnation(life))
    }
}

impl World {
    pub(super) fn spawn(&mut self, slot: Slot) {
        let node = &mut self.nodes[slot];
        (node.alive, node.works, node.paused) = (true, true, false);
        node.life += 1;
        let life = node.life;
        self.node_links(slot, life);
    }

    /// This life of it is there.
    fn is_life(&self, slot: Slot, life: u64) -> bool {
        self.nodes[slot].alive && self.nodes[slot].life == life
    }

    pub(super) fn node_links(&mut self, slot: Slot, life: u64) {
        if !self.is_life(slot, life) || !self.nodes[slot].works {
            return;
        }
        let node = &mut self.nodes[slot];
        node.link = Some(Link { life, session: self.now + 1 });
        let workers = node.processes.iter().map(|(worker, at)| (worker.clone(), *at)).collect();
        for mail in std::mem::take(&mut node.unsaid) {
            self.send_up(slot, mail);
        }
        self.send_up(slot, Up::Report { workers });
    }

    pub(super) fn node_dies(&mut self, slot: Slot, life: u64) {
        if !self.is_life(slot, life) {
            return;
        }
        let node = &mut self.nodes[slot];
        (node.alive, node.works, node.link) = (false, false, None);
        node.processes.clear();
        node.unsaid.clear();
        let known = self.rng.between(0, 600 * MILLI);
        self.after(known, Event::Gone(slot, life));
        let back = self.rng.between(50 * MILLI, 1500 * MILLI);
        self.after(back, Event::Spawn(slot));
    }

    pub(super) fn node_is_isolated(&mut self, slot: Slot, life: u64) {
        if self.is_life(slot, life) {
            (self.nodes[slot].works, self.nodes[slot].link) = (false, None);
        }
    }

    pub(super) fn fault(&mut self) {
        if self.calm() {
            return;
        }
        let slot = self.rng.index(self.nodes.len());
        let life = self.nodes[slot].life;
        if self.nodes[slot].alive && self.nodes[slot].works {
            match self.rng.between(0, 99) {
                0..20 => self.node_dies(slot, life),
                20..35 => self.cuts_off(slot, life),
                35..55 => {
                    self.pauses(slot);
                    let pause = self.rng.between(10 * MILLI, SECOND);
                    self.after(pause, Event::Resumes(slot, life));
                }
                55..80 => {
                    self.nodes[slot].link = None;
                    let pause = self.rng.between(5 * MILLI, 400 * MILLI);
                    self.after(pause, Event::Links(slot, life));
                }
                _ => self.one_crashes(slot),
            }
        }
        let pause = self.rng.between(10 * MILLI, 400 * MILLI);
        self.after(pause, Event::Fault);
    }

    /// It loses its head for ever: first its lease is over, then its head counts it as down, and at some time it is.
    fn cuts_off(&mut self, slot: Slot, life: u64) {
        self.ledger.figures.count("cut off");
        self.nodes[slot].link = None;
        self.after(200 * MILLI, Event::Isolated(slot, life));
        self.after(250 * MILLI, Event::Gone(slot, life));
        let end = self.rng.between(200 * MILLI, SECOND);
        self.after(end, Event::Dies(slot, life));
    }

    fn one_crashes(&mut self, slot: Slot) {
        let processes = &self.nodes[slot].processes;
        if !processes.is_empty() {
            let which = self.rng.index(processes.len());
            let worker = self.nodes[slot].processes.keys().nth(which).cloned();
            let worker = worker.expect("there are so many");
            self.ends(slot, worker, Ended::Lost, "it crashed");
        }
    }

    pub(super) fn reaches_node(&mut self, slot: Slot, mail: Down) {
        match mail {
            Down::Start { worker } => self.starts(slot, worker),
            Down::Stop { worker, at_once } => self.stops(slot, worker, at_once),
        }
    }

    fn starts(&mut self, slot: Slot, worker: WorkerId) {
        if self.bad_luck(6) {
            return self.send_up(slot, Up::Declined { worker });
        }
        if self.bad_luck(6) {
            let why = "it could not be started";
            return self.send_up(slot, Up::Gone { worker, how: Ended::Lost, why });
        }
        self.check_process(&worker);
        self.nodes[slot].processes.insert(worker.clone(), None);
        let (chance, delay) = (self.rng.between(0, 99), self.rng.between(1, 150 * MILLI));
        let chance = if self.calm() { 99 } else { chance };
        let event = match chance {
            0..6 => Event::Ends(slot, worker, Ended::Lost, "its constructor failed"),
            6..9 => Event::Ends(slot, worker, Ended::Over, "it ended in its constructor"),
            _ => Event::Ready(slot, worker),
        };
        self.after(delay, event);
    }

    pub(super) fn is_ready(&mut self, slot: Slot, worker: &WorkerId) {
        let Some(process) = self.nodes[slot].processes.get_mut(worker) else { return };
        let port = 1000 + worker.life as u16;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        *process = Some(address);
        self.send_up(slot, Up::Ready { worker: worker.clone(), address });
        if self.calm() {
            return;
        }
        let life = self.rng.between(5 * MILLI, 2 * SECOND);
        let worker = worker.clone();
        match self.rng.between(0, 99) {
            0..30 => self.after(life, Event::Ends(slot, worker, Ended::Lost, "it panicked")),
            30..45 => self.after(life, Event::Ends(slot, worker, Ended::Over, "it was done")),
            _ => {}
        }
    }

    fn stops(&mut self, slot: Slot, worker: WorkerId, at_once: bool) {
        if !self.nodes[slot].processes.contains_key(&worker) {
            let why = "it is not there";
            return self.send_up(slot, Up::Gone { worker, how: Ended::Lost, why });
        }
        let hangs = !at_once && self.rng.percent(20);
        if !hangs {
            let most = if at_once { 20 } else { 200 };
            let delay = self.rng.between(1, most * MILLI);
            let how = if at_once { Ended::Lost } else { Ended::Over };
            self.after(delay, Event::Ends(slot, worker, how, TOLD_TO_END));
        }
    }

    /// A process has ended.
    pub(super) fn ends(&mut self, slot: Slot, worker: WorkerId, how: Ended, why: &'static str) {
        let node = &mut self.nodes[slot];
        if node.processes.remove(&worker).is_none() {
            return;
        }
        let mail = Up::Gone { worker, how, why };
        if node.link.is_some() {
            self.send_up(slot, mail);
        } else {
            node.unsaid.push(mail);
        }
    }
}

//! The head: a directory and a book, and the shell between them.

use std::net::SocketAddr;
use std::time::Duration;

use raytree_types::Cause;

use super::node::Down;
use super::world::{Event, Link, Slot, World};
use crate::jobs::{self, WorkerId};
use crate::residents::{self, Effect, Ended};
use crate::sim::MILLI;

/// What a head hears from a node.
#[derive(Clone, Debug)]
pub(super) enum Up {
    Report { workers: Vec<(WorkerId, Option<SocketAddr>)> },
    Ready { worker: WorkerId, address: SocketAddr },
    Gone { worker: WorkerId, how: Ended, why: &'static str },
    Declined { worker: WorkerId },
}

/// What one part of the head has still to be told.
#[derive(Debug)]
pub(super) enum Due {
    Book(jobs::Input),
    Directory(residents::Input),
}

impl World {
    pub(super) fn head_tick(&mut self) {
        self.book(jobs::Input::Tick);
        let most = if self.calm() { 30 } else { 100 };
        let pause = self.rng.between(5, most);
        self.after(pause * MILLI, Event::HeadTick);
    }

    /// Tells the book, and everybody what follows.
    pub(super) fn book(&mut self, input: jobs::Input) {
        self.due.push_back(Due::Book(input));
        self.settles();
    }

    /// Tells the directory, and everybody what follows.
    pub(super) fn directory(&mut self, input: residents::Input) {
        self.due.push_back(Due::Directory(input));
        self.settles();
    }

    fn settles(&mut self) {
        while let Some(due) = self.due.pop_front() {
            match due {
                Due::Book(input) => self.book_hears(input),
                Due::Directory(input) => {
                    self.directory_hears(input);
                    self.check_all();
                }
            }
        }
    }

    fn book_hears(&mut self, input: jobs::Input) {
        if input != jobs::Input::Tick {
            self.note(|| format!("  > {input:?}"));
        }
        let effects = self.book.step(input, Duration::from_micros(self.now));
        for effect in effects {
            self.note(|| format!("    {effect:?}"));
            match effect {
                jobs::Effect::Start { worker, .. } => {
                    self.ledger.check_start(&worker);
                    self.tell_node(&worker.clone(), Down::Start { worker });
                }
                jobs::Effect::Stop { worker, at_once } => {
                    self.tell_node(&worker.clone(), Down::Stop { worker, at_once });
                }
                jobs::Effect::Tell { job, news } => {
                    let news = residents::Input::News { job, news };
                    self.due.push_back(Due::Directory(news));
                }
                jobs::Effect::Over { job } => {
                    let over = residents::Input::Over { job, refused: None };
                    self.due.push_back(Due::Directory(over));
                }
                jobs::Effect::RefuseJob { .. } | jobs::Effect::RefuseNode { .. } => {
                    panic!("RS-6: {effect:?}")
                }
            }
        }
    }

    fn directory_hears(&mut self, input: residents::Input) {
        self.note(|| format!("  : {input:?}"));
        self.ledger.heard(&input);
        if let residents::Input::Over { job, .. } = &input {
            self.check_over(*job);
        }
        let silent =
            matches!(input, residents::Input::Leave { .. } | residents::Input::Unfollow { .. });
        let effects = self.directory.step(input);
        assert!(!silent || effects.is_empty(), "RS-5: {effects:?}");
        for effect in effects {
            self.note(|| format!("    {effect:?}"));
            match effect {
                Effect::Open { job, id, wants } => {
                    self.ledger.opened(job, id);
                    let open = jobs::Input::Open { job, wants: Some(wants), single: true };
                    self.due.push_back(Due::Book(open));
                }
                Effect::Close { job, at_once } => {
                    self.due.push_back(Due::Book(jobs::Input::Close { job, at_once }));
                }
                Effect::Tell { to, what } => self.check_told(to, &what),
                Effect::Forget { id } => self.ledger.forgotten(id),
            }
        }
    }

    /// Over the link on which it has reported last; else the next report shows what is missing.
    fn tell_node(&mut self, worker: &WorkerId, mail: Down) {
        let slot = self.slot_of(&worker.node.name);
        let node = &self.nodes[slot];
        let reported = node.link.is_some() && node.heard == node.link;
        if reported && node.member(node.life) == worker.node {
            self.send_down(slot, mail);
        }
    }

    fn slot_of(&self, name: &str) -> Slot {
        self.nodes.iter().position(|node| &*node.name == name).expect("a known name")
    }

    pub(super) fn reaches_head(&mut self, slot: Slot, link: Link, mail: Up) {
        match mail {
            Up::Report { workers } => {
                let node = &mut self.nodes[slot];
                node.heard = Some(link);
                let (total, paused) = (node.total.clone(), node.paused);
                let (node, session) = (node.member(link.life), link.session);
                self.book(jobs::Input::NodeUp { node, session, paused, total, workers });
            }
            Up::Ready { worker, address } => self.book(jobs::Input::WorkerUp { worker, address }),
            Up::Gone { worker, how, why } => {
                self.directory(residents::Input::Ended { worker: worker.clone(), how });
                let cause = Cause::message(why);
                self.book(jobs::Input::WorkerGone { worker, cause });
            }
            Up::Declined { worker } => self.book(jobs::Input::Declined { worker }),
        }
    }

    pub(super) fn node_is_gone(&mut self, slot: Slot, life: u64) {
        let node = self.nodes[slot].member(life);
        let cause = Cause::message("it went dark");
        self.book(jobs::Input::NodeDown { node, cause });
    }

    pub(super) fn pauses(&mut self, slot: Slot) {
        let node = &mut self.nodes[slot];
        node.paused = true;
        let node = node.member(node.life);
        self.book(jobs::Input::NodePaused { node });
    }

    pub(super) fn node_resumes(&mut self, slot: Slot, life: u64) {
        let node = &mut self.nodes[slot];
        if node.life == life {
            node.paused = false;
        }
        let node = node.member(life);
        self.book(jobs::Input::NodeResumed { node });
    }
}

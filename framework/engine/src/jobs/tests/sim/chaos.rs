//! What goes wrong.

use super::CHAOS_ENDS;
use super::world::{Event, Pid, World};
use crate::sim::{MILLI, SECOND, Time};

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// A worker process dies.
    CrashWorker,
    /// The workers of a node die one after the other as they come.
    CrashLoop,
    /// A node dies, and its workers with it.
    CrashNode,
    /// A node is stopped and goes on later; its workers go on.
    FreezeNode,
    /// A session ends.
    LoseLink,
    /// The head stands still.
    StallHead,
}

impl World {
    pub(super) fn next_fault(&mut self) -> Fault {
        match self.rng.between(0, 99) {
            0..25 => Fault::CrashWorker,
            25..38 => Fault::CrashLoop,
            38..48 => Fault::CrashNode,
            48..62 => Fault::FreezeNode,
            62..90 => Fault::LoseLink,
            _ => Fault::StallHead,
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
        let (next, pause) = (self.next_fault(), self.rng.between(10 * MILLI, 500 * MILLI));
        self.after(pause, Event::Fault(next));
    }

    fn strike(&mut self, fault: Fault, pid: Pid) {
        match fault {
            Fault::CrashWorker => self.crash_one(pid),
            Fault::CrashLoop => {
                let rounds = self.rng.between(2, 8);
                for round in 0..rounds {
                    self.after(round * 120 * MILLI, Event::CrashOne(pid));
                }
            }
            Fault::CrashNode => self.node_dies(pid),
            Fault::FreezeNode => {
                let span = self.span();
                self.freeze(pid, span);
            }
            Fault::LoseLink => {
                if let Some(session) = self.nodes[pid].session {
                    self.ledger.figures.count("links lost");
                    self.break_session(session);
                }
            }
            Fault::StallHead => {
                let span = self.span();
                self.freeze_head(span);
            }
        }
    }

    pub(super) fn crash_one(&mut self, pid: Pid) {
        let workers = &self.nodes[pid].workers;
        if !workers.is_empty() {
            let which = self.rng.index(workers.len());
            let worker = self.nodes[pid].workers.keys().nth(which).cloned();
            let worker = worker.expect("there are so many");
            if self.rng.percent(40) {
                // Its driver may know before its node does.
                let delay = self.rng.between(0, 5 * MILLI);
                self.after(delay, Event::Unreachable(worker.clone()));
            }
            self.worker_dies(pid, worker, "it crashed");
        }
    }

    /// How long it lasts: often short, never far beyond the end of all faults.
    fn span(&mut self) -> Time {
        let longest = [300 * MILLI, SECOND, 4 * SECOND][self.rng.index(3)];
        let span = self.rng.between(50 * MILLI, longest);
        span.min(CHAOS_ENDS.saturating_sub(self.now) + MILLI)
    }
}

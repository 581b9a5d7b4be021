//! What must hold for single jobs (JB-11).

use raytree_types::{JobId, Resources};

use super::world::World;
use crate::jobs::WorkerId;

impl World {
    /// Nothing of the job runs, but what is isolated with its dead node.
    pub(super) fn check_single_start(&mut self, worker: &WorkerId) {
        let figures = &mut self.ledger.figures;
        figures.count(if worker.life == 1 { "single" } else { "single again" });
        let job = worker.job;
        assert!(!self.ledger.just_down.contains(&job), "JB-11: {worker} begins too soon");
        let before = self.ledger.workers_of(job).last();
        if before.is_some_and(|before| before.node.name != worker.node.name) {
            self.ledger.figures.count("single elsewhere");
        }
        for pid in self.living.clone() {
            let mut workers = self.nodes[pid].workers.iter();
            let runs = workers.any(|(known, state)| known.job == job && state.alive);
            let node = self.member(pid);
            let dead = node.as_ref().is_some_and(|node| self.ledger.down.contains(node));
            assert!(!runs || dead && !self.may_work(pid), "JB-11: {worker} beside one on {node:?}");
        }
    }

    /// A single job has exactly what it wants, and what is given out has no place for an older one (JB-6).
    pub(super) fn check_singles_served(
        &self,
        worker: &WorkerId,
        grant: &Resources,
        more: &Resources,
    ) {
        let ledger = &self.ledger;
        let single = ledger.single.contains(&worker.job);
        if single {
            let wants = self.wants_of(worker.job).cloned().unwrap_or_default();
            assert_eq!(*grant, wants, "JB-11: {worker}");
        }
        // The seat of a later life was perhaps taken in an earlier step.
        if single && worker.life > 1 || more.is_none() {
            return;
        }
        let free = self.head.book.nodes().find(|(node, ..)| *node == worker.node);
        let mut room = free.map(|(_, _, free)| free.clone()).unwrap_or_default();
        room.add(more);
        for older in ledger.open.range(..worker.job).filter(|job| ledger.single.contains(job)) {
            let served = self.has_a_seat(*older) || !room.covers(&self.wanted(*older));
            assert!(served, "JB-6: {older} is passed over by {worker} with {grant}");
        }
    }

    fn wanted(&self, job: JobId) -> Resources {
        self.wants_of(job).cloned().unwrap_or_default()
    }

    fn has_a_seat(&self, job: JobId) -> bool {
        self.head.book.workers().any(|(worker, ..)| worker.job == job)
    }

    /// Whoever has no place has none anywhere.
    pub(super) fn check_singles_at_the_end(&mut self) {
        for job in self.ledger.open.clone() {
            if self.ledger.single.contains(&job) && !self.has_a_seat(job) {
                let wants = self.wanted(job);
                self.ledger.figures.count("no place at the end");
                let mut nodes = self.head.book.nodes();
                let room = nodes.find(|(_, _, free)| free.covers(&wants));
                assert!(room.is_none(), "JB-11: {job} has no place and may have {room:?}");
            }
        }
    }
}

//! What really runs, and what the directory makes of it.

use std::collections::{BTreeMap, BTreeSet};

use raytree_types::{ActorId, JobId};

use super::world::World;
use crate::jobs::WorkerId;
use crate::residents::{Follower, Listed, Told};

impl World {
    /// The processes that work: they run, and the lease of their node is not over.
    fn working(&self) -> impl Iterator<Item = &WorkerId> {
        let nodes = self.nodes.iter().filter(|node| node.alive && node.works);
        nodes.flat_map(|node| node.processes.keys())
    }

    /// After every event: a resident works in one place.
    pub(super) fn check_truth(&self) {
        let mut works = BTreeSet::new();
        for worker in self.working().filter(|worker| self.ledger.jobs.contains_key(&worker.job)) {
            assert!(works.insert(worker.job), "RS-2: a second {worker} works");
        }
    }

    /// A process begins on its node. What was told to start may have been told to stop meanwhile.
    pub(super) fn check_process(&self, worker: &WorkerId) {
        let Some(id) = self.ledger.jobs.get(&worker.job) else { return };
        assert!(!self.ledger.kins[id].dead, "RS-4: {worker} begins and is dead");
    }

    /// Nothing of a job that is over works.
    pub(super) fn check_over(&self, job: JobId) {
        assert!(!self.working().any(|worker| worker.job == job), "RS-4: {job} is over and works");
    }

    pub(super) fn check_told(&mut self, to: Follower, what: &Told) {
        self.ledger.told(to, what);
        let id = self.ledger.views[&to].of;
        let Some(job) = id.map(|id| self.ledger.kins[&id].job) else { return };
        let mut working = self.working().filter(|worker| worker.job == job);
        match what {
            Told::Up { worker, .. } => {
                let other = working.find(|other| *other != worker);
                assert_eq!(other, None, "RS-2: {to:?} hears of {worker}");
            }
            Told::Down { .. } => assert_eq!(working.next(), None, "RS-2: {to:?} hears {what:?}"),
            Told::Dead { .. } => assert_eq!(working.next(), None, "RS-4: {to:?} hears {what:?}"),
            Told::Is { .. } | Told::Missing | Told::Refused(_) => {}
        }
    }

    /// After everything that the directory has heard: it is as it must be, and everybody knows.
    pub(super) fn check_all(&self) {
        let (directory, ledger) = (&self.directory, &self.ledger);
        let listed: BTreeMap<ActorId, Listed<'_>> =
            directory.residents().map(|listed| (listed.id, listed)).collect();
        let mut names = BTreeSet::new();
        let mut followers: BTreeMap<ActorId, usize> = BTreeMap::new();
        for (by, view) in ledger.views.iter().filter(|(_, view)| !view.left) {
            let Some(id) = view.of else { continue };
            let kin = &ledger.kins[&id];
            assert_eq!(view.done, kin.dead, "RS-4: {by:?} of {id}");
            if !kin.dead {
                *followers.entry(id).or_default() += 1;
                let knows = kin.ends.is_some() || view.up == kin.up;
                assert!(knows, "RS-2: {by:?} of {id} knows of {:?}, not {:?}", view.up, kin.up);
            }
        }
        for (id, kin) in &ledger.kins {
            let there = (!kin.dead).then_some((*id, kin.job));
            assert_eq!(directory.job_of(*id), there.map(|(_, job)| job), "RS-4: {id}");
            assert_eq!(directory.id_of(kin.job), there.map(|(id, _)| id), "RS-4: {id}");
            let Some(is) = listed.get(id) else {
                assert!(kin.dead, "RS-5: {id} is not there");
                continue;
            };
            if let Some(key) = &kin.key {
                assert!(names.insert(key), "RS-1: {key} is the name of two");
            }
            assert_eq!((is.key, is.job, is.life), (kin.key.as_ref(), kin.job, kin.lost), "{id}");
            assert_eq!(is.ends, kin.ends.is_some(), "RS-3: {id}");
            let up = kin.up.filter(|_| kin.ends.is_none()).and(kin.worker.as_ref());
            assert_eq!(is.up.map(|(worker, _)| worker), up, "RS-2: {id}");
            assert_eq!(is.followers, followers.remove(id).unwrap_or(0), "RS-5, RS-6: {id}");
        }
        let living = ledger.kins.values().filter(|kin| !kin.dead).count();
        assert_eq!(listed.len(), living, "RS-6");
    }

    /// When the faults are long over, every resident lives or is dead, or there is no place for it.
    pub(super) fn check_the_end(&mut self) {
        let kins = self.ledger.kins.iter().filter(|(_, kin)| !kin.dead);
        let mut homeless = 0;
        for (id, kin) in kins {
            assert_eq!(kin.ends, None, "RS-4: {id} is not dead");
            if kin.up.is_some() {
                let works = self.working().any(|worker| Some(worker) == kin.worker.as_ref());
                assert!(works, "RS-2: {id} is up as {:?} and does not work", kin.worker);
                continue;
            }
            let seated = self.book.workers().any(|(worker, ..)| worker.job == kin.job);
            let room = self.book.nodes().find(|(_, _, free)| free.covers(&kin.wants));
            assert!(!seated && room.is_none(), "RS-3: {id} does not live, {seated}, {room:?}");
            homeless += 1;
        }
        (0..homeless).for_each(|_| self.ledger.figures.count("no place at the end"));
        let drivers = self.ledger.kins.values().filter(|kin| !kin.dead).map(|kin| kin.job);
        let open: BTreeSet<JobId> = self.book.jobs().map(|(job, _)| job).collect();
        assert!(drivers.into_iter().all(|job| open.contains(&job)), "RS-3: a job is missing");
    }
}

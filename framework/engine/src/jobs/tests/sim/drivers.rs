//! Drivers: they open jobs, some of them single, want workers replaced, and leave.

use raytree_types::{Cause, JobId, Resources};

use super::CHAOS_ENDS;
use super::world::{Event, World};
use crate::jobs::{Input, WorkerId};
use crate::sim::{MILLI, Rng, SECOND};

#[derive(Debug)]
pub(super) struct Driver {
    wants: Option<Resources>,
    pub(super) single: bool,
    pub(super) job: Option<JobId>,
}

impl Driver {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let halves = if rng.percent(20) { rng.between(1, 5) } else { 2 * rng.between(1, 2) };
        let cpus = Resources::cpus(halves as f64 / 2.0);
        let wants = match rng.between(0, 9) {
            0..4 => None,
            4..7 => Some(cpus),
            7 => Some(cpus.gpus(1.0)),
            8 => Some(Resources::none().gpus(1.0)),
            _ => Some(Resources::none()),
        };
        Self { wants, single: rng.percent(40), job: None }
    }

    pub(super) fn wants(&self) -> Option<&Resources> {
        self.wants.as_ref()
    }
}

impl World {
    pub(super) fn driver_acts(&mut self, driver: usize) {
        if self.head_later(|| Event::Driver(driver)) {
            return;
        }
        let Some(job) = self.drivers[driver].job else {
            let job = self.head.book.next_job();
            let known = &mut self.drivers[driver];
            known.job = Some(job);
            let (wants, single) = (known.wants.clone(), known.single);
            self.book(Input::Open { job, wants, single });
            return self.driver_acts_again(driver);
        };
        match self.rng.between(0, 99) {
            0..35 => self.replace_one(job),
            35..55 => {
                self.drivers[driver] = Driver::new(&mut self.rng);
                let at_once = self.rng.percent(30);
                self.book(Input::Close { job, at_once });
            }
            55..62 => {
                if let Some(job) = self.ledger.one_that_ends() {
                    self.ledger.figures.count("killed after all");
                    self.book(Input::Close { job, at_once: true });
                }
            }
            _ => {}
        }
        self.driver_acts_again(driver);
    }

    fn driver_acts_again(&mut self, driver: usize) {
        let delay = self.rng.between(20 * MILLI, 2 * SECOND);
        if self.now + delay < CHAOS_ENDS {
            self.after(delay, Event::Driver(driver));
        }
    }

    /// One that it has heard of, perhaps one of long ago.
    fn replace_one(&mut self, job: JobId) {
        let known = self.ledger.workers_of(job);
        if known.is_empty() {
            return;
        }
        let newest = known.len().saturating_sub(3);
        let from = if self.rng.percent(70) { newest } else { 0 };
        let worker = known[from + self.rng.index(known.len() - from)].clone();
        self.book(Input::Replace { worker, cause: Cause::message("nobody can reach it") });
    }

    pub(super) fn unreachable(&mut self, worker: WorkerId) {
        let kept = worker.clone();
        if !self.head_later(|| Event::Unreachable(kept)) && self.ledger.is_open(worker.job) {
            self.book(Input::Replace { worker, cause: Cause::message("its link was lost") });
        }
    }

    /// What the driver of an open job wants of each node, or of one.
    pub(super) fn wants_of(&self, job: JobId) -> Option<&Resources> {
        self.drivers.iter().find(|driver| driver.job == Some(job)).and_then(Driver::wants)
    }
}

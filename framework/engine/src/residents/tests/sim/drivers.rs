//! Drivers: they create, find, follow, leave and end residents, and want something for themselves.

use std::sync::Arc;

use raytree_types::{JobId, Resources};

use super::CHAOS_ENDS;
use super::world::{Event, World};
use crate::jobs;
use crate::residents::{Follower, Input, Key, Spec};
use crate::sim::{MILLI, Rng};

#[derive(Debug, Default)]
pub(super) struct Driver {
    job: Option<JobId>,
    tickets: u64,
}

fn key(rng: &mut Rng) -> Key {
    let (space, name) = (["s", "t"][rng.index(2)], ["a", "b", "c"][rng.index(3)]);
    Key { namespace: Arc::from(space), name: Arc::from(name) }
}

impl World {
    pub(super) fn driver_acts(&mut self, driver: usize) {
        match self.drivers[driver].job {
            None => {
                let job = self.book.next_job();
                self.drivers[driver] = Driver { job: Some(job), tickets: 0 };
                let wants = Resources::cpus(if self.rng.percent(40) { 1.0 } else { 0.0 });
                self.book(jobs::Input::Open { job, wants: Some(wants), single: false });
            }
            Some(job) => match self.rng.between(0, 99) {
                0..40 => self.creates(driver, job),
                40..58 => {
                    let by = self.next_ticket(driver, job);
                    let key = key(&mut self.rng);
                    self.directory(Input::Find { by, key });
                }
                58..68 => {
                    // Perhaps one that hears nothing any more.
                    let ticket = self.rng.between(0, self.drivers[driver].tickets + 1);
                    let by = Follower { driver: job, ticket };
                    self.directory(Input::Unfollow { by });
                }
                68..90 => {
                    let newest = self.ledger.newest();
                    if let Some(id) = newest.get(self.rng.index(12)).copied() {
                        let kill = self.rng.percent(40);
                        self.directory(Input::End { id, kill });
                    }
                }
                _ => {
                    self.drivers[driver].job = None;
                    self.directory(Input::Leave { driver: job });
                    self.book(jobs::Input::Close { job, at_once: false });
                }
            },
        }
        let delay = self.rng.between(5 * MILLI, 500 * MILLI);
        if self.now + delay < CHAOS_ENDS {
            self.after(delay, Event::Driver(driver));
        }
    }

    fn next_ticket(&mut self, driver: usize, job: JobId) -> Follower {
        let tickets = &mut self.drivers[driver].tickets;
        *tickets += 1;
        Follower { driver: job, ticket: *tickets }
    }

    fn creates(&mut self, driver: usize, job: JobId) {
        let by = self.next_ticket(driver, job);
        let key = self.rng.percent(60).then(|| key(&mut self.rng));
        let cpus = [0.0, 0.0, 0.5, 1.0, 2.0][self.rng.index(5)];
        let restarts = if self.rng.percent(10) { u32::MAX } else { self.rng.between(0, 4) as u32 };
        let spec = Spec { id: self.ids.next(), key, wants: Resources::cpus(cpus), restarts };
        let (get_if_exists, job) = (self.rng.percent(50), self.book.next_job());
        self.directory(Input::Create { by, spec, get_if_exists, job });
    }
}

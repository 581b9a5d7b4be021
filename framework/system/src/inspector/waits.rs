//! Which actors wait for answers of which, from the calls that have none yet. Nothing is noted while nobody asks but who polled.

use std::sync::atomic::Ordering;

use raytree_types::JobId;
use raytree_types::inspect::{Party, Wait, Who};

use super::forest;
use crate::runtime::Shared;
use crate::task::context::By;
use crate::user::status::Cell;

/// All of this process, from the calls that were made in it.
pub(super) fn of(runtime: &Shared) -> Vec<Wait> {
    let job = job(runtime);
    let mut waits = Vec::new();
    for target in forest::cells(&runtime.table) {
        for (what, by) in target.open.awaited() {
            let waiters = by.into_iter().filter_map(|by| Some((by, runtime.table.cell(by.actor)?)));
            waits.extend(waiters.map(|(by, waiter)| Wait {
                waiter: party(&waiter, job),
                target: party(&target, job),
                what: what.to_owned(),
                age: waiter.probe.busy_for(),
                is_alone: waiter.options.concurrency() == 1 && is_now(&waiter, by),
                poll: by.poll,
            }));
        }
    }
    waits
}

/// It has awaited this when it was gone on with last, and is not done with it.
fn is_now(waiter: &Cell, by: By) -> bool {
    waiter.probe.busy_for().is_some() && by.poll == waiter.polls.load(Ordering::Relaxed)
}

fn party(cell: &Cell, job: Option<JobId>) -> Party {
    Party { job, who: Who::Actor(cell.known_as()), label: cell.name.clone() }
}

/// The job that this process works for.
pub(super) fn job(runtime: &Shared) -> Option<JobId> {
    let as_driver = || runtime.driver.get().and_then(|driver| driver.job());
    runtime.neighbours.get().map(|own| own.job()).or_else(as_driver)
}

//! Which actors wait for answers of which, from the calls that have none yet. Nothing is noted while nobody asks but who polled.

use std::collections::HashMap;
use std::sync::Arc;

use raytree_types::inspect::{Circle, Party, Wait, Who};
use raytree_types::{ActorId, Error, JobId};

use super::forest;
use crate::runtime::Shared;
use crate::task::context::By;
use crate::user::status::Cell;

/// All of this process, from the calls that were made in it.
pub(super) fn of(runtime: &Shared) -> Vec<Wait> {
    let job = job(runtime);
    let targets = forest::cells(&runtime.table);
    let mut awaited = Vec::new();
    let mut calls: HashMap<(ActorId, u64), usize> = HashMap::new();
    for target in &targets {
        for call in target.open.awaited() {
            for by in call.by {
                *calls.entry((by.actor, by.poll)).or_default() += 1;
                awaited.push((target, (call.what, call.has_begun), by));
            }
        }
    }
    let wait = |(target, (what, has_begun), by): (&Arc<Cell>, (&str, bool), By)| {
        let waiter = runtime.table.cell(by.actor)?;
        let many = calls.get(&(by.actor, by.poll)).copied().unwrap_or_default();
        Some(Wait {
            waiter: party(&waiter, job),
            target: party(target, job),
            what: what.to_owned(),
            age: waiter.probe.busy_for(),
            is_alone: waiter.options.concurrency() == 1 && is_all(&waiter, by, many),
            has_begun,
            poll: by.poll,
        })
    };
    awaited.into_iter().filter_map(wait).collect()
}

/// It has awaited these many calls when it was gone on with last, nothing else that is known here, and is not done with them.
fn is_all(waiter: &Cell, by: By, many: usize) -> bool {
    waiter.probe.busy_for().is_some() && waiter.awaits.only(by, many)
}

fn party(cell: &Cell, job: Option<JobId>) -> Party {
    Party { job, who: Who::Actor(cell.known_as()), label: cell.name.clone() }
}

/// The job that this process works for.
pub(super) fn job(runtime: &Shared) -> Option<JobId> {
    let as_driver = || runtime.driver.get().and_then(|driver| driver.job());
    runtime.neighbours.get().map(|own| own.job()).or_else(as_driver)
}

/// The calls that are awaited so fail; how many that were.
pub(super) fn give_up(runtime: &Shared, circle: &Circle) -> u64 {
    let Circle { wait, members } = circle;
    if wait.waiter.job != job(runtime) {
        return 0;
    }
    let is = |cell: &Cell, party: &Party| Who::Actor(cell.known_as()) == party.who;
    let waits_so = |by: &By| {
        let waiter = runtime.table.cell(by.actor).filter(|waiter| is(waiter, &wait.waiter));
        by.poll == wait.poll && waiter.is_some_and(|waiter| waiter.awaits.is_last(*by))
    };
    let targets = forest::cells(&runtime.table).into_iter().filter(|cell| is(cell, &wait.target));
    let error = Error::Deadlock { circle: members.clone() };
    targets.map(|target| target.open.fail(waits_so, &error)).sum()
}

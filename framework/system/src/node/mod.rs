//! A node: one machine's share of the system. Embedded there is one, in this process.

pub(crate) mod ledger;
pub(crate) mod scheduler;

use std::sync::{Arc, Weak};

use raytree_objects::ObjectStore;
use raytree_supervise::{ChildSpec, SupervisorSpec};
use raytree_types::Strategy;

use crate::isolated;
use crate::memory;
use crate::runtime::{Addrs, Shared};
use crate::worker;
use scheduler::LocalScheduler;

/// The node's subtree: the scheduler, the worker, what stands for processes of tasks' own, and the watch over the
/// memory, and the store, if there is one. They share nothing but the books, so none falls with another.
pub(crate) fn spec(addrs: &Addrs, shared: &Weak<Shared>) -> SupervisorSpec {
    let for_scheduler = shared.clone();
    let scheduler =
        ChildSpec::actor::<LocalScheduler>(&addrs.scheduler, move || for_scheduler.clone())
            .observer(worker::host::PartUp(shared.clone()));
    // Of the nodes of this program: it is the node of all of them.
    let store = shared.upgrade().and_then(|shared| shared.stores.depot().cloned());
    let memory = shared.upgrade().and_then(|shared| memory::spec(&shared));
    let (addrs_below, shared) = (addrs.clone(), shared.clone());
    let worker = ChildSpec::supervisor(&addrs.worker, move || worker::spec(&addrs_below, &shared));
    let processes = ChildSpec::supervisor(&addrs.processes, isolated::spec);
    let spec = SupervisorSpec::new(Strategy::OneForOne);
    let spec = spec.child(scheduler).child(worker).child(processes);
    let spec = memory.into_iter().fold(spec, SupervisorSpec::child);
    match store {
        Some((depot, addr)) => {
            spec.child(ChildSpec::actor::<ObjectStore>(&addr, move || Arc::clone(&depot)))
        }
        None => spec,
    }
}

//! A node: one machine's share of the system. Embedded there is one, in this process.

pub(crate) mod ledger;
pub(crate) mod scheduler;

use std::sync::Weak;

use raytree_supervise::{ChildSpec, SupervisorSpec};
use raytree_types::Strategy;

use crate::isolated;
use crate::runtime::{Addrs, Shared};
use crate::worker;
use scheduler::LocalScheduler;

/// The node's subtree: the scheduler, the worker, and what stands for processes of tasks' own. They share nothing but the
/// books, so none falls with another.
pub(crate) fn spec(addrs: &Addrs, shared: &Weak<Shared>) -> SupervisorSpec {
    let for_scheduler = shared.clone();
    let scheduler =
        ChildSpec::actor::<LocalScheduler>(&addrs.scheduler, move || for_scheduler.clone())
            .observer(worker::host::PartUp(shared.clone()));
    let (addrs_below, shared) = (addrs.clone(), shared.clone());
    let worker = ChildSpec::supervisor(&addrs.worker, move || worker::spec(&addrs_below, &shared));
    let processes = ChildSpec::supervisor(&addrs.processes, isolated::spec);
    SupervisorSpec::new(Strategy::OneForOne).child(scheduler).child(worker).child(processes)
}

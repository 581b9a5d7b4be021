//! The worker: where user code runs. Embedded it shares the process with everything else, on a tokio runtime of its own.

pub(crate) mod abandoned;
pub(crate) mod away;
pub(crate) mod compute;
pub(crate) mod crossing;
pub(crate) mod host;
pub(crate) mod hosted;
pub(crate) mod lane;
pub(crate) mod launch;
pub(crate) mod made;
pub(crate) mod pace;
pub(crate) mod resident;
pub(crate) mod ways;

use std::sync::Weak;

use raytree_supervise::{ChildSpec, SupervisorSpec};
use raytree_types::{Cause, Error, ExitKind, Strategy};

use crate::runtime::{Addrs, Shared};

/// The worker's subtree: the actor host.
pub(crate) fn spec(addrs: &Addrs, shared: &Weak<Shared>) -> SupervisorSpec {
    let host =
        ChildSpec::supervisor(&addrs.host, host::spec).observer(host::PartUp(shared.clone()));
    SupervisorSpec::new(Strategy::OneForOne).child(host)
}

/// How an actor has ended that was not even made.
fn constructor(error: &Error) -> ExitKind {
    let message = || Cause::message(error.to_string());
    ExitKind::Constructor(error.cause().cloned().unwrap_or_else(message))
}

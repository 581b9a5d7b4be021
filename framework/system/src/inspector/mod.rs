//! The inspector: lets a process of the same user look at this runtime's trees, through a unix socket.
//!
//! The socket belongs to the runtime ([`door`]), the conversation to the actor ([`actor`], [`session`]); reading the
//! tree asks no actor ([`walk`], [`forest`]).

pub(crate) mod actor;
pub(crate) mod door;
mod forest;
mod session;
mod socket;
#[cfg(test)]
mod tests;
mod walk;

use std::sync::Arc;

use raytree_supervise::{Addr, ChildSpec, SupervisorMsg};
use raytree_types::limits;

use crate::runtime::Shared;
use actor::Inspector;

/// Starts the inspector of a runtime that is up, if there is to be one. Returns at once.
pub(crate) fn start(shared: &Arc<Shared>) {
    let Some(root) = shared.root.get().filter(|_| shared.door.is_wanted()) else { return };
    let weak = Arc::downgrade(shared);
    let addr = Addr::system::<Inspector>("inspector");
    let spec = ChildSpec::actor::<Inspector>(&addr, move || weak.clone())
        .own_restarts(limits::INSPECT_RESTARTS_MAX);
    // Refused only when the whole tree has ended already.
    _ = root.addr().cast(SupervisorMsg::StartChild(Box::new(spec)));
}

//! The inspector: lets a process of the same user look at a supervision tree, through a unix socket.
//!
//! Whoever has a tree to show ([`Inspected`]: a program's runtime, a head, a node) keeps a [`Door`] and calls [`start`] once
//! it is up. The socket belongs to the door, the conversation to an actor below the root; reading the tree asks no actor
//! ([`walk`]). What is said over the socket is `raytree_types::inspect`.

mod actor;
mod door;
mod session;
mod socket;
mod walk;

use std::sync::{Arc, Weak};

use raytree_supervise::{Addr, ChildSpec, Probe, Root, SupervisorMsg};
use raytree_types::inspect::{Refused, Role, Selection, TreeRows};
use raytree_types::{RuntimeId, limits};

use actor::Inspector;
pub use door::Door;
pub use walk::{Branch, walk};

/// What can be looked at. Asked on any thread, while everything else goes on.
pub trait Inspected: Send + Sync + 'static {
    /// Which runtime of its process it is.
    fn id(&self) -> RuntimeId;

    /// What it is to its cluster.
    fn role(&self) -> Role;

    /// Its socket.
    fn door(&self) -> &Arc<Door>;

    /// The root of the physical tree.
    fn root(&self) -> Arc<Probe>;

    /// How the logical tree is read; none where no actors of users live.
    fn owners(&self) -> Option<Owners>;
}

/// Reads the selected rows of a logical tree, those alone that fit into so many bytes. It must not hold up who made it.
pub type Owners = Box<dyn FnOnce(&Selection, usize) -> Result<TreeRows, Refused> + Send>;

/// Adds the inspector to a tree that is up, if there is to be one. Returns at once.
pub fn start<T: Inspected>(root: &Root, inspected: &Arc<T>) {
    if !inspected.door().is_wanted() {
        return;
    }
    let weak: Weak<dyn Inspected> = Arc::downgrade(inspected) as Weak<dyn Inspected>;
    let addr = Addr::system::<Inspector>("inspector");
    let spec = ChildSpec::actor::<Inspector>(&addr, move || weak.clone())
        .own_restarts(limits::INSPECT_RESTARTS_MAX);
    // Refused only when the whole tree has ended already.
    _ = root.addr().cast(SupervisorMsg::StartChild(Box::new(spec)));
}

//! The global control service: what the whole cluster knows. Embedded: the actor directory.

mod deadlocks;
pub(crate) mod directory;
pub(crate) mod table;

use std::sync::Weak;

use raytree_supervise::{ChildSpec, SupervisorSpec};
use raytree_types::Strategy;

use crate::runtime::{Addrs, Shared};
use crate::worker::host::PartUp;
use directory::ActorDirectory;

/// The GCS's subtree.
pub(crate) fn spec(addrs: &Addrs, shared: &Weak<Shared>) -> SupervisorSpec {
    let for_directory = shared.clone();
    let directory =
        ChildSpec::actor::<ActorDirectory>(&addrs.directory, move || for_directory.clone())
            .observer(PartUp(shared.clone()));
    SupervisorSpec::new(Strategy::OneForOne).child(directory)
}

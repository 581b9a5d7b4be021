//! What a runtime shows of itself: its physical tree, and who spawned whom ([`forest`]).

mod forest;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use raytree_inspector::{Door, Inspected, Owners, walk};
use raytree_supervise::Probe;
use raytree_types::RuntimeId;
use raytree_types::inspect::Role;

use crate::runtime::Shared;

impl Inspected for Shared {
    fn id(&self) -> RuntimeId {
        self.id
    }

    fn role(&self) -> Role {
        Role::Program
    }

    fn door(&self) -> &Arc<Door> {
        &self.door
    }

    fn root(&self) -> Arc<Probe> {
        self.probe()
    }

    fn owners(&self) -> Option<Owners> {
        let cells = forest::cells(&self.table);
        Some(Box::new(move |selection, bytes_max| {
            walk(forest::Owned::tops(cells), selection, bytes_max)
        }))
    }
}

/// Starts the inspector of a runtime that is up, if there is to be one. Returns at once.
pub(crate) fn start(shared: &Arc<Shared>) {
    if let Some(root) = shared.root.get() {
        raytree_inspector::start(root, shared);
    }
}

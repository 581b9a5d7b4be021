//! Whom the dashboard shows.

use std::sync::Weak;

use raytree_inspector::Inspected;
use raytree_types::inspect::ClusterStatus;

/// A head, as its dashboard sees it. Everything is asked on threads that may block.
pub trait Source: Send + Sync + 'static {
    /// Its tree, and all below it; none before that is up.
    fn inspected(&self) -> Option<Weak<dyn Inspected>>;

    /// How its cluster is.
    fn status(&self) -> ClusterStatus;

    /// Whether it can do its work.
    ///
    /// # Errors
    /// Why it cannot, in one sentence.
    fn health(&self) -> Result<(), String>;
}

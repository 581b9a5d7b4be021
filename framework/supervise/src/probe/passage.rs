//! Where a tree goes on in another process.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use raytree_types::inspect::{Answer, Missing, Request, TreeRow};

/// The way to the tree of another process, which hangs below a mirror of this one. Blocks, on a thread that may.
pub trait Passage: Send + Sync + fmt::Debug {
    /// The rows of that process, and of those below it: as they are now, or, if nobody answers within that time, as they were
    /// when somebody did.
    ///
    /// # Errors
    /// [`NoWay`] when nobody answers, and nobody ever has.
    fn sees(&self, owners: bool, within: Duration) -> Result<Sight, NoWay>;

    /// What it answers to anything else.
    ///
    /// # Errors
    /// [`NoWay`].
    fn asks(&self, request: &Request, within: Duration) -> Result<Answer, NoWay>;
}

/// What is seen of another process.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Its rows, from depth 0 on.
    pub rows: Arc<Vec<TreeRow>>,
    /// How many more it has.
    pub more: u64,
    /// Processes below it that gave no answer.
    pub missing: Vec<Missing>,
    /// That was so long ago, and why there is nothing newer.
    pub stale: Option<(Duration, NoWay)>,
}

/// Why a process cannot be looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NoWay {
    /// In a few words.
    pub why: String,
    /// It has no door: it has just begun, or is not to be looked at. Nothing is wrong with it.
    pub is_shut: bool,
}

impl NoWay {
    /// Something is wrong there.
    #[must_use]
    pub fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_shut: false }
    }
}

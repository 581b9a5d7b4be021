//! The object store of a node, as it is shown.

use serde::{Deserialize, Serialize};

/// What the memory that the processes of a node share is used for, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreRow {
    /// All there is.
    pub capacity: u64,
    /// Objects that somebody holds.
    pub sealed: u64,
    /// Room that was lent to processes, in which they have written nothing yet.
    pub lent: u64,
    /// Objects that nobody holds, and somebody still looks at.
    pub dying: u64,
    /// How many objects somebody holds.
    pub objects: u64,
    /// Processes that use it.
    pub clients: u64,
    /// What is on disk, in bytes: the files, with what of them nobody needs any more.
    pub spilled: u64,
    /// Objects that are on disk alone.
    pub spilled_objects: u64,
    /// Bytes that were written to disk since the store began.
    pub spilled_ever: u64,
    /// Bytes that were read from disk since the store began.
    pub restored_ever: u64,
    /// Those who wait for room.
    pub waiting: u64,
    /// Bytes that were fetched from stores of other nodes since the store began.
    #[serde(default)]
    pub pulled_ever: u64,
    /// Bytes that were given to stores of other nodes since the store began.
    #[serde(default)]
    pub pushed_ever: u64,
}

impl StoreRow {
    /// What nothing is in.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.capacity.saturating_sub(self.sealed + self.lent + self.dying)
    }
}

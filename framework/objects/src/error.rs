//! Why a process has no store, or an object is not in it.

use std::io;
use std::time::Duration;

use raytree_store::spill::SpillError;
use raytree_store::{Refused, Unreadable};
use raytree_wire::FrameError;

/// Why a process does not use a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// Nobody opens: it is gone, or of another machine.
    #[error("the store {door} cannot be reached: {source}")]
    Unreachable {
        /// What its door is called.
        door: String,
        /// What the system said.
        source: io::Error,
    },
    /// It is of somebody else.
    #[error("the store {door} is of another user")]
    Foreign {
        /// What its door is called.
        door: String,
    },
    /// It does not answer as a store does.
    #[error("the store {door} does not answer as one: {source}")]
    Nonsense {
        /// What its door is called.
        door: String,
        /// What is wrong.
        source: FrameError,
    },
    /// Its memory was not sent, or could not be mapped.
    #[error("the memory of the store {door} did not come: {source}")]
    NoMemory {
        /// What its door is called.
        door: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Why an object is not in the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotStored {
    /// It has no room.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is no store any more, or it does not answer.
    #[error("the store is gone, or does not answer")]
    Gone,
}

/// Why an object that this process holds cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// There are too many views, or it was never there.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It was on disk, from where it does not come back.
    #[error("it cannot be brought back: {0}")]
    NotBrought(String),
    /// It is in the store of another node, and this one's has no room for a copy.
    #[error("there is no room for a copy of it: {0}")]
    NoRoom(Refused),
    /// It is not lost, and cannot be read now where it is.
    #[error("it cannot be read now: {0}")]
    Away(String),
    /// It was on disk, and its file cannot be read.
    #[error(transparent)]
    Disk(#[from] SpillError),
    /// It was on disk, and has not come for too long.
    #[error("it was not brought back from disk within {} s", .0.as_secs())]
    TooLate(Duration),
    /// It was on disk when its store ended.
    #[error("it was on disk when the store ended")]
    StoreGone,
}

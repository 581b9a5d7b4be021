//! Why a process has no store, or an object is not in it.

use std::io;

use raytree_store::Refused;
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

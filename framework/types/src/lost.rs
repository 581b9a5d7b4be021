//! Why an object whose bytes are lost is not made again.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Why an object whose bytes are lost is not, or not yet, made again by its task. In brackets: what Ray calls it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Unrebuilt {
    /// It was put, by itself or as an argument: no task has made it (`OBJECT_UNRECONSTRUCTABLE_PUT` in Ray).
    #[error("it was put, and only what a task has made is made again")]
    Put,
    /// It is what a method of an actor has answered, whose state is another one by now.
    #[error("an actor's method has made it, and those are not called again for that")]
    ActorResult,
    /// It was made where no task is kept: in its owner's own process, as an item of a stream, or by a task with handles of actors or further
    /// references inside its arguments.
    #[error("what has made it was not kept")]
    NotKept,
    /// Its task has no retries (`OBJECT_UNRECONSTRUCTABLE_RETRIES_DISABLED` in Ray).
    #[error("its task has no retries")]
    RetriesDisabled,
    /// Its task has run as often as it may (`OBJECT_UNRECONSTRUCTABLE_MAX_ATTEMPTS_EXCEEDED` in Ray).
    #[error("its task has run {runs} times, which is as often as it may")]
    RetriesUsedUp {
        /// How often it has run, whether its worker was lost or its result.
        runs: u32,
    },
    /// What it takes to run its task again was given up for that of newer objects (`OBJECT_UNRECONSTRUCTABLE_LINEAGE_EVICTED` in Ray).
    #[error(
        "what it takes to run its task again was given up: more than {bound} bytes (`calls.lineage_bytes`) would have been kept"
    )]
    LineageGivenUp {
        /// How many bytes may be kept.
        bound: u64,
    },
    /// Nothing is kept to run tasks again (`OBJECT_UNRECONSTRUCTABLE_LINEAGE_DISABLED` in Ray).
    #[error("nothing is kept to run tasks again: `calls.lineage_bytes` is 0B")]
    LineageOff,
    /// It is another process's, which has ended, or has sent it again and again to no avail (`OBJECT_UNRECONSTRUCTABLE_BORROWED` in Ray).
    #[error("it is an object of {owner}, which cannot give it")]
    Borrowed {
        /// Whose it is.
        owner: String,
    },
    /// Its task ran again, and was cancelled (`OBJECT_UNRECONSTRUCTABLE_TASK_CANCELLED` in Ray).
    #[error("its task was cancelled when it ran again")]
    Cancelled,
    /// Its task ran again, and failed.
    #[error("its task has failed when it ran again: {error}")]
    Failed {
        /// With what.
        error: Box<Error>,
    },
    /// It is made again now: whoever reads it once more waits for it.
    #[error("it is being made again")]
    BeingRebuilt,
    /// It is there, and cannot be looked at now.
    #[error("it is there, and may be read later")]
    NotLost,
}

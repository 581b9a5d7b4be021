//! Why a store does not do what it is asked for.

use serde::{Deserialize, Serialize};

use super::ClientId;
use crate::pins::Location;

/// Why there is no room, or something is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refused {
    /// It will never fit.
    #[error("{bytes} bytes are more than the whole store, which has {capacity}")]
    TooLarge {
        /// What was asked for.
        bytes: u64,
        /// What there is in all.
        capacity: u64,
    },
    /// It does not fit now.
    #[error(
        "no {bytes} bytes in one piece are free: {taken} of {capacity} are taken, and the longest free piece has {longest}"
    )]
    Full {
        /// What was asked for.
        bytes: u64,
        /// What is taken.
        taken: u64,
        /// What there is in all.
        capacity: u64,
        /// The longest piece that is free.
        longest: u64,
    },
    /// It does not fit now, and what is there cannot be spilled.
    #[error(
        "no {bytes} bytes are free: {taken} of {capacity} are taken, and nothing can be spilled: {why}"
    )]
    OutOfDisk {
        /// What was asked for.
        bytes: u64,
        /// What is taken.
        taken: u64,
        /// What there is in all.
        capacity: u64,
        /// Which folder has no room, and why.
        why: String,
    },
    /// There are as many objects as there can be.
    #[error("the store has {limit} objects, which is the most it can have")]
    NoSlot {
        /// How many there can be.
        limit: usize,
    },
    /// There are as many processes as there can be.
    #[error("{limit} processes use the store, which is the most that can")]
    NoClient {
        /// How many there can be.
        limit: usize,
    },
    /// Nobody of that name uses the store, or no more.
    #[error("{0:?} does not use this store")]
    Stranger(ClientId),
    /// It has not been lent such room.
    #[error("{client:?} has no lease {lease}")]
    NotLent {
        /// Who says so.
        client: ClientId,
        /// The room.
        lease: u64,
    },
    /// What is said to be sealed is not where its writer may write, or is there already.
    #[error("{location:?} cannot be sealed: {why}")]
    Misplaced {
        /// What was said.
        location: Location,
        /// What is wrong with it.
        why: Fault,
    },
}

/// What is wrong with a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Fault {
    /// Its slot is beyond all of them.
    #[error("there is no such slot")]
    NoSuchSlot,
    /// Its slot is of somebody else, or of an object.
    #[error("its slot is not one of the lease, or was sealed before")]
    OtherSlot,
    /// Its slot has been given away again.
    #[error("its generation is another one")]
    OtherGeneration,
    /// It begins before what was lent, or ends after it.
    #[error("it is not within the lease")]
    Outside,
    /// Some of it is another object.
    #[error("another object is there")]
    Taken,
    /// It does not begin at a multiple of [`ALIGNMENT`](crate::allocator::ALIGNMENT).
    #[error("it is not aligned")]
    Unaligned,
}

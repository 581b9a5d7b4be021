//! What a store and those who use it say to each other: frames of the one codec over a socket of this machine.

use std::io::{Read, Write};

use raytree_store::spill::{Extent, Key, SpillError};
use raytree_store::{Lease, Location, Refused, Terms, Written};
use raytree_types::codec::{self, Codec, Encoded};
use raytree_types::limits;
use raytree_wire::{FrameError, read_frame, write_frame};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::depot::Need;
use crate::transfer::Place;

/// What a process says, in this order: one message may have all of it.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Says {
    /// What it has written.
    pub(crate) written: Written,
    /// It holds these from now on, and lets go of those: one after the other.
    pub(crate) holds: Vec<Hold>,
    /// It asks for room, under these numbers, and waits until there is some, or does not.
    pub(crate) leases: Vec<(u64, Terms, bool)>,
    /// It asks, under these numbers, where objects are that are not where they were.
    pub(crate) finds: Vec<(u64, Location)>,
    /// It wants, under these numbers and for this, copies of objects of other nodes, and holds them from when it is told.
    pub(crate) pulls: Vec<(u64, Place, Need)>,
}

impl Says {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { written, holds, leases, finds, pulls } = self;
        let asks = !leases.is_empty() || !finds.is_empty() || !pulls.is_empty();
        written.is_empty() && holds.is_empty() && !asks
    }

    /// The same in messages that are not too long, in the same order.
    pub(crate) fn parts(mut self) -> Vec<Self> {
        let mut parts = Vec::new();
        while self.written.sealed.len() > limits::STORE_WORDS_AT_ONCE {
            let rest = self.written.sealed.split_off(limits::STORE_WORDS_AT_ONCE);
            let sealed = std::mem::replace(&mut self.written.sealed, rest);
            parts.push(Self {
                written: Written { sealed, ..Written::default() },
                ..Self::default()
            });
        }
        parts.push(self);
        parts
    }
}

/// One object more, or less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Hold {
    /// It holds this one; it is told under this number once the store knows whether it is there.
    Take { number: u64, object: Location },
    /// It lets go of it.
    LetGo { object: Location },
}

/// What it is told.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// First of all: what the store has room for. The memory follows.
    Welcome { capacity: u64 },
    /// Room, or why there is none.
    Room { number: u64, lease: Result<Lease, Refused> },
    /// Room is being made: it comes later.
    Waits { number: u64 },
    /// Whether the object is there, sealed, and held.
    Held { number: u64, is_there: bool },
    /// Where the object is.
    Found { number: u64, found: Found },
}

/// Where an object is that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Found {
    /// In the store.
    Here(Location),
    /// In a file alone, for there is no room for it in the store.
    InFile { path: String, key: Key, extent: Extent },
    /// Nowhere, and why.
    Lost(String),
    /// In the store of another node, and there is no room for a copy.
    NoRoom(Refused),
    /// Where it is now, it cannot be read, for this reason: later perhaps.
    Away(String),
}

impl Found {
    /// What is told of an object that is not read.
    pub(crate) fn of(why: &SpillError) -> Self {
        match why {
            SpillError::Away { .. } => Self::Away(why.to_string()),
            _ => Self::Lost(why.to_string()),
        }
    }
}

/// Writes one message.
///
/// # Errors
/// What the socket says.
pub(crate) fn write<T: Serialize + 'static>(
    to: &mut impl Write,
    message: &T,
) -> Result<(), FrameError> {
    // They are small, and have neither buffers nor references.
    let Encoded { head, .. } =
        codec::encode(Codec::Compact, message).map_err(std::io::Error::other)?;
    write_frame(to, &head, limits::STORE_FRAME_BYTES_MAX)
}

/// Reads one message; none when the other side is gone.
///
/// # Errors
/// It is none, or what the socket says.
pub(crate) fn read<T: DeserializeOwned + 'static>(
    from: &mut impl Read,
) -> Result<Option<T>, FrameError> {
    let Some(head) = read_frame(from, limits::STORE_FRAME_BYTES_MAX)? else { return Ok(None) };
    let encoded = Encoded { head, ..Encoded::default() };
    let message = codec::decode(Codec::Compact, &encoded);
    Ok(Some(message.map_err(|error| {
        std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string())
    })?))
}

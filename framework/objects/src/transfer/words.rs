//! What a node that fetches objects and one that gives them say to each other: frames of the one codec, and behind some of them bytes as
//! they lie.

use std::io::{self, Read, Write};

use raytree_store::Location;
use raytree_types::codec::{self, Codec, Encoded};
use raytree_types::limits;
use raytree_wire::{FrameError, read_frame, write_frame};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::origin::Place;

/// What the one says who fetches.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wants {
    /// This object of the store with this door. `but`: copies that were named before and are not there. `is_last`: it is not to be sent on to
    /// a copy.
    Open { door: String, object: Location, but: Vec<Place>, is_last: bool },
    /// A part of the object that is open.
    Piece { from: u64, len: u64 },
    /// It needs no more of it.
    Close,
    /// It has a copy of this object.
    Has { door: String, object: Location, copy: Place },
    /// This one is none, or gives nothing.
    Lacks { door: String, object: Location, copy: Place },
}

/// What it is told.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Gives {
    /// The object is open. There are these copies, too, from which parts may be fetched.
    Opened { copies: Vec<Place> },
    /// Too many fetch it here: there is a copy.
    Elsewhere { copy: Place },
    /// Not yet: its turn comes, or the object is being read from disk.
    Wait,
    /// The object is not there, and why.
    Gone { why: String },
    /// The part that was asked for: as many bytes follow.
    Piece { len: u64 },
}

/// # Errors
/// What the stream says.
pub(super) fn write<T: Serialize + 'static>(to: &mut impl Write, word: &T) -> io::Result<()> {
    // They are small, and have neither buffers nor references.
    let Encoded { head, .. } = codec::encode(Codec::Compact, word).map_err(io::Error::other)?;
    write_frame(to, &head, limits::STORE_FRAME_BYTES_MAX).map_err(of_frame)
}

/// Reads one word; none when the other side is gone.
///
/// # Errors
/// It is none, or what the stream says.
pub(super) fn read<T: DeserializeOwned + 'static>(from: &mut impl Read) -> io::Result<Option<T>> {
    let frame = read_frame(from, limits::STORE_FRAME_BYTES_MAX).map_err(of_frame)?;
    let Some(head) = frame else { return Ok(None) };
    let encoded = Encoded { head, ..Encoded::default() };
    let word = codec::decode(Codec::Compact, &encoded);
    word.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

fn of_frame(error: FrameError) -> io::Error {
    match error {
        FrameError::Io(error) => error,
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

//! Objects on disk: where a store puts what it has no memory for.
//!
//! A [`Spill`] has one or several folders, used in turn. Small objects are *fused* into one file, large ones have a file alone; a file
//! is written once, and goes when the last object in it is removed, or what is left in it is written anew ([`Spill::write_anew`]). An
//! [`Extent`] says where an object was written first; whoever has it, and the object's [`Key`], can read it, wherever it is now. Every byte is checked: an object is read as it was written, or the error names file, place and
//! [`Damage`].
//!
//! ```
//! use raytree_store::spill::{Key, Rules, Spill};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let opened = Spill::open(&[folder.path()], Rules::default())?;
//! let spill = opened.spill;
//!
//! let at = spill.write(&[(Key(1), b"hello"), (Key(2), b"world")])?;
//! let mut bytes = [0; 5];
//! spill.read(Key(2), &at[1], &mut bytes)?;
//! assert_eq!(&bytes, b"world");
//! spill.read_part(Key(1), &at[0], 1, &mut bytes[..4])?;
//! assert_eq!(&bytes, b"ellod");
//!
//! // Another process of the machine, if it comes to that.
//! let (path, place) = spill.file(Key(1), &at[0]).ok_or("it is in a folder")?;
//! assert_eq!(raytree_store::spill::read_file(&path, Key(1), &place)?, b"hello");
//!
//! spill.remove(Key(1), &at[0])?;
//! spill.remove(Key(2), &at[1])?;
//! assert_eq!(spill.used().bytes(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! # What is decided where
//!
//! `ledger/` decides which file goes into which folder, when it is full, when nobody needs it and when what is left of it is written anew, and
//! touches no disk. `record.rs` is
//! what an object looks like in a file. [`Device`] is what is needed of a place for files; `local.rs` is the file system, with a folder for
//! each life of a store (`folder.rs`). Another one, over a network, comes from who has threads for it; its objects are used where no folder
//! has room, and it may fail and come back. There are no threads here: all that is done is done by the caller's, several at once if they
//! like, and nothing is locked while a disk works.
//!
//! # What a crash leaves
//!
//! Spill files die with their store: what it knew of them was in its memory. So nothing is ever synchronised to the disk, and a folder
//! whose store has died is removed by the next one that opens the same place. What the disk lost meanwhile is found by the checksums.

mod anew;
mod device;
mod elsewhere;
mod error;
mod folder;
mod ledger;
mod local;
mod mark;
mod record;
mod spiller;

use std::fmt;

use raytree_types::limits;
use serde::{Deserialize, Serialize};

pub use anew::Won;
pub use device::{Device, FileId, Room};
pub use elsewhere::read_file;
pub use error::{Damage, SpillError};
pub use folder::Swept;
pub use ledger::{Used, UsedFolder};
pub use local::Local;
pub use mark::Mark;
pub use spiller::{Opened, Spill};

/// Which object: a number that whoever spills it has for it, and no other object of this life of the store. It is in the file, too, so that
/// nobody reads one object for another.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Key(pub u128);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// Where a spilled object is. Means something to the [`Spill`] alone that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Extent {
    /// In which file.
    pub file: FileId,
    /// Where its record begins there, in bytes.
    pub offset: u64,
    /// How long the object is, in bytes: its record is longer.
    pub len: u64,
    /// Of the checksums of all its parts.
    pub checksum: u32,
}

/// How a [`Spill`] uses its folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How many bytes it may have in each folder at once; as many as the file system has room for when there is none, which is the
    /// default. One part of [`SPILL_ANEW_PART`](limits::SPILL_ANEW_PART) of it at most is for what is written anew. Of the file system
    /// [`SPILL_RESERVE_PERCENT`](limits::SPILL_RESERVE_PERCENT) are left free in any case, but for the moment in which something is written anew.
    pub quota: Option<u64>,
    /// How many bytes a file of several objects has at most. [`SPILL_FUSED`](limits::SPILL_FUSED) by default; 0 gives each object a file.
    pub fused: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { quota: None, fused: limits::SPILL_FUSED }
    }
}

//! What is needed of a place where spilled objects are put.

use std::fmt;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::PathBuf;

use raytree_types::limits;
use serde::{Deserialize, Serialize};

/// One file of spilled objects: a number that is never given twice in one life of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(pub u64);

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// In all, in bytes.
    pub total: u64,
    /// Of which so many are free for this user.
    pub free: u64,
}

impl Room {
    /// Of a place that has no bound.
    pub const ENDLESS: Self = Self { total: 0, free: u64::MAX };

    /// How many bytes may be written, so that [`SPILL_RESERVE_PERCENT`](limits::SPILL_RESERVE_PERCENT) stay free.
    #[must_use]
    pub fn usable(self) -> u64 {
        self.free.saturating_sub(self.total.div_ceil(100) * limits::SPILL_RESERVE_PERCENT)
    }
}

/// A place for files of bytes that are written once, read from any byte on, and removed. Used by several threads at once.
pub trait Device: fmt::Debug + Send + Sync {
    /// What it is called in errors, and with a file: which file.
    fn name(&self, file: Option<FileId>) -> String;

    /// Where a file is, if other processes of this machine can read it there.
    fn path(&self, _file: FileId) -> Option<PathBuf> {
        None
    }

    /// Whether it is beyond a network. Then it has no bound, is used where no other place has room, and may come back after it has failed:
    /// it is never left out for good, and what cannot be read from it for now is not lost.
    fn is_remote(&self) -> bool {
        false
    }

    /// How much room there is now.
    ///
    /// # Errors
    /// What the system says.
    fn room(&self) -> io::Result<Room>;

    /// Makes a file of `bytes` bytes, which `write` writes. Nothing is left of it when this fails, or it is left to be removed.
    ///
    /// # Errors
    /// What `write` says, or the system: [`StorageFull`](io::ErrorKind::StorageFull) or [`QuotaExceeded`](io::ErrorKind::QuotaExceeded) when
    /// there is no room, for which the place is used again later, and anything else when it cannot be written to.
    fn put(
        &self,
        file: FileId,
        bytes: u64,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()>;

    /// These bytes of a file, or fewer if it is shorter.
    ///
    /// # Errors
    /// What the system says.
    fn get<'d>(&'d self, file: FileId, part: Range<u64>) -> io::Result<Box<dyn Read + 'd>>;

    /// Removes a file, whole or written half.
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) when there is none, which is as good; what the system says otherwise.
    fn remove(&self, file: FileId) -> io::Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twentieth_of_the_disk_stays_free() {
        assert_eq!(Room { total: 1000, free: 1000 }.usable(), 950);
        assert_eq!(Room { total: 1000, free: 51 }.usable(), 1);
        assert_eq!(Room { total: 1000, free: 50 }.usable(), 0);
        assert_eq!(Room { total: 1000, free: 7 }.usable(), 0);
        assert!(Room { total: u64::MAX, free: u64::MAX }.usable() > u64::MAX / 100 * 94);
        assert_eq!(Room::ENDLESS.usable(), u64::MAX);
    }
}

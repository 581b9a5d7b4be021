//! What can go wrong with files of objects, and whose fault it is.

use std::io;

use raytree_types::limits;

/// Why an object was not written, read or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpillError {
    /// There is no room for it, in no folder; this one came nearest.
    #[error(
        "no room on disk: {needed} bytes are to be written to {folder}, where {free} can be{}",
        quota_text(*.quota)
    )]
    OutOfDisk {
        /// Which folder.
        folder: String,
        /// How many bytes one file needs.
        needed: u64,
        /// How many could still be written there, with regard to the quota and what is left free on the file system.
        free: u64,
        /// How many bytes there may be at once; none when only the file system bounds them.
        quota: Option<u64>,
    },
    /// What is in the file is not what was written.
    #[error("the object {key} at byte {offset} of {file} is damaged: {damage}")]
    Corrupt {
        /// Which object was to be read.
        key: super::Key,
        /// From which file.
        file: String,
        /// Where its record begins there.
        offset: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// The system says no.
    #[error("cannot {doing} {place}: {source}")]
    Io {
        /// What was tried: a verb.
        doing: &'static str,
        /// With which file or folder.
        place: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A place beyond a network does not do what it is asked for now. What is there is not lost by that.
    #[error("cannot {doing} {place} now: {source}")]
    Away {
        /// What was tried: a verb.
        doing: &'static str,
        /// With which object or place.
        place: String,
        /// What was said, or that nothing was.
        #[source]
        source: io::Error,
    },
    /// No such object is spilled: it was removed, or is of another store.
    #[error("the object {key} is not spilled at byte {offset} of file {file}")]
    Gone {
        /// Which object.
        key: super::Key,
        /// In which file.
        file: u64,
        /// Where its record would begin.
        offset: u64,
    },
    /// What is to be read is not as long as where it is to be put, or not part of the object.
    #[error("{bytes} bytes from byte {from} on are asked for of an object of {len}")]
    Outside {
        /// From where on.
        from: u64,
        /// How many bytes.
        bytes: u64,
        /// How many the object has.
        len: u64,
    },
    /// There are as many spilled objects as there can be.
    #[error("{spilled} objects are spilled, and {more} more are beyond the {limit} that can be")]
    TooMany {
        /// How many there are.
        spilled: usize,
        /// How many more were to be.
        more: usize,
        /// How many there can be.
        limit: usize,
    },
    /// No folder is left that can be written to.
    #[error("of {folders} folders for spilled objects none can be used")]
    NoFolder {
        /// How many there are.
        folders: usize,
    },
}

impl SpillError {
    /// There is no file where one was to be read: it has gone, or what was in it was written anew.
    #[must_use]
    pub fn is_not_there(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

fn quota_text(quota: Option<u64>) -> String {
    let reserve = limits::SPILL_RESERVE_PERCENT;
    match quota {
        Some(quota) => format!(" (of a quota of {quota}; {reserve} % of the disk stay free)"),
        None => format!(" ({reserve} % of the disk stay free)"),
    }
}

/// What is wrong with the bytes of a spilled object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file ends before the object does.
    #[error("the file ends within it")]
    CutOff,
    /// What is in front of the object is no header.
    #[error("its header is damaged")]
    Header,
    /// It is the header of another object, or of another version of this format.
    #[error("its place has another object")]
    Another,
    /// The checksums of its parts are not those that were written.
    #[error("its checksums are damaged")]
    Table,
    /// Some of its bytes have changed.
    #[error("bytes {from}..{} have changed", from + len)]
    Bytes {
        /// From this one of the object on.
        from: u64,
        /// Among so many.
        len: u64,
    },
}

/// What a failed write says of its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// It is full, and need not stay so.
    Full,
    /// It cannot be written to.
    Folder,
    /// Nothing: this process or machine has run out of something.
    Nobody,
}

pub(super) fn blame(error: &io::Error) -> Blame {
    use rustix::io::Errno;
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Blame::Full,
        // A file that is too large for its file system: others may take it.
        io::ErrorKind::FileTooLarge => Blame::Full,
        io::ErrorKind::OutOfMemory => Blame::Nobody,
        _ => match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::NFILE) => Blame::Nobody,
            _ => Blame::Folder,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn a_full_disk_is_not_a_broken_one_and_a_process_without_descriptors_is_neither() {
        for (errno, whose) in [
            (Errno::NOSPC, Blame::Full),
            (Errno::DQUOT, Blame::Full),
            (Errno::FBIG, Blame::Full),
            (Errno::IO, Blame::Folder),
            (Errno::ROFS, Blame::Folder),
            (Errno::NOENT, Blame::Folder),
            (Errno::MFILE, Blame::Nobody),
            (Errno::NFILE, Blame::Nobody),
            (Errno::NOMEM, Blame::Nobody),
        ] {
            assert_eq!(blame(&errno.into()), whose, "{errno}");
        }
    }
}

//! A program that lies in a cache, held so that it stays there.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use raytree_supervise::clock;
use raytree_types::limits;
use rustix::fs::{Timespec, Timestamps, UTIME_OMIT, futimens};

use super::folder::unlock;
use super::source::{Chunks, Source};
use super::{ProgramError, ProgramId};

/// A program in a [`Cache`](super::Cache). As long as one of its clones exists, in any process, it stays there and can be
/// executed; what runs already does not need it any more.
#[derive(Clone, Debug)]
pub struct Entry {
    held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    id: ProgramId,
    path: PathBuf,
    /// Locked as one of those who share it.
    source: Source,
}

impl Entry {
    /// `file` is locked, and lies at `path`.
    pub(super) fn hold(id: ProgramId, path: PathBuf, file: File, is: &Metadata) -> Self {
        used_now(&file);
        let source = Source { file, length: is.len() };
        Self { held: Arc::new(Held { id, path, source }) }
    }

    /// The hash of its bytes.
    #[must_use]
    pub fn id(&self) -> ProgramId {
        self.held.id
    }

    /// Its length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.held.source.length
    }

    /// Where it lies: an absolute path, for [`Spec::program`](crate::Spec::program).
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.held.path
    }

    /// `bytes` of it from `offset` on, as [`Program::read_at`](super::Program::read_at) does, for sending it on.
    ///
    /// # Errors
    /// [`ProgramError`] when it cannot be read.
    pub fn read_at(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, ProgramError> {
        let bytes = bytes.min(limits::PROGRAM_CHUNK_BYTES);
        self.held.source.read_at(offset, bytes).map_err(ProgramError::read)
    }

    /// All of it, in order.
    #[must_use]
    pub fn chunks(&self) -> Chunks<'_> {
        self.held.source.chunks()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        unlock(&self.source.file);
    }
}

/// The time of the last use is the file's time of access, for every process to see. The time of change stays: by it a file
/// is known as one that was verified.
fn used_now(file: &File) {
    let now = clock::unix_time();
    let last_access = Timespec {
        tv_sec: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(now.subsec_nanos()),
    };
    let last_modification = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    if let Err(error) = futimens(file, &Timestamps { last_access, last_modification }) {
        tracing::debug!(%error, "a program leaves the cache earlier than its use asks for");
    }
}

/// When it was used last: seconds and nanoseconds since 1970.
pub(super) fn used(is: &Metadata) -> (i64, i64) {
    (is.atime(), is.atime_nsec())
}

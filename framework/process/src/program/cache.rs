//! The programs of a node: a folder of executables, each under its hash. Several processes may use one folder at once.
//!
//! Invariants:
//! - **PC-1 (whole-or-absent):** a file that has a program's name has all of its bytes and no others, whoever dies when: it
//!   gets its name when it was verified, written and synced. One that was damaged later is found by each process before
//!   its first use, and removed.
//! - **PC-2 (held-stays):** what an [`Entry`] of any process holds is not evicted.
//! - **PC-3 (no-writer):** nobody has a descriptor that can write to a file that has a program's name, a forked child
//!   included: otherwise it could not be executed (`ETXTBSY`).
//! - **PC-4 (bounded):** programs, and those on their way with their announced length, never take more than the bound.
//! - **PC-5 (no-vain-eviction):** nothing leaves for a program for which there is no room anyway.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use raytree_types::limits;
use rustix::fs::FlockOperation;

use super::entry::{Entry, used};
use super::folder::{Folder, Found, Guard, is_same, lock, open};
use super::requirement::HEADER_BYTES;
use super::source::Source;
use super::{Architecture, CacheError, Incoming, Mismatch, ProgramId};

/// How often a file is looked for again that was evicted, and maybe fetched again, between two looks.
const LOOKS: usize = 8;

/// The folder of the programs of a node. Cheap to clone.
///
/// It has to lie on a file system of this machine, not on one that is shared over a network: nodes do not share it, and
/// locks on such file systems need more than the right to read. See [the module](super) for an example.
#[derive(Clone, Debug)]
pub struct Cache {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: Folder,
    bytes_max: u64,
    own: Architecture,
    /// Files whose hash this process has checked.
    verified: Mutex<HashMap<ProgramId, Mark>>,
}

/// By what a file is known as one that was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    length: u64,
}

impl Mark {
    fn of(is: &Metadata) -> Self {
        let modified = (is.mtime(), is.mtime_nsec());
        Self { device: is.dev(), inode: is.ino(), modified, length: is.len() }
    }
}

/// There is no room, even if all that is not in use left.
struct Crowded {
    in_use: u64,
}

/// What is found under a program's name.
pub(super) enum Looked {
    Absent,
    Whole(Entry),
    Damaged { why: String, is: Metadata },
}

impl Cache {
    /// Opens a folder, and makes it with mode 0700 if it is not there. What dead processes left behind is removed, and what
    /// was used least recently leaves if the programs take more than `bytes_max` bytes: any number, and no default here, it
    /// is the setting `node.executable_cache_bytes`. If those in use are too much already, all stay.
    ///
    /// # Errors
    /// [`CacheError::Unsafe`] for a folder that is not ours or that others may enter, [`CacheError::NoExec`] where nothing
    /// can be executed, [`CacheError::Busy`], [`CacheError::Io`], [`CacheError::Own`].
    pub fn open(folder: impl AsRef<Path>, bytes_max: u64) -> Result<Self, CacheError> {
        let folder = Folder::open(folder.as_ref())?;
        let own = Architecture::of_this_process()?;
        let verified = Mutex::new(HashMap::new());
        let cache = Self { shared: Arc::new(Shared { folder, bytes_max, own, verified }) };
        // Too crowded is nobody's failure yet: the next one that comes is refused.
        _ = cache.make_room(&cache.folder().lock()?, 0)?;
        Ok(cache)
    }

    /// Where the programs lie.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder().path()
    }

    /// A program, if it is here and whole. The first use through this cache and its clones reads and hashes it; later ones
    /// compare the file's number, length and time of change. A file that is damaged is removed, told in a warning, and
    /// counts as absent.
    ///
    /// # Errors
    /// [`CacheError::Io`] when nobody can say whether it is here, [`CacheError::Busy`].
    pub fn get(&self, program: ProgramId) -> Result<Option<Entry>, CacheError> {
        match self.look(program)? {
            Looked::Absent => Ok(None),
            Looked::Whole(entry) => Ok(Some(entry)),
            Looked::Damaged { why, is } => {
                let guard = self.folder().lock()?;
                self.remove_damaged(&guard, program, &why, &is)?;
                Ok(None)
            }
        }
    }

    /// Begins to take a program in: reserves its `length`, in bytes, and evicts others for it if need be. Whether it is here
    /// already is the question of [`Self::get`].
    ///
    /// # Errors
    /// [`CacheError::Architecture`], [`CacheError::TooLarge`], [`CacheError::Full`], [`CacheError::DiskFull`],
    /// [`CacheError::NotElf`] for one that is too short to be a program, [`CacheError::Busy`], [`CacheError::Io`].
    pub fn begin(
        &self,
        program: ProgramId,
        length: u64,
        architecture: &Architecture,
    ) -> Result<Incoming, CacheError> {
        self.check_machine(program, architecture)?;
        let bound = self.shared.bytes_max;
        if length < HEADER_BYTES as u64 {
            return Err(CacheError::NotElf { program });
        }
        if length > bound {
            return Err(CacheError::TooLarge { program, length, bound });
        }
        let guard = self.folder().lock()?;
        if let Some(Crowded { in_use }) = self.make_room(&guard, length)? {
            return Err(CacheError::Full { program, length, bound, in_use });
        }
        // Before the lock is let go of, so that the next one counts it.
        Incoming::reserve(self.clone(), program, length)
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.shared.folder
    }

    pub(super) fn check_machine(
        &self,
        program: ProgramId,
        is: &Architecture,
    ) -> Result<(), CacheError> {
        if is.is_same_machine(&self.shared.own) {
            return Ok(());
        }
        let (program, needed) = (program.to_string(), self.shared.own.clone());
        Err(Mismatch::Architecture { program, is: is.clone(), needed }.into())
    }

    /// This process needs not hash it again.
    pub(super) fn is_verified(&self, program: ProgramId, is: &Metadata) {
        self.shared.verified.lock().insert(program, Mark::of(is));
    }

    /// Finds and verifies a program, and holds it.
    pub(super) fn look(&self, program: ProgramId) -> Result<Looked, CacheError> {
        let path = self.folder().path_of(program);
        for _ in 0..LOOKS {
            let file = match open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Looked::Absent),
                Err(error) => return self.unreadable(&path, error),
            };
            // Held up only by one who evicts it.
            lock(
                &file,
                FlockOperation::NonBlockingLockShared,
                &path,
                limits::PROGRAM_FOLDER_WITHIN,
            )?;
            let is = file.metadata().map_err(CacheError::io(&path))?;
            // It may have left between the two: what is held has to be what lies there.
            if fs::symlink_metadata(&path).is_ok_and(|there| is_same(&there, &is)) {
                return Ok(match self.verify(program, file, &is) {
                    Ok(file) => Looked::Whole(Entry::hold(program, path, file, &is)),
                    Err(why) => Looked::Damaged { why, is },
                });
            }
        }
        Ok(Looked::Absent)
    }

    /// Something lies there that cannot even be opened, e.g. a link.
    fn unreadable(&self, path: &Path, error: io::Error) -> Result<Looked, CacheError> {
        let is = fs::symlink_metadata(path).map_err(CacheError::io(path))?;
        if is.is_file() {
            return Err(CacheError::io(path)(error));
        }
        Ok(Looked::Damaged { why: "it is no file".to_owned(), is })
    }

    fn verify(&self, program: ProgramId, file: File, is: &Metadata) -> Result<File, String> {
        if !is.is_file() {
            return Err("it is no file".to_owned());
        }
        if is.mode() & 0o500 != 0o500 {
            return Err(format!("its mode is {:04o}", is.mode() & 0o7777));
        }
        if self.shared.verified.lock().get(&program) == Some(&Mark::of(is)) {
            return Ok(file);
        }
        let source = Source { file, length: is.len() };
        match source.hash() {
            Ok(hash) if hash == program => {
                self.is_verified(program, is);
                Ok(source.file)
            }
            Ok(hash) => Err(format!("its {} bytes have the hash {hash}", is.len())),
            Err(error) => Err(format!("it cannot be read: {error}")),
        }
    }

    /// Removes the file that was found damaged, and no other that has taken its place.
    pub(super) fn remove_damaged(
        &self,
        _: &Guard,
        program: ProgramId,
        why: &str,
        is: &Metadata,
    ) -> Result<(), CacheError> {
        let path = self.folder().path_of(program);
        let there = fs::symlink_metadata(&path);
        if there.is_ok_and(|there| is_same(&there, is)) {
            tracing::warn!(%program, why, "a damaged program leaves the cache");
            let removed =
                if is.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(CacheError::io(&path))?;
        }
        Ok(())
    }

    /// Removes what dead processes left behind, and evicts for `wanted` bytes what was used least recently.
    fn make_room(&self, _: &Guard, wanted: u64) -> Result<Option<Crowded>, CacheError> {
        let mut programs: Vec<(ProgramId, Found)> = Vec::new();
        let mut bytes = 0_u64;
        for found in self.folder().list()? {
            match found.program {
                Some(program) => {
                    bytes += found.is.len();
                    programs.push((program, found));
                }
                // Whoever writes it has it locked for as long as it lives.
                None if found.take().is_some() => remove(&found.path)?,
                None => bytes += found.is.len(),
            }
        }
        self.shared
            .verified
            .lock()
            .retain(|known, _| programs.iter().any(|(program, _)| program == known));
        let excess = bytes.saturating_add(wanted).saturating_sub(self.shared.bytes_max);
        programs.sort_by_key(|(program, found)| (used(&found.is), *program));
        let (mut leaving, mut freed) = (Vec::new(), 0);
        for (program, found) in programs {
            if freed >= excess {
                break;
            }
            // Those who look for it wait until it is decided.
            if let Some(taken) = found.take() {
                freed += found.is.len();
                leaving.push((program, found, taken));
            }
        }
        if freed < excess {
            return Ok(Some(Crowded { in_use: bytes - freed }));
        }
        for (program, found, _taken) in leaving {
            remove(&found.path)?;
            tracing::info!(%program, bytes = found.is.len(), "a program leaves the cache to make room");
        }
        Ok(None)
    }
}

fn remove(path: &Path) -> Result<(), CacheError> {
    match fs::remove_file(path) {
        // One whose fetch is given up at this very moment.
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CacheError::io(path)(error)),
        _ => Ok(()),
    }
}

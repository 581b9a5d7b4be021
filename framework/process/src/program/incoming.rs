//! A program on its way into a cache.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::time::Duration;

use raytree_types::limits;
use rustix::fs::{FallocateFlags, FlockOperation, fallocate};
use rustix::io::Errno;

use super::cache::Looked;
use super::crash;
use super::error::is_disk_full;
use super::folder::{is_same, lock, open};
use super::id::Hash;
use super::requirement::{HEADER_BYTES, Machine};
use super::{Architecture, Cache, CacheError, Entry, ProgramId};

/// A program that is being taken into a [`Cache`]. Its bytes are given to [`Self::write`] in order, in parts of any size.
/// Dropped before [`Self::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Incoming {
    cache: Cache,
    program: ProgramId,
    length: u64,
    path: PathBuf,
    /// None as soon as nothing is written any more: a part was refused, or all is there.
    file: Option<File>,
    /// It has its own name: there is nothing to clear away.
    is_named: bool,
    received: u64,
    hash: Hash,
    header: [u8; HEADER_BYTES],
}

impl Incoming {
    /// Whoever calls it has the folder's lock.
    pub(super) fn reserve(
        cache: Cache,
        program: ProgramId,
        length: u64,
    ) -> Result<Self, CacheError> {
        let (path, file) = cache.folder().create_unfinished(program)?;
        crash::point("created");
        let (hash, header) = (Hash::default(), [0; HEADER_BYTES]);
        let incoming = Self {
            cache,
            program,
            length,
            path,
            file: Some(file),
            is_named: false,
            received: 0,
            hash,
            header,
        };
        reserve(incoming.file()?, length).map_err(|error| incoming.failed(error))?;
        crash::point("reserved");
        Ok(incoming)
    }

    /// Its next bytes.
    ///
    /// # Errors
    /// [`CacheError::TooLong`] and nothing is written, [`CacheError::DiskFull`], [`CacheError::Io`]; with its first bytes also
    /// [`CacheError::NotElf`] and [`CacheError::Architecture`]. After an error it can only be dropped.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), CacheError> {
        let written = self.append(chunk);
        if written.is_err() {
            self.file = None;
        }
        written
    }

    fn append(&mut self, chunk: &[u8]) -> Result<(), CacheError> {
        let (program, length) = (self.program, self.length);
        if chunk.len() as u64 > length - self.received {
            return Err(CacheError::TooLong { program, length });
        }
        self.file()?.write_all_at(chunk, self.received).map_err(|error| self.failed(error))?;
        self.hash.update(chunk);
        let before = usize::try_from(self.received).unwrap_or(usize::MAX);
        self.received += chunk.len() as u64;
        crash::point("chunk");
        if before < HEADER_BYTES {
            let of_header = chunk.len().min(HEADER_BYTES - before);
            self.header[before..before + of_header].copy_from_slice(&chunk[..of_header]);
            if before + of_header == HEADER_BYTES {
                self.check_header()?;
            }
        }
        Ok(())
    }

    /// That was all: checks it and gives it its name. When another process has brought the same program meanwhile, that one
    /// is what is held, and this one leaves.
    ///
    /// # Errors
    /// [`CacheError::WrongLength`], [`CacheError::WrongHash`], [`CacheError::Busy`] when a process that was forked meanwhile
    /// never executes a program of its own, [`CacheError::DiskFull`], [`CacheError::Io`]. After each the program is not there.
    pub fn finish(mut self) -> Result<Entry, CacheError> {
        let (program, length, received) = (self.program, self.length, self.received);
        if received != length {
            return Err(CacheError::WrongLength { program, length, received });
        }
        let hash = self.hash.id();
        if hash != program {
            return Err(CacheError::WrongHash { program, received: hash });
        }
        let file = self.file()?;
        file.set_permissions(Permissions::from_mode(0o700)).map_err(|error| self.failed(error))?;
        file.sync_all().map_err(|error| self.failed(error))?;
        crash::point("synced");
        let cache = self.cache.clone();
        let guard = cache.folder().lock()?;
        match cache.look(program)? {
            Looked::Whole(entry) => return Ok(entry),
            Looked::Damaged { why, is } => cache.remove_damaged(&guard, program, &why, &is)?,
            Looked::Absent => {}
        }
        let (file, is) = self.hand_over(limits::PROGRAM_WRITERS_WITHIN)?;
        crash::point("handed-over");
        let path = cache.folder().path_of(program);
        fs::rename(&self.path, &path).map_err(CacheError::io(&path))?;
        self.is_named = true;
        crash::point("named");
        cache.is_verified(program, &is);
        guard.sync().map_err(CacheError::io(cache.path()))?;
        crash::point("done");
        Ok(Entry::hold(program, path, file, &is))
    }

    /// From the descriptor that writes to one that reads, and is locked as an [`Entry`]'s.
    ///
    /// A child that another thread forked while this file was written has the writing descriptor until it executes its
    /// program, and as long as anybody has one, nobody can execute the file. The lock of the writing descriptor is let go
    /// of with the last of its copies: so it must not be unlocked, but closed, and who gets the next lock knows that they
    /// are gone. Nobody clears the file away in between, because the folder is locked.
    fn hand_over(&mut self, within: Duration) -> Result<(File, Metadata), CacheError> {
        let failed = CacheError::io(&self.path);
        let written = self.file()?.metadata().map_err(&failed)?;
        self.file = None;
        crash::point("closed");
        let file = open(&self.path).map_err(&failed)?;
        let operation = FlockOperation::NonBlockingLockShared;
        lock(&file, operation, &self.path, within)?;
        let is = file.metadata().map_err(&failed)?;
        if !is_same(&is, &written) {
            return Err(failed(io::ErrorKind::NotFound.into()));
        }
        Ok((file, is))
    }

    fn check_header(&self) -> Result<(), CacheError> {
        let program = self.program;
        let machine = Machine::of_header(&self.header).ok_or(CacheError::NotElf { program })?;
        self.cache.check_machine(program, &Architecture::unknown_on(machine))
    }

    fn file(&self) -> Result<&File, CacheError> {
        let closed = || CacheError::io(&self.path)(io::Error::other("a part could not be written"));
        self.file.as_ref().ok_or_else(closed)
    }

    fn failed(&self, source: io::Error) -> CacheError {
        if !is_disk_full(&source) {
            return CacheError::io(&self.path)(source);
        }
        let folder = self.cache.path().to_owned();
        CacheError::DiskFull { program: self.program, length: self.length, folder, source }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.is_named
            && let Err(error) = fs::remove_file(&self.path)
        {
            // The next one who needs room finds it.
            tracing::debug!(%error, path = %self.path.display(), "what is left of a fetch stays for now");
        }
    }
}

/// Makes a file as long as it will be, so that it is counted, and a full disk is known at once.
fn reserve(file: &File, length: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, length) {
        // A file system that cannot; the disk may still be found full later.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(length),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::tests::{cache, executable};

    #[test]
    fn pc_3_whoever_can_still_write_is_waited_for_and_then_named() {
        let (_temp, cache) = cache(1 << 20);
        let bytes = executable(1, 1000);
        let architecture = Architecture::of_this_process().expect("this program");
        let begin = || {
            let mut incoming =
                cache.begin(ProgramId::of(&bytes), 1000, &architecture).expect("room");
            incoming.write(&bytes).expect("written");
            incoming
        };
        let mut incoming = begin();
        let inherited = incoming.file().expect("open").try_clone().expect("a copy");
        let busy = incoming.hand_over(Duration::from_millis(1)).expect_err("somebody can write");
        assert!(matches!(&busy, CacheError::Busy { path, .. } if *path == incoming.path), "{busy}");
        drop((incoming, inherited));
        // It is gone, and so is the lock.
        begin().finish().expect("nobody can write");
    }
}

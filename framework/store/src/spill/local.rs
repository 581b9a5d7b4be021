//! The file system as a place for spilled objects.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statfs, statvfs};
use rustix::io::Errno;

use super::device::{Device, FileId, Room};
use super::error::SpillError;
use super::folder::{Folder, Swept, sweep};

/// `TMPFS_MAGIC` and `RAMFS_MAGIC` of Linux.
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];

/// A folder of files. It is removed when this is dropped.
#[derive(Debug)]
pub struct Local {
    folder: Folder,
}

impl Local {
    /// A folder of its own within `place`, which is made if there is none; what crashed stores have left there is removed.
    ///
    /// # Errors
    /// [`SpillError::Io`], when no folder can be made there.
    pub fn open(place: &Path) -> Result<(Self, Swept), SpillError> {
        let io = |source| SpillError::Io {
            doing: "make a folder for spilled objects in",
            place: place.display().to_string(),
            source,
        };
        Folder::make_place(place).map_err(io)?;
        // First, so that it is not in the way of what comes.
        let swept = sweep(place);
        Ok((Self { folder: Folder::new(place).map_err(io)? }, swept))
    }

    /// Whether it is of a file system that is memory itself: nothing is won by writing there. False where the system does not say.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        // Its type differs between machines; the numbers have 32 bits.
        statfs(self.path()).is_ok_and(|known| IN_MEMORY.contains(&(known.f_type as u32)))
    }

    /// Where its files are.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, file: FileId) -> PathBuf {
        self.folder.path().join(Folder::file_name(file))
    }
}

impl Device for Local {
    fn name(&self, file: Option<FileId>) -> String {
        let path = file.map_or_else(|| self.path().to_path_buf(), |file| self.file(file));
        path.display().to_string()
    }

    fn path(&self, file: FileId) -> Option<PathBuf> {
        Some(self.file(file))
    }

    fn room(&self) -> io::Result<Room> {
        let known = statvfs(self.path())?;
        let unit = known.f_frsize;
        Ok(Room {
            total: known.f_blocks.saturating_mul(unit),
            free: known.f_bavail.saturating_mul(unit),
        })
    }

    fn put(
        &self,
        file: FileId,
        bytes: u64,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let path = self.file(file);
        let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let done = reserve(&to, bytes).and_then(|()| write(&mut to));
        drop(to);
        if done.is_err() {
            // Whoever has asked for it tries again.
            _ = std::fs::remove_file(&path);
        }
        done
    }

    fn get<'d>(&'d self, file: FileId, part: Range<u64>) -> io::Result<Box<dyn Read + 'd>> {
        let mut from = File::open(self.file(file))?;
        from.seek(SeekFrom::Start(part.start))?;
        Ok(Box::new(from.take(part.end.saturating_sub(part.start))))
    }

    fn remove(&self, file: FileId) -> io::Result<()> {
        std::fs::remove_file(self.file(file))
    }
}

/// Asks for the blocks of a file in one: a full disk says so before anything is written, and 100 MB are written 1.4 times as fast as into
/// blocks that are found one by one.
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    loop {
        match fallocate(file, FallocateFlags::empty(), 0, bytes) {
            Err(Errno::INTR) => {}
            // The file system cannot: it finds blocks as they are written.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => return Ok(()),
            done => return Ok(done?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_of_memory_is_known() {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let mut all = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        // Where there is none that can be written to it cannot be seen.
        if all.any(|mount| mount[1] == "/dev/shm" && mount[2] == "tmpfs")
            && let Ok((folder, _)) = Local::open(Path::new("/dev/shm"))
        {
            assert!(folder.is_in_memory());
        }
        let process = statfs("/proc").unwrap();
        assert!(!IN_MEMORY.contains(&(process.f_type as u32)));
    }
}

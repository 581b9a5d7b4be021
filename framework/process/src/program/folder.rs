//! The folder of a cache: what lies in it, under which names, and who may change it at the moment.
//!
//! Locks are `flock`s. They belong to an open file and not to a process, so they also tell threads apart; and the one on a
//! file that was opened for writing is held until the last descriptor of that opening is closed, those that a forked child
//! has inherited included.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use raytree_supervise::clock;
use raytree_types::inspect::place;
use raytree_types::limits;
use rustix::fs::{FlockOperation, OFlags, StatVfsMountFlags, flock, statvfs};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::{CacheError, ProgramId};

/// How the names of unfinished files end. They begin with a dot.
const UNFINISHED: &str = ".part";

/// The pauses between two looks at a lock that somebody holds grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(20));

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

/// Nobody else changes the folder meanwhile.
#[derive(Debug)]
pub(super) struct Guard {
    folder: File,
}

/// What lies in the folder.
#[derive(Debug)]
pub(super) struct Found {
    /// None for an unfinished file.
    pub(super) program: Option<ProgramId>,
    pub(super) path: PathBuf,
    pub(super) is: Metadata,
}

impl Folder {
    /// Makes it if it is not there, and refuses one that is not ours alone.
    pub(super) fn open(path: &Path) -> Result<Self, CacheError> {
        // It is also used after this process has gone to another folder.
        let path = std::path::absolute(path).map_err(CacheError::io(path))?;
        check(&path)?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn path_of(&self, program: ProgramId) -> PathBuf {
        self.path.join(format!("{program:#}"))
    }

    pub(super) fn lock(&self) -> Result<Guard, CacheError> {
        let folder = File::open(&self.path).map_err(CacheError::io(&self.path))?;
        lock(
            &folder,
            FlockOperation::NonBlockingLockExclusive,
            &self.path,
            limits::PROGRAM_FOLDER_WITHIN,
        )?;
        Ok(Guard { folder })
    }

    /// A file that is not there under its own name yet, open for writing, and locked by that opening.
    pub(super) fn create_unfinished(
        &self,
        program: ProgramId,
    ) -> Result<(PathBuf, File), CacheError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path =
                self.path.join(format!(".{program}-{}-{number}{UNFINISHED}", std::process::id()));
            // `std` opens everything such that programs that are executed do not inherit it.
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => {
                    // Its name is ours, so this waits for nobody.
                    flock(&file, FlockOperation::NonBlockingLockExclusive)
                        .map_err(|error| CacheError::io(&path)(error.into()))?;
                    return Ok((path, file));
                }
                // A process of the same number in another container: the next name.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(CacheError::io(&path)(error)),
            }
        }
    }

    /// Everything that is ours by its name. Other files are nobody's business here.
    pub(super) fn list(&self) -> Result<Vec<Found>, CacheError> {
        let failed = CacheError::io(&self.path);
        let mut found = Vec::new();
        for file in fs::read_dir(&self.path).map_err(&failed)? {
            let file = file.map_err(&failed)?;
            let name = file.file_name();
            let Some(name) = name.to_str() else { continue };
            let program = name.parse().ok();
            let is_unfinished = name.starts_with('.') && name.ends_with(UNFINISHED);
            // One whose fetch is given up at this very moment is gone.
            if (program.is_some() || is_unfinished)
                && let Ok(is) = file.metadata()
            {
                found.push(Found { program, path: file.path(), is });
            }
        }
        Ok(found)
    }
}

impl Guard {
    /// The names in the folder are on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.folder.sync_all()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        unlock(&self.folder);
    }
}

impl Found {
    /// Locks it as one that nobody else holds, if nobody does.
    pub(super) fn take(&self) -> Option<Taken> {
        let file = open(&self.path).ok()?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok().then_some(Taken(file))
    }
}

/// A file that nobody else holds, and nobody else gets.
#[derive(Debug)]
pub(super) struct Taken(File);

impl Drop for Taken {
    fn drop(&mut self) {
        unlock(&self.0);
    }
}

fn check(path: &Path) -> Result<(), CacheError> {
    let failed = CacheError::io(path);
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(&failed)?;
    let is = fs::symlink_metadata(path).map_err(&failed)?;
    place::check_folder(is.is_dir(), is.uid(), is.mode(), geteuid().as_raw())
        .map_err(|source| CacheError::Unsafe { folder: path.to_owned(), source })?;
    if is_noexec(path).map_err(&failed)? {
        return Err(CacheError::NoExec { folder: path.to_owned() });
    }
    Ok(())
}

/// Opens a file for reading. Not where a link leads.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

pub(super) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Waits for a lock. `flock` itself either does not wait or waits for ever, so this looks again and again.
pub(super) fn lock(
    file: &File,
    operation: FlockOperation,
    path: &Path,
    within: Duration,
) -> Result<(), CacheError> {
    let began = clock::now();
    let (mut pause, longest) = PAUSES;
    loop {
        match flock(file, operation) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            Err(error) => return Err(CacheError::io(path)(error.into())),
        }
        if clock::now().saturating_sub(began) >= within {
            return Err(CacheError::Busy { path: path.to_owned(), within });
        }
        thread::park_timeout(pause);
        pause = (pause * 2).min(longest);
    }
}

/// At once, also when a forked child has the descriptor still.
pub(super) fn unlock(file: &File) {
    if let Err(error) = flock(file, FlockOperation::Unlock) {
        tracing::debug!(%error, "a lock is let go of when its file is closed");
    }
}

fn is_noexec(path: &Path) -> io::Result<bool> {
    Ok(statvfs(path)?.f_flag.contains(StatVfsMountFlags::NOEXEC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_that_executes_nothing_is_known() {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("the mounts");
        for mount in mounts.lines() {
            let fields: Vec<_> = mount.split(' ').collect();
            let noexec = fields[3].split(',').any(|option| option == "noexec");
            // Later mounts lie over earlier ones; of these there is only one.
            if fields[1] == "/proc" {
                assert_eq!(is_noexec(Path::new("/proc")).expect("a mount"), noexec);
            }
        }
    }

    #[test]
    fn a_lock_that_somebody_holds_is_waited_for_and_not_for_ever() {
        let temp = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(&temp.path().join("programs")).expect("a folder");
        let guard = folder.lock().expect("nobody holds it");
        let other = File::open(folder.path()).expect("a folder");
        let operation = FlockOperation::NonBlockingLockExclusive;
        let busy =
            lock(&other, operation, folder.path(), Duration::from_millis(1)).expect_err("held");
        assert!(matches!(busy, CacheError::Busy { .. }), "{busy}");
        assert!(busy.to_string().contains("has held"), "{busy}");
        thread::scope(|scope| {
            let waits = scope.spawn(|| folder.lock().map(drop));
            drop(guard);
            waits.join().expect("no panic").expect("it is free");
        });
    }
}

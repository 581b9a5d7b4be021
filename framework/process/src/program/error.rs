//! What goes wrong with programs.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use raytree_types::inspect::place::UnsafeFolder;
use rustix::io::Errno;

use super::{Mismatch, ProgramId};

/// This very executable, or a program in a cache, cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The operating system would not.
    #[error("the program cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// It became shorter while it was read.
    #[error("the file of the program was changed while it was read")]
    Changed,
    /// It is no executable of Linux, e.g. one that an emulator runs.
    #[error("this process runs no ELF executable, so it cannot be sent to other nodes")]
    NotElf,
}

/// Why a program cannot be put into a cache, or found in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The folder is not ours alone.
    #[error("programs cannot lie in {}: {source}; {}", folder.display(), remedy(source, folder))]
    Unsafe {
        /// Which folder.
        folder: PathBuf,
        /// What is wrong with it.
        source: UnsafeFolder,
    },
    /// Nothing that lies in the folder can be executed.
    #[error(
        "programs cannot lie in {}: its file system is mounted with `noexec`; choose a folder on another one with \
         `node.cache_dir`",
        folder.display()
    )]
    NoExec {
        /// Which folder.
        folder: PathBuf,
    },
    /// The program is for another machine.
    #[error(transparent)]
    Architecture(#[from] Mismatch),
    /// What came is no executable.
    #[error("program {program} is no executable: it does not begin with an ELF header")]
    NotElf {
        /// Which program.
        program: ProgramId,
    },
    /// It would not even fit into an empty cache.
    #[error(
        "program {program} has {length} bytes, and all programs together may take {bound}: raise `node.executable_cache_bytes`"
    )]
    TooLarge {
        /// Which program.
        program: ProgramId,
        /// Its length in bytes.
        length: u64,
        /// The bound of the cache, in bytes.
        bound: u64,
    },
    /// It would fit, if the others were not in use.
    #[error(
        "program {program} has {length} bytes, and of the {bound} that programs may take, {in_use} are in use: raise \
         `node.executable_cache_bytes`, or wait until a job ends"
    )]
    Full {
        /// Which program.
        program: ProgramId,
        /// Its length in bytes.
        length: u64,
        /// The bound of the cache, in bytes.
        bound: u64,
        /// Bytes of the programs that are held or on their way.
        in_use: u64,
    },
    /// The disk has no room.
    #[error("the disk has no room for the {length} bytes of program {program} in {}: {source}", folder.display())]
    DiskFull {
        /// Which program.
        program: ProgramId,
        /// Its length in bytes.
        length: u64,
        /// The folder of the cache.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More bytes came than were announced.
    #[error("program {program} was announced with {length} bytes, and more came")]
    TooLong {
        /// Which program.
        program: ProgramId,
        /// The length that was announced, in bytes.
        length: u64,
    },
    /// Fewer bytes came than were announced.
    #[error("program {program} was announced with {length} bytes, and {received} came")]
    WrongLength {
        /// Which program.
        program: ProgramId,
        /// The length that was announced, in bytes.
        length: u64,
        /// Bytes that came.
        received: u64,
    },
    /// The bytes that came are those of another program.
    #[error("what came for program {program:#} has the hash {received:#}")]
    WrongHash {
        /// Which program.
        program: ProgramId,
        /// The hash of what came.
        received: ProgramId,
    },
    /// Another process holds what is needed, for longer than it should.
    #[error("another process has held {} for {within:?}: look with `lsof` which one, and end it", path.display())]
    Busy {
        /// A file, or the folder itself.
        path: PathBuf,
        /// How long was waited.
        within: Duration,
    },
    /// The file system would not.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// A file, or the folder itself.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// This very executable cannot be read, so nobody knows what machine this is.
    #[error(transparent)]
    Own(#[from] ProgramError),
}

impl CacheError {
    pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// What to do about a folder.
fn remedy(unsafe_folder: &UnsafeFolder, folder: &Path) -> String {
    match unsafe_folder {
        UnsafeFolder::Wide { .. } => format!("say `chmod 700 {}`", folder.display()),
        _ => "choose another one with `node.cache_dir`".to_owned(),
    }
}

/// A disk, a quota or the process's own bound on files is exhausted.
pub(super) fn is_disk_full(error: &io::Error) -> bool {
    let full = [Errno::NOSPC, Errno::DQUOT, Errno::FBIG];
    full.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsafe_folder_says_what_to_do() {
        let told =
            |source| CacheError::Unsafe { folder: "/tmp/programs".into(), source }.to_string();
        assert_eq!(
            told(UnsafeFolder::Wide { mode: 0o755 }),
            "programs cannot lie in /tmp/programs: its mode is 0755, and others may enter: it has to be 0700; say `chmod \
             700 /tmp/programs`"
        );
        assert_eq!(
            told(UnsafeFolder::Foreign { owner: 7, user: 1000 }),
            "programs cannot lie in /tmp/programs: it belongs to user 7, not to user 1000; choose another one with \
             `node.cache_dir`"
        );
    }

    #[test]
    fn no_room_is_told_from_other_failures() {
        assert!(is_disk_full(&Errno::NOSPC.into()) && is_disk_full(&Errno::DQUOT.into()));
        assert!(!is_disk_full(&Errno::IO.into()) && !is_disk_full(&io::ErrorKind::Other.into()));
    }
}

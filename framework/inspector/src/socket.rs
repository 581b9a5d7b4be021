//! Opening the socket: the folder, what dead runtimes left in it, the file and its end.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use raytree_types::inspect::place::{self, SocketName, UnsafeFolder};
use raytree_types::limits;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Pid, geteuid, test_kill_process};

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum OpenError {
    #[error("the path {} has more than the {} bytes a socket can have: set {} to a shorter folder", path.display(), limits::SOCKET_PATH_BYTES_MAX, place::FOLDER_VARIABLE)]
    TooLong { path: PathBuf },
    #[error("the folder {} cannot be used: {source}", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error("the folder {} is not used: {source}", folder.display())]
    Unsafe { folder: PathBuf, source: UnsafeFolder },
    #[error("another runtime listens at {}", path.display())]
    Taken { path: PathBuf },
    #[error("{} cannot be opened: {source}", path.display())]
    Bind { path: PathBuf, source: io::Error },
    #[error("it cannot be listened at: {source}")]
    Listen { source: io::Error },
    #[error("opening it panicked: {what}")]
    Panicked { what: String },
}

impl OpenError {
    pub(crate) fn listen(source: io::Error) -> Self {
        Self::Listen { source }
    }

    pub(crate) fn of_panic(panic: &tokio::task::JoinError) -> Self {
        Self::Panicked { what: panic.to_string() }
    }
}

/// A socket's file; removed when this is dropped.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Gone already when somebody cleaned up the folder.
        _ = fs::remove_file(&self.0);
    }
}

/// Opens the socket `name` in `folder`, which is made if need be, and clears away what dead runtimes left there. Blocks.
pub(crate) fn open(
    folder: PathBuf,
    name: SocketName,
) -> Result<(UnixListener, SocketFile), OpenError> {
    let path = folder.join(name.file());
    if !place::fits(&path) {
        return Err(OpenError::TooLong { path });
    }
    make(&folder)?;
    sweep(&folder);
    if path.exists() && !refuses(&path) {
        // The same process number in another container.
        return Err(OpenError::Taken { path });
    }
    let failed = |source| OpenError::Bind { path: path.clone(), source };
    // Under its final name only once it listens: nobody may take it for a dead one's.
    let unfinished = folder.join(name.unfinished());
    _ = fs::remove_file(&unfinished);
    let listener = UnixListener::bind(&unfinished).map_err(failed)?;
    let mut file = SocketFile(unfinished);
    listener.set_nonblocking(true).map_err(failed)?;
    fs::rename(&file.0, &path).map_err(failed)?;
    file.0 = path;
    Ok((listener, file))
}

fn make(folder: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Folder { folder: folder.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let is = fs::symlink_metadata(folder).map_err(failed)?;
    place::check_folder(is.is_dir(), is.uid(), is.mode(), geteuid().as_raw())
        .map_err(|source| OpenError::Unsafe { folder: folder.to_owned(), source })
}

/// Removes the sockets that nobody listens at.
fn sweep(folder: &Path) {
    // A folder that cannot be read is left as it is.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().take(limits::INSPECT_SWEEP_MAX) {
        let (path, file) = (entry.path(), entry.file_name());
        let Some(file) = file.to_str() else { continue };
        let stale = if SocketName::parse(file).is_some() {
            is_stale(&path)
        } else {
            unfinished_by(file).is_some_and(is_dead)
        };
        if stale {
            // Somebody else may have been faster.
            _ = fs::remove_file(&path);
        }
    }
}

/// Refuses connections, and is still the same file: its owner may just have replaced it.
fn is_stale(path: &Path) -> bool {
    let which = || fs::symlink_metadata(path).ok().map(|is| (is.dev(), is.ino()));
    let before = which();
    refuses(path) && which() == before
}

/// Nobody listens. Never waits: a runtime that is stopped has a full line, not a closed door.
fn refuses(path: &Path) -> bool {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let Ok(address) = SocketAddrUnix::new(path) else { return false };
    let Ok(probe) = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None) else {
        return false;
    };
    connect(&probe, &address) == Err(Errno::CONNREFUSED)
}

/// The process that began to open a socket and did not finish.
fn unfinished_by(file: &str) -> Option<u32> {
    let (pid, _) = file.strip_prefix('.')?.strip_suffix(".new")?.split_once('-')?;
    pid.parse().ok()
}

fn is_dead(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NAME: SocketName = SocketName { pid: 1, runtime: 7 };

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_folder_is_made_for_its_user_alone_and_the_file_goes_with_its_guard() {
        let temp = tempfile::tempdir().expect("a folder");
        let folder = temp.path().join("a/b");
        let (listener, file) = open(folder.clone(), NAME).expect("a socket");
        let mode = fs::metadata(&folder).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
        assert_eq!(names(&folder), ["1-7.sock"]);
        assert!(!refuses(&folder.join("1-7.sock")));
        drop((listener, file));
        assert_eq!(names(&folder), [] as [&str; 0]);
    }

    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        let temp = tempfile::tempdir().expect("a folder");
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        let error = open(temp.path().to_owned(), NAME).expect_err("refused").to_string();
        assert!(error.ends_with("its mode is 0755, and others may enter: it has to be 0700"));
        assert_eq!(names(temp.path()), [] as [&str; 0]);
        let link = tempfile::tempdir().expect("a folder");
        let there = link.path().join("there");
        std::os::unix::fs::symlink(temp.path(), &there).expect("a link");
        let error = open(there, NAME).expect_err("refused").to_string();
        assert!(error.ends_with("it is not a folder"), "{error}");
    }

    #[test]
    fn a_path_too_long_for_a_socket_names_the_way_out() {
        let folder = PathBuf::from(format!("/{}", "a".repeat(120)));
        let error = open(folder, NAME).expect_err("too long").to_string();
        assert!(error.contains("set RAYTREE_INSPECT_DIR to a shorter folder"), "{error}");
    }

    #[test]
    fn what_the_dead_left_is_removed_and_the_living_stay() {
        let temp = tempfile::tempdir().expect("a folder");
        let at = |name: &str| temp.path().join(name);
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o700)).expect("ours");
        drop(UnixListener::bind(at("2-1.sock")).expect("a socket"));
        let _living = UnixListener::bind(at("3-1.sock")).expect("a socket");
        // No process has the largest number; this one is alive.
        let (dead, mine) = (".2147483647-1.new", format!(".{}-1.new", std::process::id()));
        for other in [dead, &mine, "notes.txt"] {
            fs::write(at(other), "").expect("a file");
        }
        let _own = open(temp.path().to_owned(), NAME).expect("a socket");
        assert_eq!(names(temp.path()), [&*mine, "1-7.sock", "3-1.sock", "notes.txt"]);
    }

    #[test]
    fn the_door_of_a_living_runtime_is_not_taken_and_a_dead_ones_is() {
        let temp = tempfile::tempdir().expect("a folder");
        let folder = temp.path().join("a");
        let (listener, file) = open(folder.clone(), NAME).expect("a socket");
        let error = open(folder.clone(), NAME).expect_err("taken");
        assert!(matches!(error, OpenError::Taken { .. }));
        // Its process died: the file stays, nobody listens, and the number is given out again.
        std::mem::forget(file);
        drop(listener);
        let _again = open(folder.clone(), NAME).expect("a socket");
        assert_eq!(names(&folder), ["1-7.sock"]);
    }
}

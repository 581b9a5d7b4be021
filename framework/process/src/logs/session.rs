//! The folder of one run of a program, and of all processes below it: `raytree-<uid>/session-<when>-<pid>/logs`.
//!
//! It is made when the first child is started, by the process at the top; those below find it in their environment. Its lock is
//! held for as long as that process lives. The folders of sessions that are over stay, up to a bound.
//!
//! Invariants:
//! - **SF-1 (ours-alone):** files are written in a folder of this user that nobody else may enter, or not at all.
//! - **SF-2 (bounded):** the sessions that are over, and the files of processes that have ended, are bounded in number; nothing
//!   of one who lives is removed.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_supervise::clock;
use raytree_types::inspect::place;
use raytree_types::{Output, limits};
use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::file::remove;

/// The environment variable by which a process knows the session of the one that has started it.
pub const SESSION_VARIABLE: &str = "RAYTREE_ROLE_SESSION";

/// How the name of a session begins.
const PREFIX: &str = "session-";

/// How large the files of one output become, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// A file of so many bytes is full.
    pub bytes: u64,
    /// So many there are at most, the one that is written included.
    pub files: u32,
}

/// What those below are told.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    folder: PathBuf,
    rotation: Rotation,
    to_driver: bool,
    node: Option<String>,
}

/// The folder of one run of a program, in which the files are that its processes write.
#[derive(Debug)]
pub struct Session {
    folder: PathBuf,
    rotation: Rotation,
    to_driver: bool,
    node: Option<String>,
    /// The files of processes that have ended.
    ended: Mutex<VecDeque<Vec<PathBuf>>>,
    /// Held by the process at the top.
    _lock: Option<File>,
}

impl Session {
    /// Begins a session below this folder. Old ones are removed.
    ///
    /// # Errors
    /// What the operating system said; [`io::ErrorKind::PermissionDenied`] for a folder that is not this user's alone.
    pub fn begin(below: &Path, rotation: Rotation, to_driver: bool) -> io::Result<Self> {
        let user = geteuid().as_raw();
        let all = std::path::absolute(below)?.join(format!("raytree-{user}"));
        DirBuilder::new().recursive(true).mode(0o700).create(&all)?;
        let is = fs::symlink_metadata(&all)?;
        place::check_folder(is.is_dir(), is.uid(), is.mode(), user)
            .map_err(|unsafe_| io::Error::new(io::ErrorKind::PermissionDenied, unsafe_))?;
        let (own, lock) = make(&all)?;
        sweep(&all, limits::LOG_SESSIONS_KEPT);
        let folder = own.join("logs");
        DirBuilder::new().mode(0o700).create(&folder)?;
        let ended = Mutex::default();
        Ok(Self { folder, rotation, to_driver, node: None, ended, _lock: Some(lock) })
    }

    /// The one of the process that has started this one; none where that keeps nothing.
    #[must_use]
    pub fn of_parent() -> Option<Self> {
        let told = std::env::var(SESSION_VARIABLE).ok()?;
        let Told { folder, rotation, to_driver, node } = serde_json::from_str(&told).ok()?;
        Some(Self { folder, rotation, to_driver, node, ended: Mutex::default(), _lock: None })
    }

    /// What a child finds in its environment: of which node it is, and whether what is written goes to its driver.
    #[must_use]
    pub fn for_child(&self, node: Option<&str>, to_driver: bool) -> (OsString, OsString) {
        let (folder, node) = (self.folder.clone(), node.map(str::to_owned));
        let told = Told { folder, rotation: self.rotation, to_driver, node };
        // It holds a path that is text, and numbers.
        (SESSION_VARIABLE.into(), serde_json::to_string(&told).unwrap_or_default().into())
    }

    /// Where the files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How its files grow.
    #[must_use]
    pub fn rotation(&self) -> Rotation {
        self.rotation
    }

    /// What processes write is to go to the driver.
    #[must_use]
    pub fn to_driver(&self) -> bool {
        self.to_driver
    }

    /// Of which node this process is, if it is of one.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// The same, kept for the processes of a node.
    #[must_use]
    pub fn of_node(self, node: &str) -> Self {
        Self { node: Some(node.to_owned()), ..self }
    }

    /// The file of one output of a process.
    #[must_use]
    pub fn file(&self, stem: &str, output: Output) -> PathBuf {
        self.folder.join(format!("{stem}.{output}"))
    }

    /// How the files of a process are called, without what follows the last dot.
    #[must_use]
    pub fn stem(name: &str, pid: u32) -> String {
        let plain = |letter: char| {
            if letter.is_alphanumeric() || "-_#@+".contains(letter) { letter } else { '_' }
        };
        let name: String = name.chars().map(plain).collect();
        let name = &name[..name.floor_char_boundary(limits::NAME_BYTES_MAX)];
        format!("{name}-{pid}")
    }

    /// Those processes whose files are there, by the names of these: of one process with this number, or of all.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn stems(&self, pid: Option<u32>) -> io::Result<Vec<String>> {
        let mut stems = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let Some(name) = name.to_str() else { continue };
            let stem = name.strip_suffix(".out").or_else(|| name.strip_suffix(".err"));
            let of_it = |stem: &str| {
                let number = stem.rsplit_once('-').and_then(|(_, number)| number.parse().ok());
                number.is_some() && pid.is_none_or(|pid| number == Some(pid))
            };
            stems.extend(stem.filter(|stem| of_it(stem)).map(str::to_owned));
        }
        stems.sort_unstable();
        stems.dedup();
        Ok(stems)
    }

    /// A process has ended that has written something: its files stay for a while.
    pub(super) fn has_ended(&self, files: Vec<PathBuf>) {
        let oldest = {
            let mut ended = self.ended.lock();
            ended.push_back(files);
            if ended.len() > limits::LOG_ENDED_KEPT { ended.pop_front() } else { None }
        };
        for path in oldest.unwrap_or_default() {
            if let Err(error) = remove(&path) {
                tracing::debug!(%error, path = %path.display(), "a log stays");
            }
        }
    }
}

/// A folder that nobody else has, and its lock.
fn make(all: &Path) -> io::Result<(PathBuf, File)> {
    let when = when(clock::unix_time());
    let mut number = 1;
    loop {
        let again = if number == 1 { String::new() } else { format!("-{number}") };
        let own = all.join(format!("{PREFIX}{when}-{}{again}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&own) {
            Ok(()) => {
                let mut options = OpenOptions::new();
                let lock =
                    options.write(true).create_new(true).mode(0o600).open(own.join("lock"))?;
                flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
                return Ok((own, lock));
            }
            // Another runtime of this process, in the same second.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Removes sessions that are over, the oldest first, until so many are left.
fn sweep(all: &Path, keep: usize) {
    let Ok(entries) = fs::read_dir(all) else { return };
    let is_session = |name: &OsString| name.to_string_lossy().starts_with(PREFIX);
    let names = entries.flatten().map(|entry| entry.file_name()).filter(is_session);
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    let old = names.len().saturating_sub(keep);
    for name in &names[..old] {
        let path = all.join(name);
        // One without a lock is what a crash left.
        let is_over = match File::open(path.join("lock")) {
            Ok(lock) => flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_over && let Err(error) = fs::remove_dir_all(&path) {
            tracing::debug!(%error, path = %path.display(), "an old session stays");
        }
    }
}

/// `2026-11-22_17-56-16`, in UTC: so names are in the order of time.
fn when(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's `civil_from_days`: years begin in March, eras have 400 of them.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}_{hour:02}-{minute:02}-{second:02}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const ROTATION: Rotation = Rotation { bytes: 100, files: 2 };

    #[test]
    fn sf_1_a_folder_that_others_may_enter_is_refused() {
        let below = tempfile::tempdir().expect("a folder");
        let session = Session::begin(below.path(), ROTATION, true).expect("a session");
        let mode = |path: &Path| fs::metadata(path).expect("a folder").mode() & 0o777;
        assert_eq!(mode(session.folder()), 0o700);
        let all = below.path().join(format!("raytree-{}", geteuid().as_raw()));
        fs::set_permissions(&all, fs::Permissions::from_mode(0o755)).expect("ours");
        let refused = Session::begin(below.path(), ROTATION, true).expect_err("others may enter");
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        assert!(refused.to_string().contains("0755"), "{refused}");
    }

    #[test]
    fn sf_2_old_sessions_go_and_those_of_the_living_stay() {
        let below = tempfile::tempdir().expect("a folder");
        let first = Session::begin(below.path(), ROTATION, true).expect("a session");
        let all = first.folder().parent().and_then(Path::parent).expect("a folder").to_owned();
        for number in 0..30 {
            let old = all.join(format!("{PREFIX}2001-01-01_00-00-{number:02}-7"));
            fs::create_dir_all(old.join("logs")).expect("a folder");
        }
        let second = Session::begin(below.path(), ROTATION, true).expect("a session");
        let left = fs::read_dir(&all).expect("a folder").count();
        assert_eq!(left, limits::LOG_SESSIONS_KEPT);
        sweep(&all, 0);
        assert!(first.folder().exists() && second.folder().exists(), "they live");
        drop(first);
        sweep(&all, 0);
        assert_eq!(fs::read_dir(&all).expect("a folder").count(), 1);
    }

    #[test]
    fn sf_2_of_processes_that_have_ended_the_last_ones_keep_their_files() {
        let below = tempfile::tempdir().expect("a folder");
        let session = Session::begin(below.path(), ROTATION, true).expect("a session");
        for pid in 0..=limits::LOG_ENDED_KEPT as u32 {
            let stem = Session::stem("a/b c", pid);
            let path = session.file(&stem, Output::Err);
            fs::write(&path, "x").expect("a file");
            session.has_ended(vec![path]);
        }
        let stems = session.stems(None).expect("a folder");
        assert_eq!(stems.len(), limits::LOG_ENDED_KEPT);
        assert_eq!(session.stems(Some(0)).expect("a folder"), [""; 0]);
        assert_eq!(session.stems(Some(7)).expect("a folder"), ["a_b_c-7"]);
    }

    #[test]
    fn the_time_of_a_session_is_readable_and_sorts() {
        let at = |seconds| when(Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01_00-00-00");
        assert_eq!(at(951_782_400), "2000-02-29_00-00-00");
        assert_eq!(at(1_794_938_176), "2026-11-17_17-56-16");
    }
}

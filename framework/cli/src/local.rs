//! The heads and nodes that run on this machine as this user: each has a file in the folder of the inspector's sockets,
//! which it holds locked for as long as it lives.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use raytree_types::inspect::place;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

/// What a daemon says of itself in its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Its process.
    pub pid: u32,
    /// What it is.
    pub kind: Kind,
    /// Its name in the cluster.
    pub name: String,
    /// Where the head of its cluster listens.
    pub head: SocketAddr,
}

/// What a daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A node that has joined a head.
    Node,
    /// A head, with or without a node of its own.
    Head,
}

/// The file of a daemon that lives. Dropped, the file is gone.
#[derive(Debug)]
pub struct Known {
    path: PathBuf,
    _lock: File,
}

impl Daemon {
    /// Makes it known.
    ///
    /// # Errors
    /// What the operating system said; a folder that others may enter is not used.
    pub fn announce(&self, folder: &Path) -> io::Result<Known> {
        make(folder)?;
        let path = folder.join(format!("daemon-{}.json", self.pid));
        // It gets its name when it is whole and locked: one that is not locked is what is left of one that died.
        let unnamed = folder.join(format!("daemon-{}.new", self.pid));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&unnamed)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        fs::rename(&unnamed, &path)?;
        Ok(Known { path, _lock: file })
    }
}

/// The folder, made where it is not there yet.
///
/// # Errors
/// What the operating system said; a folder that others may enter is not used.
pub fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    check(folder)
}

fn check(folder: &Path) -> io::Result<()> {
    let is = fs::symlink_metadata(folder)?;
    place::check_folder(is.is_dir(), is.uid(), is.mode(), user()).map_err(io::Error::other)
}

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

impl Drop for Known {
    fn drop(&mut self) {
        // Gone already when somebody has cleared the folder.
        _ = fs::remove_file(&self.path);
    }
}

/// A daemon that lives, and its process: its number may be another's by the time it is used.
#[derive(Debug)]
pub struct Found {
    /// What it says of itself.
    pub daemon: Daemon,
    /// Its process.
    pub process: OwnedFd,
}

/// The daemons that live, nodes first. The files of those that died are removed.
///
/// # Errors
/// What the operating system said; a folder that others may enter is not looked at. One that is not there has none.
pub fn daemons(folder: &Path) -> io::Result<Vec<Found>> {
    match check(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        checked => checked?,
    }
    let entries = fs::read_dir(folder)?;
    let mut found: Vec<_> = entries.flatten().filter_map(|entry| read(&entry.path())).collect();
    found.sort_by_key(|found| (found.daemon.kind, found.daemon.pid));
    Ok(found)
}

fn read(path: &Path) -> Option<Found> {
    let name = path.file_name()?.to_str()?;
    let is_one = name.starts_with("daemon-") && name.ends_with(".json");
    // A pipe must not hold up whoever opens it.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok();
    let file = file.filter(|_| is_one)?;
    let is = file.metadata().ok()?;
    if !is.is_file() || is.uid() != user() {
        return None;
    }
    let lives = || flock(&file, FlockOperation::NonBlockingLockShared).is_err();
    if !lives() {
        // Nobody holds it: what is left of one that died.
        _ = fs::remove_file(path);
        return None;
    }
    let daemon: Daemon = serde_json::from_reader(&file).ok()?;
    let process = Pid::from_raw(i32::try_from(daemon.pid).ok()?)?;
    let process = pidfd_open(process, PidfdFlags::empty()).ok()?;
    // It holds its file still, so it has its number still, and the handle is its own.
    lives().then_some(Found { daemon, process })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemon(pid: u32, kind: Kind) -> Daemon {
        Daemon { pid, kind, name: format!("n{pid}"), head: ([127, 0, 0, 1], 7).into() }
    }

    fn known(folder: &Path) -> Vec<Daemon> {
        daemons(folder).expect("the folder").into_iter().map(|found| found.daemon).collect()
    }

    #[test]
    fn who_lives_is_known_nodes_first_and_who_died_is_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("raytree");
        assert!(known(&folder).is_empty());
        // Of processes that there are.
        let (own, parent) = (std::process::id(), std::os::unix::process::parent_id());
        let (head, node) = (daemon(own, Kind::Head), daemon(parent, Kind::Node));
        let kept = [head.announce(&folder), node.announce(&folder)].map(|own| own.expect("a file"));
        fs::write(folder.join("daemon-4.json"), "{}").expect("what is left of one");
        fs::write(folder.join("daemon-5.new"), "{").expect("one that is about to be");
        fs::write(folder.join("7-1.sock"), "").expect("another file");
        assert_eq!(known(&folder), [node, head]);
        assert!(!folder.join("daemon-4.json").exists());
        drop(kept);
        assert!(known(&folder).is_empty());
        assert!(folder.join("daemon-5.new").exists());
        assert!(folder.join("7-1.sock").exists());
    }

    #[test]
    fn a_folder_that_others_may_enter_is_not_looked_at() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let open = fs::Permissions::from_mode(0o777);
        fs::set_permissions(folder.path(), open).expect("open to all");
        fs::write(folder.path().join("daemon-1.json"), "{}").expect("anybody's");
        daemons(folder.path()).expect_err("it may be anybody's");
        assert!(folder.path().join("daemon-1.json").exists());
        // What is not ours is neither read nor removed.
        let own = fs::Permissions::from_mode(0o700);
        fs::set_permissions(folder.path(), own).expect("its owner's");
        let link = folder.path().join("daemon-2.json");
        std::os::unix::fs::symlink("/etc/hostname", &link).expect("a link");
        assert!(known(folder.path()).is_empty());
        assert!(link.symlink_metadata().is_ok());
    }
}

//! The heads and nodes that run on this machine as this user: each has a file in the folder of the inspector's sockets,
//! which it holds locked for as long as it lives.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use raytree_types::inspect::place;
use rustix::fs::{FlockOperation, flock};
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
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        Ok(Known { path, _lock: file })
    }
}

/// The folder, made where it is not there yet.
///
/// # Errors
/// What the operating system said; a folder that others may enter is not used.
pub fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let is = fs::symlink_metadata(folder)?;
    let user = rustix::process::geteuid().as_raw();
    place::check_folder(is.is_dir(), is.uid(), is.mode(), user).map_err(io::Error::other)
}

impl Drop for Known {
    fn drop(&mut self) {
        // Gone already when somebody has cleared the folder.
        _ = fs::remove_file(&self.path);
    }
}

/// The daemons that live, nodes first. The files of those that died are removed.
#[must_use]
pub fn daemons(folder: &Path) -> Vec<Daemon> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries.flatten().filter_map(|entry| read(&entry.path())).collect();
    found.sort_by_key(|daemon| (daemon.kind, daemon.pid));
    found
}

fn read(path: &Path) -> Option<Daemon> {
    let name = path.file_name()?.to_str()?;
    let is_one = name.starts_with("daemon-") && name.ends_with(".json");
    let file = File::open(path).ok().filter(|_| is_one)?;
    if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        // Nobody holds it: what is left of one that died.
        _ = fs::remove_file(path);
        return None;
    }
    serde_json::from_reader(file).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemon(pid: u32, kind: Kind) -> Daemon {
        Daemon { pid, kind, name: format!("n{pid}"), head: ([127, 0, 0, 1], 7).into() }
    }

    #[test]
    fn who_lives_is_known_nodes_first_and_who_died_is_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("raytree");
        assert!(daemons(&folder).is_empty());
        let (head, node) = (daemon(3, Kind::Head), daemon(9, Kind::Node));
        let kept = [head.announce(&folder), node.announce(&folder)].map(|own| own.expect("a file"));
        fs::write(folder.join("daemon-4.json"), "{}").expect("what is left of one");
        fs::write(folder.join("7-1.sock"), "").expect("another file");
        assert_eq!(daemons(&folder), [node, head]);
        assert!(!folder.join("daemon-4.json").exists());
        drop(kept);
        assert!(daemons(&folder).is_empty());
        assert!(folder.join("7-1.sock").exists());
    }
}

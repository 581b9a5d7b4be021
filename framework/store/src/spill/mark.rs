//! Files that are locked for as long as their process lives, however it ends.
//!
//! A folder of spilled objects has one in it. For a place that cannot be locked, as an object store, there is one in a folder of this machine
//! ([`Mark`]): whoever can lock it knows that its process is gone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Locks a file; false when somebody else has it.
pub(super) fn is_locked_by_us(file: &File) -> io::Result<bool> {
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether a name still leads to this file.
pub(super) fn is_at(file: &File, name: &Path) -> bool {
    let place = |known: fs::Metadata| (known.dev(), known.ino());
    match (file.metadata(), fs::symlink_metadata(name)) {
        (Ok(own), Ok(named)) => place(own) == place(named),
        _ => false,
    }
}

/// That the owner of something lives, which has the same name. Locked until it is dropped, and left there then, until it is removed.
#[derive(Debug)]
pub struct Mark {
    path: PathBuf,
    /// What it says.
    text: String,
    _file: File,
}

impl Mark {
    /// Makes one in a folder, which is made if there is none. `text` is kept in it.
    ///
    /// # Errors
    /// What the system says; [`AlreadyExists`](io::ErrorKind::AlreadyExists) when there is one of that name, or somebody took it for one
    /// that was left.
    pub fn new(folder: &Path, name: &str, text: &str) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let path = std::path::absolute(folder)?.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        if !is_locked_by_us(&file)? || !is_at(&file, &path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        file.write_all(text.as_bytes())?;
        Ok(Self { path, text: text.to_owned(), _file: file })
    }

    /// Those in a folder whose processes are gone; locked by this one now, so that nobody else has them. Those of other users, and what
    /// cannot be read, are passed over.
    #[must_use]
    pub fn left(folder: &Path) -> Vec<Self> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| taken(&entry.path()).ok().flatten()).collect()
    }

    /// What is owned.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What was said of it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// There is nothing any more that is owned.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

fn taken(path: &Path) -> io::Result<Option<Mark>> {
    let known = fs::symlink_metadata(path)?;
    if !known.is_file() || known.uid() != rustix::process::geteuid().as_raw() {
        return Ok(None);
    }
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
    if !is_locked_by_us(&file)? || !is_at(&file, path) {
        return Ok(None);
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(Some(Mark { path: path.to_owned(), text, _file: file }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sl_1_a_mark_is_taken_from_nobody_who_lives() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("marks");
        assert!(Mark::left(&folder).is_empty());
        let [one, other] =
            ["one", "other"].map(|name| Mark::new(&folder, name, "its text").unwrap());
        assert!(Mark::left(&folder).is_empty());
        assert!(Mark::new(&folder, "one", "").is_err());
        drop(one);
        let left = Mark::left(&folder);
        let told: Vec<_> = left.iter().map(|mark| (mark.name(), mark.text())).collect();
        assert_eq!(told, [("one".to_owned(), "its text")]);
        assert!(Mark::left(&folder).is_empty(), "somebody is at it");
        drop(left);
        Mark::left(&folder).into_iter().for_each(|mark| mark.remove().unwrap());
        other.remove().unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
}

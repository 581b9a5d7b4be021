//! The folder of one life of a store, and those that crashed stores have left.
//!
//! A folder has a file `owner`, which its store has locked with `flock` for as long as it lives: the system itself lets go of the lock
//! when the process is gone, however it ended. A process id in a file could have become somebody else's meanwhile, and means nothing in
//! another container.
//!
//! Between the making of a folder and the locking of its file somebody else could take it for one that was left. So whoever has locked
//! looks whether the file is still there; if not, he begins again with another name.
//!
//! Invariants:
//! - **SL-1 (life-has-lock):** the folder of a store that lives is removed by nobody else.
//! - **SL-2 (ours-alone):** only folders of this user that are called like ours are looked at, and only files that are called like ours
//!   are removed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use raytree_types::limits;

use super::device::FileId;
use super::error::SpillError;
use super::mark::{is_at, is_locked_by_us};

const PREFIX: &str = "raytree-spill-";
const OWNER: &str = "owner";
const SUFFIX: &str = ".spill";

/// What was found of stores that are gone.
#[derive(Debug, Default)]
pub struct Swept {
    /// How many folders were removed.
    pub folders: usize,
    /// How many bytes of objects were in them.
    pub bytes: u64,
    /// Those that could not be removed.
    pub failed: Vec<SpillError>,
}

/// See the [module documentation](self). It is removed, with what is in it, when this is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Locked for as long as it is open.
    _owner: File,
}

impl Folder {
    /// Where folders are made.
    pub(super) fn make_place(place: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(place)
    }

    /// One that nobody else has.
    pub(super) fn new(place: &Path) -> io::Result<Self> {
        let own = std::process::id();
        let mut number = 0_u64;
        loop {
            // Absolute: it is removed at the end, wherever this process is then.
            let path = std::path::absolute(place)?.join(format!("{PREFIX}{own}-{number}"));
            number += 1;
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            match own_it(&path) {
                Ok(Some(owner)) => return Ok(Self { path, _owner: owner }),
                // Somebody took it for one that was left.
                Ok(None) => {}
                Err(error) => {
                    // Nothing can be locked here: nobody shall find it.
                    _ = empty(&path);
                    return Err(error);
                }
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file_name(file: FileId) -> String {
        format!("{}{SUFFIX}", file.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is removed by the next store here.
        _ = empty(&self.path);
    }
}

/// Locks the file of the owner of a folder that was just made; none when somebody took the folder for one that was left.
fn own_it(path: &Path) -> io::Result<Option<File>> {
    let name = path.join(OWNER);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name);
    let mut owner = match made {
        Ok(owner) => owner,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !is_locked_by_us(&owner)? || !is_at(&owner, &name) {
        return Ok(None);
    }
    // For people.
    writeln!(owner, "process {}", std::process::id())?;
    Ok(Some(owner))
}

/// Removes the folders of stores that are gone, [`SPILL_SWEPT_MAX`](limits::SPILL_SWEPT_MAX) of them.
pub(super) fn sweep(place: &Path) -> Swept {
    let mut swept = Swept::default();
    let Ok(entries) = fs::read_dir(place) else { return swept };
    let ours = entries
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    for entry in ours {
        if swept.folders >= limits::SPILL_SWEPT_MAX {
            break;
        }
        match remove_if_left(&entry.path()) {
            Ok(Some(bytes)) => {
                swept.folders += 1;
                swept.bytes += bytes;
            }
            Ok(None) => {}
            Err(source) => swept.failed.push(SpillError::Io {
                doing: "remove what a store has left in",
                place: entry.path().display().to_string(),
                source,
            }),
        }
    }
    swept
}

/// Removes a folder if its store is gone, and says how many bytes were in it.
fn remove_if_left(path: &Path) -> io::Result<Option<u64>> {
    let gone = |error: io::Error| match error.kind() {
        // Somebody else has removed it meanwhile.
        io::ErrorKind::NotFound => Ok(None),
        _ => Err(error),
    };
    let known = match fs::symlink_metadata(path) {
        Ok(known) => known,
        Err(error) => return gone(error),
    };
    if !known.is_dir() || known.uid() != rustix::process::geteuid().as_raw() {
        return Ok(None);
    }
    let name = path.join(OWNER);
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let owner = match OpenOptions::new().write(true).custom_flags(flags).open(&name) {
        Ok(owner) => owner,
        // Its store has died before there was one; or lives, and finds its folder gone.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match fs::remove_dir(path) {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(None),
                done => done.map(|()| Some(0)).or_else(gone),
            };
        }
        Err(error) => return Err(error),
    };
    if !is_locked_by_us(&owner)? || !is_at(&owner, &name) {
        return Ok(None);
    }
    empty(path).map(Some).or_else(gone)
}

/// Removes a folder whose owner's file this process has locked: that file last, so that what is left of a folder is never without one.
fn empty(path: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if is_file_name(&entry.file_name().to_string_lossy()) {
            bytes += entry.metadata().map_or(0, |known| known.len());
            fs::remove_file(entry.path())?;
        }
    }
    let strange = fs::read_dir(path)?.flatten().find(|entry| entry.file_name() != OWNER);
    if let Some(strange) = strange {
        let what = format!("{} is not a spill file", strange.path().display());
        return Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, what));
    }
    fs::remove_file(path.join(OWNER))?;
    fs::remove_dir(path)?;
    Ok(bytes)
}

fn is_file_name(name: &str) -> bool {
    let number = name.strip_suffix(SUFFIX);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sl_1_a_young_folder_that_was_taken_for_one_that_was_left_is_not_used() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("raytree-spill-1-0");
        // Before it has the file of its owner.
        fs::create_dir(&path).unwrap();
        assert_eq!(remove_if_left(&path).unwrap(), Some(0));
        assert!(own_it(&path).unwrap().is_none());
        // Between the making of that file and its lock.
        fs::create_dir(&path).unwrap();
        let name = path.join(OWNER);
        let owner = File::create_new(&name).unwrap();
        assert_eq!(remove_if_left(&path).unwrap(), Some(0));
        assert!(is_locked_by_us(&owner).unwrap() && !is_at(&owner, &name));
        // And somebody else has made another one of that name meanwhile.
        fs::create_dir(&path).unwrap();
        let other = own_it(&path).unwrap().unwrap();
        assert!(is_at(&other, &name) && !is_at(&owner, &name));
        // Locked: it lives.
        assert_eq!(remove_if_left(&path).unwrap(), None);
        let looked = OpenOptions::new().write(true).open(&name).unwrap();
        assert!(!is_locked_by_us(&looked).unwrap());
        drop(other);
        assert_eq!(remove_if_left(&path).unwrap(), Some(0));
    }

    #[test]
    fn a_folder_gets_a_name_that_nobody_has() {
        let place = tempfile::tempdir().unwrap();
        let folders = [(); 3].map(|()| Folder::new(place.path()).unwrap());
        let names = folders.iter().map(|folder| folder.path().to_path_buf());
        assert_eq!(names.collect::<std::collections::BTreeSet<_>>().len(), 3);
        let (own, second) = (std::process::id(), folders[1].path().to_path_buf());
        assert_eq!(second.file_name().unwrap(), &*format!("{PREFIX}{own}-1"));
        drop(folders);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}

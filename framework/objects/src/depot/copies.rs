//! Files for those who read an object for which there is no room in memory.
//!
//! What is in a folder has one. Of what is in an object store a copy is made in a folder of this machine, which stays for as long as the object
//! does: nobody says when he has read it.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use parking_lot::Mutex;
use raytree_store::spill::{Device, Extent, FileId, Key, Local, Spill, SpillError};

use crate::protocol::Found;

/// See the [module documentation](self).
pub(super) struct Copies {
    place: PathBuf,
    /// Made when it is needed first. Locked by the one who makes a copy: there is little room, and each wants all of a network.
    folder: Mutex<Option<(Local, u64)>>,
    files: Mutex<HashMap<Key, (FileId, PathBuf)>>,
}

impl Copies {
    pub(super) fn new(place: PathBuf) -> Self {
        Self { place, folder: Mutex::default(), files: Mutex::default() }
    }

    /// What crashed stores have left is removed.
    pub(super) fn sweeps(&self) {
        if self.place.exists()
            && let Err(error) = Local::open(&self.place)
        {
            tracing::warn!(%error, "a folder for copies of what is spilled");
        }
    }

    /// Where somebody else can read an object, or why he cannot.
    pub(super) fn find(&self, spill: &Spill, key: Key, at: &Extent) -> Found {
        let file = match spill.file(key, at) {
            Some(file) => Ok(file),
            None => self.copy(spill, key, at),
        };
        match file.map(|(path, extent)| (path.into_os_string().into_string(), extent)) {
            Ok((Ok(path), extent)) => Found::InFile { path, key, extent },
            Ok((Err(_), _)) => Found::Away("its file has no name that can be said".to_owned()),
            Err(error) => {
                tracing::warn!(%error, "an object cannot be read for which there is no room");
                Found::of(&error)
            }
        }
    }

    fn copy(&self, spill: &Spill, key: Key, at: &Extent) -> Result<(PathBuf, Extent), SpillError> {
        let place = || self.place.display().to_string();
        let away = |source| SpillError::Away { doing: "copy an object to", place: place(), source };
        let mut folder = self.folder.lock();
        let known = self.files.lock().get(&key).cloned();
        if let Some((file, path)) = known {
            return Ok((path, Extent { file, offset: 0, ..*at }));
        }
        let (folder, next) = match &mut *folder {
            Some(folder) => folder,
            none => none.insert((Local::open(&self.place)?.0, 0)),
        };
        let (file, len) = (FileId(*next), Spill::copied_len(at));
        *next += 1;
        if folder.room().map_err(away)?.usable() < len {
            return Err(away(io::ErrorKind::StorageFull.into()));
        }
        let mut why = None;
        let copied = folder.put(file, len, &mut |to| {
            let copied = spill.copy(key, at, to);
            copied.map_err(|error| {
                let told = io::Error::other(error.to_string());
                why = Some(error);
                told
            })
        });
        copied.map_err(|error| why.unwrap_or_else(|| away(error)))?;
        let path = Device::path(folder, file).unwrap_or_default();
        self.files.lock().insert(key, (file, path.clone()));
        // It may have been removed meanwhile, by somebody who knew of no copy.
        if let Err(gone) = spill.read_part(key, at, 0, &mut []) {
            self.forget(key);
            return Err(gone);
        }
        Ok((path, Extent { file, offset: 0, ..*at }))
    }

    /// Nobody reads this object any more: it was removed.
    pub(super) fn forget(&self, key: Key) {
        let Some((_, path)) = self.files.lock().remove(&key) else { return };
        if let Err(error) = std::fs::remove_file(path) {
            tracing::warn!(%error, "a copy of a spilled object is not removed");
        }
    }
}

//! A spilled object, read by another process than the one whose store it is.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::error::SpillError;
use super::record::{self, Unread};
use super::{Extent, Key};

/// Reads an object from its file, for as long as that is sure to be there: whoever reads it holds the object.
///
/// # Errors
/// [`SpillError::Corrupt`], [`SpillError::Io`].
pub fn read_file(path: &Path, key: Key, at: &Extent) -> Result<Vec<u8>, SpillError> {
    let io = |source| SpillError::Io { doing: "read", place: path.display().to_string(), source };
    let mut from = File::open(path).map_err(io)?;
    let (found, part) = (from.metadata().map_err(io)?.len(), record::span(at.len));
    // Whoever says how long it is may be wrong: no memory is asked for that the file cannot fill.
    let is_within = at.offset.checked_add(part).is_some_and(|end| end <= found);
    let damaged = |damage| {
        let file = path.display().to_string();
        SpillError::Corrupt { key, file, offset: at.offset, damage }
    };
    if !is_within {
        return Err(damaged(super::Damage::CutOff));
    }
    from.seek(SeekFrom::Start(at.offset)).map_err(io)?;
    let mut bytes = vec![0; at.len as usize];
    let read = record::read(&mut from.take(part), key, at, &mut bytes);
    read.map(|()| bytes).map_err(|why| match why {
        Unread::Damaged(damage) => damaged(damage),
        Unread::Io(source) => io(source),
    })
}

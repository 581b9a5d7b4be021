//! A value on its way to another process, or back.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use raytree_objects::{Lost, Refused, Stored};
use raytree_supervise::panics;

use raytree_types::codec::{self, Codec, Encoded, RefToken};
use raytree_types::{Error, Result, Unrebuilt};

use super::Value;
use crate::link::{Imported, ImportedActor, Token};
use crate::runtime::life::Life;

/// One value in its written form. What is large lies apart from the rest, and is not copied once more; the references in
/// it are still those of this process.
#[derive(Clone)]
pub struct Part {
    pub(crate) written: Encoded,
    /// What of it is in the store of another node.
    pub(crate) far: Option<Box<Far>>,
    /// The object of which it is the value, for whoever cannot fetch it from that store.
    pub(crate) object: Option<RefToken>,
}

/// What of a value is in the store of another node: in its written form there is nothing in these places.
#[derive(Clone)]
pub(crate) struct Far {
    pub(crate) life: &'static Life,
    pub(crate) buffers: Vec<FarBuffer>,
}

/// A buffer of a value that is somewhere else.
#[derive(Clone)]
pub(crate) struct FarBuffer {
    /// Which of the buffers it is.
    pub(crate) at: usize,
    pub(crate) stored: Arc<Stored>,
    pub(crate) part: Range<usize>,
}

impl Part {
    /// All of it is in this process.
    pub(crate) fn here(written: Encoded) -> Self {
        Self { written, far: None, object: None }
    }

    /// Whether some of it is in the store of another node.
    pub(crate) fn is_far(&self) -> bool {
        self.far.is_some()
    }

    /// The same with all of it in this process. Waits until that is here.
    ///
    /// # Errors
    /// [`Error::ObjectLost`].
    pub(crate) fn fetched(self) -> Result<Self> {
        let Self { mut written, far, .. } = self;
        for FarBuffer { at, stored, part } in far.into_iter().flat_map(|far| far.buffers) {
            let bytes = stored.bytes().map_err(|why| lost("a value", &why))?;
            let part = bytes.slice(part).ok_or_else(|| cannot::<Self>("it is short".to_owned()))?;
            if let Some(place) = written.buffers.get_mut(at) {
                *place = part;
            }
        }
        Ok(Self::here(written))
    }

    /// Writes a value.
    ///
    /// # Errors
    /// [`Error::CannotTravel`] when it has no written form.
    pub fn of<T: Value>(codec: Codec, value: &T) -> Result<Self> {
        let written = codec::encode(codec, value);
        written.map(Self::here).map_err(|error| cannot::<T>(error.to_string()))
    }

    /// Writes a value that is shared, without a copy of what is large.
    ///
    /// # Errors
    /// As for [`Part::of`].
    pub fn of_shared<T: Value>(codec: Codec, value: &Arc<T>) -> Result<Self> {
        let written = codec::encode_shared(codec, value);
        written.map(Self::here).map_err(|error| cannot::<T>(error.to_string()))
    }

    /// Reads the value, which says itself in which codec it was written; in this one where it does not.
    ///
    /// # Errors
    /// [`Error::CannotTravel`] when these are not the bytes of a `T`; [`Error::ObjectLost`].
    pub(crate) fn value<T: Value>(self, codec: Codec) -> Result<T> {
        let codec = Codec::of_head(&self.written.head).unwrap_or(codec);
        codec::decode_owned(codec, self.fetched()?.written)
            .map_err(|error| cannot::<T>(error.to_string()))
    }

    /// In which codec it was written.
    pub(crate) fn codec(&self) -> Codec {
        Codec::of_head(&self.written.head).unwrap_or_default()
    }

    /// Writes a handle whose type is not known here.
    ///
    /// # Errors
    /// [`Error::CannotTravel`]; never, as things are.
    pub(crate) fn of_token(token: Arc<Token>) -> Result<Self> {
        let Self { mut written, .. } = Self::of(Codec::Compact, &0u32)?;
        written.refs.push(token);
        Ok(Self::here(written))
    }

    /// What the one reference in it names, where that is an import.
    pub(crate) fn into_import(self) -> Option<Arc<Imported>> {
        self.written.refs.into_iter().next()?.downcast().ok()
    }

    /// What the one reference in it names, where that is another process's actor.
    pub(crate) fn into_actor(self) -> Option<Arc<ImportedActor>> {
        self.written.refs.into_iter().next()?.downcast().ok()
    }

    /// The next of several.
    ///
    /// # Errors
    /// [`Error::CannotTravel`] when there is none.
    pub(crate) fn next<T: Value>(parts: &mut dyn Iterator<Item = Self>) -> Result<Self> {
        parts.next().ok_or_else(|| cannot::<T>("an argument is missing".to_owned()))
    }

    /// All were read.
    ///
    /// # Errors
    /// [`Error::CannotTravel`] when there is one more.
    pub(crate) fn none_left(parts: &mut dyn Iterator<Item = Self>) -> Result<()> {
        match parts.next() {
            None => Ok(()),
            Some(_) => Err(cannot::<Self>("there is an argument too many".to_owned())),
        }
    }
}

/// Reads an object, which is its type's own code.
///
/// # Errors
/// Those of `read`; [`Error::TaskFailed`] when it panics.
pub(crate) fn reading<T>(read: impl FnOnce() -> Result<T>) -> Result<T> {
    panics::catch(read).unwrap_or_else(|cause| {
        let (task, cause) = ("reading an object".to_owned(), Box::new(cause));
        Err(Error::TaskFailed { task, cause })
    })
}

/// As whoever wants to read it is told, who does not know of what object it is.
pub(crate) fn lost(object: &str, why: &Lost) -> Error {
    unread(object, why, |_| Unrebuilt::NotKept)
}

/// As whoever wants to read it is told. `again`: why it is not made again, or not yet, where it is lost, as these words say.
pub(super) fn unread(object: &str, why: &Lost, again: impl FnOnce(&str) -> Unrebuilt) -> Error {
    let what = object.to_owned();
    match why {
        Lost::NoRoom(Refused::OutOfDisk { bytes, capacity, why, .. }) => {
            let (size, capacity, reason) = (*bytes, *capacity, why.clone());
            return Error::OutOfDisk { what, size, capacity, reason };
        }
        Lost::NoRoom(Refused::TooLarge { bytes, capacity }) => {
            return Error::ObjectStoreFull { what, size: *bytes, capacity: *capacity };
        }
        _ => {}
    }
    let lost = why.to_string();
    // Where there is no room for it now, there may be later.
    let is_there = matches!(why, Lost::Unreadable(_) | Lost::Away(_) | Lost::NoRoom(_));
    let why = if is_there { Unrebuilt::NotLost } else { again(&lost) };
    Error::ObjectLost { object: what, lost, why }
}

fn cannot<T>(reason: String) -> Error {
    let type_name = std::any::type_name::<T>().to_owned();
    Error::CannotTravel { type_name, attribute: None, reason }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("head", &self.written.head.len())
            .field("buffers", &self.written.buffers.len())
            .field("refs", &self.written.refs.len())
            .field("far", &self.far.as_ref().map_or(0, |far| far.buffers.len()))
            .finish()
    }
}

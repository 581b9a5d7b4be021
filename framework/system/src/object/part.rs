//! A value on its way to another process, or back.

use std::fmt;
use std::sync::Arc;

use raytree_types::codec::{self, Codec, Encoded};
use raytree_types::{Error, Result};

use super::Value;
use crate::link::{Imported, ImportedActor, Token};

/// One value in its written form. What is large lies apart from the rest, and is not copied once more; the references in
/// it are still those of this process.
pub struct Part(pub(crate) Encoded);

impl Part {
    /// Writes a value.
    ///
    /// # Errors
    /// [`Error::CannotTravel`] when it has no written form.
    pub fn of<T: Value>(codec: Codec, value: &T) -> Result<Self> {
        let written = codec::encode(codec, value);
        written.map(Self).map_err(|error| cannot::<T>(error.to_string()))
    }

    /// Writes a value that is shared, without a copy of what is large.
    ///
    /// # Errors
    /// As for [`Part::of`].
    pub fn of_shared<T: Value>(codec: Codec, value: &Arc<T>) -> Result<Self> {
        let written = codec::encode_shared(codec, value);
        written.map(Self).map_err(|error| cannot::<T>(error.to_string()))
    }

    /// Reads the value.
    ///
    /// # Errors
    /// [`Error::CannotTravel`] when these are not the bytes of a `T`.
    pub(crate) fn value<T: Value>(self, codec: Codec) -> Result<T> {
        codec::decode_owned(codec, self.0).map_err(|error| cannot::<T>(error.to_string()))
    }

    /// In which codec it was written.
    pub(crate) fn codec(&self) -> Codec {
        Codec::of_head(&self.0.head).unwrap_or_default()
    }

    /// Writes a handle whose type is not known here.
    ///
    /// # Errors
    /// [`Error::CannotTravel`]; never, as things are.
    pub(crate) fn of_token(token: Arc<Token>) -> Result<Self> {
        let Self(mut written) = Self::of(Codec::Compact, &0u32)?;
        written.refs.push(token);
        Ok(Self(written))
    }

    /// What the one reference in it names, where that is an import.
    pub(crate) fn into_import(self) -> Option<Arc<Imported>> {
        self.0.refs.into_iter().next()?.downcast().ok()
    }

    /// What the one reference in it names, where that is another process's actor.
    pub(crate) fn into_actor(self) -> Option<Arc<ImportedActor>> {
        self.0.refs.into_iter().next()?.downcast().ok()
    }

    /// Reads the next of several.
    ///
    /// # Errors
    /// [`Error::CannotTravel`] when there is none, or it is no `T`.
    pub(crate) fn next<T: Value>(parts: &mut dyn Iterator<Item = Self>, codec: Codec) -> Result<T> {
        let part = parts.next().ok_or_else(|| cannot::<T>("an argument is missing".to_owned()))?;
        part.value(codec)
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

fn cannot<T>(reason: String) -> Error {
    let type_name = std::any::type_name::<T>().to_owned();
    Error::CannotTravel { type_name, attribute: None, reason }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("head", &self.0.head.len())
            .field("buffers", &self.0.buffers.len())
            .field("refs", &self.0.refs.len())
            .finish()
    }
}

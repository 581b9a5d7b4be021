//! A value on its way to another process, or back.

use raytree_types::codec::{self, Codec, Encoded};
use raytree_types::{Bytes, Error, Result};
use serde::{Deserialize, Serialize};

use crate::object::Value;

/// One value in its written form. What is large lies apart from the rest, and is not copied once more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    head: Bytes,
    buffers: Vec<Bytes>,
}

impl Part {
    /// Writes a value.
    ///
    /// # Errors
    /// [`Error::CannotTravel`] when it has no written form, or holds a reference to an object or an actor.
    pub fn of<T: Value>(codec: Codec, value: &T) -> Result<Self> {
        let written =
            codec::encode(codec, value).map_err(|error| cannot::<T>(error.to_string()))?;
        if !written.refs.is_empty() {
            let reason = "it holds a reference, which cannot go to a process of its own";
            return Err(cannot::<T>(reason.to_owned()));
        }
        Ok(Self { head: written.head.into(), buffers: written.buffers })
    }

    /// Reads the value.
    ///
    /// # Errors
    /// [`Error::CannotTravel`] when these are not the bytes of a `T`.
    pub(crate) fn value<T: Value>(self, codec: Codec) -> Result<T> {
        let head = self.head.to_vec();
        let written = Encoded { head, buffers: self.buffers, refs: Vec::new() };
        codec::decode(codec, &written).map_err(|error| cannot::<T>(error.to_string()))
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

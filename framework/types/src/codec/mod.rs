//! The one codec of the system: how a value becomes bytes and what becomes of the parts that are not bytes.
//!
//! ```
//! use raytree_types::codec::{self, Codec};
//! use raytree_types::{Array, Bytes};
//!
//! # #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
//! # struct Frame { step: u64, pixels: Bytes, weights: Array<f32> }
//! let frame = Frame { step: 7, pixels: vec![1, 2, 3].into(), weights: vec![0.5, 1.5].into() };
//! let encoded = codec::encode(Codec::Compact, &frame)?;
//! assert_eq!(encoded.head, [1, 7, 0, 1]); // version, step, the indices of two buffers
//! assert_eq!(encoded.buffers.len(), 2); // the pixels and the weights, not copied
//! assert_eq!(codec::decode::<Frame>(Codec::Compact, &encoded)?, frame);
//! # Ok::<(), codec::CodecError>(())
//! ```
//!
//! # The format
//!
//! An [`Encoded`] value has three parts; whoever sends it says how long each is.
//!
//! - **Head.** One byte, then the value. The lower seven bits of the byte are the version of this format, now 1; the
//!   highest bit is 0 for [`Codec::Compact`] and 1 for [`Codec::SelfDescribing`]. Nothing may follow the value.
//! - **Buffers.** Raw bytes, numbered from 0, to be placed at multiples of 64 bytes. In the head stands the number of
//!   the buffer, as a `u32`. Only [`Bytes`] and [`Array`](crate::Array) make buffers, at any depth, what is made of these
//!   (an [`NdArray`](crate::NdArray)), and the bulk types below. Numbers in a buffer are little-endian and follow each other without gaps.
//! - **Refs.** References to objects and handles of actors, numbered from 0, again a `u32` in the head. What they are
//!   is not the codec's business: see [`scope`].
//!
//! A `String`, a `Vec` of `u8` to `f64` (no `usize`) and the two types above are **bulk** where they are the whole
//! value, not a part of one: the head is the version byte and the number 0, and buffer 0 is the content, copied at
//! the speed of memory. Such a `Vec<f32>` can be read as an `Array<f32>` and the other way round. A `Vec` *within* a
//! value is written element by element into the head, 10 to 70 times slower: write `Bytes` or `Array` there.
//!
//! **Compact** is bincode 2 in its standard configuration. Integers of 16 bits and more are variable: below 251 one
//! byte; else 251, 252, 253 or 254 and then 2, 4, 8 or 16 bytes, little-endian. Signed ones are zigzagged before
//! (0, -1, 1, -2 become 0, 1, 2, 3). `u8` and `i8` are one byte, `bool` is 0 or 1, floats are 4 or 8 bytes
//! little-endian, a `char` is its UTF-8. Strings, bytes, sequences and maps are their length as a `u64` and their
//! content; an `Option` is 0, or 1 and its content; an enum is the index of its variant as a `u32` and its fields.
//! Structs and tuples are their fields; units are nothing. Neither names nor types are written.
//!
//! **SelfDescribing** is MessagePack: structs are maps from the names of fields, enums are the name of the variant or
//! a map of one entry with it, bytes are `bin`, `None` and units are `nil` (so that `Some(None)` is read as `None`).
//!
//! # What a hostile or broken frame can do
//!
//! It makes [`decode`] fail with [`CodecError::BadFrame`], and nothing else. Lengths are compared with the bytes that
//! are there before anything is allocated; elements without a byte, and the stack that nesting takes, are bounded
//! ([`limits`](crate::limits)). The memory of a decoded value is in proportion to the bytes of its head, by the size
//! of its largest element; while it is read, each level of nesting may reserve up to a MiB more.

mod bulk;
mod check;
mod compact;
mod error;
mod guard;
pub mod scope;
mod self_describing;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::limits::CODEC_HEAD_BYTES_MAX;

pub use check::{CannotTravel, check};
pub use error::CodecError;
use error::Fault;

#[cfg(target_endian = "big")]
compile_error!(
    "buffers are viewed as little-endian numbers without a copy: big-endian targets are not supported"
);

/// The version of the format: the lower seven bits of a head's first byte.
const VERSION: u8 = 1;

/// The bit of a head's first byte that tells the codecs apart.
const SELF_DESCRIBING: u8 = 0x80;

/// What is reserved for a head: most messages of the system have fewer bytes.
const HEAD_RESERVED: usize = 128;

/// How values are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// bincode: small and quick. Reader and writer must have the same type; attributes that make the bytes describe
    /// themselves do not work (`untagged`, `tag`, `flatten`, `skip_serializing_if`). The default.
    #[default]
    Compact,
    /// MessagePack with the names of fields: twice as large and slow, and carries every type that JSON does.
    SelfDescribing,
}

impl Codec {
    /// The one that a head was written in; none for what is no head of this version.
    #[must_use]
    pub fn of_head(head: &[u8]) -> Option<Self> {
        let first = head.first()?;
        [Self::Compact, Self::SelfDescribing].into_iter().find(|codec| codec.version() == *first)
    }

    /// The first byte of its heads.
    fn version(self) -> u8 {
        match self {
            Self::Compact => VERSION,
            Self::SelfDescribing => VERSION | SELF_DESCRIBING,
        }
    }
}

/// A reference to an object or a handle of an actor on its way. What it is, only the crates above know: they put it
/// into a [`scope`] and take it out again. Dropping it releases what it holds.
pub type RefToken = Arc<dyn Any + Send + Sync>;

/// A value in its [written form](self#the-format).
#[derive(Clone, Default)]
pub struct Encoded {
    /// The value itself, without what the buffers hold.
    pub head: Vec<u8>,
    /// What is viewed rather than read. They may be shared with the value that was encoded.
    pub buffers: Vec<Bytes>,
    /// What the value refers to, kept alive until this is dropped.
    pub refs: Vec<RefToken>,
}

impl Encoded {
    /// The bytes of head and buffers together.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.head.len() + self.buffers.iter().map(|buffer| buffer.len()).sum::<usize>()
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded")
            .field("head_bytes", &self.head.len())
            .field("buffers", &self.buffers)
            .field("refs", &self.refs.len())
            .finish()
    }
}

/// Writes a value. [`Bytes`] and [`Array`](crate::Array)s are shared with the result, not copied.
///
/// # Errors
/// [`CodecError::CannotEncode`] if the codec cannot write this type (see [`check`]), the type's own implementation
/// fails, or it is nested too deeply; [`CodecError::TooLarge`] above
/// [`CODEC_HEAD_BYTES_MAX`].
pub fn encode<T: Serialize + 'static>(codec: Codec, value: &T) -> Result<Encoded, CodecError> {
    try_encode(codec, value).map_err(CodecError::encoding::<T>)
}

/// Writes a value that is shared. As [`encode`], and what is bulk is not copied either: the result is a view of it.
///
/// # Errors
/// Those of [`encode`].
pub fn encode_shared<T: Serialize + Send + Sync + 'static>(
    codec: Codec,
    value: &Arc<T>,
) -> Result<Encoded, CodecError> {
    match bulk::view_of(value) {
        Some(buffer) => Ok(of_bulk(codec, buffer)),
        None => encode(codec, &**value),
    }
}

/// Reads a value and gives its bytes up. As [`decode`], and a `String` or `Vec<u8>` takes over bytes that nobody else has.
///
/// # Errors
/// Those of [`decode`].
pub fn decode_owned<T: DeserializeOwned + 'static>(
    codec: Codec,
    mut encoded: Encoded,
) -> Result<T, CodecError> {
    if encoded.head.len() <= CODEC_HEAD_BYTES_MAX
        && let Ok(body) = open(codec, &encoded.head)
        && let Some(value) = bulk::value_of(body, || std::mem::take(&mut encoded.buffers))
    {
        return value.map_err(CodecError::decoding::<T>);
    }
    decode(codec, &encoded)
}

/// Reads a value. [`Bytes`], and [`Array`](crate::Array)s that are aligned, are views of the buffers, not copies.
///
/// # Errors
/// [`CodecError::BadFrame`] if these are not the bytes of a `T`, written by the same version of the same codec;
/// [`CodecError::TooLarge`] above [`CODEC_HEAD_BYTES_MAX`]. Nothing of the
/// frame is held on to then.
pub fn decode<T: DeserializeOwned + 'static>(
    codec: Codec,
    encoded: &Encoded,
) -> Result<T, CodecError> {
    try_decode(codec, encoded).map_err(CodecError::decoding::<T>)
}

/// Writes a value and reads it again, as if it had travelled.
///
/// # Errors
/// Those of [`encode`] and [`decode`].
pub fn round_trip<T>(codec: Codec, value: &T) -> Result<T, CodecError>
where
    T: Serialize + DeserializeOwned + 'static,
{
    decode(codec, &encode(codec, value)?)
}

/// Writes a small value in one piece, a `String` too; none if it cannot be written or has buffers or references.
pub(crate) fn write_small<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    let guard = scope::Guard::encoding();
    let head = self_describing::write(vec![Codec::SelfDescribing.version()], value).ok()?;
    let (buffers, refs) = guard.finish();
    (buffers.is_empty() && refs.is_empty()).then_some(head)
}

/// Reads what [`write_small`] has written.
pub(crate) fn read_small<T: DeserializeOwned>(head: &[u8]) -> Option<T> {
    let body = open(Codec::SelfDescribing, head).ok()?;
    let _guard = scope::Guard::decoding(&[], &[]);
    self_describing::read(body).ok()
}

/// Whether values of this type are nothing but a `String` or a `Vec` of numbers: [`encode_shared`] lends their bytes.
#[must_use]
pub fn is_bulk<T: 'static>() -> bool {
    bulk::is_bulk::<T>()
}

/// Whether values of this type are nothing but a view of bytes: [`Bytes`], an [`Array`](crate::Array) or
/// [`NdArray`](crate::NdArray), or a type of which somebody has [said so](declare_viewed). Read, they are views of what was sent, and the
/// same in all respects.
#[must_use]
pub fn is_viewed<T: 'static>() -> bool {
    bulk::is_viewed::<T>()
}

/// Says that values of this type are nothing but views of buffers that they put beside the head: what is large of one that was read is
/// memory that arrived, and nothing of a value is lost when it is written. Its implementation of `Serialize` is the place to say so.
pub fn declare_viewed<T: 'static>() {
    bulk::declare_viewed::<T>();
}

fn of_bulk(codec: Codec, buffer: Bytes) -> Encoded {
    Encoded { head: vec![codec.version(), 0], buffers: vec![buffer], refs: Vec::new() }
}

fn try_encode<T: Serialize + 'static>(codec: Codec, value: &T) -> Result<Encoded, Fault> {
    if let Some(buffer) = bulk::buffer_of(value) {
        return Ok(of_bulk(codec, buffer));
    }
    let guard = scope::Guard::encoding();
    let mut head = Vec::with_capacity(HEAD_RESERVED);
    head.push(codec.version());
    let head = match codec {
        Codec::Compact => compact::write(head, value),
        Codec::SelfDescribing => self_describing::write(head, value),
    };
    let head = head.map_err(|fault| guard.explain(fault))?;
    let (buffers, refs) = guard.finish();
    Ok(Encoded { head, buffers, refs })
}

fn try_decode<T: DeserializeOwned + 'static>(codec: Codec, encoded: &Encoded) -> Result<T, Fault> {
    if encoded.head.len() > CODEC_HEAD_BYTES_MAX {
        return Err(Fault::TooLarge(encoded.head.len()));
    }
    let body = open(codec, &encoded.head)?;
    if let Some(value) = bulk::value_of(body, || encoded.buffers.clone()) {
        return value;
    }
    let guard = scope::Guard::decoding(&encoded.buffers, &encoded.refs);
    let value = match codec {
        Codec::Compact => compact::read(body),
        Codec::SelfDescribing => self_describing::read(body),
    };
    value.map_err(|fault| guard.explain(fault))
}

/// The head without its first byte, if that is the one of `codec`.
fn open(codec: Codec, head: &[u8]) -> Result<&[u8], Fault> {
    let Some((&first, body)) = head.split_first() else {
        return Err(Fault::said("its head is empty"));
    };
    if first == codec.version() {
        return Ok(body);
    }
    let other = first & !SELF_DESCRIBING;
    Err(Fault::Other(if other == VERSION {
        format!("it was written by the other codec, not by {codec:?}")
    } else {
        format!("it has version {other} of the format, and this process reads version {VERSION}")
    }))
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;

//! What an array is made of, besides its type.

use arrow_buffer::{Buffer, NullBuffer};
use raytree_types::Bytes;
use serde::{Deserialize, Serialize};

/// One array, with those within it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Node {
    /// How many rows it has.
    pub(crate) rows: usize,
    /// Where the first of them is: a bit of the first byte of booleans, a row of the runs; else 0.
    pub(crate) first: usize,
    /// Which rows are not null; none if all.
    pub(crate) valid: Option<Bits>,
    /// Its own buffers, in arrow's order.
    pub(crate) buffers: Vec<Bytes>,
    /// The arrays within it, in arrow's order.
    pub(crate) children: Vec<Node>,
}

/// A bit for each row.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Bits {
    /// The bit of the first byte that is the first row's: 0 to 7.
    pub(crate) first: usize,
    /// The bytes that they are in.
    pub(crate) bytes: Bytes,
}

impl Bits {
    /// Those of `rows` from the bit `first` on, without the bytes around them.
    pub(crate) fn of(buffer: &Buffer, first: usize, rows: usize) -> Self {
        let from = first / 8;
        let bytes = (first + rows).div_ceil(8) - from;
        Self { first: first % 8, bytes: lent(buffer.slice_with_length(from, bytes)) }
    }

    /// Those of a bitmap; none if it has no null.
    pub(crate) fn of_nulls(nulls: Option<&NullBuffer>) -> Option<Self> {
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0)?;
        Some(Self::of(nulls.buffer(), nulls.offset(), nulls.len()))
    }
}

/// The memory of a buffer, kept until the last view of it is dropped.
pub(crate) fn lent(buffer: Buffer) -> Bytes {
    if buffer.is_empty() { Bytes::default() } else { Bytes::from_owner(Lent(buffer)) }
}

/// Lends the memory of a buffer as bytes.
struct Lent(Buffer);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

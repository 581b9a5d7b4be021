//! Bytes that travel beside a value instead of within it.

use std::fmt;
use std::ops::{Bound, Deref, Range, RangeBounds};

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};

use crate::codec::scope::{self, ScopeError};

/// What is reserved at most for bytes that come one by one, before they are there.
const RESERVED_MAX: usize = 4096;

/// Immutable bytes: a clone or a slice is a view of the same memory.
///
/// Encoded by the [codec](crate::codec) they are not copied but travel as a buffer of their own, at any depth of a
/// value, and decoded ones are views of the buffer that arrived. A `Vec<u8>` within a value is written byte by byte,
/// 70 times slower. Other serializers (a JSON file) write them as bytes.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(bytes::Bytes);

impl Bytes {
    /// Bytes of the program itself.
    #[must_use]
    pub const fn from_static(bytes: &'static [u8]) -> Self {
        Self(bytes::Bytes::from_static(bytes))
    }

    /// The memory of `owner`, which is kept until the last view is dropped: a mapped file, a pinned object.
    #[must_use]
    pub fn from_owner<O: AsRef<[u8]> + Send + 'static>(owner: O) -> Self {
        Self(bytes::Bytes::from_owner(owner))
    }

    /// A view of a part, without a copy; `None` if there is no such part.
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Option<Self> {
        part(&range, self.len()).map(|part| Self(self.0.slice(part)))
    }
}

/// Which of so many a range means; `None` if there are not as many.
pub(crate) fn part(range: &impl RangeBounds<usize>, len: usize) -> Option<Range<usize>> {
    let start = match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before.checked_add(1)?,
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last.checked_add(1)?,
        Bound::Excluded(&end) => end,
        Bound::Unbounded => len,
    };
    (start <= end && end <= len).then_some(start..end)
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Bytes {
    /// Takes the memory over.
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<bytes::Bytes> for Bytes {
    fn from(bytes: bytes::Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Bytes> for bytes::Bytes {
    fn from(bytes: Bytes) -> Self {
        bytes.0
    }
}

impl From<Bytes> for Vec<u8> {
    /// Takes the memory back if this is the only view of it, else copies.
    fn from(bytes: Bytes) -> Self {
        bytes.0.into()
    }
}

impl fmt::Debug for Bytes {
    /// The length and the first bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({}: ", self.len())?;
        self.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(if self.len() > 8 { "..)" } else { ")" })
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match scope::put_buffer(self.clone()) {
            Ok(index) => serializer.serialize_u32(index),
            Err(ScopeError::Outside) => serializer.serialize_bytes(self),
            Err(error) => Err(ser::Error::custom(error)),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if scope::is_decoding() {
            let index = u32::deserialize(deserializer)?;
            return scope::take_buffer(index).map_err(de::Error::custom);
        }
        deserializer.deserialize_byte_buf(Inline)
    }
}

/// Reads bytes that were written in place.
struct Inline;

impl<'de> Visitor<'de> for Inline {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(bytes.to_vec().into())
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(bytes.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Bytes, A::Error> {
        let reserved = elements.size_hint().unwrap_or(0).min(RESERVED_MAX);
        let mut bytes = Vec::with_capacity(reserved);
        while let Some(byte) = elements.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{self, Codec};

    #[test]
    fn clones_and_slices_share_their_memory() {
        let bytes = Bytes::from(vec![1, 2, 3, 4, 5]);
        assert_eq!(bytes.clone().as_ptr(), bytes.as_ptr());
        let part = bytes.slice(1..=2).unwrap();
        assert_eq!((&part[..], part.as_ptr()), (&[2, 3][..], bytes[1..].as_ptr()));
        assert!(bytes.slice(3..9).is_none() && bytes.slice(..=usize::MAX).is_none());
        assert_eq!(bytes.slice(..), Some(bytes));
    }

    #[test]
    fn debug_is_short() {
        assert_eq!(format!("{:?}", Bytes::from(vec![171; 100])), "Bytes(100: abababababababab..)");
        assert_eq!(format!("{:?}", Bytes::from_static(b"\x01")), "Bytes(1: 01)");
    }

    #[test]
    fn at_any_depth_they_are_read_without_a_copy() {
        let value = vec![Some(("a".to_owned(), Bytes::from(vec![7; 100])))];
        for codec in [Codec::Compact, Codec::SelfDescribing] {
            let back = codec::round_trip(codec, &value).unwrap();
            assert_eq!(back, value);
            let pointer =
                |value: &Vec<Option<(String, Bytes)>>| value[0].as_ref().unwrap().1.as_ptr();
            assert_eq!(pointer(&back), pointer(&value));
        }
    }

    #[test]
    fn other_serializers_write_them_in_place() {
        let bytes = Bytes::from(vec![1, 2, 255]);
        let json = serde_json::to_string(&bytes).unwrap();
        assert_eq!(json, "[1,2,255]");
        assert_eq!(serde_json::from_str::<Bytes>(&json).unwrap(), bytes);
        let packed = rmp_serde::to_vec(&bytes).unwrap();
        assert_eq!(rmp_serde::from_slice::<Bytes>(&packed).unwrap(), bytes);
    }
}

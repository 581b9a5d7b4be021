//! Numbers that travel beside a value instead of within it.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, RangeBounds};

use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};

use crate::bytes::{self, Bytes};
use crate::codec::scope::{self, ScopeError};

/// The numbers an [`Array`] can hold: `u8` to `u64`, `i8` to `i64`, `f32` and `f64`.
pub trait Number:
    sealed::Sealed + Serialize + DeserializeOwned + fmt::Debug + PartialEq + Send + Sync
{
}

mod sealed {
    pub trait Sealed: bytemuck::Pod {}
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl sealed::Sealed for $number {}
        impl Number for $number {}
    )*};
}

numbers!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);

/// Immutable numbers: a clone is a view of the same memory.
///
/// Encoded by the [codec](crate::codec) they are not copied but travel as a buffer of their own, at any depth of a
/// value; decoded ones are views of the buffer that arrived, unless it lies at an address where such numbers cannot
/// be. A `Vec<f32>` within a value is written number by number, 15 times slower. Other serializers (a JSON file) write
/// a sequence.
///
/// ```
/// use raytree_types::Array;
///
/// let weights: Array<f32> = (0..4).map(|n| n as f32).collect();
/// assert_eq!(weights[3], 3.0);
/// assert_eq!(weights.iter().sum::<f32>(), 6.0);
/// ```
pub struct Array<T> {
    /// Aligned for `T` and a whole number of them, or empty.
    bytes: Bytes,
    numbers: PhantomData<T>,
}

impl<T: Number> Array<T> {
    /// A view of `buffer`, or a copy if it is not aligned; `None` if it is not a whole number of `T`s.
    #[must_use]
    pub fn from_bytes(buffer: Bytes) -> Option<Self> {
        if !buffer.len().is_multiple_of(size_of::<T>()) {
            return None;
        }
        match bytemuck::try_cast_slice::<u8, T>(&buffer) {
            Ok(_) => Some(Self { bytes: buffer, numbers: PhantomData }),
            Err(_) => Some(bytemuck::pod_collect_to_vec::<u8, T>(&buffer).into()),
        }
    }

    /// A view of a part, without a copy; `None` if there is no such part.
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Option<Self> {
        let part = bytes::part(&range, self.len())?;
        let (start, end) = (part.start * size_of::<T>(), part.end * size_of::<T>());
        Some(Self { bytes: self.bytes.slice(start..end)?, numbers: PhantomData })
    }

    /// The memory of the numbers, little-endian.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl<T: Number> Deref for Array<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // Only an empty buffer can be one that does not cast: it may lie anywhere.
        bytemuck::try_cast_slice(&self.bytes).unwrap_or_default()
    }
}

impl<T> Clone for Array<T> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), numbers: PhantomData }
    }
}

impl<T> Default for Array<T> {
    fn default() -> Self {
        Self { bytes: Bytes::default(), numbers: PhantomData }
    }
}

impl<T: Number> PartialEq for Array<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Number> AsRef<[T]> for Array<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T: Number> From<Vec<T>> for Array<T> {
    /// Takes the memory over.
    fn from(numbers: Vec<T>) -> Self {
        Self { bytes: Bytes::from_owner(Owner(numbers)), numbers: PhantomData }
    }
}

impl<T: Number> FromIterator<T> for Array<T> {
    fn from_iter<I: IntoIterator<Item = T>>(numbers: I) -> Self {
        numbers.into_iter().collect::<Vec<T>>().into()
    }
}

impl<'a, T: Number> IntoIterator for &'a Array<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Number> fmt::Debug for Array<T> {
    /// The length and the first numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.get(..4).unwrap_or(self);
        let more = if self.len() > first.len() { ", .." } else { "" };
        write!(f, "Array({}: {first:?}{more})", self.len())
    }
}

/// Lends the memory of numbers as bytes.
struct Owner<T>(Vec<T>);

impl<T: Number> AsRef<[u8]> for Owner<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

impl<T: Number> Serialize for Array<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match scope::put_buffer(self.bytes.clone()) {
            Ok(index) => serializer.serialize_u32(index),
            Err(ScopeError::Outside) => serializer.collect_seq(&**self),
            Err(error) => Err(ser::Error::custom(error)),
        }
    }
}

impl<'de, T: Number> Deserialize<'de> for Array<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !scope::is_decoding() {
            return Vec::deserialize(deserializer).map(Self::from);
        }
        let index = u32::deserialize(deserializer)?;
        let buffer = scope::take_buffer(index).map_err(de::Error::custom)?;
        let bytes = buffer.len();
        let partial = || format!("buffer {index} of {bytes} bytes is not whole numbers");
        Self::from_bytes(buffer).ok_or_else(|| de::Error::custom(partial()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{self, Codec};

    #[test]
    fn a_vector_is_taken_over_and_travels_without_a_copy() {
        let numbers = vec![1.5_f64, -0.0, f64::MAX];
        let address = numbers.as_ptr();
        let value = (1, vec![Array::from(numbers)]);
        assert_eq!(value.1[0].as_ptr(), address);
        for codec in [Codec::Compact, Codec::SelfDescribing] {
            let back = codec::round_trip(codec, &value).unwrap();
            assert_eq!(back, value);
            assert_eq!(back.1[0].as_ptr(), address);
        }
    }

    #[test]
    fn a_misaligned_buffer_is_copied_and_a_partial_one_refused() {
        let memory = Bytes::from((0..=64).collect::<Vec<u8>>());
        let aligned = Array::<u64>::from_bytes(memory.slice(..64).unwrap());
        let shifted = Array::<u64>::from_bytes(memory.slice(1..).unwrap());
        assert_eq!(aligned.unwrap()[0], 0x07_06_05_04_03_02_01_00);
        assert_eq!(shifted.unwrap()[7], 0x40_3f_3e_3d_3c_3b_3a_39);
        assert!(Array::<u64>::from_bytes(memory).is_none());
        let part: (u8, Array<u16>) = (0, vec![1].into());
        let mut encoded = codec::encode(Codec::Compact, &part).unwrap();
        encoded.buffers[0] = Bytes::from(vec![1, 2, 3]);
        let error = codec::decode::<(u8, Array<u16>)>(Codec::Compact, &encoded).unwrap_err();
        assert!(error.to_string().contains("3 bytes is not whole numbers"), "{error}");
    }

    #[test]
    fn nothing_may_lie_anywhere() {
        let empty = Bytes::from(vec![0; 9]).slice(1..1).unwrap();
        assert!(Array::<f64>::from_bytes(empty).unwrap().is_empty());
        assert!(Array::<f64>::default().is_empty());
    }

    #[test]
    fn a_part_is_a_view_and_is_sent_alone() {
        let array: Array<u32> = (0..10).collect();
        let part = array.slice(2..=4).unwrap();
        assert_eq!((&part[..], part.as_ptr()), (&[2, 3, 4][..], array[2..].as_ptr()));
        assert_eq!(codec::encode(Codec::Compact, &part).unwrap().buffers[0].len(), 12);
        assert!(array.slice(10..).unwrap().is_empty() && array.slice(..11).is_none());
        assert!(array.slice(..=usize::MAX).is_none() && array.slice(usize::MAX..).is_none());
    }

    #[test]
    fn debug_is_short_and_json_a_sequence() {
        let array: Array<u16> = (0..100).collect();
        assert_eq!(format!("{array:?}"), "Array(100: [0, 1, 2, 3], ..)");
        let json = serde_json::to_string(&array).unwrap();
        assert_eq!(serde_json::from_str::<Array<u16>>(&json).unwrap(), array);
    }
}

//! Numbers with a shape, that travel beside a value instead of within it.
//!
//! Invariants:
//! - **NA-1 (row-major):** the last index runs fastest: of the shape `[a, b, c]` the number at `[i, j, k]` is the one at `(i * b + j) * c + k`
//!   of the slice.
//! - **NA-2 (no-copy):** clones, parts, other shapes and what is encoded are the memory of the array, and what is read is a view of what
//!   arrived; but for an address where such numbers cannot be.
//! - **NA-3 (no-trust):** there is no array whose numbers are not as many as its shape says, whoever made it.

use std::fmt;
use std::ops::{Index, Range, RangeBounds};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::array::{Array, Number};
use crate::bytes;
use crate::limits::{CODEC_EMPTY_ELEMENTS_MAX, NDARRAY_DIMS_MAX};

/// Immutable numbers in any number of dimensions: an image, a batch of them, a matrix. A clone is a view of the same memory.
///
/// The numbers are an [`Array`] in row-major order, as in C and in numpy: the last index runs fastest, and there are no gaps. So they
/// travel as an `Array` does: not copied but as a buffer of their own, at any depth of a value, and read where they lie. So do parts along
/// the first axis, and nothing else is sent of them.
///
/// ```
/// use raytree_types::NdArray;
///
/// // Two grey images of two rows and three columns each.
/// let images = NdArray::from_vec([2, 2, 3], (0..12).map(|n| n as f32).collect())?;
/// assert_eq!((images.shape(), images.ndim(), images.len()), (&[2, 2, 3][..], 3, 12));
/// assert_eq!(images[[1, 0, 2]], 8.0);
/// assert_eq!(images.get([1, 0, 3]), None);
///
/// // The second one, and its last row: views of the same memory.
/// let second = images.outer(1).expect("there are two");
/// assert_eq!(second, NdArray::from([[6.0, 7.0, 8.0], [9.0, 10.0, 11.0]]));
/// assert_eq!(second.row(1), Some(&[9.0, 10.0, 11.0][..]));
///
/// // One line of numbers for each image.
/// let flat = images.reshape([2, 6])?;
/// assert_eq!(flat.as_slice(), images.as_slice());
/// # Ok::<(), raytree_types::ShapeError>(())
/// ```
///
/// It knows no arithmetic. Crates that do take a shape and a slice, and copy nothing either: with `ndarray` it is
/// `ArrayView::from_shape(images.shape(), images.as_slice())`.
///
/// A shape has at most [`NDARRAY_DIMS_MAX`] dimensions. One without any has one number; one with a 0 has none. Other serializers (a JSON
/// file) write `{"shape": [2, 3], "numbers": [..]}`.
pub struct NdArray<T> {
    shape: Shape,
    /// As many as the shape says.
    numbers: Array<T>,
}

/// Why numbers and a shape do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// The shape has more or fewer numbers than there are.
    #[error("there are {len} numbers, and the shape {shape:?} has room for {wanted}")]
    OtherLength {
        /// The shape.
        shape: Vec<usize>,
        /// How many numbers it has: the product of its dimensions.
        wanted: usize,
        /// How many there are.
        len: usize,
    },
    /// The shape has more numbers than can be counted; of its dimensions those that are 0 do not count here.
    #[error("the shape {shape:?} is larger than any memory")]
    TooLarge {
        /// The shape.
        shape: Vec<usize>,
    },
    /// The shape has more than [`NDARRAY_DIMS_MAX`] dimensions.
    #[error("a shape has at most {limit} dimensions, and this one has {dims}")]
    TooManyDims {
        /// How many it has.
        dims: usize,
        /// The bound.
        limit: usize,
    },
}

/// Dimensions within a value, so that a view of a part asks for no memory.
#[derive(Clone, Copy)]
struct Shape {
    dims: [usize; NDARRAY_DIMS_MAX],
    count: usize,
}

impl Shape {
    /// None if there are too many.
    fn of(dims: &[usize]) -> Option<Self> {
        let mut all = [0; NDARRAY_DIMS_MAX];
        all.get_mut(..dims.len())?.copy_from_slice(dims);
        Some(Self { dims: all, count: dims.len() })
    }

    fn dims(&self) -> &[usize] {
        self.dims.get(..self.count).unwrap_or_default()
    }

    /// All but the first one.
    fn inner(&self) -> Option<Self> {
        self.dims().split_first().and_then(|(_, inner)| Self::of(inner))
    }

    /// How many numbers it has. None if a part of it may have more than can be counted.
    fn len(&self) -> Option<usize> {
        let mut filled = self.dims().iter().filter(|dim| **dim > 0);
        let most = filled.try_fold(1, |len: usize, dim| len.checked_mul(*dim));
        most.map(|most| if self.dims().contains(&0) { 0 } else { most })
    }

    /// Where in the slice the number at an index is (NA-1).
    fn place(&self, index: &[usize]) -> Option<usize> {
        let mut each = index.iter().zip(self.dims());
        let is_whole = index.len() == self.count;
        let place = each.try_fold(0, |at, (&own, &dim)| (own < dim).then(|| at * dim + own));
        place.filter(|_| is_whole)
    }
}

impl<T: Number> NdArray<T> {
    /// Numbers in row-major order. Takes the memory over.
    ///
    /// # Errors
    /// [`ShapeError`], if the shape does not have as many.
    pub fn from_vec(shape: impl AsRef<[usize]>, numbers: Vec<T>) -> Result<Self, ShapeError> {
        Self::from_array(shape, numbers.into())
    }

    /// Numbers in row-major order, without a copy.
    ///
    /// # Errors
    /// [`ShapeError`], if the shape does not have as many.
    pub fn from_array(shape: impl AsRef<[usize]>, numbers: Array<T>) -> Result<Self, ShapeError> {
        let (dims, len) = (shape.as_ref(), numbers.len());
        let too_many = ShapeError::TooManyDims { dims: dims.len(), limit: NDARRAY_DIMS_MAX };
        let shape = Shape::of(dims).ok_or(too_many)?;
        match shape.len() {
            Some(wanted) if wanted == len => Ok(Self { shape, numbers }),
            Some(wanted) => Err(ShapeError::OtherLength { shape: dims.to_vec(), wanted, len }),
            None => Err(ShapeError::TooLarge { shape: dims.to_vec() }),
        }
    }

    /// The dimensions, the outermost first.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.shape.dims()
    }

    /// How many dimensions there are.
    #[must_use]
    pub fn ndim(&self) -> usize {
        self.shape.count
    }

    /// How many numbers there are: the product of the dimensions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether there is no number: one of the dimensions is 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// All numbers in row-major order, where they lie.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.numbers
    }

    /// All numbers in row-major order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.numbers.iter()
    }

    /// The number at an index for each dimension; `None` outside of the shape, and if there are more or fewer indices than dimensions.
    #[must_use]
    pub fn get(&self, index: impl AsRef<[usize]>) -> Option<&T> {
        self.shape.place(index.as_ref()).and_then(|at| self.numbers.get(at))
    }

    /// The part at an index of the first axis, without a copy: it has one dimension less. `None` if there is no such part.
    ///
    /// A part keeps the memory of the whole. Sent, it goes alone.
    #[must_use]
    pub fn outer(&self, index: usize) -> Option<Self> {
        let (part, shape) = self.part(index)?;
        Some(Self { shape, numbers: self.numbers.slice(part)? })
    }

    /// The parts along the first axis, each without a copy; none without a dimension.
    pub fn outer_iter(&self) -> impl Iterator<Item = Self> + '_ {
        let count = self.shape().first().copied().unwrap_or_default();
        (0..count).filter_map(|index| self.outer(index))
    }

    /// The numbers of [`outer`](Self::outer), borrowed: a row of a matrix.
    #[must_use]
    pub fn row(&self, index: usize) -> Option<&[T]> {
        self.part(index).and_then(|(part, _)| self.numbers.get(part))
    }

    /// The parts at a range of the first axis, without a copy and with as many dimensions: ten images of a batch. `None` if there are not
    /// as many.
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Option<Self> {
        let outer = *self.shape().first()?;
        let range = bytes::part(&range, outer)?;
        let inner = self.shape.inner()?.len()?;
        let mut shape = self.shape;
        *shape.dims.first_mut()? = range.len();
        Some(Self { shape, numbers: self.numbers.slice(range.start * inner..range.end * inner)? })
    }

    /// The same numbers with another shape, without a copy.
    ///
    /// # Errors
    /// [`ShapeError`], if that does not have as many.
    pub fn reshape(&self, shape: impl AsRef<[usize]>) -> Result<Self, ShapeError> {
        Self::from_array(shape, self.numbers.clone())
    }

    /// The numbers without the shape, and without a copy.
    #[must_use]
    pub fn into_array(self) -> Array<T> {
        self.numbers
    }

    /// A copy of the numbers, in row-major order. To read them there is [`as_slice`](Self::as_slice), which copies nothing.
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        self.numbers.to_vec()
    }

    /// Where in the slice a part along the first axis is, and its shape.
    fn part(&self, index: usize) -> Option<(Range<usize>, Shape)> {
        let (outer, shape) = (*self.shape().first()?, self.shape.inner()?);
        let len = shape.len()?;
        (index < outer).then(|| (index * len..(index + 1) * len, shape))
    }
}

impl<T> Clone for NdArray<T> {
    fn clone(&self) -> Self {
        Self { shape: self.shape, numbers: self.numbers.clone() }
    }
}

impl<T> Default for NdArray<T> {
    /// No numbers, in one dimension: the shape `[0]`.
    fn default() -> Self {
        let shape = Shape { dims: [0; NDARRAY_DIMS_MAX], count: 1 };
        Self { shape, numbers: Array::default() }
    }
}

impl<T: Number> PartialEq for NdArray<T> {
    /// The same numbers in the same shape.
    fn eq(&self, other: &Self) -> bool {
        self.shape() == other.shape() && self.numbers == other.numbers
    }
}

impl<T: Number, const N: usize> Index<[usize; N]> for NdArray<T> {
    type Output = T;

    /// # Panics
    /// Outside of the shape, as a slice does. [`NdArray::get`] does not.
    #[expect(clippy::panic, reason = "what an index outside does")]
    #[track_caller]
    fn index(&self, index: [usize; N]) -> &T {
        match self.get(index) {
            Some(number) => number,
            None => panic!("the index {index:?} is outside of the shape {:?}", self.shape()),
        }
    }
}

impl<'a, T: Number> IntoIterator for &'a NdArray<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Number> From<Array<T>> for NdArray<T> {
    /// In one dimension, without a copy.
    fn from(numbers: Array<T>) -> Self {
        let mut all = Self { numbers, ..Self::default() };
        all.shape.dims[0] = all.numbers.len();
        all
    }
}

impl<T: Number, const N: usize> From<[T; N]> for NdArray<T> {
    fn from(numbers: [T; N]) -> Self {
        Array::from(numbers.to_vec()).into()
    }
}

impl<T: Number, const M: usize, const N: usize> From<[[T; N]; M]> for NdArray<T> {
    fn from(rows: [[T; N]; M]) -> Self {
        let mut all = Self::from(Array::from(rows.as_flattened().to_vec()));
        (all.shape.count, all.shape.dims[0], all.shape.dims[1]) = (2, M, N);
        all
    }
}

impl<T: Number> fmt::Debug for NdArray<T> {
    /// The shape and the first numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.numbers.get(..4).unwrap_or(&self.numbers);
        let more = if self.len() > first.len() { ", .." } else { "" };
        write!(f, "NdArray({:?}: {first:?}{more})", self.shape())
    }
}

/// How it is written.
#[derive(Serialize)]
#[serde(rename = "NdArray", bound = "T: Number")]
struct Out<'a, T> {
    shape: &'a [usize],
    numbers: &'a Array<T>,
}

/// How it is read.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
#[serde(rename = "NdArray", bound = "T: Number")]
struct In<T> {
    shape: Vec<usize>,
    numbers: Array<T>,
}

impl<T: Number> Serialize for NdArray<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Out { shape: self.shape(), numbers: &self.numbers }.serialize(serializer)
    }
}

impl<'de, T: Number> Deserialize<'de> for NdArray<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let In { shape, numbers } = In::deserialize(deserializer)?;
        let array = Self::from_array(shape, numbers).map_err(de::Error::custom)?;
        let dims = array.shape().iter().filter(|dim| **dim > 0);
        // A few bytes would announce any number of parts without a number in them.
        if array.is_empty() && dims.product::<usize>() > CODEC_EMPTY_ELEMENTS_MAX {
            let shape = array.shape();
            let why = format!("the shape {shape:?} is too large for one without numbers");
            return Err(de::Error::custom(why));
        }
        Ok(array)
    }
}

#[cfg(test)]
mod tests;

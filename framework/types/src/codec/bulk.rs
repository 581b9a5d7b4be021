//! Values that are nothing but bytes: copied at once, without asking serde for each element.

use std::any::{Any, TypeId};
use std::sync::{Arc, PoisonError, RwLock};

use super::error::Fault;
use crate::array::{Array, Number};
use crate::bytes::Bytes;
use crate::nd_array::NdArray;

/// The body of a head whose value is buffer 0; both codecs write the number 0 so.
const BODY: [u8; 1] = [0];

/// The content of a bulk value; of a [`Bytes`] without a copy.
pub(super) fn buffer_of<T: 'static>(value: &T) -> Option<Bytes> {
    let value: &dyn Any = value;
    if let Some(text) = value.downcast_ref::<String>() {
        return Some(text.as_bytes().to_vec().into());
    }
    if let Some(bytes) = value.downcast_ref::<Bytes>() {
        return Some(bytes.clone());
    }
    macro_rules! first_of {
        ($($number:ty)*) => { None$(.or_else(|| numbers_of::<$number>(value)))* };
    }
    first_of!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64)
}

/// The content of a bulk value that is shared: a view of it, without a copy.
pub(super) fn view_of<T: Send + Sync + 'static>(value: &Arc<T>) -> Option<Bytes> {
    let value: Arc<dyn Any + Send + Sync> = Arc::clone(value) as _;
    let value = match value.downcast::<String>() {
        Ok(text) => return Some(Bytes::from_owner(TextView(text))),
        Err(other) => other,
    };
    macro_rules! first_of {
        ($($number:ty)*) => {{
            $(let value = match value.downcast::<Vec<$number>>() {
                Ok(numbers) => return Some(Bytes::from_owner(NumbersView(numbers))),
                Err(other) => other,
            };)*
            drop(value);
        }};
    }
    first_of!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);
    None
}

/// Whether values of this type are bulk.
pub(super) fn is_bulk<T: 'static>() -> bool {
    let this = TypeId::of::<T>();
    macro_rules! any_of {
        ($($number:ty)*) => { false $(|| this == TypeId::of::<Vec<$number>>())* };
    }
    this == TypeId::of::<String>() || any_of!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64)
}

/// Types of other crates whose values are views of buffers.
static DECLARED: RwLock<Vec<TypeId>> = RwLock::new(Vec::new());

/// Says so of a type of another crate.
pub(super) fn declare_viewed<T: 'static>() {
    let mut declared = DECLARED.write().unwrap_or_else(PoisonError::into_inner);
    if !declared.contains(&TypeId::of::<T>()) {
        declared.push(TypeId::of::<T>());
    }
}

/// Whether values of this type are nothing but a view of bytes.
pub(super) fn is_viewed<T: 'static>() -> bool {
    let this = TypeId::of::<T>();
    let declared = || DECLARED.read().unwrap_or_else(PoisonError::into_inner).contains(&this);
    macro_rules! any_of {
        ($($number:ty)*) => {
            false $(|| [TypeId::of::<Array<$number>>(), TypeId::of::<NdArray<$number>>()].contains(&this))*
        };
    }
    this == TypeId::of::<Bytes>() || any_of!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64) || declared()
}

struct TextView(Arc<String>);

impl AsRef<[u8]> for TextView {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

struct NumbersView<N>(Arc<Vec<N>>);

impl<N: Number> AsRef<[u8]> for NumbersView<N> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

/// The bulk value in this frame, if `T` is bulk. Bytes that nobody else has become the value without a copy.
pub(super) fn value_of<T: 'static>(
    body: &[u8],
    buffers: impl FnOnce() -> Vec<Bytes>,
) -> Option<Result<T, Fault>> {
    let content = || match <[Bytes; 1]>::try_from(buffers()) {
        Ok([buffer]) if body == BODY => Ok(buffer),
        _ => Err(Fault::said("it is not one buffer")),
    };
    let bytes = |buffer: Bytes| Vec::<u8>::from(bytes::Bytes::from(buffer));
    let this = TypeId::of::<T>();
    if this == TypeId::of::<String>() {
        let text = |buffer| String::from_utf8(bytes(buffer)).map_err(Fault::said);
        return made::<T, String>(|| text(content()?));
    }
    if this == TypeId::of::<Bytes>() {
        return made::<T, Bytes>(content);
    }
    if this == TypeId::of::<Vec<u8>>() {
        return made::<T, Vec<u8>>(|| content().map(bytes));
    }
    macro_rules! first_of {
        ($($number:ty)*) => {
            $(if this == TypeId::of::<Vec<$number>>() {
                return made::<T, Vec<$number>>(|| numbers_in(&content()?));
            })*
        };
    }
    first_of!(i8 u16 i16 u32 i32 u64 i64 f32 f64);
    None
}

fn numbers_of<N: Number>(value: &dyn Any) -> Option<Bytes> {
    let numbers = value.downcast_ref::<Vec<N>>()?;
    Some(Array::from(numbers.clone()).into_bytes())
}

fn numbers_in<N: Number>(buffer: &Bytes) -> Result<Vec<N>, Fault> {
    if !buffer.len().is_multiple_of(size_of::<N>()) {
        return Err(Fault::said(format_args!("{} bytes are not whole numbers", buffer.len())));
    }
    Ok(bytemuck::pod_collect_to_vec(buffer))
}

/// Makes a `V` if that is what a `T` is.
fn made<T: 'static, V: 'static>(
    make: impl FnOnce() -> Result<V, Fault>,
) -> Option<Result<T, Fault>> {
    if TypeId::of::<T>() != TypeId::of::<V>() {
        return None;
    }
    let mut slot = match make() {
        Ok(value) => Some(value),
        Err(fault) => return Some(Err(fault)),
    };
    let slot: &mut dyn Any = &mut slot;
    slot.downcast_mut::<Option<T>>().and_then(Option::take).map(Ok)
}

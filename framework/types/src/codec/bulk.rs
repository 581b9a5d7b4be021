//! Values that are nothing but bytes: copied at once, without asking serde for each element.

use std::any::{Any, TypeId};

use super::error::Fault;
use crate::array::{Array, Number};
use crate::bytes::Bytes;

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

/// The bulk value in this frame, if `T` is bulk.
pub(super) fn value_of<T: 'static>(body: &[u8], buffers: &[Bytes]) -> Option<Result<T, Fault>> {
    let content = || match buffers {
        [buffer] if body == BODY => Ok(buffer),
        _ => Err(Fault::said("it is not one buffer")),
    };
    let text = |buffer: &Bytes| match std::str::from_utf8(buffer) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(Fault::said(error)),
    };
    macro_rules! first_of {
        ($($number:ty)*) => {
            made::<T, String>(|| text(content()?))
                .or_else(|| made::<T, Bytes>(|| content().cloned()))
                $(.or_else(|| made::<T, Vec<$number>>(|| numbers_in(content()?))))*
        };
    }
    first_of!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64)
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

//! Objects that the program makes itself.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use raytree_types::codec::Codec;
use raytree_types::{Error, Result};

use super::cell::ObjectCell;
use super::reference::ObjectRef;
use super::seen::Source;
use super::{Value, travel};
use crate::runtime::ambient;

/// How an object that was put is called; no function and no method is.
pub(super) const LABEL: &str = "put";

/// Makes an object of a value that is needed more than once: it is stored once, and its references are passed around.
///
/// `.await` it in async code, `.get()` it in synchronous code. Nothing is copied before another process needs it: then what of it is large
/// is laid, once, into the memory that the processes of a node share (`Bytes`, `Array`, `NdArray`, and a `String` or `Vec` of numbers as a
/// whole). It is freed with its last reference, or with the process that put it.
#[must_use = "the object is freed at once when its reference is dropped"]
#[track_caller]
pub fn put<T: Value>(value: T) -> Put<T> {
    let source = Source::here("put");
    let reference = ambient::life_or_start().and_then(|life| {
        let value = travel::through(life, Codec::Compact, value)?;
        Ok(ObjectRef::first(ObjectCell::ready(source, life, value)))
    });
    Put { reference: Some(reference) }
}

/// An object that is being stored: a future. See [`put`].
#[must_use = "the object is freed at once when its reference is dropped"]
pub struct Put<T> {
    reference: Option<Result<ObjectRef<T>>>,
}

impl<T> Put<T> {
    /// The reference, in synchronous code.
    ///
    /// # Errors
    /// [`Error::CannotTravel`](raytree_types::Error::CannotTravel) (debug builds and strict mode);
    /// [`Error::StartFailed`](raytree_types::Error::StartFailed) when there was no runtime and none could be started.
    #[inline]
    pub fn get(self) -> Result<ObjectRef<T>> {
        self.reference.unwrap_or_else(taken)
    }
}

/// A future that is polled again after its end.
#[cold]
fn taken<T>() -> Result<ObjectRef<T>> {
    Err(Error::ObjectTaken { object: LABEL.to_owned() })
}

impl<T> Future for Put<T> {
    type Output = Result<ObjectRef<T>>;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(self.reference.take().unwrap_or_else(taken))
    }
}

impl<T> fmt::Debug for Put<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Put").field(&self.reference).finish()
    }
}

//! References to objects: typed, cloneable, awaited for their value.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use raytree_types::{Error, Result};

use super::cell::{ObjectCell, Standing};
use super::countdown::Countdown;
use super::lineage::is_again;
use super::shared::Shared;
use super::waiter::Needs;
use super::{Value, gather};
use crate::task::block;

/// A reference to a value that a task, an actor's method or a `put` makes. A value like any other: it can be cloned,
/// passed to remote functions, and sent inside other values.
///
/// | to read it | gives | when |
/// |---|---|---|
/// | `r.await` | the value itself if this is its last reference, else a clone | in async code |
/// | `(&r).await` | a clone | in async code |
/// | `r.shared().await` | a [`Shared`] view, never a clone | in async code |
/// | `r.get()` | as `r.await` | in synchronous code |
///
/// Dropping a reference cancels nothing. The value is freed with its last reference.
///
/// # Errors
/// All of them resolve to the error of whatever makes the value: [`Error::TaskFailed`], [`Error::ActorDied`],
/// [`Error::Cancelled`] and so on; [`Error::RuntimeGone`] after its runtime has ended.
///
/// # Cancel safety
/// Awaiting can be given up and begun again at any time.
pub struct ObjectRef<T> {
    pub(crate) cell: Arc<ObjectCell<T>>,
}

impl<T> ObjectRef<T> {
    /// Takes over the one reference that a new cell counts.
    pub(crate) fn first(cell: Arc<ObjectCell<T>>) -> Self {
        Self { cell }
    }

    /// True when awaiting it would not wait: it has its value or its error.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.cell.standing() != Standing::Pending
    }

    /// The task that makes it is no longer wanted, nor are the tasks that it started.
    ///
    /// One that waits is taken out of the line; an async one is dropped at its next await; synchronous code goes on
    /// until it ends or calls `check_cancelled`, and its result is discarded. Whoever waits for the value gets
    /// [`Error::Cancelled`]. Does nothing once there is a value. A call to an actor is cancelled as long as it has not
    /// begun, or, if it is async, at its next await.
    pub fn cancel(&self) {
        self.end(true);
    }

    /// As [`ObjectRef::cancel`], but what the task started goes on.
    pub fn cancel_only(&self) {
        self.end(false);
    }

    fn end(&self, recursive: bool) {
        if let Some(producer) = self.cell.producer() {
            producer.cancel(recursive);
        }
    }
}

impl<T: Value> ObjectRef<T> {
    /// Waits, blocking this thread, and gives the value, as `r.await` does in async code.
    ///
    /// In a task the wait costs no CPU: a task that is still in line is run here at once, else its CPU is lent until
    /// the value is there.
    ///
    /// # Errors
    /// As for awaiting it; [`Error::BlockingInAsync`] in async code; [`Error::TooManyThreads`] when
    /// [`COMPUTE_THREADS_MAX`](raytree_types::limits::COMPUTE_THREADS_MAX) threads are blocked.
    pub fn get(self) -> Result<T> {
        loop {
            block::settled(&self.cell)?;
            let read = self.cell.take();
            if !is_again(&read) {
                return read;
            }
        }
    }

    /// The value without a clone, in synchronous code. See [`ObjectRef::get`].
    ///
    /// # Errors
    /// As for [`ObjectRef::get`].
    pub fn get_shared(&self) -> Result<Shared<T>> {
        loop {
            block::settled(&self.cell)?;
            let read = self.cell.share();
            if !is_again(&read) {
                return read.map(Shared);
            }
        }
    }

    /// A view of the value, without a clone.
    pub async fn shared(&self) -> Result<Shared<T>> {
        loop {
            Settled::of(self).await;
            let read = self.cell.share();
            if !is_again(&read) {
                return read.map(Shared);
            }
        }
    }

    /// Its value if it comes within `limit`; the reference is given up.
    ///
    /// # Errors
    /// [`Error::Timeout`], else as for awaiting it.
    pub async fn timeout(self, limit: std::time::Duration) -> Result<T> {
        let read = async {
            loop {
                Settled::of(&self).await;
                let read = self.cell.take();
                if !is_again(&read) {
                    return read;
                }
            }
        };
        match block::timeout(self.cell.life, limit, read).await {
            Some(read) => read,
            None => Err(Error::Timeout { what: self.cell.label.to_owned(), after: limit }),
        }
    }
}

/// Waits for an object, and leaves nothing in it when it is given up.
struct Settled<'a, T> {
    reference: &'a ObjectRef<T>,
    over: Option<Arc<Countdown>>,
}

impl<'a, T> Settled<'a, T> {
    fn of(reference: &'a ObjectRef<T>) -> Self {
        Self { reference, over: None }
    }
}

impl<T> Future for Settled<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { reference, over } = &mut *self;
        if reference.cell.is_at_hand() {
            return Poll::Ready(());
        }
        let one = std::slice::from_ref(*reference);
        over.get_or_insert_with(|| gather::subscribe(one, 1, false, Needs::Memory)).poll(cx)
    }
}

impl<T> Drop for Settled<'_, T> {
    fn drop(&mut self) {
        if let Some(over) = self.over.take() {
            self.reference.cell.unsubscribe(&over);
        }
    }
}

impl<T: Value> Future for ObjectRef<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        loop {
            ready!(self.cell.poll_settled(cx));
            let read = self.cell.take();
            if !is_again(&read) {
                return Poll::Ready(read);
            }
        }
    }
}

impl<T: Value> Future for &ObjectRef<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        loop {
            ready!(self.cell.poll_settled(cx));
            let read = self.cell.copy();
            if !is_again(&read) {
                return Poll::Ready(read);
            }
        }
    }
}

impl<T> Clone for ObjectRef<T> {
    fn clone(&self) -> Self {
        self.cell.hold();
        Self { cell: Arc::clone(&self.cell) }
    }
}

impl<T> Drop for ObjectRef<T> {
    fn drop(&mut self) {
        self.cell.release();
    }
}

/// Two references are equal when they mean the same object.
impl<T> PartialEq for ObjectRef<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cell, &other.cell)
    }
}

impl<T> Eq for ObjectRef<T> {}

impl<T> fmt::Debug for ObjectRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectRef({:?})", self.cell)
    }
}

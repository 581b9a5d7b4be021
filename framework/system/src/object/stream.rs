//! Streams: results one after the other, from a body that is never far ahead of its reader.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use raytree_supervise::panics;
use raytree_types::codec::Codec;
use raytree_types::{Error, Result};
use tokio::sync::mpsc;

use super::cell::ObjectCell;
use super::reference::ObjectRef;
use super::seen::Source;
use super::{Value, travel};
use crate::runtime::life::Life;
use crate::task::block;
use crate::task::context::{self, Waiting};
use crate::task::failure::Failure;

/// The items of a task or method that returns an iterator or a stream, as they are made. The body is never more than
/// its window ahead (`TaskOptions::window`). Dropping the stream ends the body at its next item.
///
/// A failure of the body is the last item; after it, as after the last item of a body that succeeds, comes `None`.
#[must_use = "the body ends when its stream is dropped"]
pub struct ObjectStream<T> {
    items: mpsc::Receiver<T>,
    /// Settled when the body has ended; none once that was told.
    end: Option<ObjectRef<()>>,
    waits: Option<Waiting>,
    life: &'static Life,
}

/// Where a body puts its items.
pub struct Sink<T> {
    items: mpsc::Sender<T>,
    life: &'static Life,
    codec: Codec,
}

/// The reader is gone.
const UNREAD: &str = "its stream";

impl<T: Value> Sink<T> {
    /// Puts an item in, waiting for room.
    ///
    /// # Errors
    /// When nobody reads any more, or the item cannot travel.
    pub async fn put(&self, item: T) -> Result<(), Failure> {
        check_wanted()?;
        let item = travel::through(self.life, self.codec, item)?;
        // A free place needs no wait.
        let item = match self.items.try_send(item) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Full(item)) => item,
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(unread().into()),
        };
        let _waits = Waiting::begin();
        self.items.send(item).await.map_err(|_| unread().into())
    }

    /// As [`Sink::put`], blocking this thread; a task that waits here lends its CPU.
    ///
    /// # Errors
    /// As for [`Sink::put`].
    pub fn put_blocking(&self, item: T) -> Result<(), Failure> {
        check_wanted()?;
        let item = travel::through(self.life, self.codec, item)?;
        let item = match self.items.try_send(item) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Full(item)) => item,
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(unread().into()),
        };
        let send = async { self.items.send(item).await.map_err(|_| unread().into()) };
        block::on(UNREAD, UNREAD, &mut std::pin::pin!(send))?
    }
}

/// A body that was given up makes nothing more, though its stream may still be read.
fn check_wanted() -> Result<()> {
    let is_given_up = context::task().is_some_and(|task| task.is_given_up());
    if is_given_up { Err(unread()) } else { Ok(()) }
}

fn unread() -> Error {
    Error::Cancelled { task: UNREAD.to_owned() }
}

/// A stream, its sink, and the object that says how the body ended.
pub(crate) fn pair<T>(
    source: impl Into<Source>,
    life: &'static Life,
    codec: Codec,
    window: usize,
) -> (ObjectStream<T>, Sink<T>, Arc<ObjectCell<()>>) {
    let (sender, items) = mpsc::channel(window);
    let end = ObjectCell::pending(source, life);
    let stream =
        ObjectStream { items, end: Some(ObjectRef::first(Arc::clone(&end))), waits: None, life };
    (stream, Sink { items: sender, life, codec }, end)
}

impl<T: Value> ObjectStream<T> {
    /// The next item.
    ///
    /// # Cancel safety
    /// No item is lost when the future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<Result<T>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next item, blocking this thread.
    ///
    /// # Errors
    /// [`Error::BlockingInAsync`] in async code; else the item itself may be the error of the body.
    pub fn next_blocking(&mut self) -> Option<Result<T>> {
        match block::on("next_blocking()", "next().await", &mut Box::pin(self.next())) {
            Ok(item) => item,
            Err(error) => Some(Err(error)),
        }
    }

    /// The same items as references, to be passed on.
    #[track_caller]
    pub fn refs(self) -> impl Stream<Item = ObjectRef<T>> + Unpin {
        let (life, source) = (self.life, Source::here("stream item"));
        futures_util::StreamExt::map(self, move |item| {
            ObjectRef::first(match item {
                Ok(value) => ObjectCell::ready(source, life, value),
                Err(error) => ObjectCell::failed(source, life, error),
            })
        })
    }

    /// Waits until the actor's life has ended that its body ran in: with which error.
    pub(crate) fn lost(&self) -> impl Future<Output = Error> + Send + use<T> {
        let end = self.end.clone();
        async move {
            if let Some(end) = end
                && let Err(error @ Error::ActorDied { .. }) = end.await
            {
                return error;
            }
            std::future::pending().await
        }
    }

    /// The body is no longer wanted; nor is what it started.
    pub fn cancel(&self) {
        if let Some(end) = &self.end {
            end.cancel();
        }
    }
}

impl<T> Unpin for ObjectStream<T> {}

impl<T: Value> Stream for ObjectStream<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        // Its end was told: what a body that was given up still makes is nobody's.
        let Some(end) = &self.end else { return Poll::Ready(None) };
        if end.is_ready() {
            // A body that was given up, and waits for room, would go on for as long as somebody reads.
            self.items.close();
        }
        let mut next = self.items.poll_recv(cx);
        if next.is_pending() {
            // A body that was given up may run on, out of reach: its end is told before it is gone.
            let ended = self.end.as_ref().is_some_and(|end| end.cell.poll_beside(cx).is_ready());
            if !ended {
                if self.waits.is_none() {
                    self.waits = Waiting::begin();
                }
                return Poll::Pending;
            }
            // Nothing more gets in; what did so meanwhile still counts.
            self.items.close();
            next = self.items.poll_recv(cx);
        }
        self.waits = None;
        // Without an answer also when this poll has done enough for now: there may be an item left.
        if let Some(item) = ready!(next) {
            return Poll::Ready(Some(Ok(item)));
        }
        let Some(end) = &self.end else { return Poll::Ready(None) };
        ready!(end.cell.poll_settled(cx));
        let failed = end.cell.copy().err();
        self.end = None;
        Poll::Ready(failed.map(Err))
    }
}

impl<T> Drop for ObjectStream<T> {
    fn drop(&mut self) {
        // The body is waiting for room, or is between two items: it ends where it is.
        if let Some(end) = self.end.take() {
            end.cancel();
        }
        self.items.close();
        while let Ok(item) = self.items.try_recv() {
            // The user's drop: a panic in it must not reach whoever let go of the stream.
            if let Err(cause) = panics::catch(|| drop(item)) {
                tracing::error!("dropping an item of a stream panicked: {cause}");
            }
        }
    }
}

impl<T> fmt::Debug for ObjectStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStream").field("end", &self.end).finish_non_exhaustive()
    }
}

impl<T> Clone for Sink<T> {
    fn clone(&self) -> Self {
        Self { items: self.items.clone(), life: self.life, codec: self.codec }
    }
}

impl<T> fmt::Debug for Sink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

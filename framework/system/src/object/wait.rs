//! Waiting for some of many.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use raytree_types::{Error, Result};
use tokio::time::Sleep;

use super::countdown::Countdown;
use super::gather::{IntoRef, subscribe};
use super::reference::ObjectRef;
use super::waiter::Needs;
use crate::task::block;

/// Waits for some of many references, by default for one: `wait(refs).count(10).timeout(d).await?`.
///
/// A reference is ready when it has its value or its error. Of each call at most `count` are given as ready, the first
/// in order; when the time is over, those that are ready by then.
pub fn wait<T, R: IntoRef<T>>(refs: impl IntoIterator<Item = R>) -> Wait<T> {
    let refs = refs.into_iter().map(IntoRef::into_ref).collect();
    Wait { refs, count: 1, limit: None, state: None }
}

/// A wait for some of many references: a future. See [`wait`].
#[must_use = "nothing is waited for before it is awaited"]
pub struct Wait<T> {
    refs: Vec<ObjectRef<T>>,
    count: usize,
    limit: Option<Duration>,
    state: Option<State>,
}

struct State {
    over: Arc<Countdown>,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// What a wait found, both in the order of the references given.
#[derive(Debug)]
pub struct Waited<T> {
    /// Those with a value or an error, at most as many as were asked for.
    pub ready: Vec<ObjectRef<T>>,
    /// All others.
    pub pending: Vec<ObjectRef<T>>,
}

impl<T> Wait<T> {
    /// How many to wait for. Default 1; more than there are means all of them.
    pub fn count(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// How long to wait at most. Default: for ever. Zero asks without waiting.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Waits, blocking this thread.
    ///
    /// # Errors
    /// [`Error::BlockingInAsync`] in async code, [`Error::TooManyThreads`] as for [`ObjectRef::get`].
    pub fn get(mut self) -> Result<Waited<T>> {
        block::on("wait(..).get()", "wait(..).await", &mut self)?
    }

    /// The answer if there is one now, or if there is to be one whatever it is.
    fn found(&mut self, now: bool) -> Option<Waited<T>> {
        let count = self.count.min(self.refs.len());
        let mut seen = 0;
        // Where the last of those that are given lies.
        let last = self.refs.iter().position(|reference| {
            seen += usize::from(seen < count && reference.is_ready());
            seen >= count
        });
        if last.is_none() && !now {
            return None;
        }
        let (mut ready, mut pending) = (Vec::with_capacity(count), Vec::new());
        if count == 1
            && let Some(only) = last
        {
            ready.push(self.refs.remove(only));
            pending = std::mem::take(&mut self.refs);
            return Some(Waited { ready, pending });
        }
        pending.reserve(self.refs.len() - seen);
        for reference in self.refs.drain(..) {
            let give = ready.len() < count && reference.is_ready();
            if give { &mut ready } else { &mut pending }.push(reference);
        }
        Some(Waited { ready, pending })
    }

    /// Nobody need tell it any more.
    fn leave(&mut self) {
        if let Some(State { over, .. }) = self.state.take() {
            self.refs.iter().for_each(|reference| reference.cell.unsubscribe(&over));
        }
    }

    fn begin(&self) -> Result<State> {
        let count = self.count.min(self.refs.len());
        let over = subscribe(&self.refs, count, false, Needs::Value);
        let late = self.refs.iter().find(|reference| !reference.is_ready());
        let sleep = match (self.limit, late) {
            (Some(limit), Some(late)) => {
                let runtime = late.cell.life.runtime().ok_or_else(|| late.cell.life.gone())?;
                let _entered = runtime.user.enter();
                Some(Box::pin(tokio::time::sleep(limit)))
            }
            _ => None,
        };
        Ok(State { over, sleep })
    }
}

impl<T> Drop for Wait<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

// Nothing in it is pinned in place.
impl<T> Unpin for Wait<T> {}

impl<T> Future for Wait<T> {
    type Output = Result<Waited<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut now = self.limit == Some(Duration::ZERO);
        if self.state.is_none() {
            if let Some(found) = self.found(now) {
                return Poll::Ready(Ok(found));
            }
            self.state = Some(self.begin()?);
        }
        if let Some(State { over, sleep }) = &mut self.state {
            // First what is waited for: the clock of a runtime that has ended must not be asked.
            if over.poll(cx).is_pending() {
                now |= sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
                if !now {
                    return Poll::Pending;
                }
            }
        }
        self.leave();
        match self.found(true) {
            Some(found) => Poll::Ready(Ok(found)),
            None => Poll::Ready(Err(Error::ObjectTaken { object: "wait".to_owned() })),
        }
    }
}

impl<T> fmt::Debug for Wait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("refs", &self.refs.len())
            .field("count", &self.count)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

//! Waiting for several objects at once.
//!
//! Invariants:
//! - **CD-1 (woken-once-it-is-over):** whoever polled it last before it was over is woken when it is.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::sync::{AtomicIsize, Mutex, Ordering};
use crate::task::context::{By, Waiting};

/// Wakes one future after several objects, not after each.
#[derive(Debug)]
pub(crate) struct Countdown {
    left: AtomicIsize,
    /// One failure is enough.
    hasty: bool,
    waker: Mutex<Option<(Waker, Option<Waiting>)>>,
}

impl Countdown {
    /// Wakes after `left` objects; with `hasty`, after the first that fails.
    pub(crate) fn new(left: usize, hasty: bool) -> Arc<Self> {
        let left = AtomicIsize::new(isize::try_from(left).unwrap_or(isize::MAX));
        Arc::new(Self { left, hasty, waker: Mutex::new(None) })
    }

    /// Ready when it is over.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut waker = self.waker.lock();
        if self.left.load(Ordering::Acquire) <= 0 {
            return Poll::Ready(());
        }
        if !waker.as_ref().is_some_and(|(waker, _)| waker.will_wake(cx.waker())) {
            *waker = Some((cx.waker().clone(), Waiting::begin()));
        }
        By::awaits();
        Poll::Pending
    }

    pub(crate) fn tell(&self, ok: bool) {
        let enough = if self.hasty && !ok {
            self.left.store(0, Ordering::Release);
            true
        } else {
            self.left.fetch_sub(1, Ordering::AcqRel) == 1
        };
        if enough {
            // The lock orders this after a poll that has just found it not over.
            let waker = self.waker.lock().take();
            if let Some((waker, waiting)) = waker {
                drop(waiting);
                waker.wake();
            }
        }
    }
}

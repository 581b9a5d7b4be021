//! Those who wait for objects.

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::task::context::Waiting;

/// Who is told when an object is settled.
pub(crate) enum Waiter {
    /// A future. The second part counts as one wait of the task it belongs to.
    Waker(Waker, Option<Waiting>),
    /// Something that waits for several objects.
    Countdown(Arc<Countdown>),
    /// A task or a call whose argument this is.
    Dependent(Arc<dyn Dependent>),
}

/// A task or a call that waits for its arguments.
pub(crate) trait Dependent: Send + Sync {
    /// One more argument is settled.
    fn argument(self: Arc<Self>, ok: bool);
}

impl Waiter {
    /// The future that is polled now.
    pub(crate) fn waker(waker: Waker) -> Self {
        Self::Waker(waker, Waiting::begin())
    }

    pub(crate) fn will_wake(&self, other: &Waker) -> bool {
        matches!(self, Self::Waker(waker, _) if waker.will_wake(other))
    }

    pub(crate) fn is(&self, countdown: &Arc<Countdown>) -> bool {
        matches!(self, Self::Countdown(own) if Arc::ptr_eq(own, countdown))
    }

    pub(crate) fn tell(self, ok: bool) {
        match self {
            Self::Waker(waker, waiting) => {
                drop(waiting);
                waker.wake();
            }
            Self::Countdown(countdown) => countdown.tell(ok),
            Self::Dependent(dependent) => dependent.argument(ok),
        }
    }
}

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

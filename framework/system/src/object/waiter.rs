//! Those who wait for objects.

use std::sync::Arc;
use std::task::Waker;

use super::countdown::Countdown;
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

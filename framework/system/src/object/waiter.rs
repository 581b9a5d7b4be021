//! Those who wait for objects.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use raytree_objects::Need;

use super::countdown::Countdown;
use crate::runtime::Shared;
use crate::task::args::Settled;
use crate::task::context::{By, Waiting};

/// Who is told when an object is settled.
pub(crate) enum Waiter {
    /// A future. The second part counts as one wait of the task it belongs to; the third says whose code it is.
    Waker(Waker, Option<Waiting>, Option<By>),
    /// Something that waits for several objects.
    Countdown(Arc<Countdown>, Needs),
    /// A task or a call whose argument this is.
    Dependent(Arc<dyn Dependent>, Needs),
}

/// What somebody needs of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// That it is settled, wherever its value is.
    Outcome,
    /// Its value, to be sent: in memory, or in the store of another node.
    Value,
    /// Its value, in memory.
    Memory,
}

impl Needs {
    /// Of one whose arguments these are: where others run what is submitted, they read them.
    pub(crate) fn of_arguments(runtime: Option<&Shared>) -> Self {
        let goes_elsewhere = runtime.is_some_and(|runtime| runtime.peers.any());
        if goes_elsewhere { Self::Value } else { Self::Memory }
    }

    /// Whether that is there.
    pub(crate) fn has(self, settled: &dyn Settled) -> bool {
        match self {
            Self::Memory => settled.is_at_hand(),
            Self::Value | Self::Outcome => settled.can_be_sent(),
        }
    }
}

/// A task or a call that waits for its arguments.
pub(crate) trait Dependent: Send + Sync {
    /// One more argument is settled.
    fn argument(self: Arc<Self>, ok: bool);
}

impl Dependent for Countdown {
    fn argument(self: Arc<Self>, ok: bool) {
        self.tell(ok);
    }
}

impl Waiter {
    /// The future that is polled now.
    pub(crate) fn waker(waker: Waker) -> Self {
        Self::Waker(waker, Waiting::begin(), By::awaits())
    }

    /// What it is to be told of.
    pub(crate) fn needs(&self) -> Needs {
        match self {
            Self::Waker(..) => Needs::Memory,
            Self::Countdown(_, needs) | Self::Dependent(_, needs) => *needs,
        }
    }

    /// How much it needs what is elsewhere.
    pub(super) fn need(&self) -> Need {
        match self {
            Self::Dependent(..) => Need::Ahead,
            Self::Waker(..) | Self::Countdown(..) => Need::Wait,
        }
    }

    pub(crate) fn will_wake(&self, other: &Waker) -> bool {
        matches!(self, Self::Waker(waker, ..) if waker.will_wake(other))
    }

    /// It is waited for again, or still.
    pub(crate) fn is_polled(&mut self) {
        let now = By::awaits();
        if let Self::Waker(_, _, by @ Some(_)) = self {
            *by = now;
        }
    }

    /// Whose code waits.
    pub(crate) fn by(&self) -> Option<By> {
        if let Self::Waker(_, _, by) = self { *by } else { None }
    }

    pub(crate) fn is(&self, countdown: &Arc<Countdown>) -> bool {
        matches!(self, Self::Countdown(own, _) if Arc::ptr_eq(own, countdown))
    }

    fn tell(self, ok: bool) {
        match self {
            Self::Waker(waker, waiting, _) => {
                drop(waiting);
                waker.wake();
            }
            Self::Countdown(countdown, _) => countdown.tell(ok),
            Self::Dependent(dependent, _) => dependent.argument(ok),
        }
    }
}

thread_local! {
    /// Those who are still to be told on this thread, while somebody is.
    static LINE: RefCell<Option<VecDeque<(Waiter, bool)>>> = const { RefCell::new(None) };
}

/// Ends the telling on this thread, also when somebody panics on being told.
struct Telling;

impl Drop for Telling {
    fn drop(&mut self) {
        let rest = LINE.take();
        drop(rest);
    }
}

/// From now on nobody is told on this thread before [`tell_gathered`].
pub(crate) fn gather() {
    LINE.set(Some(VecDeque::new()));
}

/// Somebody is to be told.
pub(crate) fn are_gathered() -> bool {
    LINE.with_borrow(|line| line.as_ref().is_some_and(|line| !line.is_empty()))
}

/// Tells those who were to be told since; whether there was anybody.
pub(crate) fn tell_gathered() -> bool {
    let next = || LINE.with_borrow_mut(|line| line.as_mut().and_then(VecDeque::pop_front));
    let mut was_anybody = false;
    while let Some((waiter, ok)) = next() {
        was_anybody = true;
        waiter.tell(ok);
    }
    was_anybody
}

/// On this thread everybody is told at once again.
pub(crate) fn gather_no_more() {
    // After the borrow: it may hold the last count of something.
    drop(LINE.take());
}

/// Tells all of them. Whoever is told may settle another object; those who wait for that one are told after him and not
/// inside of him, so that a failure runs down a chain of any length on a small stack.
pub(crate) fn tell_all(waiters: Vec<Waiter>, ok: bool) {
    if waiters.is_empty() {
        return;
    }
    if LINE.try_with(|_| ()).is_err() {
        // This thread is ending.
        return waiters.into_iter().for_each(|waiter| waiter.tell(ok));
    }
    let first = LINE.with_borrow_mut(|line| {
        let first = line.is_none();
        let told = waiters.into_iter().map(|waiter| (waiter, ok));
        line.get_or_insert_default().extend(told);
        first
    });
    if !first {
        return;
    }
    let _telling = Telling;
    tell_gathered();
}

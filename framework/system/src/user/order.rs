//! Calls of one caller, kept in order while some of them wait for their arguments.
//!
//! A call whose argument is lost while it is in the mailbox comes back into the line, and waits there for that being made again. Those of the
//! same caller that are in the mailbox behind it come back as well, one after the other as their turns come, until it has begun.
//!
//! Invariants:
//! - **OR-1 (in-order):** calls reach the mailbox in the order in which they were made, whichever has its arguments first; and begin in it,
//!   also where some of them come back.
//! - **OR-2 (own-line):** a call waits only for earlier calls of the same caller.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// A call that may have to wait.
pub(crate) trait Deferred: Send + Sync {
    /// Its arguments are all there.
    fn is_complete(&self) -> bool;
    /// It is over: nobody waits for it any more.
    fn is_over(&self) -> bool;
    /// Sends it to the actor.
    fn send(self: Arc<Self>);
}

/// The line of one caller.
#[derive(Default)]
pub(crate) struct Order {
    /// Calls in the line, the one included that is being sent.
    len: AtomicUsize,
    /// Calls that came back and have not begun since.
    back: AtomicUsize,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    calls: VecDeque<Arc<dyn Deferred>>,
    /// Those that came back and have not begun since, in the order in which they were made; in this line, or in the mailbox again.
    back: VecDeque<Id>,
    /// Somebody is at it.
    sending: bool,
}

/// Which call it is: where it is in memory, as long as it is not over.
type Id = usize;

fn id<D: Deferred + ?Sized>(call: &D) -> Id {
    std::ptr::from_ref(call).cast::<()>().addr()
}

impl Line {
    fn place_of(&self, id: Id) -> Option<usize> {
        self.back.iter().position(|back| *back == id)
    }
}

impl Order {
    /// Nobody waits: a call with all its arguments may go at once.
    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Acquire) == 0
    }

    pub(crate) fn push(&self, call: Arc<dyn Deferred>) {
        self.len.fetch_add(1, Ordering::AcqRel);
        self.line.lock().calls.push_back(call);
    }

    /// One that has its arguments may begin: no earlier one has come back and waits.
    pub(crate) fn may_begin<D: Deferred>(&self, call: &D) -> bool {
        self.back.load(Ordering::Acquire) == 0
            || self.line.lock().back.front().is_none_or(|first| *first == id(call))
    }

    /// One comes back from the mailbox, before those that were not sent yet. False where it is over, and does not.
    pub(crate) fn comes_back(&self, call: Arc<dyn Deferred>) -> bool {
        let mut line = self.line.lock();
        // Under the lock: whoever ends it says so afterwards, and takes it out again.
        if call.is_over() {
            return false;
        }
        let own = line.place_of(id(&*call)).unwrap_or_else(|| {
            line.back.push_back(id(&*call));
            line.back.len() - 1
        });
        self.back.store(line.back.len(), Ordering::Release);
        let is_before = |other: &Arc<dyn Deferred>| {
            other.is_over() || line.place_of(id(&**other)).is_some_and(|at| at < own)
        };
        let at = line.calls.iter().take_while(|other| is_before(other)).count();
        self.len.fetch_add(1, Ordering::AcqRel);
        line.calls.insert(at, call);
        true
    }

    /// One that came back begins, or is over: those behind it need not wait for it any more.
    pub(crate) fn goes_on<D: Deferred>(&self, call: &D) {
        let mut line = self.line.lock();
        if let Some(at) = line.place_of(id(call)) {
            line.back.remove(at);
            self.back.store(line.back.len(), Ordering::Release);
        }
    }

    /// Sends those at the front that are complete (OR-1).
    pub(crate) fn advance(&self) {
        let mut line = self.line.lock();
        if line.sending {
            // That one looks again before he goes.
            return;
        }
        line.sending = true;
        while line.calls.front().is_some_and(|call| call.is_complete()) {
            let Some(call) = line.calls.pop_front() else { break };
            // Sending may tell others, who may call again through this very handle.
            drop(line);
            call.send();
            self.len.fetch_sub(1, Ordering::AcqRel);
            line = self.line.lock();
        }
        line.sending = false;
    }
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("len", &self.len).finish_non_exhaustive()
    }
}

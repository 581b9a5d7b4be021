//! Calls of one caller, kept in order while some of them wait for their arguments.
//!
//! A call whose argument is lost while it is in the mailbox comes back into the line, and waits there for that being made again. Those of the
//! same caller that are in the mailbox behind it come back as well, one after the other as their turns come, until it has begun. One that was
//! made before it and is made again, because the life that had it has ended, does not wait for it.
//!
//! Invariants:
//! - **OR-1 (in-order):** calls reach the mailbox in the order in which they were made, whichever has its arguments first; and begin in it,
//!   also where some of them come back.
//! - **OR-2 (own-line):** a call waits only for earlier calls of the same caller. Calls that have come from one other process are those of one
//!   caller: they have their arguments before they are sent, as far as can be seen there, and wait here only for one that has to be fetched.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

/// A call that may have to wait.
pub(crate) trait Deferred: Send + Sync {
    /// As how many-th of its caller it was made ([`Order::number`]).
    fn number(&self) -> u64;
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
    /// Calls that were made.
    made: AtomicU64,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    calls: VecDeque<Arc<dyn Deferred>>,
    /// Those that came back and have not begun since, by their numbers; in this line, or in the mailbox again.
    back: BTreeSet<u64>,
    /// Somebody is at it.
    sending: bool,
}

impl Order {
    /// Nobody waits: a call with all its arguments may go at once.
    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Acquire) == 0
    }

    /// Of the next call.
    pub(crate) fn number(&self) -> u64 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn push(&self, call: Arc<dyn Deferred>) {
        self.len.fetch_add(1, Ordering::AcqRel);
        self.line.lock().calls.push_back(call);
    }

    /// One that has its arguments may begin: no earlier one has come back and waits.
    pub(crate) fn may_begin<D: Deferred>(&self, call: &D) -> bool {
        self.back.load(Ordering::Acquire) == 0
            || self.line.lock().back.first().is_none_or(|first| call.number() <= *first)
    }

    /// One comes back from the mailbox, before those that were not sent yet. False where it is over, and does not.
    pub(crate) fn comes_back(&self, call: Arc<dyn Deferred>) -> bool {
        let mut line = self.line.lock();
        // Under the lock: whoever ends it says so afterwards, and takes it out again.
        if call.is_over() {
            return false;
        }
        line.back.insert(call.number());
        self.back.store(line.back.len(), Ordering::Release);
        let is_before = |other: &Arc<dyn Deferred>| other.number() < call.number();
        let at = line.calls.iter().take_while(|other| is_before(other)).count();
        self.len.fetch_add(1, Ordering::AcqRel);
        line.calls.insert(at, call);
        true
    }

    /// One that came back begins, or is over: those behind it need not wait for it any more.
    pub(crate) fn goes_on<D: Deferred>(&self, call: &D) {
        let mut line = self.line.lock();
        if line.back.remove(&call.number()) {
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

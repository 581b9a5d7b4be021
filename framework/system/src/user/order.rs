//! Calls of one caller, kept in order while some of them wait for their arguments.
//!
//! Invariants:
//! - **OR-1 (in-order):** calls reach the mailbox in the order in which they were made, whichever has its arguments first.
//! - **OR-2 (own-line):** a call waits only for earlier calls of the same caller.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// A call that may have to wait.
pub(crate) trait Deferred: Send + Sync {
    /// Its arguments are all there.
    fn is_complete(&self) -> bool;
    /// Sends it to the actor.
    fn send(self: Arc<Self>);
}

/// The line of one caller.
#[derive(Default)]
pub(crate) struct Order {
    /// Calls in the line, the one included that is being sent.
    len: AtomicUsize,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    calls: VecDeque<Arc<dyn Deferred>>,
    /// Somebody is at it.
    sending: bool,
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

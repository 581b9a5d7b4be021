//! Who may wait for a store to make room, and how.

use std::cell::Cell;

use tokio::runtime::{Handle, RuntimeFlavor};

thread_local! {
    static IS_IMPATIENT: Cell<bool> = const { Cell::new(false) };
}

/// This thread never waits until a store has made room: others wait for it, or it is the one that makes the store go on. What does not fit at
/// once is refused.
pub fn impatient() {
    IS_IMPATIENT.set(true);
}

/// Whether this thread is one of those.
#[must_use]
pub fn is_impatient() -> bool {
    IS_IMPATIENT.get()
}

/// Waits, long perhaps. Where this thread works off tasks, others do so meanwhile.
pub(crate) fn waits<T>(wait: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(wait)
        }
        _ => wait(),
    }
}

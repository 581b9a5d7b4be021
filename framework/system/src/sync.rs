//! What the lock-free parts are made of. They name nothing else, so that a test can put a scheduler of its own under
//! them and try every order of their steps.

pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicIsize, AtomicU64, AtomicUsize, Ordering,
};

use crossbeam_deque::{Injector, Steal};
pub(crate) use parking_lot::Mutex;

/// A queue that any number of threads push to and pop from.
pub(crate) struct Queue<T>(Injector<T>);

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Injector::new())
    }
}

impl<T> Queue<T> {
    pub(crate) fn push(&self, item: T) {
        self.0.push(item);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        loop {
            match self.0.steal() {
                Steal::Success(item) => return Some(item),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

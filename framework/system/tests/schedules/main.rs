//! The lock-free parts under a scheduler that tries many orders of their steps: the very files of the crate, on other
//! atomics.

#[path = "../../src/object/countdown.rs"]
mod countdown;
#[path = "../../src/worker/lane.rs"]
#[expect(dead_code, reason = "a story uses a part of each file")]
mod lane;
#[path = "../../src/node/ledger.rs"]
#[expect(dead_code, reason = "a story uses a part of each file")]
mod ledger;
mod stories;

mod node {
    pub(crate) use crate::ledger;
}

mod task {
    pub(crate) mod context {
        /// Lending CPUs is not part of these stories.
        #[derive(Debug)]
        pub(crate) struct Waiting;

        impl Waiting {
            pub(crate) fn begin() -> Option<Self> {
                None
            }
        }

        impl Drop for Waiting {
            fn drop(&mut self) {}
        }

        /// Nor are actors.
        pub(crate) struct By;

        impl By {
            pub(crate) fn awaits() -> Option<Self> {
                None
            }
        }
    }
}

/// The crate's `sync`, on the scheduler's own atomics and locks.
mod sync {
    use std::collections::VecDeque;
    use std::fmt;

    pub(crate) use shuttle::sync::atomic::{
        AtomicBool, AtomicI64, AtomicIsize, AtomicU64, AtomicUsize, Ordering,
    };

    #[derive(Default)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> shuttle::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }

    impl<T> fmt::Debug for Mutex<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Mutex")
        }
    }

    pub(crate) struct Queue<T>(Mutex<VecDeque<T>>);

    impl<T> Default for Queue<T> {
        fn default() -> Self {
            Self(Mutex::new(VecDeque::new()))
        }
    }

    impl<T> Queue<T> {
        pub(crate) fn push(&self, item: T) {
            self.0.lock().push_back(item);
        }

        pub(crate) fn pop(&self) -> Option<T> {
            self.0.lock().pop_front()
        }

        pub(crate) fn len(&self) -> usize {
            self.0.lock().len()
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.0.lock().is_empty()
        }
    }
}

//! The places where the tests end a process, as `kill -9` would in that very moment.

/// Does nothing, except in the tests of this crate.
#[cfg(not(test))]
pub(super) fn point(_name: &str) {}

#[cfg(test)]
pub(super) use in_tests::{VARIABLE, point};

#[cfg(test)]
mod in_tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    /// Names the place, and which time it is passed: `chunk:3`.
    pub(in super::super) const VARIABLE: &str = "RAYTREE_TEST_CRASH";

    pub(in super::super) fn point(name: &str) {
        static PASSED: AtomicUsize = AtomicUsize::new(0);
        let Ok(wanted) = std::env::var(VARIABLE) else { return };
        let (place, time) = wanted.split_once(':').expect("a place and a number");
        let time: usize = time.parse().expect("a number");
        if place == name && PASSED.fetch_add(1, Ordering::Relaxed) == time {
            kill_process(getpid(), Signal::KILL).expect("it is this process");
        }
    }
}

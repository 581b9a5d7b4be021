//! Which synchronous methods hold their thread for long, learned from how long they took.
//!
//! A method that computes little runs where its actor runs, which costs nothing. One that sleeps, reads a file or
//! computes for long there would hold up other people's async code, and what it wakes before it returns. Nobody has to
//! say which is which: a method whose last runs were slow, and one that never ran yet, hands its thread's other work
//! over first, as one marked `blocking` always does. That costs some microseconds, a small part of what is slow.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_supervise::clock;

/// A run that takes longer is slow: many times what handing over costs, and short for those who wait behind it.
const SLOW: Duration = Duration::from_micros(500);
/// Swift runs in a row after which a method that was slow is swift again.
const TRUST: u8 = 16;

/// What is known of one method, of all actors of its type.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Swift runs that it still owes.
    owed: AtomicU8,
}

impl Pace {
    /// The next run may hold its thread for long.
    pub(crate) fn is_slow(&self) -> bool {
        self.owed.load(Ordering::Relaxed) > 0
    }

    /// Runs it, and learns from it.
    pub(crate) fn timed<T>(&self, run: impl FnOnce() -> T) -> T {
        let begun = clock::instant();
        let returned = run();
        self.took(begun.elapsed());
        returned
    }

    fn took(&self, time: Duration) {
        let owed = self.owed.load(Ordering::Relaxed);
        let owes = if time > SLOW { TRUST } else { owed.saturating_sub(1) };
        // Written when it changes: all threads that run actors of this type read it.
        if owes != owed {
            self.owed.store(owes, Ordering::Relaxed);
        }
    }
}

impl Default for Pace {
    /// A method that never ran: one swift run is enough.
    fn default() -> Self {
        Self { owed: AtomicU8::new(1) }
    }
}

/// What is known of each method of each actor type. Kept for the life of the process: as many as the program has methods.
static KNOWN: LazyLock<Mutex<HashMap<(TypeId, &'static str), &'static Pace>>> =
    LazyLock::new(Mutex::default);

/// The paces of one actor's methods, found without a lock from the second call on.
#[derive(Debug, Default)]
pub(crate) struct Paces(Vec<(&'static str, &'static Pace)>);

impl Paces {
    /// What is known of this method of the actor type `T`.
    pub(crate) fn of<T: 'static>(&mut self, method: &'static str) -> &'static Pace {
        if let Some((_, pace)) = self.0.iter().find(|(name, _)| std::ptr::eq(*name, method)) {
            return pace;
        }
        let mut known = KNOWN.lock();
        let pace =
            *known.entry((TypeId::of::<T>(), method)).or_insert_with(|| Box::leak(Box::default()));
        self.0.push((method, pace));
        pace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWIFT: Duration = Duration::from_micros(20);

    #[test]
    fn a_method_that_never_ran_may_be_slow_and_one_swift_run_is_enough() {
        let pace = Pace::default();
        assert!(pace.is_slow());
        pace.took(SWIFT);
        assert!(!pace.is_slow());
    }

    #[test]
    fn one_slow_run_outweighs_many_swift_ones() {
        let pace = Pace::default();
        (0..1000).for_each(|_| pace.took(SWIFT));
        pace.took(SLOW + SWIFT);
        for _ in 0..TRUST {
            assert!(pace.is_slow());
            pace.took(SWIFT);
        }
        assert!(!pace.is_slow());
    }

    #[test]
    fn methods_of_two_types_are_two_methods() {
        struct One;
        struct Other;
        Paces::default().of::<One>("run").took(SWIFT);
        let mut paces = Paces::default();
        assert!(!paces.of::<One>("run").is_slow());
        assert!(paces.of::<One>("walk").is_slow());
        assert!(Paces::default().of::<Other>("run").is_slow());
    }
}

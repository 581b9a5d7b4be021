//! Synchronous code of actors on the threads that run everybody's async code: which of it holds its thread for long, learned
//! from how long it took.
//!
//! A method that computes little runs where its actor runs, which costs nothing. One that sleeps, reads a file or
//! computes for long there would hold up other people's async code, and what it wakes before it returns. Nobody has to
//! say which is which: a method whose last runs were slow, and one that never ran yet, hands its thread's other work
//! over first. That costs some microseconds, a small part of what is slow. A method that was swift so far and then
//! blocks is found out only afterwards, and where as many as may hold a thread already the next one does so in place:
//! a promise is only what is marked `blocking`.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_supervise::clock;
use tokio::sync::OwnedSemaphorePermit;

use crate::user::status::Cell;

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
    /// What is known of this method of the actor type `T`.
    pub(crate) fn of<T: 'static>(method: &'static str) -> &'static Self {
        let mut known = KNOWN.lock();
        known.entry((TypeId::of::<T>(), method)).or_insert_with(|| Box::leak(Box::default()))
    }

    /// The next run may hold its thread for long.
    pub(crate) fn is_slow(&self) -> bool {
        self.owed.load(Ordering::Relaxed) > 0
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
        let pace = Pace::of::<T>(method);
        self.0.push((method, pace));
        pace
    }
}

/// How one synchronous body is run.
pub(crate) struct Hold {
    pace: Option<&'static Pace>,
    leave: Leave,
}

/// Leave to hold a thread for long.
enum Leave {
    None,
    /// Its author said that it blocks.
    Marked(#[expect(dead_code, reason = "given back when it is dropped")] OwnedSemaphorePermit),
    /// It may be slow. What would fail in a body that runs in place fails here too: it is no promise.
    Slow(#[expect(dead_code, reason = "given back when it is dropped")] OwnedSemaphorePermit),
}

impl Hold {
    /// For a body of this actor, whose turn it is: one that is marked waits for leave, one that may be slow has it unless
    /// too many have.
    pub(crate) async fn of(cell: &Cell, is_marked: bool, pace: Option<&'static Pace>) -> Self {
        if !is_marked {
            return Self::at_once(cell, pace);
        }
        // Without the runtime nobody waits for the answer; and the semaphore is never closed.
        let marked = cell.runtime.upgrade().map(|runtime| Arc::clone(&runtime.blocking));
        let leave = match marked {
            Some(marked) => marked.acquire_owned().await.map_or(Leave::None, Leave::Marked),
            None => Leave::None,
        };
        Self { pace, leave }
    }

    /// As [`Self::of`], for a body that is not marked.
    pub(crate) fn at_once(cell: &Cell, pace: Option<&'static Pace>) -> Self {
        let is_slow = pace.is_some_and(Pace::is_slow);
        let runtime = is_slow.then(|| cell.runtime.upgrade()).flatten();
        let permit = runtime.and_then(|runtime| Arc::clone(&runtime.slow).try_acquire_owned().ok());
        Self { pace, leave: permit.map_or(Leave::None, Leave::Slow) }
    }

    /// The body is marked, and has leave.
    pub(crate) fn is_marked(&self) -> bool {
        matches!(self.leave, Leave::Marked(_))
    }

    /// Runs the body, and learns from it unless `ran` says that it did not come to run.
    pub(crate) fn run<T>(&self, body: impl FnOnce() -> T, ran: impl FnOnce(&T) -> bool) -> T {
        let begun = clock::instant();
        let returned = match &self.leave {
            Leave::None => body(),
            Leave::Marked(_) => tokio::task::block_in_place(body),
            Leave::Slow(_) => {
                let here = tokio::runtime::Handle::current();
                tokio::task::block_in_place(|| here.block_on(async { body() }))
            }
        };
        if let Some(pace) = self.pace
            && ran(&returned)
        {
            pace.took(begun.elapsed());
        }
        returned
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

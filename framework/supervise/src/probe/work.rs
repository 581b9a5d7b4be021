//! What an actor is doing, and for how long it has been doing things. Its own life alone writes, with plain stores: two looks at a
//! counter are what a message costs. Anybody may read; what is read of two messages in a row may be the name of the one and the
//! time of the other.

use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::ticks::Ticks;

/// See the [module documentation](self).
#[derive(Debug, Default)]
pub(super) struct Work {
    /// When the current message began, in ticks and one more; 0 while there is none.
    since: AtomicU64,
    /// What the last message is called.
    label: Mutex<&'static str>,
    /// Where that text lies: messages of one kind follow each other, and are named once.
    label_at: AtomicPtr<u8>,
    label_len: AtomicUsize,
    /// Messages that are done.
    handled: AtomicU64,
    /// Ticks spent on them.
    busy: AtomicU64,
}

/// A message that is being handled.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct Begun {
    /// What it is called.
    pub(crate) label: &'static str,
    /// When it began.
    pub(super) since: Ticks,
}

impl Work {
    pub(super) fn begins(&self, label: &'static str) -> Begun {
        let (at, len) = (label.as_ptr().cast_mut(), label.len());
        let before =
            (self.label_at.load(Ordering::Relaxed), self.label_len.load(Ordering::Relaxed));
        if before != (at, len) {
            *self.label.lock() = label;
            self.label_at.store(at, Ordering::Relaxed);
            self.label_len.store(len, Ordering::Relaxed);
        }
        let since = Ticks::now();
        self.since.store(since.0.saturating_add(1), Ordering::Relaxed);
        Begun { label, since }
    }

    /// The message is done; when, and what it took.
    pub(super) fn ends(&self, begun: Begun) -> (Ticks, Ticks) {
        let now = Ticks::now();
        self.rests();
        let took = now.since(begun.since);
        // Nobody else writes.
        let (handled, busy) = (self.handled(), self.busy.load(Ordering::Relaxed));
        self.handled.store(handled + 1, Ordering::Relaxed);
        self.busy.store(busy.saturating_add(took.0), Ordering::Relaxed);
        (now, took)
    }

    /// It is doing nothing, however the last message ended.
    pub(super) fn rests(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    pub(super) fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    pub(super) fn busy(&self) -> Duration {
        Ticks(self.busy.load(Ordering::Relaxed)).to_time()
    }

    /// For how long the current message has been handled, if there is one.
    pub(super) fn busy_for(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Ticks::now().since(Ticks(since)).to_time())
    }

    /// What the current message is called, and for how long it has been handled.
    pub(super) fn current(&self) -> Option<(&'static str, Duration)> {
        let busy_for = self.busy_for()?;
        Some((*self.label.lock(), busy_for))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_named_while_it_is_and_counted_afterwards() {
        let work = Work::default();
        assert_eq!((work.current().is_none(), work.handled()), (true, 0));
        for (label, count) in [("Add", 1), ("Add", 2), ("Adds", 3), ("Add", 4)] {
            let begun = work.begins(label);
            assert_eq!(work.current().map(|(label, _)| label), Some(label));
            let (ended, took) = work.ends(begun);
            assert_eq!(ended.since(begun.since), took);
            assert_eq!((work.current().is_none(), work.handled()), (true, count));
        }
        let lost = work.begins("Panics");
        work.rests();
        assert_eq!((work.busy_for(), work.handled(), lost.label), (None, 4, "Panics"));
    }
}

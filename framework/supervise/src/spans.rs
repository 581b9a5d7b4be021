//! What the actors of a tree have handled, and what was moved for them, and when: the part of a timeline that is theirs.
//!
//! Whoever is done with a message notes it, if it took long enough to be seen; the notes of different threads lie apart, so
//! that those who write do not meet.

use std::cell::Cell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_types::state::SpanKind;
use raytree_types::{ActorId, limits};

/// Bytes that others than the actor itself have moved for it.
#[derive(Clone, Debug)]
pub struct Moved {
    /// How.
    pub kind: SpanKind,
    /// How many; none when they did not come.
    pub bytes: Option<u64>,
    /// From which other node, if from one.
    pub from: Option<SocketAddr>,
}

/// A message that was handled, or what was moved.
#[derive(Clone, Debug)]
pub struct Handled {
    /// Who has handled it: its name among its siblings.
    pub name: Arc<str>,
    /// Which actor of users that is, if it is one.
    pub actor: Option<ActorId>,
    /// What the message is called.
    pub label: &'static str,
    /// When it began, by the clock of the process.
    pub began: Duration,
    /// When it ended.
    pub ended: Duration,
    /// What was moved, where no message was handled: seldom, so it lies elsewhere.
    pub moved: Option<Box<Moved>>,
}

/// Threads write to so many places.
const SHARDS: usize = 16;

/// The last messages of a tree that took [`SPAN_MIN`](limits::SPAN_MIN) or more, [`SPANS_KEPT`](limits::SPANS_KEPT) at most,
/// and how many there were before them.
#[derive(Debug, Default)]
pub struct SpanLog {
    shards: [Mutex<Kept>; SHARDS],
}

#[derive(Debug, Default)]
struct Kept {
    /// The newest last.
    handled: VecDeque<Handled>,
    dropped: u64,
}

thread_local! {
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Which place this thread writes to.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    SHARD.get().unwrap_or_else(|| {
        let next = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
        SHARD.set(Some(next));
        next
    })
}

impl SpanLog {
    pub(crate) fn note(&self, handled: Handled) {
        let oldest = {
            let mut kept = self.shards[shard()].lock();
            let is_full = kept.handled.len() >= limits::SPANS_KEPT / SHARDS;
            let oldest = is_full.then(|| kept.handled.pop_front()).flatten();
            kept.dropped += u64::from(oldest.is_some());
            kept.handled.push_back(handled);
            oldest
        };
        // After the lock.
        drop(oldest);
    }

    /// Those that are kept, in no order, and how many are not.
    #[must_use]
    pub fn read(&self) -> (Vec<Handled>, u64) {
        let (mut all, mut dropped) = (Vec::new(), 0);
        for shard in &self.shards {
            let kept = shard.lock();
            all.extend(kept.handled.iter().cloned());
            dropped += kept.dropped;
        }
        (all, dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_thread_are_kept_and_the_others_counted() {
        let log = SpanLog::default();
        let most = limits::SPANS_KEPT / SHARDS;
        for number in 0..most as u64 + 3 {
            let (began, ended) = (Duration::from_nanos(number), Duration::from_nanos(number + 1));
            let (actor, moved) = (None, None);
            log.note(Handled { name: "a".into(), actor, label: "go", began, ended, moved });
        }
        let (kept, dropped) = log.read();
        assert_eq!((kept.len(), dropped), (most, 3));
        assert_eq!(kept.first().map(|first| first.began), Some(Duration::from_nanos(3)));
    }
}

//! What a process has to say to its store, until the thread that says it comes for it.
//!
//! Nobody waits who has something to say: not even the drop of an object. There is one word for each object that is taken or let go of, 40
//! bytes each, and one for each thread that waits for room, or for an object. A store that stands still hears none of them: then this grows
//! with what the process takes, until its node is given up.

use std::mem;

use parking_lot::{Condvar, Mutex};
use raytree_store::{Location, Terms};
use raytree_types::limits;

use crate::depot::Need;
use crate::protocol::{Hold, Says};
use crate::transfer::Place;

#[derive(Default)]
pub(crate) struct Outbox {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    leases: Vec<(u64, Terms, bool)>,
    finds: Vec<(u64, Location)>,
    pulls: Vec<(u64, Place, Need)>,
    holds: Vec<Hold>,
    /// Something was written, which the client knows.
    is_written: bool,
    has_ended: bool,
}

impl Inner {
    fn is_empty(&self) -> bool {
        let Self { leases, finds, pulls, holds, is_written, .. } = self;
        let is_asked = !leases.is_empty() || !finds.is_empty() || !pulls.is_empty();
        !is_asked && holds.is_empty() && !is_written
    }
}

impl Outbox {
    pub(crate) fn written(&self) {
        self.with(|inner| inner.is_written = true);
    }

    pub(crate) fn lease(&self, number: u64, terms: Terms, waits: bool) {
        self.with(|inner| inner.leases.push((number, terms, waits)));
    }

    pub(crate) fn find(&self, number: u64, object: Location) {
        self.with(|inner| inner.finds.push((number, object)));
    }

    pub(crate) fn pull(&self, number: u64, place: Place, need: Need) {
        self.with(|inner| inner.pulls.push((number, place, need)));
    }

    pub(crate) fn hold(&self, hold: Hold) {
        self.with(|inner| inner.holds.push(hold));
    }

    /// Nothing more will be said.
    pub(crate) fn ends(&self) {
        self.with(|inner| inner.has_ended = true);
    }

    fn with(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.inner.lock();
        // He comes for all that is there.
        let is_first = inner.is_empty();
        change(&mut inner);
        drop(inner);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// What comes next, in the order in which it was said; none when all was said and there will be nothing more. Waits.
    pub(crate) fn next(&self) -> Option<Says> {
        let mut inner = self.inner.lock();
        while inner.is_empty() {
            if inner.has_ended {
                return None;
            }
            self.changed.wait(&mut inner);
        }
        inner.is_written = false;
        let holds = first(&mut inner.holds);
        let mut says = Says { holds, ..Says::default() };
        // What was let go of before makes room, and what is asked for is held before.
        if inner.holds.is_empty() {
            says.leases = first(&mut inner.leases);
            says.finds = first(&mut inner.finds);
            says.pulls = first(&mut inner.pulls);
        }
        Some(says)
    }
}

/// As many as go into one message.
fn first<T>(all: &mut Vec<T>) -> Vec<T> {
    let rest = all.split_off(all.len().min(limits::STORE_WORDS_AT_ONCE));
    mem::replace(all, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_said_in_order_a_part_at_a_time() {
        let outbox = Outbox::default();
        let object = |slot| Location { slot, generation: 0, offset: 0, len: 1 };
        let count = limits::STORE_WORDS_AT_ONCE as u32 + 10;
        (0..count).for_each(|slot| outbox.hold(Hold::LetGo { object: object(slot) }));
        outbox.lease(7, Terms::small(), true);
        outbox.ends();
        let mut slots = Vec::new();
        let mut leases = Vec::new();
        while let Some(says) = outbox.next() {
            assert!(says.holds.len() <= limits::STORE_WORDS_AT_ONCE);
            leases.extend(says.leases);
            slots.extend(says.holds.iter().map(|hold| match hold {
                Hold::LetGo { object } | Hold::Take { object, .. } => object.slot,
            }));
        }
        assert_eq!((slots, leases), ((0..count).collect(), vec![(7, Terms::small(), true)]));
    }
}

//! How a reader keeps an object where it is, without a word to the store.
//!
//! A reader writes the slot of an object into a page of its own, and looks then whether the object is still what it was: the slot's
//! *generation*. The store changes the generation of what is freed, and looks then at the pages of all readers. Whichever of
//! the two comes second sees the other: either the reader learns that the object is gone, or the store that somebody has it.
//! A reader that dies leaves its page, which the store throws away.
//!
//! Invariants:
//! - **PN-1 (one-sees-the-other):** memory is given to somebody else only when no reader that has found the old generation has its pin.
//! - **PN-2 (all-are-seen):** a pin that is set is below the mark up to which the store looks.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::memory::Memory;

/// Where an object is: travels with its reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Location {
    /// Whose generation tells whether it is still there.
    pub slot: u32,
    /// What that has to be.
    pub generation: u64,
    /// Where it begins in the arena, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub len: u64,
}

/// A word that processes share. All that is done with it is in one order for all of them (`SeqCst`); a test puts words of a scheduler in its
/// place.
pub trait Word {
    /// What it is.
    fn get(&self) -> u64;
    /// Makes it that.
    fn set(&self, value: u64);
}

impl Word for AtomicU64 {
    fn get(&self) -> u64 {
        self.load(Ordering::SeqCst)
    }

    fn set(&self, value: u64) {
        self.store(value, Ordering::SeqCst);
    }
}

/// The first word of a page says how many of those after it were ever used; each of them is 0, or a slot and one more.
///
/// Pins `slot` in the `at`th place, if it still has that `generation`: the reader's side of PN-1.
fn pin<W: Word>(page: &[W], at: u32, generations: &[W], slot: u32, generation: u64) -> bool {
    let place = &page[at as usize + 1];
    if page[0].get() <= u64::from(at) {
        // PN-2.
        page[0].set(u64::from(at) + 1);
    }
    place.set(u64::from(slot) + 1);
    if generations[slot as usize].get() == generation {
        return true;
    }
    place.set(0);
    false
}

/// What is pinned in a page: the store's side of PN-1, after it has changed generations.
pub fn pinned<W: Word>(page: &[W], into: &mut HashSet<u32>) {
    let used = usize::try_from(page[0].get()).unwrap_or(usize::MAX).min(page.len() - 1);
    // What is not a slot was written by somebody who should not have.
    let slots = page[1..=used].iter().filter_map(|place| place.get().checked_sub(1));
    into.extend(slots.filter_map(|slot| u32::try_from(slot).ok()));
}

/// A reader's page.
#[derive(Debug)]
pub(crate) struct Page {
    memory: Arc<Memory>,
    /// Places that are free, the one to be used next last; and how many were ever used.
    places: Mutex<(Vec<u32>, u32)>,
}

impl Page {
    /// How many pins a page of so many bytes has.
    pub(crate) fn bytes_for(pins: usize) -> usize {
        (pins + 1) * size_of::<u64>()
    }

    pub(crate) fn new(memory: Arc<Memory>) -> Self {
        Self { memory, places: Mutex::default() }
    }

    /// How many pins there can be at once.
    pub(crate) fn limit(&self) -> u32 {
        u32::try_from(self.memory.words().len() - 1).unwrap_or(u32::MAX)
    }

    /// The place of a pin on an object; `Ok(None)` when it is gone, an error when there is no place.
    pub(crate) fn pin(&self, generations: &[AtomicU64], at: &Location) -> Result<Option<u32>, ()> {
        let place = {
            let (free, used) = &mut *self.places.lock();
            match free.pop() {
                Some(place) => place,
                None if *used < self.limit() => {
                    *used += 1;
                    *used - 1
                }
                None => return Err(()),
            }
        };
        if pin(self.memory.words(), place, generations, at.slot, at.generation) {
            return Ok(Some(place));
        }
        self.places.lock().0.push(place);
        Ok(None)
    }

    pub(crate) fn unpin(&self, place: u32) {
        self.memory.words()[place as usize + 1].set(0);
        self.places.lock().0.push(place);
    }
}

#[cfg(test)]
mod tests {
    use shuttle::sync::atomic::{AtomicBool, AtomicU64 as Scheduled, Ordering::SeqCst};
    use shuttle::thread;

    use super::*;

    struct One(Scheduled);

    impl Word for One {
        fn get(&self) -> u64 {
            self.0.load(SeqCst)
        }

        fn set(&self, value: u64) {
            self.0.store(value, SeqCst);
        }
    }

    fn words(count: usize) -> Vec<One> {
        (0..count).map(|_| One(Scheduled::new(0))).collect()
    }

    /// Readers of one object, each with a page, and a store that frees it: whatever the order of their steps, the memory is
    /// used again only while nobody who may read it does.
    fn a_reader_and_a_store(places: &[u32]) {
        let generations = Arc::new(words(1));
        let is_reused = Arc::new(AtomicBool::new(false));
        let readers = places.iter().map(|place| {
            let (page, place) = (Arc::new(words(3)), *place);
            let (own, generations) = (Arc::clone(&page), Arc::clone(&generations));
            let is_reused = Arc::clone(&is_reused);
            let reader = thread::spawn(move || {
                if pin(&own, place, &generations, 0, 0) {
                    assert!(!is_reused.load(SeqCst), "it was read");
                    own[place as usize + 1].set(0);
                }
            });
            (page, reader)
        });
        let readers: Vec<_> = readers.collect();
        generations[0].set(1);
        let mut seen = HashSet::new();
        readers.iter().for_each(|(page, _)| pinned(page, &mut seen));
        if !seen.contains(&0) {
            is_reused.store(true, SeqCst);
        }
        readers.into_iter().for_each(|(_, reader)| reader.join().unwrap());
    }

    /// Every order there is; the pin is the first in its page, or is beyond those that were used (PN-2).
    #[test]
    fn pn_1_pn_2_nobody_reads_what_was_given_to_somebody_else() {
        shuttle::check_dfs(|| a_reader_and_a_store(&[0]), None);
        shuttle::check_dfs(|| a_reader_and_a_store(&[1]), None);
    }

    #[test]
    fn pn_1_holds_with_many_readers() {
        shuttle::check_random(|| a_reader_and_a_store(&[0, 1, 0]), 10_000);
    }

    #[test]
    fn what_is_no_slot_is_no_pin() {
        let page: Vec<AtomicU64> = [9, 5, 0, u64::MAX].map(AtomicU64::new).into();
        let mut seen = HashSet::new();
        pinned(&page, &mut seen);
        assert_eq!(seen, HashSet::from([4]));
    }
}

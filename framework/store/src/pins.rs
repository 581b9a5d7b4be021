//! How a reader keeps an object where it is, without a word to the store.
//!
//! A reader writes the slot of an object into a page of its own, and looks then whether the object is still what it was: the slot's
//! *generation*. The store changes the generation of what is freed, and looks then at the pages of all readers. Whichever of
//! the two comes second sees the other: either the reader learns that the object is gone, or the store that somebody has it.
//! A reader that dies leaves its page, which the store throws away.
//!
//! The first word of a page says how many of those after it were ever used; each of them is 0, or a slot and one more.
//!
//! Invariants:
//! - **PN-1 (one-sees-the-other):** memory is given to somebody else only when no reader that has found the old generation has its pin.
//! - **PN-2 (all-are-seen):** a pin that is set is below the mark up to which the store looks, whichever thread of the reader has set it.
//! - **PN-3 (one-pin-a-place):** a place is used by one pin at a time, and comes back however the pin ends.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::memory::Memory;

/// Where an object is: travels with its reference. It comes from [`Space::seal`](crate::Space::seal) alone: one that is made otherwise may
/// lead to bytes that somebody writes.
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

/// A word that processes share; a test puts words of a scheduler in its place.
pub(crate) trait Word {
    /// What it is, with all that was done before it was made that.
    fn get(&self) -> u64;
    /// What it is, where it can only be looked at: all that memory which is mapped for reading allows.
    fn peek(&self) -> u64;
    /// Makes it that.
    fn set(&self, value: u64);
    /// What this thread did before it and what it looks at after it are in one order with those of all other threads.
    fn barrier();
}

impl Word for AtomicU64 {
    fn get(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn peek(&self) -> u64 {
        self.load(Ordering::Relaxed)
    }

    fn set(&self, value: u64) {
        self.store(value, Ordering::Release);
    }

    fn barrier() {
        fence(Ordering::SeqCst);
    }
}

/// The reader's side of PN-1: pins a slot in a place of its own, if it still has that generation.
fn pin<W: Word>(place: &W, generation: &W, slot: u32, expected: u64) -> bool {
    place.set(u64::from(slot) + 1);
    W::barrier();
    let is_there = generation.peek() == expected;
    if !is_there {
        place.set(0);
    }
    is_there
}

/// The store's side of PN-1, after it has changed generations: what is pinned in a page.
pub(crate) fn pinned<W: Word>(page: &[W], into: &mut HashSet<u32>) {
    W::barrier();
    let used = usize::try_from(page[0].get()).unwrap_or(usize::MAX).min(page.len() - 1);
    // What is not a slot was written by somebody who should not have.
    let slots = page[1..=used].iter().filter_map(|place| place.get().checked_sub(1));
    into.extend(slots.filter_map(|slot| u32::try_from(slot).ok()));
}

/// Which words of a page are free.
#[derive(Debug, Default)]
struct Places {
    /// Were used before; the next one last.
    free: Vec<u32>,
    used: u32,
}

impl Places {
    /// The index of a word in the page; none when all have a pin. Said by one thread of the reader at a time (PN-2).
    fn take<W: Word>(&mut self, page: &[W]) -> Option<u32> {
        if let Some(place) = self.free.pop() {
            return Some(place);
        }
        let next = self.used + 1;
        page.get(next as usize)?;
        self.used = next;
        page[0].set(u64::from(next));
        Some(next)
    }
}

/// A reader's page.
#[derive(Debug)]
pub(crate) struct Page {
    memory: Arc<Memory>,
    places: Mutex<Places>,
}

/// There is a pin in every place of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoPlace;

impl Page {
    /// How many bytes a page with so many pins has.
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

    /// How many pins there are.
    pub(crate) fn pins(&self) -> usize {
        let places = self.places.lock();
        places.used as usize - places.free.len()
    }

    /// The place of a pin on an object; none when the object is gone.
    pub(crate) fn pin(
        &self,
        generation: &AtomicU64,
        at: &Location,
    ) -> Result<Option<u32>, NoPlace> {
        let words = self.memory.words();
        let place = self.places.lock().take(words).ok_or(NoPlace)?;
        if pin(&words[place as usize], generation, at.slot, at.generation) {
            return Ok(Some(place));
        }
        self.places.lock().free.push(place);
        Ok(None)
    }

    pub(crate) fn unpin(&self, place: u32) {
        // Cleared first: somebody else may have the place at once (PN-3).
        self.memory.words()[place as usize].set(0);
        self.places.lock().free.push(place);
    }
}

#[cfg(test)]
mod tests {
    use shuttle::sync::Mutex;
    use shuttle::sync::atomic::{AtomicBool, AtomicU64 as Scheduled, Ordering::SeqCst};
    use shuttle::thread;

    use super::*;
    use crate::memory::Access;

    struct One(Scheduled);

    impl Word for One {
        fn get(&self) -> u64 {
            self.0.load(SeqCst)
        }

        fn peek(&self) -> u64 {
            self.get()
        }

        fn set(&self, value: u64) {
            self.0.store(value, SeqCst);
        }

        // All that a scheduler does is in one order.
        fn barrier() {}
    }

    fn words(count: usize) -> Arc<Vec<One>> {
        Arc::new((0..count).map(|_| One(Scheduled::new(0))).collect())
    }

    struct Process {
        page: Arc<Vec<One>>,
        places: Arc<Mutex<Places>>,
    }

    /// Processes with so many threads each that read one object, `looks` times, and a store that frees it; or puts it out, which it gives up,
    /// and tries again, while somebody has it: whatever the order of their steps, the memory is used again only while nobody who may read it
    /// does.
    fn readers_and_a_store(threads: &[usize], looks: usize, tries: usize) {
        let generations = words(1);
        let is_reused = Arc::new(AtomicBool::new(false));
        let process = |_| Process { page: words(4), places: Arc::default() };
        let processes: Vec<_> = threads.iter().map(process).collect();
        let mut readers = Vec::new();
        for (process, threads) in processes.iter().zip(threads) {
            for _ in 0..*threads {
                let (page, places) = (Arc::clone(&process.page), Arc::clone(&process.places));
                let (generations, is_reused) = (Arc::clone(&generations), Arc::clone(&is_reused));
                readers.push(thread::spawn(move || {
                    for _ in 0..looks {
                        let place = places.lock().unwrap().take(&page).unwrap();
                        if pin(&page[place as usize], &generations[0], 0, 0) {
                            assert!(!is_reused.load(SeqCst), "it was read");
                            page[place as usize].set(0);
                        }
                        places.lock().unwrap().free.push(place);
                    }
                }));
            }
        }
        for again in (0..tries).rev() {
            generations[0].set(1);
            let mut seen = HashSet::new();
            processes.iter().for_each(|process| pinned(&process.page, &mut seen));
            if !seen.contains(&0) {
                is_reused.store(true, SeqCst);
                break;
            }
            if again > 0 {
                generations[0].set(0);
            }
        }
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    }

    #[test]
    fn pn_1_nobody_reads_what_was_given_to_somebody_else_in_any_order_there_is() {
        shuttle::check_dfs(|| readers_and_a_store(&[1], 1, 1), None);
    }

    #[test]
    fn pn_1_pn_2_hold_with_several_processes_and_threads() {
        shuttle::check_random(|| readers_and_a_store(&[2], 1, 1), 20_000);
        shuttle::check_pct(|| readers_and_a_store(&[2], 2, 1), 20_000, 3);
        shuttle::check_random(|| readers_and_a_store(&[2, 1], 2, 1), 10_000);
    }

    #[test]
    fn pn_1_holds_where_the_store_puts_out_and_gives_up() {
        shuttle::check_dfs(|| readers_and_a_store(&[1], 1, 2), None);
        shuttle::check_random(|| readers_and_a_store(&[2], 2, 3), 20_000);
        shuttle::check_pct(|| readers_and_a_store(&[1, 1], 2, 3), 20_000, 3);
    }

    #[test]
    fn what_is_no_slot_is_no_pin() {
        let page: Vec<AtomicU64> = [9, 5, 0, u64::MAX].map(AtomicU64::new).into();
        let mut seen = HashSet::new();
        pinned(&page, &mut seen);
        assert_eq!(seen, HashSet::from([4]));
    }

    #[test]
    fn pn_3_a_place_comes_back_whether_its_object_was_there_or_not() {
        let page = Page::new(Memory::new(crate::Region::Heap, "pins", 8, Access::Write).unwrap());
        let generation = AtomicU64::new(5);
        let at = Location { slot: 0, generation: 4, offset: 0, len: 0 };
        for _ in 0..2 * page.limit() {
            assert!(page.pin(&generation, &at).unwrap().is_none());
        }
        let there = Location { generation: 5, ..at };
        for _ in 0..2 * page.limit() {
            page.unpin(page.pin(&generation, &there).unwrap().unwrap());
        }
        assert_eq!(page.places.lock().used, 1);
    }
}

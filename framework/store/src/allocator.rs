//! Which parts of an arena are free. Knows offsets alone, and touches no memory.
//!
//! The smallest part that fits is taken, of several of one size the one that was freed last, because its pages are in the caches.
//! Memory that was never used is taken last: its pages do not exist yet.
//!
//! Invariants:
//! - **AR-1 (disjoint):** what is taken overlaps nothing else that is taken, and all of it is inside the arena.
//! - **AR-2 (whole-again):** free parts never touch each other: they are one.
//! - **AR-3 (warm-first):** memory that was never used is taken only when nothing that was used before fits.
//! - **AR-4 (idle-is-free):** what is idle is free, and all that is free in whole pages is idle once since it was used.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Every part begins at a multiple of this, in bytes: a line of the caches, and what vectors of any processor want.
pub const ALIGNMENT: u64 = 64;

/// See the [module documentation](self).
#[derive(Debug)]
pub struct Allocator {
    capacity: u64,
    /// From here on nothing was ever used.
    touched: u64,
    taken: u64,
    /// Free parts below that, by their beginning: how long, and when each became so long.
    free: BTreeMap<u64, (u64, u64)>,
    /// The same, the best fit first: length, age, beginning.
    by_length: BTreeSet<(u64, Reverse<u64>, u64)>,
    /// Counts what is freed, to know what was last.
    freed: u64,
    /// What of it was used since it was found to be idle: from where to where.
    dirty: BTreeMap<u64, u64>,
}

/// What was given back was not taken: whoever keeps the books is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes {}..{} are given back, and were free or are not of this arena", .0.start, .0.end)]
pub struct NotTaken(pub Range<u64>);

impl Allocator {
    /// An arena of so many bytes, of which none was ever used. What is beyond a multiple of [`ALIGNMENT`] is not used.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self {
            capacity: capacity / ALIGNMENT * ALIGNMENT,
            touched: 0,
            taken: 0,
            free: BTreeMap::new(),
            by_length: BTreeSet::new(),
            freed: 0,
            dirty: BTreeMap::new(),
        }
    }

    /// How much of the arena a value of so many bytes takes: never nothing, and a multiple of [`ALIGNMENT`].
    #[must_use]
    pub fn rounded(bytes: u64) -> u64 {
        bytes.max(1).checked_next_multiple_of(ALIGNMENT).unwrap_or(u64::MAX / ALIGNMENT * ALIGNMENT)
    }

    /// All there is, in bytes.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// How much of it is taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// How much of it was ever used: from its beginning to here.
    #[must_use]
    pub fn touched(&self) -> u64 {
        self.touched
    }

    /// The longest part that could be taken now.
    #[must_use]
    pub fn longest(&self) -> u64 {
        let warm = self.by_length.last().map_or(0, |(length, ..)| *length);
        warm.max(self.capacity - self.touched + self.last_free().map_or(0, |(_, length)| length))
    }

    /// Takes a part for so many bytes; none when no part is that long.
    pub fn take(&mut self, bytes: u64) -> Option<Range<u64>> {
        let length = Self::rounded(bytes);
        let start = self.take_warm(length).or_else(|| self.take_fresh(length))?;
        self.taken += length;
        self.is_clean(start..start + length);
        Some(start..start + length)
    }

    fn take_warm(&mut self, length: u64) -> Option<u64> {
        let best = (length, Reverse(u64::MAX), 0);
        let (found, _, start) = *self.by_length.range(best..).next()?;
        self.remove(start);
        if found > length {
            self.insert(start + length, found - length);
        }
        Some(start)
    }

    /// What was never used, and what is free right before it.
    fn take_fresh(&mut self, length: u64) -> Option<u64> {
        let start = self.last_free().map_or(self.touched, |(start, _)| start);
        let end = start.checked_add(length).filter(|end| *end <= self.capacity)?;
        self.remove(start);
        self.touched = end;
        Some(start)
    }

    /// The free part that ends where what was never used begins.
    fn last_free(&self) -> Option<(u64, u64)> {
        let (start, (length, _)) = self.free.last_key_value()?;
        (start + length == self.touched).then_some((*start, *length))
    }

    /// Gives back what was taken, or a part of it. Both ends are multiples of [`ALIGNMENT`].
    ///
    /// # Errors
    /// [`NotTaken`], and nothing is changed.
    pub fn give_back(&mut self, part: Range<u64>) -> Result<(), NotTaken> {
        let is_whole = part.start.is_multiple_of(ALIGNMENT) && part.end.is_multiple_of(ALIGNMENT);
        let before =
            self.free.range(..part.end).next_back().map(|(start, (len, _))| (*start, *len));
        let overlaps = before.is_some_and(|(start, length)| start + length > part.start);
        if part.is_empty() || !is_whole || part.end > self.touched || overlaps {
            return Err(NotTaken(part));
        }
        self.taken -= part.end - part.start;
        self.is_dirty(part.clone());
        let (mut start, mut end) = (part.start, part.end);
        if let Some((before, _)) = before.filter(|(start, length)| start + length == part.start) {
            self.remove(before);
            start = before;
        }
        if let Some((length, _)) = self.free.get(&end).copied() {
            self.remove(end);
            end += length;
        }
        self.insert(start, end - start);
        Ok(())
    }

    /// Whether [`Allocator::idle`] may find anything.
    #[must_use]
    pub fn is_any_idle(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Free memory that was used since it was found here last, as far as it is whole pages of so many bytes: `most` bytes, and at least
    /// one page; or fewer, and then there is no more for now.
    pub fn idle(&mut self, page: u64, most: u64) -> Vec<Range<u64>> {
        let (mut found, mut left) = (Vec::new(), most.max(page) / page * page);
        while left > 0
            && let Some((start, end)) = self.dirty.pop_first()
        {
            // All of it is free, and what is around it.
            let around = self.free.range(..=start).next_back();
            let Some((from, to)) = around.map(|(from, (length, _))| (*from, from + length)) else {
                continue;
            };
            let first = (start / page * page).max(from.next_multiple_of(page));
            let last = end.next_multiple_of(page).min(to / page * page);
            let cut = last.min(first.saturating_add(left));
            if cut < last {
                self.dirty.insert(cut, end);
            }
            if first < cut {
                left -= cut - first;
                self.is_clean(first..cut);
                found.push(first..cut);
            }
        }
        found
    }

    /// It was used, and is free.
    fn is_dirty(&mut self, Range { mut start, mut end }: Range<u64>) {
        if let Some((before, _)) =
            self.dirty.range(..start).next_back().filter(|(_, to)| **to == start)
        {
            start = *before;
        }
        if let Some(to) = self.dirty.remove(&end) {
            end = to;
        }
        self.dirty.insert(start, end);
    }

    /// It is taken, or its pages are given back.
    fn is_clean(&mut self, part: Range<u64>) {
        let before = self.dirty.range(..part.start).next_back().map(|(from, to)| (*from, *to));
        if let Some((from, to)) = before.filter(|(_, to)| *to > part.start) {
            self.dirty.insert(from, part.start);
            if to > part.end {
                self.dirty.insert(part.end, to);
            }
        }
        while let Some((from, to)) =
            self.dirty.range(part.clone()).next().map(|(from, to)| (*from, *to))
        {
            self.dirty.remove(&from);
            if to > part.end {
                self.dirty.insert(part.end, to);
            }
        }
    }

    fn insert(&mut self, start: u64, length: u64) {
        self.freed += 1;
        self.free.insert(start, (length, self.freed));
        self.by_length.insert((length, Reverse(self.freed), start));
    }

    fn remove(&mut self, start: u64) {
        if let Some((length, age)) = self.free.remove(&start) {
            self.by_length.remove(&(length, Reverse(age), start));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNIT: u64 = ALIGNMENT;

    #[test]
    fn ar_3_what_was_freed_last_is_taken_first_and_fresh_memory_last() {
        let mut arena = Allocator::new(16 * UNIT);
        let parts: Vec<_> = (0..8).map(|_| arena.take(UNIT).unwrap()).collect();
        for at in [1, 5, 3] {
            arena.give_back(parts[at].clone()).unwrap();
        }
        let again: Vec<_> = (0..4).map(|_| arena.take(1).unwrap().start / UNIT).collect();
        assert_eq!(again, [3, 5, 1, 8]);
        assert_eq!(
            (arena.taken(), arena.touched(), arena.longest()),
            (9 * UNIT, 9 * UNIT, 7 * UNIT)
        );
    }

    #[test]
    fn ar_3_a_free_end_grows_into_what_was_never_used() {
        let mut arena = Allocator::new(8 * UNIT);
        let first = arena.take(2 * UNIT).unwrap();
        let second = arena.take(2 * UNIT).unwrap();
        arena.give_back(second).unwrap();
        assert_eq!(arena.longest(), 6 * UNIT);
        assert_eq!(arena.take(6 * UNIT), Some(2 * UNIT..8 * UNIT));
        assert_eq!(arena.take(1), None);
        arena.give_back(first).unwrap();
        assert_eq!(arena.take(0), Some(0..UNIT));
    }

    #[test]
    fn ar_1_what_is_not_taken_cannot_be_given_back() {
        let mut arena = Allocator::new(8 * UNIT);
        let part = arena.take(4 * UNIT).unwrap();
        arena.give_back(UNIT..2 * UNIT).unwrap();
        for wrong in [part, UNIT..2 * UNIT, 4 * UNIT..5 * UNIT, 0..1, UNIT..UNIT, 1..UNIT] {
            assert_eq!(arena.give_back(wrong.clone()), Err(NotTaken(wrong)));
        }
        assert_eq!(arena.taken(), 3 * UNIT);
        assert_eq!(arena.take(u64::MAX), None);
    }

    /// All that is found now, `most` bytes at once.
    fn all_idle(arena: &mut Allocator, page: u64, most: u64) -> Vec<Range<u64>> {
        let mut all = Vec::new();
        while arena.is_any_idle() {
            let found = arena.idle(page, most);
            assert!(found.iter().map(|part| part.end - part.start).sum::<u64>() <= most);
            all.extend(found);
        }
        all
    }

    #[test]
    fn ar_4_what_is_free_in_whole_pages_is_idle_once_since_it_was_used() {
        const PAGE: u64 = 4 * UNIT;
        let mut arena = Allocator::new(64 * UNIT);
        let parts: Vec<_> = (0..8).map(|_| arena.take(6 * UNIT).unwrap()).collect();
        assert!(!arena.is_any_idle());
        // 6..12, in which no more than 8..12 is a page; 18..36.
        for at in [1, 3, 5, 4] {
            arena.give_back(parts[at].clone()).unwrap();
        }
        assert_eq!(
            all_idle(&mut arena, PAGE, 2 * PAGE),
            [8 * UNIT..12 * UNIT, 20 * UNIT..24 * UNIT, 24 * UNIT..32 * UNIT, 32 * UNIT..36 * UNIT]
        );
        assert!(arena.idle(PAGE, u64::MAX).is_empty());
        let again = arena.take(6 * UNIT).unwrap();
        arena.give_back(again.clone()).unwrap();
        let again = all_idle(&mut arena, PAGE, u64::MAX);
        assert_eq!((again.len(), &again[0]), (1, &(8 * UNIT..12 * UNIT)));
    }

    proptest! {
        #[test]
        fn ar_4_what_is_idle_is_free_and_all_that_is_free_is_idle(
            steps in prop::collection::vec((0u8..5, 1u64..9, any::<prop::sample::Index>()), 1..200),
        ) {
            const UNITS: u64 = 60;
            let (mut arena, page) = (Allocator::new(UNITS * UNIT), 4 * UNIT);
            let mut parts: Vec<Range<u64>> = Vec::new();
            // Pages that were given back since somebody had them last.
            let mut given = vec![false; (UNITS * UNIT / page) as usize];
            let pages = |part: &Range<u64>| {
                (part.start / page) as usize..part.end.div_ceil(page).min(UNITS * UNIT / page) as usize
            };
            let is_taken = |parts: &[Range<u64>], at: u64| {
                parts.iter().any(|part| part.start < at + page && at < part.end)
            };
            for (what, size, which) in steps {
                match what {
                    0..=1 => if let Some(part) = arena.take(size * UNIT) {
                        given[pages(&part)].fill(false);
                        parts.push(part);
                    },
                    2..=3 if !parts.is_empty() => {
                        arena.give_back(parts.swap_remove(which.index(parts.len()))).unwrap();
                    }
                    _ => for part in arena.idle(page, size * page) {
                        for at in part.step_by(page as usize) {
                            prop_assert!(at % page == 0 && !is_taken(&parts, at), "{at} is taken");
                            prop_assert!(!given[(at / page) as usize], "{at} is given twice");
                            given[(at / page) as usize] = true;
                        }
                    },
                }
            }
            for part in all_idle(&mut arena, page, 3 * page) {
                given[pages(&part)].fill(true);
            }
            let touched = arena.touched() / page * page;
            for at in (0..touched).step_by(page as usize) {
                prop_assert_eq!(given[(at / page) as usize], !is_taken(&parts, at), "{}", at / page);
            }
        }

        /// Against a map with a letter for each unit of the arena.
        #[test]
        fn ar_1_ar_2_ar_3_hold_whatever_is_taken_and_given_back(
            steps in prop::collection::vec((any::<bool>(), 1u64..9, any::<prop::sample::Index>()), 1..200),
        ) {
            const UNITS: usize = 40;
            let mut arena = Allocator::new(UNITS as u64 * UNIT);
            let mut is_taken = [false; UNITS];
            let mut parts: Vec<Range<u64>> = Vec::new();
            let units = |part: &Range<u64>| (part.start / UNIT) as usize..(part.end / UNIT) as usize;
            for (takes, size, which) in steps {
                if takes || parts.is_empty() {
                    let touched = (arena.touched() / UNIT) as usize;
                    let warm = is_taken[..touched].chunk_by(|a, b| a == b);
                    let fits_warm = warm.filter(|run| !run[0]).any(|run| run.len() as u64 >= size);
                    let fits = is_taken.chunk_by(|a, b| a == b).any(|run| !run[0] && run.len() as u64 >= size);
                    let part = arena.take(size * UNIT);
                    prop_assert_eq!(part.is_some(), fits);
                    let Some(part) = part else { continue };
                    prop_assert!(!is_taken[units(&part)].iter().any(|taken| *taken));
                    prop_assert!(!fits_warm || units(&part).end <= touched);
                    is_taken[units(&part)].fill(true);
                    parts.push(part);
                } else {
                    let mut part = parts.swap_remove(which.index(parts.len()));
                    // Sometimes only its first half.
                    let half = part.start + (part.end - part.start) / UNIT / 2 * UNIT;
                    if size % 2 == 0 && half > part.start {
                        parts.push(half..part.end);
                        part.end = half;
                    }
                    is_taken[units(&part)].fill(false);
                    arena.give_back(part).unwrap();
                }
                prop_assert_eq!(arena.taken(), is_taken.iter().filter(|taken| **taken).count() as u64 * UNIT);
                let ends: Vec<_> = arena.free.iter().map(|(start, (length, _))| (*start, start + length)).collect();
                prop_assert!(ends.windows(2).all(|pair| pair[0].1 < pair[1].0));
                prop_assert_eq!(arena.free.len(), arena.by_length.len());
            }
            for part in parts {
                arena.give_back(part).unwrap();
            }
            prop_assert_eq!(arena.longest(), arena.capacity());
        }
    }
}

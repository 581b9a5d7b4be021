//! The order of a list that somebody has chosen.

use std::cmp::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Record;

/// By what a list is sorted, instead of by what matters most. What is empty comes last, whichever way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sort {
    /// Which column; of tasks and objects also `age`.
    pub column: String,
    /// The largest first.
    pub is_down: bool,
    /// Now, since 1970: until then lasts what is under way.
    pub now: Duration,
}

impl Sort {
    /// Sorts these; those that are equal stay in their order.
    pub(super) fn apply<R: Record>(&self, rows: &mut [R]) {
        rows.sort_by_cached_key(|row| Place {
            key: row.key(&self.column, self.now),
            is_down: self.is_down,
        });
    }
}

/// What stands in a column, as it is sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Numbers, and times in nanoseconds.
    Number(u128),
    /// Words.
    Text(String),
}

impl Key {
    /// What stands in this column of a record: a number where those are numbers.
    pub(super) fn of<R: Record>(record: &R, column: &str) -> Option<Self> {
        let cell = record.cell(column);
        match R::NUMBERS.contains(&column) {
            true => cell.parse().ok().map(Self::Number),
            false => Some(cell).filter(|cell| !cell.is_empty()).map(Self::Text),
        }
    }
}

/// Where a row comes.
#[derive(PartialEq, Eq)]
struct Place {
    key: Option<Key>,
    is_down: bool,
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_value = match (&self.key, &other.key) {
            (Some(Key::Number(one)), Some(Key::Number(next))) => one.cmp(next),
            (Some(Key::Text(one)), Some(Key::Text(next))) => natural(one, next),
            // Those of one column are of one kind.
            _ => Ordering::Equal,
        };
        let by_value = if self.is_down { by_value.reverse() } else { by_value };
        self.key.is_none().cmp(&other.key.is_none()).then(by_value)
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of words as people count: `node-2` before `node-10`.
#[must_use]
pub fn natural(one: &str, next: &str) -> Ordering {
    let (mut one_left, mut next_left) = (one, next);
    while let (Some(a), Some(b)) = (one_left.chars().next(), next_left.chars().next()) {
        if a.is_ascii_digit() && b.is_ascii_digit() {
            let (digits, other) = (digits(one_left), digits(next_left));
            let (own, its) = (digits.trim_start_matches('0'), other.trim_start_matches('0'));
            let order = own.len().cmp(&its.len()).then_with(|| own.cmp(its));
            if order.is_ne() {
                return order;
            }
            (one_left, next_left) = (&one_left[digits.len()..], &next_left[other.len()..]);
            continue;
        }
        if a != b {
            return a.cmp(&b);
        }
        (one_left, next_left) = (&one_left[a.len_utf8()..], &next_left[b.len_utf8()..]);
    }
    one_left.len().cmp(&next_left.len()).then_with(|| one.cmp(next))
}

fn digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Listing, ObjectRecord, ObjectState, StateQuery, What};

    fn object(name: &str, waiters: u64) -> ObjectRecord {
        ObjectRecord { waiters, ..ObjectRecord::new(name, ObjectState::Ready, 7) }
    }

    #[test]
    fn a_list_is_sorted_before_it_is_cut() {
        let sorted = |column: &str, is_down| {
            let sort = Sort { column: column.to_owned(), is_down, now: Duration::ZERO };
            let query = StateQuery { limit: 2, sort: Some(sort), ..StateQuery::all(What::Objects) };
            assert_eq!(query.check(), Ok(()));
            let here = ["a-2", "", "a-10", "b-1"].into_iter().zip([5, 100, 30, 9]);
            let here = here.map(|(name, waiters)| object(name, waiters));
            let mut list = Listing::of(here, 0, &query);
            let there = Listing::of([object("a-1", 11)].into_iter(), 0, &query);
            list.join(there, &query);
            assert_eq!((list.total, list.more()), (5, 3));
            list.rows.into_iter().map(|row| (row.name, row.waiters)).collect::<Vec<_>>()
        };
        let row = |name: &str, waiters| (name.to_owned(), waiters);
        assert_eq!(sorted("waiters", false), [row("a-2", 5), row("b-1", 9)]);
        assert_eq!(sorted("waiters", true), [row("", 100), row("a-10", 30)]);
        assert_eq!(sorted("name", false), [row("a-1", 11), row("a-2", 5)], "the empty one is last");
        assert_eq!(sorted("name", true), [row("b-1", 9), row("a-10", 30)]);
    }
    #[test]
    fn objects_are_sorted_by_what_they_take_and_how_long() {
        let of = |name: &str, size, since| ObjectRecord {
            size,
            since: Some(Duration::from_secs(since)),
            ..object(name, 0)
        };
        let sorted = |column: &str| {
            let sort =
                Sort { column: column.to_owned(), is_down: true, now: Duration::from_secs(9) };
            let query = StateQuery { sort: Some(sort), ..StateQuery::all(What::Objects) };
            assert_eq!(query.check(), Ok(()));
            let all = [of("a", Some(9), 5), of("b", None, 1), of("c", Some(10), 7)];
            let list = Listing::of(all.into_iter(), 0, &query);
            list.rows.into_iter().map(|row| row.name).collect::<String>()
        };
        assert_eq!((&*sorted("size"), &*sorted("age")), ("cab", "bac"), "no size is the last one");
    }
}

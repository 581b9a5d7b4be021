//! Lists that may be cut, and say so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Record, StateQuery};
use crate::inspect::Missing;

/// Records of one kind, those that matter most first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing<R> {
    /// The rows, at most as many as were asked for; none in a summary.
    pub rows: Vec<R>,
    /// How many meet the conditions, shown or not.
    pub total: u64,
    /// How many were forgotten before, because a history has a bound: whether they meet the conditions is not known.
    pub dropped: u64,
    /// In a summary: how many there are of each name and state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<Count>,
    /// Processes that gave no answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

/// So many have this name and state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The function, the class, or whatever makes them.
    pub name: String,
    /// Their state.
    pub state: String,
    /// How many.
    pub count: u64,
}

/// How many there are of each name and state, and what is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// By name, then by state.
    pub counts: Vec<Count>,
    /// How many meet the conditions: the sum of the counts.
    pub total: u64,
    /// How many were forgotten before, because a history has a bound: whether they meet the conditions is not known.
    pub dropped: u64,
    /// Processes that gave no answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

impl<R> From<Listing<R>> for Summary {
    fn from(listing: Listing<R>) -> Self {
        let Listing { rows: _, total, dropped, counts, missing } = listing;
        Self { counts, total, dropped, missing }
    }
}

impl IntoIterator for Summary {
    type Item = Count;
    type IntoIter = std::vec::IntoIter<Count>;

    fn into_iter(self) -> Self::IntoIter {
        self.counts.into_iter()
    }
}

impl<R> Default for Listing<R> {
    fn default() -> Self {
        let (rows, counts, missing) = (Vec::new(), Vec::new(), Vec::new());
        Self { rows, total: 0, dropped: 0, counts, missing }
    }
}

impl<R: Record> Listing<R> {
    /// Those of `all` that are wanted.
    pub fn of(all: impl Iterator<Item = R>, dropped: u64, query: &StateQuery) -> Self {
        let mut listing = Self { dropped, ..Self::default() };
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for record in all.filter(|record| query.admits(record)) {
            listing.total += 1;
            if query.summary {
                *counts.entry(record.group()).or_default() += 1;
                continue;
            }
            listing.rows.push(record);
            // Now and then, so that a long history needs little room.
            if listing.rows.len() >= query.limit.saturating_mul(2) {
                listing.cut(query);
            }
        }
        let counted = counts.into_iter();
        listing.counts =
            counted.map(|((name, state), count)| Count { name, state, count }).collect();
        listing.cut(query);
        listing
    }

    /// How many rows are not shown.
    #[must_use]
    pub fn more(&self) -> u64 {
        self.total.saturating_sub(self.rows.len() as u64)
    }

    /// Takes in those of another process.
    pub(super) fn join(&mut self, other: Self, query: &StateQuery) {
        self.rows.extend(other.rows);
        self.total += other.total;
        self.dropped += other.dropped;
        self.missing.extend(other.missing);
        for Count { name, state, count } in other.counts {
            let same = |own: &&mut Count| own.name == name && own.state == state;
            match self.counts.iter_mut().find(same) {
                Some(own) => own.count += count,
                None => self.counts.push(Count { name, state, count }),
            }
        }
        self.counts.sort_by(|a, b| (&a.name, &a.state).cmp(&(&b.name, &b.state)));
        self.cut(query);
    }

    fn cut(&mut self, query: &StateQuery) {
        self.rows.sort_by(Record::rank);
        if let Some(sort) = &query.sort {
            sort.apply(&mut self.rows);
        }
        self.rows.truncate(query.limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{ObjectRecord, What};

    #[test]
    fn a_summary_says_what_is_not_in_it() {
        let summed = StateQuery { summary: true, ..StateQuery::all(What::Objects) };
        let mut listing = Listing::<ObjectRecord>::of(std::iter::empty(), 3, &summed);
        let missing = Missing { path: "node_pool/node-1".to_owned(), why: "silent".to_owned() };
        let count = Count { name: "load".to_owned(), state: "ready".to_owned(), count: 2 };
        let other = Listing {
            total: 2,
            dropped: 4,
            counts: vec![count.clone()],
            missing: vec![missing.clone()],
            ..Listing::default()
        };
        listing.join(other, &summed);
        let summary = Summary::from(listing);
        assert_eq!((summary.total, summary.dropped), (2, 7));
        assert_eq!(summary.missing, [missing]);
        assert_eq!(summary.into_iter().collect::<Vec<_>>(), [count]);
    }
}

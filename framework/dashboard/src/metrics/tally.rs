//! Counters of actors that come and go: what is summed up of them must never shrink, also when one is gone with what it counted.

use std::collections::HashMap;
use std::time::Duration;

use raytree_types::inspect::TreeRow;

/// What actors count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) handled: u64,
    pub(crate) refused: u64,
    pub(crate) restarts: u64,
    pub(crate) busy: Duration,
}

impl Counts {
    fn of(row: &TreeRow) -> Self {
        let restarts = u64::from(row.restarts);
        if row.host.is_some() {
            // What it has handled is counted where it lives, and its restarts where they are decided.
            return Self { restarts, ..Self::default() };
        }
        Self { handled: row.handled, refused: row.refused, restarts, busy: row.busy }
    }

    /// What has come since it was `before`; all of it, where it is another's that has the same place.
    fn since(self, before: Self) -> Self {
        if self.handled < before.handled || self.busy < before.busy {
            return self;
        }
        Self {
            handled: self.handled - before.handled,
            refused: self.refused.saturating_sub(before.refused),
            restarts: self.restarts.saturating_sub(before.restarts),
            busy: self.busy - before.busy,
        }
    }

    fn add(&mut self, more: Self) {
        self.handled += more.handled;
        self.refused += more.refused;
        self.restarts += more.restarts;
        self.busy += more.busy;
    }
}

/// Who is summed up together: the process, and whether they are actors of users.
pub(crate) type Group = (String, &'static str);

/// The sums so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// What each counted when it was seen last: of those alone that were there then.
    seen: HashMap<String, Counts>,
    sums: HashMap<Group, Counts>,
}

impl Tally {
    /// Everybody who is there now, with place and group. Gives the sums of the groups that are there.
    pub(crate) fn count<'a>(
        &mut self,
        all: impl Iterator<Item = (String, Group, &'a TreeRow)>,
    ) -> HashMap<Group, Counts> {
        let before = std::mem::take(&mut self.seen);
        let mut there = HashMap::new();
        for (place, group, row) in all {
            let now = Counts::of(row);
            let was = before.get(&place).copied().unwrap_or_default();
            self.sums.entry(group.clone()).or_default().add(now.since(was));
            // Of twins the last is kept: the sums may then lack something, and never shrink.
            self.seen.insert(place, now);
            there.insert(group, ());
        }
        // A process that is gone is not counted on, and does not take up room.
        self.sums.retain(|group, _| there.contains_key(group));
        self.sums.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(handled: u64, restarts: u32) -> TreeRow {
        TreeRow { handled, restarts, ..TreeRow::named(0, "a") }
    }

    #[test]
    fn sums_never_shrink_while_actors_come_and_go() {
        let mut tally = Tally::default();
        let group = || ("head".to_owned(), "user");
        let mut count = |rows: &[(&str, TreeRow)]| {
            let all = rows.iter().map(|(place, row)| ((*place).to_owned(), group(), row));
            let sums = tally.count(all);
            sums.get(&group()).map(|own| (own.handled, own.restarts))
        };
        assert_eq!(count(&[("a", row(5, 0)), ("b", row(7, 1))]), Some((12, 1)));
        assert_eq!(count(&[("a", row(6, 0))]), Some((13, 1)), "b is gone, what it did is not");
        assert_eq!(count(&[("a", row(6, 0)), ("b", row(2, 0))]), Some((15, 1)), "another b");
        assert_eq!(count(&[("a", row(1, 0)), ("b", row(2, 0))]), Some((16, 1)), "another a");
        assert_eq!(count(&[]), None);
        assert!(tally.seen.is_empty() && tally.sums.is_empty(), "who is gone takes up no room");
    }
}

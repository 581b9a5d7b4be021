//! The supervision tree as it is shown: rows, and what has changed between two looks.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ActorState;
use super::StoreRow;
use super::event::Missing;
use super::protocol::Role;
use crate::ids::{ActorId, JobId};
use crate::limits;

/// Which rows of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// The logical tree (who spawned whom) instead of the physical one (who supervises whom).
    pub owners: bool,
    /// Also what goes on in other processes, below the mirrors that stand for them here.
    pub whole: bool,
    /// Only what is at this path and below, e.g. `node/worker`. Default: everything.
    pub path: Option<String>,
    /// Rows deeper than this are only counted; 0 is the top row alone. Default: all depths.
    pub depth: Option<u32>,
    /// Only rows in trouble (see [`TreeRow::in_trouble`]) and those above them.
    pub failed: bool,
    /// Over this connection the same was asked before, and this is the [`TreeRows::seq`] of the answer: what has changed since
    /// is enough ([`Answer::Changes`](super::Answer::Changes)). Default: everything, please.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

/// A tree, row by row: parents before their children, each row with its depth. Flat, because a chain of owners may be
/// deeper than any stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeRows {
    /// Which answer over this connection it is: what to ask for changes since.
    #[serde(default)]
    pub seq: u64,
    /// The rows.
    pub rows: Vec<TreeRow>,
    /// Rows that were asked for and did not fit into the reply.
    pub more: u64,
    /// Who owns whom is not known of these: they gave no answer. In the physical tree the row of such a process says so itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

/// What the host of an actor is called that a worker has from its program: which process it lives in is known to that.
pub const THE_PROGRAM: &str = "the program";

/// One actor of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeRow {
    /// Levels below the first row; the logical tree has many rows at level 0.
    pub depth: u32,
    /// Its name among its siblings.
    pub name: String,
    /// The type of the actor.
    pub type_name: String,
    /// Who it is, where it is an actor of users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ActorId>,
    /// `one-for-one` and so on for a supervisor; nothing for a leaf.
    pub strategy: Option<String>,
    /// State.
    pub state: ActorState,
    /// Messages sent to it and not yet handled.
    pub queued: u64,
    /// The bound on queued messages.
    pub queue_limit: u64,
    /// Messages refused because the bound was reached.
    pub refused: u64,
    /// Messages handled over all its lives.
    pub handled: u64,
    /// How long it has been handling messages, over all its lives; the current one counts when it is done.
    #[serde(default)]
    pub busy: Duration,
    /// How long it has been handling its current message.
    pub busy_for: Option<Duration>,
    /// The name of that message.
    pub current: Option<String>,
    /// Restarts over its whole existence.
    pub restarts: u32,
    /// Its last end in one sentence, at most
    /// [`INSPECT_CAUSE_CHARS_MAX`](crate::limits::INSPECT_CAUSE_CHARS_MAX).
    pub last_cause: Option<String>,
    /// What is to be said of it now, e.g. of abandoned threads; mostly nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// Where it runs, when that is another process than the one that shows it, e.g. `node-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// On a cluster, in the logical tree: the job of its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// The process that begins with this row: the first row of each process has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Box<ProcessRow>>,
    /// Rows below it that were not asked for, because they are too deep.
    pub hidden: u64,
}

impl TreeRow {
    /// A row of which nothing is known but where it stands: it runs and has done nothing.
    #[must_use]
    pub fn named(depth: u32, name: impl Into<String>) -> Self {
        Self {
            depth,
            name: name.into(),
            type_name: String::new(),
            id: None,
            strategy: None,
            state: ActorState::Running,
            queued: 0,
            queue_limit: 0,
            refused: 0,
            handled: 0,
            busy: Duration::ZERO,
            busy_for: None,
            current: None,
            restarts: 0,
            last_cause: None,
            remark: None,
            host: None,
            job: None,
            process: None,
            hidden: 0,
        }
    }

    fn is_at_the_place_of(&self, other: &Self) -> bool {
        self.depth == other.depth && self.name == other.name
    }

    /// It has failed, waits for its next life, has been restarted before, or there is something to be said of it.
    #[must_use]
    pub fn in_trouble(&self) -> bool {
        matches!(self.state, ActorState::Failed | ActorState::Restarting)
            || self.restarts > 0
            || self.remark.is_some()
    }
}

/// What the operating system says of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRow {
    /// Its number.
    pub pid: u32,
    /// What it is to its cluster.
    pub role: Role,
    /// The file name of its program.
    pub program: String,
    /// How long its tree has existed.
    pub uptime: Duration,
    /// CPU time it has used, in user and in system mode.
    pub cpu: Duration,
    /// Memory that it has and that is in RAM, in bytes.
    pub memory: u64,
    /// Its threads.
    pub threads: u32,
    /// The object store that it has, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreRow>,
    /// It did not answer: this, and all below, was so long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<Duration>,
}

/// How to get from one list of rows to the next.
///
/// Applied in order, from the first row on: a row of the old list is kept, dropped, or a new one stands here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeChanges {
    /// From which answer.
    pub from: u64,
    /// To which.
    pub seq: u64,
    /// The steps.
    pub edits: Vec<Edit>,
    /// Rows that were asked for and are not among them.
    pub more: u64,
    /// [`TreeRows::missing`], all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

/// One step of [`TreeChanges`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// So many rows stay as they were.
    Keep(u64),
    /// So many rows are gone.
    Drop(u64),
    /// These come here.
    Put(Vec<TreeRow>),
}

/// The changes do not belong to these rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit;

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the changes belong to other rows")
    }
}

impl std::error::Error for Misfit {}

impl TreeRows {
    /// What has to be done to these rows so that they become `next`. It is short where little has changed, and never wrong.
    #[must_use]
    pub fn changes_to(&self, next: &Self) -> TreeChanges {
        let (mut old, mut new) = (&*self.rows, &*next.rows);
        let mut edits = Edits::default();
        while let Some((row, rest)) = new.split_first() {
            let (gone, come) = realign(old, new);
            edits.drop(gone);
            old = &old[gone..];
            if come > 0 {
                edits.put(&new[..come]);
                new = &new[come..];
                continue;
            }
            match old.split_first() {
                Some((same, others)) if same == row => {
                    edits.keep();
                    old = others;
                }
                other => {
                    edits.drop(usize::from(other.is_some()));
                    edits.put(&new[..1]);
                    old = other.map_or(&[], |(_, others)| others);
                }
            }
            new = rest;
        }
        edits.drop(old.len());
        let missing = next.missing.clone();
        TreeChanges { from: self.seq, seq: next.seq, edits: edits.0, more: next.more, missing }
    }

    /// These rows after the changes.
    ///
    /// # Errors
    /// [`Misfit`]: the changes are those of other rows. These are as they were then.
    pub fn changed(&mut self, changes: TreeChanges) -> Result<(), Misfit> {
        if changes.from != self.seq || !fits(&changes.edits, self.rows.len()) {
            return Err(Misfit);
        }
        let mut old = std::mem::take(&mut self.rows).into_iter();
        for edit in changes.edits {
            match edit {
                Edit::Keep(count) => self.rows.extend(old.by_ref().take(size(count))),
                Edit::Drop(count) => old.by_ref().take(size(count)).for_each(drop),
                Edit::Put(rows) => self.rows.extend(rows),
            }
        }
        (self.seq, self.more, self.missing) = (changes.seq, changes.more, changes.missing);
        Ok(())
    }
}

impl TreeChanges {
    /// Rows that are sent with them.
    #[must_use]
    pub fn rows(&self) -> usize {
        let rows = |edit: &Edit| if let Edit::Put(rows) = edit { rows.len() } else { 0 };
        self.edits.iter().map(rows).sum()
    }
}

/// How many old rows are gone, or how many new ones have come, before both lists go on with the same place.
fn realign(old: &[TreeRow], new: &[TreeRow]) -> (usize, usize) {
    let (Some(here), Some(there)) = (old.first(), new.first()) else { return (0, 0) };
    if here.is_at_the_place_of(there) {
        return (0, 0);
    }
    for ahead in 1..limits::INSPECT_REALIGN_ROWS {
        if old.get(ahead).is_some_and(|row| row.is_at_the_place_of(there)) {
            return (ahead, 0);
        }
        if new.get(ahead).is_some_and(|row| row.is_at_the_place_of(here)) {
            return (0, ahead);
        }
    }
    (0, 0)
}

/// The edits use up so many rows, and no others.
fn fits(edits: &[Edit], rows: usize) -> bool {
    let used = edits.iter().try_fold(0_u64, |used, edit| match edit {
        Edit::Keep(count) | Edit::Drop(count) => used.checked_add(*count),
        Edit::Put(_) => Some(used),
    });
    used == Some(rows as u64)
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Edits in the making: equal ones that follow each other are one.
#[derive(Default)]
struct Edits(Vec<Edit>);

impl Edits {
    fn keep(&mut self) {
        match self.0.last_mut() {
            Some(Edit::Keep(count)) => *count += 1,
            _ => self.0.push(Edit::Keep(1)),
        }
    }

    fn drop(&mut self, rows: usize) {
        match self.0.last_mut() {
            _ if rows == 0 => {}
            Some(Edit::Drop(count)) => *count += rows as u64,
            _ => self.0.push(Edit::Drop(rows as u64)),
        }
    }

    fn put(&mut self, rows: &[TreeRow]) {
        match self.0.last_mut() {
            Some(Edit::Put(put)) => put.extend_from_slice(rows),
            _ => self.0.push(Edit::Put(rows.to_vec())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(name: &str, handled: u64) -> TreeRow {
        TreeRow { handled, ..TreeRow::named(1, name) }
    }

    fn rows(seq: u64, rows: Vec<TreeRow>) -> TreeRows {
        TreeRows { seq, rows, ..TreeRows::default() }
    }

    fn named(names: &[&str]) -> Vec<TreeRow> {
        names.iter().map(|name| row(name, 0)).collect()
    }

    #[test]
    fn what_stays_is_not_said_again() {
        let before = rows(1, named(&["a", "b", "c", "d", "e"]));
        let mut after = before.clone();
        after.seq = 2;
        after.rows[3].handled = 7;
        after.rows.remove(1);
        let changes = before.changes_to(&after);
        let put = Edit::Put(vec![row("d", 7)]);
        let expected = [Edit::Keep(1), Edit::Drop(1), Edit::Keep(1), Edit::Drop(1), put];
        assert_eq!(changes.edits, [&expected[..], &[Edit::Keep(1)]].concat());
        let many = (0..1000).map(|number| row(&number.to_string(), 0)).collect();
        let (before, mut after) = (rows(1, many), rows(2, Vec::new()));
        after.rows = before.rows.clone();
        after.rows.insert(500, row("new", 0));
        assert_eq!(before.changes_to(&after).edits.len(), 3, "one has come, and nobody else moves");
    }

    #[test]
    fn changes_of_other_rows_are_refused_and_change_nothing() {
        let mut own = rows(1, named(&["a", "b"]));
        let before = own.clone();
        let changes = rows(2, named(&["a"])).changes_to(&rows(3, named(&["b"])));
        assert_eq!(own.changed(changes.clone()), Err(Misfit), "another answer");
        for edits in [vec![Edit::Keep(u64::MAX), Edit::Drop(3)], vec![Edit::Keep(1)]] {
            assert_eq!(own.changed(TreeChanges { from: 1, edits, ..changes.clone() }), Err(Misfit));
        }
        assert_eq!(own, before);
    }

    proptest! {
        #[test]
        fn changes_lead_from_any_rows_to_any_others(
            before in prop::collection::vec((0..20_u32, 0..3_u64), 0..120),
            after in prop::collection::vec((0..20_u32, 0..3_u64), 0..120),
        ) {
            let of = |seq, list: Vec<(u32, u64)>| {
                rows(seq, list.iter().map(|(name, done)| row(&name.to_string(), *done)).collect())
            };
            let (mut before, after) = (of(1, before), of(2, after));
            prop_assert!(before.changed(before.changes_to(&after)).is_ok());
            prop_assert_eq!(before, after);
        }
    }
}

//! One moment after the other into lines: who stands below whom, what a second has brought, who is gone since.
//!
//! Rows are flat, and so is everything here: a few passes over numbers, and no text is written for a row that is not on the
//! screen.
//!
//! Invariants:
//! - **LV-1 (one-line-one-key):** no two lines have the same key, and each is found by it.

mod graves;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash as _, Hasher};
use std::time::Duration;

use raytree_types::inspect::{ActorState, TreeRow};
use raytree_types::limits;

use graves::Grave;

/// A path in 64 bits. Siblings of one name are told apart by their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(u64);

/// Where the row of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Among those of this moment.
    Here(u32),
    /// Among those that are gone.
    Gone(u32),
}

/// What follows for one row from the others, and from the moment before.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Who it is.
    pub(crate) key: Key,
    at: At,
    /// Levels below the top.
    pub(crate) depth: u32,
    /// The line it stands below.
    pub(crate) parent: Option<u32>,
    /// The first line after it that is not below it.
    pub(crate) end: u32,
    /// It has failed or restarts.
    pub(crate) is_down: bool,
    /// Something below it has failed or restarts.
    pub(crate) down_below: bool,
    /// Its process gave no answer.
    pub(crate) is_stale: bool,
    /// What has changed since the moment before; nothing for who was not there.
    pub(crate) rates: Option<Rates>,
}

impl Line {
    /// It was there in an earlier moment, and is no more.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.at, At::Gone(_))
    }

    /// Lines below it.
    pub(crate) fn below(&self, own: usize) -> usize {
        (self.end as usize).saturating_sub(own + 1)
    }
}

/// Differences between two moments, for each second between them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    /// Messages handled.
    pub(crate) messages: f64,
    /// Share of the time in which it handled messages, the present one included.
    pub(crate) busy: f64,
    /// Processors its process has used, where it begins one.
    pub(crate) cpu: Option<f64>,
}

/// All lines together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    /// Rows, also those that were only counted.
    pub(crate) actors: u64,
    /// Those that wait for their next life.
    pub(crate) restarting: u64,
    /// Those that have failed for good.
    pub(crate) failed: u64,
    /// Those that handle one message for longer than [`limits::TOP_STUCK_AFTER`].
    pub(crate) stuck: u64,
    /// Messages handled in a second.
    pub(crate) messages: f64,
}

/// Lines by key. A key is a hash already.
type Index = HashMap<Key, u32, BuildHasherDefault<AsIs>>;

/// A tree over time.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    rows: Vec<TreeRow>,
    graves: Vec<Grave>,
    lines: Vec<Line>,
    index: Index,
    totals: Totals,
    captured_at: Duration,
}

impl Fold {
    /// The next moment.
    pub(crate) fn take(&mut self, rows: Vec<TreeRow>, more: u64, captured_at: Duration) {
        let passed = captured_at.saturating_sub(self.captured_at);
        self.totals = Totals { actors: more, ..Totals::default() };
        if self.has_the_shape_of(&rows) {
            for ((line, before), row) in self.lines.iter_mut().zip(&self.rows).zip(&rows) {
                line.rates = rates(before, row, passed);
                line.down_below = false;
                self.totals.add(row, line.rates);
            }
            (self.rows, self.captured_at) = (rows, captured_at);
        } else {
            self.reshape(rows, more, captured_at, passed);
        }
        self.relate();
        debug_assert_eq!(self.index.len(), self.lines.len(), "LV-1");
    }

    /// Nobody has come or gone, which is so nearly always: then lines and keys stay as they are.
    fn has_the_shape_of(&self, rows: &[TreeRow]) -> bool {
        let alike = |(a, b): (&TreeRow, &TreeRow)| a.depth == b.depth && a.name == b.name;
        self.graves.is_empty()
            && self.rows.len() == rows.len()
            && self.rows.iter().zip(rows).all(alike)
    }

    /// New lines for rows that are not those of the moment before.
    fn reshape(&mut self, rows: Vec<TreeRow>, more: u64, captured_at: Duration, passed: Duration) {
        let (mut lines, mut index) = keyed(&rows);
        let mut known = 0;
        for (line, row) in lines.iter_mut().zip(&rows) {
            let before = self.index.get(&line.key).and_then(|at| self.lines.get(*at as usize));
            known += usize::from(before.is_some());
            line.rates = match before.map(|before| before.at) {
                Some(At::Here(at)) => rates(&self.rows[at as usize], row, passed),
                _ => None,
            };
            self.totals.add(row, line.rates);
        }
        // What did not fit is not gone.
        let graves = match known == self.lines.len() || more > 0 {
            true => Vec::new(),
            false => graves::dig(self, &mut lines, &index, captured_at),
        };
        (self.rows, self.graves, self.captured_at) = (rows, graves, captured_at);
        if !self.graves.is_empty() {
            index = lines.iter().zip(0..).map(|(line, at)| (line.key, at)).collect();
        }
        (self.lines, self.index) = (lines, index);
    }

    /// Parents, ends, and what is known only from the rows above or below.
    fn relate(&mut self) {
        let mut open: Vec<u32> = Vec::new();
        let count = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        for at in 0..self.lines.len() {
            let depth = self.lines[at].depth as usize;
            while open.len() > depth {
                if let Some(ended) = open.pop() {
                    self.lines[ended as usize].end = at as u32;
                }
            }
            let parent = open.last().copied();
            let above = parent.is_some_and(|parent| self.lines[parent as usize].is_stale);
            let row = self.row(at);
            let is_down = matches!(row.state, ActorState::Failed | ActorState::Restarting);
            let stale = row.process.as_ref().map_or(above, |process| process.stale.is_some());
            let line = &mut self.lines[at];
            (line.parent, line.end, line.is_stale) = (parent, count, stale);
            line.is_down = is_down && !line.is_gone();
            if stale {
                line.rates = None;
            }
            open.push(at as u32);
        }
        for at in (0..self.lines.len()).rev() {
            let Line { parent: Some(parent), is_down, down_below, .. } = self.lines[at] else {
                continue;
            };
            self.lines[parent as usize].down_below |= is_down || down_below;
        }
    }

    /// All lines, parents before their children.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The row of a line.
    pub(crate) fn row(&self, line: usize) -> &TreeRow {
        match self.lines[line].at {
            At::Here(at) => &self.rows[at as usize],
            At::Gone(at) => &self.graves[at as usize].row,
        }
    }

    /// How long a line has been gone.
    pub(crate) fn gone_for(&self, line: usize) -> Option<Duration> {
        match self.lines[line].at {
            At::Here(_) => None,
            At::Gone(at) => Some(self.captured_at.saturating_sub(self.graves[at as usize].since)),
        }
    }

    /// The line of this key.
    pub(crate) fn find(&self, key: Key) -> Option<usize> {
        self.index.get(&key).map(|at| *at as usize)
    }

    /// The line at a path, as [`Source`](crate::Source) has it; with the name of a single top row before it or without.
    pub(crate) fn at_path(&self, path: &str) -> Option<usize> {
        let names = path.split('/').filter(|name| !name.is_empty());
        let below = |top: Option<usize>| {
            let mut at = top;
            for name in names.clone() {
                at = Some(self.child(at, name)?);
            }
            at
        };
        let top = self.single_top().then_some(0);
        top.and_then(|top| below(Some(top)).filter(|at| *at != top)).or_else(|| below(None))
    }

    fn child(&self, parent: Option<usize>, name: &str) -> Option<usize> {
        let (mut at, end) = match parent {
            Some(parent) => (parent + 1, self.lines[parent].end as usize),
            None => (0, self.lines.len()),
        };
        while at < end {
            if self.row(at).name == name {
                return Some(at);
            }
            at = self.lines[at].end as usize;
        }
        None
    }

    fn single_top(&self) -> bool {
        self.lines.first().is_some_and(|top| top.end as usize == self.lines.len())
    }

    /// The path of a line, as [`Source`](crate::Source) has it.
    pub(crate) fn path(&self, line: usize) -> String {
        let mut names = vec![&*self.row(line).name];
        let mut at = line;
        while let Some(parent) = self.lines[at].parent {
            at = parent as usize;
            names.push(&self.row(at).name);
        }
        if names.len() > 1 && self.single_top() {
            names.pop();
        }
        names.reverse();
        names.join("/")
    }

    /// The line of the process that a line is part of.
    pub(crate) fn process_of(&self, line: usize) -> Option<usize> {
        let mut at = line;
        while self.row(at).process.is_none() {
            at = self.lines[at].parent? as usize;
        }
        Some(at)
    }

    /// All lines together.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// When the rows were so, since 1970.
    pub(crate) fn captured_at(&self) -> Duration {
        self.captured_at
    }
}

impl Totals {
    fn add(&mut self, row: &TreeRow, rates: Option<Rates>) {
        self.actors += 1 + row.hidden;
        self.restarting += u64::from(row.state == ActorState::Restarting);
        self.failed += u64::from(row.state == ActorState::Failed);
        self.stuck += u64::from(is_stuck(row));
        self.messages += rates.map_or(0.0, |rates| rates.messages);
    }
}

/// It has been handling one message for too long.
pub(crate) fn is_stuck(row: &TreeRow) -> bool {
    row.busy_for.is_some_and(|busy| busy >= limits::TOP_STUCK_AFTER)
}

/// The lines of these rows, each with its depth and key, and nothing else yet. A row is at most one level below the one before.
fn keyed(rows: &[TreeRow]) -> (Vec<Line>, Index) {
    let mut lines = Vec::with_capacity(rows.len());
    let mut index = Index::with_capacity_and_hasher(rows.len(), BuildHasherDefault::default());
    let mut above: Vec<Key> = Vec::new();
    for (row, at) in rows.iter().zip(0..) {
        above.truncate(row.depth as usize);
        let mut key = below(above.last().copied(), &row.name);
        while index.contains_key(&key) {
            key = again(key);
        }
        index.insert(key, at);
        lines.push(Line {
            key,
            at: At::Here(at),
            depth: above.len() as u32,
            parent: None,
            end: 0,
            is_down: false,
            down_below: false,
            is_stale: false,
            rates: None,
        });
        above.push(key);
    }
    (lines, index)
}

fn below(parent: Option<Key>, name: &str) -> Key {
    let mut hasher = std::hash::DefaultHasher::new();
    parent.hash(&mut hasher);
    name.hash(&mut hasher);
    Key(hasher.finish())
}

/// The key of a second one of the same name.
fn again(key: Key) -> Key {
    Key(key.0.rotate_left(1) ^ 0x9e37_79b9_7f4a_7c15)
}

/// What has changed from one moment to the next. Who counts from zero again has begun a new life in another process.
fn rates(before: &TreeRow, now: &TreeRow, passed: Duration) -> Option<Rates> {
    if passed.is_zero() || now.handled < before.handled {
        return None;
    }
    let seconds = passed.as_secs_f64();
    let busy = |row: &TreeRow| row.busy + row.busy_for.unwrap_or_default();
    let share =
        |before: Duration, now: Duration| now.saturating_sub(before).as_secs_f64() / seconds;
    let cpu = match (&before.process, &now.process) {
        (Some(before), Some(now)) if before.pid == now.pid => Some(share(before.cpu, now.cpu)),
        _ => None,
    };
    let messages = (now.handled - before.handled) as f64 / seconds;
    Some(Rates { messages, busy: share(busy(before), busy(now)), cpu })
}

/// A hash of what is one already.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

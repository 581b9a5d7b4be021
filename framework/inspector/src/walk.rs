//! From a tree to the rows that were asked for, in bounded space, at any depth.

use std::io;
use std::sync::Arc;

use raytree_supervise::Probe;
use raytree_types::inspect::{Refused, Selection, TreeRow, TreeRows};

use crate::near::near;

/// One place of a tree.
pub trait Branch: Clone {
    /// Its name among its siblings.
    fn name(&self) -> &str;

    /// What is shown of it.
    fn row(&self, depth: u32) -> TreeRow;

    /// The places below it, in order.
    fn children(&self) -> Vec<Self>;

    /// Places further below, of which nothing else is known.
    fn hidden(&self) -> u64 {
        0
    }
}

impl Branch for Arc<Probe> {
    fn name(&self) -> &str {
        Probe::name(self)
    }

    fn row(&self, depth: u32) -> TreeRow {
        Probe::row(self, depth)
    }

    fn children(&self) -> Vec<Self> {
        Probe::children(self)
    }
}

/// In a tree with one root a path may leave out the root's name.
pub(crate) fn from_root(path: &str, root: &str) -> String {
    let rest = path.trim_matches('/');
    let named = rest == root || rest.starts_with(&format!("{root}/"));
    if named { rest.to_owned() } else { format!("{root}/{rest}") }
}

/// The selected rows below `tops`; those that would make them longer than `bytes_max` as JSON are counted.
///
/// # Errors
/// [`Refused::NoSuchPath`].
pub fn walk<B: Branch>(
    tops: Vec<B>,
    selection: &Selection,
    bytes_max: usize,
) -> Result<TreeRows, Refused> {
    let tops = match &selection.path {
        Some(path) => vec![find(tops, path)?],
        None => tops,
    };
    let mut taken = Taken::new(bytes_max);
    // Rows above the present one that are shown only if something below them is.
    let mut above: Vec<TreeRow> = Vec::new();
    let mut open: Vec<(u32, B)> = tops.into_iter().rev().map(|top| (0, top)).collect();
    while let Some((depth, branch)) = open.pop() {
        let children = branch.children();
        let is_deepest = selection.depth.is_some_and(|deepest| depth >= deepest);
        if taken.full && !selection.failed {
            taken.rows.more += 1;
        } else {
            let mut row = branch.row(depth);
            let below = if is_deepest { count(children.clone()) } else { 0 };
            row.hidden = branch.hidden() + below;
            if !selection.failed {
                taken.take(row);
            } else {
                while above.last().is_some_and(|other| other.depth >= depth) {
                    above.pop();
                }
                above.push(row);
                if above.last().is_some_and(TreeRow::in_trouble) {
                    above.drain(..).for_each(|row| taken.take(row));
                }
            }
        }
        if !is_deepest {
            open.extend(children.into_iter().rev().map(|child| (depth + 1, child)));
        }
    }
    Ok(taken.rows)
}

struct Taken {
    rows: TreeRows,
    bytes_max: usize,
    bytes: usize,
    /// `bytes` is what they really take, and not what they take at most.
    is_exact: bool,
    full: bool,
}

impl Taken {
    fn new(bytes_max: usize) -> Self {
        Self { rows: TreeRows::default(), bytes_max, bytes: 0, is_exact: false, full: false }
    }

    fn take(&mut self, row: TreeRow) {
        let mut bytes = self.bytes + if self.is_exact { json_bytes(&row) } else { at_most(&row) };
        if bytes > self.bytes_max && !self.is_exact {
            // Written as JSON to be measured: not before it matters.
            self.is_exact = true;
            self.bytes = self.rows.rows.iter().map(json_bytes).sum();
            bytes = self.bytes + json_bytes(&row);
        }
        // From the first that does not fit on, so that what is shown is a beginning and not a choice.
        self.full |= bytes > self.bytes_max;
        if self.full {
            self.rows.more += 1;
        } else {
            self.bytes = bytes;
            self.rows.rows.push(row);
        }
    }
}

/// More than its length as JSON: a character may take six there.
fn at_most(row: &TreeRow) -> usize {
    let texts = [&row.strategy, &row.current, &row.last_cause, &row.remark, &row.host];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    let program = row.process.as_ref().map_or(0, |process| process.program.len());
    1024 + 6 * (row.name.len() + row.type_name.len() + texts + program)
}

/// The place at `path`: names from a top downwards. A user actor `scores#2a` may be called `scores`.
pub(crate) fn find<B: Branch>(tops: Vec<B>, path: &str) -> Result<B, Refused> {
    let mut level = tops;
    let mut found = None;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let exact = level.iter().find(|branch| branch.name() == part);
        let short = || {
            let base = |name: &str| name.rsplit_once('#').is_some_and(|(base, _)| base == part);
            level.iter().find(|branch| base(branch.name()))
        };
        let next = exact.or_else(short).cloned();
        let next = next.ok_or_else(|| {
            let near = near(part, level.iter().map(|branch| branch.name()));
            Refused::NoSuchPath { path: path.to_owned(), near }
        })?;
        level = next.children();
        found = Some(next);
    }
    found.ok_or_else(|| Refused::NoSuchPath { path: path.to_owned(), near: Vec::new() })
}

fn count<B: Branch>(tops: Vec<B>) -> u64 {
    let mut open = tops;
    let mut count = 0;
    while let Some(branch) = open.pop() {
        count += 1 + branch.hidden();
        open.extend(branch.children());
    }
    count
}

/// Its length as JSON, and a comma.
fn json_bytes(row: &TreeRow) -> usize {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, row) {
        Ok(()) => counter.0 + 1,
        // A row has nothing that JSON has not.
        Err(_) => usize::MAX - 1,
    }
}

#[cfg(test)]
mod tests {
    use raytree_types::inspect::ActorState;

    use super::*;

    /// `a`, `ab`, .. : the first is the only top, each has the next below it, and `width` leaves called `leaf#1` and so on.
    #[derive(Clone)]
    struct Fake {
        name: String,
        levels: u32,
        width: u32,
        failed: bool,
    }

    impl Branch for Fake {
        fn name(&self) -> &str {
            &self.name
        }

        fn row(&self, depth: u32) -> TreeRow {
            let state = if self.failed { ActorState::Failed } else { ActorState::Running };
            TreeRow { state, ..TreeRow::named(depth, &*self.name) }
        }

        fn children(&self) -> Vec<Self> {
            if self.levels == 0 {
                return Vec::new();
            }
            let leaf = |number: u32| Self {
                name: format!("leaf#{number}"),
                levels: 0,
                width: 0,
                failed: self.failed && number == 2,
            };
            let mut below: Vec<Self> = (1..=self.width).map(leaf).collect();
            let (name, levels) = ("down".to_owned(), self.levels - 1);
            below.push(Self { name, levels, width: self.width, failed: false });
            below
        }
    }

    fn tree(levels: u32, width: u32) -> Vec<Fake> {
        vec![Fake { name: "top".to_owned(), levels, width, failed: false }]
    }

    fn shown(rows: &TreeRows) -> Vec<String> {
        let line = |row: &TreeRow| format!("{} {} +{}", row.depth, row.name, row.hidden);
        rows.rows.iter().map(line).collect()
    }

    const ALL: Selection = Selection {
        owners: false,
        whole: false,
        path: None,
        depth: None,
        failed: false,
        since: None,
    };

    #[test]
    fn parents_come_before_their_children() -> Result<(), Refused> {
        let rows = walk(tree(2, 1), &ALL, 1 << 20)?;
        assert_eq!(
            shown(&rows),
            ["0 top +0", "1 leaf#1 +0", "1 down +0", "2 leaf#1 +0", "2 down +0"]
        );
        assert_eq!(rows.more, 0);
        Ok(())
    }

    #[test]
    fn what_is_too_deep_is_counted() -> Result<(), Refused> {
        let rows = walk(tree(2, 1), &Selection { depth: Some(1), ..ALL }, 1 << 20)?;
        assert_eq!(shown(&rows), ["0 top +0", "1 leaf#1 +0", "1 down +2"]);
        Ok(())
    }

    #[test]
    fn a_path_is_exact_or_leaves_out_the_number() -> Result<(), Refused> {
        let at = |path: &str| {
            walk(tree(2, 2), &Selection { path: Some(path.to_owned()), ..ALL }, 1 << 20)
        };
        assert_eq!(shown(&at("top/leaf#2")?), ["0 leaf#2 +0"]);
        assert_eq!(shown(&at("/top/down/leaf/")?), ["0 leaf#1 +0"]);
        for (wrong, near) in
            [("down", &[][..]), ("top/leaf#3", &["leaf#1", "leaf#2"]), ("", &[]), ("tpo", &["top"])]
        {
            let near = near.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(at(wrong), Err(Refused::NoSuchPath { path: wrong.to_owned(), near }));
        }
        for (given, whole) in [
            ("down", "top/down"),
            ("top/down", "top/down"),
            ("/top", "top"),
            ("topic", "top/topic"),
        ] {
            assert_eq!(from_root(given, "top"), whole);
        }
        Ok(())
    }

    #[test]
    fn only_what_failed_and_what_stands_above_it() -> Result<(), Refused> {
        let mut tops = tree(3, 2);
        tops.push(Fake { name: "bad".to_owned(), levels: 1, width: 2, failed: true });
        let rows = walk(tops, &Selection { failed: true, ..ALL }, 1 << 20)?;
        assert_eq!(shown(&rows), ["0 bad +0", "1 leaf#2 +0"]);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_counted_at_any_depth() -> Result<(), Refused> {
        // 100,000 levels: no recursion anywhere.
        let whole = walk(tree(100_000, 0), &ALL, usize::MAX)?;
        assert_eq!((whole.rows.len(), whole.more), (100_001, 0));
        let rows = walk(tree(100_000, 0), &ALL, 10_000)?;
        assert_eq!(rows.rows.len() as u64 + rows.more, 100_001);
        let bytes = serde_json::to_vec(&rows.rows).map_or(0, |json| json.len());
        assert!(bytes <= 10_002 && bytes > 9_500, "{bytes}");
        Ok(())
    }
}

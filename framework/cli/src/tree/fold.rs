//! What flat rows say of each other: which is the last child of its parent, and below which something is down. One pass
//! from the end, in space of the tree's depth.

use raytree_types::inspect::{ActorState, TreeRow};

/// A row with what follows from the others.
#[derive(Clone, Debug)]
pub(super) struct Fold<'a> {
    pub(super) row: &'a TreeRow,
    /// No sibling follows it.
    pub(super) is_last: bool,
    /// Something below it has failed or restarts.
    pub(super) down_below: bool,
    /// For each of the [`LEVELS`] levels above it, the nearest first: a sibling of that ancestor follows.
    pub(super) open: u64,
}

/// Levels above a row of which a line may remind the reader.
pub(super) const LEVELS: u32 = 64;

#[derive(Clone, Copy, Default)]
struct Level {
    /// A row of this level was seen after the present one, below the same parent.
    follows: bool,
    /// One of them is down, or something below it.
    down: bool,
}

pub(super) fn fold(rows: &[TreeRow]) -> Vec<Fold<'_>> {
    let mut folds: Vec<Fold<'_>> = rows.iter().rev().scan(Vec::new(), from_the_end).collect();
    folds.reverse();
    // The nearest ancestor is the row before that is one level up: its lines, and its own.
    let mut above: Vec<u64> = Vec::new();
    for fold in &mut folds {
        above.truncate(fold.row.depth as usize);
        fold.open = above.last().copied().unwrap_or_default();
        above.push(fold.open << 1 | u64::from(!fold.is_last));
    }
    folds
}

fn from_the_end<'a>(levels: &mut Vec<Level>, row: &'a TreeRow) -> Option<Fold<'a>> {
    let depth = row.depth as usize;
    levels.resize(levels.len().max(depth + 1), Level::default());
    let below = levels.get(depth + 1).copied().unwrap_or_default();
    levels.truncate(depth + 1);
    let is_down = matches!(row.state, ActorState::Failed | ActorState::Restarting);
    let own = &mut levels[depth];
    let is_last = !own.follows;
    *own = Level { follows: true, down: own.down || is_down || below.down };
    Some(Fold { row, is_last, down_below: below.down, open: 0 })
}

//! Rows that were there and are no more: for a while they stay where they were.

use std::cmp::Reverse;
use std::time::Duration;

use raytree_types::inspect::TreeRow;
use raytree_types::limits;

use super::{At, Fold, Index, Line};

/// A row that is gone.
#[derive(Debug)]
pub(super) struct Grave {
    /// How it was.
    pub(super) row: TreeRow,
    /// Since when, in the time of moments.
    pub(super) since: Duration,
}

/// Rows that are gone together, as they stood one after the other, and before which new line they stand now.
struct Plot {
    before: usize,
    depth: u32,
    lines: std::ops::Range<usize>,
}

/// Puts what is gone among the new `lines`; `index` finds these by key.
pub(super) fn dig(
    old: &Fold,
    lines: &mut Vec<Line>,
    index: &Index,
    captured_at: Duration,
) -> Vec<Grave> {
    let plots = plots(old, lines, index);
    let mut graves = Vec::new();
    let mut all = Vec::with_capacity(lines.len());
    let mut rest = std::mem::take(lines).into_iter();
    let mut placed = 0;
    for plot in plots {
        all.extend(rest.by_ref().take(plot.before - placed));
        placed = plot.before;
        // Below one that is not kept, nobody is.
        let mut left_out: Option<u32> = None;
        for at in plot.lines {
            let line = &old.lines[at];
            let since = old.gone_since(at).unwrap_or(captured_at);
            let kept = captured_at.saturating_sub(since) < limits::TOP_GRAVE
                && graves.len() < limits::TOP_GRAVES_MAX
                && !index.contains_key(&line.key);
            left_out = left_out.filter(|depth| line.depth > *depth);
            if !kept || left_out.is_some() {
                left_out = left_out.or(Some(line.depth));
                continue;
            }
            let grave = At::Gone(graves.len() as u32);
            graves.push(Grave { row: old.row(at).clone(), since });
            all.push(Line { at: grave, rates: None, down_below: false, ..line.clone() });
        }
    }
    all.extend(rest);
    *lines = all;
    graves
}

/// Runs of old lines that are not among the new ones, in the order in which they are put there: after the sibling that came
/// before them, or first below their parent. Both are still there: whatever is below one that is gone, is gone with it.
fn plots(old: &Fold, lines: &[Line], index: &Index) -> Vec<Plot> {
    let mut plots: Vec<Plot> = Vec::new();
    // For each level of the old tree: where the next one of that level would stand among the new lines.
    let mut next: Vec<usize> = vec![0];
    let ends = ends(lines);
    let mut at = 0;
    while at < old.lines.len() {
        let line = &old.lines[at];
        let depth = line.depth as usize;
        next.truncate(depth + 1);
        if let Some(new) = index.get(&line.key) {
            let new = *new as usize;
            if let Some(own) = next.get_mut(depth) {
                *own = ends[new];
            }
            next.push(new + 1);
            at += 1;
            continue;
        }
        let (end, before) = (line.end as usize, next.get(depth).copied().unwrap_or_default());
        match plots.last_mut().filter(|plot| plot.lines.end == at && plot.depth == line.depth) {
            Some(plot) if plot.before == before => plot.lines.end = end,
            _ => plots.push(Plot { before, depth: line.depth, lines: at..end }),
        }
        at = end;
    }
    plots.sort_by_key(|plot| (plot.before, Reverse(plot.depth)));
    plots
}

/// The end of each line's subtree.
fn ends(lines: &[Line]) -> Vec<usize> {
    let mut ends = vec![lines.len(); lines.len()];
    let mut open: Vec<usize> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        while open.len() > line.depth as usize {
            if let Some(ended) = open.pop() {
                ends[ended] = at;
            }
        }
        open.push(at);
    }
    ends
}

impl Fold {
    fn gone_since(&self, line: usize) -> Option<Duration> {
        match self.lines[line].at {
            At::Here(_) => None,
            At::Gone(at) => Some(self.graves[at as usize].since),
        }
    }
}

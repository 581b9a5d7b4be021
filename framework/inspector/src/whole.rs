//! One tree of many processes: below a mirror stands what the process shows that it stands for.
//!
//! A mirror and the root of its process are one row: the mirror's, with the strategy and the process of the root. All processes are
//! asked at once, and each asks those below it; one that does not answer in time is shown as it was when it did.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use raytree_supervise::{NoWay, Passage, Probe, Sight};
use raytree_types::inspect::{ActorState, ProcessRow, TreeRow};
use raytree_types::limits;

use crate::walk::Branch;

/// A place in this process where the tree goes on in another one.
pub(crate) struct Seam {
    pub(crate) mirror: Arc<Probe>,
    pub(crate) passage: Arc<dyn Passage>,
}

/// All those below `root`, in order; with a path those alone that it leads to or through.
pub(crate) fn seams(root: &Arc<Probe>, path: Option<&str>) -> Vec<Seam> {
    let mut seams = Vec::new();
    let mut open = vec![Arc::clone(root)];
    while let Some(probe) = open.pop() {
        if let Some(passage) = probe.passage()
            && path.is_none_or(|path| touches(&probe.path(), path))
        {
            seams.push(Seam { mirror: Arc::clone(&probe), passage });
        }
        open.extend(probe.children().into_iter().rev());
    }
    seams
}

/// One of them is at or below the other.
fn touches(one: &str, other: &str) -> bool {
    let mut both = one.split('/').zip(other.split('/').filter(|part| !part.is_empty()));
    both.all(|(one, other)| one == other)
}

/// What each of them says, asked all at once.
pub(crate) fn ask_all<T: Send>(
    seams: &[Seam],
    ask: impl Fn(&dyn Passage) -> Result<T, NoWay> + Sync,
) -> Vec<Result<T, NoWay>> {
    let died = || Err(NoWay::because("asking it failed"));
    let mut answers = Vec::with_capacity(seams.len());
    for some in seams.chunks(limits::INSPECT_ASK_AT_ONCE) {
        thread::scope(|scope| {
            let ask = &ask;
            let asking = |seam: &Seam| {
                let passage = Arc::clone(&seam.passage);
                scope.spawn(move || ask(&*passage))
            };
            let asked: Vec<_> = some.iter().map(asking).collect();
            answers.extend(asked.into_iter().map(|one| one.join().unwrap_or_else(|_| died())));
        });
    }
    answers
}

/// The part of a client's patience that those below get.
pub(crate) fn passed_on(patience: Duration) -> Duration {
    let (of, all) = limits::INSPECT_PASS_ON;
    patience * of / all
}

/// What is seen below each mirror, and this process.
pub(crate) struct Scene {
    root: usize,
    process: ProcessRow,
    sights: HashMap<usize, Result<(Sight, Arc<Grown>), NoWay>>,
}

/// Rows that know where what is below them ends.
pub(crate) struct Grown {
    rows: Arc<Vec<TreeRow>>,
    ends: Vec<usize>,
}

impl Grown {
    fn of(rows: Arc<Vec<TreeRow>>) -> Arc<Self> {
        let mut ends = vec![rows.len(); rows.len()];
        // Those that have not ended yet, the deepest last.
        let mut open: Vec<usize> = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            while let Some(last) = open.pop_if(|last| rows[*last].depth >= row.depth) {
                ends[last] = at;
            }
            open.push(at);
        }
        Arc::new(Self { rows, ends })
    }

    /// From this row on: it, and those that follow it beside it.
    fn beside(self: &Arc<Self>, first: usize, end: usize) -> Vec<Spot> {
        let next = |at: &usize| Some(self.ends[*at]).filter(|next| *next < end);
        let places = std::iter::successors(Some(first).filter(|first| *first < end), next);
        places.map(|at| Spot::There(Arc::clone(self), at)).collect()
    }

    fn below(self: &Arc<Self>, at: usize) -> Vec<Spot> {
        self.ends.get(at).map_or_else(Vec::new, |end| self.beside(at + 1, *end))
    }
}

/// Which probe it is, among those that are held.
fn mark(probe: &Arc<Probe>) -> usize {
    Arc::as_ptr(probe) as usize
}

impl Scene {
    /// Asks everybody below.
    pub(crate) fn look(
        root: &Arc<Probe>,
        process: ProcessRow,
        seams: &[Seam],
        within: Duration,
    ) -> Arc<Self> {
        let seen = ask_all(seams, |passage| {
            let sight = passage.sees(false, within)?;
            let grown = Grown::of(Arc::clone(&sight.rows));
            Ok((sight, grown))
        });
        let sights = seams.iter().map(|seam| mark(&seam.mirror)).zip(seen).collect();
        Arc::new(Self { root: mark(root), process, sights })
    }

    /// Rows that others could not send, in all.
    pub(crate) fn more(&self) -> u64 {
        self.sights.values().flatten().map(|(sight, _)| sight.more).sum()
    }

    fn sight(&self, probe: &Arc<Probe>) -> Option<&Result<(Sight, Arc<Grown>), NoWay>> {
        self.sights.get(&mark(probe))
    }
}

/// A place of the whole tree.
#[derive(Clone)]
pub(crate) enum Spot {
    /// In this process.
    Here(Arc<Probe>, Arc<Scene>),
    /// In another one: the row at this place of what it shows.
    There(Arc<Grown>, usize),
}

impl Spot {
    /// The top rows of a forest.
    pub(crate) fn tops(rows: Vec<TreeRow>) -> Vec<Self> {
        let end = rows.len();
        Grown::of(Arc::new(rows)).beside(0, end)
    }
}

impl Branch for Spot {
    fn name(&self) -> &str {
        match self {
            Self::Here(probe, _) => probe.name(),
            Self::There(grown, at) => &grown.rows[*at].name,
        }
    }

    fn row(&self, depth: u32) -> TreeRow {
        match self {
            Self::Here(probe, scene) => {
                let mut row = probe.row(depth);
                if mark(probe) == scene.root {
                    row.process = Some(Box::new(scene.process.clone()));
                }
                match scene.sight(probe) {
                    Some(Ok((sight, _))) => stands_for(&mut row, sight),
                    Some(Err(why)) if !why.is_shut => {
                        remark(&mut row, format!("cannot be looked at: {why}"));
                    }
                    Some(Err(_)) | None => {}
                }
                row
            }
            Self::There(grown, at) => TreeRow { depth, ..grown.rows[*at].clone() },
        }
    }

    fn children(&self) -> Vec<Self> {
        match self {
            Self::Here(probe, scene) => {
                let own = probe.children().into_iter();
                let own = own.map(|child| Self::Here(child, Arc::clone(scene)));
                let there = match scene.sight(probe) {
                    Some(Ok((_, grown))) => grown.below(0),
                    _ => Vec::new(),
                };
                own.chain(there).collect()
            }
            Self::There(grown, at) => grown.below(*at),
        }
    }

    fn hidden(&self) -> u64 {
        match self {
            Self::Here(..) => 0,
            Self::There(grown, at) => grown.rows[*at].hidden,
        }
    }
}

/// A mirror's row with what is known of the root of its process.
fn stands_for(row: &mut TreeRow, sight: &Sight) {
    let Some(root) = sight.rows.first() else { return };
    row.strategy.clone_from(&root.strategy);
    if row.state == ActorState::Running {
        row.state = root.state;
    }
    row.process.clone_from(&root.process);
    if let Some(said) = &root.remark {
        remark(row, said.clone());
    }
    if let Some((ago, why)) = &sight.stale {
        if let Some(process) = &mut row.process {
            process.stale = Some(*ago);
        }
        remark(row, format!("as it was {} ago: {why}", seconds(*ago)));
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn remark(row: &mut TreeRow, said: String) {
    row.remark = Some(match row.remark.take() {
        Some(before) => format!("{before}; {said}"),
        None => said,
    });
}

#[cfg(test)]
mod tests {
    use raytree_types::inspect::Selection;

    use super::*;
    use crate::walk::walk;

    fn shown(depths: &[u32]) -> Vec<u32> {
        let rows = depths.iter().map(|depth| TreeRow::named(*depth, "a")).collect();
        let all = Selection::default();
        let rows = walk(Spot::tops(rows), &all, usize::MAX).map(|rows| rows.rows);
        rows.unwrap_or_default().iter().map(|row| row.depth).collect()
    }

    #[test]
    fn rows_of_another_process_keep_their_order_and_depth() {
        let forest = [0, 1, 2, 2, 1, 0, 0, 1, 2, 3, 1];
        assert_eq!(shown(&forest), forest);
        assert_eq!(shown(&[]), [0; 0]);
        // One that leaves a level out is nobody's child there, and not lost.
        assert_eq!(shown(&[0, 2, 1]), [0, 1, 1]);
    }

    #[test]
    fn a_chain_of_any_depth_is_read_in_one_pass() {
        let chain: Vec<u32> = (0..100_000).collect();
        assert_eq!(shown(&chain), chain);
    }
}

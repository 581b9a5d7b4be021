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
    sights: HashMap<usize, Result<Sight, NoWay>>,
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
        let seen = ask_all(seams, |passage| passage.sees(false, within));
        let sights = seams.iter().map(|seam| mark(&seam.mirror)).zip(seen).collect();
        Arc::new(Self { root: mark(root), process, sights })
    }

    /// Rows that others could not send, in all.
    pub(crate) fn more(&self) -> u64 {
        self.sights.values().flatten().map(|sight| sight.more).sum()
    }

    fn sight(&self, probe: &Arc<Probe>) -> Option<&Result<Sight, NoWay>> {
        self.sights.get(&mark(probe))
    }
}

/// A place of the whole tree.
#[derive(Clone)]
pub(crate) enum Spot {
    /// In this process.
    Here(Arc<Probe>, Arc<Scene>),
    /// In another one: the row at this place of what it shows.
    There(Arc<Vec<TreeRow>>, usize),
}

impl Spot {
    /// The top rows of a forest.
    pub(crate) fn tops(rows: Vec<TreeRow>) -> Vec<Self> {
        let rows = Arc::new(rows);
        let tops = rows.iter().enumerate().filter(|(_, row)| row.depth == 0);
        tops.map(|(place, _)| Self::There(Arc::clone(&rows), place)).collect()
    }
}

impl Branch for Spot {
    fn name(&self) -> &str {
        match self {
            Self::Here(probe, _) => probe.name(),
            Self::There(rows, at) => &rows[*at].name,
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
                    Some(Ok(sight)) => stands_for(&mut row, sight),
                    Some(Err(why)) if !why.is_shut => {
                        remark(&mut row, format!("cannot be looked at: {why}"));
                    }
                    Some(Err(_)) | None => {}
                }
                row
            }
            Self::There(rows, at) => TreeRow { depth, ..rows[*at].clone() },
        }
    }

    fn children(&self) -> Vec<Self> {
        match self {
            Self::Here(probe, scene) => {
                let own = probe.children().into_iter();
                let own = own.map(|child| Self::Here(child, Arc::clone(scene)));
                let there = match scene.sight(probe) {
                    Some(Ok(sight)) => below(&sight.rows, 0),
                    _ => Vec::new(),
                };
                own.chain(there).collect()
            }
            Self::There(rows, at) => below(rows, *at),
        }
    }

    fn hidden(&self) -> u64 {
        match self {
            Self::Here(..) => 0,
            Self::There(rows, at) => rows[*at].hidden,
        }
    }
}

fn below(rows: &Arc<Vec<TreeRow>>, at: usize) -> Vec<Spot> {
    let Some(own) = rows.get(at) else { return Vec::new() };
    let after = rows.iter().enumerate().skip(at + 1).take_while(|(_, row)| row.depth > own.depth);
    let children = after.filter(|(_, row)| row.depth == own.depth + 1);
    children.map(|(place, _)| Spot::There(Arc::clone(rows), place)).collect()
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

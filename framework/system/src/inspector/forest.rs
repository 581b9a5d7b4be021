//! The logical tree: who spawned whom, from the actor table.

use std::collections::HashMap;
use std::sync::Arc;

use raytree_inspector::Branch;
use raytree_types::ActorId;
use raytree_types::inspect::{ActorState, TreeRow};

use crate::gcs::table::ActorTable;
use crate::user::status::{Cell, Lifecycle};

/// Cells taken from the table at once: a lookup is well under a microsecond, and callers wait for the table meanwhile.
const BATCH: usize = 1024;

/// Everybody in the table, oldest first.
pub(crate) fn cells(table: &ActorTable) -> Vec<Arc<Cell>> {
    let mut ids = table.ids();
    ids.sort_unstable();
    ids.chunks(BATCH).flat_map(|some| table.cells(some)).collect()
}

/// All actors of one moment, with their edges.
struct Forest {
    cells: Vec<Arc<Cell>>,
    /// Whom the one at this place owns, oldest first.
    owned: Vec<Vec<usize>>,
}

/// One actor of a forest.
#[derive(Clone)]
pub(super) struct Owned {
    forest: Arc<Forest>,
    at: usize,
}

impl Owned {
    /// Those whom nobody owns: spawned from outside, detached, or left behind. Oldest first.
    pub(super) fn tops(cells: Vec<Arc<Cell>>) -> Vec<Self> {
        let places: HashMap<ActorId, usize> =
            cells.iter().enumerate().map(|(at, cell)| (cell.id, at)).collect();
        let mut owned = vec![Vec::new(); cells.len()];
        let mut tops = Vec::new();
        for (at, cell) in cells.iter().enumerate() {
            let owner = cell.owner.filter(|_| !cell.options.is_detached());
            match owner.and_then(|owner| places.get(&owner)) {
                Some(owner) => owned[*owner].push(at),
                None => tops.push(at),
            }
        }
        let forest = Arc::new(Forest { cells, owned });
        tops.into_iter().map(|at| Self { forest: Arc::clone(&forest), at }).collect()
    }

    fn cell(&self) -> &Cell {
        &self.forest.cells[self.at]
    }
}

impl Branch for Owned {
    fn name(&self) -> &str {
        self.cell().probe.name()
    }

    fn row(&self, depth: u32) -> TreeRow {
        let mut row = self.cell().probe.row(depth);
        if self.cell().status().lifecycle == Lifecycle::Pending {
            row.state = ActorState::Pending;
        }
        row
    }

    fn children(&self) -> Vec<Self> {
        let below = self.forest.owned[self.at].iter();
        below.map(|at| Self { forest: Arc::clone(&self.forest), at: *at }).collect()
    }
}

//! The logical tree: who spawned whom, from the actor table.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use raytree_inspector::Branch;
use raytree_supervise::clock;
use raytree_types::inspect::{ActorState, TreeRow};
use raytree_types::{ActorId, JobId, TaskId};

use super::waiting_task::last;
use crate::gcs::table::ActorTable;
use crate::runtime::Shared;
use crate::task::run::Runnable;
use crate::user::status::{Cell, Lifecycle, Spawner};

/// Cells taken from the table at once: a lookup is well under a microsecond, and callers wait for the table meanwhile.
const BATCH: usize = 1024;

/// Everybody in the table, oldest first.
pub(crate) fn cells(table: &ActorTable) -> Vec<Arc<Cell>> {
    let mut ids = table.ids();
    ids.sort_unstable();
    ids.chunks(BATCH).flat_map(|some| table.cells(some)).collect()
}

/// A task that runs here and has spawned actors.
pub(super) struct TaskRow {
    id: u64,
    name: String,
    runs_for: Option<Duration>,
}

/// The tasks under way that have spawned any of these, the oldest first. What a task has spawned that is over is nobody's.
pub(super) fn spawners(runtime: &Shared, cells: &[Arc<Cell>]) -> Vec<TaskRow> {
    let task = |cell: &Arc<Cell>| match cell.spawned_by()? {
        Spawner::Task(id) => Some(id),
        Spawner::Actor(_) => None,
    };
    let mut ids: Vec<u64> = cells.iter().filter_map(task).collect();
    ids.sort_unstable();
    ids.dedup();
    let running = ids.into_iter().filter_map(|id| runtime.tasks.get(id));
    let spawner = |task: Arc<dyn Runnable>| TaskRow {
        id: task.id(),
        name: format!("{} ({})", last(&task.plan().name, 1), TaskId::new(runtime.id, task.id())),
        runs_for: task.times().began().map(|began| clock::now().saturating_sub(began)),
    };
    running.map(spawner).collect()
}

/// All actors of one moment, with their edges.
struct Forest {
    cells: Vec<Arc<Cell>>,
    tasks: Vec<TaskRow>,
    job: Option<JobId>,
    /// Whom the one at this place owns, oldest first: first come the actors, then the tasks.
    owned: Vec<Vec<usize>>,
}

/// One actor of a forest, or a task that has spawned one.
#[derive(Clone)]
pub(super) struct Owned {
    forest: Arc<Forest>,
    at: usize,
}

impl Owned {
    /// Those whom nobody owns: spawned from outside, detached, or left behind, the oldest first; and the tasks. What only stands
    /// in for an actor that another process has spawned is shown by that one.
    pub(super) fn tops(
        cells: Vec<Arc<Cell>>,
        tasks: Vec<TaskRow>,
        job: Option<JobId>,
    ) -> Vec<Self> {
        let places: HashMap<ActorId, usize> =
            cells.iter().enumerate().map(|(at, cell)| (cell.id, at)).collect();
        let spawners: HashMap<u64, usize> =
            tasks.iter().enumerate().map(|(at, task)| (task.id, cells.len() + at)).collect();
        let mut owned = vec![Vec::new(); cells.len() + tasks.len()];
        let mut tops = Vec::new();
        for (at, cell) in cells.iter().enumerate() {
            if cell.imported().is_some() || cell.made().is_some() {
                continue;
            }
            let is_attached = !cell.options.is_detached() && cell.resident().is_none();
            let spawner = cell.spawned_by().filter(|_| is_attached);
            let place = spawner.and_then(|spawner| match spawner {
                Spawner::Actor(id) => places.get(&id),
                Spawner::Task(id) => spawners.get(&id),
            });
            match place {
                Some(owner) => owned[*owner].push(at),
                None => tops.push(at),
            }
        }
        tops.extend(cells.len()..owned.len());
        let forest = Arc::new(Forest { cells, tasks, job, owned });
        tops.into_iter().map(|at| Self { forest: Arc::clone(&forest), at }).collect()
    }

    /// The actor; else it is a task.
    fn cell(&self) -> Result<&Cell, &TaskRow> {
        let Forest { cells, tasks, .. } = &*self.forest;
        match cells.get(self.at) {
            Some(cell) => Ok(cell),
            None => Err(&tasks[self.at - cells.len()]),
        }
    }
}

impl Branch for Owned {
    fn name(&self) -> &str {
        self.cell().map_or_else(|task| &*task.name, |cell| cell.probe.name())
    }

    fn row(&self, depth: u32) -> TreeRow {
        let cell = match self.cell() {
            Ok(cell) => cell,
            Err(task) => {
                let type_name = "task".to_owned();
                let (busy_for, job) = (task.runs_for, self.forest.job);
                return TreeRow { type_name, busy_for, job, ..TreeRow::named(depth, &*task.name) };
            }
        };
        let mut row = cell.probe.row(depth);
        (row.id, row.job) = (Some(cell.known_as()), self.forest.job);
        if cell.status().lifecycle == Lifecycle::Pending {
            row.state = ActorState::Pending;
        }
        row
    }

    fn children(&self) -> Vec<Self> {
        let below = self.forest.owned[self.at].iter();
        below.map(|at| Self { forest: Arc::clone(&self.forest), at: *at }).collect()
    }
}

//! What a runtime shows of itself: its physical tree, and who spawned whom ([`forest`]).

pub(crate) mod forest;
pub(crate) mod objects;
mod onward;
mod pending;
mod state;
#[cfg(test)]
mod tests;
mod waiting_task;
mod waits;

use std::sync::Arc;

use raytree_inspector::{Door, End, Inspected, Owners, Whose, walk};
use raytree_supervise::Probe;
use raytree_types::{ActorId, JobId, RuntimeId};

use raytree_types::inspect::{Circle, LogQuery, LogText, Refused, StoreRow, Story, Wait};
use raytree_types::state::{Rows, Span, StateQuery};

use crate::gcs::table::Ending;
use crate::runtime::Shared;
use crate::user::status::Cell;

impl Inspected for Shared {
    fn id(&self) -> RuntimeId {
        self.id
    }

    fn store(&self) -> Option<StoreRow> {
        self.stores.depot().map(|(depot, _)| depot.row())
    }

    fn door(&self) -> &Arc<Door> {
        &self.door
    }

    fn root(&self) -> Arc<Probe> {
        self.probe()
    }

    fn cluster(&self) -> Option<String> {
        self.driver.get().map(|driver| driver.head().to_string())
    }

    fn explains(&self, which: &str) -> Option<Story> {
        pending::story(self, which).or_else(|| waiting_task::story(self, which))
    }

    fn job(&self) -> Option<JobId> {
        waits::job(self)
    }

    fn waits(&self) -> Vec<Wait> {
        waits::of(self)
    }

    fn abandoned(&self) -> Option<(u64, u64)> {
        Some(self.abandoned.count())
    }

    fn lists(&self, query: &StateQuery) -> Rows {
        state::rows(self, query)
    }

    fn ran(&self) -> (Vec<Span>, u64) {
        state::ran(self)
    }

    fn gives_up(&self, circle: &Circle) -> u64 {
        waits::give_up(self, circle)
    }

    fn ends(&self, id: ActorId) -> Option<End> {
        let cell = self.table.cell(id)?;
        // Others have given the ids of those that live here for them; residents are the head's.
        let is_own = id.runtime() == self.id && cell.imported().is_none();
        if !is_own || cell.resident().is_some() || self.resident.get().is_some() {
            return None;
        }
        let runtime = cell.runtime.clone();
        let kill = move || {
            let reason = "killed by an operator".to_owned();
            if let Some(runtime) = runtime.upgrade() {
                runtime.end_actor(id, Ending { kill: true, released: false, reason });
            }
        };
        Some(Box::new(kill))
    }

    fn owns(&self, id: ActorId) -> Vec<String> {
        // One that lives here for another process has an id of this one as well, by which its children know it.
        let cells = forest::cells(&self.table);
        let is_it = |cell: &&Arc<Cell>| cell.id == id || cell.known_as() == id;
        let own = cells.iter().filter(is_it).flat_map(|cell| self.table.children(cell.id));
        let mut open: Vec<ActorId> = own.collect();
        let mut owned = Vec::new();
        while let Some(child) = open.pop() {
            owned.extend(self.table.cell(child).map(|cell| cell.probe.name().to_owned()));
            open.extend(self.table.children(child));
        }
        owned
    }

    fn log(&self, whose: Whose<'_>, query: &LogQuery) -> Result<LogText, Refused> {
        self.logs.read(whose, query)
    }

    fn owners(&self) -> Option<Owners> {
        let cells = forest::cells(&self.table);
        let (tasks, job) = (forest::spawners(self, &cells), waits::job(self));
        Some(Box::new(move |selection, bytes_max| {
            walk(forest::Owned::tops(cells, tasks, job), selection, bytes_max)
        }))
    }
}

/// Starts the inspector of a runtime that is up, if there is to be one. Returns at once.
pub(crate) fn start(shared: &Arc<Shared>) {
    if let Some(root) = shared.root.get() {
        raytree_inspector::start(root, shared);
    }
}

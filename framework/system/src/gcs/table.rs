//! The actor table: every actor that has not ended, with its edges of ownership. Owned by the runtime, so that a
//! restarted directory has lost nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use raytree_types::{ActorId, Error, Exit, Result, limits};

use crate::user::status::Cell;
use crate::worker::launch::Launch;

/// What an actor holds of its node's resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Nothing: it waits, or has given everything back.
    Nothing,
    /// What it takes to be placed.
    Placing,
    /// What it takes to run.
    Running,
}

#[derive(Default)]
pub(crate) struct ActorTable {
    entries: Mutex<HashMap<ActorId, Entry>>,
}

struct Entry {
    cell: Arc<Cell>,
    launch: Arc<dyn Launch>,
    children: BTreeSet<ActorId>,
    held: Held,
    placement: u32,
    restarts: u32,
    ending: Option<Ending>,
}

/// An end that was asked for and is under way.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) kill: bool,
    pub(crate) reason: String,
}

impl ActorTable {
    pub(crate) fn insert(&self, cell: Arc<Cell>, launch: Arc<dyn Launch>) -> Result<()> {
        let mut entries = self.entries.lock();
        if entries.len() >= limits::ACTORS_MAX {
            return Err(Error::TooManyActors { limit: limits::ACTORS_MAX });
        }
        if let Some(owner) = cell.owner {
            let Some(parent) = entries.get_mut(&owner) else { return Err(cell.gone()) };
            if !cell.options.is_detached() {
                parent.children.insert(cell.id);
            }
        }
        let entry = Entry {
            launch,
            children: BTreeSet::new(),
            held: Held::Nothing,
            placement: 0,
            restarts: 0,
            ending: None,
            cell: Arc::clone(&cell),
        };
        entries.insert(cell.id, entry);
        Ok(())
    }

    pub(crate) fn remove(&self, id: ActorId) -> Option<Arc<dyn Launch>> {
        let mut entries = self.entries.lock();
        let entry = entries.remove(&id)?;
        if let Some(parent) = entry.cell.owner.and_then(|owner| entries.get_mut(&owner)) {
            parent.children.remove(&id);
        }
        Some(entry.launch)
    }

    pub(crate) fn cell(&self, id: ActorId) -> Option<Arc<Cell>> {
        self.entries.lock().get(&id).map(|entry| Arc::clone(&entry.cell))
    }

    /// How to start `id` now: its launcher, its placement number and the restarts it has used up.
    pub(crate) fn launch(&self, id: ActorId) -> Option<(Arc<dyn Launch>, u32, u32)> {
        let entries = self.entries.lock();
        let entry = entries.get(&id)?;
        Some((Arc::clone(&entry.launch), entry.placement, entry.restarts))
    }

    /// Its living children, oldest first.
    pub(crate) fn children(&self, id: ActorId) -> Vec<ActorId> {
        let entries = self.entries.lock();
        entries.get(&id).map(|entry| entry.children.iter().copied().collect()).unwrap_or_default()
    }

    /// Actors without a living parent, oldest first.
    pub(crate) fn roots(&self) -> Vec<ActorId> {
        let entries = self.entries.lock();
        let orphan = |entry: &Entry| match entry.cell.owner {
            None => true,
            Some(owner) => {
                entries.get(&owner).is_none_or(|parent| !parent.children.contains(&entry.cell.id))
            }
        };
        let mut roots: Vec<ActorId> =
            entries.values().filter(|entry| orphan(entry)).map(|entry| entry.cell.id).collect();
        roots.sort_unstable();
        roots
    }

    /// Notes what it holds; what it held before.
    pub(crate) fn hold(&self, id: ActorId, held: Held) -> Option<Held> {
        let mut entries = self.entries.lock();
        entries.get_mut(&id).map(|entry| std::mem::replace(&mut entry.held, held))
    }

    /// Its host died: the next life is a new placement.
    pub(crate) fn orphaned(&self, id: ActorId, restarts: u32) {
        if let Some(entry) = self.entries.lock().get_mut(&id) {
            entry.placement += 1;
            entry.restarts = restarts;
        }
    }

    /// Notes that an end was asked for; false when it was asked for before, and not less urgently.
    pub(crate) fn ending(&self, id: ActorId, ending: Ending) -> bool {
        let mut entries = self.entries.lock();
        let Some(entry) = entries.get_mut(&id) else { return false };
        let news = entry.ending.as_ref().is_none_or(|old| ending.kill && !old.kill);
        if news {
            entry.ending = Some(ending);
        }
        news
    }

    /// Ends that are under way.
    pub(crate) fn endings(&self) -> Vec<(ActorId, Ending)> {
        let entries = self.entries.lock();
        entries.iter().filter_map(|(id, entry)| Some((*id, entry.ending.clone()?))).collect()
    }

    /// Tells `parent` of its child's end.
    pub(crate) fn tell(&self, parent: ActorId, exit: &Exit) {
        let launch = self.entries.lock().get(&parent).map(|entry| Arc::clone(&entry.launch));
        if let Some(launch) = launch {
            launch.child_exited(exit);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.lock().len()
    }

    /// Takes everything out: the runtime has ended.
    pub(crate) fn drain(&self) -> Vec<(Arc<Cell>, Arc<dyn Launch>)> {
        let mut entries = self.entries.lock();
        entries.drain().map(|(_, entry)| (entry.cell, entry.launch)).collect()
    }
}

//! The actor table: every actor that has not ended, with its edges of ownership. Owned by the runtime, so that a
//! restarted directory has lost nothing.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use raytree_supervise::{Addr, short_type_name};
use raytree_types::{ActorId, Error, Exit, ExitKind, Result};

use crate::link::Token;
use crate::user::actor::Actor;
use crate::user::handle::ActorHandle;
use crate::user::job::HostedMsg;
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

pub(crate) struct ActorTable {
    inner: Mutex<Inner>,
    /// As many actors may exist at once.
    limit: usize,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<ActorId, Entry>,
    /// Living actors by namespace and name.
    names: HashMap<(String, String), Arc<Named>>,
    /// The newest stand-in for each actor of another process.
    stand_ins: HashMap<ActorId, ActorId>,
    /// The runtime has ended: nothing comes in any more.
    closed: bool,
}

struct Entry {
    cell: Arc<Cell>,
    launch: Arc<dyn Launch>,
    children: BTreeSet<ActorId>,
    held: Held,
    placement: u32,
    restarts: u32,
    /// It is to end. Written before anybody is told, so that nobody who dies can forget it.
    ending: Option<Ending>,
    /// Its host died, and it is to be placed again. Written before anybody is told.
    replace: bool,
    /// It waits for the arguments of its constructor.
    unplaced: bool,
    name: Option<(String, String)>,
    /// By which id it is found, where it is a stand-in: that which is known of the other one when it is made.
    stands_for: Option<ActorId>,
}

/// When an actor is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At once.
    Now,
    /// Once the arguments of its constructor are there.
    Later,
}

/// A name and who has it.
pub(crate) struct Named {
    pub(crate) key: (String, String),
    /// The line that created it.
    pub(crate) place: String,
    pub(crate) type_name: &'static str,
    /// An [`Owner`] of the actor's type.
    pub(crate) owner: Arc<dyn Any + Send + Sync>,
    /// A handle on it as it lies beside a value, where handles of its type travel.
    pub(crate) token: Option<Box<dyn Fn() -> Arc<Token> + Send + Sync>>,
}

/// What it takes to make a handle.
pub(crate) struct Owner<A: Actor> {
    pub(crate) addr: Addr<HostedMsg<A>>,
    pub(crate) cell: Arc<Cell>,
}

impl Named {
    /// A handle on it, if it is an `A`.
    pub(crate) fn handle<A: Actor>(&self, name: &str) -> Result<ActorHandle<A>> {
        let owner = self.owner.downcast_ref::<Owner<A>>().ok_or_else(|| Error::WrongActorType {
            name: name.to_owned(),
            expected: short_type_name::<A>().to_owned(),
            found: self.type_name.to_owned(),
        })?;
        Ok(ActorHandle { addr: owner.addr.clone(), lease: owner.cell.lease() })
    }
}

/// An end that was asked for and is under way.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    /// At its next await point, queued calls unhandled.
    pub(crate) kill: bool,
    /// Because its last handle is gone: one that still waits for resources handles its queue first.
    pub(crate) released: bool,
    pub(crate) reason: String,
}

/// How to start an actor now.
pub(crate) struct Placing {
    pub(crate) cell: Arc<Cell>,
    pub(crate) launch: Arc<dyn Launch>,
    pub(crate) placement: u32,
    pub(crate) restarts: u32,
    pub(crate) ending: Option<Ending>,
}

impl ActorTable {
    pub(crate) fn new(limit: usize) -> Self {
        Self { inner: Mutex::default(), limit }
    }

    /// Enters an actor, with its name if it has one. With `share`, a living actor of that name is given instead.
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::TooManyActors`], the end of its owner or of the runtime.
    pub(crate) fn insert(
        &self,
        (cell, launch, place): (Arc<Cell>, Arc<dyn Launch>, Place),
        named: Option<Named>,
        share: bool,
    ) -> Result<Option<Arc<Named>>> {
        let Inner { entries, names, stand_ins, closed } = &mut *self.inner.lock();
        if *closed {
            return Err(cell.gone());
        }
        if let Some(wanted) = &named
            && let Some(taken) = names.get(&wanted.key)
        {
            return if share {
                Ok(Some(Arc::clone(taken)))
            } else {
                Err(name_taken(taken, wanted))
            };
        }
        if entries.len() >= self.limit {
            return Err(Error::TooManyActors { limit: self.limit });
        }
        if let Some(owner) = cell.owner {
            let parent = entries.get_mut(&owner).filter(|parent| parent.ending.is_none());
            let Some(parent) = parent else { return Err(parent_ended(owner)) };
            if !cell.options.is_detached() {
                parent.children.insert(cell.id);
            }
        }
        let name = named.as_ref().map(|named| named.key.clone());
        if let Some(named) = named {
            names.insert(named.key.clone(), Arc::new(named));
        }
        let stands_for = cell.is_stand_in().then(|| cell.known_as());
        let entry = Entry {
            launch,
            stands_for,
            children: BTreeSet::new(),
            held: Held::Nothing,
            placement: 0,
            restarts: 0,
            ending: None,
            replace: false,
            unplaced: place == Place::Later,
            name,
            cell: Arc::clone(&cell),
        };
        if let Some(other) = stands_for {
            stand_ins.insert(other, cell.id);
        }
        entries.insert(cell.id, entry);
        Ok(None)
    }

    /// Who has this name.
    pub(crate) fn named(&self, namespace: &str, name: &str) -> Option<Arc<Named>> {
        let key = (namespace.to_owned(), name.to_owned());
        self.inner.lock().names.get(&key).cloned()
    }

    /// All names of living actors: namespace and name, in order.
    pub(crate) fn names(&self) -> Vec<(String, String)> {
        let mut names: Vec<_> = self.inner.lock().names.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// It no longer waits for arguments; false when it did not.
    pub(crate) fn take_unplaced(&self, id: ActorId) -> bool {
        let entries = &mut self.inner.lock().entries;
        entries.get_mut(&id).is_some_and(|entry| std::mem::take(&mut entry.unplaced))
    }

    /// Takes an actor out; its launcher and the children it leaves behind.
    pub(crate) fn remove(&self, id: ActorId) -> Option<(Arc<dyn Launch>, BTreeSet<ActorId>)> {
        let Inner { entries, names, stand_ins, .. } = &mut *self.inner.lock();
        let entry = entries.remove(&id)?;
        if let Some(other) = entry.stands_for.filter(|other| stand_ins.get(other) == Some(&id)) {
            stand_ins.remove(&other);
        }
        if let Some(name) = &entry.name {
            names.remove(name);
        }
        if let Some(parent) = entry.cell.owner.and_then(|owner| entries.get_mut(&owner)) {
            parent.children.remove(&id);
        }
        Some((entry.launch, entry.children))
    }

    pub(crate) fn cell(&self, id: ActorId) -> Option<Arc<Cell>> {
        self.inner.lock().entries.get(&id).map(|entry| Arc::clone(&entry.cell))
    }

    /// How to start `id` now.
    pub(crate) fn placing(&self, id: ActorId) -> Option<Placing> {
        let entries = &self.inner.lock().entries;
        let entry = entries.get(&id)?;
        Some(Placing {
            cell: Arc::clone(&entry.cell),
            launch: Arc::clone(&entry.launch),
            placement: entry.placement,
            restarts: entry.restarts,
            ending: entry.ending.clone(),
        })
    }

    /// Its living children, oldest first.
    pub(crate) fn children(&self, id: ActorId) -> Vec<ActorId> {
        let entries = &self.inner.lock().entries;
        entries.get(&id).map(|entry| entry.children.iter().copied().collect()).unwrap_or_default()
    }

    /// Actors without a living parent, oldest first.
    pub(crate) fn roots(&self) -> Vec<ActorId> {
        let entries = &self.inner.lock().entries;
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
        let entries = &mut self.inner.lock().entries;
        entries.get_mut(&id).map(|entry| std::mem::replace(&mut entry.held, held))
    }

    /// Its host died: the next life is a new placement. False when there is to be none, because it is ending.
    pub(crate) fn orphaned(&self, id: ActorId, restarts: u32) -> bool {
        let entries = &mut self.inner.lock().entries;
        let Some(entry) = entries.get_mut(&id).filter(|entry| entry.ending.is_none()) else {
            return false;
        };
        entry.placement += 1;
        entry.restarts = restarts;
        entry.replace = true;
        true
    }

    /// It is about to be placed again.
    pub(crate) fn replaced(&self, id: ActorId) {
        if let Some(entry) = self.inner.lock().entries.get_mut(&id) {
            entry.replace = false;
        }
    }

    /// Its host died, and it has not been placed again yet.
    pub(crate) fn is_orphan(&self, id: ActorId) -> bool {
        self.inner.lock().entries.get(&id).is_some_and(|entry| entry.replace)
    }

    /// Actors that are to be placed again.
    pub(crate) fn orphans(&self) -> Vec<ActorId> {
        let entries = &self.inner.lock().entries;
        entries.iter().filter(|(_, entry)| entry.replace).map(|(id, _)| *id).collect()
    }

    /// Notes that an end was asked for; false when it was asked for before, and not less urgently.
    pub(crate) fn ending(&self, id: ActorId, ending: Ending) -> bool {
        self.ending_if(id, ending, || true)
    }

    /// The same, if `still` says so under the lock.
    pub(crate) fn ending_if(
        &self,
        id: ActorId,
        ending: Ending,
        still: impl FnOnce() -> bool,
    ) -> bool {
        let entries = &mut self.inner.lock().entries;
        let Some(entry) = entries.get_mut(&id) else { return false };
        let news = entry.ending.as_ref().is_none_or(|old| ending.kill && !old.kill) && still();
        if news {
            entry.ending = Some(ending);
        }
        news
    }

    /// Ends that are under way.
    pub(crate) fn endings(&self) -> Vec<(ActorId, Ending)> {
        let entries = &self.inner.lock().entries;
        entries.iter().filter_map(|(id, entry)| Some((*id, entry.ending.clone()?))).collect()
    }

    /// Tells `parent` of its child's end.
    pub(crate) fn tell(&self, parent: ActorId, exit: &Exit) {
        let launch = {
            let entries = &self.inner.lock().entries;
            entries.get(&parent).map(|entry| Arc::clone(&entry.launch))
        };
        if let Some(launch) = launch {
            launch.child_exited(exit);
        }
    }

    /// How it is started.
    pub(crate) fn launch(&self, id: ActorId) -> Option<Arc<dyn Launch>> {
        self.inner.lock().entries.get(&id).map(|entry| Arc::clone(&entry.launch))
    }

    /// Who stands here for another process's actor, and is not to end.
    pub(crate) fn stand_in(&self, known_as: ActorId) -> Option<ActorId> {
        let Inner { entries, stand_ins, .. } = &*self.inner.lock();
        let id = *stand_ins.get(&known_as)?;
        entries.get(&id).is_some_and(|entry| entry.ending.is_none()).then_some(id)
    }

    /// Everybody, in no order.
    pub(crate) fn ids(&self) -> Vec<ActorId> {
        self.inner.lock().entries.keys().copied().collect()
    }

    /// The cells of those among `ids` who have not ended.
    pub(crate) fn cells(&self, ids: &[ActorId]) -> Vec<Arc<Cell>> {
        let entries = &self.inner.lock().entries;
        ids.iter().filter_map(|id| entries.get(id)).map(|entry| Arc::clone(&entry.cell)).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.inner.lock().entries.len()
    }

    /// Takes everything out, for good: the runtime has ended.
    pub(crate) fn close(&self) -> Vec<(Arc<Cell>, Arc<dyn Launch>)> {
        let Inner { entries, names, stand_ins, closed } = &mut *self.inner.lock();
        *closed = true;
        names.clear();
        stand_ins.clear();
        entries.drain().map(|(_, entry)| (entry.cell, entry.launch)).collect()
    }
}

fn name_taken(taken: &Named, wanted: &Named) -> Error {
    let (namespace, name) = taken.key.clone();
    Error::NameTaken { name, namespace, first: taken.place.clone(), second: wanted.place.clone() }
}

/// A child cannot be born to a parent that has ended or is ending.
fn parent_ended(parent: ActorId) -> Error {
    Error::ActorDied {
        actor: parent,
        name: "the parent".to_owned(),
        kind: Box::new(ExitKind::Stopped { reason: "it has ended, or is ending".to_owned() }),
        will_restart: false,
    }
}

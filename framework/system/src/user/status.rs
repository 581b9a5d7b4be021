//! The life of an actor as its handles see it: states, ends, and the cell all handles share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use raytree_supervise::{Probe, clock};
use raytree_types::{ActorId, ActorOptions, Demand, Error, Exit, ExitKind, Incarnation, Resources};
use tokio::sync::{Notify, watch};

use crate::driver::residents::Resident;
use crate::link::{ImportedActor, Link};
use crate::runtime::Shared;
use crate::task::context::Awaits;
use crate::user::handle::Lease;
use crate::user::open::OpenCalls;
use crate::worker::made::Made;

/// Where an actor is in its existence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// Waits for resources.
    Pending,
    /// Its constructor runs.
    Starting,
    /// It handles calls.
    Alive,
    /// A life has ended; another follows.
    Restarting,
    /// It has ended for good.
    Dead,
}

/// Lifecycle with its history.
#[derive(Clone, Debug)]
pub struct Status {
    /// Now.
    pub lifecycle: Lifecycle,
    /// The present, or last, life.
    pub incarnation: Incarnation,
    /// Lives that have ended.
    pub exits: u64,
    /// The newest end.
    pub last_exit: Option<Arc<Exit>>,
}

/// What is shared by the handles of an actor, its host and the directory.
pub(crate) struct Cell {
    pub(crate) id: ActorId,
    /// Its number among the children of its host: actors of other processes may have any id.
    pub(crate) tag: u64,
    pub(crate) name: String,
    pub(crate) options: ActorOptions,
    pub(crate) owner: Option<ActorId>,
    pub(crate) probe: Arc<Probe>,
    pub(crate) runtime: Weak<Shared>,
    status: watch::Sender<Status>,
    /// Lives that have ended, as in the status: read at every call.
    exits: AtomicU64,
    /// Wakes whoever waits for an answer when the actor ends for good.
    pub(crate) death: Arc<Notify>,
    lease: Mutex<Weak<Lease>>,
    /// Calls without an answer.
    pub(crate) open: OpenCalls,
    /// Counts how often a body of it was gone on with: what it awaits since the last time is what it waits for.
    pub(crate) awaits: Awaits,
    /// It lives in another process, and this one only knows of it.
    imported: OnceLock<Arc<ImportedActor>>,
    /// It is the cluster's, and outlives this process.
    resident: OnceLock<Arc<Resident>>,
    /// The program was asked to make it.
    made: OnceLock<Arc<Made>>,
    /// Where its present life is, if other processes have it in common.
    lives_at: Mutex<Option<(Weak<Link>, Incarnation)>>,
    /// Set before its first life has begun.
    is_stand_in: AtomicBool,
    /// Its lives take nothing of this node's books.
    is_unbooked: bool,
    /// Whose body in this process has spawned it, as it is shown: one that began through another process has no other owner here.
    spawned_by: Option<Spawner>,
}

/// Who has spawned an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spawner {
    Actor(ActorId),
    /// The task of this process with this number.
    Task(u64),
}

impl Cell {
    pub(crate) fn new(
        id: ActorId,
        name: String,
        options: ActorOptions,
        owner: Option<ActorId>,
        probe: Arc<Probe>,
        runtime: Weak<Shared>,
    ) -> Self {
        let (status, _) = watch::channel(Status {
            lifecycle: Lifecycle::Pending,
            incarnation: Incarnation::default(),
            exits: 0,
            last_exit: None,
        });
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let tag = NEXT.fetch_add(1, Ordering::Relaxed);
        let lease = Mutex::new(Weak::new());
        let death = Arc::new(Notify::new());
        let open = OpenCalls::default();
        let exits = AtomicU64::new(0);
        let (imported, resident, made) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let (lives_at, is_stand_in, is_unbooked) = Default::default();
        Self {
            id,
            tag,
            name,
            options,
            owner,
            probe,
            runtime,
            status,
            exits,
            death,
            lease,
            open,
            awaits: Awaits::default(),
            imported,
            resident,
            made,
            lives_at,
            is_stand_in,
            is_unbooked,
            spawned_by: None,
        }
    }

    /// The same, spawned by a body of this process, if it was one.
    pub(crate) fn spawned_in(self, spawner: Option<Spawner>) -> Self {
        Self { spawned_by: spawner, ..self }
    }

    /// Whose body in this process has spawned it. It may be over.
    pub(crate) fn spawned_by(&self) -> Option<Spawner> {
        self.spawned_by
    }

    /// The same, taking nothing of this node's books.
    pub(crate) fn unbooked(self) -> Self {
        Self { is_unbooked: true, ..self }
    }

    pub(crate) fn is_unbooked(&self) -> bool {
        self.is_unbooked
    }

    /// What it takes of this node.
    pub(crate) fn demand(&self) -> Demand {
        if self.is_unbooked { Demand::always(Resources::default()) } else { self.options.demand() }
    }

    /// It is another process's actor.
    pub(crate) fn comes_from(&self, imported: Arc<ImportedActor>) {
        // Set once, by whoever made it.
        _ = self.imported.set(imported);
    }

    pub(crate) fn imported(&self) -> Option<&Arc<ImportedActor>> {
        self.imported.get()
    }

    /// Its life has begun in the process at the other end of a link.
    pub(crate) fn is_up_at(&self, link: &Arc<Link>, life: Incarnation) {
        *self.lives_at.lock() = Some((Arc::downgrade(link), life));
    }

    /// That life is over.
    pub(crate) fn has_left(&self) {
        *self.lives_at.lock() = None;
    }

    /// Its lives are in other processes.
    pub(crate) fn is_stood_in_for(&self) {
        self.is_stand_in.store(true, Ordering::Release);
    }

    /// Whether its lives are in other processes.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.is_of_cluster() || self.is_stand_in.load(Ordering::Acquire)
    }

    pub(crate) fn is_of_cluster(&self) -> bool {
        self.resident.get().is_some()
    }

    pub(crate) fn lives_at(&self) -> Option<(Arc<Link>, Incarnation)> {
        let lives_at = self.lives_at.lock();
        let (link, life) = lives_at.as_ref()?;
        Some((link.upgrade()?, *life))
    }

    /// Waits until a life is over, and everybody has been told: with which error.
    pub(crate) async fn is_over(&self, life: Incarnation) -> Error {
        let mut status = self.watch();
        let over = |status: &Status| {
            let last = status.last_exit.as_ref();
            status.lifecycle == Lifecycle::Dead || last.is_some_and(|exit| exit.incarnation >= life)
        };
        // An error is the end of the runtime.
        _ = status.wait_for(over).await.map(drop);
        self.gone()
    }

    /// The id that the whole system knows it by: `id` is that of the stand-in, where it is one for another process's actor.
    pub(crate) fn known_as(&self) -> ActorId {
        let resident = || self.resident.get().and_then(|resident| resident.id());
        self.imported().and_then(|imported| imported.id()).or_else(resident).unwrap_or(self.id)
    }

    /// It is the cluster's.
    pub(crate) fn follows(&self, resident: Arc<Resident>) {
        // Set once, by whoever made it.
        _ = self.resident.set(resident);
    }

    pub(crate) fn resident(&self) -> Option<&Arc<Resident>> {
        self.resident.get()
    }

    pub(crate) fn is_made(&self, made: Arc<Made>) {
        // Set once, by whoever made it.
        _ = self.made.set(made);
    }

    pub(crate) fn made(&self) -> Option<&Arc<Made>> {
        self.made.get()
    }

    /// It stands for an actor that lives, and is held, elsewhere.
    pub(crate) fn is_stand_in(&self) -> bool {
        self.imported().is_some() || self.resident().is_some()
    }

    /// The one lease that all handles share.
    pub(crate) fn lease(self: &Arc<Self>) -> Arc<Lease> {
        let mut shared = self.lease.lock();
        shared.upgrade().unwrap_or_else(|| {
            let lease = Arc::new(Lease(Arc::clone(self)));
            *shared = Arc::downgrade(&lease);
            lease
        })
    }

    pub(crate) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    pub(crate) fn exits(&self) -> u64 {
        self.exits.load(Ordering::Acquire)
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.status.borrow().lifecycle == Lifecycle::Dead
    }

    pub(crate) fn set(&self, lifecycle: Lifecycle) {
        self.status.send_if_modified(|status| {
            // Dead is for ever.
            let change = status.lifecycle != Lifecycle::Dead && status.lifecycle != lifecycle;
            if change {
                status.lifecycle = lifecycle;
            }
            change
        });
    }

    pub(crate) fn begins(&self, incarnation: Incarnation) {
        self.status.send_modify(|status| {
            if status.lifecycle != Lifecycle::Dead {
                status.incarnation = incarnation;
                status.lifecycle = Lifecycle::Starting;
            }
        });
    }

    /// A life has ended. The record that everybody is told; none when it was dead already.
    pub(crate) fn exited(
        &self,
        kind: ExitKind,
        restarts: u32,
        will_restart: bool,
    ) -> Option<Arc<Exit>> {
        let mut record = None;
        self.status.send_if_modified(|status| {
            if status.lifecycle == Lifecycle::Dead {
                return false;
            }
            let exit = Arc::new(Exit {
                actor: self.known_as(),
                name: self.name.clone(),
                incarnation: status.incarnation,
                kind,
                restarts,
                will_restart,
            });
            status.exits += 1;
            self.exits.store(status.exits, Ordering::Release);
            status.last_exit = Some(Arc::clone(&exit));
            status.lifecycle = if will_restart { Lifecycle::Restarting } else { Lifecycle::Dead };
            record = Some(exit);
            true
        });
        self.has_left();
        if !will_restart {
            self.death.notify_waiters();
        }
        if let Some(exit) = &record {
            // Either this sees the mark of a call whose message was dropped, or that call sees the end.
            fence(Ordering::SeqCst);
            self.open.life_ended(&self.died(exit), !will_restart);
        }
        record
    }

    /// Nobody holds a handle.
    pub(crate) fn is_released(&self) -> bool {
        self.lease.lock().strong_count() == 0
    }

    /// What a caller is told who cannot be answered any more.
    pub(crate) fn died(&self, exit: &Exit) -> Error {
        if let Some(refused) = self.made().and_then(|made| made.refused()) {
            return refused;
        }
        Error::ActorDied {
            actor: self.known_as(),
            name: self.name.clone(),
            kind: Box::new(exit.kind.clone()),
            will_restart: exit.will_restart,
        }
    }

    /// What a caller is told when the actor is gone, or its runtime.
    pub(crate) fn gone(&self) -> Error {
        if let Some(exit) = &self.status.borrow().last_exit {
            return self.died(exit);
        }
        match self.runtime.upgrade() {
            Some(runtime) => runtime.gone(),
            None => Error::RuntimeGone { reason: "it was dropped".to_owned() },
        }
    }

    pub(crate) fn infeasible(&self, exists: &Resources) -> Error {
        let asked = self.options.demand().needed();
        Error::Infeasible { name: self.name.clone(), asked, exists: exists.clone() }
    }

    pub(crate) fn note(&self, what: &str) {
        self.probe.note(what);
        tracing::debug!(actor = %self.id, name = self.name, at = ?clock::now(), "{what}");
    }
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cell").field("id", &self.id).field("name", &self.name).finish()
    }
}

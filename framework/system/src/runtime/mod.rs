//! A runtime: one supervision tree with its books, its actor table and its two tokio runtimes.

pub(crate) mod ambient;
pub(crate) mod start;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_engine::placement::{Placement, Verdict};
use raytree_supervise::{Addr, Kind, Probe, Root, SupervisorMsg};
use raytree_types::inspect::TreeSnapshot;
use raytree_types::{
    ActorId, ActorIds, ActorOptions, Error, ExitKind, Resources, Result, RuntimeId,
};
use tokio::runtime::{Handle, Runtime as Tokio};

use crate::gcs::directory::DirectoryMsg;
use crate::gcs::table::{ActorTable, Held};
use crate::node::scheduler::SchedulerMsg;
use crate::user::actor::Actor;
use crate::user::handle::ActorHandle;
use crate::user::job::short;
use crate::user::status::Cell;
use crate::worker::launch::Launcher;
use ambient::Entered;

/// How long an ordered shutdown may take before everything left is killed.
pub const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(60);

/// A running system. Clones are the same system; when the last one is dropped it ends at once, without the order that
/// [`Runtime::shutdown`] gives it.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
}

/// What all parts of one runtime share.
pub(crate) struct Shared {
    pub(crate) id: RuntimeId,
    pub(crate) ids: ActorIds,
    pub(crate) addrs: Addrs,
    pub(crate) table: ActorTable,
    pub(crate) books: Mutex<Placement<ActorId>>,
    pub(crate) user: Handle,
    system: Handle,
    root: OnceLock<Root>,
    tokio: Mutex<Option<(Tokio, Tokio)>>,
    closing: AtomicBool,
    end: OnceLock<String>,
}

/// The stable addresses of the system's own actors.
#[derive(Clone)]
pub(crate) struct Addrs {
    pub(crate) gcs: Addr<SupervisorMsg>,
    pub(crate) directory: Addr<DirectoryMsg>,
    pub(crate) node: Addr<SupervisorMsg>,
    pub(crate) scheduler: Addr<SchedulerMsg>,
    pub(crate) worker: Addr<SupervisorMsg>,
    pub(crate) host: Addr<SupervisorMsg>,
}

impl Runtime {
    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Its id within the process.
    #[must_use]
    pub fn id(&self) -> RuntimeId {
        self.shared.id
    }

    /// Starts an actor. Returns at once; the handle's calls wait until the actor is up, and tell if it never will be.
    ///
    /// # Errors
    /// [`Error::BadOption`]; [`Error::Infeasible`] when it asks for more than exists; [`Error::TooManyActors`];
    /// [`Error::RuntimeGone`].
    pub fn spawn<A: Actor>(&self, args: A::Args, options: ActorOptions) -> Result<ActorHandle<A>> {
        self.spawn_owned(args, options, None)
    }

    pub(crate) fn spawn_owned<A: Actor>(
        &self,
        args: A::Args,
        options: ActorOptions,
        owner: Option<ActorId>,
    ) -> Result<ActorHandle<A>> {
        options.check()?;
        let shared = &self.shared;
        if shared.is_closing() {
            return Err(shared.gone());
        }
        let id = shared.ids.next();
        let name = options.given_name().unwrap_or_else(|| short::<A>()).to_owned();
        let bound = options.mailbox_bound();
        let addr = Addr::new(&format!("{name}#{:x}", id.number()), short::<A>(), bound, Kind::User);
        let probe = Arc::clone(addr.probe());
        let weak = Arc::downgrade(shared);
        let cell = Arc::new(Cell::new(id, name, options, owner, probe, weak));
        let launcher = Launcher { addr: addr.clone(), args, cell: Arc::clone(&cell) };
        shared.table.insert(Arc::clone(&cell), Arc::new(launcher))?;
        if shared.place(&cell) == Verdict::Infeasible {
            shared.table.remove(id);
            return Err(cell.infeasible(shared.books.lock().total()));
        }
        Ok(ActorHandle { addr, lease: cell.lease() })
    }

    /// Runs a future on this thread, with this runtime as the current one, until it is ready.
    ///
    /// Must not be called from async code, where it would panic as tokio's does.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _entered = self.enter();
        self.shared.user.block_on(future)
    }

    /// Makes this the current runtime of this thread until the guard is dropped.
    #[must_use = "the runtime is current only while the guard lives"]
    pub fn enter(&self) -> Entered {
        Entered::new(&self.shared)
    }

    /// The tokio runtime that user code runs on.
    #[must_use]
    pub fn tokio(&self) -> &Handle {
        &self.shared.user
    }

    /// This moment of its supervision tree.
    #[must_use]
    pub fn tree(&self) -> TreeSnapshot {
        self.shared.probe().snapshot()
    }

    /// The probe at `path`, e.g. `node/worker/actor_host`. For tests and tools.
    #[must_use]
    pub fn probe(&self, path: &str) -> Option<Arc<Probe>> {
        self.shared.probe().find(path)
    }

    /// All resources there are.
    #[must_use]
    pub fn cluster_resources(&self) -> Resources {
        self.shared.books.lock().total().clone()
    }

    /// Resources nobody holds now.
    #[must_use]
    pub fn available_resources(&self) -> Resources {
        self.shared.books.lock().free().clone()
    }

    /// Actors that have not ended.
    #[must_use]
    pub fn actor_count(&self) -> usize {
        self.shared.table.len()
    }

    /// Ends it in order, blocking this thread: actors first, children before parents, then the system. What does not
    /// end within [`SHUTDOWN_DEADLINE`] is killed. In async code use [`Runtime::stop`].
    pub fn shutdown(self) {
        let (done, wait) = std::sync::mpsc::sync_channel(1);
        let shared = Arc::clone(&self.shared);
        self.shared.system.spawn(async move {
            shared.end().await;
            // Nobody waits when the waiting thread was torn down.
            _ = done.send(());
        });
        // An error means that the runtime was torn down meanwhile, which is what was wanted.
        _ = wait.recv();
        self.shared.release();
    }

    /// As [`Runtime::shutdown`], for async code.
    pub async fn stop(self) {
        let shared = Arc::clone(&self.shared);
        let ended = self.shared.system.spawn(async move { shared.end().await });
        // An error means that the runtime was torn down meanwhile.
        _ = ended.await;
        self.shared.release();
    }
}

impl Shared {
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Why nothing works any more.
    pub(crate) fn gone(&self) -> Error {
        let reason = self.end.get().map_or("it is shutting down", String::as_str);
        Error::RuntimeGone { reason: reason.to_owned() }
    }

    /// Asks the node's books; starts the actor if it fits now.
    pub(crate) fn place(self: &Arc<Self>, cell: &Cell) -> Verdict {
        let verdict = self.books.lock().request(cell.id, &cell.options.demand());
        match verdict {
            Verdict::Granted => self.launch(cell.id),
            Verdict::Waiting => cell.note("waits for resources"),
            Verdict::Infeasible => {}
        }
        verdict
    }

    /// Starts an actor whose resources are taken.
    pub(crate) fn launch(self: &Arc<Self>, id: ActorId) {
        let Some((launch, placement, restarts)) = self.table.launch(id) else { return };
        self.table.hold(id, Held::Placing);
        let spec = launch.spec(self, placement, restarts);
        if self.addrs.host.cast(SupervisorMsg::StartChild(Box::new(spec))).is_err() {
            self.close(id, ExitKind::Stopped { reason: "the runtime has ended".to_owned() });
        }
    }

    /// Something was given back; whoever waits for it is started by the scheduler.
    pub(crate) fn freed(&self, give: impl FnOnce(&mut Placement<ActorId>)) {
        let waiting = {
            let mut books = self.books.lock();
            give(&mut books);
            books.waiting() > 0
        };
        if waiting {
            // Refused only when the whole tree has ended.
            _ = self.addrs.scheduler.cast(SchedulerMsg::Freed);
        }
    }

    /// Gives back whatever `cell` holds, once.
    pub(crate) fn give_back(&self, cell: &Cell) {
        let demand = cell.options.demand();
        match self.table.hold(cell.id, Held::Nothing) {
            Some(Held::Placing) => self.freed(|books| books.failed(&demand)),
            Some(Held::Running) => self.freed(|books| books.ended(&demand)),
            Some(Held::Nothing) | None => {}
        }
    }

    /// Takes an actor out of the line of those who wait.
    pub(crate) fn withdraw(&self, id: ActorId) -> bool {
        self.books.lock().withdraw(id)
    }

    /// Forgets an actor that has ended.
    pub(crate) fn bury(&self, id: ActorId) {
        for child in self.table.children(id) {
            // A child that was born while its parent ended.
            let reason = "its parent ended".to_owned();
            _ = self.addrs.directory.cast(DirectoryMsg::End { id: child, kill: false, reason });
        }
        self.table.remove(id);
    }

    /// Forgets an actor that never started, and closes its address.
    pub(crate) fn close(&self, id: ActorId, kind: ExitKind) {
        if let Some(launch) = self.table.remove(id) {
            launch.close(kind);
        }
    }

    fn probe(&self) -> Arc<Probe> {
        match self.root.get() {
            Some(root) => Arc::clone(root.probe()),
            None => Arc::clone(self.addrs.gcs.probe()),
        }
    }

    async fn end(&self) {
        if self.closing.swap(true, Ordering::AcqRel) {
            return;
        }
        // An error means that the directory is gone or too slow; the tree's own shutdown then ends the actors.
        _ = self.addrs.directory.call(DirectoryMsg::EndAll, SHUTDOWN_DEADLINE).await;
        if let Some(root) = self.root.get() {
            root.shutdown(SHUTDOWN_DEADLINE).await;
        }
        self.ended("it was shut down");
    }

    /// Tells everybody who still waits.
    pub(crate) fn ended(&self, reason: &str) {
        self.closing.store(true, Ordering::Release);
        // The first reason stays.
        _ = self.end.set(reason.to_owned());
        for (cell, launch) in self.table.drain() {
            let kind = ExitKind::HostDied(raytree_types::Cause::message(format!(
                "its runtime ended: {reason}"
            )));
            cell.exited(kind.clone(), 0, false);
            launch.close(kind);
        }
    }

    /// Lets go of the tokio runtimes without waiting: a blocked thread must not block us.
    fn release(&self) {
        if let Some((system, user)) = self.tokio.lock().take() {
            system.shutdown_background();
            user.shutdown_background();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.ended("it was dropped");
        self.release();
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Runtime({})", self.shared.id)
    }
}

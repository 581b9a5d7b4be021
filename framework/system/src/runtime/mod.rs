//! A runtime: one supervision tree with its books, its actor table and its two tokio runtimes.

pub(crate) mod ambient;
mod boot;
pub(crate) mod burst;
pub(crate) mod create;
mod end;
pub(crate) mod life;
mod place;
pub(crate) mod start;

use std::ffi::OsString;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use raytree_engine::placement::{Loan, Verdict};
use raytree_engine::task::Phase;
use raytree_inspector::Door;
use raytree_supervise::{Addr, Probe, Root, SupervisorMsg};
use raytree_types::inspect::{LogQuery, LogText, Refused, TreeSnapshot};
use raytree_types::resources::CPU;
use raytree_types::{
    ActorId, ActorIds, ActorOptions, Cause, Demand, Error, ExitKind, Resources, Result, RuntimeId,
    limits,
};
use tokio::runtime::{Handle, Runtime as Tokio};
use tokio::sync::{OnceCell, Semaphore};

use crate::cluster::neighbours::Neighbours;
use crate::cluster::peer::Peer;
use crate::cluster::peers::Peers;
use crate::cluster::resident::Residing;
use crate::driver::Driver;
use crate::gcs::directory::DirectoryMsg;
use crate::gcs::table::{ActorTable, Ending, Held};
use crate::link::{Births, Link, OpenLinks};
use crate::logs::Logs;
use crate::memory::Memory;
use crate::node::ledger::{Claimant, Ledger};
use crate::node::scheduler::SchedulerMsg;
use crate::object::seen::Shelf;
use crate::stores::Stores;
use crate::task::again::Lineages;
use crate::task::block::Lent;
use crate::task::run::Runnable;
use crate::task::table::TaskTable;
use crate::user::actor::Actor;
use crate::user::handle::ActorHandle;
use crate::user::status::Cell;
use crate::worker::abandoned::Watch;
use crate::worker::compute::Compute;
use crate::worker::lane::Lane;
use crate::worker::launch::Launch;
use ambient::Entered;
pub(crate) use ambient::Here;
use life::Life;

/// A running system. Clones are the same system; when the last one is dropped it ends without the order that
/// [`Runtime::shutdown`] gives it: every waiting caller is told, code that runs is left at its next await point.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
    _user: Option<Arc<User>>,
}

/// Held by every `Runtime` and by nobody else: with the last one the runtime ends, whatever of it still runs.
pub(crate) struct User(Arc<Shared>);

impl Drop for User {
    fn drop(&mut self) {
        self.0.ended("it was dropped");
        self.0.release();
    }
}

/// What all parts of one runtime share.
pub(crate) struct Shared {
    pub(crate) id: RuntimeId,
    pub(crate) ids: ActorIds,
    pub(crate) addrs: Addrs,
    pub(crate) table: ActorTable,
    pub(crate) tasks: TaskTable,
    pub(crate) abandoned: Watch,
    pub(crate) ledger: Ledger,
    /// It has nodes, or is one.
    pub(crate) is_clustered: bool,
    /// A wait of actors for each other ends with an error.
    pub(crate) fails_deadlocks: bool,
    /// The detached actor of a cluster that this process is, if it is one.
    pub(crate) resident: OnceLock<Residing>,
    /// Other processes that run what this one submits.
    pub(crate) peers: Peers,
    /// The cluster that runs what is submitted here, in a driver.
    pub(crate) driver: OnceLock<Arc<Driver>>,
    /// The program that this process works for, in a node or a worker.
    pub(crate) program: OnceLock<Arc<Peer>>,
    /// The other workers of the same job, in a worker.
    pub(crate) neighbours: OnceLock<Arc<Neighbours>>,
    pub(crate) births: Arc<Births>,
    pub(crate) links: OpenLinks,
    pub(crate) stores: Stores,
    /// What it takes to run tasks again whose results are lost.
    pub(crate) lineages: Lineages,
    pub(crate) shelf: Shelf,
    pub(crate) memory: Arc<Memory>,
    /// To the process that started this one for one task or one actor.
    pub(crate) parent: OnceLock<Arc<Link>>,
    pub(crate) compute: Arc<Compute>,
    /// One permit for each method that may block its thread.
    pub(crate) blocking: Arc<Semaphore>,
    /// One permit for each other synchronous body of an actor that may hold its thread for long.
    pub(crate) slow: Arc<Semaphore>,
    /// A plain task can run here at all.
    pub(crate) has_one_cpu: bool,
    pub(crate) lane: Lane<Arc<dyn Runnable>>,
    pub(crate) life: &'static Life,
    runtime_user: Mutex<Weak<User>>,
    /// The arguments with which this program is started again, for a process of a task's own.
    pub(crate) again: Vec<OsString>,
    /// Where names are unique unless another namespace is said.
    pub(crate) namespace: String,
    pub(crate) here: Here,
    pub(crate) door: Arc<Door>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) user: Handle,
    pub(crate) system: Handle,
    pub(crate) root: OnceLock<Root>,
    /// Who is to know first what its tree has failed of: its process ends with it.
    pub(crate) gives_up: OnceLock<Box<dyn Fn(Cause) + Send + Sync>>,
    tokio: Mutex<Option<(Tokio, Tokio)>>,
    closing: AtomicBool,
    ordered_end: OnceCell<()>,
    end: OnceLock<Error>,
    /// Parts of the tree that have come up, and who waits for all of them.
    parts_up: AtomicU32,
    all_up: Mutex<Option<SyncSender<()>>>,
}

/// The leaves of the tree at its start: directory, scheduler, host.
const PARTS: u32 = 3;

/// The stable addresses of the system's own actors.
#[derive(Clone)]
pub(crate) struct Addrs {
    pub(crate) gcs: Addr<SupervisorMsg>,
    pub(crate) directory: Addr<DirectoryMsg>,
    pub(crate) node: Addr<SupervisorMsg>,
    pub(crate) scheduler: Addr<SchedulerMsg>,
    pub(crate) worker: Addr<SupervisorMsg>,
    pub(crate) host: Addr<SupervisorMsg>,
    pub(crate) processes: Addr<SupervisorMsg>,
    pub(crate) node_pool: Addr<SupervisorMsg>,
    pub(crate) cluster: Addr<SupervisorMsg>,
}

impl Runtime {
    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        let _user = shared.runtime_user.lock().upgrade();
        Self { shared, _user }
    }

    /// The first one, of a runtime that has just come up.
    pub(crate) fn first(shared: Arc<Shared>) -> Self {
        let user = Arc::new(User(Arc::clone(&shared)));
        *shared.runtime_user.lock() = Arc::downgrade(&user);
        Self { shared, _user: Some(user) }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Its id within the process.
    #[must_use]
    pub fn id(&self) -> RuntimeId {
        self.shared.id
    }

    /// Starts an actor. Returns at once; the handle's calls wait until the actor is up, and tell if it never will be.
    ///
    /// # Errors
    /// [`Error::BadOption`]; [`Error::Infeasible`] when it asks for more than exists; [`Error::NameTaken`];
    /// [`Error::TooManyActors`]; [`Error::RuntimeGone`].
    #[track_caller]
    pub fn spawn<A: Actor>(&self, args: A::Args, options: ActorOptions) -> Result<ActorHandle<A>> {
        self.spawn_owned(args, options, None)
    }

    /// Names of living actors, by namespace and name.
    #[must_use]
    pub fn named_actors(&self) -> Vec<(String, String)> {
        self.shared.table.names()
    }

    /// Runs a future on this thread, with this runtime as the current one, until it is ready.
    ///
    /// Must not be called from async code, where it would panic as tokio's does.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _entered = self.enter();
        // In a task it is a wait like another; with too many threads blocked it keeps its CPU.
        let _lent = Lent::begin(false).ok().flatten();
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

    /// The process of each of its own nodes, in their order; none for one that is between two lives. For tests.
    #[must_use]
    pub fn node_processes(&self) -> Vec<Option<u32>> {
        self.shared.peers.processes()
    }

    /// What the process has written in which somebody lives, this one's or one below it. Blocks. See `raytree::logs`.
    ///
    /// # Errors
    /// Why there is no answer.
    #[doc(hidden)]
    pub fn read_log(&self, query: &LogQuery) -> std::result::Result<LogText, Refused> {
        let inspected: Weak<dyn raytree_inspector::Inspected> = Arc::downgrade(&self.shared) as _;
        raytree_inspector::read_log(&inspected, query, limits::INSPECT_ANSWER_WITHIN)
    }

    /// All resources there are.
    #[must_use]
    pub fn cluster_resources(&self) -> Resources {
        let mut total = self.shared.ledger.total();
        total.add(&self.shared.peers.total());
        total
    }

    /// Resources nobody holds now. Those of nodes are as they are known here: what their own tasks submit is not counted.
    #[must_use]
    pub fn available_resources(&self) -> Resources {
        let mut free = self.shared.ledger.free();
        free.add(&self.shared.peers.free());
        free
    }

    /// Tasks that wait for arguments or resources, or run.
    #[must_use]
    pub fn task_count(&self) -> usize {
        self.shared.tasks.len()
    }

    /// Tasks whose body runs, those not counted that nobody waits for any more.
    #[must_use]
    pub fn running_tasks(&self) -> usize {
        self.shared.tasks.count(Phase::Running)
    }

    /// Errors of tasks and calls that nobody read before the last reference was dropped.
    #[must_use]
    pub fn lost_errors(&self) -> u64 {
        self.shared.life.lost_errors()
    }

    /// Actors that have not ended.
    #[must_use]
    pub fn actor_count(&self) -> usize {
        self.shared.table.len()
    }

    /// Ends it in order, blocking this thread: actors first, children before parents, then the system. What does not
    /// end within [`limits::SHUTDOWN_DEADLINE`](raytree_types::limits::SHUTDOWN_DEADLINE) is killed. A second call waits for the first. In async code use
    /// [`Runtime::stop`].
    pub fn shutdown(self) {
        let (done, wait) = sync_channel(1);
        let shared = Arc::clone(&self.shared);
        self.shared.system.spawn(async move {
            shared.end().await;
            // Nobody waits when the waiting thread was torn down.
            _ = done.send(());
        });
        if ambient::is_own_thread(&self.shared) {
            // The actors that are to end may need this very thread. It goes on living: it cannot end itself.
            _ = tokio::task::block_in_place(|| wait.recv());
        } else {
            // An error means that the runtime was torn down meanwhile, which is what was wanted.
            _ = wait.recv();
            self.shared.release();
        }
    }

    /// As [`Runtime::shutdown`], for async code. Awaited in a handler of one of its own actors it waits for that very
    /// handler, until the deadline kills it.
    pub async fn stop(self) {
        let shared = Arc::clone(&self.shared);
        let ended = self.shared.system.spawn(async move { shared.end().await });
        // An error means that the runtime was torn down meanwhile.
        _ = ended.await;
        if !ambient::is_own_thread(&self.shared) {
            self.shared.release();
        }
    }
}

impl Shared {
    /// Asks the node's books; starts the actor if it fits now.
    pub(crate) fn place(self: &Arc<Self>, cell: &Cell) -> Verdict {
        let demand = cell.demand();
        if cell.is_unbooked() {
            self.launch(cell.id);
            return Verdict::Granted;
        }
        // A constructor may borrow the CPU of a task that waits; a whole life may not.
        let for_life = demand.running.thousandths(CPU) > 0;
        let loan = if for_life { Loan::Never } else { Loan::May };
        let verdict = self.ledger.request(Claimant::Actor(cell.id), &demand, loan);
        self.serve_lane(1);
        match verdict {
            Verdict::Granted => self.launch(cell.id),
            Verdict::Waiting => {
                cell.note("waits for resources");
                // It stands behind others who may wait for something else.
                self.wake_scheduler();
            }
            Verdict::Infeasible => {}
        }
        verdict
    }

    /// Starts an actor whose resources are taken.
    pub(crate) fn launch(self: &Arc<Self>, id: ActorId) {
        let Some(placing) = self.table.placing(id) else { return };
        self.table.hold(id, Held::Placing);
        if let Some(Ending { released, reason, .. }) = placing.ending
            && !(released && placing.cell.probe.queued() > 0)
        {
            self.give_back(&placing.cell);
            self.finish(id, ExitKind::Stopped { reason });
            return;
        }
        let spec = placing.launch.spec(self, placing.placement, placing.restarts);
        // Refused when the whole tree has ended: then the spec, dropped, tells its observer.
        _ = self.addrs.host.cast(SupervisorMsg::StartChild(Box::new(spec)));
    }

    /// The constructor of an actor has returned, or failed and will be tried again.
    pub(crate) fn placed(self: &Arc<Self>, cell: &Cell) {
        if self.table.hold(cell.id, Held::Running) == Some(Held::Placing) {
            self.ledger.placed(&cell.demand());
            self.freed();
        }
    }

    /// Something was given back; whoever waits for it is started by the scheduler.
    fn freed(self: &Arc<Self>) {
        if self.ledger.has_lines() {
            self.wake_scheduler();
        }
        self.serve_lane(1);
    }

    fn wake_scheduler(&self) {
        // Refused only when the whole tree has ended.
        _ = self.addrs.scheduler.cast(SchedulerMsg::Freed);
    }

    /// Gives back whatever `cell` holds, once.
    pub(crate) fn give_back(self: &Arc<Self>, cell: &Cell) {
        if let Some(held) = self.table.hold(cell.id, Held::Nothing) {
            self.takes_back(held, &cell.demand());
        }
    }

    /// What an actor held is free again.
    pub(crate) fn takes_back(self: &Arc<Self>, held: Held, demand: &Demand) {
        match held {
            Held::Placing => self.ledger.failed(demand),
            Held::Running => self.ledger.ended(demand),
            Held::Nothing => return,
        }
        self.freed();
    }

    /// Takes an actor out of the line of those who wait.
    pub(crate) fn withdraw(self: &Arc<Self>, id: ActorId) -> bool {
        let waited = self.ledger.withdraw(Claimant::Actor(id));
        self.freed();
        waited
    }

    /// An actor is to end: written down first, so that nobody who dies can forget it.
    pub(crate) fn end_actor(&self, id: ActorId, ending: Ending) {
        if self.table.ending(id, ending) {
            // Refused only when the whole tree has ended.
            _ = self.addrs.directory.cast(DirectoryMsg::End(id));
        }
    }

    /// The last handle of an actor is gone, unless it has just handed out another.
    pub(crate) fn released(&self, cell: &Cell) {
        let reason = "its last handle was dropped".to_owned();
        let ending = Ending { kill: false, released: true, reason };
        // Looked at under the table's lock: whoever makes another handle looks there whether it came too late.
        if self.table.ending_if(cell.id, ending, || cell.is_released()) {
            _ = self.addrs.directory.cast(DirectoryMsg::End(cell.id));
        }
    }

    /// Forgets an actor that has ended.
    pub(crate) fn bury(&self, id: ActorId) -> Option<Arc<dyn Launch>> {
        let (launch, left_behind) = self.table.remove(id)?;
        for child in left_behind {
            // Born while its parent ended.
            let reason = "its parent ended".to_owned();
            self.end_actor(child, Ending { kill: false, released: false, reason });
        }
        Some(launch)
    }

    /// The end of an actor that no host has.
    pub(crate) fn finish(&self, id: ActorId, kind: ExitKind) {
        let Some(cell) = self.table.cell(id) else { return };
        if let Some(launch) = self.bury(id) {
            launch.close(kind.clone());
        }
        self.announce(&cell, kind, 0, false);
    }

    /// Tells the callers of an actor, and its parent if it asked, that a life of it has ended.
    pub(crate) fn announce(&self, cell: &Cell, kind: ExitKind, restarts: u32, will_restart: bool) {
        let exit = cell.exited(kind, restarts, will_restart);
        if let (Some(exit), Some(owner), true) = (exit, cell.owner, cell.options.tells_parent()) {
            self.table.tell(owner, &exit);
        }
    }

    /// A part of the tree is up; whoever started the runtime waits for all of them.
    pub(crate) fn part_is_up(&self) {
        if self.parts_up.fetch_add(1, Ordering::AcqRel) + 1 == PARTS
            && let Some(waiting) = self.all_up.lock().take()
        {
            // Nobody waits any more when the start has timed out.
            _ = waiting.send(());
        }
    }

    /// The root of the probes.
    pub(crate) fn probe(&self) -> Arc<Probe> {
        match self.root.get() {
            Some(root) => Arc::clone(root.probe()),
            None => Arc::clone(self.addrs.gcs.probe()),
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

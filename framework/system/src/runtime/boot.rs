//! How a runtime comes up: all that its parts share, its tree, and its place in a cluster.

use std::ffi::OsString;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use raytree_config::Config;
use raytree_inspector::Door;
use raytree_process::cluster::Terms;
use raytree_supervise::{Addr, ChildSpec, Root, Supervisor, SupervisorSpec, clock};
use raytree_types::resources::CPU;
use raytree_types::{ActorIds, Error, Resources, Result, RuntimeId, Strategy, limits};
use tokio::runtime::{Builder, Runtime as Tokio};
use tokio::sync::{OnceCell, Semaphore};

use super::life::Life;
use super::place::{Where, dial, join};
use super::{Addrs, Here, Runtime, Shared, ambient};
use crate::cluster::node::{Details, Node};
use crate::cluster::peers::Peers;
use crate::gcs::table::ActorTable;
use crate::link::OpenLinks;
use crate::logs::{self, Logs};
use crate::memory::By;
use crate::node::ledger::Ledger;
use crate::object::seen::Shelf;
use crate::stores::Stores;
use crate::task::again::Lineages;
use crate::task::table::TaskTable;
use crate::worker::abandoned::Watch;
use crate::worker::lane::Lane;
use crate::{cluster, driver, gcs, inspector, node};

/// All that is to be known of a runtime before it is there.
pub(super) struct Boot {
    pub(super) id: RuntimeId,
    pub(super) is_node: bool,
    pub(super) fails_deadlocks: bool,
    pub(super) placed: Option<(Where, Config)>,
    pub(super) wants: Option<Resources>,
    /// With nodes, what each of them is to be.
    pub(super) is_to_be: Details,
    pub(super) actors_max: usize,
    pub(super) again: Vec<OsString>,
    pub(super) door: Door,
    pub(super) logs: Option<logs::Plan>,
    /// By what memory is measured.
    pub(super) by: By,
}

impl Boot {
    /// Builds it, and waits until all of it is up.
    pub(super) fn run(mut self) -> Result<Runtime> {
        let place = self.placed.as_ref().map_or(&Where::Here, |(place, _)| place);
        let (nodes, is_alone) = (place.own_nodes(), matches!(place, Where::Here));
        for _ in 0..nodes {
            self.is_to_be.all.add(&self.is_to_be.resources);
        }
        let (is_node, by) = (self.is_node, self.by.clone());
        let (placed, wants, mut is_to_be) =
            (self.placed.take(), self.wants.take(), self.is_to_be.clone());
        let (all_up, wait) = sync_channel(1);
        let shared = self.shared(is_alone, all_up)?;
        watches(&shared, placed.as_ref(), (is_node, by));
        is_to_be.store = store(&shared, &is_to_be, nodes)?;
        let is_ready = dial(&shared, placed.as_ref())?;
        let (first, there) = sync_channel(nodes);
        let nodes = make_nodes(&shared, nodes, &is_to_be, &first);
        let root = start_tree(&shared, nodes.clone())?;
        watch(&shared, root.clone());
        _ = shared.root.set(root);
        let late = |_| Error::StartFailed {
            reason: format!("its parts did not come up within {:?}", limits::START_WITHIN),
        };
        wait.recv_timeout(limits::START_WITHIN).map_err(late)?;
        wait_for(&there, nodes.len())?;
        join(&shared, terms(&shared, is_to_be), wants, is_ready.as_ref())?;
        ambient::offer_default(&shared);
        inspector::start(&shared);
        Ok(Runtime::first(shared))
    }

    /// What all its parts share; it says when they are up.
    fn shared(self, is_alone: bool, all_up: SyncSender<()>) -> Result<Arc<Shared>> {
        let Details { resources, namespace, threads, strict, abandoned_max, lineage_bytes, .. } =
            self.is_to_be;
        let resources = if is_alone { resources } else { Resources::none() };
        let door = Arc::new(self.door);
        let here: Here = Arc::default();
        there_are_threads(1 + threads)?;
        let system = tokio_runtime("raytree-system", 1, None, door.is_wanted())?;
        let user = tokio_runtime("raytree-user", threads, Some(Arc::clone(&here)), false)?;
        let life = Life::new(strict);
        let (system_handle, user_handle) = (system.handle().clone(), user.handle().clone());
        let shared = Arc::new(Shared {
            id: self.id,
            ids: ActorIds::new(self.id),
            addrs: addrs(),
            table: ActorTable::new(self.actors_max),
            tasks: TaskTable::default(),
            abandoned: Watch::new(&resources, abandoned_max),
            has_one_cpu: resources.thousandths(CPU) >= 1000,
            lane: Lane::new(
                usize::try_from(resources.thousandths(CPU) / 1000).unwrap_or(usize::MAX),
            ),
            ledger: Ledger::new(resources),
            is_clustered: !is_alone || self.is_node,
            fails_deadlocks: self.fails_deadlocks,
            resident: OnceLock::new(),
            peers: Peers::default(),
            driver: OnceLock::new(),
            neighbours: OnceLock::new(),
            births: Arc::default(),
            links: OpenLinks::default(),
            stores: Stores::default(),
            lineages: Lineages::new(lineage_bytes),
            shelf: Shelf::default(),
            memory: Arc::default(),
            program: OnceLock::new(),
            parent: OnceLock::new(),
            compute: Arc::default(),
            blocking: Arc::new(Semaphore::new(limits::BLOCKING_METHODS_MAX)),
            slow: Arc::new(Semaphore::new(limits::SLOW_METHODS_MAX)),
            life,
            runtime_user: Mutex::default(),
            again: self.again,
            namespace,
            here: Arc::clone(&here),
            door,
            logs: Logs::new(self.logs, life),
            user: user_handle,
            system: system_handle,
            root: OnceLock::new(),
            gives_up: OnceLock::new(),
            tokio: Mutex::new(Some((system, user))),
            closing: AtomicBool::new(false),
            ordered_end: OnceCell::new(),
            end: OnceLock::new(),
            parts_up: AtomicU32::new(0),
            all_up: Mutex::new(Some(all_up)),
        });
        // Set once, here.
        _ = here.set(Arc::downgrade(&shared));
        life.begin(Arc::downgrade(&shared));
        Ok(shared)
    }
}

/// The store of this process's node: the one that it was told of, or that of its own nodes. By its door.
fn store(shared: &Shared, is: &Details, nodes: usize) -> Result<Option<String>> {
    if let Some(door) = &is.store {
        shared.stores.join(door);
        is.store_at.into_iter().for_each(|at| shared.stores.is_at(door, at));
    } else if nodes > 0 && is.store_terms.bytes > 0 {
        shared.stores.open(&is.store_terms, "object_store")?;
    }
    Ok(shared.stores.depot().map(|(depot, _)| depot.door().to_owned()))
}

/// Who decides about memory: this process, where it has the tasks or the nodes; else whoever has started it.
fn watches(shared: &Shared, placed: Option<&(Where, Config)>, (is_node, by): (bool, By)) {
    match placed {
        Some((Where::Here | Where::Own(_), config)) => shared.memory.decides(config, by),
        None if is_node => shared.memory.obeys(),
        _ => {}
    }
}

/// What the runtimes of workers are told.
fn terms(shared: &Shared, Details { strict, namespace, lineage_bytes, .. }: Details) -> Terms {
    let log_to_driver = shared.logs.to_driver();
    Terms { threads: None, strict, namespace, log_to_driver, lineage_bytes }
}

/// Nobody is behind them yet.
fn addrs() -> Addrs {
    Addrs {
        gcs: Addr::system::<Supervisor>("gcs"),
        directory: Addr::system::<gcs::directory::ActorDirectory>("actor_directory"),
        node: Addr::system::<Supervisor>("node"),
        scheduler: Addr::system::<node::scheduler::LocalScheduler>("local_scheduler"),
        worker: Addr::system::<Supervisor>("worker"),
        host: Addr::system::<Supervisor>("actor_host"),
        processes: Addr::system::<Supervisor>("processes"),
        node_pool: Addr::system::<Supervisor>("node_pool"),
        cluster: Addr::system::<Supervisor>("cluster"),
    }
}

/// Waits until so many nodes are up.
fn wait_for(there: &Receiver<()>, nodes: usize) -> Result<()> {
    let began = clock::now();
    for _ in 0..nodes {
        let left = limits::START_WITHIN.saturating_sub(clock::now().saturating_sub(began));
        there.recv_timeout(left).map_err(|_| Error::StartFailed {
            reason: format!(
                "its nodes did not come up within {:?}: does this program start its runtime first?",
                limits::START_WITHIN
            ),
        })?;
    }
    Ok(())
}

fn make_nodes(
    shared: &Arc<Shared>,
    count: usize,
    like: &Details,
    first: &SyncSender<()>,
) -> Vec<Arc<Node>> {
    let node = |number: usize| {
        Node::new(&format!("node-{number}"), like.clone(), Arc::downgrade(shared), first.clone())
    };
    let nodes: Vec<_> = (1..=count).map(node).collect();
    if count > 0 {
        shared.memory.has_nodes(nodes.clone());
        shared.peers.are(nodes.iter().map(|node| Arc::clone(&node.peer)).collect());
    }
    nodes
}

fn start_tree(shared: &Arc<Shared>, nodes: Vec<Arc<Node>>) -> Result<Root> {
    let (weak, addrs) = (Arc::downgrade(shared), shared.addrs.clone());
    let (gcs_weak, gcs_addrs) = (weak.clone(), addrs.clone());
    let gcs = ChildSpec::supervisor(&addrs.gcs, move || gcs::spec(&gcs_addrs, &gcs_weak));
    let (node_weak, node_addrs) = (weak, addrs.clone());
    let node = ChildSpec::supervisor(&addrs.node, move || node::spec(&node_addrs, &node_weak));
    let mut spec = SupervisorSpec::new(Strategy::OneForOne).child(gcs).child(node);
    if !nodes.is_empty() {
        spec = spec.child(ChildSpec::supervisor(&addrs.node_pool, move || cluster::spec(&nodes)));
    }
    if let Some(driver) = shared.driver.get().cloned() {
        spec = spec.child(ChildSpec::supervisor(&addrs.cluster, move || driver::spec(&driver)));
    }
    let _entered = shared.system.enter();
    Root::start("raytree", spec)
        .map_err(|failure| Error::StartFailed { reason: failure.to_string() })
}

/// Ends the runtime when its tree ends, however that happens.
fn watch(shared: &Arc<Shared>, root: Root) {
    let weak = Arc::downgrade(shared);
    shared.system.spawn(async move {
        let kind = root.ended().await;
        if let Some(shared) = weak.upgrade() {
            shared.has_failed();
            shared.ended(&kind.to_string());
        }
    });
}

fn tokio_runtime(name: &str, threads: usize, here: Option<Here>, sockets: bool) -> Result<Tokio> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads).thread_name(name).enable_time();
    builder.max_blocking_threads(limits::USER_BLOCKING_THREADS_MAX);
    if sockets {
        builder.enable_io();
    }
    if let Some(here) = here {
        builder.on_thread_start(move || ambient::bind_thread(Arc::clone(&here), false));
    }
    builder.build().map_err(|error| no_threads(&error))
}

/// Where the operating system refuses a thread while tokio starts its own, tokio panics and then waits for ever for those
/// it has: so they are asked for here first, all at once.
fn there_are_threads(count: usize) -> Result<()> {
    /// For what the threads themselves ask for when they begin.
    const SPARE: usize = 4;
    let door = Arc::new(Mutex::new(()));
    let shut = door.lock();
    let thread = || {
        let door = Arc::clone(&door);
        let wait = move || {
            // An allocator may take address space for a thread's first request.
            _ = black_box(Box::new(door.lock()));
        };
        std::thread::Builder::new().spawn(wait)
    };
    let threads: std::io::Result<Vec<_>> = (0..count + SPARE).map(|_| thread()).collect();
    let threads = threads.map_err(|error| no_threads(&error))?;
    drop(shut);
    // Those that come next need their room. They end: all they do is to wait for the door.
    threads.into_iter().for_each(|thread| _ = thread.join());
    Ok(())
}

fn no_threads(error: &std::io::Error) -> Error {
    Error::StartFailed { reason: format!("no threads: {error}") }
}

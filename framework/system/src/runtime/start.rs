//! Starting a runtime.

use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::hash::{BuildHasher as _, Hasher as _};
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::available_parallelism;

use parking_lot::Mutex;
use raytree_config::Config;
use raytree_inspector::Door;
use raytree_process::cluster::Terms;
use raytree_supervise::{Addr, ChildSpec, Root, Supervisor, SupervisorSpec, clock};
use raytree_types::inspect::{Role, place};
use raytree_types::{ActorIds, Error, Resources, Result, RuntimeId, Strategy, limits};
use tokio::runtime::{Builder, Runtime as Tokio};
use tokio::sync::{OnceCell, Semaphore};

use super::life::Life;
use super::place::{Where, dial, join, place as place_of};
use super::{Addrs, Here, Runtime, Shared, ambient};
use crate::cluster::node::{Details, Node};
use crate::cluster::peers::Peers;
use crate::cluster::role::{self, Part};
use crate::gcs::table::ActorTable;
use crate::logs::{self, Logs};
use crate::node::ledger::Ledger;
use crate::task::registry;
use crate::task::table::TaskTable;
use crate::worker::abandoned::Watch;
use crate::worker::lane::Lane;
use crate::{cluster, driver, gcs, inspector, node};
use raytree_types::resources::CPU;

/// How a runtime is to be. Everything has a default.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing runs before `start`"]
pub struct Init {
    resources: Resources,
    cpus: Option<f64>,
    threads: Option<usize>,
    strict: Option<bool>,
    namespace: Option<String>,
    actors_max: Option<usize>,
    again: Option<Vec<OsString>>,
    inspector_off: bool,
    inspect_dir: Option<PathBuf>,
    address: Option<String>,
    settings: Vec<(String, String)>,
    log_to_driver: Option<bool>,
    node: Option<Details>,
    /// What this process is called by the one that has started it, and has said all that is to be said.
    part: Option<String>,
}

impl Init {
    /// All defaults: as many CPUs as this process may use, and as many threads for user code.
    pub fn new() -> Self {
        Self::default()
    }

    /// So many nodes, each a process of its own on this machine: this program, started again, which runs what is submitted
    /// here. Each has the resources that are said here; this process has none. 0 to [`limits::NODES_MAX`]; 0 is no nodes:
    /// everything runs in this process. Default: what `RAYTREE_ADDRESS` says, `local` or `nodes:3`, else 0.
    ///
    /// What a program does before it starts its first runtime, each node does, too: so start it first. An actor that is given
    /// a name by a task or an actor on a node has it in that node alone. A node that is ended in order has
    /// [`limits::NODE_END_WITHIN`] for the actors that it has of its own.
    pub fn nodes(self, nodes: usize) -> Self {
        self.address(format!("nodes:{nodes}"))
    }

    /// Who runs what is submitted: `local`, this process; `nodes:3`, as many nodes that this program starts itself
    /// ([`Init::nodes`]); or a host and a port, the cluster whose head listens there (`raytree start --head` says where). Of
    /// each node of a cluster this program gets what is free, at most what is said here. Default: what `RAYTREE_ADDRESS`
    /// says, else `local`.
    ///
    /// A cluster is used with the settings of this machine (`raytree config`): its token has to be in `cluster.token_file`.
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// A setting by name and value, as on the command line of `raytree`: it has the last word over the file of settings and
    /// the environment. What this `Init` says in words of its own (`cpus`, `strict`) wins over all of them.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// CPUs that may be handed out, of each node where there are any. Default: the setting `node.cpus`, which is the
    /// parallelism of the machine. More than there are is allowed: it only counts. Where nothing is said of resources here,
    /// those of the settings `node.gpus` and `node.resources` may be handed out, too.
    #[track_caller]
    pub fn cpus(mut self, amount: f64) -> Self {
        self.cpus = Some(amount);
        self.resources = self.resources.custom(raytree_types::resources::CPU, amount);
        self
    }

    /// GPUs that may be handed out. Default 0.
    #[track_caller]
    pub fn gpus(mut self, amount: f64) -> Self {
        self.resources = self.resources.gpus(amount);
        self
    }

    /// So much of a named resource.
    #[track_caller]
    pub fn resource(mut self, name: &str, amount: f64) -> Self {
        self.resources = self.resources.custom(name, amount);
        self
    }

    /// Threads for user code, 1 to 1,024. Default: the parallelism of the machine.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Sends every argument, result and object through the codec and back, as between processes: what cannot travel
    /// shows in a test, not on a cluster. Default: the setting `calls.strict` (`RAYTREE_STRICT=1`), which is off.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = Some(strict);
        self
    }

    /// Where actors' names are unique unless their options name another namespace. Default: `default`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// How many actors may exist at once, those included that wait for resources. Default and most: a million. One more is
    /// refused with [`Error::TooManyActors`].
    pub fn actors_max(mut self, actors: usize) -> Self {
        self.actors_max = Some(actors);
        self
    }

    /// Whether the runtime can be looked at from outside: `raytree tree` asks it through a socket that only this user
    /// may open. Default: true. The setting `inspector.enabled` may switch it off, and `RAYTREE_INSPECTOR=off` in the
    /// environment always does.
    pub fn inspector(mut self, on: bool) -> Self {
        self.inspector_off = !on;
        self
    }

    /// The folder of that socket. It is made with mode 0700; one that others may enter is refused, with a warning.
    /// Default: the setting `inspector.folder` (`$RAYTREE_INSPECT_DIR`), else `$XDG_RUNTIME_DIR/raytree`, else
    /// `raytree-<uid>` in the folder for temporary files.
    pub fn inspect_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.inspect_dir = Some(folder.into());
        self
    }

    /// Whether this program prints what its nodes, workers and isolated processes write to their standard output and error,
    /// each line with the name of its process. Lines that several of them write within five seconds stand once, with how often
    /// they came. The files of the session have all of them either way. Default: the setting `logs.to_driver`, which is on.
    pub fn log_to_driver(mut self, on: bool) -> Self {
        self.log_to_driver = Some(on);
        self
    }

    /// The arguments with which this program is started again for a process of a task's own. Default: those of this process.
    /// They have to lead it here: what comes before runs there, too.
    #[doc(hidden)]
    pub fn again(mut self, arguments: Vec<OsString>) -> Self {
        self.again = Some(arguments);
        self
    }

    /// Starts the runtime. It becomes the process default if there is none.
    ///
    /// In a process that was started as a node ([`Init::nodes`]), for one task
    /// ([`TaskOptions::isolated`](raytree_types::TaskOptions::isolated)) or for one actor
    /// ([`ActorOptions::isolated`](raytree_types::ActorOptions::isolated)) this does that work and never returns. So it should
    /// be the first thing a program does: what comes before it runs there, too.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a bad number, or a setting that is unknown or out of range; [`Error::StartFailed`] when the system gives no threads.
    pub fn start(self) -> Result<Runtime> {
        role::take(|name, part| {
            let init = Self { part: Some(name), ..Self::new() };
            match part {
                Part::Own(own) => {
                    let init = init.threads(own.threads).namespace(own.namespace).strict(false);
                    init.begin(RuntimeId::given(drawn_by_lot()))
                }
                Part::Node(node) => {
                    let id = RuntimeId::given(node.runtime);
                    Self { node: Some(node), ..init }.begin(id)
                }
            }
        })?;
        self.begin(RuntimeId::next())
    }

    fn begin(mut self, id: RuntimeId) -> Result<Runtime> {
        let parallelism = available_parallelism().map_or(1, usize::from);
        let given = self.node.take();
        let is_all = self.cpus.is_none() && self.resources.is_none();
        let placed =
            if self.part.is_some() { None } else { Some(place_of(self.address, self.settings)?) };
        let config = placed.as_ref().map(|(_, config)| config);
        let offers = config.map(|config| config.node().offers());
        let offers = offers.unwrap_or_else(|| Resources::cpus(parallelism as f64));
        let resources = match (&given, self.cpus) {
            (Some(node), _) => node.resources.clone(),
            (None, Some(_)) => self.resources,
            (None, None) if is_all => offers,
            (None, None) => self.resources.with_thousandths(CPU, offers.thousandths(CPU)),
        };
        resources.checked()?;
        let threads = given.as_ref().map(|node| node.threads).or(self.threads);
        let threads = threads.unwrap_or(parallelism);
        check("threads", threads, limits::USER_THREADS_MAX)?;
        let actors_max = self.actors_max.unwrap_or(limits::ACTORS_MAX);
        check("actors_max", actors_max, limits::ACTORS_MAX)?;
        // The clock begins with the first runtime.
        _ = clock::now();
        registry::entries()?;
        let namespace = given.as_ref().map(|node| node.namespace.clone()).or(self.namespace);
        let namespace = namespace.unwrap_or_else(|| "default".to_owned());
        limits::check_name(&namespace).map_err(|reason| Error::BadOption {
            option: "namespace".to_owned(),
            value: namespace.clone(),
            reason,
        })?;
        let is_on = config.is_none_or(|config| config.inspector().enabled);
        let inspected = is_on && !self.inspector_off && place::switched_on();
        let folder = || config.and_then(|config| config.inspector().folder.clone());
        let inspect = inspected.then(|| self.inspect_dir.or_else(folder));
        let role = self.part.map_or(Role::Program, |name| Role::Part { name });
        let door = Door::new(id, role, inspect);
        let again = self.again.unwrap_or_else(|| std::env::args_os().skip(1).collect());
        let strict = given.as_ref().map(|node| node.strict).or(self.strict);
        let strict = strict.unwrap_or_else(|| config.is_some_and(|config| config.calls().strict));
        let wants = (!is_all).then(|| resources.clone());
        let is_node = given.is_some();
        let abandoned_max = match (given, config) {
            (Some(node), _) => node.abandoned_max,
            (None, Some(config)) => config.node().abandoned_threads_max as usize,
            (None, None) => limits::ABANDONED_THREADS_MAX,
        };
        let all = Resources::none();
        let is_to_be = Details {
            runtime: id.number(),
            resources,
            all,
            threads,
            strict,
            namespace,
            abandoned_max,
        };
        let logs = config.map(|config| logs::Plan::of(config, self.log_to_driver));
        boot((id, is_node), (placed, wants), is_to_be, (actors_max, again), (door, logs))
    }
}

/// A number for the runtime of a process of somebody's own, whose actors others may come to know: whoever starts such
/// processes has none to give that nobody else gives. Of a thousand that live at once two have the same with a chance of
/// one in 10^8.
pub(crate) fn drawn_by_lot() -> u64 {
    /// Above all that are counted, and small enough to be read as a number everywhere.
    const BITS: u32 = 47;
    // The keys of hash maps are the operating system's random numbers.
    let random = RandomState::new().build_hasher().finish();
    1 << BITS | random >> (u64::BITS - BITS)
}

pub(super) fn check(option: &str, value: usize, most: usize) -> Result<()> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    let (option, value) = (option.to_owned(), value.to_string());
    Err(Error::BadOption { option, value, reason: format!("it is 1 to {most}") })
}

/// With nodes these are what is to be.
fn boot(
    (id, is_node): (RuntimeId, bool),
    (placed, wants): (Option<(Where, Config)>, Option<Resources>),
    is_to_be: Details,
    (actors_max, again): (usize, Vec<OsString>),
    (door, logs): (Door, Option<logs::Plan>),
) -> Result<Runtime> {
    let place = placed.as_ref().map_or(&Where::Here, |(place, _)| place);
    let (nodes, is_alone) = (place.own_nodes(), matches!(place, Where::Here));
    let mut for_nodes = is_to_be;
    (0..nodes).for_each(|_| for_nodes.all.add(&for_nodes.resources));
    let resources = if is_alone { for_nodes.resources.clone() } else { Resources::none() };
    let Details { namespace, threads, strict, abandoned_max, .. } = for_nodes.clone();
    let door = Arc::new(door);
    let here: Here = Arc::default();
    there_are_threads(1 + threads)?;
    let system = tokio_runtime("raytree-system", 1, None, door.is_wanted())?;
    let user = tokio_runtime("raytree-user", threads, Some(Arc::clone(&here)), false)?;
    let life = Life::new(strict);
    let (all_up, wait) = sync_channel(1);
    let (system_handle, user_handle) = (system.handle().clone(), user.handle().clone());
    let shared = Arc::new(Shared {
        id,
        ids: ActorIds::new(id),
        addrs: addrs(),
        table: ActorTable::new(actors_max),
        tasks: TaskTable::default(),
        abandoned: Watch::new(&resources, abandoned_max),
        has_one_cpu: resources.thousandths(CPU) >= 1000,
        lane: Lane::new(usize::try_from(resources.thousandths(CPU) / 1000).unwrap_or(usize::MAX)),
        ledger: Ledger::new(resources),
        is_clustered: !is_alone || is_node,
        resident: OnceLock::new(),
        peers: Peers::default(),
        driver: OnceLock::new(),
        neighbours: OnceLock::new(),
        births: Arc::default(),
        program: OnceLock::new(),
        parent: OnceLock::new(),
        compute: Arc::default(),
        blocking: Arc::new(Semaphore::new(limits::BLOCKING_METHODS_MAX)),
        slow: Arc::new(Semaphore::new(limits::SLOW_METHODS_MAX)),
        life,
        runtime_user: Mutex::default(),
        again,
        namespace,
        here: Arc::clone(&here),
        door,
        logs: Logs::new(logs, life),
        user: user_handle,
        system: system_handle,
        root: OnceLock::new(),
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
    let is_ready = dial(&shared, placed.as_ref())?;
    let (first, there) = sync_channel(nodes);
    let nodes = make_nodes(&shared, nodes, &for_nodes, &first);
    let root = start_tree(&shared, nodes.clone())?;
    watch(&shared, root.clone());
    _ = shared.root.set(root);
    let late = |_| Error::StartFailed {
        reason: format!("its parts did not come up within {:?}", limits::START_WITHIN),
    };
    wait.recv_timeout(limits::START_WITHIN).map_err(late)?;
    wait_for(&there, nodes.len())?;
    join(&shared, terms(&shared, for_nodes), wants, is_ready.as_ref())?;
    ambient::offer_default(&shared);
    inspector::start(&shared);
    Ok(Runtime::first(shared))
}

/// What the runtimes of workers are told.
fn terms(shared: &Shared, Details { strict, namespace, .. }: Details) -> Terms {
    Terms { threads: None, strict, namespace, log_to_driver: shared.logs.to_driver() }
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

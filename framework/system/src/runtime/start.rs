//! Starting a runtime.

use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

use raytree_inspector::Door;
use raytree_supervise::clock;
use raytree_types::inspect::{Role, place};
use raytree_types::resources::CPU;
use raytree_types::{Error, Resources, Result, RuntimeId, limits};

use super::Runtime;
use super::boot::Boot;
use super::place::place as place_of;
use crate::cluster::node::Details;
use crate::cluster::role::{self, Part};
use crate::logs;
use crate::memory::{By, Meter};
use crate::stores::StoreTerms;
use crate::task::registry;

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
    /// The door of the store of the node of a process of somebody's own.
    store: Option<String>,
    /// By what memory is measured.
    by: By,
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

    /// By what the watch over the memory measures, for a test that has no memory to waste. Default: the machine.
    #[doc(hidden)]
    pub fn meter(mut self, meter: Arc<dyn Meter>) -> Self {
        self.by = By(meter);
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
                    let init = Self { store: own.store, ..init };
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
        let namespace = checked_namespace(namespace.unwrap_or_else(|| "default".to_owned()))?;
        let is_on = config.is_none_or(|config| config.inspector().enabled);
        let inspected = is_on && !self.inspector_off && place::switched_on();
        let folder = || config.and_then(|config| config.inspector().folder.clone());
        let inspect = inspected.then(|| self.inspect_dir.or_else(folder));
        let role = self.part.map_or(Role::Program, |name| Role::Part { name });
        let again = self.again.unwrap_or_else(|| std::env::args_os().skip(1).collect());
        let strict = given.as_ref().map(|node| node.strict).or(self.strict);
        let strict = strict.unwrap_or(config.is_some_and(|config| config.calls().strict));
        let wants = (!is_all).then(|| resources.clone());
        let is_node = given.is_some();
        let store = given.as_ref().and_then(|node| node.store.clone()).or(self.store);
        let store_at = given.as_ref().and_then(|node| node.store_at);
        let (abandoned_max, lineage_bytes) = bounds(given.as_ref(), config);
        let store_terms = config.map(|config| StoreTerms::of(config.node())).unwrap_or_default();
        let is_to_be = Details {
            runtime: id.number(),
            resources,
            all: Resources::none(),
            threads,
            strict,
            namespace,
            abandoned_max,
            lineage_bytes,
            store,
            store_at,
            store_terms,
        };
        let logs = config.map(|config| logs::Plan::of(config, self.log_to_driver));
        let fails_deadlocks = config.is_none_or(|config| config.calls().fail_deadlocks);
        Boot {
            id,
            is_node,
            fails_deadlocks,
            placed,
            wants,
            is_to_be,
            actors_max,
            again,
            door: Door::new(id, role, inspect),
            logs,
            by: self.by,
        }
        .run()
    }
}

/// Of threads that are abandoned, and of bytes of lineages: as the program has said, or its settings.
fn bounds(given: Option<&Details>, config: Option<&raytree_config::Config>) -> (usize, u64) {
    match (given, config) {
        (Some(node), _) => (node.abandoned_max, node.lineage_bytes),
        (None, Some(config)) => {
            let lineages = config.calls().lineage_bytes.bytes();
            (config.node().abandoned_threads_max as usize, lineages)
        }
        (None, None) => (limits::ABANDONED_THREADS_MAX, limits::LINEAGE_BYTES),
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

fn checked_namespace(namespace: String) -> Result<String> {
    match limits::check_name(&namespace) {
        Ok(()) => Ok(namespace),
        Err(reason) => {
            Err(Error::BadOption { option: "namespace".to_owned(), value: namespace, reason })
        }
    }
}

pub(super) fn check(option: &str, value: usize, most: usize) -> Result<()> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    let (option, value) = (option.to_owned(), value.to_string());
    Err(Error::BadOption { option, value, reason: format!("it is 1 to {most}") })
}

//! From what the inspector says to samples. Pure.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use raytree_types::inspect::{
    ActorState, ClusterStatus, NodePhase, ProcessRow, Role, StoreRow, TreeRow,
};
use raytree_types::state::{Count, ObjectState, TaskState};

use super::table::{self, Metric};
use super::tally::{Counts, Group, Tally};

/// One number, with the values of the labels of its metric.
pub(crate) struct Sample {
    pub(crate) metric: &'static Metric,
    pub(crate) labels: Vec<String>,
    pub(crate) value: f64,
}

/// Everything at one moment.
#[derive(Default)]
pub(crate) struct Samples(Vec<Sample>);

impl Samples {
    pub(crate) fn of(self) -> Vec<Sample> {
        self.0
    }

    fn put(&mut self, metric: &'static Metric, labels: Vec<String>, value: f64) {
        debug_assert_eq!(metric.labels.len(), labels.len());
        self.0.push(Sample { metric, labels, value });
    }

    /// What every process says of itself.
    pub(crate) fn own(&mut self, dropped: u64) {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.put(&table::BUILD_INFO, vec![version], 1.0);
        self.put(&table::DROPPED, Vec::new(), dropped as f64);
    }

    /// Of its machine: what is in use, and all there is.
    pub(crate) fn memory(&mut self, (used, total): (u64, u64)) {
        for (state, bytes) in [("used", used), ("total", total)] {
            self.put(&table::NODE_MEMORY, vec![state.to_owned()], bytes as f64);
        }
    }

    /// Processes and actors of a tree, or of several.
    pub(crate) fn trees(&mut self, rows: &[TreeRow], tally: &mut Tally) {
        let homes = homes(rows);
        let mut now: BTreeMap<Group, Now> = BTreeMap::new();
        let mut counted = Vec::new();
        for (row, (path, process)) in rows.iter().zip(&homes) {
            if let Some(own) = &row.process {
                self.process(process, own);
            }
            let group = (process.clone(), if row.id.is_some() { "user" } else { "system" });
            // Where it lives it is counted; one that has no life now is known to its stand-in alone, as are its restarts.
            let own = now.entry(group.clone()).or_default();
            if row.host.is_none() || is_lifeless(row.state) {
                own.see(row);
            }
            counted.push((path.clone(), group, row));
        }
        for ((process, kind), own) in now {
            self.actors(&process, kind, &own);
        }
        let sums: BTreeMap<Group, Counts> = tally.count(counted.into_iter()).into_iter().collect();
        for ((process, kind), own) in sums {
            let labels = || vec![process.clone(), kind.to_owned()];
            self.put(&table::HANDLED, labels(), own.handled as f64);
            self.put(&table::REFUSED, labels(), own.refused as f64);
            self.put(&table::RESTARTS, labels(), own.restarts as f64);
            self.put(&table::BUSY, labels(), own.busy.as_secs_f64());
        }
    }

    fn process(&mut self, name: &str, own: &ProcessRow) {
        let role = match own.role {
            Role::Program => "program",
            Role::Head => "head",
            Role::Node { .. } => "node",
            Role::Part { .. } => "worker",
        };
        let labels = || vec![name.to_owned(), role.to_owned(), own.pid.to_string()];
        self.put(&table::CPU, labels(), own.cpu.as_secs_f64());
        self.put(&table::MEMORY, labels(), own.memory as f64);
        self.put(&table::THREADS, labels(), f64::from(own.threads));
        self.put(&table::UPTIME, labels(), own.uptime.as_secs_f64());
        self.put(&table::SILENT, labels(), own.stale.unwrap_or_default().as_secs_f64());
        if let Some(store) = &own.store {
            self.store(name, store);
        }
    }

    fn store(&mut self, process: &str, store: &StoreRow) {
        let states = [
            ("free", store.free()),
            ("sealed", store.sealed),
            ("lent", store.lent),
            ("dying", store.dying),
        ];
        for (state, bytes) in states {
            let labels = vec![process.to_owned(), state.to_owned()];
            self.put(&table::STORE_BYTES, labels, bytes as f64);
        }
        for (metric, value) in [
            (&table::STORE_OBJECTS, store.objects),
            (&table::STORE_CLIENTS, store.clients),
            (&table::STORE_DISK, store.spilled),
            (&table::STORE_SPILLED, store.spilled_objects),
            (&table::STORE_WRITTEN, store.spilled_ever),
            (&table::STORE_RESTORED, store.restored_ever),
            (&table::STORE_PULLED, store.pulled_ever),
            (&table::STORE_PUSHED, store.pushed_ever),
            (&table::STORE_WAITING, store.waiting),
        ] {
            self.put(metric, vec![process.to_owned()], value as f64);
        }
    }

    fn actors(&mut self, process: &str, kind: &str, now: &Now) {
        let labels = || vec![process.to_owned(), kind.to_owned()];
        for (state, count) in &now.states {
            let with_state = [labels(), vec![state.clone()]].concat();
            self.put(&table::ACTORS_NOW, with_state, *count as f64);
        }
        self.put(&table::QUEUED, labels(), now.queued as f64);
        self.put(&table::FULLEST, labels(), now.fullest);
        self.put(&table::LAG, labels(), now.lag.as_secs_f64());
    }

    /// Tasks and objects of the whole cluster, counted by name and state.
    pub(crate) fn lists(&mut self, tasks: &[Count], objects: &[Count]) {
        let sum = |counts: &[Count], state: &str| {
            let own = counts.iter().filter(|count| count.state == state);
            own.map(|count| count.count).sum::<u64>() as f64
        };
        for state in TASK_STATES.map(|state| state.to_string()) {
            let count = sum(tasks, &state);
            self.put(&table::TASKS, vec![state], count);
        }
        for state in OBJECT_STATES.map(|state| state.to_string()) {
            let count = sum(objects, &state);
            self.put(&table::OBJECTS, vec![state], count);
        }
    }

    /// What the head alone knows.
    pub(crate) fn cluster(&mut self, status: &ClusterStatus) {
        self.put(&table::CLUSTER_UPTIME, Vec::new(), status.uptime.as_secs_f64());
        for phase in PHASES {
            let count = status.nodes.iter().filter(|node| node.phase == phase).count();
            self.put(&table::NODES, vec![phase.to_string()], count as f64);
        }
        for node in &status.nodes {
            for (resource, total) in node.total.iter() {
                let labels = || vec![node.name.clone(), resource.to_owned()];
                let free = node.free.thousandths(resource);
                self.put(&table::RESOURCES, labels(), total as f64 / 1000.0);
                self.put(&table::AVAILABLE, labels(), free as f64 / 1000.0);
            }
        }
        self.put(&table::JOBS, Vec::new(), status.jobs.len() as f64);
        for job in &status.jobs {
            let labels = vec![job.job.to_string(), job.program.clone()];
            self.put(&table::WORKERS, labels, job.workers as f64);
        }
        self.put(&table::DETACHED, Vec::new(), status.detached_count as f64);
        let restarts: u64 = status.detached.iter().map(|own| u64::from(own.restarts)).sum();
        self.put(&table::DETACHED_RESTARTS, Vec::new(), restarts as f64);
    }
}

fn is_lifeless(state: ActorState) -> bool {
    matches!(state, ActorState::Pending | ActorState::Restarting | ActorState::Failed)
}

const TASK_STATES: [TaskState; 5] = [
    TaskState::Running,
    TaskState::Waiting,
    TaskState::Sent,
    TaskState::Queued,
    TaskState::PendingArguments,
];
const OBJECT_STATES: [ObjectState; 3] =
    [ObjectState::Pending, ObjectState::Ready, ObjectState::Failed];

const PHASES: [NodePhase; 6] = [
    NodePhase::Starting,
    NodePhase::Up,
    NodePhase::Degraded,
    NodePhase::Suspect,
    NodePhase::Stopping,
    NodePhase::Fenced,
];

/// The actors of one kind in one process.
#[derive(Default)]
struct Now {
    states: BTreeMap<String, u64>,
    queued: u64,
    fullest: f64,
    lag: Duration,
}

impl Now {
    fn see(&mut self, row: &TreeRow) {
        *self.states.entry(row.state.to_string()).or_default() += 1;
        self.queued += row.queued;
        if row.queue_limit > 0 {
            self.fullest = self.fullest.max(row.queued as f64 / row.queue_limit as f64);
        }
        if row.queued > 0 {
            self.lag = self.lag.max(row.busy_for.unwrap_or_default());
        }
    }
}

/// Of each row its path, and what its process is called: no two processes of one tree are called the same.
fn homes(rows: &[TreeRow]) -> Vec<(String, String)> {
    let mut names: Vec<&str> = Vec::new();
    let mut open: Vec<(u32, String)> = Vec::new();
    let mut taken: HashMap<String, u32> = HashMap::new();
    let mut homes = Vec::with_capacity(rows.len());
    for row in rows {
        names.truncate(row.depth as usize);
        names.push(&row.name);
        while open.last().is_some_and(|(depth, _)| *depth >= row.depth) {
            open.pop();
        }
        if let Some(process) = &row.process {
            let name = match &process.role {
                Role::Program => process.program.clone(),
                Role::Head => "head".to_owned(),
                Role::Node { name } | Role::Part { name } => name.clone(),
            };
            let count = taken.entry(name.clone()).or_default();
            *count += 1;
            let name = if *count > 1 { format!("{name} ({})", process.pid) } else { name };
            open.push((row.depth, name));
        }
        let home = open.last().map(|(_, name)| name.clone()).unwrap_or_default();
        homes.push((names.join("/"), home));
    }
    homes
}

//! Every metric: its name, its kind, its labels and what it means. What is exported and `docs/metrics.md` are made of it.

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only grows, until its process begins anew. Its name ends in `_total` where it is exported.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One metric. Its name begins with `raytree_` where it is exported.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
}

impl Metric {
    /// Its name as it is exported, and as queries say it.
    pub(crate) fn exported(&self) -> String {
        let end = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("raytree_{}{end}", self.name)
    }
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, help }
}

const PROCESS: &[&str] = &["process", "role", "pid"];
const ACTORS: &[&str] = &["process", "kind"];

pub(crate) static BUILD_INFO: Metric =
    gauge("build_info", &["version"], "Always 1; the label says the version of raytree");

pub(crate) static CPU: Metric = counter(
    "process_cpu_seconds",
    PROCESS,
    "CPU time that a process has used, in user and in system mode, in seconds",
);
pub(crate) static MEMORY: Metric =
    gauge("process_resident_memory_bytes", PROCESS, "Memory of a process that is in RAM, in bytes");
pub(crate) static THREADS: Metric = gauge("process_threads", PROCESS, "Threads of a process");
pub(crate) static UPTIME: Metric =
    gauge("process_uptime_seconds", PROCESS, "For how long its tree has existed, in seconds");
pub(crate) static SILENT: Metric = gauge(
    "process_silent_seconds",
    PROCESS,
    "How old what is known of a process is, in seconds; 0 when it has answered",
);

pub(crate) static NODE_MEMORY: Metric = gauge(
    "node_memory_bytes",
    &["state"],
    "Memory of the machine, or of the control group that bounds it, in bytes: used (what cannot be had without taking it from \
     somebody) or total",
);

pub(crate) static STORE_BYTES: Metric = gauge(
    "object_store_bytes",
    &["process", "state"],
    "Memory of a node's object store, in bytes: free, sealed (objects that somebody holds), lent (to write in), or dying (held by \
     nobody, and still looked at)",
);
pub(crate) static STORE_OBJECTS: Metric = gauge(
    "object_store_objects",
    &["process"],
    "Objects in a node's object store that somebody holds",
);
pub(crate) static STORE_CLIENTS: Metric =
    gauge("object_store_clients", &["process"], "Processes that use a node's object store");

pub(crate) static STORE_DISK: Metric = gauge(
    "object_store_disk_bytes",
    &["process"],
    "Files of what a node's object store has spilled, in bytes",
);
pub(crate) static STORE_SPILLED: Metric = gauge(
    "object_store_spilled_objects",
    &["process"],
    "Objects of a node's object store that are on disk alone",
);
pub(crate) static STORE_WRITTEN: Metric = counter(
    "object_store_spilled_bytes",
    &["process"],
    "What a node's object store has written to disk, in bytes",
);
pub(crate) static STORE_RESTORED: Metric = counter(
    "object_store_restored_bytes",
    &["process"],
    "What a node's object store has read back from disk, in bytes",
);
pub(crate) static STORE_PULLED: Metric = counter(
    "object_store_pulled_bytes",
    &["process"],
    "What a node's object store has fetched from those of other nodes, in bytes",
);
pub(crate) static STORE_PUSHED: Metric = counter(
    "object_store_pushed_bytes",
    &["process"],
    "What a node's object store has given to those of other nodes, in bytes",
);
pub(crate) static STORE_WAITING: Metric = gauge(
    "object_store_waiting",
    &["process"],
    "Those who wait for room in a node's object store, or for an object that is on disk",
);

pub(crate) static ACTORS_NOW: Metric =
    gauge("actors", &["process", "kind", "state"], "Actors, by state");
pub(crate) static QUEUED: Metric =
    gauge("actor_queued_messages", ACTORS, "Messages in the mailboxes of all its actors");
pub(crate) static FULLEST: Metric = gauge(
    "actor_queue_fullness_ratio",
    ACTORS,
    "How full the fullest mailbox is, from 0 to 1: at 1 senders are refused",
);
pub(crate) static LAG: Metric = gauge(
    "actor_lag_seconds",
    ACTORS,
    "How long the actor that has been at its present message for longest has been at it, of those in whose mailbox others wait, \
     in seconds",
);
pub(crate) static HANDLED: Metric =
    counter("actor_messages_handled", ACTORS, "Messages that actors have handled");
pub(crate) static REFUSED: Metric = counter(
    "actor_messages_refused",
    ACTORS,
    "Messages that were refused, because a mailbox was full",
);
pub(crate) static BUSY: Metric =
    counter("actor_busy_seconds", ACTORS, "Time that actors have spent on messages, in seconds");
pub(crate) static RESTARTS: Metric =
    counter("actor_restarts", ACTORS, "Restarts of actors by their supervisors");

pub(crate) static DROPPED: Metric = counter(
    "events_dropped",
    &[],
    "Entries of the supervision logs that have made room for newer ones, of this process and of those below it",
);

pub(crate) static CLUSTER_UPTIME: Metric =
    gauge("cluster_uptime_seconds", &[], "For how long the head has been there, in seconds");
pub(crate) static NODES: Metric =
    gauge("cluster_nodes", &["phase"], "Nodes of the cluster, by phase");
pub(crate) static RESOURCES: Metric = gauge(
    "node_resources",
    &["node", "resource"],
    "What a node offers of a resource: CPU and GPU in pieces, others in their own unit",
);
pub(crate) static AVAILABLE: Metric =
    gauge("node_resources_available", &["node", "resource"], "What no job was granted of it");
pub(crate) static JOBS: Metric = gauge("cluster_jobs", &[], "Programs that use the cluster");
pub(crate) static WORKERS: Metric =
    gauge("job_workers", &["job", "program"], "Workers that a job has");
pub(crate) static TASKS: Metric = gauge(
    "cluster_tasks",
    &["state"],
    "Tasks that are not over and calls that have no answer yet, by state",
);
pub(crate) static OBJECTS: Metric = gauge(
    "cluster_objects",
    &["state"],
    "Objects that are still to come, that lie in a store, or that several processes hold, by state",
);
pub(crate) static DETACHED: Metric =
    gauge("cluster_detached_actors", &[], "Detached actors of the cluster");
pub(crate) static DETACHED_RESTARTS: Metric = gauge(
    "cluster_detached_restarts",
    &[],
    "Lives that the detached actors of the cluster have lost, of those that exist now",
);

/// All of them, and who exports them: every process, or the head alone.
pub(crate) static TABLE: [(&Metric, bool); 36] = [
    (&BUILD_INFO, true),
    (&CPU, true),
    (&MEMORY, true),
    (&THREADS, true),
    (&UPTIME, true),
    (&SILENT, true),
    (&NODE_MEMORY, true),
    (&STORE_BYTES, true),
    (&STORE_OBJECTS, true),
    (&STORE_CLIENTS, true),
    (&STORE_DISK, true),
    (&STORE_SPILLED, true),
    (&STORE_WRITTEN, true),
    (&STORE_RESTORED, true),
    (&STORE_PULLED, true),
    (&STORE_PUSHED, true),
    (&STORE_WAITING, true),
    (&ACTORS_NOW, true),
    (&QUEUED, true),
    (&FULLEST, true),
    (&LAG, true),
    (&HANDLED, true),
    (&REFUSED, true),
    (&BUSY, true),
    (&RESTARTS, true),
    (&DROPPED, true),
    (&CLUSTER_UPTIME, false),
    (&NODES, false),
    (&RESOURCES, false),
    (&AVAILABLE, false),
    (&JOBS, false),
    (&WORKERS, false),
    (&TASKS, false),
    (&OBJECTS, false),
    (&DETACHED, false),
    (&DETACHED_RESTARTS, false),
];

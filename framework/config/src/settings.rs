//! The table: every setting with its meaning, type, default, unit and range.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use raytree_types::Resources;
use raytree_types::inspect::place;
use raytree_types::resources::{CPU, GPU};

use crate::places::SpillPlaces;
use crate::surroundings::Surroundings;
use crate::table::settings;
use crate::value::{Amount, ByteCount, HostPort, LogFormat};

/// What `RAYTREE_ADDRESS` says of a cluster to join: of a program's own nodes, or of none, nothing.
fn address(text: &str) -> String {
    let count = text.strip_prefix("nodes:");
    let is_own = count.is_some_and(|count| count.parse::<u16>().is_ok());
    if is_own || text == "local" { String::new() } else { text.to_owned() }
}

settings! {
    /// Which cluster this process belongs to, where it listens, and who may join it.
    cluster: Cluster {
        /// The head of the cluster to join. Without one, the system runs inside the program itself, or on nodes that it starts
        /// itself where `RAYTREE_ADDRESS` is `nodes:3`.
        address: Option<HostPort> = "", "host:port",
            "a host and a port from 1 to 65535, or empty", short "RAYTREE_ADDRESS" means address;
        /// What this node is called in trees and messages. No two nodes of a cluster have the same name.
        name: String = "the host's name and the process's number" found by Surroundings::node_name,
            "name", "1 to 128 bytes without slash";
        /// The address of this machine on which ports are opened, and by which others reach it. All that goes to or from any
        /// but a loopback address is encrypted, unless `cluster.insecure` is said.
        bind: IpAddr = "127.0.0.1", "IP address", "any IPv4 or IPv6 address";
        /// The port to listen on; 0 lets the operating system choose a free one.
        port: u16 = "0", "port", "0 to 65535";
        /// The file with the token that all of the cluster share. Its mode has to be 0600.
        token_file: Option<PathBuf> = "`raytree/token` in `$XDG_CONFIG_HOME`, else in `~/.config`"
            found by Surroundings::token_file, "path", "1 to 4096 bytes, or empty";
        /// Encrypts nothing, also where others can reach the address: whoever is on the way reads all that is said, and can
        /// take over a connection and with it run code. All processes of a cluster have to agree.
        insecure: bool = "false", "switch", "true or false";
        /// The certificate chain that all processes of the cluster show to each other, in PEM, in the place of what follows
        /// from the token. Goes together with `cluster.tls_key`.
        tls_cert: Option<PathBuf> = "", "path", "1 to 4096 bytes, or empty";
        /// The private key of that certificate, in PEM. Its mode has to be 0600.
        tls_key: Option<PathBuf> = "", "path", "1 to 4096 bytes, or empty";
    }

    /// When a process counts as alive, suspect, stuck or dead. All processes of a cluster take those of the head.
    liveness: Liveness {
        /// How often a process gives a sign of life.
        beat_every: Duration = "100ms", "duration", "10ms to 10s";
        /// Silence after which a process is suspect and gets no new work. Longer than `liveness.beat_every`.
        suspect_after: Duration = "800ms", "duration", "20ms to 1m";
        /// Silence after which a process on the same machine is dead. Longer than `liveness.suspect_after`.
        dead_after_local: Duration = "1.5s", "duration", "50ms to 5m";
        /// Silence after which a process on another machine is dead. At least `liveness.dead_after_local`.
        dead_after_remote: Duration = "3s", "duration", "50ms to 10m";
        /// How long a process may give signs of life without making progress before it is restarted. Longer than
        /// `liveness.beat_every`.
        stuck_after: Duration = "5s", "duration", "100ms to 10m";
        /// How long a node that lost its head keeps its work and waits, before it ends. Longer than
        /// `liveness.dead_after_remote`: a node is isolated before it is declared dead.
        isolation_grace: Duration = "1m", "duration", "1s to 24h";
    }

    /// What this machine offers, and how its workers are kept.
    node: Node {
        /// CPUs that may be handed out. More than there are is allowed: it only counts.
        cpus: Amount = "the CPUs this process may use" found by Surroundings::cpus,
            "CPUs", "0 to 1000000000000";
        /// GPUs that may be handed out; tasks may share one in fractions.
        gpus: Amount = "0", "GPUs", "0 to 1000000000000";
        /// Further resources by name, such as `special_hardware=4,disk=0.5`; in a file also as a table. A layer that
        /// gives it replaces all of it.
        resources: BTreeMap<String, Amount> = "", "amounts by name",
            "at most 64 names, each with 0 to 1000000000000 in steps of 0.001";
        /// How long a worker's process may take from its start to its first sign of life.
        worker_start_within: Duration = "30s", "duration", "100ms to 10m";
        /// How long workers may take to stop in order before they are killed.
        stop_within: Duration = "10s", "duration", "100ms to 10m";
        /// Abandoned threads, which is code that nobody waits for any more and that runs on, above which a worker takes
        /// nothing new, finishes what it has and is replaced.
        abandoned_threads_max: u32 = "8", "threads", "0 to 512";
        /// How large the object store of a node is: memory that all its processes share, for values that are larger than 100 KiB. It is
        /// taken when it is needed; what does not fit is made room for (`node.spill`), and what is larger is refused. 0B: there is none, and all
        /// goes another way, at the price of copies.
        object_store_bytes: ByteCount = "three tenths of the memory this process may use, 75 MiB to 200 GB"
            found by Surroundings::object_store_bytes, "bytes", "0B to 16TiB";
        /// Whether the store writes objects to disk that nobody looks at, when it is filled to `node.spill_at`, and reads them back when
        /// somebody wants them. Off, what does not fit goes another way, at the price of copies.
        spill: bool = "true", "switch", "true or false";
        /// The share of the object store from which on it spills.
        spill_at: Amount = "0.8", "share", "0.1 to 1";
        /// The folders for spilled objects, with colons between them, used in turn: of disks of their own, best. In each the store makes one
        /// for itself. Without any, one in the folder for temporary files: see that it is no file system in memory. Among them may be
        /// places in object stores, which are used where no folder has room: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`
        /// (with the feature `object-store-cloud` of the program), `file:///path` (`object-store`). Who may use them is said by the
        /// environment alone (`AWS_ACCESS_KEY_ID` and the like), never here.
        spill_folders: SpillPlaces = "", "paths and URLs", "at most 64 absolute paths and URLs of 1 to 4096 bytes";
        /// How much a store may have in each of these folders; object stores have no bound. 0B: as much as there is room for. A twentieth of
        /// the file system stays free in any case.
        spill_bytes: ByteCount = "0B", "bytes", "0B to 1024TiB";
        /// Whether the node looks after its memory: at `node.memory_refuse_at` it begins nothing new, and where that does not help it ends
        /// processes, isolated ones first and whole workers last. Off, the operating system ends what it likes.
        memory_watch: bool = "true", "switch", "true or false";
        /// The share of the memory from which on the node is short of it: of the machine's, or of what its control group may use,
        /// whichever is used up sooner.
        memory_refuse_at: Amount = "0.95", "share", "0.1 to 1";
        /// How often it looks.
        memory_watch_every: Duration = "250ms", "duration", "10ms to 10s";
        /// How much disk the programs of past and present jobs may take.
        executable_cache_bytes: ByteCount = "4GiB", "bytes", "64MiB to 16TiB";
        /// The folder for those programs. It is made with mode 0700.
        cache_dir: Option<PathBuf> = "`raytree` in `$XDG_CACHE_HOME`, else in `~/.cache`"
            found by Surroundings::cache_dir, "path", "1 to 4096 bytes, or empty";
    }

    /// Calls.
    calls: Calls {
        /// Sends every value through the codec and back also within one process: what cannot travel shows in a test, not
        /// on a cluster. What a program says itself (`init().strict(..)`) wins.
        strict: bool = "false", "switch", "true or false",
            short "RAYTREE_STRICT" means strict_by_environment;
        /// Ends a deadlock of actors, a few seconds after it came about: one of the waits in the circle fails with the error
        /// `Deadlock`. Of a program, for all that works for it. Off, deadlocks last, and `raytree why` names them all the same.
        fail_deadlocks: bool = "true", "switch", "true or false";
        /// How much is kept, in each process, of what it takes to run tasks again whose results are lost: their functions and their arguments,
        /// for as long as somebody holds the results. Above it that of the oldest is given up. 0B: nothing is kept, and what is lost stays so.
        lineage_bytes: ByteCount = "1GiB", "bytes", "0B to 16TiB";
    }

    /// How the runtimes of this process can be looked at.
    inspector: Inspector {
        /// Whether runtimes open the socket that `raytree tree` asks. `RAYTREE_INSPECTOR=off` in the environment wins even
        /// over an argument.
        enabled: bool = "true", "switch", "true or false",
            short "RAYTREE_INSPECTOR" means inspector_by_environment;
        /// The folder of the sockets. It is made with mode 0700.
        folder: Option<PathBuf> =
            "`raytree` in `$XDG_RUNTIME_DIR`, else `raytree-<uid>` in the folder for temporary files"
            found by Surroundings::inspect_folder,
            "path", "1 to 4096 bytes, or empty", short "RAYTREE_INSPECT_DIR" means str::to_owned;
    }

    /// The page on which a head shows its cluster in a browser.
    dashboard: Dashboard {
        /// Whether the head has one.
        enabled: bool = "true", "switch", "true or false";
        /// The address on which it listens. It speaks plain HTTP, so any but a loopback address needs `dashboard.insecure`.
        host: IpAddr = "127.0.0.1", "IP address", "any IPv4 or IPv6 address";
        /// The port on which it listens; 0 lets the operating system choose a free one. The default is given up for one of the
        /// next ports when it is taken; a port that was said is not, and then the head does not start.
        port: u16 = "8265", "port", "0 to 65535";
        /// Listens also where others can reach the address: whoever is on the way reads what is shown, and can look in with
        /// what he has read. Better leave it on a loopback address and go there through a tunnel.
        insecure: bool = "false", "switch", "true or false";
    }

    /// Numbers for Prometheus, which heads and nodes offer.
    metrics: Metrics {
        /// Whether heads and nodes have a port from which they are read.
        enabled: bool = "true", "switch", "true or false";
        /// The address on which they listen. Whoever reaches it may read the numbers; it changes nothing.
        host: IpAddr = "127.0.0.1", "IP address", "any IPv4 or IPv6 address";
        /// The port; 0 lets the operating system choose a free one, which the head tells to who asks
        /// `/api/prometheus/targets` on its dashboard.
        port: u16 = "0", "port", "0 to 65535";
    }

    /// What processes write to their standard output and error.
    logs: Logs {
        /// Where the files are kept: in `raytree-<uid>/session-<when>-<pid>/logs` below this folder. Without one, below that
        /// for temporary files.
        folder: Option<PathBuf> = "", "path", "1 to 4096 bytes, or empty";
        /// How large one file becomes before the next one begins.
        rotate_bytes: ByteCount = "100MiB", "bytes", "4KiB to 1TiB";
        /// How many files of one output there are at most, the one that is written included. Each process has two outputs.
        rotate_files: u32 = "5", "files", "1 to 1000";
        /// How heads and nodes write what they have to say: for people, or one JSON object a line, with the ids of the trace, span,
        /// task and actor that it happened in.
        format: LogFormat = "text", "word", "text or json";
        /// Whether a program prints what its nodes, workers and isolated processes write. What it says itself
        /// (`init().log_to_driver(..)`) wins.
        to_driver: bool = "true", "switch", "true or false";
    }
}

/// Only `1` is on, as ever.
fn strict_by_environment(value: &str) -> String {
    (value == "1").to_string()
}

fn inspector_by_environment(value: &str) -> String {
    place::leaves_on(value).to_string()
}

impl Node {
    /// All that this machine offers: CPUs, GPUs and the further resources.
    #[must_use]
    pub fn offers(&self) -> Resources {
        let own = [(CPU, self.cpus), (GPU, self.gpus)];
        let further = self.resources.iter().map(|(name, amount)| (name.as_str(), *amount));
        own.into_iter().chain(further).fold(Resources::none(), |all, (name, amount)| {
            all.with_thousandths(name, amount.thousandths())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use raytree_types::limits;

    use super::*;

    #[test]
    fn every_setting_says_all_there_is_to_say() {
        let nowhere = Surroundings::default();
        for entry in TABLE {
            let key = entry.key;
            assert!(entry.meaning().ends_with('.'), "{key}: the meaning is a sentence");
            assert!(!entry.unit.is_empty() && !entry.range.is_empty(), "{key}");
            let default = entry.default_in(&nowhere);
            assert_eq!((entry.check)(&default, entry.range), Ok(default), "{key}: its default");
            assert_eq!(key.split('.').count(), 2, "{key}");
        }
        let keys: BTreeSet<_> = TABLE.iter().map(|entry| entry.key).collect();
        assert_eq!(keys.len(), TABLE.len());
    }

    #[test]
    fn every_range_that_is_an_order_has_both_edges_inside_and_nothing_beyond() {
        let mut ordered = 0;
        for entry in TABLE {
            let edges = entry.range.split_once(" to ");
            let Some((low, high)) =
                edges.filter(|(low, high)| !low.contains(' ') && !high.contains(' '))
            else {
                continue;
            };
            ordered += 1;
            let takes = |text: &str| (entry.check)(text, entry.range);
            assert_eq!(
                (takes(low), takes(high)),
                (Ok(low.to_owned()), Ok(high.to_owned())),
                "{}",
                entry.key
            );
            let unit = high.trim_start_matches(|c: char| c.is_ascii_digit());
            let number: u64 = high[..high.len() - unit.len()].parse().unwrap();
            assert!(takes(&format!("{}{unit}", number + 1)).is_err(), "{} above {high}", entry.key);
            let unit = low.trim_start_matches(|c: char| c.is_ascii_digit());
            let number: u64 = low[..low.len() - unit.len()].parse().unwrap();
            let below =
                number.checked_sub(1).map_or("-1".to_owned(), |below| format!("{below}{unit}"));
            assert!(takes(&below).is_err(), "{} below {low}", entry.key);
        }
        assert_eq!(ordered, 23);
    }

    #[test]
    fn figures_that_stand_elsewhere_too_are_the_same() {
        let default =
            |key: &str| TABLE.iter().find(|entry| entry.key == key).map(|entry| entry.default);
        assert_eq!(
            default("node.abandoned_threads_max"),
            Some(&*limits::ABANDONED_THREADS_MAX.to_string())
        );
        let lineage = default("calls.lineage_bytes").map(str::parse::<ByteCount>);
        assert!(matches!(lineage, Some(Ok(bytes)) if bytes.bytes() == limits::LINEAGE_BYTES));
        let resources = TABLE.iter().find(|entry| entry.key == "node.resources").unwrap();
        assert!(resources.range.starts_with(&format!("at most {} ", crate::limits::RESOURCES_MAX)));
        for entry in TABLE.iter().filter(|entry| entry.is_path) {
            assert!(entry.range.contains(&format!(" {} bytes", crate::limits::PATH_BYTES_MAX)));
        }
    }
}

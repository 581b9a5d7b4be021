//! System actors of drivers, workers, heads and nodes panic: those of daemons are found in their trees and told through their
//! inspectors' sockets.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use raytree::inspect::{ActorState, Answer, Request, Selection, TreeRow};
use raytree::prelude::*;
use raytree::{Error, ObjectRef, Result, get_all};
use raytree_inspector::client;

use super::support::{Cluster, Driver, lives, of, until};
use super::{Counter, CounterHandle, square, waits};

/// Lets a system actor of the process that it runs in panic, and waits until that is up again.
#[remote(cpus = 0, retries = 0)]
async fn panics(path: String) -> Result<u32> {
    let runtime = raytree::current()?;
    let probe = runtime.probe(&path).expect("such an actor");
    let before = probe.restarts();
    probe.panic_now();
    while probe.restarts() == before {
        tokio::task::yield_now().await;
    }
    Ok(std::process::id())
}

const OF_ALL: [&str; 6] = [
    "gcs/actor_directory",
    "gcs",
    "node/local_scheduler",
    "node/worker/actor_host",
    "node/worker",
    "node",
];

#[test]
fn every_system_actor_of_a_driver_panics_and_its_cluster_stays() {
    let plan = of(every_system_actor_of_a_driver_panics_and_its_cluster_stays);
    let cluster = plan.nodes(1).start();
    let driver = cluster.driver();
    for path in OF_ALL.into_iter().chain(["cluster/head", "cluster"]) {
        let counter = driver.run(async { Ok(Counter::remote(3)) });
        let tasks = driver.run(async { Ok((0..50).map(square::remote).collect::<Vec<_>>()) });
        let probe = driver.0.probe(path).expect("such an actor");
        probe.panic_now();
        until(&format!("another life of {path}"), || probe.restarts() > 0);
        driver.run(async {
            get_all(tasks).await?;
            counter.ready().await?;
            get_all((0..50).map(square::remote)).await
        });
        let status = cluster.status();
        assert_eq!((status.jobs.len(), status.jobs[0].workers), (1, 2), "{path}");
    }
    drop(driver);
    cluster.until_free();
}

#[test]
fn every_system_actor_of_a_worker_panics_and_it_stays() {
    let cluster = of(every_system_actor_of_a_worker_panics_and_it_stays).start();
    let driver = cluster.driver();
    let mut pids = BTreeSet::new();
    for path in OF_ALL.into_iter().chain(["cluster/dialer", "cluster"]) {
        let pid = driver.run(async {
            let counter = Counter::remote(3);
            counter.ready().await?;
            let pid = panics::remote(path.to_owned()).await?;
            assert_eq!(square::remote(5).await?, 25, "{path}");
            counter.ready().await?;
            Ok(pid)
        });
        pids.insert(pid);
    }
    assert_eq!(pids.len(), 1, "the process is the same");
}

/// A head or a node, looked at from outside.
struct Daemon {
    socket: PathBuf,
    /// What it says, among others.
    log: Box<dyn Fn() -> String>,
}

impl Daemon {
    /// Everybody in its tree, with their paths below the root.
    fn tree(&self) -> Vec<(String, TreeRow)> {
        let request = Request::Tree(Selection::default());
        let reply = client::ask(&self.socket, request).expect("an answer");
        let Answer::Tree(tree) = reply.answer else { panic!("a tree") };
        let mut above: Vec<String> = Vec::new();
        let with_path = tree.rows.into_iter().map(|row| {
            above.truncate(row.depth as usize);
            above.push(row.name.clone());
            (above[1..].join("/"), row)
        });
        with_path.collect()
    }

    /// Lets that one panic, and waits until the panic was its end.
    fn panics(&self, path: &str) {
        let ends = || {
            let log = (self.log)();
            let is_it = |line: &&str| {
                line.contains("told to panic now") && line.ends_with(&format!("/{path}\""))
            };
            log.lines().filter(is_it).count()
        };
        let before = ends();
        client::panic_now(&self.socket, path).expect("it is told");
        until(&format!("the end of {path}"), || ends() > before);
    }

    /// Waits until everybody is up who is to be there.
    fn is_whole(&self, paths: &[String]) {
        until(&format!("all of {paths:?}"), || {
            let tree = self.tree();
            let is_up = |path| {
                let mut rows = tree.iter().filter(|(own, _)| own == path);
                rows.any(|(_, row)| row.state == ActorState::Running)
            };
            paths.iter().all(is_up)
        });
    }
}

/// A driver at work.
struct Work {
    driver: Driver,
    counter: CounterHandle,
    /// Where that lives, and up to where it has counted.
    lives: (u32, u64),
    /// Tasks that run until there is such a file, and those that wait for their CPUs.
    gate: PathBuf,
    holding: Vec<ObjectRef<u32>>,
    waiting: Vec<ObjectRef<u64>>,
}

const TASKS: u64 = 20;

impl Work {
    fn begin(cluster: &Cluster, driver: Driver, round: usize) -> Self {
        let gate = cluster.folder.path().join(format!("gate-{round}"));
        let name = gate.display().to_string();
        let free = ActorOptions::new().cpus(0.0).restarts(100);
        let (counter, lives) = driver.run(async {
            let counter = Counter::with(free).remote(0);
            let lives = (counter.process().await?, counter.add(1).await?);
            Ok((counter, lives))
        });
        let (holding, waiting) = driver.run(async {
            let holding = (0..2).map(|_| waits::remote(name.clone())).collect();
            Ok((holding, (0..TASKS).map(square::remote).collect()))
        });
        Self { driver, counter, lives, gate, holding, waiting }
    }

    /// Everything that was submitted is done, the actor is there, and what it has said still holds.
    fn ends(self, path: &str) -> Driver {
        let Self { driver, counter, lives: (pid, counted), gate, holding, waiting } = self;
        driver.run(async {
            let (now, value) = loop {
                match (counter.process().await, counter.add(1).await) {
                    (Ok(now), Ok(value)) => break (now, value),
                    (Err(Error::ActorDied { .. }), _) | (_, Err(Error::ActorDied { .. })) => {
                        tokio::task::yield_now().await;
                    }
                    other => panic!("{path}: {other:?}"),
                }
            };
            assert!(value > counted || now != pid, "{path}: {counted} was said, now {value}");
            fs::write(&gate, "").expect("a file");
            get_all(holding).await?;
            let squares = get_all(waiting).await?;
            assert_eq!(squares, (0..TASKS).map(|x| x * x).collect::<Vec<_>>(), "{path}");
            get_all((0..TASKS).map(square::remote)).await
        });
        driver
    }

    /// Its head has lost it: everybody who waits is told.
    fn all_lost(self) {
        let Self { driver, holding, waiting, .. } = self;
        driver.run(async {
            for lost in [get_all(holding).await.map(drop), get_all(waiting).await.map(drop)] {
                assert!(matches!(lost, Err(Error::HeadLost { .. })), "{lost:?}");
            }
            Ok(())
        });
    }
}

/// Everybody in that tree panics while a driver is at work, one after the other.
fn everybody_panics(cluster: &Cluster, daemon: &Daemon, least: &[&str]) {
    let mut driver = cluster.driver();
    let paths: Vec<String> = daemon.tree().into_iter().skip(1).map(|(path, _)| path).collect();
    for wanted in least {
        assert!(paths.iter().any(|path| path == wanted), "{wanted} is not in {paths:?}");
    }
    for (round, path) in paths.iter().enumerate() {
        let work = Work::begin(cluster, driver, round);
        daemon.panics(path);
        driver = if path.starts_with("drivers") {
            // The connection is the driver's life: the job is closed, and another one may come.
            work.all_lost();
            cluster.until_free();
            cluster.driver()
        } else {
            work.ends(path)
        };
        cluster.until_up(2);
        let (out, err, code) = cluster.raytree(&["status"]);
        assert_eq!(code, 0, "{path}: {out}{err}");
        daemon.is_whole(&paths);
    }
    for (path, row) in daemon.tree() {
        assert!(row.restarts <= 1, "{path} was told to panic once: {row:?}");
    }
    drop(driver);
    cluster.until_free();
}

#[test]
fn every_system_actor_of_a_head_panics_and_its_cluster_stays() {
    let plan = of(every_system_actor_of_a_head_panics_and_its_cluster_stays);
    let mut cluster = plan.nodes(1).start();
    let (head, log) = (cluster.head.pid(), cluster.head.log_file());
    let log = Box::new(move || fs::read_to_string(&log).unwrap_or_default());
    let daemon = Daemon { socket: cluster.socket(head), log };
    let least = [
        "gcs/membership",
        "gcs/neighbours",
        "node_pool/node-1",
        "own_node",
        "door",
        "dashboard",
        "metrics",
    ];
    everybody_panics(&cluster, &daemon, &least);
    // Above the root there is nobody.
    let (own, node) = (cluster.own_node(), cluster.nodes[0].pid());
    client::panic_now(&daemon.socket, "").expect("it is told");
    assert_eq!(cluster.head.ends().code(), Some(1));
    until("the end of its own node", || !lives(own));
    assert!(lives(node), "it waits for its head");
}

#[test]
fn every_system_actor_of_a_node_panics_and_its_cluster_stays() {
    let plan = of(every_system_actor_of_a_node_panics_and_its_cluster_stays);
    let mut cluster = plan.nodes(1).start();
    let (node, log) = (cluster.nodes[0].pid(), cluster.nodes[0].log_file());
    let log = Box::new(move || fs::read_to_string(&log).unwrap_or_default());
    let daemon = Daemon { socket: cluster.socket(node), log };
    everybody_panics(&cluster, &daemon, &["sessions", "workers", "uplink", "inspector", "metrics"]);
    client::panic_now(&daemon.socket, "").expect("it is told");
    assert_eq!(cluster.node("node-1").ends().code(), Some(1));
    cluster.until_up(1);
}

//! Heads and nodes, looked at from outside.

use std::path::Path;

use raytree::Result;
use raytree::inspect::{Answer, Reply, Role};
use raytree::prelude::*;

use super::support::{Cluster, of, until};
use super::{Counter, CounterHandle};

fn shown(cluster: &Cluster, more: &[&str]) -> Vec<Reply> {
    let (out, err, code) = cluster.raytree(&[&["tree", "--json"], more].concat());
    assert_eq!((&*err, code), ("", 0));
    serde_json::from_str(&out).expect("an array")
}

fn names(reply: &Reply) -> Vec<String> {
    let Answer::Tree(tree) = &reply.answer else { panic!("a tree: {reply:?}") };
    tree.rows.iter().map(|row| format!("{}{}", "  ".repeat(row.depth as usize), row.name)).collect()
}

/// The tree of a cluster below `path`, when it is whole; with the program of the test called so.
fn below(cluster: &Cluster, path: &str) -> Vec<String> {
    let [reply] = &shown(cluster, &[path])[..] else { panic!("one answer") };
    names(reply)
}

#[test]
fn a_head_shows_its_nodes_their_workers_and_its_drivers_as_one_tree() {
    let plan = of(a_head_shows_its_nodes_their_workers_and_its_drivers_as_one_tree);
    let cluster = plan.nodes(1).start();
    let init = cluster.init().inspector(true).inspect_dir(cluster.sockets());
    let driver = cluster.driver_with(init);
    let job = format!("job-{}", cluster.status().jobs[0].job.0);
    // Each can be looked at a moment after it has begun.
    until("all of them", || {
        let all = shown(&cluster, &[]);
        all.len() == 1
            && names(&all[0]).iter().filter(|name| name.ends_with("inspector")).count() == 6
    });
    let [head] = &shown(&cluster, &[])[..] else { panic!("one answer") };
    assert_eq!((head.pid, &head.role), (cluster.head.pid(), &Role::Head));
    let tops: Vec<String> =
        names(head).into_iter().filter(|name| !name.starts_with("    ")).collect();
    let expected =
        ["raytree", "  sessions", "  gcs", "  node_pool", "  drivers", "  door", "  own_node"];
    assert_eq!(tops, [&expected[..], &["  inspector", "  dashboard", "  metrics"]].concat());
    let worker = [
        "gcs",
        "  actor_directory",
        "node",
        "  local_scheduler",
        "  worker",
        "    actor_host",
        "  processes",
        "  memory_relay",
        "inspector",
        "cluster",
        "  dialer",
    ];
    for node in ["head", "node-1"] {
        let mut expected: Vec<String> =
            [node, "  sessions", "  workers"].map(str::to_owned).to_vec();
        expected.push(format!("    {job}"));
        expected.extend(worker.map(|name| format!("      {name}")));
        expected.extend(
            ["  uplink", "  memory_monitor", "  objects"]
                .into_iter()
                .chain(["    object_store", "    puller", "    pusher", "  inspector", "  metrics"])
                .map(str::to_owned),
        );
        assert_eq!(below(&cluster, &format!("node_pool/{node}")), expected);
    }
    // Which processes they are is said where each begins.
    let Answer::Tree(tree) = &head.answer else { panic!("a tree") };
    let processes = tree.rows.iter().filter_map(|row| Some((&*row.name, row.process.as_ref()?)));
    let processes: Vec<(&str, u32)> = processes.map(|(name, own)| (name, own.pid)).collect();
    for (name, pid) in [
        ("raytree", cluster.head.pid()),
        ("head", cluster.own_node()),
        ("node-1", cluster.nodes[0].pid()),
    ] {
        assert!(processes.contains(&(name, pid)), "{name} is {pid} in {processes:?}");
    }
    let own = processes.iter().filter(|(_, pid)| *pid == std::process::id()).count();
    assert_eq!((processes.len(), own), (6, 1), "{processes:?}");
    drop(driver);
    let (head, sockets) = (cluster.socket(cluster.head.pid()), cluster.sockets());
    assert_eq!(cluster.raytree(&["stop"]).2, 0);
    assert!(!head.exists(), "it took its socket along");
    let left = std::fs::read_dir(sockets).expect("a folder").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_cluster_is_looked_at_by_the_address_of_its_head() {
    let plan = of(a_cluster_is_looked_at_by_the_address_of_its_head);
    let cluster = plan.nodes(1).start();
    let address = cluster.address.to_string();
    let at = |more: &[&str]| cluster.raytree(&[more, &["--address", &address]].concat());
    let (out, err, code) = at(&["tree", "node_pool/node-1/workers"]);
    assert_eq!((&*err, code), ("", 0));
    assert!(out.contains("\nworkers "), "{out}");
    let (out, err, code) = at(&["actor", "node_pool/node-1/uplink"]);
    assert_eq!((&*err, code), ("", 0));
    assert!(out.starts_with("raytree/node_pool/node-1/uplink\n"), "{out}");
    let (out, err, code) = at(&["events"]);
    assert_eq!((&*out, &*err, code), ("nothing has failed\n", "", 0));
    let (out, err, code) = at(&["tree", "node_pool/nod-1"]);
    assert_eq!((&*out, code), ("", 1));
    let wrong = "there is no `raytree/node_pool/nod-1` in the tree; is `node-1` meant?";
    assert_eq!(err, format!("raytree: {wrong}\n"));
    let (out, err, code) = at(&["tree", "--owners"]);
    assert_eq!((&*err, code), ("", 0), "without a driver there are no actors of users");
    assert!(out.ends_with("no actors\n"), "{out}");
}

#[test]
fn a_head_and_a_node_that_are_not_to_be_looked_at_have_no_socket() {
    let plan = of(a_head_and_a_node_that_are_not_to_be_looked_at_have_no_socket);
    let mut cluster = plan.set("inspector.enabled=false").start();
    let address = cluster.address.to_string();
    let join = ["start", "--block", "--join", &address, "--name", "node-1", "--cpus", "1"];
    let mut node = cluster.command(&join);
    node.env("RAYTREE_INSPECTOR", "off");
    cluster.join_by("node-1", node);
    // It comes later than one of the others would.
    cluster.join("node-2", &[]);
    cluster.socket(cluster.nodes[1].pid());
    let pids: Vec<u32> = shown(&cluster, &[]).iter().map(|reply| reply.pid).collect();
    assert_eq!(pids, [cluster.nodes[1].pid()]);
}

fn free(label: &str) -> ActorOptions {
    ActorOptions::new().cpus(0.0).label(label)
}

struct Nest {
    eggs: Vec<CounterHandle>,
}

#[remote(cpus = 0)]
impl Nest {
    fn new(eggs: u64) -> Self {
        Self { eggs: (0..eggs).map(|egg| Counter::with(free("egg")).remote(egg)).collect() }
    }

    pub(crate) async fn hatches(&self) -> Result<u64> {
        raytree::get_all(self.eggs.iter().map(|egg| egg.add(1)).collect::<Vec<_>>())
            .await
            .map(|all| all.into_iter().sum())
    }
}

/// Keeps an actor until there is such a file.
#[remote]
async fn broods(gate: String) -> Result<u64> {
    let chick = Counter::with(free("chick")).remote(1);
    chick.ready().await?;
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(5));
    while !Path::new(&gate).exists() {
        looks.tick().await;
    }
    chick.add(1).await
}

#[test]
fn what_a_worker_has_created_is_shown_below_the_actor_or_the_task_that_did() {
    let plan = of(what_a_worker_has_created_is_shown_below_the_actor_or_the_task_that_did);
    let cluster = plan.no_own_node().nodes(1).start();
    let init = cluster.init().inspector(true).inspect_dir(cluster.sockets());
    let driver = cluster.driver_with(init);
    let gate = cluster.folder.path().join("gate");
    let nest = driver.run(async {
        let nest = Nest::with(free("nest")).remote(2);
        assert_eq!(nest.hatches().await?, 3);
        Ok(nest)
    });
    let brood = driver.run(async { Ok(broods::remote(gate.display().to_string())) });
    let owners = || {
        let [reply] = &shown(&cluster, &["--owners"])[..] else { panic!("one answer") };
        let Answer::Tree(tree) = &reply.answer else { panic!("a tree: {reply:?}") };
        let base = |name: &str| name.split(['#', ' ']).next().unwrap_or_default().to_owned();
        let hosts: Vec<_> = tree.rows.iter().filter_map(|row| row.host.clone()).collect();
        let rows = tree.rows.iter().map(|row| (row.depth, base(&row.name)));
        (rows.collect::<Vec<_>>(), hosts)
    };
    let expected = [(0, "nest"), (1, "egg"), (1, "egg"), (0, "broods"), (1, "chick")];
    let expected = expected.map(|(depth, name)| (depth, name.to_owned()));
    until("all of them", || owners().0 == expected);
    let (_, hosts) = owners();
    assert_eq!(hosts.len(), expected.len());
    assert!(hosts.iter().all(|host| host.contains("node-1")), "{hosts:?}");
    // Its worker is full: it has asked the program for it, and was given it back.
    for (word, answer) in [("why", "it runs, and has nothing to do"), ("actor", "chick#3")] {
        let (out, err, code) = cluster.raytree(&[word, "chick"]);
        assert_eq!((&*err, code), ("", 0), "{word}");
        assert!(out.contains(answer), "{out}");
    }
    std::fs::write(&gate, "").expect("a file");
    assert_eq!(driver.run(brood), 2);
    until("the end of the task", || owners().0 == expected[..3]);
    // By the path of its owner it is found, too.
    let (out, err, code) = cluster.raytree(&["tree", "nest", "--owners"]);
    assert_eq!((&*err, code), ("", 0));
    assert_eq!(out.matches("  egg#").count(), 2, "{out}");
    drop(nest);
}

#[test]
fn a_slip_in_the_name_of_an_actor_far_away_is_told() {
    let plan = of(a_slip_in_the_name_of_an_actor_far_away_is_told);
    let cluster = plan.no_own_node().nodes(1).start();
    let driver = cluster.driver();
    let _scores = driver.run(async {
        let scores = Counter::with(free("scores")).remote(1);
        scores.add(1).await?;
        Ok(scores)
    });
    until("somebody who can be looked at", || cluster.raytree(&["why", "scores"]).2 == 0);
    for word in ["why", "actor", "logs"] {
        let (out, err, code) = cluster.raytree(&[word, "scroes"]);
        assert_eq!((&*out, code), ("", 1), "{word}");
        assert_eq!(
            err, "raytree: there is no `scroes` in the tree; is `scores` meant?\n",
            "{word}"
        );
    }
    let (out, err, code) = cluster.raytree(&["events", "node_pool/node-1/uplnik"]);
    assert_eq!((&*out, code), ("", 1));
    let wrong = "there is no `raytree/node_pool/node-1/uplnik` in the tree; is `uplink` meant?";
    assert_eq!(err, format!("raytree: {wrong}\n"));
    let (out, err, code) = cluster.raytree(&["events", "node_pool/node-1/uplink"]);
    assert_eq!((&*out, &*err, code), ("nothing has failed\n", "", 0));
}

//! `start`, `status` and `stop`, with their exit codes.

use std::net::TcpListener;
use std::process::Output;

use expect_test::expect;
use raytree::get_all;
use raytree::inspect::ClusterStatus;
use rustix::process::Signal;

use super::support::{Cluster, children, freeze, lives, of, send, thaw, told, until};
use super::{square, waits};
use crate::json::check;

/// No head listens there any more.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("a port").to_string()
}

#[test]
fn status_is_0_when_all_is_well_1_when_a_node_is_silent_2_without_a_head() {
    // One that is frozen is not dead for as long as this takes.
    let plan = of(status_is_0_when_all_is_well_1_when_a_node_is_silent_2_without_a_head);
    let plan = plan.set("liveness.dead_after_local=40s").set("liveness.dead_after_remote=50s");
    let mut cluster = plan.nodes(1).start();
    let (out, err, code) = cluster.raytree(&["status"]);
    assert_eq!((&*err, code), ("", 0), "{out}");
    assert!(out.contains("2 of 2 nodes up, 0 jobs\n"), "{out}");
    assert!(out.contains("\nhead    up     1 of 1 CPU"), "{out}");
    assert!(out.contains("\nnode-1  up     1 of 1 CPU"), "{out}");
    let address = cluster.address.to_string();
    let said = cluster.raytree(&["status", "--json", "--address", &address]);
    let status: ClusterStatus = serde_json::from_str(&said.0).expect("a status");
    assert_eq!((status.pid, said.2), (cluster.head.pid(), 0));
    check(
        said,
        expect![[r#"
        {
          "address": "string",
          "dashboard": {
            "epoch": "string",
            "url": "string"
          },
          "detached": [],
          "detached_count": "number",
          "jobs": [],
          "metrics": "string",
          "nodes": [
            {
              "address": "string",
              "free": {
                "amounts": {
                  "CPU": "number"
                }
              },
              "life": "number",
              "metrics": "string",
              "name": "string",
              "phase": "string",
              "total": {
                "amounts": {
                  "CPU": "number"
                }
              },
              "version": "string"
            }
          ],
          "pid": "number",
          "uptime": {
            "nanos": "number",
            "secs": "number"
          },
          "version": "number"
        }
    "#]],
    );

    let node = cluster.node("node-1").pid();
    freeze(node);
    until("a silent node", || cluster.raytree(&["status"]).2 == 1);
    let (out, err, code) = cluster.raytree(&["status"]);
    assert_eq!((&*err, code), ("", 1));
    assert!(out.ends_with("\nwarning: node-1 is suspect and gets no new work\n"), "{out}");
    thaw(node);
    until("a node that is back", || cluster.raytree(&["status"]).2 == 0);

    cluster.head.kill();
    let (out, err, code) = cluster.raytree(&["status", "--address", &address]);
    assert_eq!((&*out, code), ("", 2));
    assert!(err.starts_with("raytree: ") && err.contains(&address), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}

#[test]
fn status_without_any_cluster_says_so() {
    let cluster = of(status_without_any_cluster_says_so).no_own_node().start();
    let (_, _, code) = cluster.raytree(&["status"]);
    assert_eq!(code, 1, "a head without a node has nobody to work");
    let nowhere = nowhere();
    let (_, err, code) = cluster.raytree(&["status", "--address", &nowhere]);
    assert!(code == 2 && err.contains(&nowhere), "{err}");
    assert_eq!(cluster.raytree(&["stop"]).2, 0);
    let (out, err, code) = cluster.raytree(&["status"]);
    assert_eq!((&*out, code), ("", 2));
    assert!(err.contains("no cluster is known here"), "{err}");
}

#[test]
fn stop_ends_all_in_order() {
    let mut cluster = of(stop_ends_all_in_order).nodes(2).start();
    let own = cluster.own_node();
    let (out, err, code) = cluster.raytree(&["stop"]);
    assert_eq!((&*err, code), ("", 0));
    let first: Vec<_> = out.lines().map(|line| line.split(" (").next()).collect();
    let head = format!("stopped the head on {}", cluster.address);
    assert!(first[..2].contains(&Some("stopped the node node-1")), "{out}");
    assert!(first[..2].contains(&Some("stopped the node node-2")), "{out}");
    assert_eq!(first[2..], [Some(&*head)]);
    for daemon in cluster.nodes.iter_mut().chain([&mut cluster.head]) {
        assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
    }
    assert!(!lives(own));
    let (_, err, code) = cluster.raytree(&["stop"]);
    assert!(code == 2 && err.starts_with("raytree: nothing to stop"), "{err}");
}

#[test]
fn a_head_that_is_told_to_end_ends_its_nodes() {
    let mut cluster = of(a_head_that_is_told_to_end_ends_its_nodes).nodes(2).start();
    send(cluster.head.pid(), Signal::TERM);
    assert_eq!(cluster.head.ends().code(), Some(0));
    for node in &mut cluster.nodes {
        assert_eq!(node.ends().code(), Some(0), "{}", node.log());
    }
}

#[test]
fn nu_2_a_node_that_is_told_to_end_does_so_after_its_workers_and_others_go_on() {
    let plan = of(nu_2_a_node_that_is_told_to_end_does_so_after_its_workers_and_others_go_on);
    let mut cluster = plan.nodes(2).start();
    let driver = cluster.driver();
    let gate = cluster.folder.path().join("gate");
    let name = gate.display().to_string();
    let tasks =
        driver.run(async { Ok((0..6).map(|_| waits::remote(name.clone())).collect::<Vec<_>>()) });
    let node = cluster.node("node-1");
    until("a worker there", || !children(node.pid()).is_empty());
    let workers = children(node.pid());
    send(node.pid(), Signal::TERM);
    assert_eq!(node.ends().code(), Some(0));
    assert!(workers.len() == 1 && !lives(workers[0]));
    // What it had begun is lost with it, and no failure.
    std::fs::write(&gate, "").expect("a file");
    let ran = driver.run(async { get_all(tasks).await });
    assert!(!ran.contains(&workers[0]));
    cluster.until_up(2);
    assert!(cluster.phase("node-2").is_some());
    let squares = driver.run(async { get_all((0..50).map(square::remote)).await });
    assert_eq!(squares[49], 49 * 49);
}

#[test]
fn what_does_not_end_is_killed_and_said() {
    let mut cluster = of(what_does_not_end_is_killed_and_said).nodes(1).start();
    let node = cluster.node("node-1").pid();
    freeze(node);
    let (out, err, code) = cluster.raytree(&["stop", "--within", "1"]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(err.contains(&format!("killed the node node-1 (pid {node}), which did not end")));
    assert!(out.contains("stopped the head"), "{out}");
    assert!(!lives(node));
}

/// Ends what is left in the background, whatever becomes of the test.
struct Background<'a>(&'a Cluster);

impl Drop for Background<'_> {
    fn drop(&mut self) {
        _ = self.0.raytree(&["stop", "--force"]);
    }
}

#[test]
fn in_the_background_it_returns_when_it_is_ready() {
    // Its folders, and a head in the foreground that is not looked at.
    let cluster = of(in_the_background_it_returns_when_it_is_ready).no_own_node().start();
    let _background = Background(&cluster);
    let start = |args: &[&str]| -> (String, String, i32) {
        let mut command = cluster.command(&[&["start"], args].concat());
        let output: Output = command.output().expect("it runs");
        told(output)
    };
    let address = cluster.address.to_string();
    let (out, err, code) = start(&["--join", &address, "--name", "behind"]);
    assert_eq!((&*err, code), ("", 0));
    assert_eq!(out, format!("behind has joined the cluster of {address}\n"));
    cluster.until_up(1);
    assert!(cluster.phase("behind").is_some());
    let (out, _, code) = start(&["--join", &address, "--name", "behind"]);
    assert!(code == 2 && out.contains("another node has its name"), "{out}");
    let (out, err, code) = start(&["--head", "--name", "second"]);
    assert_eq!((&*err, code), ("", 0));
    let second = out.lines().next().and_then(|line| line.rsplit(' ').next());
    let second = second.expect("an address").to_owned();
    assert_eq!(out.lines().count(), 5, "{out}");
    assert!(out.contains("\nseen in a browser, once:  http://127.0.0.1:"), "{out}");
    until("its own node", || cluster.raytree(&["status", "--address", &second]).2 == 0);
    let (out, err, code) = cluster.raytree(&["stop"]);
    assert_eq!((&*err, code, out.lines().count()), ("", 0, 3), "{out}");
    assert!(children(cluster.head.pid()).is_empty());
}

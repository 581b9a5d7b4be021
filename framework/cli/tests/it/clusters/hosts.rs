//! Nodes that do not see the programs of the driver's machine, and links between machines that break. What stands for
//! other machines are namespaces of this one, so these tests skip where those are not allowed.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use raytree::get_all;
use raytree::prelude::*;

use super::support::{Cluster, Plan, children, lives, of, until};
use super::{Counter, process, square};

/// Whether this command can be run with these arguments and does well.
fn can(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}

/// As this command, in a namespace in which no process of this machine is seen.
fn apart(cluster: &Cluster, args: &[&str]) -> Command {
    isolated(cluster, Command::new("unshare"), args)
}

/// As this command, where `command` begins with who isolates it.
fn isolated(cluster: &Cluster, mut command: Command, args: &[&str]) -> Command {
    let own = cluster.command(args);
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    command.arg(own.get_program()).args(own.get_args());
    for (name, value) in own.get_envs() {
        match value {
            Some(value) => _ = command.env(name, value),
            None => _ = command.env_remove(name),
        }
    }
    command.env("XDG_CACHE_HOME", cluster.folder.path().join("apart"));
    command.current_dir(cluster.folder.path()).stdin(std::process::Stdio::null());
    command
}

#[test]
fn a_node_that_does_not_see_the_driver_runs_the_same_program_by_its_hash() {
    let plan = of(a_node_that_does_not_see_the_driver_runs_the_same_program_by_its_hash);
    let Some(_) = can("unshare", &["--pid", "--fork", "--mount-proc", "true"]).then_some(()) else {
        eprintln!("SKIPPED: this machine allows no namespaces");
        return;
    };
    let mut cluster = plan.no_own_node().start();
    let address = cluster.address.to_string();
    let args = ["start", "--block", "--join", &address, "--name", "apart", "--cpus", "1"];
    let command = apart(&cluster, &args);
    cluster.join_by("apart", command);
    let driver = cluster.driver();
    let squares = driver.run(async { get_all((0..50).map(square::remote)).await });
    assert_eq!(squares[49], 49 * 49);
    let told = driver.run(async { process::remote().await });
    assert!(told < 1000, "a number of that namespace: {told}");
    // The node is below what made its namespace; the worker is below the node.
    let node = children(cluster.nodes[0].pid())[0];
    let worker = children(node)[0];
    let runs = fs::read_link(format!("/proc/{worker}/exe")).expect("it runs");
    let cache = cluster.folder.path().join("apart");
    assert!(runs.starts_with(&cache), "{runs:?} and not in place");
    let own = fs::read(std::env::current_exe().expect("a path")).expect("a file");
    assert!(fs::read(runs).expect("a file") == own, "the same bytes");
    drop(driver);
    cluster.until_free();
    // The second time it is there.
    let driver = cluster.driver();
    assert_eq!(driver.run(async { square::remote(9).await }), 81);
    drop(driver);
    until("the end of the worker", || children(node).is_empty());
}

/// Another host, and the cable to it: a network namespace and a pair of `veth`. All of it goes with this.
struct Cable {
    host: String,
    near: String,
    /// Its address at this end and at the other one.
    addresses: [String; 2],
}

impl Cable {
    /// None where this machine allows no namespaces.
    fn lay() -> Option<Self> {
        // Tests may be threads of one process.
        static CABLES: AtomicU32 = AtomicU32::new(0);
        let (pid, which) = (std::process::id(), CABLES.fetch_add(1, Ordering::Relaxed));
        let (host, near) = (format!("rt{pid}x{which}"), format!("rta{pid}x{which}"));
        let far = "far0";
        // A network of four addresses for each.
        let number = pid.wrapping_mul(4).wrapping_add(which);
        let address = |at| format!("10.231.{}.{}", number / 64 % 256, number % 64 * 4 + at);
        let cable = Self { host, near, addresses: [address(1), address(2)] };
        let (host, near) = (&*cable.host, &*cable.near);
        let [here, there] = cable.addresses.each_ref().map(|address| format!("{address}/30"));
        let is_laid = can("ip", &["netns", "add", host])
            && can("ip", &["link", "add", near, "type", "veth", "peer", "name", far])
            && can("ip", &["link", "set", far, "netns", host])
            && can("ip", &["addr", "add", &here, "dev", near])
            && can("ip", &["link", "set", near, "up"])
            && can("ip", &["-n", host, "addr", "add", &there, "dev", far])
            && can("ip", &["-n", host, "link", "set", "lo", "up"])
            && can("ip", &["-n", host, "link", "set", far, "up"])
            && can("ip", &["netns", "exec", host, "unshare", "--pid", "--fork", "true"]);
        if !is_laid {
            eprintln!("SKIPPED: this machine allows no namespaces");
        }
        is_laid.then_some(cable)
    }

    fn is(&self, state: &str) {
        assert!(can("ip", &["-n", &self.host, "link", "set", "far0", state]), "it is {state}");
    }

    /// A node on that host joins.
    fn join(&self, cluster: &mut Cluster) {
        let (address, host) = (cluster.address.to_string(), &*self.addresses[1]);
        let join = ["start", "--block", "--join", &address, "--host", host, "--name", "far"];
        let mut there = Command::new("ip");
        there.args(["netns", "exec", &self.host, "unshare"]);
        let command = isolated(cluster, there, &[&join[..], &["--cpus", "1"]].concat());
        cluster.join_by("far", command);
        cluster.until_up(2);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // With one end the other goes, too.
        can("ip", &["link", "del", &self.near]);
        can("ip", &["netns", "del", &self.host]);
    }
}

/// A head here and a node there.
fn two_hosts(plan: Plan) -> Option<(Cluster, Cable)> {
    let cable = Cable::lay()?;
    let mut cluster = plan.host(&cable.addresses[0]).start();
    cable.join(&mut cluster);
    Some((cluster, cable))
}

/// An actor on the other host: those of this one have no room for it.
async fn there(cluster: &Cluster) -> raytree::Result<(super::CounterHandle, u32)> {
    let here = children(cluster.own_node());
    let free = ActorOptions::new().cpus(0.0).restarts(100);
    let mut more = Vec::new();
    loop {
        let counter = Counter::with(free.clone()).remote(0);
        let pid = counter.process().await?;
        if !here.contains(&pid) {
            return Ok((counter, pid));
        }
        // It stays until there is one elsewhere.
        more.push(counter);
    }
}

#[test]
fn nu_1_a_cable_that_is_unplugged_within_the_lease_costs_nothing() {
    let plan = of(nu_1_a_cable_that_is_unplugged_within_the_lease_costs_nothing);
    // Long leases: healed in time it is, also on a machine that has much else to do.
    let plan = plan.set("liveness.dead_after_remote=50s");
    let Some((cluster, cable)) = two_hosts(plan) else { return };
    let driver = cluster.driver();
    let (counter, pid) = driver.run(there(&cluster));
    assert_eq!(driver.run(async { counter.add(5).await }), 5);
    cable.is("down");
    until("a node that cannot be heard", || !cluster.status().is_healthy());
    let waits = driver.run(async { Ok(counter.add(1)) });
    cable.is("up");
    cluster.until_up(2);
    assert_eq!(driver.run(waits), 6, "once, and in the same life");
    assert_eq!(driver.run(async { counter.process().await }), pid);
    driver.run(async { get_all((0..100).map(square::remote)).await });
    assert!(cluster.status().nodes.iter().all(|node| node.life == 1));
}

#[test]
fn mb_2_a_cable_that_is_unplugged_past_the_lease_ends_the_node() {
    let plan = of(mb_2_a_cable_that_is_unplugged_past_the_lease_ends_the_node);
    let Some((mut cluster, cable)) = two_hosts(plan) else { return };
    let driver = cluster.driver();
    let (counter, pid) = driver.run(there(&cluster));
    let node = children(cluster.nodes[0].pid())[0];
    let workers = children(node);
    cable.is("down");
    cluster.until_up(1);
    assert!(lives(node), "the head cannot know that it does");
    // Its work goes on here.
    let moved = driver.run(async {
        loop {
            match counter.process().await {
                Ok(now) if now != pid => return Ok(now),
                Ok(_) | Err(raytree::Error::ActorDied { .. }) => tokio::task::yield_now().await,
                Err(other) => return Err(other),
            }
        }
    });
    assert!(children(cluster.own_node()).contains(&moved));
    driver.run(async { get_all((0..100).map(square::remote)).await });
    assert!(cluster.nodes[0].log().contains("far is isolated"), "first isolated, then dead");
    cable.is("up");
    let far = cluster.node("far");
    assert_eq!(far.ends().code(), Some(1));
    assert!(far.log().contains("its head has declared it dead"), "{}", far.log());
    assert!(workers.iter().all(|worker| !lives(*worker)));
    cable.join(&mut cluster);
    until("both hosts", || driver.0.available_resources() == cluster.resources());
    driver.run(async { get_all((0..100).map(square::remote)).await });
}

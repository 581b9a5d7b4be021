//! The way between a node and its head breaks, and is healed before or after the node's lease is over.
//!
//! A node that comes by way of somebody is to its head as one on another machine, wherever it is: it is waited for, and not
//! killed.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use raytree::prelude::*;
use raytree::{Error, ExitKind, Result, get_actor, get_all};

use super::doors::{cut, port};
use super::support::{Cluster, children, freeze, lives, of, parent, thaw, until};
use super::{Counter, square};

/// What becomes of what goes over a way.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Open,
    /// Nothing arrives, and nobody is told.
    Silent,
    /// Connections are cut, and new ones too.
    Cut,
}

/// A way to an address that can be broken.
struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    way: Mutex<Way>,
    changed: Condvar,
    ends: Mutex<Vec<TcpStream>>,
}

impl State {
    /// Whether it is not cut; waits while nothing gets through.
    fn passes(&self) -> bool {
        let way = self.way.lock().expect("a lock");
        let way = self.changed.wait_while(way, |way| *way == Way::Silent).expect("a lock");
        *way == Way::Open
    }

    fn carry(self: Arc<Self>, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 16 << 10];
        while let Ok(read) = from.read(&mut bytes) {
            if read == 0 || !self.passes() || to.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        _ = to.shutdown(Shutdown::Write);
        _ = from.shutdown(Shutdown::Read);
    }
}

impl Proxy {
    fn to(address: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("a port");
        let (way, ends) = (Mutex::new(Way::Open), Mutex::default());
        let state = Arc::new(State { way, changed: Condvar::new(), ends });
        let shared = Arc::clone(&state);
        // It ends with the process of the test.
        thread::spawn(move || {
            for from in listener.incoming().flatten() {
                if !shared.passes() {
                    continue;
                }
                let Ok(to) = TcpStream::connect(address) else { continue };
                let both = [from.try_clone().expect("room"), to.try_clone().expect("room")];
                shared.ends.lock().expect("a lock").extend(both);
                let other = (to.try_clone().expect("room"), from.try_clone().expect("room"));
                let (there, back) = (Arc::clone(&shared), Arc::clone(&shared));
                thread::spawn(move || there.carry(from, to));
                thread::spawn(move || back.carry(other.0, other.1));
            }
        });
        Self { address: own, state }
    }

    fn is(&self, way: Way) {
        *self.state.way.lock().expect("a lock") = way;
        if way == Way::Cut {
            let ends = std::mem::take(&mut *self.state.ends.lock().expect("a lock"));
            ends.iter().for_each(|end| _ = end.shutdown(Shutdown::Both));
        }
        self.state.changed.notify_all();
    }
}

fn start(plan: super::support::Plan) -> (Cluster, Proxy) {
    let mut cluster = plan.start();
    let proxy = Proxy::to(cluster.address);
    cluster.join_at(&proxy.address.to_string(), "far", &[]);
    cluster.until_up(2);
    (cluster, proxy)
}

fn is_healed_in_time(plan: super::support::Plan, broken: Way) {
    // Long leases: healed in time it is, also on a machine that has much else to do.
    let plan = plan.set("liveness.dead_after_remote=50s");
    let (cluster, proxy) = start(plan);
    let driver = cluster.driver();
    let far = cluster.nodes[0].pid();
    let workers = children(far);
    proxy.is(broken);
    until("a node that cannot be heard", || !cluster.status().is_healthy());
    // Calls go past the head.
    driver.run(async { get_all((0..100).map(square::remote)).await });
    proxy.is(Way::Open);
    cluster.until_up(2);
    driver.run(async { get_all((0..100).map(square::remote)).await });
    assert_eq!(children(far), workers);
    assert!(cluster.status().nodes.iter().all(|node| node.life == 1));
}

#[test]
fn nu_1_a_link_that_is_cut_and_healed_in_time_costs_nothing() {
    let plan = of(nu_1_a_link_that_is_cut_and_healed_in_time_costs_nothing);
    is_healed_in_time(plan, Way::Cut);
}

#[test]
fn hm_1_a_link_that_is_silent_and_healed_in_time_costs_nothing() {
    is_healed_in_time(of(hm_1_a_link_that_is_silent_and_healed_in_time_costs_nothing), Way::Silent);
}

fn is_healed_too_late(plan: super::support::Plan, broken: Way) {
    let (mut cluster, proxy) = start(plan);
    let driver = cluster.driver();
    let workers = children(cluster.nodes[0].pid());
    proxy.is(broken);
    cluster.until_up(1);
    driver.run(async { get_all((0..100).map(square::remote)).await });
    assert!(cluster.nodes[0].log().contains("far is isolated"), "first isolated, then dead");
    proxy.is(Way::Open);
    let far = cluster.node("far");
    assert_eq!(far.ends().code(), Some(1));
    assert!(far.log().contains("its head has declared it dead"), "{}", far.log());
    assert!(workers.iter().all(|worker| !lives(*worker)));
    cluster.join("far", &[]);
    cluster.until_up(2);
    driver.run(async { get_all((0..100).map(square::remote)).await });
}

#[test]
fn mb_2_a_link_that_is_cut_past_the_lease_ends_the_node() {
    is_healed_too_late(of(mb_2_a_link_that_is_cut_past_the_lease_ends_the_node), Way::Cut);
}

#[test]
fn mb_2_a_link_that_is_silent_past_the_lease_ends_the_node() {
    is_healed_too_late(of(mb_2_a_link_that_is_silent_past_the_lease_ends_the_node), Way::Silent);
}

#[test]
fn mb_2_a_node_elsewhere_that_stands_still_too_long_ends_when_it_hears_of_it() {
    let plan = of(mb_2_a_node_elsewhere_that_stands_still_too_long_ends_when_it_hears_of_it);
    let (mut cluster, _proxy) = start(plan);
    let driver = cluster.driver();
    let node = cluster.nodes[0].pid();
    let workers = children(node);
    freeze(node);
    cluster.until_up(1);
    assert!(lives(node), "the head cannot know that it could");
    driver.run(async { get_all((0..100).map(square::remote)).await });
    thaw(node);
    let ended = cluster.node("far").ends();
    assert_eq!(ended.code(), Some(1), "{}", cluster.nodes[0].log());
    assert!(cluster.nodes[0].log().contains("its head has declared it dead"));
    assert!(workers.iter().all(|worker| !lives(*worker)));
}

/// Ends itself when it is told to.
struct Leaver;

#[remote(cpus = 0, restarts = 5)]
impl Leaver {
    fn new() -> Self {
        Self
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    pub(crate) fn leaves(&mut self, ctx: &ActorContext<Self>) {
        ctx.stop("it was told to");
    }
}

/// A detached actor on the node that is far away.
async fn detached_there(cluster: &Cluster) -> Result<(LeaverHandle, u32)> {
    loop {
        let leaver = Leaver::with(ActorOptions::new().detached()).remote();
        let pid = leaver.process().await?;
        if parent(pid) == Some(cluster.nodes[0].pid()) {
            return Ok((leaver, pid));
        }
    }
}

#[test]
fn ra_1_nobody_listens_to_a_detached_actor_that_is_cut_off_from_the_head() {
    let plan = of(ra_1_nobody_listens_to_a_detached_actor_that_is_cut_off_from_the_head);
    let (cluster, proxy) = start(plan);
    let driver = cluster.driver();
    let (leaver, pid) = driver.run(detached_there(&cluster));
    proxy.is(Way::Silent);
    let now = driver.run(async {
        loop {
            match leaver.process().await {
                Ok(now) if now != pid => return Ok(now),
                Ok(_) | Err(Error::ActorDied { will_restart: true, .. }) => {}
                Err(other) => return Err(other),
            }
        }
    });
    assert!(lives(pid), "it would answer, if it were asked");
    assert_eq!(parent(now), Some(cluster.own_node()));
}

#[test]
fn rs_3_an_end_in_order_counts_as_one_also_while_the_head_cannot_be_told() {
    let plan = of(rs_3_an_end_in_order_counts_as_one_also_while_the_head_cannot_be_told);
    let (cluster, proxy) = start(plan.set("liveness.dead_after_remote=50s"));
    let driver = cluster.driver();
    let (leaver, pid) = driver.run(detached_there(&cluster));
    proxy.is(Way::Cut);
    until("a node that cannot be heard", || !cluster.status().is_healthy());
    driver.run(async { leaver.leaves().await });
    until("its end", || !lives(pid));
    proxy.is(Way::Open);
    let exit = driver.run(async { leaver.exited().await });
    assert!(matches!(exit.kind, ExitKind::Stopped { .. }), "{exit}");
}

#[test]
fn dh_1_a_worker_whose_link_with_the_driver_is_cut_ends_and_is_replaced() {
    let cluster = of(dh_1_a_worker_whose_link_with_the_driver_is_cut_ends_and_is_replaced).start();
    let driver = cluster.driver();
    let (counter, pid) = driver.run(async {
        let counter = Counter::with(ActorOptions::new().cpus(0.0).restarts(1)).remote(3);
        let pid = counter.process().await?;
        Ok((counter, pid))
    });
    assert_eq!(cut(std::process::id(), port(pid).port()), 1);
    let now = driver.run(async {
        loop {
            match counter.process().await {
                Ok(now) => return Ok(now),
                Err(Error::ActorDied { will_restart: true, .. }) => {}
                Err(other) => return Err(other),
            }
        }
    });
    assert!(now != pid && !lives(pid), "it is dead before its work goes on");
    driver.run(async { get_all((0..100).map(square::remote)).await });
    assert_eq!(cluster.status().nodes.len(), 1);
}

/// Threads of a process that read from links.
fn readers(of: u32) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{of}/task")).expect("it lives");
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "raytree-link").count()
}

#[test]
fn one_link_with_a_detached_actor_serves_all_handles() {
    let cluster = of(one_link_with_a_detached_actor_serves_all_handles).start();
    let driver = cluster.driver();
    driver.run(async {
        let counter = Counter::with(ActorOptions::new().name("popular").detached()).remote(0);
        let home = counter.process().await?;
        let before = readers(home);
        drop(counter);
        for round in 1..=20 {
            let counter = get_actor::<Counter>("popular").await?;
            assert_eq!(counter.add(1).await?, round);
        }
        assert_eq!(readers(home), before);
        get_actor::<Counter>("popular").await?.kill().await.map(drop)
    });
}

//! The kill matrix: each kind of process is killed, and stands still, and what is left goes on.
//!
//! How long it takes until somebody notices and until all is well again is measured by the benchmarks, and written down in
//! `docs/recovery.md`. Here it has to happen, and nothing that was answered may be lost.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;

use raytree::prelude::*;
use raytree::{Error, Result, get_all};
use rustix::process::Signal;

use super::support::{Cluster, children, freeze, lives, of, parent, send, thaw, until};
use super::{Counter, CounterHandle, process, square, waits};

/// The process that an actor lives in, once that is another one.
async fn moved(counter: &CounterHandle, from: u32) -> Result<u32> {
    loop {
        match counter.process().await {
            Ok(pid) if pid != from => return Ok(pid),
            // Its call was lost with it.
            Ok(_) | Err(Error::ActorDied { .. }) => tokio::task::yield_now().await,
            Err(other) => return Err(other),
        }
    }
}

/// An actor on each of so many nodes, and their processes.
async fn one_each(count: usize) -> Result<Vec<(CounterHandle, u32)>> {
    // They may begin again where tasks have all CPUs.
    let free = ActorOptions::new().cpus(0.0).restarts(100);
    let (mut each, mut more) = (BTreeMap::new(), Vec::new());
    // Two of them may have been put on one node; those stay until the others are somewhere else.
    while each.len() < count {
        let new: Vec<_> = (0..count).map(|_| Counter::with(free.clone()).remote(0)).collect();
        let pids = get_all(new.iter().map(|one| one.process())).await?;
        for (one, pid) in new.into_iter().zip(pids) {
            more.extend(each.insert(pid, one));
        }
    }
    Ok(each.into_iter().map(|(pid, one)| (one, pid)).collect())
}

fn gate(cluster: &Cluster) -> (PathBuf, String) {
    let gate = cluster.folder.path().join("gate");
    let name = gate.display().to_string();
    (gate, name)
}

#[test]
fn wk_1_jb_1_a_worker_that_is_killed_is_replaced_and_its_tasks_run_again() {
    let plan = of(wk_1_jb_1_a_worker_that_is_killed_is_replaced_and_its_tasks_run_again);
    let cluster = plan.nodes(1).start();
    let driver = cluster.driver();
    let (gate, name) = gate(&cluster);
    driver.run(async {
        let mut all = one_each(2).await?;
        let (spared, _) = all.pop().expect("two");
        let (hit, pid) = all.pop().expect("two");
        let acknowledged = get_all((0..100).map(|_| spared.add(1))).await?.len() as u64;
        hit.add(7).await?;
        let tasks: Vec<_> = (0..4).map(|_| waits::remote(name.clone())).collect();
        send(pid, Signal::KILL);
        moved(&hit, pid).await?;
        assert_eq!(hit.add(0).await?, 0, "a new life");
        fs::write(&gate, "").expect("a file");
        let ran = get_all(tasks).await?;
        assert!(!ran.contains(&pid));
        assert_eq!(spared.add(0).await?, acknowledged, "what was acknowledged");
        Ok(())
    });
    cluster.until_up(2);
    assert!(cluster.status().nodes.iter().all(|node| node.life == 1));
}

#[test]
fn pe_1_a_worker_that_stands_still_is_fenced_before_another_one_works() {
    let plan = of(pe_1_a_worker_that_stands_still_is_fenced_before_another_one_works);
    let cluster = plan.start();
    let driver = cluster.driver();
    driver.run(async {
        let (counter, pid) = one_each(1).await?.remove(0);
        freeze(pid);
        moved(&counter, pid).await?;
        assert!(!lives(pid), "it is dead before its work goes on elsewhere");
        Ok(())
    });
}

#[test]
fn a_worker_that_stood_still_for_a_moment_goes_on() {
    let cluster = of(a_worker_that_stood_still_for_a_moment_goes_on).start();
    let driver = cluster.driver();
    driver.run(async {
        let (counter, pid) = one_each(1).await?.remove(0);
        counter.add(5).await?;
        freeze(pid);
        let waits = counter.add(1);
        thaw(pid);
        assert_eq!(waits.await?, 6);
        assert_eq!(counter.process().await?, pid);
        Ok(())
    });
}

#[test]
fn a_node_that_is_killed_takes_its_workers_along_and_others_have_its_work() {
    let plan = of(a_node_that_is_killed_takes_its_workers_along_and_others_have_its_work);
    let mut cluster = plan.nodes(1).start();
    let driver = cluster.driver();
    let node = cluster.nodes[0].pid();
    let (hit, worker) = driver.run(async {
        let all = one_each(2).await?;
        Ok(all.into_iter().find(|(_, pid)| parent(*pid) == Some(node)).expect("one there"))
    });
    let tasks = driver.run(async { Ok((0..20).map(square::remote).collect::<Vec<_>>()) });
    cluster.node("node-1").kill();
    until("the end of its worker", || !lives(worker));
    let elsewhere = driver.run(moved(&hit, worker));
    assert_eq!(parent(elsewhere), Some(cluster.own_node()));
    let squares = driver.run(async { get_all(tasks).await });
    assert_eq!(squares, (0..20).map(|x| x * x).collect::<Vec<_>>());
    cluster.until_up(1);
    // Seen by its end, and not by its silence.
    let log = cluster.head.log();
    assert!(log.contains("node-1 died: its process ended with "), "{log}");
    // One of its name may come, and is used.
    cluster.join("node-1", &[]);
    let node = cluster.nodes[1].pid();
    cluster.until_up(2);
    until("work for it", || {
        let ran = driver.run(async { get_all((0..20).map(|_| process::remote())).await });
        ran.into_iter().any(|pid| parent(pid) == Some(node))
    });
}

#[test]
fn mb_9_nb_1_a_node_beside_its_head_that_stands_still_is_killed_before_its_work_goes_on() {
    let plan =
        of(mb_9_nb_1_a_node_beside_its_head_that_stands_still_is_killed_before_its_work_goes_on);
    let mut cluster = plan.nodes(2).start();
    let driver = cluster.driver();
    let [node, spared] = [cluster.nodes[0].pid(), cluster.nodes[1].pid()];
    let own = cluster.own_node();
    let (hit, worker) = driver.run(async {
        let all = one_each(3).await?;
        Ok(all.into_iter().find(|(_, pid)| parent(*pid) == Some(node)).expect("one there"))
    });
    let tasks = driver.run(async { Ok((0..20).map(square::remote).collect::<Vec<_>>()) });
    freeze(node);
    let elsewhere = driver.run(moved(&hit, worker));
    assert!(!lives(node), "it is dead before its work goes on elsewhere");
    assert!(parent(elsewhere).is_some_and(|of| of == own || of == spared));
    assert_eq!(cluster.node("node-1").ends().signal(), Some(Signal::KILL.as_raw()));
    until("the end of its worker", || !lives(worker));
    cluster.until_up(2);
    assert_eq!(cluster.phase("node-1"), None);
    let log = cluster.head.log();
    assert!(log.contains("node-1 died: it was silent for "), "{log}");
    let squares = driver.run(async { get_all(tasks).await });
    assert_eq!(squares, (0..20).map(|x| x * x).collect::<Vec<_>>());
    // Nobody else was hit, and one of its name may come.
    assert!(lives(spared) && lives(own));
    cluster.join("node-1", &[]);
    cluster.until_up(3);
}

#[test]
fn a_node_that_stood_still_for_a_moment_goes_on() {
    let cluster = of(a_node_that_stood_still_for_a_moment_goes_on).nodes(1).start();
    let driver = cluster.driver();
    let node = cluster.nodes[0].pid();
    let workers = children(node);
    freeze(node);
    thaw(node);
    driver.run(async { get_all((0..100).map(square::remote)).await });
    cluster.until_up(2);
    assert!(cluster.status().nodes.iter().all(|node| node.life == 1));
    assert_eq!(children(node), workers);
}

/// What the two ends of a head's own node have in common.
fn own_node_is_replaced(cluster: &Cluster, strike: fn(u32)) {
    let driver = cluster.driver();
    let own = cluster.own_node();
    let (hit, worker) = driver.run(async {
        let all = one_each(2).await?;
        Ok(all.into_iter().find(|(_, pid)| parent(*pid) == Some(own)).expect("one there"))
    });
    strike(own);
    let elsewhere = driver.run(moved(&hit, worker));
    assert_ne!(elsewhere, worker);
    assert!(!lives(own), "it is dead before its work goes on elsewhere");
    until("another process in its place", || {
        children(cluster.head.pid()).iter().any(|pid| *pid != own)
    });
    cluster.until_up(2);
    until("all of it again", || driver.0.available_resources().to_string() == "2 CPU");
    assert_eq!(driver.run(async { square::remote(4).await }), 16);
}

#[test]
fn the_heads_own_node_that_is_killed_is_replaced() {
    let cluster = of(the_heads_own_node_that_is_killed_is_replaced).nodes(1).start();
    own_node_is_replaced(&cluster, |own| send(own, Signal::KILL));
}

#[test]
fn the_heads_own_node_that_stands_still_is_fenced_and_replaced() {
    let cluster = of(the_heads_own_node_that_stands_still_is_fenced_and_replaced).nodes(1).start();
    own_node_is_replaced(&cluster, freeze);
}

#[test]
fn dh_1_when_the_head_is_killed_drivers_are_told_and_nodes_end_after_their_grace() {
    let plan = of(dh_1_when_the_head_is_killed_drivers_are_told_and_nodes_end_after_their_grace);
    let mut cluster = plan.set("liveness.isolation_grace=4s").nodes(1).start();
    let driver = cluster.driver();
    let own = cluster.own_node();
    let (_gate, name) = gate(&cluster);
    let task = driver.run(async { Ok(waits::remote(name)) });
    cluster.head.kill();
    driver.run(async {
        let lost = task.await.unwrap_err();
        assert!(matches!(lost, Error::HeadLost { .. }), "{lost}");
        let lost = square::remote(2).await.unwrap_err();
        assert!(matches!(lost, Error::HeadLost { .. }), "{lost}");
        Ok(())
    });
    until("the end of its own node", || !lives(own));
    let ended = cluster.node("node-1").ends();
    assert_eq!(ended.code(), Some(1));
    assert!(cluster.nodes[0].log().contains("its head has not answered for 4s"));
}

/// The head stands still, and goes on.
fn head_goes_on(cluster: &mut Cluster, isolated: bool) {
    let driver = cluster.driver();
    let head = cluster.head.pid();
    let (own, node) = (cluster.own_node(), cluster.nodes[0].pid());
    let workers = [children(own), children(node)];
    freeze(head);
    // Who has work goes on with it, and what is submitted goes past the head.
    assert_eq!(driver.run(async { square::remote(9).await }), 81);
    if isolated {
        until("a node that is isolated", || cluster.nodes[0].log().contains("is isolated"));
        assert_eq!(driver.run(async { square::remote(9).await }), 81);
    }
    thaw(head);
    cluster.until_up(2);
    assert_eq!(driver.run(async { square::remote(9).await }), 81);
    let status = cluster.status();
    let lives: Vec<u64> = status.nodes.iter().map(|node| node.life).collect();
    assert_eq!((lives, status.jobs.len()), (vec![1, 1], 1));
    assert_eq!([children(own), children(node)], workers);
}

#[test]
fn a_head_that_stood_still_for_a_moment_goes_on_with_all_it_had() {
    let plan = of(a_head_that_stood_still_for_a_moment_goes_on_with_all_it_had);
    head_goes_on(&mut plan.nodes(1).start(), false);
}

#[test]
fn a_head_that_stood_still_past_the_leases_goes_on_with_all_it_had() {
    let plan = of(a_head_that_stood_still_past_the_leases_goes_on_with_all_it_had);
    head_goes_on(&mut plan.nodes(1).start(), true);
}

#[test]
fn many_workers_killed_one_after_the_other_lose_no_task() {
    let plan = of(many_workers_killed_one_after_the_other_lose_no_task);
    let cluster = plan.nodes(2).start();
    let driver = cluster.driver();
    let own = cluster.own_node();
    let nodes: Vec<u32> = cluster.nodes.iter().map(|node| node.pid()).chain([own]).collect();
    for round in 0..2 {
        for node in &nodes {
            let tasks = driver.run(async {
                let again = TaskOptions::new().retries(10);
                Ok((0..300).map(|x| square::with(again.clone()).remote(x)).collect::<Vec<_>>())
            });
            children(*node).into_iter().for_each(|worker| send(worker, Signal::KILL));
            let squares = driver.run(async { get_all(tasks).await });
            assert_eq!(squares, (0..300).map(|x| x * x).collect::<Vec<_>>(), "round {round}");
        }
    }
    until("all of it again", || driver.0.available_resources().to_string() == "3 CPU");
}

//! Programs that come, wait, leave and die.

use std::collections::BTreeSet;

use raytree::prelude::*;
use raytree::{Result, get_all};
use rustix::process::Signal;

use super::support::{SAYS, lives, of, parent, send, until};
use super::{process, square};

/// A program that uses all of its cluster until its input ends; nothing when it is run as a test.
#[test]
fn holds_all_it_gets() {
    let cpus = std::env::var("RAYTREE_TEST_PROGRAM");
    if std::env::var_os("RAYTREE_ROLE").is_none() && cpus.is_err() {
        return;
    }
    let runtime = raytree::init().threads(2).start().expect("a runtime");
    let here = runtime.enter();
    let cpus = cpus.unwrap_or_default();
    until("all it is to get", || {
        runtime.available_resources().to_string() == format!("{cpus} CPU")
    });
    let ran = runtime.block_on(async { get_all((0..300).map(|_| process::remote())).await });
    let ran: BTreeSet<u32> = ran.expect("tasks").into_iter().collect();
    println!("{SAYS}{}", ran.iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("an input");
    drop(here);
    runtime.shutdown();
}

/// The processes that it says it has.
fn workers(said: &str) -> Vec<u32> {
    said.split(' ').map(|pid| pid.parse().expect("a process")).collect()
}

#[test]
fn hd_1_when_a_driver_is_killed_its_workers_end_and_the_cluster_is_free() {
    let plan = of(hd_1_when_a_driver_is_killed_its_workers_end_and_the_cluster_is_free);
    let cluster = plan.nodes(2).start();
    let mut program = cluster.program(holds_all_it_gets, 3);
    let workers = workers(&program.says());
    assert!(!workers.is_empty() && workers.iter().all(|pid| lives(*pid)));
    send(program.pid(), Signal::KILL);
    until("the end of its workers", || !workers.iter().any(|pid| lives(*pid)));
    cluster.until_free();
    assert_eq!(cluster.raytree(&["status"]).2, 0);
    let driver = cluster.driver();
    assert_eq!(driver.run(async { square::remote(7).await }), 49);
}

#[test]
fn hd_1_a_driver_that_is_frozen_keeps_its_place_and_goes_on() {
    let plan = of(hd_1_a_driver_that_is_frozen_keeps_its_place_and_goes_on);
    let cluster = plan.nodes(1).start();
    let mut program = cluster.program(holds_all_it_gets, 2);
    let workers = workers(&program.says());
    super::support::freeze(program.pid());
    // Its cluster is used by others meanwhile, and by whom is its own affair.
    assert_eq!(cluster.raytree(&["status"]).2, 0);
    assert!(workers.iter().all(|pid| lives(*pid)));
    super::support::thaw(program.pid());
    program.ends();
    cluster.until_free();
}

#[test]
fn jb_6_a_second_driver_waits_and_gets_what_the_first_leaves() {
    let plan = of(jb_6_a_second_driver_waits_and_gets_what_the_first_leaves);
    let cluster = plan.nodes(1).start();
    let mut first = cluster.program(holds_all_it_gets, 2);
    assert!(!first.says().is_empty());
    let init = cluster.init();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| init.start());
        until("a second job", || cluster.status().jobs.len() == 2);
        assert_eq!(cluster.status().jobs[1].workers, 0);
        first.ends();
        let runtime = second.join().expect("no panic").expect("its turn");
        let driver = super::support::Driver(runtime);
        assert_eq!(driver.run(async { square::remote(5).await }), 25);
    });
    cluster.until_free();
}

#[test]
fn drivers_that_ask_for_a_part_share_a_node() {
    let mut cluster = of(drivers_that_ask_for_a_part_share_a_node).no_own_node().start();
    let address = cluster.address.to_string();
    let args = ["start", "--block", "--join", &address, "--name", "wide", "--cpus", "2"];
    let command = cluster.command(&args);
    cluster.join_by("wide", command);
    let drivers: Vec<_> = (0..2)
        .map(|_| super::support::Driver(cluster.init().cpus(1.0).start().expect("a part of it")))
        .collect();
    let pids: BTreeSet<_> =
        drivers.iter().map(|driver| driver.run(async { process::remote().await })).collect();
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| parent(*pid) == Some(cluster.nodes[0].pid())));
    let status = cluster.status();
    assert_eq!(status.jobs.iter().map(|job| job.workers).collect::<Vec<_>>(), [1, 1]);
    drop(drivers);
    cluster.until_free();
}

#[remote]
fn fails_if_odd(x: u64) -> Result<u64, String> {
    if x % 2 == 1 { Err("odd".to_owned()) } else { Ok(x) }
}

#[test]
fn a_driver_that_leaves_and_comes_again_finds_all_of_it() {
    let cluster = of(a_driver_that_leaves_and_comes_again_finds_all_of_it).nodes(1).start();
    for round in 0..3 {
        let driver = cluster.driver();
        let all = driver.run(async { get_all((0..10).map(|x| fails_if_odd::remote(2 * x))).await });
        assert_eq!(all.len(), 10, "round {round}");
        drop(driver);
    }
    cluster.until_free();
}

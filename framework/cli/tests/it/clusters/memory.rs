//! A node of a cluster that is short of memory, measured on this machine. The limit is a little above what is in use anyway, so what
//! eats it takes no more than a twentieth of all there is.

use raytree::prelude::*;
use raytree::{Error, Result};
use raytree_config::Memory;

use super::process;
use super::support::{of, until};

/// How far above the limit somebody eats, in thousandths of all memory.
const ABOVE: u64 = 15;

/// In thousandths of all there is.
fn share() -> u64 {
    let Memory { used, total } = Memory::now().expect("a machine that says so");
    used * 1000 / total
}

/// Takes memory until so many thousandths are in use, and for as long as they are not. At least so many bytes are its own.
#[remote(retries = 0)]
fn eats(until: u64, least: usize) -> usize {
    const BITE: usize = 16 << 20;
    let mut eaten = Vec::new();
    loop {
        if eaten.len() * BITE < least || share() < until {
            eaten.push(vec![1u8; BITE]);
        } else {
            std::thread::yield_now();
        }
    }
}

#[test]
fn who_eats_the_memory_of_a_node_is_ended_and_the_node_lives() {
    let plan = of(who_eats_the_memory_of_a_node_is_ended_and_the_node_lives);
    // What is in use anyway is below the line at which a node goes on.
    let limit = (share() * 16 / 15 + 15).max(100);
    assert!(limit + ABOVE < 950, "no memory to be tried with: {limit} of 1000 are in use");
    let refuse = format!("node.memory_refuse_at={}", limit as f64 / 1000.0);
    let cluster = plan.set(&refuse).set("node.memory_watch_every=20ms").start();
    let driver = cluster.driver();
    let node = cluster.own_node();
    let total = Memory::now().expect("a machine that says so").total;
    // A hundredth is worth ending where it is isolated, a twentieth where it is a whole worker.
    let part = |of: u64| (total / of) as usize;
    let isolated = driver.run(async move {
        let task = eats::with(TaskOptions::new().isolated()).remote(limit + ABOVE, part(90));
        Ok(task.await)
    });
    let (process, sizes) = out_of_memory(isolated);
    assert!(process.starts_with("eats (process "), "{process}");
    assert!(sizes[0] > sizes[2] && sizes[1] == total && sizes[3] > total / 100, "{sizes:?}");
    // Its worker was left alone, and takes more when there is memory again.
    let worker = driver.run(async { process::remote().await });
    let whole = driver.run(async move { Ok(eats::remote(limit + ABOVE, part(18)).await) });
    let (process, sizes) = out_of_memory(whole);
    assert!(process.starts_with("job-1 on head (process "), "{process}");
    assert!(process.contains(&worker.to_string()) && sizes[3] > total / 20, "{sizes:?}");
    until("another worker", || driver.run(async { process::remote().await }) != worker);
    assert_eq!(cluster.own_node(), node);
}

/// Which process, and the sizes.
fn out_of_memory(ended: Result<usize>) -> (String, [u64; 4]) {
    match ended {
        Err(Error::OutOfMemory { process, used, total, limit, own }) => {
            (process, [used, total, limit, own])
        }
        other => panic!("another end: {other:?}"),
    }
}

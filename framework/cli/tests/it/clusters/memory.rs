//! A node of a cluster that is short of memory, measured on this machine. The limit is a little above what is in use anyway, so what
//! eats it takes no more than a twentieth of all there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use raytree::prelude::*;
use raytree::{Error, ObjectRef, Result, put};
use raytree_config::Memory;

use super::support::{Cluster, Driver, Plan, children, of, parent, until};
use super::{Counter, process};

/// How far above the limit somebody eats, in thousandths of all memory.
const ABOVE: u64 = 15;

/// And who is not ended for it: what others on this machine give back meanwhile is no end of the shortage.
const FAR_ABOVE: u64 = 50;

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

/// A reference to what the worker keeps that runs it.
#[remote]
async fn keeps() -> Result<ObjectRef<u64>> {
    put(7).await
}

/// A share from which on a node refuses: what is in use anyway is below the line at which it goes on.
fn limited(plan: Plan) -> (Plan, u64) {
    let limit = (share() * 16 / 15 + 15).max(100);
    assert!(limit + FAR_ABOVE < 950, "no memory to be tried with: {limit} of 1000 are in use");
    let refuse = format!("node.memory_refuse_at={}", limit as f64 / 1000.0);
    (plan.set(&refuse).set("node.memory_watch_every=20ms"), limit)
}

/// This very process, which is none of any node's, has so much that the limit is far behind until this is dropped.
struct Glutton {
    is_full: Arc<AtomicBool>,
    eats: Option<JoinHandle<()>>,
}

impl Glutton {
    fn eats_beyond(limit: u64) -> Self {
        let is_full = Arc::new(AtomicBool::new(false));
        let enough = Arc::clone(&is_full);
        let eats = std::thread::spawn(move || {
            let mut eaten = Vec::new();
            while !enough.load(Ordering::Acquire) {
                if share() < limit + FAR_ABOVE {
                    eaten.push(vec![1u8; 16 << 20]);
                } else {
                    std::thread::park_timeout(std::time::Duration::from_millis(1));
                }
            }
        });
        Self { is_full, eats: Some(eats) }
    }
}

impl Drop for Glutton {
    fn drop(&mut self) {
        self.is_full.store(true, Ordering::Release);
        self.eats.take().expect("it eats").join().expect("no panic");
    }
}

/// A driver that is looked at as well.
fn shown(cluster: &Cluster) -> raytree::Init {
    cluster.init().inspector(true).inspect_dir(cluster.sockets())
}

/// Waits until somebody in the tree says so of itself.
fn until_in_tree(cluster: &Cluster, what: &str) {
    until(what, || cluster.raytree(&["tree"]).0.contains(what));
}

/// What is told of in the supervision logs, once one says all of this.
fn event(cluster: &Cluster, parts: &[&str]) -> String {
    let mut said = None;
    until(&format!("an event of {parts:?}"), || {
        let (events, ..) = cluster.raytree(&["events", "--kind", "warning"]);
        let mut lines = events.lines();
        said = lines.find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned);
        said.is_some()
    });
    said.expect("an event")
}

#[test]
fn who_eats_the_memory_of_a_node_is_ended_and_the_node_lives() {
    let plan = of(who_eats_the_memory_of_a_node_is_ended_and_the_node_lives);
    let (plan, limit) = limited(plan);
    let cluster = plan.start();
    let driver = cluster.driver_with(shown(&cluster));
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
    let (whole, held) = driver.run(async move {
        let counter = Counter::with(ActorOptions::new().cpus(0.0).label("counts")).remote(1);
        assert_eq!(counter.process().await?, worker);
        let kept = keeps::remote().await?;
        Ok((eats::remote(limit + ABOVE, part(18)).await, (counter, kept)))
    });
    let (process, sizes) = out_of_memory(whole);
    assert!(process.starts_with("job-1 on head (process "), "{process}");
    assert!(process.contains(&worker.to_string()) && sizes[3] > total / 20, "{sizes:?}");
    // All that is lost is listed by the one who knows it, and the sizes are by both.
    let named = format!("{process} was ended for its {} bytes of memory", sizes[3]);
    let told = event(&cluster, &["; lost with it: 1 task (eats)"]);
    assert!(told.contains(&process) && told.contains(&sizes[3].to_string()), "{told}");
    let listed = "; lost with it: 1 task (eats), 1 actor (counts), 1 object of its own";
    assert!(told.ends_with(listed), "{told}");
    event(&cluster, &[&named, "what job-1 had in it, which its program lists"]);
    drop(held);
    until("another worker", || driver.run(async { process::remote().await }) != worker);
    assert_eq!(cluster.own_node(), node);
}

#[test]
fn nothing_is_started_on_a_node_that_is_short_of_memory_and_another_node_does_it() {
    let plan = of(nothing_is_started_on_a_node_that_is_short_of_memory_and_another_node_does_it);
    let (plan, limit) = limited(plan);
    let cluster = plan.nodes(1).start();
    let (short, other) = (cluster.own_node(), cluster.nodes[0].pid());
    let glutton = Glutton::eats_beyond(limit);
    until_in_tree(&cluster, "short of memory: ");
    let driver = Driver(cluster.init().start().expect("the other node"));
    for _ in 0..10 {
        let ran = driver.run(async { process::remote().await });
        assert_eq!(parent(ran), Some(other));
    }
    assert_eq!(children(short), [] as [u32; 0]);
    drop(glutton);
    until("a worker on every node", || driver.0.available_resources() == cluster.resources());
    assert_eq!(children(short).len(), 1);
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

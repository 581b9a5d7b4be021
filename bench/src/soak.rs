//! `soak`: both cores are busy with other things, and actors come and go by tens of thousands: nobody who lives is declared
//! dead.

use std::collections::BTreeSet;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{available_parallelism, scope};
use std::time::Duration;

use anyhow::{Result, ensure};
use raytree::get_all;
use raytree::inspect::NodePhase;
use raytree::prelude::*;

use crate::recovery::cluster::{Cluster, children};
use crate::report::now;

/// Actors at once.
const ACTORS: usize = 40_000;

/// One of many.
pub(crate) struct Raindrop {
    value: u64,
}

#[remote(restarts = 3, cpus = 0)]
impl Raindrop {
    pub(crate) fn new(value: u64) -> Self {
        Self { value }
    }

    pub(crate) fn add(&mut self, more: u64) -> u64 {
        self.value += more;
        self.value
    }
}

/// What was seen of a cluster meanwhile.
#[derive(Default)]
struct Seen {
    looks: u64,
    /// Looks at which a node was not up.
    suspect: u64,
    longest: Duration,
    verdicts: u64,
}

/// Runs for so long, and says what it has seen.
///
/// # Errors
/// When somebody was declared dead, or an answer was wrong.
pub(crate) fn run(time: Duration) -> Result<()> {
    let cluster = Cluster::start()?;
    let runtime = cluster.driver()?;
    let nodes = [cluster.own_node()?, cluster.far.pid()];
    let workers = [children(nodes[0])?, children(nodes[1])?];
    let (began, is_over) = (now(), AtomicBool::new(false));
    let (rounds, seen) = scope(|scope| {
        let over = || is_over.load(Ordering::Relaxed);
        for _ in 0..available_parallelism().map_or(2, usize::from) {
            scope.spawn(move || {
                while !over() {
                    spin_loop();
                }
            });
        }
        let watcher = scope.spawn(|| watch(&cluster, &is_over));
        let mut rounds = 0;
        let stormed = (|| {
            let _here = runtime.enter();
            while began.elapsed() < time {
                runtime.block_on(storm())?;
                rounds += 1;
            }
            Ok::<_, raytree::Error>(rounds)
        })();
        is_over.store(true, Ordering::Relaxed);
        (stormed, watcher.join())
    });
    let (rounds, seen) = (rounds?, seen.map_err(|_| anyhow::anyhow!("the watcher panicked"))??);
    let after = [children(nodes[0])?, children(nodes[1])?];
    println!(
        "{:?}: {rounds} storms of {ACTORS} actors; {} looks, a node not up at {}, the longest look {:?}; {} verdicts",
        began.elapsed(),
        seen.looks,
        seen.suspect,
        seen.longest,
        seen.verdicts,
    );
    ensure!(seen.verdicts == 0 && after == workers, "somebody who lived was declared dead");
    runtime.shutdown();
    Ok(())
}

async fn storm() -> raytree::Result<()> {
    let all: Vec<_> = (0..ACTORS as u64).map(Raindrop::remote).collect();
    let sums = get_all(all.iter().map(|one| one.add(1))).await?;
    let right: BTreeSet<u64> = (1..=ACTORS as u64).collect();
    if sums.into_iter().collect::<BTreeSet<_>>() == right {
        return Ok(());
    }
    Err(raytree::Error::RuntimeGone { reason: "answers of a storm are wrong".to_owned() })
}

fn watch(cluster: &Cluster, is_over: &AtomicBool) -> Result<Seen> {
    let mut seen = Seen::default();
    while !is_over.load(Ordering::Relaxed) {
        let began = now();
        let status = cluster.status()?;
        seen.longest = seen.longest.max(began.elapsed());
        seen.looks += 1;
        seen.suspect += u64::from(status.nodes.iter().any(|node| node.phase != NodePhase::Up));
        let is_replaced = status.nodes.len() != 2 || status.nodes.iter().any(|node| node.life != 1);
        seen.verdicts += u64::from(is_replaced);
        std::thread::park_timeout(Duration::from_millis(50));
    }
    Ok(seen)
}

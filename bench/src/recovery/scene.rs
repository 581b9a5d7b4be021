//! What is watched while something dies: an actor that is hit, one that is spared, and tasks.

use std::time::Instant;

use anyhow::{Context as _, Result};
use raytree::prelude::*;
use raytree::{Error, ObjectRef, Runtime, get_all};

use super::Sample;
use super::cluster::{parent, until};

/// Calls that are answered before, and tasks that are under way.
const ANSWERED: u64 = 200;
const TASKS: u64 = 200;

/// Remembers what it was told.
pub(crate) struct Witness {
    heard: u64,
}

#[remote(restarts = 1000, cpus = 0, max_concurrency = 8)]
impl Witness {
    pub(crate) fn new() -> Self {
        Self { heard: 0 }
    }

    pub(crate) fn hear(&mut self) -> u64 {
        self.heard += 1;
        self.heard
    }

    pub(crate) fn heard(&self) -> u64 {
        self.heard
    }

    pub(crate) async fn process(&self) -> u32 {
        std::process::id()
    }

    pub(crate) async fn never(&self) {
        std::future::pending::<()>().await;
    }
}

#[remote(retries = 10)]
fn square(x: u64) -> u64 {
    let until = crate::report::now() + std::time::Duration::from_micros(500);
    while crate::report::now() < until {
        std::hint::spin_loop();
    }
    x * x
}

/// See the [module documentation](self).
pub(crate) struct Scene<'a> {
    runtime: &'a Runtime,
    hit: WitnessHandle,
    /// Where that lives.
    pub(crate) worker: u32,
    spared: Option<WitnessHandle>,
    tasks: Vec<ObjectRef<u64>>,
    waits: ObjectRef<()>,
}

impl<'a> Scene<'a> {
    /// The one that is hit lives in a worker of that process; in any, where none is said.
    pub(crate) fn set(runtime: &'a Runtime, below: Option<u32>) -> Result<Self> {
        let _here = runtime.enter();
        runtime.block_on(async {
            let all: Vec<_> = (0..2).map(|_| Witness::remote()).collect();
            let pids = get_all(all.iter().map(|one| one.process())).await?;
            let is_there = |pid: &u32| below.is_none_or(|node| parent(*pid) == Some(node));
            let at = pids.iter().position(is_there).context("no actor on that node")?;
            let spared = (0..all.len()).find(|other| pids[*other] != pids[at]);
            let spared = spared.map(|other| all[other].clone());
            if let Some(spared) = &spared {
                get_all((0..ANSWERED).map(|_| spared.hear())).await?;
            }
            let tasks = (0..TASKS).map(square::remote).collect();
            let hit = all[at].clone();
            let waits = hit.never();
            hit.process().await?;
            Ok(Self { runtime, hit, worker: pids[at], spared, tasks, waits })
        })
    }

    /// Until the caller of the one that was hit is told, it answers again, and everything else was answered.
    pub(crate) fn plays(self, began: Instant) -> Result<Sample> {
        let Self { runtime, hit, worker, spared, tasks, waits } = self;
        let _here = runtime.enter();
        let since = || began.elapsed().as_secs_f64() * 1e3;
        runtime.block_on(async {
            let told = waits.await.err().map(|_| since());
            loop {
                match hit.process().await {
                    Ok(pid) if pid != worker => break,
                    Ok(_) | Err(Error::ActorDied { .. }) => tokio::task::yield_now().await,
                    Err(other) => return Err(other.into()),
                }
            }
            let answers = Some(since());
            let squares = get_all(tasks).await?;
            let wrong = squares.iter().zip(0..).filter(|(square, x)| **square != x * x).count();
            let mut lost = u64::try_from(wrong)? + (TASKS - u64::try_from(squares.len())?);
            if let Some(spared) = spared {
                lost += ANSWERED.abs_diff(spared.heard().await?);
            }
            Ok(Sample { told, answers, lost, ..Sample::default() })
        })
    }
}

/// All that a driver had is there again.
pub(crate) fn is_whole(runtime: &Runtime) -> Result<()> {
    until("all of it again", || Ok(runtime.available_resources().to_string() == "2 CPU"))
}

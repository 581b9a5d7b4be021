//! Rows of calls from an actor on one worker of a cluster to an actor on another one. The floor is the same work over a bare
//! stream; beside it stands the way through the driver, where that can be had in the same run.

use anyhow::{Result, ensure};
use raytree::prelude::*;

use crate::cluster::{Bare, WINDOW, bare_latency, bare_rate};
use crate::core::Sides;
use crate::recovery::cluster::Cluster;
use crate::report::{Report, Row, median, now};

pub(crate) const ROWS: &[Row] = &[
    Row { name: "worker_call_latency_p50", run: latency },
    Row { name: "worker_call_throughput_async", run: throughput },
];

/// Fewer calls than a stand-in makes before it goes past the driver.
const BEFORE_DIRECT: u64 = 7;

/// Gives back what it gets.
struct Replier;

#[remote(cpus = 0)]
impl Replier {
    fn new() -> Self {
        Self
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    pub(crate) fn say(&mut self, value: u64) -> u64 {
        value
    }
}

/// Who calls, and takes the time.
struct Asker;

#[remote(cpus = 0)]
impl Asker {
    fn new() -> Self {
        Self
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    /// One call after the other: how long each takes, in microseconds.
    pub(crate) async fn one_by_one(
        &self,
        to: ReplierHandle,
        calls: u64,
    ) -> raytree::Result<Vec<f64>> {
        let mut took = Vec::new();
        for n in 0..calls {
            let start = now();
            to.say(n).await?;
            took.push(start.elapsed().as_secs_f64() * 1e6);
        }
        Ok(took)
    }

    /// Calls a second, many under way at once.
    pub(crate) async fn rate(&self, to: ReplierHandle, calls: u64) -> raytree::Result<f64> {
        let start = now();
        let mut answers = Vec::with_capacity(WINDOW);
        for _ in 0..calls / WINDOW as u64 {
            answers.extend((0..WINDOW as u64).map(|n| to.say(n)));
            for answer in answers.drain(..) {
                answer.await?;
            }
        }
        Ok(calls as f64 / start.elapsed().as_secs_f64())
    }
}

/// One on each worker.
async fn two() -> Result<(AskerHandle, ReplierHandle)> {
    let replier = Replier::remote();
    let there = replier.process().await?;
    let asker = Asker::remote();
    ensure!(asker.process().await? != there, "both are in one process");
    Ok((asker, replier))
}

/// One call after the other. Through the driver are the first few calls to each of many actors.
fn latency(report: &mut Report) -> Result<()> {
    let (repeats, calls) = (report.repeats(7), report.size(4000));
    let cluster = Cluster::start()?;
    let runtime = cluster.driver()?;
    let here = runtime.enter();
    let (asker, replier) = runtime.block_on(two())?;
    let mut bare = Bare::echo()?;
    let (mut sides, mut through) = (Sides::default(), Vec::new());
    for _ in 0..repeats {
        let took =
            runtime.block_on(asker.one_by_one(replier.clone(), calls as u64).into_future())?;
        sides.ours.push(median(took));
        sides.bare.push(bare_latency(&mut bare, calls)?);
        let mut first = Vec::new();
        while first.len() < calls / 10 {
            // It is created where there are fewest: beside the asker is none of them.
            let fresh = Replier::remote();
            let far = runtime.block_on(fresh.process().into_future())?;
            if far == runtime.block_on(asker.process().into_future())? {
                continue;
            }
            let took = asker.one_by_one(fresh.clone(), BEFORE_DIRECT);
            // The first of them makes the stand-in.
            first.extend(runtime.block_on(took.into_future())?.into_iter().skip(1));
        }
        through.push(median(first));
    }
    drop((asker, replier, here));
    runtime.shutdown();
    sides.report(report, "worker_call_latency_p50", "us");
    report.row("worker_call_latency_p50.through_driver", median(through), "us");
    Ok(())
}

/// A thousand calls under way at once.
fn throughput(report: &mut Report) -> Result<()> {
    let (repeats, calls) = (report.repeats(9), report.size(200_000) / WINDOW * WINDOW);
    let cluster = Cluster::start()?;
    let runtime = cluster.driver()?;
    let here = runtime.enter();
    let (asker, replier) = runtime.block_on(two())?;
    let mut bare = Bare::echo()?;
    let mut sides = Sides::default();
    for _ in 0..repeats {
        let rate = asker.rate(replier.clone(), calls as u64);
        sides.ours.push(runtime.block_on(rate.into_future())?);
        sides.bare.push(bare_rate(&mut bare, calls)?);
    }
    drop((asker, replier, here));
    runtime.shutdown();
    sides.report(report, "worker_call_throughput_async", "/s");
    report.row("worker_call_throughput_async.through_program", through_program(report)?, "/s");
    Ok(())
}

/// The same between two nodes of a program's own, whose calls go through it.
fn through_program(report: &Report) -> Result<f64> {
    let (repeats, calls) = (report.repeats(5), report.size(200_000) / WINDOW * WINDOW);
    let again = vec!["--child".into(), "node".into()];
    let runtime = raytree::init().nodes(2).cpus(1.0).threads(1).again(again).start()?;
    let here = runtime.enter();
    let (asker, replier) = runtime.block_on(two())?;
    let mut rates = Vec::new();
    for _ in 0..repeats {
        let rate = asker.rate(replier.clone(), calls as u64);
        rates.push(runtime.block_on(rate.into_future())?);
    }
    drop((asker, replier, here));
    runtime.shutdown();
    Ok(median(rates))
}

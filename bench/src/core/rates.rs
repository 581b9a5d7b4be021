//! How many tasks a second, and how long one takes.

use std::hint::black_box;

use anyhow::{Result, ensure};
use raytree::prelude::*;
use raytree::{Task, get_all};
use tokio::runtime::Handle;

use super::{Sides, runtimes};
use crate::actors::ping_pong;
use crate::report::{Report, now, time};

#[remote]
fn nothing() {}

#[remote]
async fn nothing_async() {}

/// No-ops submitted from one thread and gathered; the floor is as many tokio tasks, spawned and joined.
pub(super) fn throughput(report: &mut Report) -> Result<()> {
    let (repeats, count) = (report.repeats(41), report.size(10_000));
    for (name, task) in
        [("task_throughput", nothing::task()), ("task_throughput_async", nothing_async::task())]
    {
        let (runtime, tokio) = runtimes()?;
        let here = runtime.enter();
        let mut sides = Sides::default();
        for _ in 0..repeats {
            let (took, done) = time(|| gather(&task, count));
            ensure!(done? == count, "a task is missing");
            sides.ours.push(count as f64 / took.as_secs_f64());
            let (took, done) = time(|| join(tokio.handle(), count));
            ensure!(done == count, "a task is missing");
            sides.bare.push(count as f64 / took.as_secs_f64());
        }
        drop(here);
        runtime.shutdown();
        sides.report(report, name, "/s");
    }
    Ok(())
}

fn gather(task: &Task<(), ()>, count: usize) -> raytree::Result<usize> {
    let refs: Vec<_> = (0..count).map(|_| task.remote()).collect();
    get_all(refs).get().map(|done| done.len())
}

fn join(tokio: &Handle, count: usize) -> usize {
    let tasks: Vec<_> = (0..count).map(|_| tokio.spawn(async { black_box(()) })).collect();
    tokio.block_on(async {
        let mut done = 0;
        for task in tasks {
            done += usize::from(task.await.is_ok());
        }
        done
    })
}

/// One task after the other, from a plain thread; the floor is two threads and two channels.
pub(super) fn latency(report: &mut Report) -> Result<()> {
    let rounds = report.size(40_000) / 8;
    let (runtime, _) = runtimes()?;
    let here = runtime.enter();
    let mut sides = Sides::default();
    for _ in 0..8 {
        for _ in 0..rounds {
            let start = now();
            nothing::remote().get()?;
            sides.ours.push(start.elapsed().as_secs_f64() * 1e6);
        }
        sides.bare.extend(ping_pong(rounds)?);
    }
    drop(here);
    runtime.shutdown();
    sides.report(report, "task_latency_p50", "us");
    Ok(())
}

//! Tasks that need the results of others, in numbers.

use std::future::Future;
use std::hint::black_box;

use anyhow::{Result, ensure};
use raytree::prelude::*;
use raytree::{get_all, put, wait};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle};

use super::{Sides, runtimes};
use crate::report::{Report, time};

#[remote]
fn one() -> u64 {
    1
}

#[remote]
fn increment(x: u64) -> u64 {
    x + 1
}

#[remote]
fn add(a: u64, b: u64) -> u64 {
    a + b
}

#[remote]
fn sum(values: &[u64]) -> u64 {
    values.iter().sum()
}

#[remote]
fn range(count: u64) -> Vec<u64> {
    (0..count).collect()
}

/// The same question to a runtime and to bare tokio, in turn; milliseconds of each.
fn compare(
    repeats: usize,
    expected: u64,
    mut ours: impl FnMut() -> raytree::Result<(f64, u64)>,
    mut bare: impl FnMut(&Handle) -> Result<(f64, u64)>,
) -> Result<Sides> {
    let (runtime, tokio) = runtimes()?;
    let here = runtime.enter();
    let mut sides = Sides::default();
    for _ in 0..repeats {
        let (took, answer) = ours()?;
        ensure!(answer == expected, "ours gave {answer} for {expected}");
        sides.ours.push(took);
        let (took, answer) = bare(tokio.handle())?;
        ensure!(answer == expected, "the floor gave {answer} for {expected}");
        sides.bare.push(took);
    }
    drop(here);
    runtime.shutdown();
    Ok(sides)
}

/// As [`time`], in milliseconds, of what may fail.
fn millis<T, E>(
    work: impl FnOnce() -> std::result::Result<T, E>,
) -> std::result::Result<(f64, T), E> {
    let (took, value) = time(work);
    Ok((took.as_secs_f64() * 1e3, value?))
}

/// Each task needs the result of the one before. The floor is as many tokio tasks that await the handle of the one
/// before.
pub(super) fn chain(report: &mut Report) -> Result<()> {
    let (repeats, count) = (report.repeats(41), report.size(1000));
    let ours = || {
        millis(|| {
            let first = increment::remote(0);
            (1..count).fold(first, |last, _| increment::remote(last)).get()
        })
    };
    let bare = |tokio: &Handle| {
        millis(|| {
            let first = tokio.spawn(async { Ok(1) });
            let last = (1..count)
                .fold(first, |last: Spawned, _| tokio.spawn(async move { Ok(last.await?? + 1) }));
            Ok(tokio.block_on(last)??)
        })
    };
    compare(repeats, count as u64, ours, bare)?.report(report, "task_chain_1000", "ms");
    Ok(())
}

type Spawned = JoinHandle<std::result::Result<u64, JoinError>>;

/// As many leaves, each a task, added up by tasks of two or of ten arguments. The floor is as many tokio tasks that
/// await the handles of their leaves.
pub(super) fn tree(report: &mut Report) -> Result<()> {
    let (repeats, count) = (report.repeats(21), report.size(10_000));
    for (name, fan_in) in [("tree_reduce_10k", 2), ("tree_reduce_10k_fan_10", 10)] {
        let sides = compare(
            repeats,
            count as u64,
            || millis(|| reduce(count, fan_in).get()),
            |tokio| millis(|| Ok(tokio.block_on(reduce_bare(tokio, count, fan_in))??)),
        )?;
        sides.report(report, name, "ms");
    }
    Ok(())
}

fn reduce(count: usize, fan_in: usize) -> ObjectRef<u64> {
    let mut level: Vec<ObjectRef<u64>> = (0..count).map(|_| one::remote()).collect();
    while level.len() > 1 {
        let mut left = level.into_iter();
        let mut next = Vec::new();
        while let Some(first) = left.next() {
            let mut rest: Vec<_> = left.by_ref().take(fan_in - 1).collect();
            next.push(match rest.pop() {
                None => first,
                Some(second) if fan_in == 2 => add::remote(first, second),
                Some(last) => {
                    rest.extend([last, first]);
                    sum::remote(rest)
                }
            });
        }
        level = next;
    }
    level.pop().unwrap_or_else(one::remote)
}

fn reduce_bare(tokio: &Handle, count: usize, fan_in: usize) -> Spawned {
    let mut level: Vec<Spawned> = (0..count).map(|_| tokio.spawn(async { Ok(1) })).collect();
    while level.len() > 1 {
        let mut left = level.into_iter();
        let mut next = Vec::new();
        while let Some(first) = left.next() {
            let rest: Vec<_> = left.by_ref().take(fan_in - 1).collect();
            next.push(tokio.spawn(async move {
                let mut sum = first.await??;
                for other in rest {
                    sum += other.await??;
                }
                Ok(sum)
            }));
        }
        level = next;
    }
    level.pop().unwrap_or_else(|| tokio.spawn(async { Ok(0) }))
}

/// One task with so many references, all of objects that are there. The floor is a tokio task with as many oneshots,
/// all with their value.
pub(super) fn arguments(report: &mut Report) -> Result<()> {
    let (repeats, count) = (report.repeats(41), report.size(10_000));
    let ours = || {
        let refs = (0..count as u64).map(|n| put(n).get()).collect::<raytree::Result<Vec<_>>>()?;
        millis(|| sum::remote(refs).get())
    };
    let bare = |tokio: &Handle| {
        let filled = |n| {
            let (sender, receiver) = oneshot::channel();
            // It is received below.
            _ = sender.send(n);
            receiver
        };
        let values: Vec<_> = (0..count as u64).map(filled).collect();
        millis(|| Ok(tokio.block_on(tokio.spawn(add_up(values)))?))
    };
    let expected = (0..count as u64).sum();
    compare(repeats, expected, ours, bare)?.report(report, "task_10k_args", "ms");
    Ok(())
}

async fn add_up(values: Vec<oneshot::Receiver<u64>>) -> u64 {
    let mut sum = 0;
    for value in values {
        sum += value.await.unwrap_or(0);
    }
    sum
}

/// One task whose result is split into so many references, all of which are read. The floor is a tokio task that
/// fills as many oneshots.
pub(super) fn returns(report: &mut Report) -> Result<()> {
    let (repeats, count) = (report.repeats(41), report.size(10_000));
    let ours = || {
        millis(|| {
            let parts = range::remote(count as u64).elements(count);
            get_all(parts).get().map(|values| values.iter().sum())
        })
    };
    let bare = |tokio: &Handle| {
        millis(|| {
            let (senders, receivers): (Vec<_>, Vec<_>) =
                (0..count).map(|_| oneshot::channel()).unzip();
            let fill = tokio.spawn(async move {
                for (n, sender) in (0..).zip(senders) {
                    // It is received below.
                    _ = sender.send(n);
                }
            });
            let total = tokio.block_on(add_up(receivers));
            tokio.block_on(fill)?;
            Ok(total)
        })
    };
    let expected = (0..count as u64).sum();
    compare(repeats, expected, ours, bare)?.report(report, "task_10k_returns", "ms");
    Ok(())
}

/// So many tasks, and their results one at a time as they come; the floor is as many tokio tasks and a channel. Then
/// one wait for all of them when all are there; its floor is a look at as many flags behind a lock.
pub(super) fn wait_1k(report: &mut Report) -> Result<()> {
    let (repeats, count) = (report.repeats(41), report.size(1000));
    let one_at_a_time = || {
        millis(|| {
            let mut pending: Vec<_> = (0..count).map(|_| one::remote()).collect();
            let mut sum = 0;
            while !pending.is_empty() {
                let found = wait(pending).count(1).get()?;
                for ready in found.ready {
                    sum += ready.get()?;
                }
                pending = found.pending;
            }
            Ok(sum)
        })
    };
    let channel = |tokio: &Handle| millis(|| Ok(tokio.block_on(as_they_come(tokio, count))));
    compare(repeats, count as u64, one_at_a_time, channel)?.report(report, "wait_1k_refs", "ms");

    let all_ready = || {
        let refs: Vec<_> = (0..count).map(|_| one::remote()).collect();
        refs.iter().try_for_each(|reference| reference.get_shared().map(|_| ()))?;
        millis(|| wait(&refs).count(count).get().map(|found| found.ready.len() as u64))
    };
    let flags: Vec<_> = (0..count).map(|_| std::sync::Mutex::new(true)).collect();
    let look = |_: &Handle| {
        let is_set = |flag: &&std::sync::Mutex<bool>| flag.lock().is_ok_and(|flag| *flag);
        millis(|| Ok(black_box(&flags).iter().filter(is_set).count() as u64))
    };
    let sides = compare(repeats, count as u64, all_ready, look)?;
    sides.report(report, "wait_1k_refs_all_ready", "ms");
    Ok(())
}

fn as_they_come(tokio: &Handle, count: usize) -> impl Future<Output = u64> {
    let (sender, mut receiver) = mpsc::channel(count);
    for _ in 0..count {
        let sender = sender.clone();
        drop(tokio.spawn(async move { sender.send(1).await }));
    }
    drop(sender);
    async move {
        let mut sum = 0;
        while let Some(value) = receiver.recv().await {
            sum += value;
        }
        sum
    }
}

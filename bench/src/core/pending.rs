//! What a task that waits costs in memory; measured in processes of their own.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use raytree::prelude::*;
use tokio::sync::watch;

use super::Sides;
use crate::child::{Role, resident_kib};
use crate::report::Report;

/// Tasks that wait.
const COUNT: usize = 200_000;

/// Held while the tasks are to wait.
static GATE: Mutex<()> = Mutex::new(());

#[remote]
fn pass() {
    drop(GATE.lock());
}

#[remote]
fn nothing(_: u64) {}

/// Resident memory of a task that waits in line, its reference included; the floor is a tokio task with its handle.
/// Then the same for tasks that wait for an argument.
pub(super) fn bytes(report: &mut Report) -> Result<()> {
    let within = Duration::from_secs(60);
    let (mut in_line, mut for_argument) = (Sides::default(), Sides::default());
    for _ in 0..report.repeats(5) {
        in_line.ours.push(Role::PendingInLine.measure(1, within)?);
        for_argument.ours.push(Role::PendingArgument.measure(1, within)?);
        let bare = Role::PendingBare.measure(1, within)?;
        in_line.bare.push(bare);
        for_argument.bare.push(bare);
    }
    in_line.report(report, "task_pending_bytes", "B");
    for_argument.report(report, "task_pending_bytes_argument", "B");
    Ok(())
}

/// Bytes a task, of tasks behind one that has the only CPU, or behind an argument that is not there.
pub(crate) fn ours(for_argument: bool) -> Result<f64> {
    let runtime = raytree::init().cpus(1.0).threads(1).start()?;
    let here = runtime.enter();
    let closed = GATE.lock().map_err(|_| anyhow!("the gate is broken"))?;
    let gate = pass::remote();
    let number = number::remote(&gate);
    let before = resident_kib()?;
    let refs: Vec<ObjectRef<()>> = (0..COUNT as u64)
        .map(|n| if for_argument { nothing::remote(&number) } else { nothing::remote(n) })
        .collect();
    let after = resident_kib()?;
    ensure!(runtime.task_count() == COUNT + 2, "{} tasks wait", runtime.task_count());
    drop(closed);
    raytree::get_all(refs).get()?;
    drop(here);
    runtime.shutdown();
    Ok((after - before) * 1024.0 / COUNT as f64)
}

#[remote]
fn number(_: ()) -> u64 {
    1
}

/// The same of tokio tasks.
pub(crate) fn bare() -> Result<f64> {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    let (open, gate) = watch::channel(false);
    let before = resident_kib()?;
    let wait = |n: u64| {
        let mut gate = gate.clone();
        tokio.spawn(async move { gate.wait_for(|open| *open).await.map(|_| n).unwrap_or(n) })
    };
    let tasks: Vec<_> = (0..COUNT as u64).map(wait).collect();
    let after = resident_kib()?;
    open.send(true)?;
    tokio.block_on(async {
        for task in tasks {
            task.await?;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    Ok((after - before) * 1024.0 / COUNT as f64)
}

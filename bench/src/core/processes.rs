//! What a process of its own costs a task.

use std::time::Duration;

use anyhow::{Result, ensure};
use raytree::prelude::*;

use super::Sides;
use crate::child::Role;
use crate::report::{Report, time};

#[remote(isolated)]
fn square(x: u64) -> u64 {
    x * x
}

/// One task after the other, each in a process of its own; the floor is this program, started to print a number.
pub(super) fn isolated(report: &mut Report) -> Result<()> {
    let runtime = raytree::init().cpus(1.0).threads(1).start()?;
    let here = runtime.enter();
    let mut sides = Sides::default();
    for x in 0..report.repeats(41) as u64 {
        let (took, squared) = time(|| square::remote(x).get());
        ensure!(squared? == x * x, "a wrong square");
        sides.ours.push(took.as_secs_f64() * 1e3);
        let (took, printed) = time(|| Role::Bare.measure(1, Duration::from_secs(60)));
        printed?;
        sides.bare.push(took.as_secs_f64() * 1e3);
    }
    drop(here);
    runtime.shutdown();
    sides.report(report, "isolated_task", "ms");
    Ok(())
}

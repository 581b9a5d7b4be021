//! Methods of actors, called through their handles.

use anyhow::Result;
use raytree::prelude::*;

use super::Sides;
use crate::actors::{WINDOW, echo_rate, on_tokio};
use crate::report::{Report, now};

/// Gives back what it gets.
pub(crate) struct Parrot;

#[remote]
impl Parrot {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn say(&mut self, value: u64) -> u64 {
        value
    }
}

/// Calls under way at once from one task on the user threads; the floor is a tokio task behind a bounded channel, with
/// a oneshot a call.
pub(super) fn throughput_async(report: &mut Report) -> Result<()> {
    let (repeats, calls) = (report.repeats(15), report.size(200_000) / WINDOW * WINDOW);
    let mut sides = Sides::default();
    for _ in 0..repeats {
        sides.ours.push(on_runtime(2, calls, WINDOW)?);
        let bare = on_tokio(2, move |to| async move { echo_rate(&to, calls, WINDOW).await })?;
        sides.bare.push(bare);
    }
    sides.report(report, "actor_method_throughput_async", "/s");
    Ok(())
}

/// One call after the other, from a task beside the actor on one thread; the floor is the same without a framework.
pub(super) fn throughput_sync(report: &mut Report) -> Result<()> {
    let (repeats, calls) = (report.repeats(15), report.size(100_000));
    let mut sides = Sides::default();
    for _ in 0..repeats {
        sides.ours.push(on_runtime(1, calls, 1)?);
        let bare = on_tokio(1, move |to| async move { echo_rate(&to, calls, 1).await })?;
        sides.bare.push(bare);
    }
    sides.report(report, "actor_method_throughput_sync", "/s");
    Ok(())
}

/// Calls a second, with so many under way at once.
fn on_runtime(threads: usize, calls: usize, window: usize) -> Result<f64> {
    let runtime = raytree::init().threads(threads).start()?;
    let here = runtime.enter();
    let parrot = Parrot::remote();
    runtime.block_on(parrot.ready())?;
    let all = async move {
        let start = now();
        let mut answers = Vec::with_capacity(window);
        for _ in 0..calls / window {
            answers.extend((0..window as u64).map(|n| parrot.say(n)));
            for answer in answers.drain(..) {
                answer.await?;
            }
        }
        Ok::<_, raytree::Error>(calls as f64 / start.elapsed().as_secs_f64())
    };
    let rate = runtime.block_on(runtime.tokio().spawn(all))??;
    drop(here);
    runtime.shutdown();
    Ok(rate)
}

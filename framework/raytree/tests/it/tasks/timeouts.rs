//! Time: limits of one run, and of the wait before the first.

use std::time::Duration;

use raytree::prelude::*;
use raytree::{Error, Result};

use super::gate::*;
use crate::support::until;

/// Short enough for a test, long enough that a body begins before; nothing measures it.
const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(3600);

#[remote(timeout = "30ms")]
async fn async_body(gate: Gate, value: Counted) -> u64 {
    gate.pass().await;
    drop(value);
    1
}

#[remote(timeout = "30ms")]
fn sync_body(gate: Gate, value: Counted) -> Counted {
    gate.pass_blocking();
    value
}

#[remote]
fn waits(x: u64) -> u64 {
    x
}

#[remote]
async fn pass(gate: Gate) -> u64 {
    gate.pass().await;
    1
}

#[remote]
fn third_run_is_quick(gate: Gate, ctx: &TaskContext) -> Result<u32, String> {
    gate.change(|book| book.begun += 1);
    if ctx.run() < 2 { Err("again".to_owned()) } else { Ok(ctx.run()) }
}

#[raytree::test(strict = false)]
async fn an_async_body_that_takes_too_long_is_dropped() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let (gate, values) = (Gate::new(), Gate::new());
        let error = async_body::remote(gate, Counted::new(values)).await.unwrap_err();
        assert_eq!(error, Error::Timeout { what: "async_body".to_owned(), after: SHORT });
        gate.until(|book| book.left == 1).await;
        values.until(|book| book.freed == book.made).await;
        at_rest(&runtime).await;
        assert_eq!(gate.book().begun, 1, "not retried");
        Ok(())
    })
    .await
}

#[raytree::test(strict = false)]
async fn sync_code_that_takes_too_long_is_abandoned_and_its_cpu_stays_charged() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let (gate, values) = (Gate::new(), Gate::new());
        let error = sync_body::remote(gate, Counted::new(values)).await.unwrap_err();
        assert_eq!(error, Error::Timeout { what: "sync_body".to_owned(), after: SHORT });
        assert_eq!((runtime.abandoned_tasks(), runtime.task_count()), (1, 0));
        assert_eq!(runtime.available_resources(), Resources::cpus(1.0), "it runs on");
        assert_eq!(gate.book().inside, 1);
        gate.open();
        at_rest(&runtime).await;
        assert_eq!(values.book().freed, values.book().made, "its result is discarded");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn time_in_line_is_not_running_time_and_running_time_is_not_time_in_line() -> Result<()> {
    within(async {
        let (gate, arg) = (Gate::new(), pass::remote(Gate::new()));
        // It waits for its argument, which takes as long as it likes.
        let limited = waits::with(TaskOptions::new().timeout(SHORT));
        let slow = pass::with(TaskOptions::new().cpus(0.0)).remote(gate);
        let late = limited.remote(&slow);
        let expired = waits::with(TaskOptions::new().queue_timeout(SHORT)).remote(&arg);
        let error = expired.await.unwrap_err();
        assert_eq!(error, Error::QueueTimeout { task: "waits".to_owned(), after: SHORT });
        assert!(!late.is_ready(), "time in line does not count as running");
        gate.open();
        assert_eq!(late.await?, 1);
        // One that begins in time may run longer.
        let gate = Gate::new();
        let running = pass::with(TaskOptions::new().queue_timeout(SHORT)).remote(gate);
        gate.begun(1).await;
        let expired = waits::with(TaskOptions::new().queue_timeout(SHORT)).remote(&arg);
        assert!(expired.await.is_err(), "by now the other's time would be over, too");
        assert!(!running.is_ready());
        gate.open();
        assert_eq!(running.await?, 1);
        arg.cancel();
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_task_that_waits_for_resources_expires_too() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        for cpus in [1.0, 2.0, 0.5] {
            let gate = Gate::new();
            let holders: Vec<_> = (0..2).map(|_| pass::remote(gate)).collect();
            gate.begun(2).await;
            let options = TaskOptions::new().cpus(cpus).queue_timeout(SHORT);
            let error = waits::with(options).remote(1).await.unwrap_err();
            assert!(matches!(error, Error::QueueTimeout { .. }), "{error}");
            gate.open();
            raytree::get_all(holders).await?;
            at_rest(&runtime).await;
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn each_run_has_its_own_time() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let options = TaskOptions::new().timeout(LONG).queue_timeout(LONG).retry_errors(3);
        assert_eq!(third_run_is_quick::with(options).remote(gate).await?, 2);
        assert_eq!(gate.book().begun, 3);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_reader_may_give_up_without_ending_the_task() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let slow = pass::remote(gate);
        let error = slow.clone().timeout(SHORT).await.unwrap_err();
        assert!(matches!(&error, Error::Timeout { after, .. } if *after == SHORT), "{error}");
        gate.open();
        assert_eq!(slow.timeout(LONG).await?, 1);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn many_abandoned_bodies_are_counted_until_they_end() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let (gate, values) = (Gate::new(), Gate::new());
        let free = TaskOptions::new().cpus(0.0);
        let refs: Vec<_> = (0..12)
            .map(|_| sync_body::with(free.clone()).remote(gate, Counted::new(values)))
            .collect();
        for reference in refs {
            assert!(matches!(reference.await, Err(Error::Timeout { .. })));
        }
        assert_eq!(runtime.abandoned_tasks(), gate.book().inside);
        gate.open();
        until(|| runtime.abandoned_tasks() == 0).await;
        at_rest(&runtime).await;
        Ok(())
    })
    .await
}

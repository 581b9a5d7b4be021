//! Options: what overrides what, what can never run, how amounts are shared.

use std::time::Duration;

use raytree::prelude::*;
use raytree::{Error, Result};

use super::gate::*;

#[remote]
fn pass(gate: Gate) -> String {
    gate.pass_blocking();
    TaskContext::current().resources().to_string()
}

#[remote(cpus = 0.5, gpus = 0.25, name = "attribute", retry_errors = 1, resources(disk = 2))]
fn holds(ctx: &TaskContext) -> (String, Option<String>) {
    (ctx.resources().to_string(), ctx.name())
}

#[remote(retry_errors = 1)]
fn fails_once(ctx: &TaskContext) -> Result<Option<String>, String> {
    if ctx.run() == 0 { Err("once".to_owned()) } else { Ok(ctx.name()) }
}

#[raytree::test(gpus = 1, resources(disk = 4))]
async fn with_overrides_only_what_it_sets() -> Result<()> {
    within(async {
        let base = holds::remote().await?;
        assert_eq!(base, ("0.5 CPU, 0.25 GPU, 2 disk".to_owned(), Some("attribute".to_owned())));
        let more = TaskOptions::new().cpus(2.0).timeout(Duration::from_secs(3600));
        let (held, name) = holds::with(more).remote().await?;
        assert_eq!(
            (held.as_str(), name.as_deref()),
            ("2 CPU, 0.25 GPU, 2 disk", Some("attribute"))
        );
        let (held, name) = holds::with(TaskOptions::new().gpus(0.0))
            .with(TaskOptions::new().name("x"))
            .remote()
            .await?;
        assert_eq!((held.as_str(), name.as_deref()), ("0.5 CPU, 2 disk", Some("x")));
        // What the attribute says of retries stays, too.
        let named = fails_once::with(TaskOptions::new().name("named")).remote().await?;
        assert_eq!(named.as_deref(), Some("named"));
        let never = fails_once::with(TaskOptions::new().retry_errors(0).name("named")).remote();
        assert_eq!(never.await.unwrap_err().to_string(), "named failed: once");
        Ok(())
    })
    .await
}

/// Of `tasks` tasks with `options` exactly `at_once` run together; then all others do.
async fn share(tasks: usize, at_once: usize, options: TaskOptions) -> Result<()> {
    let runtime = raytree::current()?;
    let gate = Gate::new();
    let refs: Vec<_> = (0..tasks).map(|_| pass::with(options.clone()).remote(gate)).collect();
    gate.begun(at_once).await;
    // Whoever could still begin would have to be granted something that is not there.
    assert_eq!(runtime.running_tasks(), at_once);
    assert_eq!(runtime.task_count(), tasks);
    assert!(!runtime.available_resources().covers(&options.demand()));
    gate.open();
    raytree::get_all(refs).await?;
    let book = gate.book();
    assert!(book.peak <= at_once, "{} ran at once", book.peak);
    assert_eq!(book.begun, tasks);
    at_rest(&runtime).await;
    Ok(())
}

#[raytree::test(cpus = 8, resources(special_hardware = 4))]
async fn of_eight_that_need_one_of_four_never_more_than_four_run() -> Result<()> {
    within(share(8, 4, TaskOptions::new().resource("special_hardware", 1.0))).await
}

#[raytree::test(cpus = 8, resources(special_hardware = 4))]
async fn a_custom_resource_without_cpus() -> Result<()> {
    within(share(8, 4, TaskOptions::new().cpus(0.0).resource("special_hardware", 1.0))).await
}

#[raytree::test(gpus = 1)]
async fn fractions_share_a_gpu() -> Result<()> {
    within(share(9, 4, TaskOptions::new().cpus(0.0).gpus(0.25))).await
}

#[raytree::test]
async fn fractions_share_a_cpu() -> Result<()> {
    within(share(9, 4, TaskOptions::new().cpus(0.5))).await?;
    within(share(9, 6, TaskOptions::new().cpus(0.333))).await?;
    within(share(4, 2, TaskOptions::new())).await?;
    within(share(3, 1, TaskOptions::new().cpus(1.5))).await?;
    within(share(3, 1, TaskOptions::new().cpus(2.0))).await
}

#[raytree::test]
async fn what_can_never_run_is_said_at_once() -> Result<()> {
    within(async {
        let gate = Gate::new();
        for (options, asked) in [
            (TaskOptions::new().cpus(2.001), "2.001 CPU"),
            (TaskOptions::new().gpus(1.0), "1 CPU, 1 GPU"),
            (TaskOptions::new().cpus(0.0).resource("odd", 0.5), "0.5 odd"),
        ] {
            let reference = pass::with(options.name("large")).remote(gate);
            assert!(reference.is_ready(), "at once");
            assert_eq!(
                reference.await.unwrap_err().to_string(),
                format!("large asks for {asked}, but there is only 2 CPU in all")
            );
        }
        let waits = pass::with(TaskOptions::new().cpus(9.0)).submit(gate).await?;
        assert!(matches!(waits.await, Err(Error::Infeasible { .. })));
        assert_eq!((gate.book().begun, raytree::current()?.task_count()), (0, 0));
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 0.5)]
async fn a_plain_task_does_not_fit_half_a_cpu() -> Result<()> {
    within(async {
        let gate = Gate::new();
        gate.open();
        assert!(matches!(pass::remote(gate).await, Err(Error::Infeasible { .. })));
        assert_eq!(pass::with(TaskOptions::new().cpus(0.5)).remote(gate).await?, "0.5 CPU");
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn bad_numbers_point_at_the_callers_line() -> Result<()> {
    within(async {
        let line = line!() + 2;
        let bad = [
            TaskOptions::new().cpus(-1.0),
            TaskOptions::new().gpus(f64::INFINITY),
            TaskOptions::new().resource("disk", f64::NAN),
            TaskOptions::new().window(0),
            TaskOptions::new().name("a/b"),
        ];
        for (index, options) in bad.into_iter().enumerate() {
            let error = pass::with(options).remote(Gate::new()).await.unwrap_err();
            let place = format!("options.rs:{}", line as usize + index);
            assert_eq!(error.code(), "RT0004");
            assert!(error.to_string().contains(&place), "{error}, not {place}");
        }
        Ok(())
    })
    .await
}

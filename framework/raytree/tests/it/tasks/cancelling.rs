//! Cancellation: of tasks in every state, of what they started, and of what they start afterwards.

use raytree::prelude::*;
use raytree::{Error, Result};

use super::gate::*;
use crate::support::until;

#[remote]
async fn pass(gate: Gate) -> u64 {
    gate.pass().await;
    1
}

#[remote]
fn pass_sync(gate: Gate) -> u64 {
    gate.pass_blocking();
    1
}

#[remote]
fn value(x: u64, ran: Gate) -> u64 {
    ran.change(|book| book.begun += 1);
    x
}

#[remote]
fn polite(gate: Gate, ended: Gate, ctx: &TaskContext) -> Result<u64> {
    let _inside = ended.enter();
    gate.pass_blocking();
    ctx.check_cancelled()?;
    ended.open();
    Ok(1)
}

/// A tree: every node starts two children and waits for them.
#[remote(cpus = 0)]
async fn tree(depth: u32, gate: Gate) -> Result<u64> {
    if depth == 0 {
        gate.pass().await;
        return Ok(1);
    }
    let _inside = gate.enter();
    let (a, b) = (tree::remote(depth - 1, gate), tree::remote(depth - 1, gate));
    Ok(a.await? + b.await?)
}

/// Starts a child that goes on, and waits for it.
#[remote]
async fn parent(gate: Gate) -> Result<u64> {
    let _inside = gate.enter();
    pass::remote(gate).await
}

/// Starts children after it was cancelled.
#[remote]
fn starts_late(gate: Gate, ran: Gate, ended: Gate) -> Vec<String> {
    gate.pass_blocking();
    let child = value::remote(1, ran);
    let told = child.get().expect_err("it was given up").to_string();
    ended.open();
    vec![told]
}

/// Starts one child after another until it is ended.
#[remote(cpus = 0)]
fn brood(depth: u32, gate: Gate, ctx: &TaskContext) {
    let _inside = gate.enter();
    while !ctx.is_cancelled() {
        if depth == 0 || gate.book().made > 150 {
            break;
        }
        gate.change(|book| book.made += 1);
        _ = brood::remote(depth - 1, gate);
        std::thread::yield_now();
    }
    gate.await_blocking(|book| book.open);
}

fn cancelled(task: &str) -> Error {
    Error::Cancelled { task: task.to_owned() }
}

#[raytree::test]
async fn one_that_waits_for_its_arguments_never_runs() -> Result<()> {
    within(async {
        let (gate, ran) = (Gate::new(), Gate::new());
        let slow = pass::remote(gate);
        let waiting = value::remote(&slow, ran);
        waiting.cancel();
        assert_eq!((&waiting).await, Err(cancelled("value")));
        assert!(!slow.is_ready(), "what it waits for goes on");
        gate.open();
        assert_eq!(slow.await?, 1);
        at_rest(&raytree::current()?).await;
        assert_eq!(ran.book().begun, 0);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn one_that_waits_for_resources_never_runs() -> Result<()> {
    within(async {
        for cpus in [1.0, 2.0, 0.5] {
            let (gate, ran) = (Gate::new(), Gate::new());
            let holders: Vec<_> = (0..2).map(|_| pass_sync::remote(gate)).collect();
            gate.begun(2).await;
            let waiting = value::with(TaskOptions::new().cpus(cpus)).remote(1, ran);
            waiting.cancel();
            assert_eq!(waiting.await, Err(cancelled("value")));
            gate.open();
            raytree::get_all(holders).await?;
            at_rest(&raytree::current()?).await;
            assert_eq!(ran.book().begun, 0);
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_running_async_body_is_dropped_at_its_next_await() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let running = pass::remote(gate);
        gate.begun(1).await;
        running.cancel();
        assert_eq!((&running).await, Err(cancelled("pass")));
        gate.until(|book| book.left == 1).await;
        at_rest(&raytree::current()?).await;
        // Again, and of one that has ended: nothing.
        running.cancel();
        assert_eq!(running.await, Err(cancelled("pass")));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn sync_code_hears_of_it_when_it_asks() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let (gate, ended) = (Gate::new(), Gate::new());
        let running = polite::remote(gate, ended);
        gate.begun(1).await;
        running.cancel();
        assert_eq!(running.await, Err(cancelled("polite")));
        assert_eq!(runtime.abandoned_tasks(), 1);
        gate.open();
        ended.until(|book| book.left == 1).await;
        assert!(!ended.book().open, "it ended at the check");
        at_rest(&runtime).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn cancelling_what_has_a_value_does_nothing() -> Result<()> {
    within(async {
        let done = value::remote(1, Gate::new());
        until(|| done.is_ready()).await;
        done.cancel();
        done.cancel_only();
        assert_eq!(done.await?, 1);
        let put = raytree::put(1).await?;
        put.cancel();
        assert_eq!(put.await?, 1);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn with_the_root_the_whole_tree_ends() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let root = tree::remote(6, gate);
        gate.begun(127).await;
        root.cancel();
        assert_eq!(root.await, Err(cancelled("tree")));
        gate.until(|book| book.inside == 0).await;
        at_rest(&raytree::current()?).await;
        assert_eq!(gate.book().begun, 127, "nothing new began");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn cancel_only_spares_what_it_started() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let gate = Gate::new();
        let root = parent::remote(gate);
        gate.begun(2).await;
        root.cancel_only();
        assert_eq!(root.await, Err(cancelled("parent")));
        gate.until(|book| book.left == 1).await;
        assert_eq!((runtime.task_count(), gate.book().inside), (1, 1), "the child runs");
        gate.open();
        at_rest(&runtime).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn what_a_cancelled_body_starts_does_not_run() -> Result<()> {
    within(async {
        let (gate, ran, ended) = (Gate::new(), Gate::new(), Gate::new());
        let root = starts_late::remote(gate, ran, ended);
        gate.begun(1).await;
        root.cancel();
        gate.open();
        ended.until(|book| book.open).await;
        at_rest(&raytree::current()?).await;
        assert_eq!(ran.book().begun, 0);
        assert_eq!(root.await, Err(cancelled("starts_late")));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn nobody_escapes_who_is_born_while_the_tree_ends() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        for _ in 0..30 {
            let gate = Gate::new();
            let root = brood::remote(3, gate);
            gate.begun(10).await;
            root.cancel();
            // Whoever is still wanted would be neither given up nor gone.
            until(|| runtime.task_count() == 0).await;
            gate.open();
            at_rest(&runtime).await;
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn cancelling_from_many_threads_resolves_once() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        for round in 0..200 {
            let (gate, ran) = (Gate::new(), Gate::new());
            gate.open();
            let reference = if round % 2 == 0 { pass::remote(gate) } else { value::remote(1, ran) };
            let others: Vec<_> = (0..3)
                .map(|_| {
                    let reference = reference.clone();
                    std::thread::spawn(move || reference.cancel())
                })
                .collect();
            others.into_iter().for_each(|other| other.join().expect("no panic"));
            match reference.await {
                Ok(1) | Err(Error::Cancelled { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
        at_rest(&runtime).await;
        Ok(())
    })
    .await
}

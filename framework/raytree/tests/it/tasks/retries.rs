//! Retries: how often a body is run, after what, and with which arguments.

use raytree::prelude::*;
use raytree::{Error, Result};
use serde::{Deserialize, Serialize};

use super::gate::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("try again")]
struct Again;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("do not try again")]
struct Never;

/// What a run is to do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Act {
    Again,
    Never,
    Panic,
    Return,
}

/// Each run does the next act of the script, and says which run it was.
#[remote]
fn script(acts: Vec<Act>, runs: Gate, ctx: &TaskContext) -> Result<u32, BoxError> {
    let _inside = runs.enter();
    play(&acts, ctx)
}

#[remote]
async fn script_async(acts: Vec<Act>, runs: Gate, ctx: &TaskContext) -> Result<u32, BoxError> {
    let _inside = runs.enter();
    tokio::task::yield_now().await;
    play(&acts, ctx)
}

fn play(acts: &[Act], ctx: &TaskContext) -> Result<u32, BoxError> {
    match acts.get(ctx.run() as usize).copied().unwrap_or(Act::Return) {
        Act::Again => Err(Box::new(Again)),
        Act::Never => Err(Box::new(Never)),
        Act::Panic => panic!("on purpose"),
        Act::Return => Ok(ctx.run()),
    }
}

#[remote(retry_on(Again), retry_errors = 5)]
fn only_again(acts: Vec<Act>, runs: Gate, ctx: &TaskContext) -> Result<u32, Again> {
    let _inside = runs.enter();
    match acts.get(ctx.run() as usize).copied().unwrap_or(Act::Return) {
        Act::Again => Err(Again),
        Act::Panic => panic!("on purpose"),
        _ => Ok(ctx.run()),
    }
}

#[remote(retry_on(Again))]
fn other_error(runs: Gate) -> Result<u32, Never> {
    let _inside = runs.enter();
    Err(Never)
}

#[remote(retry_errors = 2)]
fn consumes(
    mut value: Vec<u64>,
    put: Vec<u64>,
    list: Vec<u64>,
    lent: &[u64],
    ctx: &TaskContext,
) -> Result<u64, BoxError> {
    let sum = value.drain(..).chain(put).chain(list).chain(lent.iter().copied()).sum();
    if ctx.run() < 2 { Err(Box::new(Again)) } else { Ok(sum) }
}

#[remote]
fn number(x: u64) -> u64 {
    x
}

#[remote(retry_errors = 3)]
fn some_then_fails(runs: Gate) -> impl Iterator<Item = Result<u64, Again>> {
    let _inside = runs.enter();
    [Ok(1), Ok(2), Err(Again)].into_iter()
}

fn again(retries: u32) -> TaskOptions {
    TaskOptions::new().retry_errors(retries)
}

#[raytree::test]
async fn tk_3_errors_and_panics_are_retried_so_often_and_no_oftener() -> Result<()> {
    within(async {
        use Act::{Again as A, Panic as P};
        for (retries, acts, runs, good) in [
            (0, vec![A], 1, false),
            (1, vec![A], 2, true),
            (1, vec![P], 2, true),
            (2, vec![A, P], 3, true),
            (2, vec![P, A, A], 3, false),
            (2, vec![P, A, P], 3, false),
            (4, vec![A, A, A], 4, true),
        ] {
            for task in [script::task(), script_async::task()] {
                let gate = Gate::new();
                let result = task.with(again(retries)).remote(acts.clone(), gate).await;
                assert_eq!(result.is_ok(), good, "{acts:?}: {result:?}");
                assert_eq!((gate.book().begun, gate.book().peak), (runs, 1), "{acts:?}: TK-2");
                if let Ok(run) = result {
                    assert_eq!(run as usize, runs - 1);
                }
            }
        }
        at_rest(&raytree::current()?).await;
        assert_eq!(raytree::current()?.lost_errors(), 0);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn without_a_word_nothing_is_retried() -> Result<()> {
    within(async {
        let gate = Gate::new();
        assert!(script::remote(vec![Act::Again], gate).await.is_err());
        assert!(
            script::with(TaskOptions::new().retries(9))
                .remote(vec![Act::Panic], gate)
                .await
                .is_err()
        );
        assert_eq!(gate.book().begun, 2);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn retry_on_retries_that_error_alone() -> Result<()> {
    within(async {
        let gate = Gate::new();
        assert_eq!(only_again::remote(vec![Act::Again, Act::Again], gate).await?, 2);
        assert_eq!(gate.book().begun, 3);
        let gate = Gate::new();
        let error = only_again::remote(vec![Act::Again, Act::Panic], gate).await.unwrap_err();
        assert!(error.to_string().contains("on purpose"), "{error}");
        assert_eq!(gate.book().begun, 2, "a panic is not an `Again`");
        let gate = Gate::new();
        let error = other_error::remote(gate).await.unwrap_err();
        assert_eq!(error.downcast::<Never>(), Some(Never));
        assert_eq!(gate.book().begun, 1, "another error");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn arguments_are_there_again_at_each_run() -> Result<()> {
    within(async {
        let put = raytree::put(vec![20]).await?;
        let list = vec![number::remote(100), number::remote(200)];
        assert_eq!(consumes::remote(vec![1], put, list, vec![3]).await?, 324);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_cancelled_task_is_not_retried() -> Result<()> {
    within(async {
        let (gate, runs) = (Gate::new(), Gate::new());
        let reference = held_then_fails::with(again(5)).remote(gate, runs);
        gate.begun(1).await;
        reference.cancel();
        assert!(matches!(reference.await, Err(Error::Cancelled { .. })));
        gate.open();
        runs.until(|book| book.left == 1).await;
        at_rest(&raytree::current()?).await;
        assert_eq!(gate.book().begun, 1, "TK-4");
        Ok(())
    })
    .await
}

#[remote]
fn held_then_fails(gate: Gate, runs: Gate) -> Result<u64, Again> {
    let _inside = runs.enter();
    gate.pass_blocking();
    Err(Again)
}

#[raytree::test]
async fn a_stream_is_never_begun_twice() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let mut stream = some_then_fails::remote(gate);
        assert_eq!((stream.next().await, stream.next().await), (Some(Ok(1)), Some(Ok(2))));
        let last = stream.next().await.expect("its failure").unwrap_err();
        assert_eq!(last.downcast::<Again>(), Some(Again));
        assert_eq!(stream.next().await, None);
        assert_eq!(gate.book().begun, 1, "its items had been read");
        Ok(())
    })
    .await
}

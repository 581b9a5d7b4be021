//! Submission, chains, and how arguments reach a body.

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use raytree::prelude::*;
use raytree::{Error, Result};
use serde::{Deserialize, Serialize};

use super::gate::*;

#[remote]
fn nothing() {}

#[remote]
fn next(x: u64) -> u64 {
    x + 1
}

#[remote]
async fn next_async(x: u64) -> u64 {
    x + 1
}

#[remote]
fn sum(values: Vec<u64>) -> u64 {
    values.iter().sum()
}

#[remote]
fn sum_lent(values: &[u64], more: &u64, text: &str, shared: Shared<Vec<u64>>) -> u64 {
    values.iter().sum::<u64>() + more + text.len() as u64 + shared.len() as u64
}

#[remote]
fn broken() -> Result<u64, String> {
    Err("broken".to_owned())
}

#[remote]
fn is_ready(reference: ObjectRef<u64>, gate: Gate) -> bool {
    let ready = reference.is_ready();
    gate.open();
    ready
}

#[remote]
async fn pass(gate: Gate) -> u64 {
    gate.pass().await;
    7
}

/// It cannot be cloned without notice.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Single(Vec<u64>);

impl Clone for Single {
    fn clone(&self) -> Self {
        panic!("it was cloned")
    }
}

#[remote]
fn single(x: u64) -> Single {
    Single(vec![x])
}

#[remote]
fn single_by_value(single: Single) -> Single {
    single
}

#[remote]
async fn single_async(single: Single) -> u64 {
    tokio::task::yield_now().await;
    single.0.iter().sum()
}

#[remote]
fn single_lent(single: &Single, again: Shared<Single>, slice: &[Single]) -> u64 {
    single.0.iter().chain(&again.0).sum::<u64>() + slice.len() as u64
}

#[raytree::test]
async fn ten_thousand_tasks_all_run() -> Result<()> {
    within(async {
        let refs: Vec<_> = (0..10_000).map(|_| nothing::remote()).collect();
        assert_eq!(raytree::get_all(refs).await?.len(), 10_000);
        let refs: Vec<_> = (0..10_000).map(next::remote).collect();
        let numbers = raytree::get_all(&refs).await?;
        assert!(numbers.iter().enumerate().all(|(i, n)| *n == i as u64 + 1));
        assert_eq!(sum::remote(refs).await?, (1..=10_000).sum::<u64>());
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn chains_of_tasks_pass_their_values_on() -> Result<()> {
    within(async {
        let mut last = next::remote(0);
        for _ in 0..999 {
            last = next::remote(last);
        }
        assert_eq!(last.await?, 1000);
        let mut last = next_async::remote(0);
        for step in 0..999 {
            last = if step % 2 == 0 { next::remote(&last) } else { next_async::remote(&last) };
        }
        assert_eq!(last.await?, 1000);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_failure_at_the_head_of_a_long_chain_reaches_its_end() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let head = pass::remote(gate);
        let mut last = next::remote(&head);
        for _ in 0..50_000 {
            last = next::remote(last);
        }
        head.cancel();
        assert_eq!(last.await, Err(Error::Cancelled { task: "pass".to_owned() }));
        let mut last = broken::remote();
        for _ in 0..50_000 {
            last = next::remote(last);
        }
        assert_eq!(last.await.unwrap_err().to_string(), "broken failed: broken");
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn references_inside_arguments_stay_references() -> Result<()> {
    within(async {
        let (closed, told) = (Gate::new(), Gate::new());
        let pending = pass::remote(closed);
        let saw = is_ready::remote(&pending, told);
        // It ran although what its argument refers to is not there.
        told.until(|book| book.open).await;
        assert!(!saw.await?);
        closed.open();
        assert_eq!(pending.await?, 7);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn arguments_may_be_values_references_and_lists_of_references() -> Result<()> {
    within(async {
        let one = next::remote(0);
        let (a, b) = (next::remote(&one), next::remote(one.clone()));
        assert_eq!(sum::remote(vec![a.clone(), b.clone(), one]).await?, 5);
        assert_eq!(sum::remote(&[a.clone(), b][..]).await?, 4);
        assert_eq!(sum::remote(vec![1, 2]).await?, 3);
        let list = raytree::put(vec![1, 2, 3]).await?;
        assert_eq!(sum_lent::remote(&list, a, "four", list.shared().await?).await?, 15);
        Ok(())
    })
    .await
}

async fn lent_is_never_cloned_and_the_last_holder_gives() -> Result<()> {
    let kept = single::remote(5);
    let list = vec![single::remote(1), single::remote(2)];
    assert_eq!(single_lent::remote(&kept, &kept, list).await?, 12);
    assert_eq!(kept.shared().await?.0, [5]);
    // By value, from the last holder, through a chain.
    let moved = single_by_value::remote(kept);
    let moved = single_by_value::remote(moved);
    assert_eq!(single_async::remote(moved).await?, 5);
    assert_eq!(single_async::remote(Single(vec![8])).await?, 8);
    let moved = raytree::put(Single(vec![1])).await?;
    assert_eq!(moved.await?, Single(vec![1]));
    // Somebody else holds it too: a clone, whose panic is the failure of the task that needs it.
    let kept = single::remote(5);
    let failed = single_by_value::remote(&kept).await.expect_err("it is held here");
    assert!(failed.to_string().contains("it was cloned"), "{failed}");
    assert_eq!(kept.await?.0, [5]);
    at_rest(&raytree::current()?).await;
    Ok(())
}

#[raytree::test(strict = false)]
async fn ob_3_lent_arguments_are_never_cloned() -> Result<()> {
    within(lent_is_never_cloned_and_the_last_holder_gives()).await
}

#[raytree::test]
async fn ob_3_nor_are_they_in_strict_mode() -> Result<()> {
    within(lent_is_never_cloned_and_the_last_holder_gives()).await
}

#[raytree::test]
async fn every_library_of_futures_takes_references() -> Result<()> {
    within(async {
        let all = join_all((0..100).map(next::remote)).await;
        assert!(all.into_iter().enumerate().all(|(i, n)| n == Ok(i as u64 + 1)));
        let mut some: FuturesUnordered<_> = (0..100).map(next_async::remote).collect();
        let mut total = 0;
        while let Some(one) = some.next().await {
            total += one?;
        }
        assert_eq!(total, 5050);
        let gate = Gate::new();
        let (slow, quick) = (pass::remote(gate), next::remote(1));
        tokio::select! {
            _ = &slow => panic!("its gate is closed"),
            two = quick => assert_eq!(two?, 2),
        }
        gate.open();
        assert_eq!(slow.await?, 7);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_task_is_a_value() -> Result<()> {
    within(async {
        let tasks: Vec<Task<(u64,), u64>> = vec![next::task(), next_async::task()];
        for task in &tasks {
            assert_eq!(task.remote(task.remote(1)).await?, 3);
            assert_eq!(task.submit(1).await?.await?, 2);
        }
        Ok(())
    })
    .await
}

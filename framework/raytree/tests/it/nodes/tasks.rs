//! Tasks on nodes.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use raytree::prelude::*;
use raytree::{Error, Result, get_all};

use super::{process, within};

#[remote]
fn square(x: u64) -> u64 {
    x * x
}

#[remote]
async fn sum(values: Vec<u64>) -> u64 {
    values.iter().sum()
}

#[remote]
fn fails(what: String) -> std::result::Result<u64, std::num::ParseIntError> {
    what.parse()
}

#[remote]
fn panics() {
    panic!("as it was told to");
}

#[remote]
fn length(bytes: Vec<u8>) -> usize {
    bytes.len()
}

#[remote]
fn bytes(length: usize) -> Vec<u8> {
    vec![7; length]
}

#[remote]
fn counts(to: u64) -> impl Iterator<Item = u64> {
    0..to
}

#[remote]
async fn forever() {
    std::future::pending::<()>().await;
}

/// A tree of tasks that wait for each other.
#[remote]
async fn tree(depth: u32) -> Result<u64> {
    if depth == 0 {
        return Ok(1);
    }
    let (left, right) = (tree::remote(depth - 1), tree::remote(depth - 1));
    Ok(left.await? + right.await?)
}

#[remote]
fn wide_process() -> u32 {
    std::process::id()
}

#[raytree::test(nodes = 2)]
async fn pe_2_a_program_runs_on_its_nodes_and_not_in_its_own_process() -> Result<()> {
    within(async {
        assert_eq!(square::remote(3).await?, 9);
        let squares: Vec<_> = (0..1000).map(square::remote).collect();
        assert_eq!(sum::remote(squares).await?, (0..1000u64).map(|x| x * x).sum::<u64>());
        let tasks: Vec<_> = (0..200).map(|_| process::remote()).collect();
        let processes: BTreeSet<u32> = get_all(tasks).await?.into_iter().collect();
        assert_eq!(processes.len(), 2, "{processes:?}");
        assert!(!processes.contains(&std::process::id()));
        let runtime = raytree::current()?;
        assert_eq!(runtime.cluster_resources().to_string(), "4 CPU");
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
fn synchronous_code_waits_for_nodes_too() -> Result<()> {
    assert_eq!(square::remote(square::remote(3)).get()?, 81);
    assert_eq!(tree::remote(5).get()?, 32);
    Ok(())
}

#[raytree::test(nodes = 2)]
async fn errors_and_panics_come_back_whole() -> Result<()> {
    within(async {
        let told = fails::remote("seven").await.unwrap_err();
        assert!(told.to_string().contains("invalid digit"), "{told}");
        let told = panics::remote().await.unwrap_err();
        let cause = told.cause().expect("a cause");
        assert_eq!(cause.message, "as it was told to");
        assert!(cause.place.as_ref().is_some_and(|place| place.contains("tasks.rs")), "{cause}");
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn large_values_go_there_and_back() -> Result<()> {
    within(async {
        let long = vec![1u8; 20 << 20];
        assert_eq!(length::remote(long).await?, 20 << 20);
        assert_eq!(bytes::remote(20usize << 20).await?, vec![7; 20 << 20]);
        // Many at once, more than a socket takes, both ways.
        let all: Vec<_> = (0..16).map(|_| length::remote(bytes::remote(1usize << 20))).collect();
        assert_eq!(get_all(all).await?, vec![1 << 20; 16]);
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn streams_come_item_by_item_and_wait_for_their_reader() -> Result<()> {
    within(async {
        let items: Vec<_> = counts::remote(1000).collect().await;
        let items = items.into_iter().collect::<Result<Vec<u64>>>()?;
        assert_eq!(items, (0..1000).collect::<Vec<_>>());
        let mut without_end = counts::with(TaskOptions::new().window(2)).remote(u64::MAX);
        assert_eq!(without_end.next().await.expect("an item")?, 0);
        drop(without_end);
        // Its place is free again.
        assert_eq!(square::remote(4).await?, 16);
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 1, cpus = 1)]
async fn a_task_that_nobody_wants_is_ended_there() -> Result<()> {
    within(async {
        let task = forever::remote();
        let other = task.clone();
        task.cancel();
        assert!(matches!(other.await, Err(Error::Cancelled { .. })));
        let limit = TaskOptions::new().timeout(Duration::from_millis(20));
        let told = forever::with(limit).remote().await.unwrap_err();
        assert!(matches!(told, Error::Timeout { .. }), "{told}");
        // The one CPU of the one node is free for this.
        assert_eq!(square::remote(4).await?, 16);
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 1, cpus = 1)]
async fn pe_2_a_seat_that_is_given_up_is_filled_again() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let (first, second) = (forever::remote(), forever::remote());
        // It waits in the line of this process.
        let waits = square::remote(5);
        first.cancel();
        second.cancel();
        assert_eq!(waits.await?, 25);
        // So does what comes after streams.
        let streams: Vec<_> = (0..3).map(|_| counts::remote(3)).collect();
        let after = square::remote(6);
        for stream in streams {
            assert_eq!(stream.collect::<Vec<_>>().await.len(), 3);
        }
        assert_eq!(after.await?, 36);
        while runtime.abandoned_tasks() > 0 {
            tokio::task::yield_now().await;
        }
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2, cpus = 2, resources(desk = 1))]
async fn what_needs_more_than_a_cpu_goes_where_it_fits() -> Result<()> {
    within(async {
        let wide = || wide_process::with(TaskOptions::new().cpus(2.0));
        let both: BTreeSet<u32> =
            get_all(vec![wide().remote(), wide().remote()]).await?.into_iter().collect();
        assert!(!both.contains(&std::process::id()));
        let desk = wide_process::with(TaskOptions::new().cpus(0.0).resource("desk", 1.0));
        assert_ne!(desk.remote().await?, std::process::id());
        let much = wide_process::with(TaskOptions::new().cpus(3.0)).remote().await.unwrap_err();
        assert!(matches!(much, Error::Infeasible { .. }), "{much}");
        Ok(())
    })
    .await
}

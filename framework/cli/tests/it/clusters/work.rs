//! What a program does with a cluster.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use raytree::prelude::*;
use raytree::{AbandonedThreads, Error, ExitKind, Result, get_all, put};

use super::support::{Cluster, Driver, of, parent, until};
use super::{Counter, CounterHandle, meets, process, square};

/// Has as many workers run something at once; says which.
fn everywhere(cluster: &Cluster, driver: &Driver, workers: usize) -> Vec<u32> {
    let folder = cluster.folder.path().join("everywhere");
    std::fs::create_dir(&folder).expect("a folder");
    let folder = folder.display().to_string();
    driver
        .run(async { get_all((0..workers).map(|_| meets::remote(folder.clone(), workers))).await })
}

#[test]
fn tasks_run_on_every_node_and_in_no_driver() {
    let cluster = of(tasks_run_on_every_node_and_in_no_driver).nodes(2).start();
    let driver = cluster.driver();
    let ran = everywhere(&cluster, &driver, 3);
    let squares = driver.run(async { get_all((0..1000).map(square::remote)).await });
    assert_eq!(squares, (0..1000).map(|x| x * x).collect::<Vec<_>>());
    let nodes: BTreeSet<u32> =
        cluster.nodes.iter().map(|node| node.pid()).chain([cluster.own_node()]).collect();
    let ran: BTreeSet<u32> = ran.into_iter().filter_map(parent).collect();
    assert_eq!(ran, nodes);
    let status = cluster.status();
    assert_eq!((status.jobs.len(), status.jobs[0].workers), (1, 3));
    drop(driver);
    cluster.until_free();
}

#[derive(Debug, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[error("{0} is odd")]
struct Odd(u64);

#[remote]
fn half(x: u64) -> Result<u64, Odd> {
    if x.is_multiple_of(2) { Ok(x / 2) } else { Err(Odd(x)) }
}

#[remote]
fn sum(values: &[u64]) -> u64 {
    values.iter().sum()
}

/// Adds up what other tasks give, wherever those run.
#[remote]
async fn sum_of_squares(to: u64) -> Result<u64> {
    Ok(get_all((0..to).map(square::remote)).await?.into_iter().sum())
}

#[remote]
fn downwards(from: u64) -> impl Iterator<Item = u64> {
    (0..from).rev()
}

#[remote]
async fn adds(counter: CounterHandle, times: u64) -> Result<u64> {
    let mut last = 0;
    for _ in 0..times {
        last = counter.add(1).await?;
    }
    Ok(last)
}

#[test]
fn objects_errors_streams_and_nested_tasks_are_what_they_are_anywhere() {
    let plan = of(objects_errors_streams_and_nested_tasks_are_what_they_are_anywhere);
    let cluster = plan.nodes(2).start();
    let driver = cluster.driver();
    driver.run(async {
        let large = put((0..1_000_000).collect::<Vec<u64>>()).await?;
        let sums = get_all((0..6).map(|_| sum::remote(&large))).await?;
        assert_eq!(sums, [499_999_500_000; 6]);
        assert_eq!(half::remote(half::remote(12)).await?, 3);
        let told = half::remote(7).await.unwrap_err();
        assert!(matches!(told, Error::TaskFailed { .. }) && told.downcast::<Odd>().is_some());
        let items: Vec<_> = downwards::remote(500).collect().await;
        let items = items.into_iter().collect::<Result<Vec<_>>>()?;
        assert_eq!(items, (0..500).rev().collect::<Vec<_>>());
        let nested = get_all((0..6).map(|_| sum_of_squares::remote(20))).await?;
        assert_eq!(nested, [2470; 6]);
        Ok(())
    });
}

#[test]
fn actors_live_on_nodes_and_are_called_from_everywhere() {
    let cluster = of(actors_live_on_nodes_and_are_called_from_everywhere).nodes(2).start();
    let driver = cluster.driver();
    everywhere(&cluster, &driver, 3);
    let lives = driver.run(async {
        let all: Vec<_> = (0..3).map(|_| Counter::remote(10)).collect();
        let answers = get_all((0..100).map(|_| all[0].add(1))).await?;
        assert_eq!(answers, (11..=110).collect::<Vec<_>>());
        assert_eq!(adds::remote(all[0].clone(), 50).await?, 160);
        assert_eq!(get_all(all.iter().map(|one| one.add(0))).await?, [160, 10, 10]);
        let items: Vec<_> = all[1].counts(20).collect().await;
        assert_eq!(items.len(), 10);
        get_all(all.iter().map(|one| one.process())).await
    });
    let lives: BTreeSet<u32> = lives.into_iter().filter_map(parent).collect();
    assert_eq!(lives.len(), 3, "one on each node");
}

#[remote(cpus = 0, resources(lens = 1))]
fn looks() -> u32 {
    std::process::id()
}

#[test]
fn a_resource_is_found_where_it_is() {
    let mut cluster = of(a_resource_is_found_where_it_is).start();
    cluster.join("observatory", &["--set", "node.resources=lens=2"]);
    let driver = cluster.driver();
    let ran = driver.run(async { get_all((0..10).map(|_| looks::remote())).await });
    let ran: BTreeSet<u32> = ran.into_iter().filter_map(parent).collect();
    assert_eq!(ran, BTreeSet::from([cluster.nodes[0].pid()]));
}

/// Hears of no cancel, and never ends.
#[remote(retries = 0, cpus = 0)]
fn parks(mark: String) -> u32 {
    std::fs::write(mark, "").expect("a file");
    loop {
        std::thread::park();
    }
}

#[test]
fn dr_1_a_worker_with_too_many_abandoned_threads_is_replaced() {
    let plan = of(dr_1_a_worker_with_too_many_abandoned_threads_is_replaced);
    let cluster = plan.set("node.abandoned_threads_max=1").start();
    let driver = cluster.driver();
    let first = driver.run(async { process::remote().await });
    let marks = cluster.folder.path();
    let exit = driver.run(async {
        let resident = Counter::with(ActorOptions::new().restarts(0)).remote(1);
        resident.ready().await?;
        let bodies: Vec<_> =
            ["one", "two"].map(|name| parks::remote(marks.join(name).display().to_string())).into();
        let all = ["one", "two"].map(|name| marks.join(name));
        let begun = move || until("two that park", || all.iter().all(|mark| mark.exists()));
        tokio::task::spawn_blocking(begun).await.expect("no panic");
        bodies.into_iter().for_each(|body| body.cancel());
        resident.exited().await
    });
    let ExitKind::HostDied(cause) = exit.kind else { panic!("{exit}") };
    assert!(cause.message.contains("was drained: 2 abandoned threads: parks (2)"), "{cause}");
    let threads: Option<AbandonedThreads> = cause.value();
    assert_eq!(threads.map(|threads| threads.count), Some(2));
    let again = driver.run(async { process::with(TaskOptions::new().retries(5)).remote().await });
    assert_ne!(again, first);
    assert_eq!(parent(again), Some(cluster.own_node()), "another one of the same node");
}

#[test]
fn a_node_that_comes_later_works_for_who_is_there() {
    let mut cluster = of(a_node_that_comes_later_works_for_who_is_there).start();
    let driver = cluster.driver();
    let own = driver.run(async { process::remote().await });
    assert_eq!(parent(own), Some(cluster.own_node()));
    cluster.join("late", &[]);
    let late = cluster.nodes[0].pid();
    until("work for the node that came late", || {
        let ran = driver.run(async { get_all((0..20).map(|_| process::remote())).await });
        ran.into_iter().any(|pid| parent(pid) == Some(late))
    });
}

//! Nodes that are lost.

use std::collections::BTreeSet;

use raytree::prelude::*;
use raytree::testing::TestCluster;
use raytree::{Result, get_all};

use super::{abort, lost, pid, process, within};

/// Ends its process in the first run, and answers in the second.
#[remote(retries = 1)]
fn second_time(context: &TaskContext, mark: String) -> u32 {
    _ = context;
    if std::fs::File::create_new(&mark).is_ok() {
        std::process::abort();
    }
    std::process::id()
}

#[remote]
async fn slow(gate: String) -> u32 {
    while !std::path::Path::new(&gate).exists() {
        tokio::task::yield_now().await;
    }
    std::process::id()
}

#[raytree::test(nodes = 2)]
async fn li_1_a_task_that_was_lost_with_its_node_runs_again_elsewhere() -> Result<()> {
    within(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mark = folder.path().join("mark").display().to_string();
        assert_ne!(second_time::remote(mark).await?, std::process::id());
        let once = TaskOptions::new().retries(0);
        let told = abort::with(once).remote().await.unwrap_err();
        assert!(lost(&told).contains("signal 6"), "{told}");
        Ok(())
    })
    .await
}

#[test]
fn a_node_that_was_killed_comes_back() -> Result<()> {
    let cluster = TestCluster::nodes(2)?;
    cluster.runtime().block_on(within(async {
        let folder = tempfile::tempdir().expect("a folder");
        let gate = folder.path().join("gate").display().to_string();
        let first: BTreeSet<u32> = get_all((0..50).map(|_| process::remote()).collect::<Vec<_>>())
            .await?
            .into_iter()
            .collect();
        let tasks: Vec<_> = (0..4).map(|_| slow::remote(gate.clone())).collect();
        assert_eq!(cluster.pids().into_iter().collect::<BTreeSet<_>>(), first);
        for at in 0..2 {
            assert!(first.contains(&cluster.kill(at)?));
        }
        std::fs::write(&gate, "").expect("a file");
        // What was lost runs again, in the processes that came in their places.
        let ends: BTreeSet<u32> = get_all(tasks).await?.into_iter().collect();
        assert!(ends.is_disjoint(&first), "{ends:?} {first:?}");
        let refused = cluster.kill(2).unwrap_err();
        assert!(matches!(refused, raytree::Error::BadOption { .. }), "{refused}");
        Ok(())
    }))
}

#[test]
fn pe_1_nm_1_a_node_that_is_frozen_is_fenced_and_replaced() -> Result<()> {
    let cluster = TestCluster::nodes(1)?;
    cluster.runtime().block_on(within(async {
        let id = process::remote().await?;
        assert_eq!(cluster.freeze(0)?, id);
        let other = process::remote().await?;
        assert_ne!(id, other);
        assert_eq!(cluster.node(0), Some(other));
        let gone = rustix::process::test_kill_process(pid(id));
        assert!(gone.is_err(), "the frozen one is dead before its work goes on elsewhere");
        Ok(())
    }))
}

#[test]
fn a_node_that_stood_still_for_a_moment_goes_on() -> Result<()> {
    let cluster = TestCluster::nodes(1)?;
    cluster.runtime().block_on(within(async {
        let id = process::remote().await?;
        cluster.freeze(0)?;
        let waits = process::remote();
        cluster.thaw(0)?;
        assert_eq!(waits.await?, id);
        Ok(())
    }))
}

#[raytree::test(nodes = 2)]
async fn a_mirror_that_panics_costs_its_node_and_nothing_else() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        assert_ne!(process::remote().await?, std::process::id());
        let mirror = runtime.probe("node_pool/node-1").expect("a mirror");
        mirror.panic_now();
        let tasks: Vec<_> = (0..100).map(|_| process::remote()).collect();
        get_all(tasks).await?;
        let restarted = || mirror.restarts() > 0;
        while !restarted() {
            tokio::task::yield_now().await;
        }
        Ok(())
    })
    .await
}

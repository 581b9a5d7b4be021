//! Nodes that are lost.

use std::collections::BTreeSet;

use raytree::prelude::*;
use raytree::{Result, get_all};

use super::{abort, freeze, lost, process, within};

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

#[raytree::test(nodes = 2)]
async fn a_node_that_was_killed_comes_back() -> Result<()> {
    within(async {
        let folder = tempfile::tempdir().expect("a folder");
        let gate = folder.path().join("gate").display().to_string();
        let first: BTreeSet<u32> = get_all((0..50).map(|_| process::remote()).collect::<Vec<_>>())
            .await?
            .into_iter()
            .collect();
        let tasks: Vec<_> = (0..4).map(|_| slow::remote(gate.clone())).collect();
        for id in &first {
            let id = rustix::process::Pid::from_raw(*id as i32).expect("a process");
            rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it lives");
        }
        std::fs::write(&gate, "").expect("a file");
        // What was lost runs again, in the processes that came in their places.
        let ends: BTreeSet<u32> = get_all(tasks).await?.into_iter().collect();
        assert!(ends.is_disjoint(&first), "{ends:?} {first:?}");
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 1)]
async fn pe_1_nm_1_a_node_that_is_frozen_is_fenced_and_replaced() -> Result<()> {
    within(async {
        let id = process::remote().await?;
        let pid = freeze(id).await;
        let other = process::remote().await?;
        assert_ne!(id, other);
        let gone = rustix::process::test_kill_process(pid);
        assert!(gone.is_err(), "the frozen one is dead before its work goes on elsewhere");
        Ok(())
    })
    .await
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

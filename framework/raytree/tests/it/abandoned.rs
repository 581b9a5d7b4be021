//! Abandoned threads: synchronous code that nobody waits for any more runs on. It is counted and shown, what it holds stays
//! held, and a node that has too much of it is replaced.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use raytree::prelude::*;
use raytree::{AbandonedThreads, Error, Result, Runtime, limits};
use tempfile::TempDir;

use crate::support::until;
use crate::tasks::gate::{Gate, at_rest, within};

const ONE_TOO_MANY: usize = limits::ABANDONED_THREADS_MAX + 1;

/// Hears of no cancel until its gate is open.
#[remote(retries = 0, cpus = 0)]
fn deaf(gate: Gate) {
    gate.pass_blocking();
}

/// Says that it has begun, and never ends.
fn hangs_for_ever(mark: &Path) -> ! {
    std::fs::write(mark, "").expect("a file");
    loop {
        std::thread::park();
    }
}

#[remote(retries = 0, cpus = 0)]
fn parks(mark: PathBuf) -> u32 {
    hangs_for_ever(&mark)
}

#[remote(retries = 0, cpus = 0)]
fn spins(mark: PathBuf) -> u32 {
    std::fs::write(&mark, "").expect("a file");
    loop {
        std::hint::spin_loop();
    }
}

/// With the one CPU of its node.
#[remote(retries = 0)]
fn parks_with_a_cpu(mark: PathBuf) -> u32 {
    hangs_for_ever(&mark)
}

#[remote(retries = 0)]
fn process() -> u32 {
    std::process::id()
}

/// Ends when the file is there, not before; once.
#[remote(retries = 0, cpus = 0)]
async fn slow(gate: PathBuf) -> u32 {
    while !gate.exists() {
        tokio::task::yield_now().await;
    }
    std::process::id()
}

struct Resident;

#[remote]
impl Resident {
    fn new() -> Self {
        Self
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    pub(crate) fn hangs(&mut self, gate: Gate) {
        gate.pass_blocking();
    }
}

/// What is said of a place in the tree.
fn remark(runtime: &Runtime, path: &str) -> Option<String> {
    runtime.tree().root.find(path).and_then(|place| place.remark.clone())
}

/// Has so many bodies begin and gives all of them up.
async fn abandons(number: usize, begin: impl Fn(PathBuf) -> ObjectRef<u32>) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let bodies: Vec<_> =
        (0..number).map(|number| begin(folder.path().join(number.to_string()))).collect();
    until(|| std::fs::read_dir(folder.path()).expect("a folder").count() == number).await;
    bodies.iter().for_each(|body| body.clone().cancel());
    for body in bodies {
        assert!(matches!(body.await, Err(Error::Cancelled { .. })));
    }
    folder
}

#[raytree::test]
async fn in_one_process_they_are_counted_and_shown_until_they_end() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let gate = Gate::new();
        let bodies: Vec<_> = (0..ONE_TOO_MANY).map(|_| deaf::remote(gate)).collect();
        gate.begun(ONE_TOO_MANY).await;
        bodies.into_iter().for_each(|body| body.cancel());
        assert_eq!(runtime.abandoned_tasks(), ONE_TOO_MANY);
        let told = "9 abandoned threads: deaf (9)";
        until(|| remark(&runtime, "node/worker").as_deref() == Some(told)).await;
        assert_eq!(runtime.abandoned_threads().bodies, [("deaf".to_owned(), ONE_TOO_MANY)]);
        assert!(runtime.tree().root.to_text().contains(told), "it is seen");
        // Nothing is replaced: the program goes on, and was told once.
        assert_eq!(process::remote().await?, std::process::id());
        let worker = runtime.tree().root.find("node/worker").cloned().expect("a worker");
        let warned = |event: &&raytree::inspect::FlightEvent| event.what.contains("cannot be");
        assert_eq!(worker.recorder.iter().filter(warned).count(), 1);
        gate.open();
        until(|| remark(&runtime, "node/worker").is_none()).await;
        assert_eq!(runtime.abandoned_threads(), AbandonedThreads::default());
        at_rest(&runtime).await;
        Ok(())
    })
    .await
}

#[raytree::test(strict = false)]
async fn an_actor_that_hangs_is_one_and_its_cpu_stays_taken() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let gate = Gate::new();
        let resident = Resident::with(ActorOptions::new().cpus(1.0)).remote();
        let hangs = resident.hangs(gate);
        gate.begun(1).await;
        let exit = resident.kill().await?;
        assert!(exit.to_string().contains("abandoned"), "{exit}");
        assert!(hangs.await.is_err());
        let name = resident.probe().expect("a probe").name().to_owned();
        until(|| runtime.abandoned_threads().bodies == [(name.clone(), 1)]).await;
        assert_eq!(runtime.available_resources().to_string(), "1 CPU", "of two");
        gate.open();
        until(|| runtime.abandoned_threads().count == 0).await;
        at_rest(&runtime).await;
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn dr_1_dr_2_a_node_with_too_many_is_replaced_and_nobody_elses_work_is_lost() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let folder = tempfile::tempdir().expect("a folder");
        let gate = folder.path().join("gate");
        let work: Vec<_> = (0..4).map(|_| slow::remote(gate.clone())).collect();
        let residents: Vec<_> = (0..4)
            .map(|number| Resident::with(ActorOptions::new().restarts(number % 2)).remote())
            .collect();
        let mut homes = Vec::new();
        for resident in &residents {
            homes.push(resident.process().await?);
        }
        let _marks = abandons(ONE_TOO_MANY, |mark| match mark.ends_with("0") {
            true => spins::remote(mark),
            false => parks::remote(mark),
        })
        .await;
        // One of the nodes has them all, being the first of two that are alike.
        let told = "drains: 9 abandoned threads: parks (8), spins";
        let mirror = || ["node-1", "node-2"].map(|node| format!("node_pool/{node}"));
        let leaves =
            || mirror().into_iter().find(|path| remark(&runtime, path).as_deref() == Some(told));
        until(|| leaves().is_some()).await;
        let path = leaves().expect("a mirror");
        // It gets nothing new, and what runs there is waited for.
        let elsewhere: BTreeSet<u32> =
            raytree::get_all((0..50).map(|_| process::remote()).collect::<Vec<_>>())
                .await?
                .into_iter()
                .collect();
        assert_eq!(elsewhere.len(), 1, "{elsewhere:?}");
        assert_eq!(runtime.probe(&path).expect("a mirror").restarts(), 0);
        std::fs::write(&gate, "").expect("a file");
        let drained: BTreeSet<u32> = raytree::get_all(work).await?.into_iter().collect();
        until(|| runtime.probe(&path).is_some_and(|mirror| mirror.restarts() == 1)).await;
        until(|| drained.iter().filter(|id| !elsewhere.contains(id)).all(|id| gone(*id))).await;
        for (number, resident) in residents.iter().enumerate() {
            if elsewhere.contains(&homes[number]) {
                assert_eq!(resident.process().await?, homes[number], "nothing has happened to it");
            } else if number % 2 == 1 {
                let again = loop {
                    if let Ok(process) = resident.process().await {
                        break process;
                    }
                };
                assert_ne!(again, homes[number], "it lives again");
            } else {
                let ExitKind::HostDied(cause) = resident.exited().await?.kind else {
                    panic!("another end")
                };
                let threads: AbandonedThreads = cause.value().expect("the threads");
                assert_eq!(threads.count, ONE_TOO_MANY);
                assert_eq!(threads.bodies[0], ("parks".to_owned(), 8));
                assert!(
                    cause.message.ends_with("was drained: 9 abandoned threads: parks (8), spins")
                );
            }
        }
        // The next life has none.
        until(|| remark(&runtime, &path).is_none()).await;
        Ok(())
    })
    .await
}

fn gone(process: u32) -> bool {
    !Path::new(&format!("/proc/{process}")).exists()
}

#[raytree::test(nodes = 1, cpus = 1)]
async fn a_node_whose_every_cpu_is_held_by_them_is_replaced() -> Result<()> {
    within(async {
        let first = process::remote().await?;
        let _marks = abandons(1, parks_with_a_cpu::remote).await;
        // No seat of it is worth anything. This one waits for the next node: it is sent there, or again.
        let again = process::with(TaskOptions::new().retries(1)).remote();
        assert_ne!(again.await?, first);
        until(|| gone(first)).await;
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 1)]
async fn ordinary_ends_of_cancelled_code_replace_nothing() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let first = process::remote().await?;
        for _ in 0..3 {
            let folder = tempfile::tempdir().expect("a folder");
            let gate = folder.path().join("gate");
            let bodies: Vec<_> = (0..20).map(|_| slow::remote(gate.clone())).collect();
            bodies.iter().for_each(|body| body.clone().cancel());
            std::fs::write(&gate, "").expect("a file");
        }
        assert_eq!(process::remote().await?, first);
        assert_eq!(remark(&runtime, "node_pool/node-1"), None);
        Ok(())
    })
    .await
}

//! Why something is not there yet that comes from a disk, or whose process comes.

use raytree::{Bytes, Runtime};
use rustix::process::{Pid, Signal, kill_process};

use super::*;

const MIB: usize = 1 << 20;
const MANY: u8 = 40;

#[remote]
fn makes(byte: u8) -> Bytes {
    vec![byte; MIB].into()
}

#[remote]
fn measures(bytes: &Bytes) -> usize {
    bytes.len()
}

fn with_a_node(settings: &[(&str, &str)]) -> Runtime {
    let init = raytree::init().cpus(2.0).threads(2).nodes(1).log_to_driver(false);
    let with = |init: raytree::Init, (key, value): &(&str, &str)| init.setting(*key, *value);
    settings.iter().fold(init, with).start().expect("a runtime")
}

/// A task waits for an argument that comes back from disk.
async fn one_comes_back() -> Result<bool> {
    let all = state::tasks().is("state", "pending_arguments").await?;
    for id in all.rows.iter().filter_map(|row| row.id) {
        let story = state::why(id).await?;
        if story.now.contains("it waits for its arguments: makes, which comes back from disk") {
            return Ok(true);
        }
    }
    Ok(false)
}

#[test]
fn why_a_task_waits_for_an_object_that_comes_back_from_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    let settings = [("node.object_store_bytes", "16MiB"), ("node.spill_folders", &*path)];
    let runtime = with_a_node(&settings);
    runtime
        .block_on(within(async {
            let all: Vec<_> = (0..MANY).map(makes::remote).collect();
            raytree::wait(all.clone()).count(all.len()).await?;
            // Most of them are on disk, and there is never room for all: some have to come back in each round.
            let mut is_seen = false;
            while !is_seen {
                let measured: Vec<_> = all.iter().map(measures::remote).collect();
                is_seen = one_comes_back().await?;
                raytree::get_all(measured).await?;
            }
            Ok::<_, Error>(())
        }))
        .expect("all is well");
    runtime.shutdown();
}

pub(crate) struct Home;

#[remote]
impl Home {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }
}

#[test]
fn why_an_actor_has_not_begun_is_that_it_waits_for_a_process() {
    let runtime = with_a_node(&[]);
    let mut is_seen = false;
    while !is_seen {
        is_seen = runtime.block_on(within(waits_for_a_process())).expect("a story");
    }
    runtime.shutdown();
}

/// One that needs nothing, and so waits for no resources.
fn home() -> HomeHandle {
    Home::with(ActorOptions::new().cpus(0.0)).remote()
}

/// The only node is killed. It is started again, seldom before anybody asks.
async fn waits_for_a_process() -> Result<bool> {
    let first = home();
    let node = Pid::from_raw(first.process().await? as i32).expect("a process");
    kill_process(node, Signal::KILL).expect("it lives");
    first.exited().await?;
    let next = home();
    let story = state::why(next.id().expect("it has one")).await?;
    // Where it was not known yet that the node is gone, it has gone with it.
    _ = next.ready().await;
    Ok(story.now == "it waits for a process in which it can begin")
}

//! Tests of programs on several nodes, some of which die or stand still.

use std::ffi::OsString;
use std::fs;
use std::thread;

/// By what the watch over the memory measures: a test without memory to waste gives it figures of its own (`Init::meter`).
#[doc(hidden)]
pub use raytree_system::{Meter, Reading};
use raytree_types::{Error, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::{Init, Runtime, init};

/// How often a process is looked at that was told to stand still, and lets others go first in between.
const LOOKS_MAX: usize = 100_000;

/// A runtime whose nodes are processes of this machine, for one test that lets them die or stand still. All of it ends when
/// this is dropped.
///
/// What fails in a test with `#[raytree::test(nodes = 3)]` alone is the code under test; here the test decides what else does:
/// a node is killed as the operating system may kill it, and one that is frozen neither answers nor ends. Either way its work
/// goes on elsewhere once it is surely dead, and another process takes its place.
///
/// The nodes are this test, started again: so this is the first thing that it does. Of what it does before, a node does the
/// same.
///
/// ```no_run
/// use raytree::prelude::*;
/// use raytree::testing::TestCluster;
///
/// #[remote]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// #[test]
/// fn squares_are_there_whoever_dies() -> raytree::Result<()> {
///     let cluster = TestCluster::nodes(3)?;
///     cluster.runtime().block_on(async {
///         let squares: Vec<_> = (0..100).map(square::remote).collect();
///         cluster.kill(0)?;
///         cluster.freeze(1)?;
///         assert_eq!(raytree::get_all(squares).await?[99], 9801);
///         Ok(())
///     })
/// }
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct TestCluster {
    runtime: Runtime,
}

impl TestCluster {
    /// So many nodes, each with 2 CPUs and 2 threads.
    ///
    /// # Errors
    /// As for [`Init::start`].
    pub fn nodes(count: usize) -> Result<Self> {
        Self::start(init().cpus(2.0).threads(2).nodes(count))
    }

    /// With other options; the number of nodes is one of them.
    ///
    /// # Errors
    /// As for [`Init::start`].
    pub fn start(init: Init) -> Result<Self> {
        let runtime = init.again(again()).start()?;
        Ok(Self { runtime })
    }

    /// Its runtime.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The processes of the nodes that are up, in the order of the nodes.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.runtime.node_processes().into_iter().flatten().collect()
    }

    /// The process of the node at that place, from 0 on: another one after each of its ends, and none between two.
    #[must_use]
    pub fn node(&self, at: usize) -> Option<u32> {
        self.runtime.node_processes().get(at).copied().flatten()
    }

    /// Kills the process of a node (`SIGKILL`): its process, which was returned, is dead or about to be.
    ///
    /// # Errors
    /// [`Error::BadOption`] when there is no such node, or it has no process now.
    pub fn kill(&self, at: usize) -> Result<u32> {
        self.send(at, Signal::KILL)
    }

    /// Lets the process of a node stand still (`SIGSTOP`), with all its threads, which have stopped when this returns. After
    /// 1.5 s it counts as dead, and is killed.
    ///
    /// # Errors
    /// [`Error::BadOption`] when there is no such node, or it has no process now.
    pub fn freeze(&self, at: usize) -> Result<u32> {
        let pid = self.send(at, Signal::STOP)?;
        for _ in 0..LOOKS_MAX {
            if stands_still(pid) {
                break;
            }
            thread::yield_now();
        }
        Ok(pid)
    }

    /// Lets the process of a node go on that stands still (`SIGCONT`).
    ///
    /// # Errors
    /// [`Error::BadOption`] when there is no such node, or it has no process now.
    pub fn thaw(&self, at: usize) -> Result<u32> {
        self.send(at, Signal::CONT)
    }

    fn send(&self, at: usize, signal: Signal) -> Result<u32> {
        let refused = |reason: &str| Error::BadOption {
            option: "node".to_owned(),
            value: at.to_string(),
            reason: reason.to_owned(),
        };
        let pid = self.node(at).ok_or_else(|| refused("it has no process now"))?;
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let raw = raw.ok_or_else(|| refused("its process has no number"))?;
        kill_process(raw, signal).map_err(|error| refused(&error.to_string()))?;
        Ok(pid)
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        self.runtime.clone().shutdown();
    }
}

/// The arguments with which the nodes find this test. Where many run in one process, each has a thread of its name; where it
/// runs alone, they are those of this process.
fn again() -> Vec<OsString> {
    match thread::current().name() {
        Some(test) if test != "main" => {
            ["--exact", test, "--nocapture", "--include-ignored"].map(Into::into).into()
        }
        _ => std::env::args_os().skip(1).collect(),
    }
}

/// All threads of a process have stopped, or it is gone.
fn stands_still(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.flatten().all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
    })
}

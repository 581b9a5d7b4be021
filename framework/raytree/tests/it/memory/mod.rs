//! Programs on a machine that is short of memory, by figures of the test's own: of 1,000 bytes each process has 300, and in use is
//! what the test says.

mod actors;
mod nodes;
mod store;
mod tasks;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use raytree::prelude::*;
use raytree::testing::{Meter, Reading, TestCluster};
use raytree::{Error, Result, Runtime};
use tempfile::TempDir;

use crate::support::until;

const TOTAL: u64 = 1000;
/// Of each process of which nothing else is said.
const OWN: u64 = 300;
/// Above the urgent line: a process is ended at the second reading.
const FULL: u64 = 999;
/// Nothing begins, and what runs has a second.
const SHORT: u64 = 905;
const ENOUGH: u64 = 100;

/// The figures of a test.
#[derive(Default)]
struct Figures {
    used: AtomicU64,
    own: Mutex<HashMap<u32, u64>>,
    /// Once this process is gone there is enough.
    hog: Mutex<Option<u32>>,
}

impl Figures {
    fn new() -> Arc<Self> {
        let figures = Self::default();
        figures.use_up(ENOUGH);
        Arc::new(figures)
    }

    fn use_up(&self, used: u64) {
        self.used.store(used, Ordering::SeqCst);
    }

    /// A process has so much, until it ends.
    fn has(&self, process: u32, own: u64) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).insert(process, own);
    }

    /// All of it is in use until this process has ended.
    fn is_full_with(&self, hog: u32) {
        *self.hog.lock().unwrap_or_else(PoisonError::into_inner) = Some(hog);
        self.use_up(FULL);
    }
}

impl Meter for Figures {
    fn node(&self) -> Reading {
        let hog = *self.hog.lock().unwrap_or_else(PoisonError::into_inner);
        if hog.is_some_and(|hog| !is_there(hog)) {
            self.use_up(ENOUGH);
        }
        Reading { used: self.used.load(Ordering::SeqCst), total: TOTAL }
    }

    fn process(&self, process: u32) -> Option<u64> {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        is_there(process).then(|| own.get(&process).copied().unwrap_or(OWN))
    }
}

/// It has not ended, whether somebody was told of its end or not.
fn is_there(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

/// A runtime that is short of memory from nine tenths on, with so many nodes.
fn start(figures: &Arc<Figures>, nodes: usize) -> Result<TestCluster> {
    let settings = [("node.memory_refuse_at", "0.9"), ("node.memory_watch_every", "10ms")];
    let init = raytree::init().cpus(2.0).threads(2).nodes(nodes);
    let init = settings.into_iter().fold(init, |init, (name, value)| init.setting(name, value));
    TestCluster::start(init.meter(Arc::<Figures>::clone(figures)))
}

/// Nothing begins any more.
async fn holds_back(runtime: &Runtime) {
    let monitor = runtime.probe("node/memory_monitor").expect("a monitor");
    until(|| monitor.row(0).remark.is_some()).await;
}

/// Everything begins again.
async fn goes_on(runtime: &Runtime) {
    let monitor = runtime.probe("node/memory_monitor").expect("a monitor");
    until(|| monitor.row(0).remark.is_none()).await;
}

/// What the monitor has written into the log of its tree, until one of it says all of this.
async fn is_told(runtime: &Runtime, parts: &[&str]) -> String {
    let monitor = runtime.probe("node/memory_monitor").expect("a monitor");
    loop {
        let told = monitor.events().expect("a log").read(&Default::default());
        let says_all = |what: &String| parts.iter().all(|part| what.contains(part));
        if let Some(what) = told.events.into_iter().map(|event| event.what).find(says_all) {
            return what;
        }
        tokio::task::yield_now().await;
    }
}

/// The sizes in an error.
fn sizes(error: &Error) -> (String, [u64; 4]) {
    match error {
        Error::OutOfMemory { process, used, total, limit, own } => {
            (process.clone(), [*used, *total, *limit, *own])
        }
        other => panic!("another error: {other}"),
    }
}

/// A folder in which bodies say that they run, and are let go.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn let_go(&self, name: &str) {
        std::fs::write(self.place(name).with_extension("go"), "").expect("a file");
    }

    /// The processes of the runs that have begun there.
    fn runs(&self, name: &str) -> Vec<u32> {
        let text = std::fs::read_to_string(self.place(name)).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// The process of a run, once it has begun.
    async fn run(&self, name: &str, number: usize) -> u32 {
        until(|| self.runs(name).len() > number).await;
        self.runs(name)[number]
    }
}

/// Says in a file in which process it runs, and waits until it is let go.
#[remote(retries = 0)]
async fn stays(place: PathBuf) -> u32 {
    begins(&place);
    while !place.with_extension("go").exists() {
        tokio::task::yield_now().await;
    }
    std::process::id()
}

fn begins(place: &Path) {
    use std::io::Write as _;

    let line = format!("{}\n", std::process::id());
    let file = std::fs::OpenOptions::new().create(true).append(true).open(place);
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("a file");
}

fn isolated() -> TaskOptions {
    TaskOptions::new().isolated()
}

fn within(cluster: &TestCluster, test: impl Future<Output = Result<()>>) -> Result<()> {
    let limit = crate::support::GENEROUS;
    let test = async { tokio::time::timeout(limit, test).await };
    cluster.runtime().block_on(test).expect("it takes too long")
}

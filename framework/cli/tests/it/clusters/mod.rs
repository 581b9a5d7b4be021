//! Clusters of several processes: `raytree start`, and programs that use what it has started.

mod browser;
mod commands;
mod contexts;
mod cramped;
mod dashboards;
mod deadlocks;
mod detached;
mod direct;
mod doctor;
mod doors;
mod drivers;
mod hopeless;
mod hosts;
mod kills;
mod links;
mod lists;
mod logs;
mod lost;
mod memory;
mod moved;
mod panics;
mod seeded;
mod stored;
mod stores;
mod stories;
mod storms;
mod support;
mod traces;
mod trees;
mod work;

use std::path::Path;

use raytree::prelude::*;

/// The process that it runs in.
#[remote]
fn process() -> u32 {
    std::process::id()
}

#[remote]
fn square(x: u64) -> u64 {
    x * x
}

/// Answers once there is such a file.
#[remote]
async fn waits(gate: String) -> u32 {
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(5));
    while !Path::new(&gate).exists() {
        looks.tick().await;
    }
    std::process::id()
}

/// Answers once this many of them run at once, each in a process of its own.
#[remote]
async fn meets(folder: String, count: usize) -> u32 {
    let own = std::process::id();
    std::fs::write(Path::new(&folder).join(own.to_string()), "").expect("a file");
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(5));
    while std::fs::read_dir(&folder).expect("a folder").count() < count {
        looks.tick().await;
    }
    own
}

/// Remembers what it was told.
struct Counter {
    value: u64,
}

#[remote(restarts = 100)]
impl Counter {
    fn new(value: u64) -> Self {
        Self { value }
    }

    pub(crate) fn add(&mut self, more: u64) -> u64 {
        self.value += more;
        self.value
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    pub(crate) fn counts(&self, to: u64) -> impl Iterator<Item = u64> {
        self.value..to
    }
}

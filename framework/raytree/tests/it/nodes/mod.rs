//! The same programs on nodes: every node is a process of its own.

mod actors;
mod alike;
mod arrow;
mod crowds;
mod lineage;
mod listed;
mod logs;
mod losses;
mod nested;
mod objects;
mod owned;
mod shaped;
mod shuffle;
mod spilled;
mod stored;
mod tasks;
mod traces;

use raytree::prelude::*;
use raytree::{Error, Result};

/// The process that it runs in.
#[remote]
fn process() -> u32 {
    std::process::id()
}

/// Ends the process that it runs in.
#[remote]
fn abort() -> u32 {
    std::process::abort()
}

/// The cause of a lost task.
fn lost(error: &Error) -> String {
    match error {
        Error::WorkerDied { cause, .. } => cause.to_string(),
        other => panic!("{other}"),
    }
}

/// All its threads have stopped.
fn is_stopped(id: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).expect("it lives");
    threads.flatten().all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
    })
}

/// Whether numbers lie in memory that other processes see, too.
fn is_shared<T>(numbers: &[T]) -> bool {
    let address = numbers.as_ptr() as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").expect("this process has them");
    maps.lines().any(|line| {
        let mut words = line.split(' ');
        let (range, rights) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let end = |end: &str| usize::from_str_radix(end, 16).unwrap_or_default();
        let is_there = |(from, to)| (end(from)..end(to)).contains(&address);
        range.split_once('-').is_some_and(is_there) && rights.ends_with('s')
    })
}

fn pid(id: u32) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(id as i32).expect("a process")
}

/// Stops a process, as the operating system may do.
async fn freeze(id: u32) -> rustix::process::Pid {
    let pid = pid(id);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("it lives");
    while !is_stopped(id) {
        tokio::task::yield_now().await;
    }
    pid
}

async fn within<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let limit = std::time::Duration::from_secs(60);
    tokio::time::timeout(limit, work).await.expect("it takes too long")
}

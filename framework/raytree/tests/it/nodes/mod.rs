//! The same programs on nodes: every node is a process of its own.

mod actors;
mod losses;
mod nested;
mod objects;
mod tasks;

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

async fn within<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let limit = std::time::Duration::from_secs(60);
    tokio::time::timeout(limit, work).await.expect("it takes too long")
}

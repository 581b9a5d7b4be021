//! What a process was started for.

use parking_lot::Mutex;
use raytree_process::Assignment;
use raytree_process::cluster::Posting;
use raytree_types::{Error, Result};
use serde::de::DeserializeOwned;

use super::serve::Service;
use super::{node, serve, worker};
use crate::isolated::child;
use crate::runtime::{Runtime, ambient};

/// As what a runtime is started in a process that another one has started.
pub(crate) enum Part {
    Node(node::Details),
    /// Of one task, or of one life of an actor.
    Own(child::Details),
}

/// In a process that was started by another one of this program: does what it was started for, and never returns. `start`
/// gives the runtime to do it in. Anywhere else it does nothing.
///
/// # Errors
/// [`Error::StartFailed`] when this process was given a role that it cannot read or does not have.
pub(crate) fn take(start: impl FnOnce(String, Part) -> Result<Runtime>) -> Result<()> {
    static SERVING: Mutex<()> = Mutex::new(());
    let failed = |why: String| Error::StartFailed { reason: why };
    // A runtime that a task of this process starts for itself.
    if ambient::of_thread().is_some() {
        return Ok(());
    }
    // A second thread that comes here waits for ever: the program as such does not run.
    let _serving = SERVING.lock();
    let Some(assignment) = Assignment::of_this_process().map_err(|bad| failed(bad.to_string()))?
    else {
        return Ok(());
    };
    let name = assignment.name.clone();
    match assignment.role.as_str() {
        serve::OWN => {
            let details = details(&assignment)?;
            serve::serve(&assignment, Service::Own, || start(name, Part::Own(details)))
        }
        serve::NODE => {
            let details: node::Details = details(&assignment)?;
            let service = Service::Node(details.all.clone());
            serve::serve(&assignment, service, || start(name, Part::Node(details)))
        }
        worker::ROLE => {
            let posting: Posting = details(&assignment)?;
            let details = worker::details(&posting);
            serve::serve(&assignment, Service::Worker(Box::new(posting)), || {
                start(name, Part::Node(details))
            })
        }
        other => Err(failed(format!("there is no role {other:?}"))),
    }
}

/// What a process was told of itself.
fn details<T: DeserializeOwned>(assignment: &Assignment) -> Result<T> {
    let read = serde_json::from_str(&assignment.details);
    let failed = |error| Error::StartFailed {
        reason: format!("what {} was told: {error}", assignment.name),
    };
    read.map_err(failed)
}

//! What a process was started for.

use parking_lot::Mutex;
use raytree_process::Assignment;
use raytree_types::{Error, Result};

use super::node::Details;
use super::{serve, worker};
use crate::isolated;
use crate::runtime::{Runtime, ambient};

/// In a process that was started by another one of this program: does what it was started for, and never returns. `start`
/// gives the runtime to do it in, that of a node or one for a single task. Anywhere else it does nothing.
///
/// # Errors
/// [`Error::StartFailed`] when this process was given a role that it cannot read or does not have.
pub(crate) fn take(start: impl FnOnce(Option<Details>) -> Result<Runtime>) -> Result<()> {
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
    match assignment.role.as_str() {
        isolated::serve::ROLE => isolated::serve::serve(&assignment, || start(None)),
        serve::ROLE => {
            let details = serve::details(&assignment)?;
            serve::serve(&assignment, details.all.clone(), || start(Some(details)))
        }
        worker::ROLE => {
            let posting = worker::posting(&assignment)?;
            worker::serve(&assignment, &posting, || start(Some(worker::details(&posting))))
        }
        other => Err(failed(format!("there is no role {other:?}"))),
    }
}

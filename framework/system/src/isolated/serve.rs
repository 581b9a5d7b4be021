//! The other side: this program, started again to run one function.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::process::exit;
use std::sync::{Arc, OnceLock};
use std::thread;

use parking_lot::{Mutex, MutexGuard};
use raytree_process::{Assignment, Heard, Link};
use raytree_supervise::panics;
use raytree_types::{Error, Result, limits};

use super::wire::{self, Answer, Question};
use crate::runtime::{Runtime, ambient};
use crate::task::registry;

/// What a process of a task's own is called.
pub(super) const ROLE: &str = "isolated";

/// It was asked to end, and did.
const ENDED: i32 = 0;
/// It could not do what it was started for.
pub(super) const FAILED: i32 = 70;
/// Its parent is gone.
const ORPHANED: i32 = 71;

/// In a process that was started to run one function: does that, and never returns. `start` gives the runtime to run it
/// in. Anywhere else it does nothing.
///
/// # Errors
/// [`Error::StartFailed`] when this process was given a role that it cannot read or does not have.
pub(crate) fn if_asked(start: impl FnOnce() -> Result<Runtime>) -> Result<()> {
    static SERVING: Mutex<()> = Mutex::new(());
    let failed = |why: String| Error::StartFailed { reason: why };
    // A runtime that the task of this process starts for itself.
    if ambient::of_thread().is_some() {
        return Ok(());
    }
    // A second thread that comes here waits for ever: the program as such does not run.
    let serving = SERVING.lock();
    let Some(assignment) = Assignment::of_this_process().map_err(|bad| failed(bad.to_string()))?
    else {
        return Ok(());
    };
    if assignment.role != ROLE {
        return Err(failed(format!("there is no role {:?}", assignment.role)));
    }
    serve(&assignment, start, serving)
}

#[expect(clippy::exit, reason = "the program as such never runs in this process")]
fn serve(
    assignment: &Assignment,
    start: impl FnOnce() -> Result<Runtime>,
    _serving: MutexGuard<'static, ()>,
) -> ! {
    let link: Arc<OnceLock<(Link, Runtime)>> = Arc::default();
    let own = Arc::clone(&link);
    let connected = assignment.connect(move |heard| match heard {
        Heard::Stream(stream) => {
            let Some((_, runtime)) = own.get().cloned() else { return };
            let served = thread::Builder::new().spawn(move || answer(stream, &runtime));
            if let Err(error) = served {
                tracing::error!(%error, "no thread for the task of this process");
                exit(FAILED);
            }
        }
        Heard::Stop { .. } => {
            if let Some((link, _)) = own.get() {
                link.leaving();
            }
            exit(ENDED);
        }
        Heard::Gone => exit(ORPHANED),
        Heard::Sent { .. } | Heard::Answered { .. } => {}
    });
    let up = connected.map_err(|error| error.to_string()).and_then(|connected| {
        let runtime = start().map_err(|error| error.to_string())?;
        progress(&connected, &runtime);
        let kept = link.set((connected.clone(), runtime));
        connected.up();
        kept.map_err(|_| "it is served already".to_owned())
    });
    if let Err(why) = up {
        // Nobody listens to traces yet.
        _ = writeln!(
            io::stderr(),
            "raytree: this process cannot do what it was started for: {why}"
        );
        exit(FAILED);
    }
    loop {
        thread::park();
    }
}

/// What the system runtime gets done shows in the beats.
fn progress(link: &Link, runtime: &Runtime) {
    let progress = link.progress();
    runtime.shared().system.spawn(async move {
        let mut ticks = tokio::time::interval(limits::BEAT_EVERY);
        loop {
            ticks.tick().await;
            progress.tick();
        }
    });
}

/// Runs what is asked for. Without an answer the parent sees the end of the stream, and of this process.
#[expect(clippy::exit, reason = "a process that cannot answer has nothing left to do")]
fn answer(mut stream: UnixStream, runtime: &Runtime) {
    let answered = wire::read(&mut stream).and_then(|question: Question| {
        let answer = run(question, runtime);
        match wire::write(&mut stream, &answer) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let type_name = "its result".to_owned();
                let reason = error.to_string();
                let refused: Answer =
                    Err(Error::CannotTravel { type_name, attribute: None, reason });
                wire::write(&mut stream, &refused)
            }
            written => written,
        }
    });
    if let Err(error) = answered {
        tracing::error!(%error, "the task of this process cannot be answered");
        exit(FAILED);
    }
}

fn run(question: Question, runtime: &Runtime) -> Answer {
    let Question { function, signature, arguments } = question;
    let reason = |reason: String| Error::CannotTravel {
        type_name: function.clone(),
        attribute: None,
        reason,
    };
    let entry = registry::entries()?.get(function.as_str());
    let entry =
        entry.ok_or_else(|| reason("the other process has no function of this name".to_owned()))?;
    if entry.info.signature != signature {
        let theirs = entry.info.signature;
        return Err(reason(format!(
            "it is `{signature}` here, and `{theirs}` in the other process"
        )));
    }
    let serve =
        entry.serve.ok_or_else(|| reason("it is no function that returns one value".to_owned()))?;
    let _here = runtime.enter();
    // Reading the arguments and writing the result is the user's code.
    panics::catch(|| runtime.block_on(serve(arguments))).unwrap_or_else(|cause| {
        Err(Error::TaskFailed { task: function.clone(), cause: Box::new(cause) })
    })
}

//! A node: this program, started again to run what the one that started it submits.

use std::io::{self, Write as _};
use std::process::exit;
use std::sync::{Arc, OnceLock};
use std::thread;

use raytree_process::{Assignment, Heard, Link as Line};
use raytree_types::{Error, Resources, Result};

use super::node::Details;
use super::peer::Peer;
use crate::isolated::serve::{self, ENDED, FAILED, ORPHANED};
use crate::link::Link;
use crate::runtime::Runtime;

/// What the process of a node is called.
pub(crate) const ROLE: &str = "node";

/// What a node is told of itself.
///
/// # Errors
/// [`Error::StartFailed`] when it is none of that.
pub(crate) fn details(assignment: &Assignment) -> Result<Details> {
    serde_json::from_str(&assignment.details)
        .map_err(|error| Error::StartFailed { reason: format!("what a node was told: {error}") })
}

/// Runs what is asked for until it is told to end, or its parent is gone. Never returns.
#[expect(clippy::exit, reason = "the program as such never runs in this process")]
pub(crate) fn serve(
    assignment: &Assignment,
    all: Resources,
    start: impl FnOnce() -> Result<Runtime>,
) -> ! {
    let own: Arc<OnceLock<(Line, Runtime)>> = Arc::default();
    let known = Arc::clone(&own);
    let connected = assignment.connect(move |heard| match heard {
        Heard::Stream(stream) => {
            let Some((_, runtime)) = known.get() else { return };
            // The line says when the parent is gone.
            let link = Link::start("the program", stream, runtime.shared(), |_| exit(ORPHANED));
            match link {
                Ok(link) => {
                    let program = Arc::new(Peer::new("the program".to_owned(), all.clone()));
                    program.comes_up(link);
                    _ = runtime.shared().program.set(program);
                }
                Err(error) => {
                    tracing::error!(%error, "no thread for the link of this node");
                    exit(FAILED);
                }
            }
        }
        Heard::Stop { .. } => {
            let Some((line, runtime)) = known.get().cloned() else { exit(ENDED) };
            line.leaving();
            // Its beats go on meanwhile.
            let ending = thread::Builder::new().spawn(move || {
                runtime.shutdown();
                exit(ENDED);
            });
            if ending.is_err() {
                exit(ENDED);
            }
        }
        Heard::Gone => exit(ORPHANED),
        Heard::Sent { .. } | Heard::Answered { .. } => {}
    });
    let up = connected.map_err(|error| error.to_string()).and_then(|line| {
        let runtime = start().map_err(|error| error.to_string())?;
        serve::progress(&line, &runtime);
        let kept = own.set((line.clone(), runtime));
        line.up();
        kept.map_err(|_| "it is served already".to_owned())
    });
    if let Err(why) = up {
        // Nobody listens to traces yet.
        _ = writeln!(io::stderr(), "raytree: {} cannot be started: {why}", assignment.name);
        exit(FAILED);
    }
    loop {
        thread::park();
    }
}

//! The other side: this program, started again to run one function.

use std::io::{self, Write as _};
use std::process::exit;
use std::sync::{Arc, OnceLock};
use std::thread;

use raytree_process::{Assignment, Heard, Link as Line};
use raytree_types::{Result, limits};

use crate::link::Link;
use crate::runtime::Runtime;

/// What a process of a task's own is called.
pub(crate) const ROLE: &str = "isolated";

/// It was asked to end, and did.
pub(crate) const ENDED: i32 = 0;
/// It could not do what it was started for.
pub(crate) const FAILED: i32 = 70;
/// Its parent is gone.
pub(crate) const ORPHANED: i32 = 71;

/// Runs the one function that is asked for. Never returns.
#[expect(clippy::exit, reason = "the program as such never runs in this process")]
pub(crate) fn serve(assignment: &Assignment, start: impl FnOnce() -> Result<Runtime>) -> ! {
    let own: Arc<OnceLock<(Line, Runtime)>> = Arc::default();
    let known = Arc::clone(&own);
    let link: OnceLock<Arc<Link>> = OnceLock::new();
    let connected = assignment.connect(move |heard| match heard {
        Heard::Stream(stream) => {
            let Some((_, runtime)) = known.get() else { return };
            // Whoever hangs up ends this process, too, or is dead.
            match Link::start("its parent", stream, runtime.shared(), |_| {}) {
                Ok(started) => _ = link.set(started),
                Err(error) => {
                    tracing::error!(%error, "no thread for the task of this process");
                    exit(FAILED);
                }
            }
        }
        Heard::Stop { .. } => {
            if let Some((line, _)) = known.get() {
                line.leaving();
            }
            exit(ENDED);
        }
        Heard::Gone => exit(ORPHANED),
        Heard::Sent { .. } | Heard::Answered { .. } => {}
    });
    let up = connected.map_err(|error| error.to_string()).and_then(|line| {
        let runtime = start().map_err(|error| error.to_string())?;
        progress(&line, &runtime);
        let kept = own.set((line.clone(), runtime));
        line.up();
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
pub(crate) fn progress(line: &Line, runtime: &Runtime) {
    let progress = line.progress();
    runtime.shared().system.spawn(async move {
        let mut ticks = tokio::time::interval(limits::BEAT_EVERY);
        loop {
            ticks.tick().await;
            progress.tick();
        }
    });
}

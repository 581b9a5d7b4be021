//! The process of one life of an actor.

use std::sync::Arc;

use raytree_supervise::Part;
use raytree_types::resources::CPU;
use raytree_types::{Cause, Error, ExitKind, Incarnation, limits};
use tokio::runtime::Handle;

use super::THREADS;
use super::child::{Child, Judge, Linked, Wanted};
use super::mirror::Ended;
use crate::link::Link;
use crate::runtime::Shared;
use crate::user::status::Cell;

/// Dropped, it ends the process at once, and with it whatever of the actor still runs.
pub(crate) struct Own {
    child: Child,
    link: Arc<Link>,
}

impl Own {
    /// Starts a process for this life of the actor, which is not over before the process is.
    ///
    /// # Errors
    /// The end of that life: nothing of it runs anywhere.
    pub(crate) async fn begin(
        cell: &Arc<Cell>,
        life: Incarnation,
        part: Part,
    ) -> Result<Self, ExitKind> {
        let (mut child, own) = {
            let runtime = cell.runtime.upgrade().ok_or_else(|| refused(&cell.gone()))?;
            let child = start(&runtime, cell, (life, part)).map_err(ExitKind::HostDied)?;
            (child, runtime.life)
        };
        let (link, cut) = match child.connect(own).await {
            Ok(linked) => linked,
            Err(Ended::Lost(cause)) => return Err(ExitKind::HostDied(died(&cause))),
            Err(Ended::Refused(error)) => return Err(refused(&error)),
        };
        let runtime = own.runtime().ok_or_else(|| refused(&own.gone()))?;
        let minds = minds(child.judge(), (Arc::clone(&link), cut), runtime.user.clone());
        runtime.system.spawn(minds);
        Ok(Self { child, link })
    }

    /// To whatever runs in it.
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Its actor has ended: it ends, too, by itself or by force. Returns when it has.
    pub(crate) async fn ends(&mut self) {
        self.child.finished();
        self.child.end().await;
    }
}

fn start(
    runtime: &Shared,
    cell: &Arc<Cell>,
    (incarnation, part): (Incarnation, Part),
) -> Result<Child, Cause> {
    // There is one where this is called.
    let isolation = cell.options.isolation().cloned().unwrap_or_default();
    let cpus = cell.options.demand().running.thousandths(CPU).div_ceil(1000);
    let threads = usize::try_from(cpus).unwrap_or(usize::MAX);
    let called = Arc::downgrade(cell);
    let wanted = Wanted {
        isolation: &isolation,
        name: cell.probe.name(),
        incarnation,
        threads: threads.clamp(THREADS, limits::USER_THREADS_MAX),
        part: Some(part),
        // In a node that is not known: whoever has it there decides on its lives.
        is_retriable: cell.options.restarts_max() > incarnation.restart,
        is_idle: Box::new(move || called.upgrade().is_none_or(|cell| cell.open.is_empty())),
    };
    Child::start(runtime, wanted)
}

/// Ends the link when the process has ended, and what it said last was read; and the process when it says nothing more.
async fn minds(mut process: Judge, (link, mut cut): Linked, user: Handle) {
    let end = tokio::select! {
        end = process.end() => {
            // Somebody else may hold the stream open.
            _ = tokio::time::timeout(limits::BEAT_EVERY, cut).await;
            end
        }
        _ = &mut cut => process.end_of_silent().await,
    };
    let cause = match end {
        Ended::Lost(cause) => died(&cause),
        Ended::Refused(error) => Cause::message(error.to_string()),
    };
    // Values are dropped there, which is the user's code. It runs also when nobody waits.
    _ = user.spawn_blocking(move || link.end(&cause)).await;
}

fn died(cause: &Cause) -> Cause {
    Cause { message: format!("its process died: {}", cause.message), ..cause.clone() }
}

/// No other life would begin either.
fn refused(error: &Error) -> ExitKind {
    ExitKind::Constructor(Cause::message(error.to_string()))
}

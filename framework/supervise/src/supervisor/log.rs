//! What a supervisor tells of its decisions: the log of the tree, the flight recorder and the program's own log.

use std::time::Duration;

use raytree_engine::supervision::{EndReason, Life};
use raytree_types::inspect::EventKind;
use raytree_types::{Cause, ExitKind, RestartLimit};

use crate::probe::Probe;

fn event(probe: &Probe, kind: EventKind, what: impl Into<String>, cause: Option<&Cause>) {
    if let Some(log) = probe.events() {
        log.note(probe.path(), kind, what, cause);
    }
}

pub(super) fn up(child: &Probe, life: Life) {
    let what = format!("life {life} is up");
    // The first one is no decision of anybody's.
    if life > 0 {
        event(child, EventKind::Up, what.clone(), None);
    }
    child.note(what);
}

pub(super) fn exited(child: &Probe, kind: &ExitKind) {
    child.exited(kind);
    let path = child.path();
    if kind.is_normal() {
        tracing::debug!(actor = path, "{kind}");
    } else {
        event(child, EventKind::Failed, kind.to_string(), kind.cause());
        tracing::warn!(actor = path, "{kind}");
    }
}

pub(super) fn restarting(child: &Probe, restarts: u32, after: Duration) {
    let when = if after.is_zero() { "at once".to_owned() } else { format!("after {after:?}") };
    let what = format!("restart {restarts}, {when}");
    event(child, EventKind::Restart, what.clone(), None);
    child.restarting(after, &what);
}

/// The end of a child that failed; an end in order is nobody's worry.
pub(super) fn ended(child: &Probe, reason: EndReason, last: &ExitKind) {
    let what = match reason {
        EndReason::Finished => "it is not restarted: its policy is to leave it at that",
        EndReason::Exhausted => "it is not restarted: it has used up its restarts",
        EndReason::GaveUp => "it is not restarted: its supervisor gives up",
        EndReason::Stopped => "it is not restarted: it was told to end",
        EndReason::Abandoned => "it was killed, and did not end in time: its thread is abandoned",
    };
    if !last.is_normal() {
        event(child, EventKind::Ended, what, None);
    }
}

/// What the child has failed of is what its supervisor fails of: the origin stays in front.
pub(super) fn gave_up(
    supervisor: &Probe,
    child: &Probe,
    limit: RestartLimit,
    last: &ExitKind,
) -> Cause {
    let RestartLimit { max, within } = limit;
    let what = format!("{} failed more than {max} times within {within:?}", child.name());
    let mut cause = Cause::begins(&child.path(), last);
    cause.goes_on(&supervisor.path(), &format!("it gives up: {what}"));
    event(supervisor, EventKind::GaveUp, what, Some(&cause));
    cause
}

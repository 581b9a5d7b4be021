//! Ending an actor from outside: what is lost is said first, and nothing is ended whose supervisor would not start it again,
//! unless that is what is asked for.

use std::sync::Arc;

use raytree_supervise::Probe;
use raytree_types::Restart;
use raytree_types::inspect::{ActorDetail, EndHow, EndNote, Refused};

use crate::Inspected;
use crate::answer::Act;

/// Names of actors that are said; how many more there are is said, too.
const NAMED_MAX: usize = 5;

/// What is lost with an actor of this process, and, if it is to end, what ends it.
///
/// # Errors
/// [`Refused::NotEnded`].
pub(crate) fn end(
    inspected: &dyn Inspected,
    probe: &Arc<Probe>,
    how: EndHow,
    confirmed: bool,
) -> Result<(EndNote, Option<Act>), Refused> {
    let detail = probe.detail();
    let path = detail.path.clone();
    let refuse = |reason: String| Refused::NotEnded { path: path.clone(), reason };
    let (lost, act): (_, Act) = match how {
        EndHow::Restart => {
            next_life(&detail).map_err(refuse)?;
            let probe = Arc::clone(probe);
            let mut lost = of_life(&detail);
            // They end before the next life begins.
            let owned = probe.actor().map(|id| inspected.owns(id)).unwrap_or_default();
            lost.extend(named("it owns", &owned));
            (lost, Box::new(move || probe.end_life()))
        }
        EndHow::Kill => {
            let id = probe.actor().ok_or_else(|| {
                refuse(
                    "it is part of the system: `raytree restart` ends its present life".to_owned(),
                )
            })?;
            let end = inspected.ends(id).ok_or_else(|| {
                refuse(
                    "another process decides on its lives: say its id, and ask that one".to_owned(),
                )
            })?;
            let mut lost = of_life(&detail);
            lost.extend(named("it owns", &inspected.owns(id)));
            (lost, end)
        }
    };
    if confirmed {
        probe.note(format!("told to end by an operator: {how:?}"));
    }
    Ok((EndNote { path, lost, is_done: confirmed }, confirmed.then_some(act)))
}

/// Whether another life would follow.
fn next_life(detail: &ActorDetail) -> Result<(), String> {
    let Some(policy) = &detail.policy else {
        return Err("it is the root of its process, and nobody would start it again".to_owned());
    };
    let done = detail.row.restarts;
    match (policy.restart, policy.own_restarts) {
        (Restart::Temporary, _) => {
            Err("its supervisor would not start it again: it is temporary".to_owned())
        }
        (_, Some(total)) if done >= total => {
            let used = format!("it has used up its restarts ({done} of {total})");
            Err(format!("its supervisor would not start it again: {used}"))
        }
        _ => Ok(()),
    }
}

/// What goes with a life.
fn of_life(detail: &ActorDetail) -> Vec<String> {
    let row = &detail.row;
    let mut lost = vec!["its state".to_owned()];
    if let Some(current) = &row.current {
        lost.push(format!("what it is handling now: {current}"));
    }
    if row.queued > 0 && row.id.is_some() {
        let calls = if row.queued == 1 { "call" } else { "calls" };
        lost.push(format!("{} {calls} in its mailbox", row.queued));
    }
    if detail.children > 0 {
        let children = if detail.children == 1 { "child" } else { "children" };
        lost.push(format!("everything below it: {} {children}, and theirs", detail.children));
    }
    lost
}

fn named(what: &str, names: &[String]) -> Option<String> {
    let some = names.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    let more = match names.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let actors = if names.len() == 1 { "actor" } else { "actors" };
    (!names.is_empty()).then(|| format!("{} {actors} that {what}: {some}{more}", names.len()))
}

//! The supervision log of this process, and of those below it.

use std::sync::Arc;
use std::time::Duration;

use raytree_supervise::Probe;
use raytree_types::inspect::{Answer, EventQuery, Events, Missing, Refused, Request};

use crate::whole::{Seam, ask_all, seams};
use crate::{search, walk};

/// The entries that are asked for.
///
/// # Errors
/// [`Refused::NoSuchPath`], [`Refused::Ambiguous`]: the path is neither in the tree nor in any log.
pub(crate) fn of(
    root: &Arc<Probe>,
    query: &EventQuery,
    within: Duration,
) -> Result<Events, Refused> {
    let Some(which) = &query.path else { return Ok(read(root, query, within)) };
    // Looking for it may have to ask those below, as reading does.
    let within = within / 2;
    let request = Request::Actor { which: which.clone() };
    let found =
        search::find(root, &request, within, |probe| Ok(Answer::Actor(Box::new(probe.detail()))));
    let as_it_is = || walk::from_root(which, root.name());
    let (path, unknown) = match found {
        Ok(Answer::Actor(detail)) => (detail.path, None),
        Err(why @ (Refused::NoSuchPath { .. } | Refused::Ambiguous { .. })) => {
            (as_it_is(), Some(why))
        }
        // Not everybody was asked, and that is said with the entries.
        Ok(_) | Err(_) => (as_it_is(), None),
    };
    let query = EventQuery { path: Some(path), ..query.clone() };
    let all = read(root, &query, within);
    match unknown {
        Some(why) if !is_known(root, &query, &all, within) => Err(why),
        _ => Ok(all),
    }
}

/// There were entries of it, or may have been: of one that is gone the log still tells.
fn is_known(root: &Arc<Probe>, query: &EventQuery, all: &Events, within: Duration) -> bool {
    let any = |events: &Events| !events.events.is_empty() || !events.missing.is_empty();
    let whenever = EventQuery { since: None, kind: None, limit: Some(1), ..query.clone() };
    any(all) || any(&read(root, &whenever, within))
}

fn read(root: &Arc<Probe>, query: &EventQuery, within: Duration) -> Events {
    let mut all = root.events().map_or_else(Events::default, |log| log.read(query));
    if !query.whole {
        return all;
    }
    let seams = seams(root, query.path.as_deref());
    let below = ask_all(&seams, |passage| {
        // A path may lead through the mirror: what is left of it is said there, and picked here.
        let limit = query.limit.filter(|_| query.path.is_none());
        let asked = EventQuery { path: None, limit, ..query.clone() };
        passage.asks(&Request::Events(asked), within)
    });
    for (Seam { mirror, .. }, answer) in seams.iter().zip(below) {
        let path = mirror.path();
        match answer {
            Ok(Answer::Events(events)) => all.join(events, &path, query),
            Ok(_) => all.missing.push(Missing { path, why: "it makes no sense".to_owned() }),
            Err(why) if why.is_shut => {}
            Err(why) => all.missing.push(Missing { path, why: why.to_string() }),
        }
    }
    all.keep(query.limit);
    all
}

#[cfg(test)]
mod tests {
    use raytree_types::inspect::{Event, EventKind};

    use super::*;
    use crate::fakes::{nobody, root, silent};

    const SOON: Duration = Duration::from_secs(1);

    fn query(path: &str) -> EventQuery {
        EventQuery { whole: true, path: Some(path.to_owned()), ..EventQuery::default() }
    }

    /// One entry about what is no more.
    fn log() -> Events {
        let event = Event {
            at: Duration::from_secs(1),
            pid: 1,
            number: 1,
            path: "raytree/workers/gone#1".to_owned(),
            kind: EventKind::Ended,
            what: "it is over".to_owned(),
            cause: None,
        };
        Events { events: vec![event], ..Events::default() }
    }

    #[test]
    fn a_path_that_neither_the_tree_nor_a_log_knows_is_refused() {
        let root = root(|asked| match asked {
            Request::Events(query) => {
                let mut all = log();
                all.events.retain(|event| query.fits(event));
                Ok(Answer::Events(all))
            }
            _ => Ok(nobody(&["workers"])),
        });
        let Err(Refused::NoSuchPath { path, near }) = of(&root, &query("wrokers"), SOON) else {
            panic!("there is none")
        };
        assert_eq!((&*path, &*near), ("raytree/it", &["workers".to_owned()][..]));
        let gone = of(&root, &query("workers/gone#1"), SOON).expect("the log knows it");
        assert_eq!(gone.events.len(), 1);
        // Also where nothing of it is asked for.
        let later = EventQuery { kind: Some(EventKind::Failed), ..query("workers/gone#1") };
        assert_eq!(of(&root, &later, SOON), Ok(Events::default()));
    }

    #[test]
    fn a_path_is_not_refused_while_somebody_is_not_heard() {
        let root = root(|_| Err(silent()));
        let said = of(&root, &query("wrokers"), SOON).expect("it may be there");
        assert_eq!(said.missing.len(), 1);
    }
}

//! What the process has written in which somebody lives, wherever that is.
//!
//! Each process reads its own files, which lie in the folder of the session that it knows from its parent; of a process that is
//! gone its parent reads them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use raytree_supervise::{NoWay, Probe};
use raytree_types::inspect::{Answer, LogQuery, LogText, Refused, Request};
use raytree_types::state::{Filter, Rows, StateQuery, What};

use crate::Inspected;
use crate::search::{ambiguous, closest, named, refused_there, through};
use crate::walk;
use crate::whole::{Seam, ask_all, seams};

/// Whose lines a process is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// Its own.
    Own,
    /// Those of the newest process of this name that it has started.
    Child(&'a str),
    /// Those of the process of this number, of its session.
    Pid(u32),
}

/// What is meant, as far as one process knows.
enum Found {
    /// Somebody who lives in this process.
    Here,
    /// A process that this one has started.
    Mirror(Arc<Probe>),
    /// An actor that stands in here for itself: its id, and where it lives.
    StandIn(String, String),
}

/// What is to be told of it.
///
/// # Errors
/// [`Refused::NoSuchPath`], [`Refused::Ambiguous`], [`Refused::NoLog`].
pub(crate) fn of(
    inspected: &Weak<dyn Inspected>,
    root: &Arc<Probe>,
    query: &LogQuery,
    within: Duration,
) -> Result<LogText, Refused> {
    let read = |whose: Whose<'_>| match inspected.upgrade() {
        Some(held) => held.log(whose, query),
        None => Err(Refused::NoSuchPath { path: query.which.clone(), near: Vec::new() }),
    };
    if query.which.is_empty() {
        return read(Whose::Own);
    }
    let seams = seams(root, None);
    if let Ok(pid) = query.which.parse() {
        let own = if pid == std::process::id() { Whose::Own } else { Whose::Pid(pid) };
        return read(own)
            .or_else(|refused| everywhere(&seams, query, within).said.unwrap_or(Err(refused)));
    }
    if let Some(host) = task(inspected, &query.which) {
        let Some(host) = host else { return read(Whose::Own) };
        return there(inspected, root, &about(query, &place(&host)), &host, within);
    }
    let path = walk::from_root(&query.which, root.name());
    let mut known = Vec::new();
    let found = match walk::find(vec![Arc::clone(root)], &path) {
        Ok(probe) => Ok(what(&probe, &seams)),
        Err(missed) => {
            let (found, names) = named(root, &query.which, true);
            known = names;
            match meant(&found, &seams) {
                Some(Some(found)) => Ok(found),
                Some(None) => {
                    let paths = found.iter().map(|probe| probe.path());
                    return Err(ambiguous(&query.which, paths));
                }
                None => Err(missed),
            }
        }
    };
    match found {
        Ok(Found::Here) => read(Whose::Own),
        Ok(Found::Mirror(mirror)) => {
            let seam = seams.iter().find(|seam| Arc::ptr_eq(&seam.mirror, &mirror));
            let asked = seam.map(|seam| ask(seam, &about(query, ""), within));
            match asked {
                Some(Ok(text)) => Ok(text),
                // Gone, or not to be looked at: its files are here.
                _ => read(Whose::Child(mirror.name())),
            }
        }
        Ok(Found::StandIn(id, host)) => {
            let there = everywhere(&seams, &about(query, &id), within).said;
            there.unwrap_or(Err(Refused::LivesElsewhere { which: id, host }))
        }
        Err(missed) => {
            if let Some((seam, rest)) = through(&seams, &path) {
                return ask(seam, &about(query, &rest), within);
            }
            let Heard { said, near } = everywhere(&seams, query, within);
            match said {
                // Whoever holds it says where it lives, and that is somewhere else below this process.
                Some(Err(Refused::LivesElsewhere { which, host })) if which != query.which => {
                    there(inspected, root, &about(query, &which), &host, within)
                }
                Some(said) => said,
                None => {
                    known.splice(0..0, near);
                    Err(closest(missed, &query.which, &known))
                }
            }
        }
    }
}

/// The same of somebody of whom only it is known on which host he is: he may be below this process, or not.
fn there(
    inspected: &Weak<dyn Inspected>,
    root: &Arc<Probe>,
    query: &LogQuery,
    host: &str,
    within: Duration,
) -> Result<LogText, Refused> {
    of(inspected, root, query, within).map_err(|refused| match refused {
        Refused::NoSuchPath { .. } => {
            Refused::LivesElsewhere { which: query.which.clone(), host: host.to_owned() }
        }
        refused => refused,
    })
}

/// Where the last attempt of a task runs or ran, if this process has submitted it: in itself, or on a host.
fn task(inspected: &Weak<dyn Inspected>, which: &str) -> Option<Option<String>> {
    if !which.starts_with("task-") {
        return None;
    }
    let filters = vec![Filter::is("id", which)];
    let query = StateQuery { filters, whole: false, ..StateQuery::all(What::Tasks) };
    let Rows::Tasks(list) = inspected.upgrade()?.lists(&query) else { return None };
    list.rows.into_iter().max_by_key(|task| task.attempt).map(|task| task.host)
}

/// Where in a tree the process is that is called so: a worker by its job and its node.
fn place(host: &str) -> String {
    match host.split_once(" on ") {
        Some((job, node)) => format!("node_pool/{node}/workers/{job}"),
        None => host.to_owned(),
    }
}

/// The same about somebody else.
fn about(query: &LogQuery, which: &str) -> LogQuery {
    LogQuery { which: which.to_owned(), ..query.clone() }
}

/// What all of those mean that are called alike; nothing when they mean several things, or there is none of them. One that lives
/// here, or below, is meant before one that only stands in.
fn meant(found: &[Arc<Probe>], seams: &[Seam]) -> Option<Option<Found>> {
    let mut meant: Option<Found> = None;
    for probe in found {
        let next = what(probe, seams);
        match (&meant, &next) {
            (None | Some(Found::StandIn(..)), _) => meant = Some(next),
            (Some(_), Found::StandIn(..)) => {}
            (Some(Found::Mirror(one)), Found::Mirror(other)) if Arc::ptr_eq(one, other) => {}
            (Some(_), _) => return Some(None),
        }
    }
    meant.map(Some)
}

fn what(probe: &Arc<Probe>, seams: &[Seam]) -> Found {
    if probe.passage().is_some() {
        return Found::Mirror(Arc::clone(probe));
    }
    let Some(id) = probe.actor() else { return Found::Here };
    if let Some(host) = probe.host() {
        return Found::StandIn(id.to_string(), host);
    }
    // One in a process of its own: that is called as it is.
    let base = |name: &str| name.split('#').next().unwrap_or_default().to_owned();
    let own = seams.iter().find(|seam| {
        seam.mirror.name() == probe.name() || seam.mirror.name() == base(probe.name())
    });
    own.map_or(Found::Here, |seam| Found::Mirror(Arc::clone(&seam.mirror)))
}

/// What the process behind a seam says.
fn ask(seam: &Seam, query: &LogQuery, within: Duration) -> Result<LogText, Refused> {
    heard(seam, seam.passage.asks(&Request::Logs(query.clone()), within))
}

fn heard(seam: &Seam, answer: Result<Answer, NoWay>) -> Result<LogText, Refused> {
    match answer {
        Ok(Answer::Logs(text)) => Ok(*text),
        Ok(Answer::Refused(refused)) => Err(refused_there(refused, &seam.mirror.path())),
        Ok(_) => Err(Refused::Unreadable { reason: "the answer makes no sense".to_owned() }),
        Err(why) => {
            let mirror = seam.mirror.path();
            Err(Refused::Unreadable { reason: format!("{mirror} cannot be looked at: {why}") })
        }
    }
}

/// What those below say who know of it.
struct Heard {
    /// A text; else of several refusals the one that says most; nothing when all say that there is no such thing.
    said: Option<Result<LogText, Refused>>,
    /// What they know that is called nearly so.
    near: Vec<String>,
}

/// Asks all below. Programs count their tasks and actors alike, and machines their processes: of several texts it is not guessed
/// which is meant.
fn everywhere(seams: &[Seam], query: &LogQuery, within: Duration) -> Heard {
    let request = Request::Logs(query.clone());
    let answers = ask_all(seams, |passage| passage.asks(&request, within));
    let (mut texts, mut elsewhere): (Vec<(String, LogText)>, _) = (Vec::new(), Vec::new());
    let (mut refused, mut near) = (None, Vec::new());
    for (seam, answer) in seams.iter().zip(answers) {
        // It has just begun, or is not to be looked at.
        if matches!(&answer, Err(why) if why.is_shut) {
            continue;
        }
        let path = format!("{}/{}", seam.mirror.path(), query.which);
        match heard(seam, answer) {
            Ok(text) if texts.iter().any(|(_, other)| other.source == text.source) => {}
            Ok(text) => texts.push((path, text)),
            Err(Refused::NoSuchPath { near: like_it, .. }) => near.extend(like_it),
            Err(why) => {
                // Its program alone knows where a task is.
                if matches!(&why, Refused::LivesElsewhere { which, .. } if *which != query.which) {
                    elsewhere.push((path, why.clone()));
                }
                if weight(&why) > refused.as_ref().map_or(0, weight) {
                    refused = Some(why);
                }
            }
        }
    }
    let is_guess = texts.len() > 1
        || texts.is_empty() && elsewhere.iter().any(|(_, why)| *why != elsewhere[0].1);
    let paths = texts.iter().map(|(path, _)| path).chain(elsewhere.iter().map(|(path, _)| path));
    let several = is_guess.then(|| Err(ambiguous(&query.which, paths.cloned())));
    let text = texts.pop().map(|(_, text)| Ok(text));
    Heard { said: several.or(text).or(refused.map(Err)), near }
}

/// How much a refusal says.
fn weight(refused: &Refused) -> usize {
    match refused {
        Refused::NoSuchPath { .. } => 0,
        Refused::Unreadable { .. } => 1,
        // Whoever only stands in for it knows less than the process it lives in.
        Refused::LivesElsewhere { .. } => 2,
        Refused::NoLog { .. } => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests;

//! The supervision log, and the story behind one entry of it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exit::Cause;
use crate::ids::{ActorId, JobId};
use crate::limits;

/// One entry of the supervision log: something failed, or a supervisor decided something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, since 1970, by the clock of its machine.
    pub at: Duration,
    /// The process it happened in.
    pub pid: u32,
    /// Counts the entries of that process from 1.
    pub number: u64,
    /// Whom it is about: the path in the tree that was asked.
    pub path: String,
    /// What kind of thing it was.
    pub kind: EventKind,
    /// What happened, in one sentence.
    pub what: String,
    /// The root cause, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// What kind of thing an [`Event`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A life ended by a failure, or was killed.
    Failed,
    /// Its supervisor will start it again.
    Restart,
    /// It lives again.
    Up,
    /// Its supervisor will not start it again.
    Ended,
    /// A supervisor gives up: a child failed more often than is allowed, and it fails itself.
    GaveUp,
    /// Something an operator should know, and nothing has failed yet.
    Warning,
}

impl EventKind {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 6] =
        [Self::Failed, Self::Restart, Self::Up, Self::Ended, Self::GaveUp, Self::Warning];

    /// Its name, as it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Restart => "restart",
            Self::Up => "up",
            Self::Ended => "ended",
            Self::GaveUp => "gave-up",
            Self::Warning => "warning",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which entries of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventQuery {
    /// Also those of other processes, below the mirrors that stand for them here.
    pub whole: bool,
    /// Only what happened then or later, since 1970.
    pub since: Option<Duration>,
    /// Only of this kind.
    pub kind: Option<EventKind>,
    /// Only about this path and what is below it.
    pub path: Option<String>,
    /// At most so many, the newest; default and most:
    /// [`INSPECT_EVENTS_MAX`](crate::limits::INSPECT_EVENTS_MAX).
    pub limit: Option<usize>,
}

impl EventQuery {
    /// True for an entry that is asked for, if there is room for it.
    #[must_use]
    pub fn fits(&self, event: &Event) -> bool {
        self.since.is_none_or(|since| event.at >= since)
            && self.kind.is_none_or(|kind| event.kind == kind)
            && self.path.as_deref().is_none_or(|path| is_below(&event.path, path))
    }
}

/// It is this place, or one below it.
fn is_below(path: &str, place: &str) -> bool {
    let rest = path.strip_prefix(place);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Entries of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// The newest last.
    pub events: Vec<Event>,
    /// Older ones of this kind that are kept, and were not asked for.
    pub more: u64,
    /// Entries that were dropped to make room for newer ones, of whatever kind.
    pub dropped: u64,
    /// Processes that gave no answer, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

impl Events {
    /// Adds the entries of a process whose mirror is at this path, as far as they are asked for: the mirror takes the place of
    /// its root.
    pub fn join(&mut self, other: Self, mirror: &str, query: &EventQuery) {
        let graft = |path: &str| grafted(mirror, path);
        let all = other.events.into_iter().map(|event| Event { path: graft(&event.path), ..event });
        self.events.extend(all.filter(|event| query.fits(event)));
        self.more += other.more;
        self.dropped += other.dropped;
        self.missing.extend(other.missing.into_iter().map(|one| one.seen_from(mirror)));
    }

    /// Keeps the newest, at most so many, in the order of time.
    pub fn keep(&mut self, limit: Option<usize>) {
        let limit = limit.unwrap_or(usize::MAX).min(limits::INSPECT_EVENTS_MAX);
        // Of one process they are in order already, whatever its clock did.
        self.events.sort_by_key(|event| event.at);
        let over = self.events.len().saturating_sub(limit);
        self.events.drain(..over);
        self.more += over as u64;
    }
}

/// A process whose part of an answer is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The path of the mirror that stands for it.
    pub path: String,
    /// Why.
    pub why: String,
}

impl Missing {
    /// The same, as it is called where a mirror stands for the process that said so.
    #[must_use]
    pub fn seen_from(self, mirror: &str) -> Self {
        Self { path: grafted(mirror, &self.path), ..self }
    }
}

/// A path of a process, as it is called where the mirror of that process stands: the mirror takes the place of its root.
fn grafted(mirror: &str, path: &str) -> String {
    match path.split_once('/') {
        Some((_root, rest)) => format!("{mirror}/{rest}"),
        None => mirror.to_owned(),
    }
}

/// Why something is as it is: the root cause first, then everything that it led to, up to what was asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// What was asked about, as it is called in the tree or by its id.
    pub about: String,
    /// Which actor that is, where it is one of users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ActorId>,
    /// The job that it is part of, on a cluster: programs count their actors alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// How that is now, in one sentence.
    pub now: String,
    /// The root cause first. Empty when nothing is wrong.
    pub steps: Vec<StoryStep>,
    /// The steps wait for each other in a circle: a deadlock.
    pub is_cycle: bool,
    /// Processes that gave no answer: what they know of it is not in this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

/// One step of a [`Story`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryStep {
    /// Who: a path, a task, an object, a resource.
    pub who: String,
    /// What it did, or waits for.
    pub what: String,
    /// How long ago, or for how long already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<Duration>,
    /// It goes on: the age is for how long already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub goes_on: bool,
    /// Where in the source, as `file:line:column`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_by_their_names() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::named(kind.name()), Some(kind));
        }
        assert_eq!(EventKind::named("Failed"), None);
    }
}

//! The timeline: what has run when, over all processes.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::TaskState;
use crate::inspect::Missing;
use crate::{ActorId, TaskId, limits};

/// What a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanKind {
    /// One run of the body of a task.
    Task,
    /// A message that an actor handled.
    Call,
    /// An object that a node fetched from the store of another.
    Transfer,
    /// Objects that a store wrote to disk.
    Spill,
    /// An object that a store read back from disk.
    Restore,
}

impl SpanKind {
    /// What it is called, here and in files for viewers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Call => "call",
            Self::Transfer => "transfer",
            Self::Spill => "spill",
            Self::Restore => "restore",
        }
    }
}

/// Which part of the timeline is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceQuery {
    /// What ended then or later, since 1970, by the clock of whoever is asked; else all that is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Duration>,
    /// The newest so many spans, at most [`TIMELINE_SPANS_MAX`](limits::TIMELINE_SPANS_MAX).
    pub limit: usize,
}

impl Default for TraceQuery {
    fn default() -> Self {
        Self { since: None, limit: limits::TIMELINE_SPANS }
    }
}

/// Something that took some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Of what.
    pub kind: SpanKind,
    /// The function or the message.
    pub name: String,
    /// On which line of its process it is drawn: the name of the actor; nothing for tasks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub line: String,
    /// When it began, since 1970, by the clock of whoever was asked.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
    /// Which task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Which run of it.
    #[serde(default)]
    pub attempt: u32,
    /// Which actor, if it is one of users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<ActorId>,
    /// How a task has ended; nothing for one that runs still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<TaskState>,
    /// Of what was moved: how many bytes; nothing when they did not come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Of what was fetched from another node: where that gives its objects, or where it was asked for when it did not come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SocketAddr>,
}

/// The spans of one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessTrace {
    /// Where its root stands in the tree that was asked; empty for the one that was asked itself.
    pub path: String,
    /// Its program, or what it is called in its cluster.
    pub name: String,
    /// The process.
    pub pid: u32,
    /// Its spans, in no order.
    pub spans: Vec<Span>,
    /// How many more it had, older ones, before its history's bound.
    pub dropped: u64,
}

/// The spans of all processes, brought to one clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// What the clock of whoever says this shows, since 1970.
    pub now: Duration,
    /// One for each process.
    pub processes: Vec<ProcessTrace>,
    /// Processes that gave no answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

impl Trace {
    /// Takes in what was said by those below the mirror at `path`, asked at `asked` and answered at `answered` by this
    /// process's clock: their clock is taken to have shown `now` halfway, unless it agrees with this one within that time.
    pub fn join(&mut self, below: Self, path: &str, asked: Duration, answered: Duration) {
        let agrees = asked <= below.now && below.now <= answered;
        let halfway = asked + answered.saturating_sub(asked) / 2;
        let moved = |at: Duration| match agrees {
            true => at,
            false if halfway >= below.now => at + (halfway - below.now),
            false => at.saturating_sub(below.now - halfway),
        };
        let placed =
            |own: &str| if own.is_empty() { path.to_owned() } else { format!("{path}/{own}") };
        for mut process in below.processes {
            process.spans.iter_mut().for_each(|span| span.began = moved(span.began));
            let path = placed(&process.path);
            self.processes.push(ProcessTrace { path, ..process });
        }
        let missing = below.missing.into_iter();
        self.missing.extend(missing.map(|one| Missing { path: placed(&one.path), ..one }));
    }
}

impl Trace {
    /// Keeps what is wanted; what goes is counted where it was.
    pub fn keep(&mut self, query: &TraceQuery) {
        let since = query.since.unwrap_or_default();
        for process in &mut self.processes {
            // What was not asked for is not missed.
            process.spans.retain(|span| span.began + span.took >= since);
        }
        let mut all: Vec<Duration> =
            self.processes.iter().flat_map(|one| one.spans.iter().map(|span| span.began)).collect();
        let limit = query.limit.clamp(1, limits::TIMELINE_SPANS_MAX);
        if all.len() <= limit {
            return;
        }
        let (_, oldest, _) = {
            let place = all.len() - limit;
            all.select_nth_unstable(place)
        };
        let oldest = *oldest;
        let mut left = limit;
        for process in &mut self.processes {
            let before = process.spans.len();
            process.spans.retain(|span| {
                let stays = span.began >= oldest && left > 0;
                left -= usize::from(stays);
                stays
            });
            process.dropped += (before - process.spans.len()) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(now: u64, began: u64) -> Trace {
        let span = Span {
            kind: SpanKind::Task,
            name: "load".to_owned(),
            line: String::new(),
            began: Duration::from_secs(began),
            took: Duration::from_secs(1),
            task: None,
            attempt: 0,
            actor: None,
            outcome: Some(TaskState::Finished),
            bytes: None,
            from: None,
        };
        let (path, name) = (String::new(), "node-1".to_owned());
        let process = ProcessTrace { path, name, pid: 7, spans: vec![span], dropped: 0 };
        Trace { now: Duration::from_secs(now), processes: vec![process], missing: Vec::new() }
    }

    #[test]
    fn spans_of_another_clock_are_brought_to_this_one() {
        let began = |now: u64, began: u64| {
            let mut own = Trace::default();
            let (asked, answered) = (Duration::from_secs(1000), Duration::from_secs(1002));
            own.join(below(now, began), "node_pool/node-1", asked, answered);
            own.processes
                .iter()
                .map(|one| (one.path.clone(), one.spans[0].began.as_secs()))
                .collect::<Vec<_>>()
        };
        let path = || "node_pool/node-1".to_owned();
        assert_eq!(began(1001, 900), [(path(), 900)], "the clocks agree, as far as can be known");
        assert_eq!(began(601, 500), [(path(), 900)], "that clock is 400 s behind");
        assert_eq!(began(5001, 4900), [(path(), 900)], "that clock is 4,000 s ahead");
    }
}

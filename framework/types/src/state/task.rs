//! Tasks, and calls that have no answer yet.

use std::cmp::{Ordering, Reverse};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Key, Record};
use crate::{ActorId, JobId, Resources, TaskId};

/// Whether it is a task, or a call of an actor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// A function that runs wherever there is room.
    #[default]
    Task,
    /// A method of an actor. Calls are listed while they have no answer.
    Call,
}

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Its body runs.
    Running,
    /// Its body waits for objects, and has lent its CPU.
    Waiting,
    /// It was sent to another process, which runs it or will.
    Sent,
    /// It waits for resources; a call: in the mailbox of its actor, or for that to live.
    Queued,
    /// Some of its arguments are not there yet.
    PendingArguments,
    /// The attempt failed, or was lost with its worker.
    Failed,
    /// Nobody wanted it any more.
    Cancelled,
    /// It returned.
    Finished,
}

impl TaskState {
    /// It will not change any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Failed | Self::Cancelled | Self::Finished)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Queued => "queued",
            Self::PendingArguments => "pending_arguments",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Finished => "finished",
        })
    }
}

/// One attempt of a task, or a call. Times are since 1970, by the clock of the process that lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Which task; calls have no id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TaskId>,
    /// Whether it is one.
    #[serde(default)]
    pub kind: TaskKind,
    /// What its options say, else the name of its function or method.
    pub name: String,
    /// Where it is.
    pub state: TaskState,
    /// Which run; the first is 0.
    #[serde(default)]
    pub attempt: u32,
    /// The task that started it, if a task did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// Of a call: who is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<ActorId>,
    /// On a cluster: the job of its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// The process that submitted it.
    pub pid: u32,
    /// The process that runs it, or ran it, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// When it was submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted: Option<Duration>,
    /// When its body began, or it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Duration>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Duration>,
    /// What it asks for while it runs.
    #[serde(default, skip_serializing_if = "Resources::is_none")]
    pub wants: Resources,
    /// How it failed, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl TaskRecord {
    /// How long its body ran.
    #[must_use]
    pub fn ran(&self) -> Option<Duration> {
        Some(self.ended?.saturating_sub(self.began?))
    }
}

impl Record for TaskRecord {
    const NAME: &'static str = "task";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "kind",
        "name",
        "state",
        "attempt",
        "parent",
        "actor",
        "job",
        "pid",
        "host",
        "submitted",
        "began",
        "ran",
        "wants",
        "error",
    ];
    const NUMBERS: &'static [&'static str] = &["attempt", "pid"];

    fn cell(&self, column: &str) -> String {
        let text = |value: Option<String>| value.unwrap_or_default();
        match column {
            "id" => text(self.id.map(|id| id.to_string())),
            "kind" => match self.kind {
                TaskKind::Task => "task".to_owned(),
                TaskKind::Call => "call".to_owned(),
            },
            "name" => self.name.clone(),
            "state" => self.state.to_string(),
            // Calls have none.
            "attempt" if self.kind == TaskKind::Call => String::new(),
            "attempt" => self.attempt.to_string(),
            "parent" => text(self.parent.map(|id| id.to_string())),
            "actor" => text(self.actor.map(|id| id.to_string())),
            "job" => text(self.job.map(|job| job.to_string())),
            "pid" => self.pid.to_string(),
            "host" => text(self.host.clone()),
            "submitted" => text(self.submitted.map(seconds)),
            "began" => text(self.began.map(seconds)),
            "ran" => text(self.ran().map(seconds)),
            "wants" if self.wants.is_none() => String::new(),
            "wants" => self.wants.to_string(),
            "error" => text(self.error.clone()),
            _ => String::new(),
        }
    }

    fn key(&self, column: &str, now: Duration) -> Option<Key> {
        let since = |at: Duration| now.saturating_sub(at);
        let time = match column {
            "submitted" => self.submitted,
            "began" => self.began,
            "age" => self.submitted.map(since),
            "ran" => self.ran().or(self.began.map(since)),
            "attempt" if self.kind == TaskKind::Call => None,
            "attempt" => return Some(Key::Number(self.attempt.into())),
            "pid" => return Some(Key::Number(self.pid.into())),
            _ => {
                let cell = self.cell(column);
                return Some(cell).filter(|cell| !cell.is_empty()).map(Key::Text);
            }
        };
        time.map(|time| Key::Number(time.as_nanos()))
    }

    fn rank(&self, other: &Self) -> Ordering {
        // What is under way, the oldest first; then what is over, the newest first.
        let key = |one: &Self| {
            let over = one.state.is_over();
            let since = one.submitted.unwrap_or_default();
            let under_way = (!over).then_some((one.state, since));
            (over, under_way, over.then_some(Reverse(one.ended)))
        };
        key(self).cmp(&key(other)).then_with(|| other.id.cmp(&self.id))
    }

    fn group(&self) -> (String, String) {
        (self.name.clone(), self.state.to_string())
    }
}

/// With milliseconds.
fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

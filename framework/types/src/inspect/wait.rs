//! Who waits for whom.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::{Missing, Story};
use crate::ids::{ActorId, JobId, TaskId};

/// Somebody waits for the answer of somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Who waits.
    pub waiter: Party,
    /// For whom.
    pub target: Party,
    /// For what: a method of the target, or its function.
    pub what: String,
    /// For how long the waiter has been at what it does now: it has waited no longer than that.
    pub age: Option<Duration>,
    /// The waiter takes nothing else up meanwhile, and when it was gone on with last it awaited answers of actors and results of tasks,
    /// all of which are told here, and no other objects or streams besides. A task that has not begun awaits its arguments.
    pub is_alone: bool,
    /// What is waited for runs already, or may do so where it was sent.
    #[serde(default)]
    pub has_begun: bool,
    /// How often the waiter had been gone on with then: as long as that is the same, it waits for the same.
    pub poll: u64,
}

/// Waits of many processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edges {
    /// The waits.
    pub waits: Vec<Wait>,
    /// Processes that gave no answer: who waits there is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

/// Who waits for whom, as stories: deadlocks first, then those who have waited longest. Each begins with whoever waits, and each
/// step waits for the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// The stories.
    pub stories: Vec<Story>,
    /// Processes that gave no answer: who waits there is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

/// A circle of waits, and the one in it that is given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circle {
    /// The wait that is given up.
    pub wait: Wait,
    /// All in the circle, each with what it was called for, the one that gives up first and last.
    pub members: Vec<String>,
}

/// One who waits, or is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The job that it is part of, on a cluster: programs count their actors alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// Who it is.
    pub who: Who,
    /// How it is called in the tree.
    pub label: String,
}

/// An actor or a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// An actor of users.
    Actor(ActorId),
    /// A task.
    Task(TaskId),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Actor(id) => id.fmt(f),
            Self::Task(id) => id.fmt(f),
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.label, self.who)
    }
}

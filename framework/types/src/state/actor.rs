//! Actors of users.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::Record;
use crate::inspect::ActorState;
use crate::{ActorId, JobId, Resources};

/// An actor, as the process that decides on its lives sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorRecord {
    /// Which.
    pub id: ActorId,
    /// What it is called: its given name, else its class and a number.
    pub name: String,
    /// Its type.
    pub class: String,
    /// Where it is in its existence.
    pub state: ActorState,
    /// Who spawned it; nobody for those of the program's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<ActorId>,
    /// On a cluster: the job of its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// The process that decides on its lives.
    pub pid: u32,
    /// The process that it lives in, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Lives after the first.
    pub restarts: u32,
    /// Calls that it has not taken up, or not finished.
    pub queued: u64,
    /// Messages handled over all its lives.
    pub handled: u64,
    /// What it asks for while it lives.
    #[serde(default, skip_serializing_if = "Resources::is_none")]
    pub wants: Resources,
    /// Its last end, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl Record for ActorRecord {
    const NAME: &'static str = "actor";
    const COLUMNS: &'static [&'static str] = &[
        "id", "name", "class", "state", "owner", "job", "pid", "host", "restarts", "queued",
        "handled", "wants", "cause",
    ];
    const NUMBERS: &'static [&'static str] = &["pid", "restarts", "queued", "handled"];

    fn cell(&self, column: &str) -> String {
        match column {
            "id" => self.id.to_string(),
            "name" => self.name.clone(),
            "class" => self.class.clone(),
            "state" => self.state.to_string(),
            "owner" => self.owner.map(|id| id.to_string()).unwrap_or_default(),
            "job" => self.job.map(|job| job.to_string()).unwrap_or_default(),
            "pid" => self.pid.to_string(),
            "host" => self.host.clone().unwrap_or_default(),
            "restarts" => self.restarts.to_string(),
            "queued" => self.queued.to_string(),
            "handled" => self.handled.to_string(),
            "wants" if self.wants.is_none() => String::new(),
            "wants" => self.wants.to_string(),
            "cause" => self.cause.clone().unwrap_or_default(),
            _ => String::new(),
        }
    }

    fn rank(&self, other: &Self) -> Ordering {
        // What has trouble first.
        let trouble = |one: &Self| match one.state {
            ActorState::Failed => 0,
            ActorState::Restarting => 1,
            ActorState::Pending => 2,
            ActorState::Starting | ActorState::Stopping => 3,
            ActorState::Running => 4,
            ActorState::Stopped => 5,
        };
        (trouble(self), self.job, self.id).cmp(&(trouble(other), other.job, other.id))
    }

    fn group(&self) -> (String, String) {
        (self.class.clone(), self.state.to_string())
    }
}

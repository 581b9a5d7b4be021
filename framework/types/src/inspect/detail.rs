//! All there is to say of one actor.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::FlightEvent;
use super::tree::TreeRow;
use crate::exit::ExitKind;
use crate::supervision::{Backoff, Restart, RestartLimit, Shutdown};

/// All there is to say of one actor, without asking it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorDetail {
    /// Names from the root of the tree that was asked down to it, joined by `/`.
    pub path: String,
    /// The process it is in.
    pub pid: u32,
    /// Its row, at depth 0.
    pub row: TreeRow,
    /// How its supervisor treats it; none for a root.
    pub policy: Option<PolicyDetail>,
    /// How many restarts of its children it allows, where it is a supervisor.
    pub intensity: Option<RestartLimit>,
    /// How long until its next life, while it waits for one.
    pub next_life_in: Option<Duration>,
    /// Its children.
    pub children: u64,
    /// Its last ends, newest last.
    pub ends: Vec<ExitKind>,
    /// Earlier ones, which have made room for those.
    #[serde(default)]
    pub ends_dropped: u64,
    /// Its flight recorder, oldest first. Times are since 1970.
    pub recorder: Vec<FlightEvent>,
    /// Earlier ones, which have made room for those.
    #[serde(default)]
    pub recorder_dropped: u64,
}

/// How a supervisor treats a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyDetail {
    /// Which ends lead to a restart.
    pub restart: Restart,
    /// How it is ended.
    pub shutdown: Shutdown,
    /// The waits between its restarts.
    pub backoff: Backoff,
    /// Its restarts count against a total of its own; otherwise against its supervisor's intensity.
    pub own_restarts: Option<u32>,
}

/// How much of an actor is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndHow {
    /// Its present life: its supervisor starts the next one.
    Restart,
    /// The actor, for good, and what it owns. Actors of users alone.
    Kill,
}

/// What is lost when an actor is ended, or was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndNote {
    /// Which.
    pub path: String,
    /// What is lost, one thing each: its state, calls, what it owns.
    pub lost: Vec<String>,
    /// It was done.
    pub is_done: bool,
}

//! How a cluster is, at one moment: what `raytree status` shows.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ActorId, JobId, Resources};

/// A cluster, as its head sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// The version of these fields.
    pub version: u32,
    /// The process of the head.
    pub pid: u32,
    /// Where the head listens.
    pub address: String,
    /// For how long it has been there.
    pub uptime: Duration,
    /// Its nodes, by name.
    pub nodes: Vec<NodeStatus>,
    /// Its jobs, the oldest first.
    pub jobs: Vec<JobStatus>,
    /// Its detached actors, by namespace and name, those without a name last: at most
    /// [`STATUS_DETACHED_MAX`](crate::limits::STATUS_DETACHED_MAX) of them.
    #[serde(default)]
    pub detached: Vec<DetachedStatus>,
    /// How many of them there are.
    #[serde(default)]
    pub detached_count: usize,
    /// Where it is shown in a browser, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboard: Option<DashboardStatus>,
    /// Where the head's numbers for Prometheus are read, if they are: `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
}

/// Where a cluster is shown in a browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DashboardStatus {
    /// Its address, e.g. `http://127.0.0.1:8265`.
    pub url: String,
    /// A word of this life of the head: a one-time link is made for it.
    pub epoch: String,
}

impl ClusterStatus {
    /// What this version of raytree writes and reads.
    pub const VERSION: u32 = 1;

    /// Every node is up, and there is one.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        let is_up = |node: &NodeStatus| node.phase == NodePhase::Up;
        !self.nodes.is_empty() && self.nodes.iter().all(is_up)
    }
}

/// A detached actor, as its head sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetachedStatus {
    /// Who it is.
    pub id: ActorId,
    /// Where its name is unique.
    pub namespace: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// How it is called in the tree.
    pub label: String,
    /// Where it lives; none while it begins a life, or waits for a place.
    pub node: Option<String>,
    /// Lives that were lost.
    pub restarts: u32,
    /// What its process holds, or waits for.
    pub wants: Resources,
}

/// A node, as its head sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Which life of it.
    pub life: u64,
    /// Where it is in that life.
    pub phase: NodePhase,
    /// How a person finds it.
    pub address: String,
    /// All that it has.
    pub total: Resources,
    /// What no job was granted of it.
    pub free: Resources,
    /// The raytree version it was built with.
    pub version: String,
    /// Where its numbers for Prometheus are read, if they are: `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
}

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodePhase {
    /// It has not beaten yet.
    Starting,
    /// It beats and moves.
    Up,
    /// It beats, and gets nothing done.
    Degraded,
    /// It is silent, or cannot be reached.
    Suspect,
    /// It was asked to stop.
    Stopping,
    /// It counts as dead, and may still run.
    Fenced,
}

impl fmt::Display for NodePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Suspect => "suspect",
            Self::Stopping => "stopping",
            Self::Fenced => "fenced",
        })
    }
}

/// A job, as the head sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    /// Its number.
    pub job: JobId,
    /// What its driver is called.
    pub program: String,
    /// For how long it has been there.
    pub age: Duration,
    /// How many workers it has.
    pub workers: usize,
}

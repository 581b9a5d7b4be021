//! What an inspector reads: plain records, versioned, independent of the system that fills them.
//!
//! [`place`] says where somebody can be asked, [`protocol`] what, the records here what it answers.

mod checkup;
mod cluster;
mod detail;
mod event;
mod logs;
pub mod place;
pub mod protocol;
mod store;
mod tree;
mod wait;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exit::ExitKind;

pub use checkup::{ActorCheck, Ahead, Checkup, Lag, ProcessCheck};
pub use cluster::{
    ClusterStatus, DashboardStatus, DetachedStatus, JobStatus, NodePhase, NodeStatus,
};
pub use detail::{ActorDetail, EndHow, EndNote, PolicyDetail};
pub use event::{Event, EventKind, EventQuery, Events, Missing, Story, StoryStep};
pub use logs::{LogMark, LogQuery, LogText};
pub(crate) use protocol::nearest;
pub use protocol::{Answer, Asked, Refused, Reply, Request, Role, Versioned};
pub use store::StoreRow;
pub use tree::{Edit, Misfit, ProcessRow, Selection, THE_PROGRAM, TreeChanges, TreeRow, TreeRows};
pub use wait::{Circle, Edges, Party, Wait, Waits, Who};

/// Version of these records and of the protocol that carries them; raised when a field changes its meaning.
pub const INSPECT_VERSION: u32 = 2;

/// The state of an actor as its supervisor sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorState {
    /// Its constructor has not returned yet.
    Starting,
    /// It handles messages.
    Running,
    /// It ended and waits for its next life.
    Restarting,
    /// It was asked to end.
    Stopping,
    /// It has ended for good, in order.
    Stopped,
    /// It has ended for good, by a failure.
    Failed,
    /// It waits for resources and has had no life yet.
    Pending,
}

impl fmt::Display for ActorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Pending => "pending",
        })
    }
}

/// One thing that happened to an actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlightEvent {
    /// Time since the recorder's clock began.
    pub at: Duration,
    /// What happened, in a few words.
    pub what: String,
}

/// One row of the supervision tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeNode {
    /// Its name among its siblings.
    pub name: String,
    /// The type of the actor.
    pub type_name: String,
    /// `one-for-one` and so on for a supervisor; nothing for a leaf.
    pub strategy: Option<String>,
    /// State.
    pub state: ActorState,
    /// Messages sent to it and not yet taken up or handled in turn; a `&self` handler that overlaps with others counts
    /// until it first waits.
    pub queued: u64,
    /// The bound on queued messages that need credit.
    pub queue_limit: u64,
    /// Messages refused because the bound was reached.
    pub refused: u64,
    /// Messages handled over all its lives.
    pub handled: u64,
    /// How long it has been handling its current message.
    pub busy_for: Option<Duration>,
    /// The name of that message.
    pub current: Option<String>,
    /// Restarts over its whole existence.
    pub restarts: u32,
    /// What is to be said of it now, e.g. of abandoned threads; mostly nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// Its last ends, newest last.
    pub last_causes: Vec<ExitKind>,
    /// Its flight recorder, oldest first.
    pub recorder: Vec<FlightEvent>,
    /// Its children, in start order.
    pub children: Vec<TreeNode>,
}

impl TreeNode {
    /// This row and all below it, parents first, with their depth (0 here).
    pub fn walk(&self) -> Vec<(usize, &TreeNode)> {
        let mut rows = Vec::new();
        let mut open = vec![(0, self)];
        while let Some((depth, node)) = open.pop() {
            rows.push((depth, node));
            open.extend(node.children.iter().rev().map(|child| (depth + 1, child)));
        }
        rows
    }

    /// The row at `path` below this one, e.g. `node/worker/actor_host`.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&TreeNode> {
        let mut node = self;
        for name in path.split('/').filter(|part| !part.is_empty()) {
            node = node.children.iter().find(|child| child.name == name)?;
        }
        Some(node)
    }

    /// The tree as indented text, one line an actor: name, state, strategy, queue, handled, restarts, and a remark where there
    /// is one.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (depth, node) in self.walk() {
            let indent = "  ".repeat(depth);
            let strategy = node.strategy.as_deref().unwrap_or("");
            let remark = node.remark.as_deref().map_or(String::new(), |text| format!("  {text}"));
            text.push_str(&format!(
                "{:<40} {:<12} {:<12} queued {:>5}  handled {:>8}  restarts {:>3}{remark}\n",
                format!("{indent}{}", node.name),
                node.state.to_string(),
                strategy,
                node.queued,
                node.handled,
                node.restarts
            ));
        }
        text
    }
}

/// One moment of a whole supervision tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeSnapshot {
    /// [`INSPECT_VERSION`].
    pub version: u32,
    /// How long the tree has existed.
    pub uptime: Duration,
    /// The root.
    pub root: TreeNode,
}

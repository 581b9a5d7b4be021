//! What may be asked of an inspector's socket, and what it answers: one line of JSON each way, as often as the client likes.
//! Programs, heads and nodes each have one.
//!
//! Both sides say their version. A side that meets another version says so in one sentence and reads no further.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ActorState, INSPECT_VERSION};
use crate::ids::RuntimeId;

/// The part of every line that never changes: read it first, and the rest only when the version is one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned {
    /// The [`INSPECT_VERSION`] of the sender.
    pub version: u32,
}

/// One line from the client, at most [`INSPECT_REQUEST_BYTES_MAX`](crate::limits::INSPECT_REQUEST_BYTES_MAX).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// [`INSPECT_VERSION`].
    pub version: u32,
    /// What is asked.
    pub request: Request,
}

impl Asked {
    /// `request` in the present version.
    #[must_use]
    pub fn new(request: Request) -> Self {
        Self { version: INSPECT_VERSION, request }
    }
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Who are you? The head of the [`Reply`] is the answer.
    Hello,
    /// This moment of the tree.
    Tree(Selection),
    /// For tests, and for nothing else: the actor at this path of the physical tree is to panic, before its next message or at
    /// once when it is idle. What follows is its supervisor's business; the root has none, so that with it the whole tree
    /// ends. Whoever may ask this is the process's own user, who could as well kill it. No command asks it.
    Panic {
        /// Which actor, e.g. `gcs/membership`.
        path: String,
    },
}

/// What somebody who can be looked at is to its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A program that uses raytree.
    #[default]
    Program,
    /// The head of a cluster.
    Head,
    /// A node of a cluster.
    Node {
        /// Its name there.
        name: String,
    },
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("program"),
            Self::Head => f.write_str("head"),
            Self::Node { name } => write!(f, "node {name}"),
        }
    }
}

/// Which rows of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// The logical tree (who spawned whom) instead of the physical one (who supervises whom).
    pub owners: bool,
    /// Only what is at this path and below, e.g. `node/worker`. Default: everything.
    pub path: Option<String>,
    /// Rows deeper than this are only counted; 0 is the top row alone. Default: all depths.
    pub depth: Option<u32>,
    /// Only rows in trouble (see [`TreeRow::in_trouble`]) and those above them.
    pub failed: bool,
}

/// One line from the runtime, at most [`INSPECT_REPLY_BYTES_MAX`](crate::limits::INSPECT_REPLY_BYTES_MAX).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// [`INSPECT_VERSION`].
    pub version: u32,
    /// The process.
    pub pid: u32,
    /// Which runtime of that process.
    pub runtime: RuntimeId,
    /// The file name of the program.
    pub program: String,
    /// What it is to its cluster.
    #[serde(default)]
    pub role: Role,
    /// How long the runtime has existed.
    pub uptime: Duration,
    /// What was asked for.
    pub answer: Answer,
}

/// The body of a [`Reply`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Request::Hello`].
    Hello,
    /// To [`Request::Tree`].
    Tree(TreeRows),
    /// To [`Request::Panic`]: said before it is done, as whoever answers may be the one.
    Panics,
    /// There is no answer.
    Refused(Refused),
}

/// A tree, row by row: parents before their children, each row with its depth. Flat, because a chain of owners may be
/// deeper than any stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeRows {
    /// The rows.
    pub rows: Vec<TreeRow>,
    /// Rows that were asked for and did not fit into the reply.
    pub more: u64,
}

/// One actor of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeRow {
    /// Levels below the first row; the logical tree has many rows at level 0.
    pub depth: u32,
    /// Its name among its siblings.
    pub name: String,
    /// The type of the actor.
    pub type_name: String,
    /// `one-for-one` and so on for a supervisor; nothing for a leaf.
    pub strategy: Option<String>,
    /// State.
    pub state: ActorState,
    /// Messages sent to it and not yet handled.
    pub queued: u64,
    /// The bound on queued messages.
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
    /// Its last end in one sentence, at most
    /// [`INSPECT_CAUSE_CHARS_MAX`](crate::limits::INSPECT_CAUSE_CHARS_MAX).
    pub last_cause: Option<String>,
    /// What is to be said of it now, e.g. of abandoned threads; mostly nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// Rows below it that were not asked for, because they are too deep.
    pub hidden: u64,
}

impl TreeRow {
    /// It has failed, waits for its next life, has been restarted before, or there is something to be said of it.
    #[must_use]
    pub fn in_trouble(&self) -> bool {
        matches!(self.state, ActorState::Failed | ActorState::Restarting)
            || self.restarts > 0
            || self.remark.is_some()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refused {
    /// The two sides are of different versions.
    #[error(
        "the runtime speaks version {runtime} of the inspector's protocol, the client version {client}"
    )]
    Version {
        /// The runtime's.
        runtime: u32,
        /// The client's.
        client: u32,
    },
    /// The line is not a request.
    #[error("not a request: {reason}")]
    BadRequest {
        /// What is wrong with it.
        reason: String,
    },
    /// The line is too long.
    #[error("a request has at most {limit} bytes")]
    TooLong {
        /// The bound.
        limit: usize,
    },
    /// The client runs under another user.
    #[error("the runtime belongs to another user")]
    Stranger,
    /// The tree has nothing at that path.
    #[error("there is no `{path}` in the tree")]
    NoSuchPath {
        /// The path.
        path: String,
    },
    /// Who spawned whom is known to programs alone.
    #[error("{who} has no actors of its users, so nobody owns anybody there")]
    NoOwners {
        /// Who was asked.
        who: String,
    },
    /// Reading the tree failed; the runtime goes on.
    #[error("the tree could not be read: {reason}")]
    Unreadable {
        /// What was said.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_short_line() -> serde_json::Result<()> {
        let asked = Asked::new(Request::Tree(Selection { owners: true, ..Selection::default() }));
        let line = serde_json::to_string(&asked)?;
        assert_eq!(
            line,
            r#"{"version":1,"request":{"tree":{"owners":true,"path":null,"depth":null,"failed":false}}}"#
        );
        assert_eq!(serde_json::from_str::<Asked>(&line)?, asked);
        // What a script may write by hand.
        let short: Asked = serde_json::from_str(r#"{"version":1,"request":{"tree":{}}}"#)?;
        assert_eq!(short.request, Request::Tree(Selection::default()));
        assert_eq!(
            serde_json::from_str::<Asked>(r#"{"version":1,"request":"hello"}"#)?.request,
            Request::Hello
        );
        Ok(())
    }

    #[test]
    fn who_does_not_say_what_it_is_is_a_program() -> serde_json::Result<()> {
        let head = r#""version":1,"pid":1,"runtime":2,"program":"a","uptime":{"secs":1,"nanos":0}"#;
        let reply = |role: &str| format!(r#"{{{head},{role}"answer":"hello"}}"#);
        assert_eq!(serde_json::from_str::<Reply>(&reply(""))?.role, Role::Program);
        let node: Reply = serde_json::from_str(&reply(r#""role":{"node":{"name":"node-1"}},"#))?;
        assert_eq!(node.role, Role::Node { name: "node-1".to_owned() });
        assert_eq!(node.role.to_string(), "node node-1");
        Ok(())
    }

    #[test]
    fn the_version_of_any_line_can_be_read() -> serde_json::Result<()> {
        let line = r#"{"version":7,"request":{"of":"the future"},"more":[1,2]}"#;
        assert_eq!(serde_json::from_str::<Versioned>(line)?.version, 7);
        let skew = Refused::Version { runtime: 1, client: 7 };
        assert_eq!(
            skew.to_string(),
            "the runtime speaks version 1 of the inspector's protocol, the client version 7"
        );
        Ok(())
    }
}

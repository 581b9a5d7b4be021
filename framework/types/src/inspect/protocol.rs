//! What may be asked of an inspector's socket, and what it answers: one line of JSON each way, as often as the client likes.
//! Programs, heads and nodes each have one.
//!
//! Both sides say their version. A side that meets another version says so in one sentence and reads no further.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::INSPECT_VERSION;
use super::checkup::Checkup;
use super::detail::{ActorDetail, EndHow, EndNote};
use super::event::{EventQuery, Events, Story};
use super::logs::{LogQuery, LogText};
use super::tree::{Selection, TreeChanges, TreeRows};
use super::wait::{Circle, Edges, Waits};
use crate::ids::RuntimeId;
use crate::state::{BadQuery, Rows, StateQuery, Trace, TraceQuery};

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
    /// How long the client waits: who has to ask others waits a little less for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<Duration>,
    /// What is asked.
    pub request: Request,
}

impl Asked {
    /// `request` in the present version.
    #[must_use]
    pub fn new(request: Request) -> Self {
        Self { version: INSPECT_VERSION, patience: None, request }
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
    /// All there is to say of one actor: its path, its name or its id.
    Actor {
        /// Which, e.g. `gcs/membership`, `scores` or `actor-1-2a`.
        which: String,
    },
    /// The supervision log.
    Events(EventQuery),
    /// Why is it as it is? A path, a name, or an id.
    Why {
        /// What, e.g. `node/worker/actor_host/scores`, `actor-1-2a` or `task-1-7`.
        which: String,
    },
    /// Who waits for whom, and for how long already: those alone who have waited for a while. Deadlocks first.
    Waits,
    /// Who waits for whom in this process and in those below it, as it is.
    Edges,
    /// How are your system actors, and those of the processes below you? Each is sent a message.
    Checkup,
    /// What the process has written in which somebody lives.
    Logs(LogQuery),
    /// Tasks, actors or objects.
    State(StateQuery),
    /// What has run when.
    Timeline(TraceQuery),
    /// One wait in a circle is given up, if it is still the same one: its call fails with the error `Deadlock`.
    GiveUp(Circle),
    /// End a life of an actor, or the actor.
    End {
        /// Which: its path, its name or its id.
        which: String,
        /// A life, or all that it has.
        how: EndHow,
        /// Do it. Else it is only said what would be lost.
        confirmed: bool,
    },
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
    /// A process that another one has started to work for it.
    Part {
        /// What it is called there, e.g. `node-1` or `job-1 on node-1`.
        name: String,
    },
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("program"),
            Self::Head => f.write_str("head"),
            Self::Node { name } => write!(f, "node {name}"),
            Self::Part { name } => write!(f, "part {name}"),
        }
    }
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
    /// When this was so, since 1970, by the clock of its machine.
    #[serde(default)]
    pub captured_at: Duration,
    /// Where the head of its cluster listens: all that say the same are shown by that head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
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
    /// To [`Request::Tree`] with [`Selection::since`].
    Changes(TreeChanges),
    /// To [`Request::Actor`].
    Actor(Box<ActorDetail>),
    /// To [`Request::Events`].
    Events(Events),
    /// To [`Request::Why`].
    Why(Story),
    /// To [`Request::Waits`].
    Waits(Waits),
    /// To [`Request::Edges`].
    Edges(Edges),
    /// To [`Request::Checkup`].
    Checkup(Checkup),
    /// To [`Request::Logs`].
    Logs(Box<LogText>),
    /// To [`Request::State`].
    State(Rows),
    /// To [`Request::Timeline`].
    Timeline(Trace),
    /// To [`Request::GiveUp`]: how many calls failed.
    GaveUp(u64),
    /// To [`Request::End`].
    End(EndNote),
    /// To [`Request::Panic`]: said before it is done, as whoever answers may be the one.
    Panics,
    /// There is no answer.
    Refused(Refused),
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
    /// Nothing can be listed like this.
    #[error(transparent)]
    BadQuery(BadQuery),
    /// The tree has nothing at that path.
    #[error("there is no `{path}` in the tree{}", nearest(near))]
    NoSuchPath {
        /// The path.
        path: String,
        /// What is called nearly so, the nearest first.
        #[serde(default)]
        near: Vec<String>,
    },
    /// Several have that name.
    #[error("`{which}` may be any of these, say which: {}", paths.join(", "))]
    Ambiguous {
        /// The name.
        which: String,
        /// Where they are, at most [`INSPECT_NEAR_MAX`](crate::limits::INSPECT_NEAR_MAX) of them.
        paths: Vec<String>,
    },
    /// It is not to be ended so.
    #[error("{path} is not ended: {reason}")]
    NotEnded {
        /// Which.
        path: String,
        /// Why, and what can be done instead.
        reason: String,
    },
    /// Who spawned whom is known to programs alone.
    #[error("{who} has no actors of its users, so nobody owns anybody there")]
    NoOwners {
        /// Who was asked.
        who: String,
    },
    /// Nothing of what it writes is kept.
    #[error("there is no log of {who}: {reason}")]
    NoLog {
        /// The process.
        who: String,
        /// Why.
        reason: String,
    },
    /// It stands in for an actor that lives elsewhere, where this process cannot look.
    #[error("{which} lives on {host}, and is not seen from here: ask the head of the cluster")]
    LivesElsewhere {
        /// Its id.
        which: String,
        /// Where.
        host: String,
    },
    /// Reading the tree failed; the runtime goes on.
    #[error("the tree could not be read: {reason}")]
    Unreadable {
        /// What was said.
        reason: String,
    },
}

/// What may be meant instead, as the end of a sentence.
pub(crate) fn nearest(near: &[String]) -> String {
    match near {
        [] => String::new(),
        [one] => format!("; is `{one}` meant?"),
        many => format!("; is one of these meant: {}?", many.join(", ")),
    }
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
            r#"{"version":2,"request":{"tree":{"owners":true,"whole":false,"path":null,"depth":null,"failed":false}}}"#
        );
        assert_eq!(serde_json::from_str::<Asked>(&line)?, asked);
        // What a script may write by hand.
        let short: Asked = serde_json::from_str(r#"{"version":2,"request":{"tree":{}}}"#)?;
        assert_eq!(short.request, Request::Tree(Selection::default()));
        assert_eq!(
            serde_json::from_str::<Asked>(r#"{"version":2,"request":"hello"}"#)?.request,
            Request::Hello
        );
        Ok(())
    }

    #[test]
    fn who_does_not_say_what_it_is_is_a_program() -> serde_json::Result<()> {
        let head = r#""version":2,"pid":1,"runtime":2,"program":"a","uptime":{"secs":1,"nanos":0}"#;
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

//! What the processes of a cluster say to each other about processes: the head, its nodes, the programs that use it (its
//! *drivers*), and the workers that run their tasks.
//!
//! ```text
//! driver ──FromDriver──▶ head ──ToNode──▶ node ──starts──▶ worker
//!        ◀──ToDriver───       ◀─FromNode─      ◀──line────
//!    └──────────────── calls, objects ────────────────────┘ ◀── calls ──▶ other workers of the job
//! ```
//!
//! Whoever dials says in its [`Greeting`] what for. Everything here is JSON on the wire; a message of one side that the
//! other cannot read ends their connection.

mod beat;
mod posting;
mod resident;
mod times;

use std::net::SocketAddr;
use std::time::Duration;

use raytree_engine::membership::{JoinAnswer, Place};
use raytree_types::{Cause, Incarnation, JobId, LogLines, ProcessIncarnation, Resources};
use serde::{Deserialize, Serialize};

use crate::Marked;
use crate::program::{Manifest, ProgramId};

pub use beat::Beat;
pub use posting::{Door, Posting, Template, Terms};
pub use resident::{About, Hex, Residence, Resident, ResidentNews, ResidentWish};
pub use times::Times;

/// The largest message of a driver to its head, and back.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// What a connection is for: the details of its hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Greeting {
    /// A node that wants to join, or to go on.
    Node {
        /// The number of this process, drawn at random at its start.
        process: u64,
    },
    /// The beats of a node.
    Beats {
        /// Its number, as it said when it joined.
        process: u64,
    },
    /// A program that wants workers.
    Driver,
    /// Somebody who asks how the cluster is: one answer, and the end.
    Status,
    /// Somebody who wants the whole cluster to end.
    Stop,
    /// Somebody who looks at the whole cluster through its head.
    Inspect,
    /// A node or a driver that the head wants to look at.
    Window {
        /// What the head has said ([`ToNode::Look`], [`ToDriver::Look`]).
        ticket: u64,
        /// False when it is not to be looked at.
        opens: bool,
    },
    /// The bytes of a program, please.
    Fetch {
        /// Which.
        program: ProgramId,
    },
    /// Here are the bytes of a program.
    Store {
        /// Which.
        manifest: Manifest,
    },
    /// A driver that dials its worker, or that of a resident.
    Calls {
        /// Whom it expects there.
        worker: Worker,
    },
    /// A worker that dials another one of its job.
    Neighbour {
        /// Who it is.
        from: Worker,
        /// Whom it expects there.
        to: Worker,
    },
}

/// The first word of a head to one that wants the bytes of a program ([`Greeting::Fetch`]), or brings them
/// ([`Greeting::Store`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transfer {
    /// They follow, or may.
    Begins {
        /// How many.
        length: u64,
    },
    /// Not now: there are too many transfers. To be asked again.
    Busy,
    /// They will not come, or are not taken.
    Refused {
        /// Why.
        reason: String,
    },
}

/// One life of the process that runs the tasks of one job on one node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Worker {
    /// Whose tasks it runs.
    pub job: JobId,
    /// Where.
    pub node: String,
    /// In which life of that node.
    pub incarnation: ProcessIncarnation,
    /// Counts the lives of the job's workers on that node from 1.
    pub life: u32,
}

/// Where one life of an actor is found, as the driver that it belongs to says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifeAddress {
    /// Who has it.
    pub worker: Worker,
    /// Where that is dialed.
    pub address: SocketAddr,
    /// Which life.
    pub life: Incarnation,
}

impl std::fmt::Display for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.job, self.node)
    }
}

/// Where a machine is the same as another one: programs on it see each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host(String);

impl Host {
    /// This one: the number of its boot, and the namespace of its processes.
    #[must_use]
    pub fn of_this_process() -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let processes = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self(format!("{} {}", boot.trim(), processes.display()))
    }
}

/// What a node says to its head.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromNode {
    /// It wants to join, or to go on.
    Join {
        /// Which life it has; none for a process that was never answered.
        claim: Option<ProcessIncarnation>,
        /// The link that it asks over, from 1, rising.
        link: u64,
        /// The number of this request.
        ticket: u64,
        /// What it has, and what it runs.
        offer: Box<Offer>,
    },
    /// A worker is up.
    WorkerUp {
        /// Which.
        worker: Worker,
        /// Where it is dialed.
        address: SocketAddr,
    },
    /// A worker has surely ended.
    WorkerGone {
        /// Which.
        worker: Worker,
        /// Why.
        cause: Box<Cause>,
        /// The status with which its process has ended, if it has ended with one.
        code: Option<i32>,
    },
    /// A worker was not started and will not be: the node ends, or is isolated. It has not died.
    Declined {
        /// Which.
        worker: Worker,
    },
    /// What a worker has written.
    Lines {
        /// Which.
        worker: Worker,
        /// The lines.
        lines: LogLines,
    },
    /// It begins to end, in order: nothing new is to be started there.
    Ending,
    /// It ends, in order, and all its workers have ended: its last word.
    Leaves,
}

/// A node as it offers itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// How a person finds it: host and process.
    pub address: String,
    /// All that it has.
    pub total: Resources,
    /// What it runs already, and where that is dialed, if it is up.
    pub workers: Vec<(Worker, Option<SocketAddr>)>,
    /// What has ended there of late, with its status: the head may not have heard of it.
    #[serde(default)]
    pub ended: Vec<(Worker, i32)>,
    /// The raytree version it was built with.
    pub version: String,
    /// Where its process is found by a head of the same host; none when nobody is to look for it.
    pub whereabouts: Option<Whereabouts>,
    /// Where its numbers for Prometheus are read.
    #[serde(default)]
    pub metrics: Option<SocketAddr>,
}

/// Where the process of a node is, and which connection is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// Where its mark is, which has the number of its greeting ([`Greeting::Node`]).
    pub marked: Marked,
    /// Its own end of this connection. One that comes in from elsewhere comes by way of somebody, who may be between
    /// machines.
    pub from: SocketAddr,
}

/// What a head says to a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToNode {
    /// The first word: by what the head judges.
    Welcome {
        /// Its settings, which the node takes.
        times: Times,
    },
    /// An answer to its request.
    Joined {
        /// Which request.
        ticket: u64,
        /// The answer.
        answer: Answered,
    },
    /// Start a worker.
    Start {
        /// Which.
        worker: Worker,
        /// What it may use.
        grant: Resources,
        /// The number of its runtime.
        runtime: u64,
        /// How.
        template: Box<Template>,
        /// The life of a resident that it is to be, if it is none of a driver's.
        residence: Option<Box<Residence>>,
    },
    /// End a worker.
    Stop {
        /// Which.
        worker: Worker,
        /// Kill it, or let it end in order.
        at_once: bool,
    },
    /// Somebody looks at the cluster: it is to dial the head once more ([`Greeting::Window`]).
    Look {
        /// To say then.
        ticket: u64,
    },
    /// The cluster ends.
    End,
}

/// What a driver says to its head.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromDriver {
    /// It wants workers.
    Open {
        /// How they are started.
        template: Box<Template>,
        /// At most so much of each node; none for all that is free there.
        wants: Option<Resources>,
    },
    /// The head has all of the program now.
    Stored,
    /// Something of detached actors.
    Resident(ResidentWish),
    /// It cannot reach a worker: another one, please.
    Lost {
        /// Which.
        worker: Worker,
        /// What happened.
        why: String,
    },
    /// It leaves.
    Close,
}

/// What a head says to a driver.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToDriver {
    /// Nobody but the driver has the program: it is to be stored first ([`FromDriver::Stored`]).
    Lacks,
    /// Its job is open.
    Opened {
        /// Under this number.
        job: JobId,
        /// How long the driver waits for a silent head.
        grace: Duration,
    },
    /// It is not let in.
    Refused {
        /// Why.
        reason: String,
    },
    /// A worker is being started.
    Granted {
        /// Which.
        worker: Worker,
        /// What it may use.
        grant: Resources,
    },
    /// A worker can be dialed.
    Up {
        /// Which.
        worker: Worker,
        /// What it may use.
        grant: Resources,
        /// Where.
        address: SocketAddr,
    },
    /// A worker has surely ended.
    Down {
        /// Which.
        worker: Worker,
        /// Why.
        cause: Cause,
        /// Another one takes its place.
        again: bool,
    },
    /// The job gets no worker on this life of a node any more.
    Broken {
        /// Which.
        node: String,
        /// Why the last one ended.
        cause: Cause,
    },
    /// Nothing is free on a node.
    Waits {
        /// Which.
        node: String,
        /// Which jobs have it.
        held_by: Vec<JobId>,
    },
    /// What becomes of a resident that it follows.
    Resident {
        /// Under this number.
        ticket: u64,
        /// What.
        news: Box<ResidentNews>,
    },
    /// Somebody looks at the cluster: it is to dial the head once more ([`Greeting::Window`]).
    Look {
        /// To say then.
        ticket: u64,
    },
    /// What a worker of its has written.
    Lines(LogLines),
    /// Nothing has happened for a while, and it is still there.
    Beat,
    /// The cluster ends, or this job does.
    Ended {
        /// Why.
        why: String,
    },
}

/// A [`JoinAnswer`] that travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are those of the engine")]
pub enum Answered {
    Continue { incarnation: ProcessIncarnation, is_local: bool },
    Replaced,
    NameTaken { holder: String, asker: String },
    Later { after: Duration },
    Full { limit: usize },
    BadName { reason: String },
}

impl From<JoinAnswer> for Answered {
    fn from(answer: JoinAnswer) -> Self {
        match answer {
            JoinAnswer::Continue { incarnation, place } => {
                Self::Continue { incarnation, is_local: place == Place::Local }
            }
            JoinAnswer::Replaced => Self::Replaced,
            JoinAnswer::NameTaken { holder, asker } => {
                Self::NameTaken { holder: holder.to_string(), asker: asker.to_string() }
            }
            JoinAnswer::Later { after } => Self::Later { after },
            JoinAnswer::Full { limit } => Self::Full { limit },
            JoinAnswer::BadName { reason } => Self::BadName { reason },
        }
    }
}

impl From<Answered> for JoinAnswer {
    fn from(answer: Answered) -> Self {
        match answer {
            Answered::Continue { incarnation, is_local } => {
                let place = if is_local { Place::Local } else { Place::Remote };
                Self::Continue { incarnation, place }
            }
            Answered::Replaced => Self::Replaced,
            Answered::NameTaken { holder, asker } => {
                Self::NameTaken { holder: holder.into(), asker: asker.into() }
            }
            Answered::Later { after } => Self::Later { after },
            Answered::Full { limit } => Self::Full { limit },
            Answered::BadName { reason } => Self::BadName { reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_travel_whole() {
        for place in [Place::Local, Place::Remote] {
            let answer = JoinAnswer::Continue { incarnation: ProcessIncarnation(3), place };
            assert_eq!(JoinAnswer::from(Answered::from(answer.clone())), answer);
        }
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_and_no_panic(text in ".{0,200}") {
            prop_assert!(serde_json::from_str::<Greeting>(&text).is_err());
            _ = serde_json::from_str::<FromNode>(&text);
            _ = serde_json::from_str::<FromDriver>(&text);
        }
    }
}

//! The head's book of jobs: which job has a worker on which node, with what of the node's resources.
//!
//! A job is what one driver runs on the cluster. It gets one worker, a process, on each node that has something free that
//! it wants; a *single* job gets one in all, on a node that has everything free that it wants. The [`Book`] is told what drivers ask and what nodes report ([`Input`]), and when; it answers with what nodes
//! are to start and stop and what drivers are to hear ([`Effect`]). It reads no clock and sends nothing.
//!
//! ```text
//! of one job on one node:  waits ──something comes free──▶ Starting ──▶ Up
//!                                                            ▲ │         │
//!                                           back-off is over │ ▼         ▼
//!                                                          Resting ◀── Ending ──closed, or died too often──▶ (free)
//! ```
//!
//! The worker of a single job rests on its node when it has died, however often: how often is enough is for those to say who
//! opened the job. Its seat moves to another node when its own is down, or takes no workers when the next life is due.
//!
//! What it relies on, and the head's shell keeps:
//! - A session with a node is ordered and reliable while it lasts. The node says first what runs there, as soon as it is
//!   told to go on and whatever its lease says ([`Input::NodeUp`]); the head sends no start and no stop over a session
//!   before, not even between the join and the report, and the node carries out nothing of an earlier session after it.
//!   What an effect wants sent while there is no such session is dropped: the next report shows that it is missing.
//! - Who is suspect, degraded, stopping or convicted is paused: [`Input::NodePaused`] with each such mark of the judge,
//!   [`Input::NodeResumed`] when it is marked up, and what the judge thinks of it then with each report.
//! - [`Input::WorkerGone`] and [`Input::NodeDown`] are said when it is certain: the process has ended, the node is dead or its
//!   lease is surely over ([`crate::membership`]). A lease that is over ends no process: the workers of an isolated node may
//!   still run what they have begun. Nobody talks to them, so what comes of it reaches nobody; effects outside the cluster
//!   are not fenced. A node that is told to stop a worker which it has not answers that it is gone.
//! - A node bounds how long a worker may take to start, and says that it is gone when it takes longer.
//!
//! Invariants, each with tests that cite it:
//! - **JB-1 (one-worker):** of the workers of one job on nodes of one name at most one works at any moment: the next is
//!   started when the last has ended, or is isolated with its node.
//! - **JB-2 (no-overcommit):** what the workers on one life of a node were granted is never more than the node has. A grant
//!   is reserved until its worker's process has ended, and while it is to be started again there.
//! - **JB-3 (news-in-order):** of one life of a worker a job hears `Granted`, `Up` and `Down`, each at most once and in this
//!   order, and `Down` only when its process has ended, or its node is down.
//! - **JB-4 (over-once):** a job that was closed hears nothing more, and is over exactly once: when its last worker has
//!   ended or its node is down.
//! - **JB-5 (stale-is-nothing):** news of an unknown job, an ended life of a worker, an ended life of a node or an earlier
//!   session change nothing.
//! - **JB-6 (first-come):** what is free on a node is offered, in the order in which they opened, to the jobs that have
//!   nothing there and to those whose next life begins, which have it beside what was kept for them. A grant does not grow
//!   within a life: what comes free while nobody waits stays free until a job opens or a next life begins. Where a node has
//!   a whole CPU, CPUs are given out in whole ones, but to a job that wants less than one, and to single jobs, which have
//!   exactly what they want. What is too little for a single job is not kept for it.
//! - **JB-7 (promise-kept):** after `Down` with `again` a job hears `Granted` of the next life or `Broken`; after `Broken` it
//!   hears nothing of that life of the node. A single job hears `Granted` as soon as it has a place, and never `Broken`.
//! - **JB-8 (bounded):** jobs, nodes, single jobs on one node, reported workers, restarts but those of single jobs, and
//!   remembered ends are bounded; what is beyond is refused in type, or waits for another node.
//! - **JB-9 (no-start-in-doubt):** nothing is started on a node that is paused, down, or has a worker that nobody granted
//!   it.
//! - **JB-10 (no-strays):** a reported worker that has no place in the book is told to stop.
//! - **JB-11 (one-place):** of the workers of a single job at most one works at any moment in the whole cluster: the next is
//!   started, wherever that is, when the last has ended, or is isolated with its node, and not before the next tick: who hears
//!   that it is down can close the job before. Its lives are numbered through, over all nodes. It has the node with the most CPU free
//!   of those that have all it wants, and of these the first by name.

mod book;
mod buried;
mod input;
mod node;
mod single;
#[cfg(test)]
mod tests;
mod workers;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use raytree_types::{Backoff, JobId, RestartLimit, limits};

use crate::membership::Member;

pub use book::Book;
pub use input::{Effect, Input, News, Refusal};

/// What a node gives as the cause of a worker that ended because the book wanted it: there is no other.
pub const TOLD_TO_END: &str = "it was told to end";

/// One life of the worker of a job on a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId {
    /// Whose.
    pub job: JobId,
    /// On which life of which node.
    pub node: Member,
    /// Which life of the worker there, or of a single job anywhere; the first is 1.
    pub life: u32,
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, node, life } = self;
        write!(f, "worker {life} of {job} on {node}")
    }
}

/// Where a worker is, as its head sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its node was told to start it.
    Starting,
    /// It can be called.
    Up {
        /// Where.
        address: SocketAddr,
    },
    /// Its node was told to stop it, and it may still run.
    Ending,
    /// It has ended; the next life begins after a back-off, once the node takes new workers.
    Resting,
}

/// How the book treats workers that die, and those that end slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// More restarts than this, of one job on one life of a node, and it gets no more there, unless it is single. Default 5
    /// in 30 s.
    pub limit: RestartLimit,
    /// The wait before a restart. It falls back to nothing when a worker was up for as long as the window of `limit`.
    pub backoff: Backoff,
    /// A worker that was asked to end in order is killed after this. Default [`limits::WORKER_END_WITHIN`].
    pub end_within: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            limit: RestartLimit::default(),
            backoff: Backoff::default(),
            end_within: limits::WORKER_END_WITHIN,
        }
    }
}

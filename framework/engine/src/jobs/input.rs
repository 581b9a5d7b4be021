//! What the book is told, and what it wants done.

use std::net::SocketAddr;

use raytree_types::{Cause, JobId, Resources};

use super::WorkerId;
use crate::membership::Member;

/// What the book is told. What has arrived is told before a [`Input::Tick`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A session with a node begins, and the node has said what runs there. A later life of it implies that the earlier
    /// ones are down.
    NodeUp {
        /// Which.
        node: Member,
        /// Which session with this life of it, rising from 1: the link of [`crate::membership::Input::Join`]. What is said
        /// over an earlier one than is known changes nothing.
        session: u64,
        /// No new worker is to be started there for now, as after [`Input::NodePaused`].
        paused: bool,
        /// What it has. Counts when this life of it is heard of first.
        total: Resources,
        /// The workers whose processes have not ended there, and where they can be called once they can.
        workers: Vec<(WorkerId, Option<SocketAddr>)>,
    },
    /// No new worker is to be started there: it is suspect, degraded, stopping or convicted.
    NodePaused {
        /// Which.
        node: Member,
    },
    /// It takes new workers again.
    NodeResumed {
        /// Which.
        node: Member,
    },
    /// It is no longer at work: its process has ended and its workers with it, or its lease is surely over. Then it is
    /// isolated, its workers may still run what they have begun, and what comes of it reaches nobody.
    NodeDown {
        /// Which.
        node: Member,
        /// Why.
        cause: Cause,
    },
    /// A driver opens a job.
    Open {
        /// The number that [`super::Book::next_job`] gave.
        job: JobId,
        /// What it wants of each node at most; `None` is all that is free. If it is single, what its worker needs, all of it
        /// on one node; nothing at all is fine there, and `None` is the same.
        wants: Option<Resources>,
        /// It gets one worker in the whole cluster (JB-11).
        single: bool,
    },
    /// The driver has left, or is dead. May be said again, to kill what was asked to end in order.
    Close {
        /// Which job.
        job: JobId,
        /// Its workers are killed; otherwise they may end in order.
        at_once: bool,
    },
    /// A worker can be called.
    WorkerUp {
        /// Which.
        worker: WorkerId,
        /// Where.
        address: SocketAddr,
    },
    /// The process of a worker has ended, or could not be started.
    WorkerGone {
        /// Which.
        worker: WorkerId,
        /// Why; [`super::TOLD_TO_END`] if that was because the book wanted it.
        cause: Cause,
    },
    /// The node has not started a worker and will not now: it ends, or is isolated. It counts as no death, and the next life
    /// begins after a back-off, once the node takes new workers.
    Declined {
        /// Which.
        worker: WorkerId,
    },
    /// The driver wants another one in its place: it cannot reach it, or has other reasons. Counts as a restart.
    Replace {
        /// Which.
        worker: WorkerId,
        /// Why; the job hears it when the worker has ended, unless that had died before with a cause of its own.
        cause: Cause,
    },
    /// Time has passed: some ten milliseconds, or the shortest back-off that anybody would notice.
    Tick,
}

/// What the book wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start the process of a worker.
    Start {
        /// Which.
        worker: WorkerId,
        /// With what.
        grant: Resources,
    },
    /// End the process of a worker, then say [`Input::WorkerGone`]. May be said again.
    Stop {
        /// Which.
        worker: WorkerId,
        /// Kill it; otherwise it may end in order.
        at_once: bool,
    },
    /// The driver of this job should know.
    Tell {
        /// Which job.
        job: JobId,
        /// What.
        news: News,
    },
    /// The job was closed, and its last worker has ended, or is isolated with its node.
    Over {
        /// Which job.
        job: JobId,
    },
    /// The job is not opened.
    RefuseJob {
        /// Which.
        job: JobId,
        /// Why.
        why: Refusal,
    },
    /// The report is not taken in, and the book is as it was; the session is of no use.
    RefuseNode {
        /// Whose.
        node: Member,
        /// Why.
        why: Refusal,
    },
}

/// What a driver hears about its workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A worker is being started.
    Granted {
        /// Which.
        worker: WorkerId,
        /// With what.
        grant: Resources,
    },
    /// It can be called.
    Up {
        /// Which.
        worker: WorkerId,
        /// Where.
        address: SocketAddr,
        /// What it has.
        grant: Resources,
    },
    /// It has ended, or is isolated with its node: nothing of it is heard any more.
    Down {
        /// Which.
        worker: WorkerId,
        /// Why. Of one that had died before somebody wanted it replaced its own cause, and that wish below it.
        cause: Cause,
        /// Its next life follows, or [`News::Broken`]. Always of a single job: on this node or on another one, as soon as it
        /// has a place, and not before the next [`Input::Tick`].
        again: bool,
    },
    /// There is something on this node that the job wants, and others have it. Said once for each life of a node, and to no
    /// single job.
    Waits {
        /// Which node.
        node: Member,
        /// Who has it, in the order in which they opened.
        held_by: Vec<JobId>,
    },
    /// The job gets no worker on this life of the node any more: they died too often, or the node ended while the next
    /// one was due. No single job hears it.
    Broken {
        /// Which node.
        node: Member,
        /// Why the last one ended, or the node.
        cause: Cause,
    },
}

/// Why something is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Too many jobs are open, or still end.
    TooManyJobs {
        /// The bound.
        limit: usize,
    },
    /// Too many nodes are up.
    TooManyNodes {
        /// The bound.
        limit: usize,
    },
    /// It reports too many workers.
    TooManyWorkers {
        /// The bound.
        limit: usize,
    },
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooManyJobs { limit } => write!(f, "{limit} jobs are open already"),
            Self::TooManyNodes { limit } => write!(f, "{limit} nodes are up already"),
            Self::TooManyWorkers { limit } => {
                write!(f, "a node may have {limit} workers and reports more")
            }
        }
    }
}

impl std::error::Error for Refusal {}

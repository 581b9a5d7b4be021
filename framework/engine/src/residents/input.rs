//! What the directory is told, and what it wants done.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use raytree_types::{ActorId, Cause, JobId, Resources};

use crate::jobs::{News, WorkerId};

/// A name in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Where it is unique.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Who wants to hear of a resident: a driver, under a number that it has chosen and uses once. What is asked under one that
/// follows a resident already is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Follower {
    /// Which driver, by its job.
    pub driver: JobId,
    /// Its number for this.
    pub ticket: u64,
}

/// What the directory has to know of a resident; the rest is the shell's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Never given before in this cluster.
    pub id: ActorId,
    /// Its name, if it has one.
    pub key: Option<Key>,
    /// What its process holds, all of it on one node; may be nothing.
    pub wants: Resources,
    /// How many lives may follow the first.
    pub restarts: u32,
}

/// How the process of a life has ended, as its node says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The actor has ended for good, in order: no life follows.
    Over,
    /// The actor has failed, or its process has died.
    Lost,
}

/// What the directory is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A driver wants a resident. One whose id is known is that one.
    Create {
        /// Who asks, and follows it from now on.
        by: Follower,
        /// What.
        spec: Spec,
        /// Another one of its name will do, unless there is no further life for it.
        get_if_exists: bool,
        /// The number that the book of jobs gives next: taken only if an [`Effect::Open`] follows.
        job: JobId,
    },
    /// A driver looks for one by its name, and follows it if there is one.
    Find {
        /// Who asks.
        by: Follower,
        /// For what.
        key: Key,
    },
    /// A follower wants to hear no more.
    Unfollow {
        /// Which.
        by: Follower,
    },
    /// A driver is gone, and with it all that it follows.
    Leave {
        /// Which.
        driver: JobId,
    },
    /// Somebody ends a resident.
    End {
        /// Which.
        id: ActorId,
        /// At its next await point and with its process, else in order.
        kill: bool,
    },
    /// The process of a life has ended: said before the book of jobs hears of it, and so before its news.
    Ended {
        /// Which worker.
        worker: WorkerId,
        /// How.
        how: Ended,
    },
    /// The book of jobs says this of a job; of a job that is no resident's it changes nothing.
    News {
        /// Which job.
        job: JobId,
        /// What.
        news: News,
    },
    /// The job of a resident is over: its last process has ended. Also said when it was refused.
    Over {
        /// Which job.
        job: JobId,
        /// Why, where the book would not open it.
        refused: Option<Cause>,
    },
}

/// What the directory wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open the job of a resident: one worker on one node, with this.
    Open {
        /// Under this number.
        job: JobId,
        /// Whose.
        id: ActorId,
        /// With what.
        wants: Resources,
    },
    /// Close the job of a resident: there is no further life. [`Input::Over`] follows.
    Close {
        /// Which.
        job: JobId,
        /// Its process is to be killed, if it still runs.
        at_once: bool,
    },
    /// A follower should know.
    Tell {
        /// Who.
        to: Follower,
        /// What.
        what: Told,
    },
    /// Nobody will hear of it again: what the shell keeps of it can go.
    Forget {
        /// Which.
        id: ActorId,
    },
}

/// What a follower hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nobody has this name. The last word.
    Missing,
    /// It is not taken in. The last word.
    Refused(Refusal),
    /// This is the resident that it follows. First, and once.
    Is {
        /// Which.
        id: ActorId,
    },
    /// It lives, and is called there.
    Up {
        /// Its worker; its life is the worker's node and life together.
        worker: WorkerId,
        /// Which of its lives, from 0, rising.
        life: u32,
        /// Where.
        address: SocketAddr,
    },
    /// A life has surely ended, and another one follows.
    Down {
        /// Which of its lives.
        life: u32,
        /// Why.
        cause: Cause,
    },
    /// It has ended for good. The last word.
    Dead {
        /// Why.
        cause: Cause,
        /// It ended in order, of its own will or because it was asked to.
        in_order: bool,
    },
}

/// Why a resident is not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another one has its name.
    NameTaken {
        /// Which name.
        key: Key,
        /// Who.
        holder: ActorId,
    },
    /// There are too many.
    TooManyResidents {
        /// The bound.
        limit: usize,
    },
    /// They have too many followers.
    TooManyFollowers {
        /// The bound.
        limit: usize,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTaken { key, holder } => write!(f, "{key} is the name of {holder}"),
            Self::TooManyResidents { limit } => {
                write!(f, "the cluster has {limit} detached actors, which is the bound")
            }
            Self::TooManyFollowers { limit } => {
                write!(f, "detached actors have {limit} followers, which is the bound")
            }
        }
    }
}

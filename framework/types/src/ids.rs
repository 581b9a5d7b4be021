//! Names of things: small copyable ids that print the way an operator types them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// One runtime (one embedded system, or one driver of a cluster). Unique within the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RuntimeId(u64);

impl RuntimeId {
    /// An id never given before in this process.
    #[must_use]
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The id with this number: given by the process that started this one, unique among those it started; or drawn by lot.
    #[must_use]
    pub fn given(number: u64) -> Self {
        Self(number)
    }

    /// Its number within the process.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RuntimeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "runtime-{}", self.0)
    }
}

/// One user actor, for ever: a restart gives it a new [`Incarnation`], never a new id.
///
/// Prints as `actor-1-2a`: the runtime's number, then a count in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ActorId {
    runtime: RuntimeId,
    number: u64,
}

impl ActorId {
    /// The runtime that has given it: the one that decides on its lives.
    #[must_use]
    pub fn runtime(self) -> RuntimeId {
        self.runtime
    }

    /// Its number within its runtime.
    #[must_use]
    pub fn number(self) -> u64 {
        self.number
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "actor-{}-{:x}", self.runtime.0, self.number)
    }
}

/// One task. Prints as `task-1-2a`: the runtime's number, then a count in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskId {
    runtime: RuntimeId,
    number: u64,
}

impl TaskId {
    /// The task with this number in `runtime`.
    #[must_use]
    pub fn new(runtime: RuntimeId, number: u64) -> Self {
        Self { runtime, number }
    }

    /// Its number within its runtime.
    #[must_use]
    pub fn number(self) -> u64 {
        self.number
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task-{}-{:x}", self.runtime.0, self.number)
    }
}

/// Hands out the [`ActorId`]s of one runtime, in rising order.
#[derive(Debug)]
pub struct ActorIds {
    runtime: RuntimeId,
    next: AtomicU64,
}

impl ActorIds {
    /// The ids of `runtime`, beginning with number 1.
    #[must_use]
    pub fn new(runtime: RuntimeId) -> Self {
        Self { runtime, next: AtomicU64::new(1) }
    }

    /// An id never given before by this runtime.
    pub fn next(&self) -> ActorId {
        ActorId { runtime: self.runtime, number: self.next.fetch_add(1, Ordering::Relaxed) }
    }
}

/// Which life of an actor: how often it was placed on a worker, and how often it was restarted there since.
///
/// Ordered: every receiver refuses what an older incarnation says.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Incarnation {
    /// Placements so far; the first is 0.
    pub placement: u32,
    /// Restarts by the supervisor of that placement; the first life is 0.
    pub restart: u32,
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.placement, self.restart)
    }
}

/// Which life of a process with a stable name: a node, or a worker of a node. The first is 1; 0 stands for none yet.
///
/// Ordered: every receiver refuses what an older incarnation says. Unlike an actor's [`Incarnation`] it counts one
/// thing only, because a process is never restarted in place.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct ProcessIncarnation(pub u64);

impl ProcessIncarnation {
    /// Older than any life.
    pub const NONE: Self = Self(0);

    /// The one that may replace this one.
    #[must_use]
    pub fn next(self) -> Self {
        // 2^64 lives of one process do not fit into the age of the universe.
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for ProcessIncarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "life {}", self.0)
    }
}

/// One job: what one driver runs on a cluster. The head numbers them from 1 in the order in which they open, and gives no
/// number twice; 0 stands for none yet.
///
/// Prints as `job-7`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct JobId(pub u64);

impl JobId {
    /// Before any job.
    pub const NONE: Self = Self(0);

    /// The one that may open after this one.
    #[must_use]
    pub fn next(self) -> Self {
        // 2^64 jobs do not fit into the age of the universe.
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job-{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_numbered_from_one() {
        let first = JobId::NONE.next();
        assert_eq!((first, first.to_string()), (JobId(1), "job-1".to_owned()));
        assert!(first.next() > first);
    }

    #[test]
    fn ids_are_unique_and_print_as_typed() {
        let ids = ActorIds::new(RuntimeId(7));
        let (first, second) = (ids.next(), ids.next());
        assert_ne!(first, second);
        assert_eq!(first.to_string(), "actor-7-1");
        assert_ne!(RuntimeId::next(), RuntimeId::next());
    }

    #[test]
    fn a_replacement_is_younger() {
        let first = ProcessIncarnation::NONE.next();
        assert_eq!((first, first.to_string()), (ProcessIncarnation(1), "life 1".to_owned()));
        assert!(first.next() > first);
    }

    #[test]
    fn a_new_placement_is_younger_than_any_local_restart() {
        let restarted = Incarnation { placement: 0, restart: 9 };
        let replaced = Incarnation { placement: 1, restart: 0 };
        assert!(replaced > restarted);
    }
}

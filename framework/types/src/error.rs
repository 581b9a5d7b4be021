//! The one error a user of the system sees. Every variant says what happened and to whom; the root cause survives.
//!
//! Each variant has a code that never changes ([`Error::code`], e.g. `RT0010`); `docs/errors.md` explains every one.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::exit::{Cause, ExitKind};
use crate::ids::ActorId;
use crate::lost::Unrebuilt;
use crate::resources::Resources;

/// Result of everything that can fail in the system.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong between a caller and the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no runtime here: neither an actor's, nor an entered one, nor the process default.
    #[error("no raytree runtime is running here: call raytree::init() first")]
    NoRuntime,
    /// The runtime could not be started.
    #[error("the runtime could not be started: {reason}")]
    StartFailed {
        /// What failed.
        reason: String,
    },
    /// The runtime has ended.
    #[error("the runtime is gone: {reason}")]
    RuntimeGone {
        /// Why: shut down, or what its root supervisor gave up over.
        reason: String,
    },
    /// The head of the cluster is lost, and with it every worker.
    #[error("the head of the cluster is lost: {reason}")]
    HeadLost {
        /// What is known of it.
        reason: String,
    },
    /// What there is in the cluster could not be asked for.
    #[error("the cluster could not be looked at: {why}")]
    CannotLook {
        /// Who gave no answer, and why.
        why: String,
    },
    /// Somebody asked about something of which nobody knows.
    #[error("there is no {kind} `{which}`{}", crate::inspect::nearest(near))]
    UnknownName {
        /// What it was taken for: `task` or `actor`.
        kind: String,
        /// What was said: an id, a name or a path.
        which: String,
        /// What is called nearly so, the nearest first.
        near: Vec<String>,
    },
    /// An option has a value it cannot have.
    #[error("bad value {value} for {option}: {reason}")]
    BadOption {
        /// Which option.
        option: String,
        /// The value as given.
        value: String,
        /// What it may be, and the line that gave it.
        reason: String,
    },
    /// Two functions or actor types are registered under one name.
    #[error("{name} is registered twice: at {first} and at {second}")]
    DuplicateName {
        /// The full path.
        name: String,
        /// Where it was found first.
        first: String,
        /// Where it was found again.
        second: String,
    },

    /// The user's function returned an `Err`, or panicked. See [`Error::downcast`].
    #[error("{task} failed: {cause}")]
    TaskFailed {
        /// The task or method.
        task: String,
        /// What it said.
        cause: Box<Cause>,
    },
    /// It was cancelled before it had a result.
    #[error("{task} was cancelled")]
    Cancelled {
        /// The task or method.
        task: String,
    },
    /// It did not finish in time. A call that was only waited for may still run.
    #[error("{what} did not finish within {after:?}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        after: Duration,
    },
    /// It did not begin in time: its resources or its arguments were not there.
    #[error("{task} did not begin within {after:?}")]
    QueueTimeout {
        /// The task.
        task: String,
        /// How long.
        after: Duration,
    },
    /// No amount of waiting makes room for this.
    #[error("{name} asks for {asked}, but there is only {exists} in all")]
    Infeasible {
        /// Who asks.
        name: String,
        /// What it asks.
        asked: Resources,
        /// All there is, used or not.
        exists: Resources,
    },
    /// It was not accepted: too many wait already.
    #[error("{name} is overloaded: {limit} calls are waiting or running, which is its bound")]
    Overloaded {
        /// The actor, or the task.
        name: String,
        /// The bound that was reached.
        limit: usize,
    },
    /// The process that ran it died, and no retries were left.
    #[error("the worker that ran {task} died: {cause}")]
    WorkerDied {
        /// The task.
        task: String,
        /// What is known of it.
        cause: Box<Cause>,
    },
    /// The process that had the object died with it.
    #[error("{owner}, which had the object, is gone: {cause}")]
    OwnerDied {
        /// The process.
        owner: String,
        /// What is known of its end.
        cause: Box<Cause>,
    },

    /// The actor ended before it answered. With `will_restart`, a later call reaches its next life.
    #[error("{name} ({actor}) died before it answered: {kind}{}", if *.will_restart { "; it is being restarted" } else { "" })]
    ActorDied {
        /// Who.
        actor: ActorId,
        /// Its name or type.
        name: String,
        /// How it ended.
        kind: Box<ExitKind>,
        /// Whether its supervisor starts it again.
        will_restart: bool,
    },
    /// The handler ran and ended without an answer: it was cancelled with its actor's overlapping work.
    #[error("the call to {name} ({actor}) was dropped without an answer")]
    CallDropped {
        /// Who.
        actor: ActorId,
        /// Its name or type.
        name: String,
    },
    /// More actors than the system carries.
    #[error("there are {limit} actors in this runtime already, which is its bound")]
    TooManyActors {
        /// The bound.
        limit: usize,
    },
    /// A living actor has this name already.
    #[error(
        "the name {name} is taken in the namespace {namespace}: created at {first}, and again at {second}"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Where names are unique.
        namespace: String,
        /// The line that created the actor which has it.
        first: String,
        /// The line that wanted it too.
        second: String,
    },
    /// No living actor has this name.
    #[error("there is no actor named {name} in the namespace {namespace}")]
    ActorNotFound {
        /// The name.
        name: String,
        /// Where it was looked for.
        namespace: String,
    },
    /// The actor of this name has another type.
    #[error("the actor {name} is a {found}, not a {expected}")]
    WrongActorType {
        /// The name.
        name: String,
        /// What was asked for.
        expected: String,
        /// What it is.
        found: String,
    },

    /// The value was moved out by an earlier await of the same reference.
    #[error(
        "the value of {object} was moved out already: await `&reference` or a clone to keep it"
    )]
    ObjectTaken {
        /// The object, by what made it.
        object: String,
    },
    /// The value cannot cross a process boundary.
    #[error("{type_name} cannot travel: {reason}")]
    CannotTravel {
        /// The Rust type.
        type_name: String,
        /// The attribute that is likely to blame, e.g. `#[serde(untagged)]`.
        attribute: Option<String>,
        /// What happened, and what to do.
        reason: String,
    },

    /// It is more than the object store of its node has room for, however much it spills.
    #[error(
        "{what} is too large for the object store: it has {size} bytes, and the store {capacity} in all (`node.object_store_bytes`)"
    )]
    ObjectStoreFull {
        /// What it is part of: an argument, a result, an object.
        what: String,
        /// How large, in bytes.
        size: u64,
        /// What the store has room for, in bytes.
        capacity: u64,
    },
    /// The object store is full, and there is no room on disk for what it would spill.
    #[error(
        "no {size} bytes are free in the object store for {what}, of whose {capacity} bytes none can be spilled: {reason}"
    )]
    OutOfDisk {
        /// What was to be stored: an argument, a result, an object.
        what: String,
        /// How large, in bytes.
        size: u64,
        /// What the store has room for, in bytes.
        capacity: u64,
        /// Which folder has no room: what is free there, and which quota counts.
        reason: String,
    },
    /// The object is there no more, or not as it was.
    #[error("{object} is lost: {lost}; {why}")]
    ObjectLost {
        /// The object, by what made it.
        object: String,
        /// What has become of its bytes.
        lost: String,
        /// Why it is not made again.
        why: Unrebuilt,
    },
    /// A process was ended because its node had too little memory.
    #[error(
        "{process} was ended because its node was short of memory: {used} of {total} bytes were in use, more than {limit}; it had {own}"
    )]
    OutOfMemory {
        /// Which process.
        process: String,
        /// The node's memory in use, in bytes.
        used: u64,
        /// The node's memory in all, in bytes.
        total: u64,
        /// The bound that was passed, in bytes.
        limit: u64,
        /// What the process itself had, in bytes.
        own: u64,
    },

    /// It is more than may go to another process in one message.
    #[error(
        "{what} is too large to travel: it has {size} {unit}, and {limit} may go to another process at once"
    )]
    TooLarge {
        /// Whose arguments they are, or the result or item.
        what: String,
        /// How large.
        size: u64,
        /// Of what: bytes, or parts that lie apart from the rest.
        unit: String,
        /// The bound.
        limit: u64,
    },
    /// Two processes do not mean the same by a name: they run different programs, or different versions of one.
    #[error("{name} is {wanted} in {asking}, but {found} in {asked}")]
    ProgramsDiffer {
        /// The function, actor type or method.
        name: String,
        /// The process that asked for it.
        asking: String,
        /// Its signature there.
        wanted: String,
        /// The process that was asked.
        asked: String,
        /// Its signature there, or that it is missing.
        found: String,
    },

    /// A blocking call in async code, where it could hang the threads that everybody's async code runs on.
    #[error("{what} blocks and was called in async code: use `{instead}` there")]
    BlockingInAsync {
        /// The call.
        what: String,
        /// What to write in its place.
        instead: String,
    },
    /// Too many threads are blocked in waits.
    #[error(
        "{limit} compute threads are blocked already, which is the bound: make the waiting task async"
    )]
    TooManyThreads {
        /// The bound.
        limit: usize,
    },
    /// Actors wait for each other's answers in a circle, and none takes up anything else: this wait would never have ended.
    #[error("a deadlock, each waits for the next: {}", circle.join(" \u{2192} "))]
    Deadlock {
        /// Those in the circle, each with what it was called for, the one that is told first and last.
        circle: Vec<String>,
    },
}

impl Error {
    /// The code of this kind of error: never changes, never means something else.
    ///
    /// ```
    /// assert_eq!(raytree_types::Error::NoRuntime.code(), "RT0001");
    /// ```
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRuntime => "RT0001",
            Self::StartFailed { .. } => "RT0002",
            Self::RuntimeGone { .. } => "RT0003",
            Self::BadOption { .. } => "RT0004",
            Self::DuplicateName { .. } => "RT0005",
            Self::TaskFailed { .. } => "RT0010",
            Self::Cancelled { .. } => "RT0011",
            Self::Timeout { .. } => "RT0012",
            Self::QueueTimeout { .. } => "RT0013",
            Self::Infeasible { .. } => "RT0014",
            Self::Overloaded { .. } => "RT0015",
            Self::WorkerDied { .. } => "RT0016",
            Self::ActorDied { .. } => "RT0020",
            Self::CallDropped { .. } => "RT0021",
            Self::TooManyActors { .. } => "RT0022",
            Self::NameTaken { .. } => "RT0023",
            Self::ActorNotFound { .. } => "RT0024",
            Self::WrongActorType { .. } => "RT0025",
            Self::ObjectTaken { .. } => "RT0030",
            Self::CannotTravel { .. } => "RT0031",
            Self::OwnerDied { .. } => "RT0032",
            Self::HeadLost { .. } => "RT0006",
            Self::CannotLook { .. } => "RT0007",
            Self::UnknownName { .. } => "RT0008",
            Self::TooLarge { .. } => "RT0033",
            Self::ProgramsDiffer { .. } => "RT0034",
            Self::ObjectStoreFull { .. } => "RT0035",
            Self::OutOfDisk { .. } => "RT0036",
            Self::ObjectLost { .. } => "RT0037",
            Self::OutOfMemory { .. } => "RT0017",
            Self::BlockingInAsync { .. } => "RT0040",
            Self::TooManyThreads { .. } => "RT0041",
            Self::Deadlock { .. } => "RT0042",
        }
    }

    /// The root cause of a failure, where there is one: what the user's code said, with type, chain and place.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::TaskFailed { cause, .. }
            | Self::WorkerDied { cause, .. }
            | Self::OwnerDied { cause, .. } => Some(cause),
            Self::ActorDied { kind, .. } => kind.cause(),
            _ => None,
        }
    }

    /// The user's own error, given back: `Some` when the task or method failed with an `E` that is serialisable. The
    /// same in one process and across many.
    ///
    /// ```
    /// use raytree_types::{Cause, Error};
    /// # #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, thiserror::Error)]
    /// # #[error("cannot average an empty list")]
    /// # struct Empty;
    /// let cause = Cause::of_error(&Empty, std::any::type_name::<Empty>()).with_value(&Empty);
    /// let error = Error::TaskFailed { task: "mean".into(), cause: Box::new(cause) };
    /// assert_eq!(error.downcast::<Empty>(), Some(Empty));
    /// ```
    #[must_use]
    pub fn downcast<E: DeserializeOwned + 'static>(&self) -> Option<E> {
        self.cause()?.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Cause;
    use crate::ids::{ActorIds, RuntimeId};

    #[test]
    fn every_sentence_says_what_and_which() {
        let actor = ActorIds::new(RuntimeId::next()).next();
        let died = Error::ActorDied {
            actor,
            name: "Counter".into(),
            kind: Box::new(ExitKind::Panicked(Cause::message("bad shard map"))),
            will_restart: true,
        };
        let text = died.to_string();
        assert!(text.contains(&actor.to_string()) && text.contains("bad shard map"), "{text}");
        assert!(text.ends_with("it is being restarted"), "{text}");
        assert_eq!(died.code(), "RT0020");
        let infeasible = Error::Infeasible {
            name: "Trainer".into(),
            asked: Resources::cpus(1.0).gpus(2.0),
            exists: Resources::cpus(2.0),
        };
        assert_eq!(
            infeasible.to_string(),
            "Trainer asks for 1 CPU, 2 GPU, but there is only 2 CPU in all"
        );
    }
}

//! The one error a user of the system sees. Every variant says what happened and to whom; the root cause survives.

use std::time::Duration;

use crate::exit::ExitKind;
use crate::ids::ActorId;
use crate::resources::Resources;

/// Result of everything that can fail in the system.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong between a caller and the system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
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
    /// The call was not accepted: too many are waiting already.
    #[error(
        "{name} ({actor}) is overloaded: {limit} calls are waiting or running, which is its bound"
    )]
    Overloaded {
        /// Who.
        actor: ActorId,
        /// Its name or type.
        name: String,
        /// The bound that was reached.
        limit: usize,
    },
    /// The answer did not come in time. The call may still run.
    #[error("{what} did not finish within {after:?}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        after: Duration,
    },
    /// The handler ran and ended without an answer: it was cancelled with its actor's overlapping work.
    #[error("the call to {name} ({actor}) was dropped without an answer")]
    CallDropped {
        /// Who.
        actor: ActorId,
        /// Its name or type.
        name: String,
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
    /// More actors than the system carries.
    #[error("there are {limit} actors in this runtime already, which is its bound")]
    TooManyActors {
        /// The bound.
        limit: usize,
    },
    /// The runtime has ended.
    #[error("the runtime is gone: {reason}")]
    RuntimeGone {
        /// Why: shut down, or what its root supervisor gave up over.
        reason: String,
    },
    /// There is no runtime here: neither an actor's, nor an entered one, nor the process default.
    #[error("no raytree runtime is running here: call raytree::init() first")]
    NoRuntime,
    /// The runtime could not be started.
    #[error("the runtime could not be started: {reason}")]
    StartFailed {
        /// What failed.
        reason: String,
    },
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

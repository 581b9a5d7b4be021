//! How an actor ended, and why: the record that travels from the place of failure to everyone who waits.

use std::any::type_name;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::ids::{ActorId, Incarnation};
use crate::limits;
use crate::way::{WayStep, shortened};

/// The root of a failure, kept whole on its way up: what was said, by which type, where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What the panic or error said, e.g. `index out of bounds: the len is 3 but the index is 7`.
    pub message: String,
    /// The Rust type of the error, where it is known (`std::io::Error`); `panic` for a panic.
    pub type_name: String,
    /// The errors below it, outermost first (`Error::source` all the way down).
    pub chain: Vec<String>,
    /// `file:line:column` of a panic; of an error where the code that raised it noted it.
    pub place: Option<String>,
    /// What the actor was handling then: the name of the message, or `start` for its constructor.
    pub during: Option<String>,
    /// The error itself, encoded, where its type is serialisable. Read it with [`Cause::value`].
    pub value: Option<Box<[u8]>>,
    /// Who failed first, and then everybody who failed because of it, with what each decided. Empty for a failure that has
    /// crossed nobody yet.
    #[serde(default)]
    pub way: Vec<WayStep>,
}

impl Cause {
    /// A cause that is only a sentence.
    #[must_use]
    pub fn message(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            type_name: String::new(),
            chain: Vec::new(),
            place: None,
            during: None,
            value: None,
            way: Vec::new(),
        }
    }

    /// Reads an error with its whole chain.
    #[must_use]
    pub fn of_error(error: &(dyn std::error::Error + 'static), type_name: &str) -> Self {
        let mut chain = Vec::new();
        let mut source = error.source();
        while let Some(below) = source {
            chain.push(below.to_string());
            source = below.source();
        }
        Self {
            message: error.to_string(),
            type_name: type_name.to_owned(),
            chain,
            place: None,
            during: None,
            value: None,
            way: Vec::new(),
        }
    }

    /// The same cause, with the error itself. One that cannot be encoded, or takes more than
    /// [`limits::ERROR_BYTES_MAX`], is kept as text only.
    #[must_use]
    pub fn with_value<E: Serialize + 'static>(mut self, error: &E) -> Self {
        let small = |bytes: &Vec<u8>| bytes.len() <= limits::ERROR_BYTES_MAX;
        self.value = codec::write_small(error).filter(small).map(Vec::into_boxed_slice);
        self
    }

    /// The error itself, if it was an `E` and is serialisable.
    #[must_use]
    pub fn value<E: DeserializeOwned + 'static>(&self) -> Option<E> {
        codec::read_small(self.value.as_ref().filter(|_| self.type_name == type_name::<E>())?)
    }

    /// The same cause, with what was being handled.
    #[must_use]
    pub fn during(mut self, label: impl Into<String>) -> Self {
        self.during.get_or_insert_with(|| label.into());
        self
    }

    /// As much of it as logs keep: without the error's own value, and no longer than a screen can show.
    #[must_use]
    pub fn short(&self) -> Self {
        let own = |text: &String| shortened(text).to_owned();
        Self {
            message: own(&self.message),
            type_name: own(&self.type_name),
            chain: self.chain.iter().take(limits::EVENT_CHAIN_MAX).map(own).collect(),
            place: self.place.as_ref().map(own),
            during: self.during.as_ref().map(own),
            value: None,
            way: self.way.clone(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for below in &self.chain {
            write!(f, ": {below}")?;
        }
        if let Some(place) = &self.place {
            write!(f, " at {place}")?;
        }
        if let Some(during) = &self.during {
            write!(f, " in {during}")?;
        }
        let Some((first, rest)) = self.way.split_first() else { return Ok(()) };
        // All that was said is the first one's.
        write!(f, ", by {}", first.who)?;
        rest.iter().try_for_each(|step| write!(f, "; then {step}"))
    }
}

/// The ways in which an actor can end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitKind {
    /// It was asked to stop, or stopped itself, and did so in order.
    Stopped {
        /// What the one who stopped it said.
        reason: String,
    },
    /// It was ended at an await point without being asked.
    Killed {
        /// What the one who killed it said.
        reason: String,
    },
    /// A handler panicked.
    Panicked(Cause),
    /// A handler of a system actor returned an error, or a user actor failed itself.
    Failed(Cause),
    /// The constructor panicked or returned an error: this life never began.
    Constructor(Cause),
    /// What it lived in ended: its host, its worker, its runtime.
    HostDied(Cause),
}

impl ExitKind {
    /// True for an end in order: a transient actor is not restarted after it.
    #[must_use]
    pub fn is_normal(&self) -> bool {
        matches!(self, Self::Stopped { .. })
    }

    /// The root cause, where there is one.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Panicked(cause)
            | Self::Failed(cause)
            | Self::Constructor(cause)
            | Self::HostDied(cause) => Some(cause),
            Self::Stopped { .. } | Self::Killed { .. } => None,
        }
    }

    /// As much of it as logs keep.
    #[must_use]
    pub fn short(&self) -> Self {
        match self {
            Self::Stopped { reason } => Self::Stopped { reason: shortened(reason).to_owned() },
            Self::Killed { reason } => Self::Killed { reason: shortened(reason).to_owned() },
            Self::Panicked(cause) => Self::Panicked(cause.short()),
            Self::Failed(cause) => Self::Failed(cause.short()),
            Self::Constructor(cause) => Self::Constructor(cause.short()),
            Self::HostDied(cause) => Self::HostDied(cause.short()),
        }
    }
}

impl fmt::Display for ExitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped { reason } => write!(f, "stopped: {reason}"),
            Self::Killed { reason } => write!(f, "killed: {reason}"),
            Self::Panicked(cause) => write!(f, "panicked: {cause}"),
            Self::Failed(cause) => write!(f, "failed: {cause}"),
            Self::Constructor(cause) => write!(f, "its constructor failed: {cause}"),
            Self::HostDied(cause) => write!(f, "what it lived in died: {cause}"),
        }
    }
}

/// One end of one life of an actor, as its parent and its callers are told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Who ended.
    pub actor: ActorId,
    /// Its name, or its type where it has none.
    pub name: String,
    /// Which life ended.
    pub incarnation: Incarnation,
    /// How.
    pub kind: ExitKind,
    /// Restarts used up so far, this one not counted.
    pub restarts: u32,
    /// True when a restart follows; false when this was the last life.
    pub will_restart: bool,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) {}", self.actor, self.name, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_keeps_the_chain_and_the_place() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open the shard map")]
        struct Outer(#[source] std::io::Error);
        let error = Outer(std::io::Error::other("no such disk"));
        let mut cause = Cause::of_error(&error, "Outer").during("Load");
        cause.place = Some("map.rs:4:1".to_owned());
        assert_eq!(cause.chain, ["no such disk"]);
        assert_eq!(
            cause.to_string(),
            "cannot open the shard map: no such disk at map.rs:4:1 in Load"
        );
    }

    #[test]
    fn only_an_ordered_end_is_normal() {
        assert!(ExitKind::Stopped { reason: "done".into() }.is_normal());
        assert!(!ExitKind::Killed { reason: "done".into() }.is_normal());
        assert!(!ExitKind::Panicked(Cause::message("x")).is_normal());
    }
}

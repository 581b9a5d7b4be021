//! Why something could not be said, and why a session ended.

use std::time::Duration;

use raytree_types::Cause;
use serde::{Deserialize, Serialize};

/// This was not said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SayError {
    /// It is longer than a message may be.
    #[error("a message of {bytes} bytes to {peer}, where at most {max} are allowed")]
    TooLarge {
        /// To whom.
        peer: String,
        /// Its encoded length.
        bytes: usize,
        /// The longest.
        max: usize,
    },
    /// The peer has not heard too much of what was said before. It may be busy, or hang.
    #[error("{peer} has not heard {messages} messages of {bytes} bytes yet, which is the bound")]
    Crowded {
        /// To whom.
        peer: String,
        /// How many it has not heard.
        messages: usize,
        /// Their encoded bytes.
        bytes: usize,
    },
    /// There is no JSON for it: a map whose keys are not text, say.
    #[error("a message to {peer} cannot be encoded")]
    Encoding {
        /// To whom.
        peer: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The session is over.
    #[error("the session with {peer} is over")]
    Lost {
        /// With whom.
        peer: String,
    },
}

/// Why a session ended. The [`Cause`] of [`SessionEvent::Lost`](super::SessionEvent::Lost) has it as its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum SessionEnd {
    /// It was closed on this side, or nobody held it any more.
    #[error("it was closed on this side")]
    Closed,
    /// The peer has closed it, or has ended, or was ended.
    #[error("the peer has closed it, or is gone")]
    PeerGone,
    /// The connection broke.
    #[error("its stream failed: {what}")]
    Stream {
        /// What the operating system said.
        what: String,
    },
    /// The peer did not begin as one begins a session.
    #[error("the peer did not greet: {what}")]
    NoGreeting {
        /// What was wrong.
        what: String,
    },
    /// The protocol of the session broke: the peer sent what is no frame of it, or one that is too long.
    #[error("its protocol broke: {what}")]
    Protocol {
        /// What its node session said.
        what: String,
    },
    /// The peer's gate is gone, and nothing can be said to it any more.
    #[error("the peer hears nothing any more")]
    PeerDeaf,
    /// A message of the peer is not one that is understood here.
    #[error("a message of the peer cannot be read: {what}")]
    Unreadable {
        /// Why not.
        what: String,
    },
    /// The peer has sent more than it may, or says that it has heard more than was said.
    #[error("the peer broke the bounds of the session")]
    Unbounded,
    /// It was not open in time.
    #[error("it was not open within {within:?}")]
    Overdue {
        /// The bound.
        within: Duration,
    },
    /// There are too many.
    #[error("there are {limit} sessions already, which is the bound")]
    TooMany {
        /// The bound.
        limit: usize,
    },
    /// The operating system gave no thread, no socket or no random bytes for it.
    #[error("the operating system refused it: {what}")]
    System {
        /// What it said.
        what: String,
    },
    /// Who hears it panicked.
    #[error("who hears it panicked: {what}")]
    EarPanicked {
        /// The panic.
        what: String,
    },
    /// The actor that has all sessions did not take it.
    #[error("it was not taken in: {why}")]
    NotTaken {
        /// Why.
        why: String,
    },
    /// The actor that has all sessions ended.
    #[error("all sessions of this process ended")]
    SessionsEnded,
}

/// A session that ended, with whom and why.
#[derive(Debug, thiserror::Error)]
#[error("the session with {peer} is lost")]
struct Lost {
    peer: String,
    #[source]
    end: SessionEnd,
}

impl SessionEnd {
    pub(super) fn cause(&self, peer: &str) -> Cause {
        let lost = Lost { peer: peer.to_owned(), end: self.clone() };
        // The type is that of the value.
        Cause::of_error(&lost, std::any::type_name::<Self>()).with_value(self)
    }
}

impl From<std::io::Error> for SessionEnd {
    fn from(error: std::io::Error) -> Self {
        Self::System { what: error.to_string() }
    }
}

//! How a handshake fails.

use std::error::Error;
use std::io;
use std::time::Duration;

use crate::hello::BadHello;
use crate::message::VERSION;

/// Why two processes did not come together, as the side that has the error saw it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The time for the whole handshake is over: the other side is silent, or too slow.
    #[error("the handshake was not over within {within:?}")]
    TimedOut {
        /// How long it was given.
        within: Duration,
    },
    /// The other side hung up in the middle.
    #[error("the other side hung up before the handshake was over")]
    Closed,
    /// The [`Listener`](crate::Listener) was dropped in the middle.
    #[error("the listener was closed before the handshake was over")]
    Stopped,
    /// Whatever is there, it is no process of raytree.
    #[error("the other side does not speak raytree's protocol{}", guess(.looks_like))]
    NotRaytree {
        /// What it seems to speak, if it is well known.
        looks_like: Option<&'static str>,
    },
    /// It is another version of raytree.
    #[error(
        "the other side speaks version {theirs} of the protocol, and this one version {VERSION}"
    )]
    Version {
        /// Its version.
        theirs: u16,
    },
    /// It says something of the protocol at a moment when it should say something else.
    #[error("a message of kind {kind}, where {expected} was expected")]
    Unexpected {
        /// The kind of what it said.
        kind: u8,
        /// What it should have said.
        expected: &'static str,
    },
    /// Bytes of a message that are 0 in this version are not.
    #[error("a message that says something which this version does not know")]
    Reserved,
    /// The connection is for something that this version does not know.
    #[error("a connection for plane {code}, which this version does not know")]
    Plane {
        /// The plane's code.
        code: u8,
    },
    /// What the dialer said of itself is out of its bounds.
    #[error("the dialer introduced itself with {0}")]
    Hello(#[from] BadHello),
    /// The other side did not prove that it knows this cluster's token: it has another one, or somebody stands between.
    #[error("the other side does not know the token of this cluster")]
    Token,
    /// The other side refused this one.
    #[error("refused: {reason}")]
    Refused {
        /// What it said about why.
        reason: Refusal,
    },
    /// The other side does not encrypt, and this one does.
    #[error("the other side speaks without TLS, and this one only with it")]
    NoTls,
    /// The other side encrypts, and this one does not.
    #[error("the other side speaks TLS, and this one does not")]
    OnlyTls,
    /// The listener showed another certificate or key than this cluster's.
    #[error("the other side showed a certificate that is not this cluster's")]
    Certificate,
    /// No encrypted connection came about for another reason.
    #[error("no encrypted connection came about")]
    Tls {
        /// What the TLS library said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The connection broke, or the operating system refused something.
    #[error("the connection failed")]
    Io {
        /// What the operating system said.
        source: io::Error,
    },
}

fn guess(looks_like: &Option<&'static str>) -> String {
    looks_like.map_or_else(String::new, |what| format!(", but what looks like {what}"))
}

/// What a side tells one that it refuses: which step failed, and nothing that helps to try again with another guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It did not understand what it was told.
    #[error("the other side did not understand this one")]
    NotUnderstood,
    /// It speaks another version.
    #[error("the other side speaks another version of the protocol")]
    Version,
    /// It was not convinced that this one knows the token.
    #[error("this side does not know the token of the other's cluster")]
    Token,
    /// It speaks only with TLS.
    #[error("the other side speaks only with TLS")]
    OnlyTls,
    /// A reason of a later version.
    #[error("reason {0}, which this version does not know")]
    Other(u8),
}

impl Refusal {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::NotUnderstood => 1,
            Self::Version => 2,
            Self::Token => 3,
            Self::OnlyTls => 4,
            Self::Other(code) => code,
        }
    }

    pub(crate) fn of_code(code: u8) -> Self {
        let known = [Self::NotUnderstood, Self::Version, Self::Token, Self::OnlyTls];
        known.into_iter().find(|one| one.code() == code).unwrap_or(Self::Other(code))
    }
}

impl HandshakeError {
    /// What the other side is told; nothing when it is not there, has refused itself, or could not read it.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Version { .. } => Some(Refusal::Version),
            Self::Token => Some(Refusal::Token),
            Self::NoTls => Some(Refusal::OnlyTls),
            Self::NotRaytree { .. }
            | Self::OnlyTls
            | Self::Unexpected { .. }
            | Self::Reserved
            | Self::Plane { .. }
            | Self::Hello(_) => Some(Refusal::NotUnderstood),
            _ => None,
        }
    }
}

/// An error of this crate that came through [`io::Read`] or [`io::Write`] is taken out again.
impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        let error = match error.downcast::<Self>() {
            Ok(own) => return own,
            Err(error) => error,
        };
        match kind {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => Self::Closed,
            _ => crate::tls::error_of(error),
        }
    }
}

impl From<HandshakeError> for io::Error {
    fn from(error: HandshakeError) -> Self {
        Self::other(error)
    }
}

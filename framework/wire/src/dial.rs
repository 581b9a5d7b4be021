//! How a process dials another.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::HandshakeError;
use crate::handshake;
use crate::hello::Hello;
use crate::patience::Patience;
use crate::socket;
use crate::stream::Stream;
use crate::tls::Tls;
use crate::token::Token;

/// No connection came about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// Nobody listens there, or the way there is closed.
    #[error("{address} cannot be reached")]
    Unreachable {
        /// Who was dialed.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// Somebody is there, and the two did not come together.
    #[error("no connection with {address} came about")]
    Handshake {
        /// Who was dialed.
        address: SocketAddr,
        /// Why.
        source: HandshakeError,
    },
}

impl DialError {
    /// Why the handshake failed, if it came to one.
    #[must_use]
    pub fn handshake(&self) -> Option<&HandshakeError> {
        match self {
            Self::Handshake { source, .. } => Some(source),
            Self::Unreachable { .. } => None,
        }
    }
}

/// Connects to a [`Listener`](crate::Listener) of the same cluster. The timeout is for all of it, connecting and handshake;
/// blocks no longer. Both sides have to agree in whether there is TLS.
///
/// # Errors
/// [`DialError`].
pub fn dial(
    address: SocketAddr,
    token: &Token,
    tls: Option<&Tls>,
    hello: &Hello,
    timeout: Duration,
) -> Result<Stream, DialError> {
    let unreachable = |source| DialError::Unreachable { address, source };
    let patience = Patience::new(timeout, None).map_err(unreachable)?;
    // The system does not know a time of nothing.
    let at_least = timeout.max(Duration::from_millis(1));
    let socket = TcpStream::connect_timeout(&address, at_least).map_err(unreachable)?;
    socket::prepare(&socket).map_err(unreachable)?;
    match handshake::dial(&socket, token, tls, hello, &patience) {
        Ok(session) => Ok(Stream::new(socket, session)),
        Err(source) => Err(DialError::Handshake { address, source }),
    }
}

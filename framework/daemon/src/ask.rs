//! Asking a head from outside: how the cluster is, and to end it.

use std::fmt;
use std::io::ErrorKind;
use std::net::{SocketAddr, ToSocketAddrs as _};

use raytree_config::{Config, HostPort};
use raytree_inspector::StreamLine;
use raytree_process::cluster::{Greeting, MESSAGE_BYTES_MAX};
use raytree_types::inspect::ClusterStatus;
use raytree_types::limits;
use raytree_wire::{DialError, FrameError, Hello, Plane, Stream, dial, read_frame};
use serde::Deserialize;

use crate::StartError;
use crate::head::dashboard;
use crate::place::Secrets;

/// Why a head gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// Its name leads nowhere.
    #[error("{host} is no address that is known here: {why}")]
    Unknown {
        /// The name.
        host: String,
        /// What the operating system said.
        why: String,
    },
    /// This process cannot speak to it.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It cannot be reached, or does not know this token.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It has no dashboard.
    #[error("it has no dashboard: it was switched off (dashboard.enabled), or found no free port")]
    NoDashboard,
    /// It is there, and says nothing: it is stopped, or stuck.
    #[error("it did not answer within {:?}", limits::HEAD_ANSWERS_WITHIN)]
    Silent,
    /// The operating system would not.
    #[error("the operating system refused it: {0}")]
    System(#[from] std::io::Error),
    /// It broke off.
    #[error("it broke off: {0}")]
    Broke(#[from] FrameError),
    /// What it said cannot be read.
    #[error("its answer makes no sense: {0}")]
    Nonsense(String),
    /// Another version.
    #[error(
        "it speaks version {theirs} of the status, and this `raytree` version {}",
        ClusterStatus::VERSION
    )]
    Version {
        /// Its version.
        theirs: u32,
    },
}

/// The address behind a host and a port.
///
/// # Errors
/// [`AskError::Unknown`].
pub fn resolve(address: &HostPort) -> Result<SocketAddr, AskError> {
    let unknown = |why: String| AskError::Unknown { host: address.to_string(), why };
    let found = address.to_string().to_socket_addrs();
    let mut found = found.map_err(|error| unknown(error.to_string()))?;
    found.next().ok_or_else(|| unknown("it has no address".to_owned()))
}

/// How the cluster of this head is.
///
/// # Errors
/// [`AskError`].
pub fn status(config: &Config, head: SocketAddr) -> Result<ClusterStatus, AskError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let (mut reads, _writes) = connect(config, head, &Greeting::Status)?.split();
    let answer = read_frame(&mut reads, MESSAGE_BYTES_MAX).map_err(broke)?;
    let answer = answer.ok_or_else(|| AskError::Nonsense("it hung up".to_owned()))?;
    let nonsense = |error: serde_json::Error| AskError::Nonsense(error.to_string());
    let Versioned { version } = serde_json::from_slice(&answer).map_err(nonsense)?;
    if version != ClusterStatus::VERSION {
        return Err(AskError::Version { theirs: version });
    }
    serde_json::from_slice(&answer).map_err(nonsense)
}

/// How a dashboard is entered.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entrance {
    /// Where it is.
    pub url: String,
    /// A link that opens it once, within [`DASHBOARD_CODE_HOLDS`](limits::DASHBOARD_CODE_HOLDS).
    pub link: String,
    /// The token for scripts: `Authorization: Bearer <token>`.
    pub token: String,
}

/// How the dashboard of this head is entered.
///
/// # Errors
/// [`AskError`]; [`AskError::NoDashboard`] when it has none.
pub fn entrance(config: &Config, head: SocketAddr) -> Result<Entrance, AskError> {
    let status = status(config, head)?.dashboard.ok_or(AskError::NoDashboard)?;
    let key = dashboard::key(&Secrets::towards(config, head.ip())?.token);
    let link = dashboard::link(&key, &status)?;
    Ok(Entrance { url: status.url, link, token: key.bearer() })
}

impl fmt::Debug for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What lets somebody in is in no log.
        f.debug_struct("Entrance").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Asks the head to end its cluster: drivers, nodes and itself. Returns when it has heard it.
///
/// # Errors
/// [`AskError`].
pub fn stop(config: &Config, head: SocketAddr) -> Result<(), AskError> {
    let (mut reads, _writes) = connect(config, head, &Greeting::Stop)?.split();
    // Its end is the answer.
    read_frame(&mut reads, MESSAGE_BYTES_MAX).map_err(broke)?;
    Ok(())
}

/// A connection over which the whole cluster of this head can be looked at.
///
/// # Errors
/// [`AskError`].
pub fn inspect(config: &Config, head: SocketAddr) -> Result<StreamLine, AskError> {
    Ok(StreamLine::new(connect(config, head, &Greeting::Inspect)?))
}

fn broke(error: FrameError) -> AskError {
    match error {
        FrameError::Io(error) if error.kind() == ErrorKind::WouldBlock => AskError::Silent,
        error => AskError::Broke(error),
    }
}

fn connect(config: &Config, head: SocketAddr, greeting: &Greeting) -> Result<Stream, AskError> {
    let secrets = Secrets::towards(config, head.ip())?;
    let nonsense = |error: &dyn std::error::Error| AskError::Nonsense(error.to_string());
    let details = serde_json::to_vec(greeting).map_err(|error| nonsense(&error))?;
    let name = format!("pid-{}", std::process::id());
    let hello = Hello::new(Plane::Control, name, details).map_err(|error| nonsense(&error))?;
    let (token, tls) = (&secrets.token, secrets.tls.as_ref());
    let stream = dial(head, token, tls, &hello, limits::WIRE_HANDSHAKE_WITHIN)?;
    stream.give_up_after(limits::HEAD_ANSWERS_WITHIN)?;
    Ok(stream)
}

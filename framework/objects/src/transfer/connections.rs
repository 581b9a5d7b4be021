//! Connections with nodes that give objects.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::Mutex;
use raytree_supervise::clock;
use raytree_types::limits;
use raytree_wire::{Closer, DialError, Hello, Plane, ReadHalf, Tls, Token, WriteHalf, dial};

use super::words::{self, Gives, Wants};

/// So many bytes of a part are seen to have come, or not.
const MOVE: usize = 256 << 10;

/// By what other nodes of a cluster are reached.
#[derive(Clone, Debug)]
pub struct Reach {
    /// What all processes of the cluster know.
    pub token: Token,
    /// How connections are encrypted, if they are.
    pub tls: Option<Tls>,
    /// What this node is called.
    pub name: String,
}

pub(super) struct Connections {
    reach: Reach,
    idle: Mutex<HashMap<SocketAddr, Vec<Connection>>>,
    /// Those that did not answer, and since when.
    down: Mutex<HashMap<SocketAddr, Duration>>,
}

/// A connection over which objects are fetched.
pub(super) struct Connection {
    at: SocketAddr,
    reads: ReadHalf,
    writes: WriteHalf,
    /// It was used before: it may have been closed meanwhile.
    pub(super) is_used: bool,
    /// Since when it is not used.
    idle_since: Duration,
}

impl Connections {
    pub(super) fn new(reach: Reach) -> Self {
        Self { reach, idle: Mutex::default(), down: Mutex::default() }
    }

    /// One with this node. Blocks.
    ///
    /// # Errors
    /// What is in the way.
    pub(super) fn to(&self, at: SocketAddr) -> io::Result<Connection> {
        let idle = self.idle.lock().get_mut(&at).and_then(Vec::pop);
        if let Some(idle) = idle {
            return Ok(idle);
        }
        let Reach { token, tls, name } = &self.reach;
        let hello = Hello::new(Plane::Bytes, name.clone(), b"").map_err(io::Error::other)?;
        let stream = dial(at, token, tls.as_ref(), &hello, limits::WIRE_HANDSHAKE_WITHIN);
        let stream = stream.map_err(why)?;
        stream.give_up_after(limits::PULL_SILENT_MAX)?;
        let (reads, writes) = stream.split();
        Ok(Connection { at, reads, writes, is_used: false, idle_since: clock::now() })
    }

    /// It is not needed for now. Nothing is on its way over it.
    pub(super) fn keep(&self, mut connection: Connection) {
        let now = clock::now();
        (connection.is_used, connection.idle_since) = (true, now);
        self.down.lock().remove(&connection.at);
        let mut idle = self.idle.lock();
        // The other side has closed them, or will.
        idle.retain(|_, own| {
            own.retain(|idle| now.saturating_sub(idle.idle_since) < limits::PUSH_IDLE_MAX);
            !own.is_empty()
        });
        let own = idle.entry(connection.at).or_default();
        if own.len() < limits::PULL_IDLE_MAX {
            own.push(connection);
        }
    }

    /// Nothing could be fetched from there.
    pub(super) fn was_down(&self, at: SocketAddr) {
        let now = clock::now();
        let mut down = self.down.lock();
        down.retain(|_, since| now.saturating_sub(*since) < limits::PULL_DOWN_FOR);
        down.insert(at, now);
    }

    /// Whether nothing could be fetched from there a moment ago.
    pub(super) fn is_down(&self, at: SocketAddr) -> bool {
        let since = self.down.lock().get(&at).copied();
        since.is_some_and(|since| clock::now().saturating_sub(since) < limits::PULL_DOWN_FOR)
    }

    /// A connection that was not used for a while is gone: so are the others.
    pub(super) fn forget(&self, at: SocketAddr) {
        let gone = self.idle.lock().remove(&at);
        drop(gone);
    }
}

fn why(error: DialError) -> io::Error {
    match &error {
        DialError::Unreachable { source, .. } => io::Error::new(source.kind(), error.to_string()),
        _ => io::Error::new(io::ErrorKind::PermissionDenied, error.to_string()),
    }
}

impl Connection {
    pub(super) fn say(&mut self, word: &Wants) -> io::Result<()> {
        words::write(&mut self.writes, word)
    }

    pub(super) fn hear(&mut self) -> io::Result<Gives> {
        words::read(&mut self.reads)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// What ends it from any thread.
    pub(super) fn closer(&self) -> Closer {
        self.reads.closer()
    }

    /// A part that was asked for, into its place; `moves` is called whenever some of it has come.
    pub(super) fn take(&mut self, into: &mut [u8], mut moves: impl FnMut()) -> io::Result<()> {
        match self.hear()? {
            Gives::Piece { len } if len == into.len() as u64 => {
                for part in into.chunks_mut(MOVE) {
                    self.reads.read_exact(part)?;
                    moves();
                }
                Ok(())
            }
            other => Err(io::Error::new(io::ErrorKind::InvalidData, format!("it says {other:?}"))),
        }
    }
}

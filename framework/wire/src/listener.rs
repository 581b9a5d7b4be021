//! How a process is dialed by others.
//!
//! Invariants:
//! - **WL-1 (no-queue-behind-a-stall):** each handshake has a thread of its own, so one that stalls holds up nobody; and
//!   there are at most [`limits::WIRE_HANDSHAKES_MAX`] of them.
//! - **WL-2 (gone-when-dropped):** when a listener has been dropped its port is free, and what was in a handshake is closed.
//! - **WL-3 (no-open-door):** without TLS nothing but a loopback address is listened to, unless it was asked for by name.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_types::limits;

use crate::error::HandshakeError;
use crate::handshake;
use crate::hello::Hello;
use crate::patience::{Bell, Patience};
use crate::socket;
use crate::stream::Stream;
use crate::tls::Tls;
use crate::token::Token;

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct BindTo {
    /// The address of this machine; port 0 lets the operating system choose a free one. By default `127.0.0.1:0`.
    pub address: SocketAddr,
    /// What a dialer has to know, and this side proves to know. Required.
    pub token: Token,
    /// How links are encrypted. By default not at all, which is for loopback addresses.
    pub tls: Option<Tls>,
    /// Allows other than loopback addresses without TLS: whoever is on the way then reads and changes what is said. By
    /// default false.
    pub insecure: bool,
    /// How long one handshake may take in all, 1 ms or more. By default 5 seconds.
    pub handshake_within: Duration,
}

impl BindTo {
    /// `127.0.0.1`, a free port, without TLS.
    #[must_use]
    pub fn loopback(token: Token) -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            token,
            tls: None,
            insecure: false,
            handshake_within: limits::WIRE_HANDSHAKE_WITHIN,
        }
    }
}

/// Nothing is listened to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Other machines can reach the address, and nothing would be encrypted.
    #[error(
        "other machines can reach {address}, and nothing would be encrypted: give it TLS, listen on a loopback address, \
         or say `insecure` if everybody on that network may read and change what is said"
    )]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
    /// The operating system would not.
    #[error("cannot listen on {address}")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

/// What a [`Listener`] has seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections that were handed on.
    pub accepted: u64,
    /// Handshakes that failed.
    pub refused: u64,
    /// Connections that were closed at once, because there were too many handshakes already.
    pub crowded: u64,
}

/// A port on which processes that know the token are let in. Dropping it closes the port and ends every handshake;
/// connections that were handed on stay.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    bell: Bell,
    tally: Arc<Tally>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Tally {
    accepted: AtomicU64,
    refused: AtomicU64,
    crowded: AtomicU64,
    under_way: AtomicUsize,
}

impl Listener {
    /// Listens, and calls `accepted` with each connection whose dialer has proven that it knows the token: who it is, the
    /// connection, and where it comes from. It is called on the thread of the handshake, one call at a time, and should
    /// hand on and return: while it has not, that handshake counts as under way.
    ///
    /// A call that has begun when the listener is dropped is not waited for.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind(
        to: BindTo,
        accepted: impl FnMut(Hello, Stream, SocketAddr) + Send + 'static,
    ) -> Result<Self, BindError> {
        Self::bind_and_tell(to, accepted, |_| {})
    }

    /// As [`Listener::bind`]; `deaf` hears why nobody is let in any more, if the operating system takes the port away while
    /// this lives. It is called on the listener's thread, must not wait, and must not drop the listener.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind_and_tell(
        to: BindTo,
        accepted: impl FnMut(Hello, Stream, SocketAddr) + Send + 'static,
        deaf: impl FnOnce(io::Error) + Send + 'static,
    ) -> Result<Self, BindError> {
        let address = to.address;
        if to.tls.is_none() && !to.insecure && !address.ip().to_canonical().is_loopback() {
            return Err(BindError::Exposed { address });
        }
        Self::open(to, accepted, deaf).map_err(|source| BindError::Refused { address, source })
    }

    fn open(
        to: BindTo,
        accepted: impl FnMut(Hello, Stream, SocketAddr) + Send + 'static,
        deaf: impl FnOnce(io::Error) + Send + 'static,
    ) -> io::Result<Self> {
        let socket = TcpListener::bind(to.address)?;
        // Who has hung up between the poll and the accept must not leave this thread waiting for the next.
        socket.set_nonblocking(true)?;
        let (address, bell, tally) = (socket.local_addr()?, Bell::new()?, Arc::default());
        let door = Door {
            to,
            bell: bell.clone(),
            tally: Arc::clone(&tally),
            accepted: Mutex::new(accepted),
        };
        let door = Arc::new(door);
        let thread = thread::Builder::new().name("raytree-door".to_owned()).spawn(move || {
            let ran = door.run(&socket);
            // Whoever is told may listen there again.
            drop(socket);
            if let Err(error) = ran {
                tracing::error!(%error, address = %door.to.address, "nobody is let in any more");
                deaf(error);
            }
        })?;
        Ok(Self { address, bell, tally, thread: Some(thread) })
    }

    /// Where it listens, with the port that was chosen.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What it has seen so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            accepted: of(&self.tally.accepted),
            refused: of(&self.tally.refused),
            crowded: of(&self.tally.crowded),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.bell.ring();
        // It waits for nothing else than the bell and the port, and the port is its own.
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

/// What the threads of a listener share.
struct Door<F: ?Sized> {
    to: BindTo,
    bell: Bell,
    tally: Arc<Tally>,
    accepted: Mutex<F>,
}

/// A place among the handshakes that are under way.
struct Place(Arc<Tally>);

impl Place {
    fn take(tally: &Arc<Tally>) -> Option<Self> {
        let place = Self(Arc::clone(tally));
        let before = tally.under_way.fetch_add(1, Ordering::Relaxed);
        (before < limits::WIRE_HANDSHAKES_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<F: FnMut(Hello, Stream, SocketAddr) + Send + 'static> Door<F> {
    /// Until the bell rings, or the port is none any more.
    fn run(self: &Arc<Self>, port: &TcpListener) -> io::Result<()> {
        loop {
            if !self.bell.or_readable(port)? {
                return Ok(());
            }
            match port.accept() {
                Ok((socket, from)) => self.admit(socket, from),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) if is_of_the_port(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, address = %self.to.address, "a connection could not be accepted");
                    if !self.bell.or_after(limits::WIRE_ACCEPT_AGAIN) {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, socket: TcpStream, from: SocketAddr) {
        let Some(place) = Place::take(&self.tally) else {
            count(&self.tally.crowded, |so_far| {
                tracing::warn!(%from, so_far, "closed: too many handshakes are under way");
            });
            return;
        };
        let door = Arc::clone(self);
        let begun = thread::Builder::new().name("raytree-hello".to_owned()).spawn(move || {
            door.meet(socket, from);
            drop(place);
        });
        if let Err(error) = begun {
            count(&self.tally.crowded, |so_far| {
                tracing::warn!(%error, %from, so_far, "closed: no thread for a handshake");
            });
        }
    }

    fn meet(&self, socket: TcpStream, from: SocketAddr) {
        match self.shake(&socket) {
            Ok((hello, session)) => {
                self.tally.accepted.fetch_add(1, Ordering::Relaxed);
                (*self.accepted.lock())(hello, Stream::new(socket, session), from);
            }
            Err(HandshakeError::Stopped) => {}
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::debug!(error, %from, "refused");
                count(&self.tally.refused, |so_far| {
                    tracing::warn!(error, %from, so_far, "refused who dialed");
                });
            }
        }
    }

    fn shake(
        &self,
        socket: &TcpStream,
    ) -> Result<(Hello, Option<crate::tls::Session>), HandshakeError> {
        let unprepared = |source| HandshakeError::Io { source };
        socket::prepare(socket).map_err(unprepared)?;
        let patience = Patience::new(self.to.handshake_within, Some(self.bell.clone()));
        let patience = patience.map_err(unprepared)?;
        handshake::accept(socket, &self.to.token, self.to.tls.as_ref(), &patience)
    }
}

/// Counts one more, and tells the 1st, 2nd, 4th, 8th ..: who knocks all day must not fill the log.
fn count(count: &AtomicU64, tell: impl FnOnce(u64)) {
    let so_far = count.fetch_add(1, Ordering::Relaxed) + 1;
    if so_far.is_power_of_two() {
        tell(so_far);
    }
}

/// Nothing will ever come over it again.
fn is_of_the_port(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let lost = [Errno::BADF, Errno::FAULT, Errno::INVAL, Errno::NOTSOCK];
    Errno::from_io_error(error).is_some_and(|errno| lost.contains(&errno))
}

/// It ails nobody but who has hung up already.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | WouldBlock)
}

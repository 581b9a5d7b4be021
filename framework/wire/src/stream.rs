//! What both sides have once they know each other: bytes in both directions.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::net::{SendFlags, send};

use crate::socket::transmit;
use crate::tls::{Incoming, Outgoing, Session};

/// A connection with a process of the same cluster: blocking, in both directions at once.
///
/// It is used by its halves, each on a thread of its own. One that gives no sign of life for a minute, or takes nothing for
/// a minute, is cut by the operating system ([`WIRE_SILENT_MAX`](raytree_types::limits::WIRE_SILENT_MAX)).
#[derive(Debug)]
pub struct Stream {
    reads: ReadHalf,
    writes: WriteHalf,
}

#[derive(Debug)]
struct Link {
    socket: TcpStream,
    is_ended: AtomicBool,
}

impl Stream {
    pub(crate) fn new(socket: TcpStream, session: Option<Session>) -> Self {
        let link = Arc::new(Link { socket, is_ended: AtomicBool::new(false) });
        let (incoming, outgoing) = session.map(Session::split).unzip();
        let reads = ReadHalf { link: Arc::clone(&link), incoming };
        Self { reads, writes: WriteHalf { link, outgoing, is_finished: false } }
    }

    /// One half for who reads, one for who writes.
    #[must_use]
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        (self.reads, self.writes)
    }

    /// What ends both halves from any thread.
    #[must_use]
    pub fn closer(&self) -> Closer {
        self.reads.closer()
    }

    /// Ends both directions: [`Closer::shutdown`].
    pub fn shutdown(&self) {
        self.reads.link.end();
    }

    /// From now on a read that gets nothing, or a write that nothing is taken of, for so long ends with an error of the kind
    /// [`io::ErrorKind::WouldBlock`]. 1 ms or more.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn give_up_after(&self, silence: std::time::Duration) -> io::Result<()> {
        self.gives_up().after(silence)
    }

    /// What sets that time when the halves are apart.
    #[must_use]
    pub fn gives_up(&self) -> GivesUp {
        GivesUp(Arc::clone(&self.reads.link))
    }

    /// This process's end of the connection.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.reads.link.socket.local_addr()
    }

    /// Whether it goes over TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.reads.incoming.is_some()
    }
}

impl Link {
    fn end(&self) {
        self.is_ended.store(true, Ordering::Release);
        // Refused when the other side has ended it already.
        _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Says how long both halves of a [`Stream`] wait for the other side.
#[derive(Clone, Debug)]
pub struct GivesUp(Arc<Link>);

impl GivesUp {
    /// As [`Stream::give_up_after`].
    ///
    /// # Errors
    /// What the operating system said.
    pub fn after(&self, silence: std::time::Duration) -> io::Result<()> {
        self.0.socket.set_read_timeout(Some(silence))?;
        self.0.socket.set_write_timeout(Some(silence))
    }
}

/// Ends a [`Stream`] from any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Closer(Arc<Link>);

impl Closer {
    /// Ends both directions at once, as often as one likes. A blocked read gives 0, a blocked write an error, on both
    /// sides; what is under way may be lost. Over TLS the other side reads [`io::ErrorKind::UnexpectedEof`], because anybody
    /// could have cut it so: who wants to end in order, drops or [finishes](WriteHalf::finish) the half that writes.
    pub fn shutdown(&self) {
        self.0.end();
    }
}

/// What arrives.
#[derive(Debug)]
pub struct ReadHalf {
    link: Arc<Link>,
    incoming: Option<Incoming>,
}

impl ReadHalf {
    /// What ends both halves from any thread.
    #[must_use]
    pub fn closer(&self) -> Closer {
        Closer(Arc::clone(&self.link))
    }
}

/// Blocks until something is there. 0 when the other side writes no more, or after [`Closer::shutdown`].
impl Read for ReadHalf {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut socket = &self.link.socket;
        let read = match &mut self.incoming {
            None => socket.read(bytes),
            Some(incoming) => incoming.read(socket, bytes),
        };
        match read {
            Err(_) if self.link.is_ended.load(Ordering::Acquire) => Ok(0),
            read => read,
        }
    }
}

/// What is sent. When it is dropped the other side reads the end, once it has read the rest; over TLS only as far as there
/// is room for it at that moment, so one who ends in order calls [`finish`](Self::finish).
#[derive(Debug)]
pub struct WriteHalf {
    link: Arc<Link>,
    outgoing: Option<Outgoing>,
    is_finished: bool,
}

impl WriteHalf {
    /// What ends both halves from any thread.
    #[must_use]
    pub fn closer(&self) -> Closer {
        Closer(Arc::clone(&self.link))
    }

    /// Writes as [`Write::write_vectored`] does, but never waits for the other side.
    ///
    /// Over TLS bytes are encrypted once, in the order of the writes. So after an error of the kinds
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) and [`Interrupted`](io::ErrorKind::Interrupted), which count nothing as
    /// written, the next write of either kind has to begin with these same bytes: they may be on their way.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the operating system takes nothing more for now;
    /// [`io::ErrorKind::InvalidInput`] when less is given than may be on its way; else the connection is broken.
    pub fn write_now(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send(parts, SendFlags::DONTWAIT)
    }

    fn send(&mut self, parts: &[IoSlice<'_>], flags: SendFlags) -> io::Result<usize> {
        let socket = &self.link.socket;
        match &mut self.outgoing {
            None => transmit(socket, parts, flags),
            Some(outgoing) => outgoing.write(socket, parts, flags),
        }
    }

    /// Tells the other side that nothing more comes: it reads the rest, and then 0. Blocks while the other side takes
    /// nothing. This side may go on reading.
    ///
    /// # Errors
    /// What the operating system said: the connection is broken.
    pub fn finish(mut self) -> io::Result<()> {
        self.is_finished = true;
        let mut socket = &self.link.socket;
        if let Some(outgoing) = &mut self.outgoing {
            socket.write_all(outgoing.close()?)?;
        }
        socket.shutdown(Shutdown::Write)
    }
}

/// Blocks until the operating system has taken some of it. Nothing is held back, so there is nothing to flush.
impl Write for WriteHalf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send(parts, SendFlags::empty())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let socket = &self.link.socket;
        if let Some(Ok(end)) = self.outgoing.as_mut().map(Outgoing::close) {
            // Dropping must not block.
            _ = send(socket, end, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        }
        _ = socket.shutdown(Shutdown::Write);
    }
}

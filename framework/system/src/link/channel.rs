//! What a link lies on: the stream between two processes of one machine, or the connection between two machines.

use std::io::{self, IoSlice, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use parking_lot::Mutex;
use raytree_wire::{Closer, ReadHalf, Stream, WriteHalf};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg};

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) enum Channel {
    Unix(UnixStream),
    Wire(Stream),
}

/// What comes in.
pub(super) enum Reads {
    Unix(Quiet),
    Wire(ReadHalf),
}

/// A stream that is read by one who sleeps until there is something to read. In a read that blocks he would be woken as well
/// whenever the other side has read something, as often as that is, for nothing.
pub(super) struct Quiet(UnixStream);

impl Read for Quiet {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match recv(&self.0, &mut *into, RecvFlags::DONTWAIT) {
                Err(Errno::WOULDBLOCK) => {
                    poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None)?;
                }
                other => return Ok(other?.0),
            }
        }
    }
}

/// Where what goes out is written: by one thread at a time, which is [`Outgoing`](super::outgoing::Outgoing)'s business.
pub(super) enum Writes {
    Unix(UnixStream),
    /// So nobody ever waits for the lock, and who closes needs none.
    Wire(Mutex<WriteHalf>, Closer),
}

/// Whether who writes waits until something is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    None,
    Endless,
}

impl From<UnixStream> for Channel {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

impl From<Stream> for Channel {
    fn from(stream: Stream) -> Self {
        Self::Wire(stream)
    }
}

impl Channel {
    pub(super) fn split(self) -> io::Result<(Reads, Writes)> {
        Ok(match self {
            Self::Unix(stream) => (Reads::Unix(Quiet(stream.try_clone()?)), Writes::Unix(stream)),
            Self::Wire(stream) => {
                let closer = stream.closer();
                let (reads, writes) = stream.split();
                (Reads::Wire(reads), Writes::Wire(Mutex::new(writes), closer))
            }
        })
    }
}

impl Writes {
    /// Writes some of it. Whoever comes next after [`io::ErrorKind::WouldBlock`] gives the same bytes first.
    pub(super) fn send(&self, parts: &[IoSlice<'_>], patience: Patience) -> io::Result<usize> {
        match self {
            Self::Unix(socket) => {
                let mut nothing = SendAncillaryBuffer::default();
                let waits = match patience {
                    Patience::None => SendFlags::DONTWAIT,
                    Patience::Endless => SendFlags::empty(),
                };
                Ok(sendmsg(socket, parts, &mut nothing, waits | SendFlags::NOSIGNAL)?)
            }
            Self::Wire(writes, _) => {
                let mut writes = writes.lock();
                match patience {
                    Patience::None => writes.write_now(parts),
                    Patience::Endless => io::Write::write_vectored(&mut *writes, parts),
                }
            }
        }
    }

    /// Ends both directions, for both sides, from any thread: one who reads or writes is told.
    pub(super) fn close(&self) {
        match self {
            // Refused when the other side has ended it already.
            Self::Unix(socket) => _ = socket.shutdown(Shutdown::Both),
            Self::Wire(_, closer) => closer.shutdown(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::mpsc::sync_channel;

    use raytree_wire::{BindTo, Hello, Listener, Plane, Tls, Token, dial};

    use super::*;

    /// Both ends of one channel of each kind.
    pub(in crate::link) fn pairs() -> Vec<(&'static str, Channel, Channel)> {
        let (one, other) = UnixStream::pair().expect("a pair");
        let token = Token::random().expect("random bytes");
        let (one_of_tcp, other_of_tcp) = connected(&token, None);
        vec![
            ("a socket of one machine", one.into(), other.into()),
            ("TCP", one_of_tcp, other_of_tcp),
            #[cfg(feature = "tls")]
            {
                let tls = Tls::of_token(&token).expect("a key");
                let (one, other) = connected(&token, Some(tls));
                ("TLS", one, other)
            },
        ]
    }

    fn connected(token: &Token, tls: Option<Tls>) -> (Channel, Channel) {
        let (tell, arrived) = sync_channel(1);
        let to = BindTo { tls: tls.clone(), ..BindTo::loopback(token.clone()) };
        let within = to.handshake_within;
        let accepted = move |_, stream, _| _ = tell.send(stream);
        let listener = Listener::bind(to, accepted).expect("a port");
        let hello = Hello::new(Plane::Calls, "node-1", b"").expect("within its bounds");
        let dialed = dial(listener.local_addr(), token, tls.as_ref(), &hello, within);
        let dialed = dialed.expect("a connection");
        (dialed.into(), arrived.recv().expect("its other end").into())
    }

    /// Where one side writes, and the other one reads.
    pub(in crate::link) fn ways() -> Vec<(&'static str, Writes, Box<dyn Read + Send>, Kept)> {
        let all = pairs().into_iter().map(|(name, one, other)| {
            let ((back, writes), (reads, kept)) = (split(one), split(other));
            let reads: Box<dyn Read + Send> = match reads {
                Reads::Unix(reads) => Box::new(reads),
                Reads::Wire(reads) => Box::new(reads),
            };
            (name, writes, reads, (back, kept))
        });
        all.collect()
    }

    /// The other halves: dropped they end the channel.
    type Kept = (Reads, Writes);

    fn split(channel: Channel) -> (Reads, Writes) {
        channel.split().expect("two halves")
    }

    #[test]
    fn who_closes_ends_both_directions_for_both_sides() {
        for (name, writes, mut reads, (back, forth)) in ways() {
            let mut back: Box<dyn Read + Send> = match back {
                Reads::Unix(back) => Box::new(back),
                Reads::Wire(back) => Box::new(back),
            };
            std::thread::scope(|scope| {
                let ends = [
                    scope.spawn(move || matches!(reads.read(&mut [0; 9]), Ok(0) | Err(_))),
                    scope.spawn(move || matches!(back.read(&mut [0; 9]), Ok(0) | Err(_))),
                ];
                writes.close();
                ends.into_iter().for_each(|end| assert!(end.join().expect("no panic"), "{name}"));
            });
            let parts = [IoSlice::new(b"more")];
            writes.send(&parts, Patience::None).expect_err(name);
            while forth.send(&parts, Patience::Endless).is_ok() {}
        }
    }
}

//! Joins a wire stream, whose ends block, to a socket pair, whose other end belongs to tokio: two threads for each session.
//! Before anything else both sides greet.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use raytree_supervise::Part;
use raytree_types::limits;
use raytree_wire::{ReadHalf, Stream, WriteHalf, read_frame, write_frame};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

use super::Side;
use super::error::SessionEnd;
use super::letter::Address;
use super::outgoing::Outgoing;

/// The first four bytes of a session, its version among them.
const MAGIC: [u8; 4] = *b"RTS1";

/// A greeting: the magic, which side says it, its address, the number of its gate (unsigned, little-endian).
const GREETING_BYTES: usize = 4 + 1 + 16 + 8;

/// What each side says first: where it hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) address: Address,
    pub(super) gate: u64,
}

impl Greeting {
    /// With an address that nobody can foretell.
    pub(super) fn new(gate: u64) -> io::Result<Self> {
        let mut address = Address::default();
        let mut filled = 0;
        while filled < address.len() {
            match getrandom(&mut address[filled..], GetRandomFlags::empty()) {
                Ok(more) => filled += more,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { address, gate })
    }

    pub(super) fn bytes(&self, side: Side) -> Vec<u8> {
        let side = [u8::from(side == Side::Accepted)];
        [&MAGIC[..], &side, &self.address, &self.gate.to_le_bytes()].concat()
    }

    /// What one that stands on `side` hears from the other.
    fn read(bytes: &[u8], side: Side) -> Result<Self, SessionEnd> {
        let wrong = |what: &str| SessionEnd::NoGreeting { what: what.to_owned() };
        let (magic, rest) = bytes.split_first_chunk().ok_or_else(|| wrong("it is too short"))?;
        let (said, rest) = rest.split_first().ok_or_else(|| wrong("it is too short"))?;
        let (address, gate) = rest.split_first_chunk().ok_or_else(|| wrong("it is too short"))?;
        let gate = gate.try_into().map_err(|_| wrong("it has another length"))?;
        if *magic != MAGIC {
            return Err(wrong("it is none, or of another version"));
        }
        if *said == u8::from(side == Side::Accepted) {
            return Err(wrong("the peer stands on the same side"));
        }
        Ok(Self { address: *address, gate: u64::from_le_bytes(gate) })
    }
}

/// What the threads of a session have to do with.
pub(super) struct Pump {
    pub(super) stream: Stream,
    pub(super) side: Side,
    pub(super) ours: Greeting,
    pub(super) outgoing: Arc<Outgoing>,
    pub(super) part: Part,
}

/// What the first thread goes on with, once the second one is there.
struct Joined {
    theirs: Greeting,
    reads: ReadHalf,
    outgoing: Arc<Outgoing>,
    part: Part,
}

impl Pump {
    /// Starts the first thread. It says once what came of the greeting: the peer's, and tokio's end of the pair; if there
    /// is none it is written why.
    pub(super) fn start(
        self,
        greeted: impl FnOnce(Option<(Greeting, UnixStream)>) + Send + 'static,
    ) -> io::Result<()> {
        let (near, far) = UnixStream::pair()?;
        far.set_nonblocking(true)?;
        let near = Arc::new(near);
        let run = move || match self.greet(&near) {
            Ok(Joined { theirs, reads, outgoing, part }) => {
                greeted(Some((theirs, far)));
                moves_in(reads, &near, &outgoing);
                drop(part);
            }
            Err((outgoing, why)) => {
                outgoing.end(&why);
                drop(far);
                greeted(None);
            }
        };
        thread("session-in").spawn(run)?;
        Ok(())
    }

    /// Greets, and starts the second thread.
    fn greet(self, near: &Arc<UnixStream>) -> Result<Joined, (Arc<Outgoing>, SessionEnd)> {
        let Self { stream, side, ours, outgoing, part } = self;
        let (mut reads, mut writes) = stream.split();
        let theirs = exchange(&mut reads, &mut writes, &ours, side).and_then(|theirs| {
            let (near, outgoing, part) = (Arc::clone(near), Arc::clone(&outgoing), part.clone());
            thread("session-out").spawn(move || {
                moves_out(&near, writes, &outgoing);
                drop(part);
            })?;
            Ok(theirs)
        });
        match theirs {
            Ok(theirs) => Ok(Joined { theirs, reads, outgoing, part }),
            Err(why) => Err((outgoing, why)),
        }
    }
}

fn thread(name: &str) -> thread::Builder {
    thread::Builder::new().name(name.to_owned()).stack_size(limits::SESSION_STACK_BYTES)
}

fn exchange(
    reads: &mut ReadHalf,
    writes: &mut WriteHalf,
    ours: &Greeting,
    side: Side,
) -> Result<Greeting, SessionEnd> {
    // So few bytes that both can write first.
    write_frame(writes, &ours.bytes(side), GREETING_BYTES)
        .map_err(|error| SessionEnd::NoGreeting { what: cause_of(&error) })?;
    match read_frame(reads, GREETING_BYTES) {
        Ok(Some(bytes)) => Greeting::read(&bytes, side),
        Ok(None) => Err(SessionEnd::PeerGone),
        Err(error) => Err(SessionEnd::NoGreeting { what: cause_of(&error) }),
    }
}

fn cause_of(error: &(dyn std::error::Error + 'static)) -> String {
    raytree_types::Cause::of_error(error, "").to_string()
}

/// From the peer to this side, until either has ended.
fn moves_in(mut reads: ReadHalf, mut near: &UnixStream, outgoing: &Outgoing) {
    let mut bytes = vec![0; limits::SESSION_MOVED_AT_ONCE_BYTES];
    loop {
        match reads.read(&mut bytes) {
            Ok(0) => break peer_gone(outgoing),
            Ok(read) => {
                // Nobody takes it any more: the line says why.
                if near.write_all(&bytes[..read]).is_err() {
                    break outgoing.shut();
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break broken(outgoing, &error),
        }
    }
    // Refused when the other end has gone already.
    _ = near.shutdown(Shutdown::Both);
}

/// From this side to the peer, until either has ended.
fn moves_out(mut near: &UnixStream, mut writes: WriteHalf, outgoing: &Outgoing) {
    let mut bytes = vec![0; limits::SESSION_MOVED_AT_ONCE_BYTES];
    loop {
        match near.read(&mut bytes) {
            Ok(0) => break outgoing.shut(),
            Ok(read) => {
                if let Err(error) = writes.write_all(&bytes[..read]) {
                    break broken(outgoing, &error);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break outgoing.shut(),
        }
    }
    _ = near.shutdown(Shutdown::Both);
}

fn peer_gone(outgoing: &Outgoing) {
    // Else it is this side's own doing, and whoever did it says why.
    if !outgoing.is_shut() {
        outgoing.end(&SessionEnd::PeerGone);
    }
}

fn broken(outgoing: &Outgoing, error: &io::Error) {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            peer_gone(outgoing);
        }
        _ if outgoing.is_shut() => {}
        _ => outgoing.end(&SessionEnd::Stream { what: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn se_4_only_a_greeting_is_a_greeting() {
        let greeting = Greeting::new(77).unwrap();
        assert_ne!(greeting.address, Greeting::new(77).unwrap().address);
        let bytes = greeting.bytes(Side::Dialed);
        assert_eq!(bytes.len(), GREETING_BYTES);
        assert_eq!(Greeting::read(&bytes, Side::Accepted), Ok(greeting));
        assert!(Greeting::read(&bytes, Side::Dialed).is_err(), "both on one side");
        for short in 0..bytes.len() {
            assert!(Greeting::read(&bytes[..short], Side::Accepted).is_err(), "{short} bytes");
        }
        let older = [b"RTS0", &bytes[4..]].concat();
        assert!(Greeting::read(&older, Side::Accepted).is_err());
    }
}

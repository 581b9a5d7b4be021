//! One deadline for many reads and writes, without a clock: a timer is waited for beside the socket.
//!
//! Invariants:
//! - **WP-1 (whole-deadline):** time runs from the start, whatever comes in between: one who sends a byte now and then
//!   gains nothing.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::error::HandshakeError;

/// Rings once and for ever: whoever waits for anything wakes.
#[derive(Clone, Debug)]
pub(crate) struct Bell(Arc<OwnedFd>);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self(Arc::new(eventfd(0, flags)?)))
    }

    pub(crate) fn ring(&self) {
        // Refused only when it has rung so often that it rings anyway.
        _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }

    /// Waits until `other` can be read; false when the bell rings.
    pub(crate) fn or_readable(&self, other: impl AsFd) -> io::Result<bool> {
        let mut lines = [PollFd::new(&*self.0, PollFlags::IN), PollFd::new(&other, PollFlags::IN)];
        loop {
            match poll(&mut lines, None) {
                Ok(_) => return Ok(lines[0].revents().is_empty()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits this long; false when the bell rings.
    pub(crate) fn or_after(&self, time: Duration) -> bool {
        let mut lines = [PollFd::new(&*self.0, PollFlags::IN)];
        // One that is interrupted waits shorter, which does no harm.
        _ = poll(&mut lines, Some(&timespec(time)));
        lines[0].revents().is_empty()
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}

/// How long a handshake is waited for: until its time is over, or until a bell rings.
#[derive(Debug)]
pub(crate) struct Patience {
    within: Duration,
    timer: OwnedFd,
    bell: Option<Bell>,
}

impl Patience {
    /// Time runs from now on.
    pub(crate) fn new(within: Duration, bell: Option<Bell>) -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // A timer set to nothing would never ring.
        let first = timespec(within.max(Duration::from_nanos(1)));
        let once = Itimerspec { it_interval: timespec(Duration::ZERO), it_value: first };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(Self { within, timer, bell })
    }

    fn wait(&self, socket: &TcpStream, until: PollFlags) -> Result<(), HandshakeError> {
        let bell = self.bell.as_ref().map_or(&self.timer, |bell| &*bell.0);
        let mut lines = [
            PollFd::new(bell, PollFlags::IN),
            PollFd::new(&self.timer, PollFlags::IN),
            PollFd::new(socket, until),
        ];
        loop {
            match poll(&mut lines, None) {
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(HandshakeError::Io { source: error.into() }),
            }
        }
        if self.bell.is_some() && !lines[0].revents().is_empty() {
            return Err(HandshakeError::Stopped);
        }
        if !lines[1].revents().is_empty() {
            return Err(HandshakeError::TimedOut { within: self.within });
        }
        Ok(())
    }
}

/// A socket during its handshake. It never reads further than it is asked to.
#[derive(Debug)]
pub(crate) struct Patient<'a> {
    pub(crate) socket: &'a TcpStream,
    pub(crate) patience: &'a Patience,
}

impl Patient<'_> {
    /// Looks at what comes next and leaves it there. Nothing when the other side has hung up.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only TLS has to look ahead"))]
    pub(crate) fn peek(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.receive(bytes, RecvFlags::PEEK)
    }

    fn receive(&mut self, bytes: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
        loop {
            // Also when there is something to read: who sends without end must not read on without end.
            self.patience.wait(self.socket, PollFlags::IN)?;
            match recv(self.socket, &mut *bytes, RecvFlags::DONTWAIT | flags) {
                Ok((received, _)) => return Ok(received),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Read for Patient<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.receive(bytes, RecvFlags::empty())
    }
}

impl Write for Patient<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.patience.wait(self.socket, PollFlags::OUT)?;
            match send(self.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                sent => return Ok(sent?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn failed(patient: &mut Patient<'_>) -> String {
        let error = patient.read(&mut [0; 9]).unwrap_err();
        HandshakeError::from(error).to_string()
    }

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (socket, listener.accept().unwrap().0)
    }

    #[test]
    fn wp_1_what_comes_too_late_does_not_count() {
        let (socket, mut other) = pair();
        let patience = Patience::new(Duration::from_millis(1), None).unwrap();
        let mut patient = Patient { socket: &socket, patience: &patience };
        assert_eq!(failed(&mut patient), "the handshake was not over within 1ms");
        other.write_all(b"late").unwrap();
        assert_eq!(failed(&mut patient), "the handshake was not over within 1ms");
        assert!(patient.write(b"late").is_err());
    }

    #[test]
    fn a_bell_ends_every_wait_for_ever() {
        let (socket, mut other) = pair();
        other.write_all(b"early").unwrap();
        let bell = Bell::new().unwrap();
        assert!(bell.or_after(Duration::from_millis(1)));
        let patience = Patience::new(Duration::from_secs(60), Some(bell.clone())).unwrap();
        let mut patient = Patient { socket: &socket, patience: &patience };
        assert_eq!(patient.read(&mut [0; 9]).unwrap(), 5);
        bell.ring();
        for _ in 0..2 {
            assert_eq!(failed(&mut patient), HandshakeError::Stopped.to_string());
            assert!(!bell.or_after(Duration::from_secs(60)));
            assert!(!bell.or_readable(&other).unwrap());
        }
    }
}

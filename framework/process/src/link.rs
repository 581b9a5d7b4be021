//! The child's side: how a process that was started by a parent lives and dies with it.
//!
//! One thread of its own beats, so that a busy process is not taken for a dead one; what it says of the process's
//! progress tells one that is stuck.
//!
//! Invariants:
//! - **LK-1 (told-once):** [`Heard::Gone`] is heard once, and nothing after it.

use std::io;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use raytree_supervise::clock;
use raytree_types::{Cause, Incarnation};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::assignment::Assignment;
use crate::frame::{FRAME_BYTES, FromChild, Offer, Say as _, ToChild};

/// What the thread that beats is called.
pub const BEAT_THREAD: &str = "raytree-beat";

/// What a child hears.
#[derive(Debug)]
pub enum Heard {
    /// A beat was sent, at this time of [`clock::now`].
    Sent {
        /// Its number.
        number: u64,
        /// When.
        at: Duration,
    },
    /// A beat was answered, at this time.
    Answered {
        /// The number of the beat.
        number: u64,
        /// When.
        at: Duration,
    },
    /// It is to end in order, within this time.
    Stop {
        /// What is not over by then is ended by force.
        within: Duration,
    },
    /// The parent has opened a stream.
    Stream(UnixStream),
    /// The machine is short of memory: of `total` bytes `used` are in use. Heard again and again.
    Short {
        /// In bytes.
        used: u64,
        /// In bytes.
        total: u64,
    },
    /// It is so no more.
    Eased,
    /// This process of its own is to end, as more than `limit` bytes of memory are in use.
    Sacrifice {
        /// Which.
        process: u32,
        /// In bytes.
        limit: u64,
    },
    /// The parent is gone, or has closed the line. The last word.
    Gone,
}

/// What a process has got done, for its beats. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Something was done: called at least once a second by whatever must not be stuck.
    pub fn tick(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The line to the parent.
#[derive(Clone, Debug)]
pub struct Link {
    socket: Arc<OwnedFd>,
    incarnation: Incarnation,
    progress: Progress,
}

impl Assignment {
    /// Takes the line up: from now on this process dies with its parent, and beats. Its standard input is empty afterwards.
    /// `hear` is called on the thread that beats, and must hand on and return.
    ///
    /// # Errors
    /// What the operating system said; [`io::ErrorKind::BrokenPipe`] when the parent is gone already.
    pub fn connect(&self, hear: impl FnMut(Heard) + Send + 'static) -> io::Result<Link> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have died just before.
        if !self.is_by_parent() {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the parent is gone"));
        }
        let socket = Arc::new(io::stdin().as_fd().try_clone_to_owned()?);
        // What this process starts must not inherit the line, and what reads standard input must not read beats.
        let nothing = open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::stdio::dup2_stdin(&nothing)?;
        let (incarnation, progress) = (self.incarnation, Progress::default());
        let link = Link { socket, incarnation, progress };
        let beats = Beats { link: link.clone(), every: self.beat_every(), number: 0, hear };
        thread::Builder::new().name(BEAT_THREAD.to_owned()).spawn(move || beats.run())?;
        Ok(link)
    }
}

impl Link {
    /// This process has come up, and can be given work.
    pub fn up(&self) {
        self.up_at(0);
    }

    /// This process has come up, and listens for others on this port.
    pub fn up_at(&self, port: u16) {
        self.say(&FromChild::Up { port });
    }

    /// This process begins to end, as it was told to.
    pub fn leaving(&self) {
        self.say(&FromChild::Leaving);
    }

    /// This process leaves of its own will, and ends with [`crate::DRAINED`] once what runs there has finished.
    pub fn drains(&self) {
        self.say(&FromChild::Drains);
    }

    /// The tree of this process has given up, for this, and it ends: said right before.
    pub fn fails(&self, cause: Cause) {
        self.say(&FromChild::Fails(Box::new(cause)));
    }

    /// Of its own processes it would end this one first, if the machine needs memory.
    pub fn offers(&self, offer: Offer) {
        self.say(&FromChild::Offers(offer));
    }

    /// Where progress is counted.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Only the thread that beats looks at whether anybody listens.
    fn say(&self, what: &FromChild) {
        _ = self.send(what);
    }

    fn send(&self, what: &FromChild) -> rustix::io::Result<()> {
        // None is a cause that would not even be read: the status with which this process ends says the rest.
        let Some(packet) = what.packet(self.incarnation) else { return Ok(()) };
        let sent = send(&*self.socket, &packet, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        match sent {
            // The parent does not read at the moment: a beat is missed, and the next one counts.
            Err(Errno::AGAIN) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

struct Beats<F> {
    link: Link,
    every: Duration,
    number: u64,
    hear: F,
}

impl<F: FnMut(Heard)> Beats<F> {
    fn run(mut self) {
        let mut due = clock::now();
        loop {
            let now = clock::now();
            if now >= due {
                if !self.beat(now) {
                    break;
                }
                // One that comes late is not made up for.
                due = now + self.every;
            }
            if !self.wait(due.saturating_sub(now)) {
                break;
            }
        }
        (self.hear)(Heard::Gone);
    }

    fn beat(&mut self, now: Duration) -> bool {
        self.number += 1;
        let (number, progress) = (self.number, self.link.progress.0.load(Ordering::Relaxed));
        let sent = self.link.send(&FromChild::Beat { number, progress }).is_ok();
        if sent {
            (self.hear)(Heard::Sent { number, at: now });
        }
        sent
    }

    /// Hears what comes within this time; false when nothing will come any more.
    fn wait(&mut self, time: Duration) -> bool {
        let time = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_nanos()),
        };
        let mut lines = [PollFd::new(&*self.link.socket, PollFlags::IN)];
        match poll(&mut lines, Some(&time)) {
            Ok(0) | Err(Errno::INTR) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
        let mut packet = [0; FRAME_BYTES + 1];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut with = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let line = &*self.link.socket;
        match recvmsg(line, &mut [IoSliceMut::new(&mut packet)], &mut with, flags) {
            Ok(received) if received.bytes == 0 => false,
            Ok(received) => match ToChild::read(&packet[..received.bytes]) {
                Ok((incarnation, said)) => {
                    let end = with.drain().find_map(descriptor);
                    if incarnation == self.link.incarnation {
                        self.heard(said, end);
                    }
                    true
                }
                // A parent that speaks otherwise is none of ours.
                Err(_) => false,
            },
            Err(Errno::AGAIN | Errno::INTR) => true,
            Err(_) => false,
        }
    }

    fn heard(&mut self, said: ToChild, end: Option<OwnedFd>) {
        let heard = match (said, end) {
            (ToChild::Answer { number }, _) => Heard::Answered { number, at: clock::now() },
            (ToChild::Stop { within }, _) => Heard::Stop { within },
            (ToChild::Stream, Some(end)) => Heard::Stream(end.into()),
            (ToChild::Short { used, total }, _) => Heard::Short { used, total },
            (ToChild::Eased, _) => Heard::Eased,
            (ToChild::Sacrifice { process, limit }, _) => Heard::Sacrifice { process, limit },
            // This process has no descriptor left for it; the parent sees that nobody answers.
            (ToChild::Stream, None) => return,
        };
        (self.hear)(heard);
    }
}

fn descriptor(message: RecvAncillaryMessage<'_>) -> Option<OwnedFd> {
    match message {
        RecvAncillaryMessage::ScmRights(mut ends) => ends.next(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    fn line() -> (Link, OwnedFd) {
        let flags = SocketFlags::CLOEXEC;
        let (own, parents) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).expect("a line");
        let incarnation = Incarnation { placement: 1, restart: 0 };
        (Link { socket: Arc::new(own), incarnation, progress: Progress::default() }, parents)
    }

    /// All that a child hears until the line is closed; `said` is what its parent says before.
    fn heard(said: impl FnOnce(Incarnation, &OwnedFd)) -> Vec<String> {
        let (link, parents) = line();
        said(link.incarnation, &parents);
        drop(parents);
        let mut heard = Vec::new();
        let hear = |one: Heard| heard.push(format!("{one:?}"));
        Beats { link, every: Duration::from_secs(60), number: 0, hear }.run();
        heard
    }

    #[test]
    fn lk_1_the_end_of_the_line_is_heard_once_and_last() {
        assert_eq!(heard(|_, _| {}).last().map(String::as_str), Some("Gone"));
        assert_eq!(heard(|_, _| {}).iter().filter(|one| *one == "Gone").count(), 1);
    }

    #[test]
    fn what_is_said_to_another_incarnation_is_not_heard() {
        let (link, parents) = line();
        let stop = ToChild::Stop { within: Duration::from_secs(1) };
        let other = Incarnation { placement: 0, restart: 0 };
        for incarnation in [other, link.incarnation] {
            send(&parents, &stop.frame(incarnation), SendFlags::empty()).expect("a reader");
        }
        let (mut stops, mut gone) = (0, false);
        let hear = |one: Heard| match one {
            Heard::Stop { .. } => stops += 1,
            Heard::Gone => gone = true,
            _ => {}
        };
        let mut beats = Beats { link, every: Duration::from_secs(60), number: 0, hear };
        assert!(beats.wait(Duration::from_secs(60)) && beats.wait(Duration::from_secs(60)));
        drop(parents);
        assert!(!beats.wait(Duration::from_secs(60)));
        drop(beats);
        assert_eq!((stops, gone), (1, false));
    }

    #[test]
    fn a_parent_that_speaks_otherwise_is_the_end() {
        let (link, parents) = line();
        send(&parents, b"hello", SendFlags::empty()).expect("a reader");
        let mut beats = Beats { link, every: Duration::from_secs(60), number: 0, hear: |_| {} };
        assert!(!beats.wait(Duration::from_secs(60)));
    }
}

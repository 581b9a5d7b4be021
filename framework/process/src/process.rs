//! A child process, as its parent holds it.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use raytree_types::Incarnation;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, send, sendmsg};
use rustix::process::{Signal, pidfd_send_signal};

use crate::frame::{Say as _, ToChild};
use crate::link::BEAT_THREAD;
use crate::logs::Capture;

/// What to start.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The executable.
    pub program: PathBuf,
    /// What it is to think its own name is; none for the executable's.
    pub arg0: Option<OsString>,
    /// Its arguments, without its own name.
    pub args: Vec<OsString>,
    /// Environment variables over those of this process.
    pub environment: Vec<(OsString, OsString)>,
    /// Its working directory; none for this process's.
    pub directory: Option<PathBuf>,
    /// What it is to do, e.g. `worker`.
    pub role: String,
    /// Its name in the tree, the same over all its lives.
    pub name: String,
    /// What the role needs to know besides, in the role's own format.
    pub details: String,
    /// Which life it is.
    pub incarnation: Incarnation,
    /// The time between two beats, whole milliseconds, at least one.
    pub beat_every: Duration,
    /// What becomes of what it writes; none for where this process writes itself.
    pub capture: Option<Capture>,
}

/// How a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEnd {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// Somebody else in this program was told.
    Unknown,
}

impl ProcessEnd {
    pub(crate) fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, signal) => Self::Killed(signal.unwrap_or_default()),
        }
    }
}

impl fmt::Display for ProcessEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "it exited with code {code}"),
            Self::Killed(signal) => write!(f, "it was ended by signal {signal}"),
            Self::Unknown => f.write_str("it has ended, and somebody else was told how"),
        }
    }
}

/// A child process that is one's own. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    pub(crate) id: u32,
    pub(crate) incarnation: Incarnation,
    pub(crate) handle: Arc<OwnedFd>,
    pub(crate) line: Arc<Line>,
}

/// The parent's end of the line to one child.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) socket: OwnedFd,
    /// Its beats are answered; once they are not, its lease runs out.
    pub(crate) is_answered: AtomicBool,
}

impl Line {
    /// A frame is small, and the line has room for hundreds: one that has none is to a child that does not read, and what
    /// it misses makes no difference.
    pub(crate) fn tell(&self, incarnation: Incarnation, what: &ToChild) {
        let sent =
            send(&self.socket, &what.frame(incarnation), SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        if let Err(error) = sent
            && !matches!(error, Errno::AGAIN | Errno::PIPE | Errno::CONNRESET)
        {
            tracing::debug!(%error, "a child cannot be told");
        }
    }
}

impl Process {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Which life of its name it is.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Asks it to end in order within this time. Nothing is forced here: that is for whoever keeps the deadline.
    pub fn stop(&self, within: Duration) {
        self.line.tell(self.incarnation, &ToChild::Stop { within });
    }

    /// A stream to it, for what is larger than a frame: it hears of its own end as
    /// [`Heard::Stream`](crate::Heard::Stream).
    ///
    /// # Errors
    /// What the operating system said; [`io::ErrorKind::WouldBlock`] when it has not read what it was told before.
    pub fn stream(&self) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        let ends = [theirs.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut with = SendAncillaryBuffer::new(&mut space);
        if !with.push(SendAncillaryMessage::ScmRights(&ends)) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let frame = ToChild::Stream.frame(self.incarnation);
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        sendmsg(&self.line.socket, &[IoSlice::new(&frame)], &mut with, flags)?;
        Ok(ours)
    }

    /// Tells it that the machine is short of memory; of `total` bytes `used` are in use. Said again every ten seconds
    /// at least, for as long as that is so: it believes one word of it for [`SHORT_FOR`](crate::SHORT_FOR).
    pub fn is_short(&self, used: u64, total: u64) {
        self.line.tell(self.incarnation, &ToChild::Short { used, total });
    }

    /// Tells it that there is memory again.
    pub fn is_eased(&self) {
        self.line.tell(self.incarnation, &ToChild::Eased);
    }

    /// Has it end this one of its own processes, since more than `limit` bytes of memory are in use.
    pub fn sacrifices(&self, process: u32, limit: u64) {
        self.line.tell(self.incarnation, &ToChild::Sacrifice { process, limit });
    }

    /// `SIGTERM`. Nothing when it has ended.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// `SIGKILL`: it gets no chance to say anything. Nothing when it has ended. Its end is told as an event.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// No beat is answered any more: its lease runs out, and it isolates itself.
    pub fn abandon(&self) {
        self.line.is_answered.store(false, Ordering::Release);
    }

    /// The operating system has stopped it (`SIGSTOP`, a debugger): it is not merely starved.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.id));
        // The name in parentheses may hold anything, parentheses included.
        let state = status.ok().and_then(|text| text.rsplit(") ").next()?.chars().next());
        matches!(state, Some('T' | 't'))
    }

    /// The thread that beats could run and gets no CPU: it is silent because the machine is busy. Looks at all threads of
    /// the process.
    #[must_use]
    pub fn is_starved(&self) -> bool {
        is_starved(self.id)
    }

    /// Bytes of memory that are its own (`RssAnon`); none when it has ended.
    #[must_use]
    pub fn memory(&self) -> Option<u64> {
        crate::memory::memory_of(self.id)
    }

    fn signal(&self, signal: Signal) {
        // By its handle: its number may be another's by now. Refused when it has ended.
        _ = pidfd_send_signal(&*self.handle, signal);
    }
}

/// See [`Process::is_starved`].
pub(crate) fn is_starved(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return false;
    };
    let is_ready = |folder: PathBuf| {
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        let (name, rest) = stat.rsplit_once(") ")?;
        Some(name.ends_with(BEAT_THREAD) && rest.starts_with('R'))
    };
    threads.flatten().any(|thread| is_ready(thread.path()).unwrap_or(false))
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

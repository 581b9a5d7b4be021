//! The one thread that starts a process's children, hears them and answers them.
//!
//! The operating system ties a child's death signal to the thread that started it, so that thread has to stay; and beats
//! must not wait behind anybody's work, so it does nothing else. It tells each child's events to that child's observer,
//! which must hand them on and return.
//!
//! Invariants:
//! - **KP-1 (last-word):** [`Event::Exited`] is told once for each process, and after it nothing.
//! - **KP-2 (no-orphans):** a child dies with its parent, however that dies, from the moment in which it has taken its line
//!   up; one whose parent dies before ends when it wants to take it up. What it has started itself dies with it as long as
//!   the parent is there to see to that.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use raytree_supervise::panics;
use raytree_types::{Incarnation, limits};
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};

use crate::assignment::{Assignment, ROLE_VARIABLE};
use crate::frame::{BadFrame, FromChild, PACKET_BYTES_MAX, Say as _, ToChild};
use crate::logs::{Ends, Pump, Written};
use crate::process::{Line, Process, ProcessEnd, Spec};

/// What is heard of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It said something.
    Said(FromChild),
    /// It said something that is no frame, or that is another incarnation's: it is not listened to any more.
    Garbage(String),
    /// Its end of the line is closed: it is ending, or has ended.
    HungUp,
    /// It has ended. The last event.
    Exited(ProcessEnd),
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The operating system would not.
    #[error("{program} could not be started: {error}")]
    Refused {
        /// The executable.
        program: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// There are too many.
    #[error(
        "{} child processes are there already, which is the bound",
        limits::CHILD_PROCESSES_MAX
    )]
    TooMany,
    /// The keeper has ended.
    #[error("no children are kept any more")]
    Gone,
}

/// Who is told of a child. Called on the keeper's thread.
pub type Observer = Box<dyn FnMut(Event) + Send>;

/// Starts children and hears them, on a thread of its own. When it is dropped that thread ends, and every child with it.
#[derive(Debug)]
pub struct Keeper {
    orders: SyncSender<Order>,
    bell: Arc<OwnedFd>,
    alive: Weak<()>,
    /// Takes what children write, from the first on that is heard.
    pump: Arc<OnceLock<Pump>>,
}

struct Order {
    spec: Spec,
    observer: Observer,
    done: SyncSender<Result<Process, SpawnError>>,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn start() -> std::io::Result<Self> {
        let (orders, taken) = sync_channel(limits::CHILD_PROCESSES_MAX);
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let watch = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&watch, &bell, epoll::EventData::new_u64(BELL), epoll::EventFlags::IN)?;
        let rung = Arc::clone(&bell);
        let life = Arc::new(());
        let alive = Arc::downgrade(&life);
        let pump = Arc::<OnceLock<Pump>>::default();
        let round = Round {
            watch,
            orders: taken,
            bell: rung,
            children: HashMap::new(),
            next: 0,
            pump: Arc::clone(&pump),
        };
        thread::Builder::new().name("raytree-keeper".to_owned()).spawn(move || {
            round.run();
            drop(life);
        })?;
        Ok(Self { orders, bell, alive, pump })
    }

    /// Its thread is there: it can start children.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.alive.strong_count() > 0
    }

    /// Starts a child, and waits until the operating system has it. Blocks for a millisecond or so.
    ///
    /// # Errors
    /// [`SpawnError`].
    pub fn spawn(&self, spec: Spec, observer: Observer) -> Result<Process, SpawnError> {
        let (done, wait) = sync_channel(1);
        self.orders.send(Order { spec, observer, done }).map_err(|_| SpawnError::Gone)?;
        ring(&self.bell);
        wait.recv().map_err(|_| SpawnError::Gone)?
    }

    /// Waits until all that children have written by now is kept and told, at most so long.
    pub fn settle_logs(&self, within: Duration) {
        if let Some(pump) = self.pump.get() {
            pump.settle(within);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // The orders' other end sees that this one is gone as soon as it looks.
        let (closed, _) = sync_channel(1);
        self.orders = closed;
        ring(&self.bell);
    }
}

fn ring(bell: &OwnedFd) {
    // Refused when it has rung so often that it rings anyway.
    _ = rustix::io::write(bell, &1u64.to_ne_bytes());
}

/// How often a child is heard that has ended: a line has room for fewer frames.
const LAST_ROUNDS: usize = 16;

/// The marks of what is watched: two for each child, from its number.
const BELL: u64 = u64::MAX;

fn mark_of_line(number: u64) -> u64 {
    number * 2
}

fn mark_of_process(number: u64) -> u64 {
    number * 2 + 1
}

struct Kept {
    child: Child,
    incarnation: Incarnation,
    handle: Arc<OwnedFd>,
    line: Arc<Line>,
    hears: bool,
    observer: Observer,
}

struct Round {
    watch: OwnedFd,
    orders: Receiver<Order>,
    bell: Arc<OwnedFd>,
    children: HashMap<u64, Kept>,
    next: u64,
    pump: Arc<OnceLock<Pump>>,
}

impl Round {
    fn run(mut self) {
        self.rounds();
        // Those too that have not arranged their own death yet; and whoever waits for one is told.
        for (number, mut kept) in std::mem::take(&mut self.children) {
            _ = kept.child.kill();
            let end = kept.child.wait().map_or(ProcessEnd::Unknown, ProcessEnd::of);
            self.has_written_all(number);
            kept.tell(Event::Exited(end));
        }
    }

    fn rounds(&mut self) {
        let mut events = Vec::with_capacity(64);
        loop {
            events.clear();
            match epoll::wait(&self.watch, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "children cannot be watched any more");
                    return;
                }
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    BELL => {
                        if !self.orders() {
                            return;
                        }
                    }
                    mark if mark % 2 == 0 => _ = self.hear(mark / 2),
                    mark => self.bury(mark / 2),
                }
            }
        }
    }

    /// Carries orders out; false when nobody can give any more.
    fn orders(&mut self) -> bool {
        let mut rung = [0; 8];
        _ = rustix::io::read(&*self.bell, &mut rung);
        loop {
            match self.orders.try_recv() {
                Ok(Order { spec, observer, done }) => {
                    // Whoever ordered it may be gone: then the process is dropped, and killed.
                    _ = done.send(self.spawn(&spec, observer));
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => return true,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn spawn(&mut self, spec: &Spec, observer: Observer) -> Result<Process, SpawnError> {
        if self.children.len() >= limits::CHILD_PROCESSES_MAX {
            return Err(SpawnError::TooMany);
        }
        let begun = self.begin(spec, observer);
        begun.map_err(|error| SpawnError::Refused {
            program: spec.program.display().to_string(),
            error,
        })
    }

    fn begin(&mut self, spec: &Spec, observer: Observer) -> std::io::Result<Process> {
        let flags = SocketFlags::CLOEXEC;
        let (socket, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let assignment = Assignment::new(
            (&spec.role, &spec.name, &spec.details),
            spec.incarnation,
            spec.beat_every,
        );
        let mut command = Command::new(&spec.program);
        command.args(&spec.args).envs(spec.environment.iter().map(|(key, value)| (key, value)));
        command.env(ROLE_VARIABLE, assignment.written());
        // The line is its standard input. Signals from a terminal are for the parent, which ends its children in order.
        command.stdin(Stdio::from(theirs)).process_group(0);
        if let Some(own) = &spec.arg0 {
            command.arg0(own);
        }
        if let Some(directory) = &spec.directory {
            command.current_dir(directory);
        }
        let taken = self.takes_output(spec, &mut command)?;
        let mut child = command.spawn()?;
        // It holds the child's end of the line, and would keep it open.
        drop(command);
        match self.keep(&mut child, socket) {
            Ok((number, handle, line)) => {
                let (id, incarnation) = (child.id(), spec.incarnation);
                if let (Some(ends), Some(capture), Some(pump)) =
                    (taken, spec.capture.clone(), self.pump.get())
                {
                    let name = spec.name.clone();
                    pump.take(Written { number, name, pid: id, ends, capture });
                }
                let process = Process {
                    id,
                    incarnation,
                    handle: Arc::clone(&handle),
                    line: Arc::clone(&line),
                };
                let kept = Kept { child, incarnation, handle, line, hears: true, observer };
                self.children.insert(number, kept);
                Ok(process)
            }
            Err(error) => {
                _ = child.kill();
                _ = child.wait();
                Err(error)
            }
        }
    }

    /// Where a child is to write whose output is taken.
    fn takes_output(&self, spec: &Spec, command: &mut Command) -> std::io::Result<Option<Ends>> {
        if spec.capture.is_none() {
            return Ok(None);
        }
        if self.pump.get().is_none() {
            // Nobody else sets it.
            _ = self.pump.set(Pump::start()?);
        }
        let (ends, [out, err]) = Ends::make()?;
        command.stdout(out).stderr(err);
        Ok(Some(ends))
    }

    /// A child that has ended writes nothing more.
    fn has_written_all(&self, number: u64) {
        if let Some(pump) = self.pump.get() {
            pump.ended(number);
        }
    }

    fn keep(
        &mut self,
        child: &mut Child,
        socket: OwnedFd,
    ) -> std::io::Result<(u64, Arc<OwnedFd>, Arc<Line>)> {
        // It is not waited for yet, so the number is its own.
        let handle = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
        let number = self.next;
        self.next += 1;
        let data = epoll::EventData::new_u64;
        epoll::add(&self.watch, &socket, data(mark_of_line(number)), epoll::EventFlags::IN)?;
        // Told when it ends, not for as long as it has ended.
        let once = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&self.watch, &handle, data(mark_of_process(number)), once)?;
        let line = Line { socket, is_answered: AtomicBool::new(true) };
        Ok((number, Arc::new(handle), Arc::new(line)))
    }

    /// Reads what a child has said; true when there may be more.
    fn hear(&mut self, number: u64) -> bool {
        let Some(kept) = self.children.get_mut(&number).filter(|kept| kept.hears) else {
            return false;
        };
        // One who talks without end must not keep the others waiting.
        for _ in 0..limits::FRAMES_AT_ONCE {
            match kept.read() {
                Heard::Nothing => return false,
                Heard::Said(said) => {
                    if let FromChild::Beat { number, .. } = &said
                        && kept.line.is_answered.load(Ordering::Acquire)
                    {
                        kept.line.tell(kept.incarnation, &ToChild::Answer { number: *number });
                    }
                    kept.tell(Event::Said(said));
                }
                Heard::Last(event) => {
                    kept.hears = false;
                    _ = epoll::delete(&self.watch, &kept.line.socket);
                    kept.tell(event);
                    return false;
                }
            }
        }
        true
    }

    /// A child has ended: what it said before is heard first.
    fn bury(&mut self, number: u64) {
        // A line holds a few hundred frames; one that somebody still writes to is not heard for ever.
        let mut rounds = 0..LAST_ROUNDS;
        while rounds.next().is_some() && self.hear(number) {}
        let Some(kept) = self.children.get_mut(&number) else { return };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let end = match waitid(WaitId::PidFd(kept.handle.as_fd()), look) {
            // A debugger has not let go of it yet. Its handle is heard of again when it does.
            Ok(None) => return,
            Ok(Some(_)) => {
                // What it started and left behind. It is not waited for yet, so the number is its group's still.
                _ = kill_process_group(Pid::from_child(&kept.child), Signal::KILL);
                kept.child.wait().map_or(ProcessEnd::Unknown, ProcessEnd::of)
            }
            // Somebody else in this program has waited for it.
            Err(_) => ProcessEnd::Unknown,
        };
        let Some(mut kept) = self.children.remove(&number) else { return };
        self.has_written_all(number);
        _ = epoll::delete(&self.watch, &kept.handle);
        if kept.hears {
            _ = epoll::delete(&self.watch, &kept.line.socket);
        }
        kept.tell(Event::Exited(end));
    }
}

enum Heard {
    Nothing,
    Said(FromChild),
    /// Nothing more is heard after it.
    Last(Event),
}

impl Kept {
    /// An observer that panics must not cost the others their keeper.
    fn tell(&mut self, event: Event) {
        if let Err(cause) = panics::catch(|| (self.observer)(event)) {
            tracing::error!("an observer of a child panicked: {cause}");
        }
    }

    fn read(&self) -> Heard {
        let mut packet = [0; PACKET_BYTES_MAX + 1];
        let garbage = |why: String| Heard::Last(Event::Garbage(why));
        let receive = |packet: &mut [u8]| {
            recv(self.line.socket.as_fd(), packet, RecvFlags::DONTWAIT)
                .map(|(_, bytes)| ((), bytes))
        };
        let received = match receive(&mut packet) {
            // It left without having read all: what it said before is still there.
            Err(Errno::CONNRESET) => receive(&mut packet),
            other => other,
        };
        match received {
            Ok((_, 0)) | Err(Errno::CONNRESET) => Heard::Last(Event::HungUp),
            Ok((_, bytes)) => match FromChild::read(&packet[..bytes]) {
                Ok((incarnation, said)) if incarnation == self.incarnation => Heard::Said(said),
                Ok((other, _)) => garbage(format!("it says that it is incarnation {other}")),
                Err(bad) => garbage(BadFrame::to_string(&bad)),
            },
            Err(Errno::AGAIN | Errno::INTR) => Heard::Nothing,
            Err(error) => garbage(error.to_string()),
        }
    }
}

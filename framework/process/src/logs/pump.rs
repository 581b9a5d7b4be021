//! The thread that takes what children write.
//!
//! It reads whenever there is something, so that no child waits for longer than a file takes to be written; whoever is told of
//! lines hands them on or drops them. Whoever starts children, or hears that they end, leaves files to this thread.
//!
//! Invariants:
//! - **LU-1 (all-kept):** what a child has written before it ended is in its files, and told, when it has been settled.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use raytree_engine::logs::Cutter;
use raytree_supervise::panics;
use raytree_types::{LogLine, LogLines, LogSource, Output, limits};
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;

use super::file::Rotating;
use super::{Capture, Session};

/// The mark of the bell among what is watched; the others are those of outputs.
const BELL: u64 = u64::MAX;

/// The ends of the pipes that are read: those of standard output and of standard error.
#[derive(Debug)]
pub(crate) struct Ends([PipeReader; 2]);

impl Ends {
    /// The pipes of a child, and what it is to write to.
    ///
    /// # Errors
    /// What the operating system said.
    pub(crate) fn make() -> io::Result<(Self, [PipeWriter; 2])> {
        let ((out, writes_out), (err, writes_err)) = (io::pipe()?, io::pipe()?);
        for reads in [&out, &err] {
            fcntl_setfl(reads, OFlags::NONBLOCK)?;
        }
        Ok((Self([out, err]), [writes_out, writes_err]))
    }
}

/// A child whose output is taken.
#[derive(Debug)]
pub(crate) struct Written {
    /// Under which its end is told.
    pub(crate) number: u64,
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) ends: Ends,
    pub(crate) capture: Capture,
}

/// Gives orders to the thread, which ends when nobody does any more.
#[derive(Clone, Debug)]
pub(crate) struct Pump(Arc<Orders>);

#[derive(Debug)]
struct Orders {
    /// Two for each child at most, and those who wait.
    waiting: Arc<Mutex<Vec<Order>>>,
    bell: Arc<OwnedFd>,
}

#[derive(Debug)]
enum Order {
    Take(Box<Written>),
    Ended(u64),
    Settle(SyncSender<()>),
    /// Nobody gives orders any more.
    Over,
}

impl Pump {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the operating system said.
    pub(crate) fn start() -> io::Result<Self> {
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let watch = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&watch, &bell, epoll::EventData::new_u64(BELL), epoll::EventFlags::IN)?;
        let waiting = Arc::<Mutex<Vec<Order>>>::default();
        let (orders, rung) = (Arc::clone(&waiting), Arc::clone(&bell));
        let round = Round { watch, orders, bell: rung, children: HashMap::new() };
        thread::Builder::new().name("raytree-logs".to_owned()).spawn(move || round.run())?;
        Ok(Self(Arc::new(Orders { waiting, bell })))
    }

    pub(crate) fn take(&self, written: Written) {
        self.0.give(Order::Take(Box::new(written)));
    }

    /// The process has ended: what it has written is there by now.
    pub(crate) fn ended(&self, number: u64) {
        self.0.give(Order::Ended(number));
    }

    /// Waits until all that was written by now is kept and told.
    pub(crate) fn settle(&self, within: Duration) {
        let (done, settled): (_, Receiver<()>) = sync_channel(1);
        self.0.give(Order::Settle(done));
        // Late, or gone: nothing more can be done about it.
        _ = settled.recv_timeout(within);
    }
}

impl Orders {
    fn give(&self, order: Order) {
        self.waiting.lock().push(order);
        // Refused when it has rung so often that it rings anyway.
        _ = rustix::io::write(&*self.bell, &1u64.to_ne_bytes());
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        self.give(Order::Over);
    }
}

/// One output of one child.
#[derive(Debug)]
struct Taken {
    output: Output,
    /// None once nobody can write to it any more.
    reads: Option<PipeReader>,
    file: Rotating,
    lines: Cutter,
}

#[derive(Debug)]
struct Child {
    source: LogSource,
    capture: Capture,
    outputs: [Taken; 2],
    has_written: bool,
}

struct Round {
    watch: OwnedFd,
    orders: Arc<Mutex<Vec<Order>>>,
    bell: Arc<OwnedFd>,
    children: HashMap<u64, Child>,
}

impl Round {
    fn run(mut self) {
        let mut bytes = vec![0; limits::LOG_READ_BYTES];
        let mut events = Vec::with_capacity(64);
        loop {
            events.clear();
            match epoll::wait(&self.watch, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "what children write cannot be read any more");
                    return;
                }
            }
            let mut is_rung = false;
            for event in events.drain(..) {
                match event.data.u64() {
                    BELL => is_rung = true,
                    mark => _ = self.read(mark / 2, usize::from(mark % 2 == 1), &mut bytes),
                }
            }
            // Last: what a child has written before its end is among the rest.
            if is_rung && !self.carry_out(&mut bytes) {
                return;
            }
        }
    }

    /// False when there is nothing more to do.
    fn carry_out(&mut self, bytes: &mut [u8]) -> bool {
        let mut rung = [0; 8];
        _ = rustix::io::read(&*self.bell, &mut rung);
        let orders = mem::take(&mut *self.orders.lock());
        let mut goes_on = true;
        for order in orders {
            match order {
                Order::Take(written) => self.take(*written),
                Order::Ended(number) => self.bury(number, bytes),
                Order::Settle(done) => {
                    self.drain_all(bytes);
                    // Whoever waited may have left.
                    _ = done.try_send(());
                }
                Order::Over => goes_on = false,
            }
        }
        if !goes_on {
            self.drain_all(bytes);
            let children: Vec<_> = self.children.keys().copied().collect();
            children.into_iter().for_each(|number| self.bury(number, bytes));
        }
        goes_on
    }

    fn take(&mut self, written: Written) {
        let Written { number, name, pid, ends: Ends([out, err]), capture } = written;
        for (at, reads) in [&out, &err].into_iter().enumerate() {
            let data = epoll::EventData::new_u64(number * 2 + at as u64);
            if let Err(error) = epoll::add(&self.watch, reads, data, epoll::EventFlags::IN) {
                // It is read when it has ended, and waits when its pipe is full: better than to be gone.
                tracing::error!(%error, name, pid, "what a child writes is not heard");
            }
        }
        let stem = Session::stem(&name, pid);
        let taken = |output, reads| Taken {
            output,
            reads: Some(reads),
            file: Rotating::new(capture.session.file(&stem, output), capture.session.rotation()),
            lines: Cutter::default(),
        };
        let outputs = [taken(Output::Out, out), taken(Output::Err, err)];
        let node = capture.session.node().map(str::to_owned);
        let source = LogSource { name, pid, node };
        self.children.insert(number, Child { source, capture, outputs, has_written: false });
    }

    /// Takes what there is, once; true when there may be more.
    fn read(&mut self, number: u64, at: usize, bytes: &mut [u8]) -> bool {
        let Some(child) = self.children.get_mut(&number) else { return false };
        let Some(reads) = &mut child.outputs[at].reads else { return false };
        match reads.read(bytes) {
            Ok(0) => {
                _ = epoll::delete(&self.watch, &*reads);
                child.outputs[at].reads = None;
                false
            }
            Ok(read) => {
                child.takes(at, &bytes[..read]);
                true
            }
            Err(error) => error.kind() == io::ErrorKind::Interrupted,
        }
    }

    fn drain(&mut self, number: u64, bytes: &mut [u8]) {
        for at in 0..2 {
            let mut reads = 0..limits::LOG_LAST_READS;
            while reads.next().is_some() && self.read(number, at, bytes) {}
        }
    }

    fn drain_all(&mut self, bytes: &mut [u8]) {
        let children: Vec<_> = self.children.keys().copied().collect();
        children.into_iter().for_each(|number| self.drain(number, bytes));
    }

    fn bury(&mut self, number: u64, bytes: &mut [u8]) {
        self.drain(number, bytes);
        let Some(mut child) = self.children.remove(&number) else { return };
        for reads in child.outputs.iter().filter_map(|taken| taken.reads.as_ref()) {
            _ = epoll::delete(&self.watch, reads);
        }
        let last = child.outputs.iter_mut().filter_map(|taken| {
            taken.lines.ends().map(|text| LogLine { output: taken.output, text })
        });
        let last = last.collect();
        child.tell(last);
        if child.has_written {
            let files = child.outputs.iter().flat_map(|taken| taken.file.paths());
            child.capture.session.has_ended(files.collect());
        }
    }
}

impl Child {
    fn takes(&mut self, at: usize, bytes: &[u8]) {
        self.has_written = true;
        let taken = &mut self.outputs[at];
        taken.file.write(bytes);
        if self.capture.is_echoed {
            // Whoever reads there may be gone.
            _ = stderr().and_then(|mut file| file.write_all(bytes));
        }
        if self.capture.tell.is_none() {
            return;
        }
        let (mut lines, output) = (Vec::new(), taken.output);
        taken.lines.takes(bytes, |text| lines.push(LogLine { output, text }));
        self.tell(lines);
    }

    /// One who panics must not cost the others.
    fn tell(&self, lines: Vec<LogLine>) {
        let Some(tell) = self.capture.tell.as_ref().filter(|_| !lines.is_empty()) else { return };
        let lines = LogLines { source: self.source.clone(), lines, dropped: 0 };
        if let Err(cause) = panics::catch(|| tell(lines)) {
            tracing::error!("whoever is told what a child writes panicked: {cause}");
        }
    }
}

/// This process's own, past the lock that a child's flood would hold.
fn stderr() -> io::Result<File> {
    use std::os::fd::AsFd as _;
    Ok(File::from(io::stderr().as_fd().try_clone_to_owned()?))
}

//! A driver: a program that uses a cluster, and the workers that the cluster runs for it.
//!
//! ```text
//! raytree (the program)                    head                     node-1
//! ├─ gcs ─ actor_directory                 └─ drivers               └─ workers
//! └─ cluster                                  └─ train                 └─ job-1 ─▶ the worker's process
//!    └─ head (actor) ──────connection──────────▲                                     ▲
//!    the links with the workers ─────────────────────────────────────────────────────┘
//! ```
//!
//! The head says which workers there are, and when one has surely ended; the driver dials them, and what it submits goes to
//! them and nowhere else. A worker is to the rest of the runtime what a node of the program's own is: a
//! [`Peer`](crate::cluster::peer::Peer).
//!
//! The connection with the head is the driver's life in the cluster: when it ends, the head closes the job and its workers
//! are stopped, and everybody who waits here is told [`Error::HeadLost`].

mod head;
mod inbox;
pub(crate) mod lines;
mod looked;
pub(crate) mod residents;
mod store;
mod workers;

use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_config::{Config, HostPort};
use raytree_process::cluster::{FromDriver, Greeting, Host, Template, Terms, ToDriver, Worker};
use raytree_process::program::Program;
use raytree_supervise::{Addr, ChildSpec, SupervisorSpec, clock};
use raytree_types::{Error, JobId, LogLines, Resources, Result, Strategy, limits};
use raytree_wire::{Hello, Messages, Plane, Said, Stream, Tls, Token, dial};
use tokio::sync::Semaphore;

use crate::runtime::Shared;
use head::{Head, HeadMsg};
use inbox::Inbox;
use lines::Lines;
use residents::Residents;
use workers::Workers;

/// What a driver knows of its cluster. Belongs to the runtime, so that a restarted actor goes on where the last one was.
pub(crate) struct Driver {
    pub(crate) addr: Addr<HeadMsg>,
    pub(crate) runtime: Weak<Shared>,
    address: SocketAddr,
    name: String,
    token: Token,
    tls: Option<Tls>,
    /// The connection with the head.
    line: OnceLock<Messages<FromDriver>>,
    workers: Mutex<Workers>,
    /// Who waits until the cluster works for this program.
    first: Mutex<Option<SyncSender<Result<()>>>>,
    inbox: Inbox,
    /// When the start got on last, and whether the program is on its way to the head.
    moved: Mutex<Duration>,
    storing: AtomicBool,
    /// Since when there are no workers, and why.
    workerless: Mutex<Option<(Duration, String)>>,
    residents: Residents,
    lines: Lines,
    /// Connections over which the head looks at this program.
    lookers: Arc<Semaphore>,
    /// The number of its job, once it is open.
    job: OnceLock<JobId>,
    /// How long a silent head is waited for, once it has said so.
    grace: OnceLock<Duration>,
}

impl Driver {
    /// Dials the head of a cluster.
    ///
    /// # Errors
    /// [`Error::StartFailed`] when nobody answers there, or not as a head of this token does.
    pub(crate) fn dial(
        config: &Config,
        address: &HostPort,
        runtime: Weak<Shared>,
        first: SyncSender<Result<()>>,
    ) -> Result<Arc<Self>> {
        let failed = |why: String| Error::StartFailed {
            reason: format!("the cluster at {address} cannot be used: {why}"),
        };
        let cluster = config.cluster();
        let found = address.to_string().to_socket_addrs();
        let found = found.map_err(|error| failed(error.to_string()))?.next();
        let socket = found.ok_or_else(|| failed("its host has no address".to_owned()))?;
        let token_file = cluster.token_file.as_ref();
        let token_file = token_file.ok_or_else(|| failed("set cluster.token_file".to_owned()))?;
        let token = Token::load(token_file).map_err(|error| failed(error.to_string()))?;
        let pem = cluster.tls_cert.as_deref().zip(cluster.tls_key.as_deref());
        let is_exposed = !cluster.insecure && !socket.ip().to_canonical().is_loopback();
        let tls =
            Tls::chosen(&token, pem, is_exposed).map_err(|error| failed(error.to_string()))?;
        let driver = Arc::new(Self {
            addr: Addr::system::<Head>("head"),
            runtime,
            address: socket,
            name: Program::of_this_process().map(|own| own.name().to_owned()).unwrap_or_default(),
            token,
            tls,
            line: OnceLock::new(),
            workers: Mutex::default(),
            first: Mutex::new(Some(first)),
            inbox: Inbox::new(),
            moved: Mutex::new(clock::now()),
            storing: AtomicBool::new(false),
            workerless: Mutex::default(),
            residents: Residents::default(),
            lines: Lines::default(),
            lookers: Arc::new(Semaphore::new(limits::INSPECT_CONNECTIONS_MAX)),
            job: OnceLock::new(),
            grace: OnceLock::new(),
        });
        let stream = driver.connect(Plane::Control, socket, &Greeting::Driver).map_err(failed)?;
        let own = Arc::downgrade(&driver);
        let heard = move |said| {
            let Some(driver) = own.upgrade() else { return };
            let said = match said {
                Said::Message(ToDriver::Lines(lines)) => return driver.prints(lines),
                other => other,
            };
            driver.inbox.takes(said);
            // Refused when the runtime has ended.
            _ = driver.addr.cast(HeadMsg::Heard);
        };
        let max = raytree_process::cluster::MESSAGE_BYTES_MAX;
        let line =
            Messages::start(stream, max, heard).map_err(|error| failed(error.to_string()))?;
        // Set once, here.
        _ = driver.line.set(line);
        Ok(driver)
    }

    /// Opens the job: from now on workers are started for it.
    ///
    /// # Errors
    /// [`Error::StartFailed`] when this program cannot be run elsewhere.
    pub(crate) fn open(
        &self,
        again: &[OsString],
        terms: Terms,
        wants: Option<Resources>,
    ) -> Result<()> {
        let failed = |why: String| Error::StartFailed {
            reason: format!("this program cannot be run by a cluster: {why}"),
        };
        let program = Program::of_this_process().map_err(|error| failed(error.to_string()))?;
        let args = again.iter().map(|arg| arg.to_str().map(str::to_owned));
        let args: Option<_> = args.collect();
        let template = Template {
            manifest: program.manifest().map_err(|error| failed(error.to_string()))?,
            args: args.ok_or_else(|| failed("its arguments are no plain text".to_owned()))?,
            host: Host::of_this_process(),
            pid: std::process::id(),
            terms,
        };
        self.say(&FromDriver::Open { template: Box::new(template), wants });
        Ok(())
    }

    /// Waits until the cluster works for this program, as long as it gets on.
    pub(crate) fn wait(&self, told: &Receiver<Result<()>>) -> Result<()> {
        let began = *self.moved.lock();
        loop {
            match told.recv_timeout(limits::HEAD_BEAT_EVERY) {
                Ok(ready) => return ready,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let moved = *self.moved.lock();
            let within = if moved > began || self.is_storing() {
                limits::DRIVER_MOVES_WITHIN
            } else {
                limits::START_WITHIN
            };
            if clock::now().saturating_sub(moved) > within {
                break;
            }
        }
        Err(Error::StartFailed {
            reason: "the cluster has no worker for it: `raytree status` says how it is".to_owned(),
        })
    }

    /// The start gets on.
    fn moves(&self) {
        *self.moved.lock() = clock::now();
        *self.workerless.lock() = None;
    }

    fn begins_to_store(&self) {
        self.moves();
        self.storing.store(true, Ordering::Release);
    }

    fn has_stored(&self) {
        self.moves();
        self.storing.store(false, Ordering::Release);
    }

    fn is_storing(&self) -> bool {
        self.storing.load(Ordering::Acquire)
    }

    fn has_none_since(&self, now: Duration, why: String) {
        self.workerless.lock().get_or_insert((now, why));
    }

    /// Why there are no workers, if that is so for that long.
    fn has_none_for(&self, time: Duration) -> Option<String> {
        let workerless = self.workerless.lock();
        let (since, why) = workerless.as_ref()?;
        (clock::now().saturating_sub(*since) > time).then(|| why.clone())
    }

    fn hangs_up(&self) {
        if let Some(line) = self.line.get() {
            line.close();
        }
    }

    /// It is clear how the start ends.
    fn is_ready(&self, ready: Result<()>) {
        if let Some(first) = self.first.lock().take() {
            // Nobody waits when the start has failed already.
            _ = first.send(ready);
        }
    }

    fn say(&self, what: &FromDriver) {
        let said = self.line.get().map(|line| line.say(what));
        if let Some(Err(error)) = said {
            // The line's end is heard, too.
            tracing::warn!(%error, "the head could not be told");
        }
    }

    /// Its job, once it is open.
    pub(crate) fn job(&self) -> Option<JobId> {
        self.job.get().copied()
    }

    /// Where the head listens.
    pub(crate) fn head(&self) -> SocketAddr {
        self.address
    }

    /// What a worker has written; the head was heard with it.
    fn prints(&self, lines: LogLines) {
        self.inbox.is_heard();
        if let Some(runtime) = self.runtime.upgrade() {
            runtime.logs.hears(lines);
        }
    }

    /// The runtime ends, in order: the head closes the job.
    pub(crate) fn leaves(&self) {
        self.say(&FromDriver::Close);
    }

    /// A worker says that it cannot reach another one.
    pub(crate) fn cannot_be_reached(&self, worker: Worker, by: Worker) {
        // Refused when the runtime has ended.
        _ = self.addr.cast(HeadMsg::Unreachable(Box::new((worker, by))));
    }

    fn connect(
        &self,
        plane: Plane,
        to: SocketAddr,
        greeting: &Greeting,
    ) -> std::result::Result<Stream, String> {
        let details = serde_json::to_vec(greeting).map_err(|error| error.to_string())?;
        let hello = Hello::new(plane, &*self.name, details).map_err(|error| error.to_string())?;
        let within = limits::WIRE_HANDSHAKE_WITHIN;
        dial(to, &self.token, self.tls.as_ref(), &hello, within).map_err(|error| {
            let cause = raytree_types::Cause::of_error(&error, "DialError");
            cause.to_string()
        })
    }
}

/// The part of the tree that a driver has of its cluster.
pub(crate) fn spec(driver: &Arc<Driver>) -> SupervisorSpec {
    let own = Arc::clone(driver);
    let head = ChildSpec::actor::<Head>(&driver.addr, move || Arc::clone(&own));
    SupervisorSpec::new(Strategy::OneForOne).child(head)
}

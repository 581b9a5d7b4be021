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
mod store;

use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_config::{Config, HostPort};
use raytree_process::cluster::{FromDriver, Greeting, Host, Template, Terms};
use raytree_process::program::Program;
use raytree_supervise::{Addr, ChildSpec, SupervisorSpec, clock};
use raytree_types::{Error, Resources, Result, Strategy, limits};
use raytree_wire::{Hello, Messages, Plane, Stream, Tls, Token, dial};

use crate::runtime::Shared;
use head::{Head, HeadMsg, Workers};

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
    /// When the head was heard last.
    heard: Mutex<Duration>,
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
            heard: Mutex::new(clock::now()),
            grace: OnceLock::new(),
        });
        let stream = driver.connect(Plane::Control, socket, &Greeting::Driver).map_err(failed)?;
        let addr = driver.addr.clone();
        // It waits while the actor is not up; refused when the runtime has ended.
        let heard = move |said| _ = addr.cast(HeadMsg::Heard(Box::new(said)));
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

    /// Waits until the cluster works for this program.
    pub(crate) fn wait(told: &Receiver<Result<()>>) -> Result<()> {
        let late = || Error::StartFailed {
            reason: format!("the cluster had no worker for it within {:?}", limits::START_WITHIN),
        };
        match told.recv_timeout(limits::START_WITHIN) {
            Ok(ready) => ready,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(late()),
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

    /// The runtime ends, in order: the head closes the job.
    pub(crate) fn leaves(&self) {
        self.say(&FromDriver::Close);
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

//! A worker: this program, started by a node of a cluster to run what one driver submits.
//!
//! It is served as a node of the program's own is ([`super::serve`]); but its driver is no parent. It listens on a port of
//! its own, tells its parent which, and the driver dials it. When the driver's link ends, so does the worker: it has nobody
//! to work for, and must not work for nobody.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::exit;
use std::sync::{Arc, OnceLock};
use std::thread;

use parking_lot::Mutex;
use raytree_process::cluster::{Door, Greeting, Posting, Worker};
use raytree_process::{Assignment, Heard, Link as Line};
use raytree_types::{Error, Resources, Result, limits};
use raytree_wire::{BindTo, Hello, Listener, Plane, Stream, Tls, Token};

use super::node::Details;
use super::peer::Peer;
use crate::isolated::serve::{self, ENDED, FAILED, ORPHANED};
use crate::link::Link;
use crate::runtime::Runtime;

/// What the process of a worker is called.
pub(crate) const ROLE: &str = "worker";

/// What a worker is told of itself.
///
/// # Errors
/// [`Error::StartFailed`] when it is none of that.
pub(crate) fn posting(assignment: &Assignment) -> Result<Posting> {
    serde_json::from_str(&assignment.details)
        .map_err(|error| Error::StartFailed { reason: format!("what a worker was told: {error}") })
}

/// The runtime of a worker.
pub(crate) fn details(posting: &Posting) -> Details {
    let cpus = posting.grant.thousandths(raytree_types::resources::CPU).div_ceil(1000);
    let threads = posting.terms.threads.unwrap_or_else(|| usize::try_from(cpus).unwrap_or(1));
    Details {
        runtime: posting.runtime,
        resources: posting.grant.clone(),
        all: Resources::none(),
        threads: threads.clamp(1, limits::USER_THREADS_MAX),
        strict: posting.terms.strict,
        namespace: posting.terms.namespace.clone(),
    }
}

/// Runs what its driver asks for until it is told to end, or its driver or its parent is gone. Never returns.
#[expect(clippy::exit, reason = "the program as such never runs in this process")]
pub(crate) fn serve(
    assignment: &Assignment,
    posting: &Posting,
    start: impl FnOnce() -> Result<Runtime>,
) -> ! {
    let own: Arc<OnceLock<(Line, Runtime)>> = Arc::default();
    let known = Arc::clone(&own);
    let connected = assignment.connect(move |heard| match heard {
        Heard::Stop { .. } => {
            let Some((line, runtime)) = known.get().cloned() else { exit(ENDED) };
            line.leaving();
            // Its beats go on meanwhile.
            let ending = thread::Builder::new().spawn(move || {
                runtime.shutdown();
                exit(ENDED);
            });
            if ending.is_err() {
                exit(ENDED);
            }
        }
        Heard::Gone => exit(ORPHANED),
        Heard::Stream(_) | Heard::Sent { .. } | Heard::Answered { .. } => {}
    });
    let up = connected.map_err(|error| error.to_string()).and_then(|line| {
        let runtime = start().map_err(|error| error.to_string())?;
        serve::progress(&line, &runtime);
        let listener = listen(&posting.door, posting.worker.clone(), runtime.clone())?;
        let port = listener.local_addr().port();
        own.set((line.clone(), runtime)).map_err(|_| "it is served already".to_owned())?;
        line.up_at(port);
        Ok(listener)
    });
    match up {
        Ok(_listener) => loop {
            thread::park();
        },
        Err(why) => {
            // Nobody listens to traces yet.
            _ = writeln!(io::stderr(), "raytree: {} cannot be started: {why}", assignment.name);
            exit(FAILED)
        }
    }
}

fn listen(door: &Door, worker: Worker, runtime: Runtime) -> std::result::Result<Listener, String> {
    let token = Token::load(&door.token_file).map_err(|error| error.to_string())?;
    let pem = door.pem.as_ref().map(|(cert, key)| (Path::new(cert), Path::new(key)));
    let is_exposed = !door.insecure && !door.bind.to_canonical().is_loopback();
    let tls = Tls::chosen(&token, pem, is_exposed).map_err(|error| error.to_string())?;
    let to = BindTo {
        address: SocketAddr::new(door.bind, 0),
        tls,
        insecure: door.insecure,
        ..BindTo::loopback(token)
    };
    let is_taken = Mutex::new(false);
    let accepted = move |hello: Hello, stream: Stream, from: SocketAddr| {
        let greeting = serde_json::from_slice::<Greeting>(hello.details());
        let is_for_this =
            matches!(&greeting, Ok(Greeting::Calls { worker: meant }) if *meant == worker);
        if hello.plane() != Plane::Calls || !is_for_this {
            tracing::warn!(%from, who = hello.name(), "somebody dialed this worker for something else");
            return;
        }
        // One link for life: a driver that has lost it gets another worker.
        if !std::mem::replace(&mut *is_taken.lock(), true) {
            serves(&runtime, stream);
        }
    };
    Listener::bind(to, accepted).map_err(|error| error.to_string())
}

#[expect(clippy::exit, reason = "the program as such never runs in this process")]
fn serves(runtime: &Runtime, stream: Stream) {
    let gone = |cause: raytree_types::Cause| {
        tracing::info!("the driver is gone: {cause}");
        exit(ORPHANED)
    };
    match Link::start("the program", stream, runtime.shared(), gone) {
        Ok(link) => {
            let program = Arc::new(Peer::boundless("the program".to_owned()));
            program.comes_up(link);
            // Set once, by its one driver.
            _ = runtime.shared().program.set(program);
        }
        Err(error) => {
            tracing::error!(%error, "no thread for the link of this worker");
            exit(FAILED);
        }
    }
}

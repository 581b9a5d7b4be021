//! This program, started again: it serves one link until it is told to end, or whoever it serves is gone. As a node it runs
//! what the program that started it submits; as a worker of a cluster, what a driver does that has nothing else to do with
//! it; as a process of somebody's own, one task or one actor.

use std::io::{self, Write as _};
use std::process::exit;
use std::sync::{Arc, OnceLock};
use std::thread;

use raytree_process::cluster::Posting;
use raytree_process::{Assignment, ENDED, EndsFirst, Heard, Link as Line};
use raytree_types::inspect::THE_PROGRAM;
use raytree_types::{Cause, Resources, Result, limits};
use raytree_wire::Listener;

use super::peer::Peer;
use super::resident::Callers;
use super::{drain, resident, worker};
use crate::link::Link;
use crate::runtime::{Runtime, Shared};

/// What the process of a node is called.
pub(crate) const NODE: &str = "node";
/// What a process of somebody's own is called.
pub(crate) const OWN: &str = "isolated";

/// It could not do what it was started for.
pub(crate) const FAILED: i32 = 70;
/// Its parent is gone.
pub(crate) const ORPHANED: i32 = 71;

/// Whom a process serves.
#[derive(Clone)]
pub(crate) enum Service {
    /// Whoever started it, with one task or one actor.
    Own,
    /// The program that started it, whose nodes have this together.
    Node(Resources),
    /// A driver, which will dial it.
    Worker(Box<Posting>),
}

/// Does what it is asked for. Never returns.
#[expect(clippy::exit, reason = "the program as such never runs in this process")]
pub(crate) fn serve(
    assignment: &Assignment,
    service: Service,
    start: impl FnOnce() -> Result<Runtime>,
) -> ! {
    let own: Arc<OnceLock<(Line, Runtime)>> = Arc::default();
    let known = Arc::clone(&own);
    let served = service.clone();
    is_ended_first(&service);
    let callers: Arc<Callers> = Arc::default();
    let called = Arc::clone(&callers);
    let connected = assignment.connect(move |heard| match heard {
        Heard::Stream(stream) => {
            let Some((line, runtime)) = known.get() else { return };
            let is_own = matches!(served, Service::Own);
            // The line says when the parent is gone. Whoever ends the link to a process of his own ends that next.
            let hung_up = move |_| {
                if !is_own {
                    exit(ORPHANED);
                }
            };
            match Link::start("its parent", stream, runtime.shared(), hung_up) {
                Ok(link) => linked((line, runtime), link, &served),
                Err(error) => {
                    tracing::error!(%error, "no thread for the link of this process");
                    exit(FAILED);
                }
            }
        }
        Heard::Stop { .. } => {
            called.hears_of_the_end();
            stop(known.get(), &served, &called);
        }
        Heard::Gone => exit(ORPHANED),
        Heard::Short { .. } | Heard::Eased | Heard::Sacrifice { .. } => {
            if let Some((_, runtime)) = known.get() {
                runtime.shared().memory.hears(&heard);
            }
        }
        Heard::Sent { .. } | Heard::Answered { .. } => {}
    });
    let up = connected.map_err(|error| error.to_string()).and_then(|line| {
        let runtime = start().map_err(|error| error.to_string())?;
        progress(&line, &runtime);
        let listener = match &service {
            Service::Worker(posting) => Some(listen(posting, &line, &runtime, &callers)?),
            Service::Own | Service::Node(_) => None,
        };
        runtime.shared().memory.is_on(&line);
        ends_with_its_tree(&line, runtime.shared());
        own.set((line.clone(), runtime)).map_err(|_| "it is served already".to_owned())?;
        line.up_at(listener.as_ref().map_or(0, |listener| listener.local_addr().port()));
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

/// Where there is no memory left at all, the operating system is to end this one before whoever has started it.
fn is_ended_first(service: &Service) {
    let first = match service {
        Service::Own => EndsFirst::Isolated,
        Service::Worker(posting) if posting.residence.is_some() => EndsFirst::Isolated,
        Service::Worker(_) | Service::Node(_) => EndsFirst::Shared,
    };
    first.take();
}

/// A worker listens for its driver. One that is a resident begins that first, and listens for whoever calls it.
fn listen(
    posting: &Posting,
    line: &Line,
    runtime: &Runtime,
    callers: &Arc<Callers>,
) -> std::result::Result<Listener, String> {
    let Some(residence) = &posting.residence else {
        return worker::listen(posting, line, runtime.clone(), None);
    };
    resident::begin(residence, runtime, callers).map_err(|error| error.to_string())?;
    worker::listen(posting, line, runtime.clone(), Some(callers))
}

/// The link is there. Held for as long as the process lives.
fn linked((line, runtime): (&Line, &Runtime), link: Arc<Link>, service: &Service) {
    let shared = runtime.shared();
    let Service::Node(all) = service else {
        _ = shared.parent.set(link);
        return;
    };
    drain::when_asked(line, shared, &link);
    let program = Arc::new(Peer::new(THE_PROGRAM.to_owned(), all.clone()));
    program.comes_up(link);
    _ = shared.program.set(program);
}

/// A node ends its actors in order. A process of somebody's own has nothing left that anybody wants.
#[expect(clippy::exit, reason = "the program as such never runs in this process")]
fn stop(own: Option<&(Line, Runtime)>, service: &Service, callers: &Arc<Callers>) {
    let is_resident = matches!(service, Service::Worker(posting) if posting.residence.is_some());
    // A resident's actor has not ended of its own will.
    let ended = if is_resident { resident::LOST } else { ENDED };
    let Some((line, runtime)) = own.cloned() else { exit(ended) };
    line.leaving();
    if matches!(service, Service::Own) {
        exit(ended);
    }
    // Its beats go on meanwhile.
    let callers = Arc::clone(callers);
    let ending = thread::Builder::new().spawn(move || {
        let shared = Arc::clone(runtime.shared());
        shared.life.process_ends();
        runtime.shutdown();
        callers.flush();
        last_words(&shared);
        exit(ended);
    });
    if ending.is_err() {
        exit(ended);
    }
}

/// What was said last, and left to be written with others, goes.
fn last_words(own: &Shared) {
    let program = own.program.get().and_then(|program| program.link());
    program.iter().chain(own.parent.get()).for_each(|link| link.flush());
    if let Some(neighbours) = own.neighbours.get() {
        neighbours.flush();
    }
}

/// Above the root there is the parent: it is told what the tree has failed of, and this process is over.
#[expect(clippy::exit, reason = "the program as such never runs in this process")]
fn ends_with_its_tree(line: &Line, shared: &Shared) {
    let line = line.clone();
    let tell = move |cause: Cause| {
        tracing::error!("the tree of this process has failed: {cause}");
        line.fails(cause);
        exit(FAILED);
    };
    // Set once, here.
    _ = shared.gives_up.set(Box::new(tell));
    // It may have failed before.
    shared.has_failed();
}

/// What the system runtime gets done shows in the beats.
fn progress(line: &Line, runtime: &Runtime) {
    let progress = line.progress();
    runtime.shared().system.spawn(async move {
        let mut ticks = tokio::time::interval(limits::BEAT_EVERY);
        loop {
            ticks.tick().await;
            progress.tick();
        }
    });
}

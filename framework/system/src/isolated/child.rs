//! A process of one's own, as whoever wanted it holds it.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use raytree_process::Spec;
use raytree_supervise::{Addr, ChildSpec, Part, SupervisorMsg};
use raytree_types::{Cause, Incarnation, Isolation, Restart, limits};
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};

use super::keeper;
use super::mirror::{Ended, Mirror, MirrorMsg, Order};
use crate::cluster::serve;
use crate::link::Link;
use crate::memory::book::IsIdle;
use crate::runtime::Shared;
use crate::runtime::life::Life;

/// What such a process is told of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Details {
    /// For user code.
    pub(crate) threads: usize,
    /// Where names are unique.
    pub(crate) namespace: String,
    /// The door of the store of its node, if there is one.
    pub(crate) store: Option<String>,
}

/// What it is to be.
pub(super) struct Wanted<'a> {
    pub(super) isolation: &'a Isolation,
    /// What it is called in the tree.
    pub(super) name: &'a str,
    /// Which life of that it is.
    pub(super) incarnation: Incarnation,
    /// For user code.
    pub(super) threads: usize,
    /// A life that is not over before the process is.
    pub(super) part: Option<Part>,
    /// What it does may be done again.
    pub(super) is_retriable: bool,
    /// Whether nothing runs in it that anybody waits for.
    pub(super) is_idle: IsIdle,
}

/// Dropped, it ends the process at once.
pub(super) struct Child {
    name: String,
    addr: Addr<MirrorMsg>,
    door: Option<oneshot::Receiver<UnixStream>>,
    ended: watch::Receiver<Option<Ended>>,
    is_over: bool,
}

/// A link to it, and the word that it says nothing more.
pub(super) type Linked = (Arc<Link>, oneshot::Receiver<()>);

impl Child {
    /// Has a process started, below a mirror of its own.
    ///
    /// # Errors
    /// Why there can be none.
    pub(super) fn start(runtime: &Shared, wanted: Wanted<'_>) -> Result<Self, Cause> {
        let (opens, door) = oneshot::channel();
        let (end, ended) = watch::channel(None);
        let order = Arc::new(Order {
            keeper: keeper().map_err(Cause::message)?,
            spec: wanted.spec(runtime)?,
            seen: Arc::clone(&runtime.door),
            memory_max: wanted.isolation.memory_max,
            door: Mutex::new(Some(opens)),
            end,
            heard: AtomicU64::new(0),
            part: Mutex::new(wanted.part),
            memory: Arc::clone(&runtime.memory),
            is_retriable: wanted.is_retriable,
            is_idle: Mutex::new(Some(wanted.is_idle)),
        });
        let addr = Addr::system::<Mirror>(wanted.name);
        let spec = ChildSpec::actor::<Mirror>(&addr, move || Arc::clone(&order));
        let spec = spec.restart(Restart::Temporary);
        // Refused only when the runtime ends: then the order is dropped, and whoever waits is told.
        _ = runtime.addrs.processes.cast(SupervisorMsg::StartChild(Box::new(spec)));
        let name = wanted.name.to_owned();
        Ok(Self { name, addr, door: Some(door), ended, is_over: false })
    }

    /// Waits until it is up. Once.
    ///
    /// # Errors
    /// How it ended before that.
    pub(super) async fn connect(&mut self, life: &'static Life) -> Result<Linked, Ended> {
        let stream = match self.door.take() {
            Some(door) => door.await.ok(),
            None => None,
        };
        let Some(stream) = stream else { return Err(self.end().await) };
        let runtime = life.runtime().ok_or_else(|| Ended::Refused(life.gone()))?;
        let (cuts, cut) = oneshot::channel();
        // Nobody waits for it when the process has ended.
        let hung_up = move |_| _ = cuts.send(());
        let link = Link::start(&self.name, stream, &runtime, hung_up);
        let none = |error| Ended::Lost(Cause::message(format!("no thread for its link: {error}")));
        link.map(|link| (link, cut)).map_err(none)
    }

    /// It has nothing more to do, and may end by itself.
    pub(super) fn finished(&mut self) {
        self.is_over = true;
        // Refused when it has ended.
        _ = self.addr.cast(MirrorMsg::Finished);
    }

    /// It has to end now.
    pub(super) fn give_up(&mut self, why: &'static str) {
        self.is_over = true;
        self.judge().give_up(why);
    }

    /// Waits for its end; how it came.
    pub(super) async fn end(&mut self) -> Ended {
        self.judge().end().await
    }

    /// Another one who waits for its end.
    pub(super) fn judge(&self) -> Judge {
        Judge { addr: self.addr.clone(), ended: self.ended.clone() }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.is_over {
            self.give_up("nobody wants it any more");
        }
    }
}

/// Waits for the end of a process without keeping it, and may bring it about.
pub(super) struct Judge {
    addr: Addr<MirrorMsg>,
    ended: watch::Receiver<Option<Ended>>,
}

impl Judge {
    /// Waits for its end; how it came.
    pub(super) async fn end(&mut self) -> Ended {
        let end = self.ended.wait_for(Option::is_some).await;
        // Without the one who says so it is over as well.
        let end = end.ok().and_then(|end| end.clone());
        end.unwrap_or_else(|| Ended::Lost(Cause::message("it could not be started")))
    }

    /// As [`Self::end`], for one that will say nothing more: it is about to end, or has to.
    pub(super) async fn end_of_silent(&mut self) -> Ended {
        if let Ok(end) = tokio::time::timeout(limits::NO_ANSWER_WITHIN, self.end()).await {
            return end;
        }
        self.give_up("it closed its stream without an answer");
        self.end().await
    }

    fn give_up(&self, why: &'static str) {
        // Refused when it has ended.
        _ = self.addr.cast(MirrorMsg::GivenUp(why));
    }
}

impl Wanted<'_> {
    fn spec(&self, runtime: &Shared) -> Result<Spec, Cause> {
        let (threads, namespace) = (self.threads, runtime.namespace.clone());
        let store = runtime.stores.own().map(|session| session.door().to_owned());
        let details = serde_json::to_string(&Details { threads, namespace, store });
        // A runtime that its code starts has no nodes, unless that code says so.
        let alone = ("RAYTREE_ADDRESS".into(), "local".into());
        let (capture, session) = runtime.logs.captures(None);
        let environment = self.isolation.environment.iter();
        let environment = environment.map(|(key, value)| (key.into(), value.into()));
        Ok(Spec {
            // This very program, also when its file was replaced meanwhile.
            program: "/proc/self/exe".into(),
            arg0: std::env::args_os().next(),
            args: runtime.again.clone(),
            environment: [alone, runtime.door.for_children()]
                .into_iter()
                .chain(session)
                .chain(environment)
                .collect(),
            directory: self.isolation.directory.clone(),
            role: serve::OWN.to_owned(),
            name: self.name.to_owned(),
            details: details.map_err(|error| Cause::message(error.to_string()))?,
            incarnation: self.incarnation,
            beat_every: limits::BEAT_EVERY,
            capture,
        })
    }
}

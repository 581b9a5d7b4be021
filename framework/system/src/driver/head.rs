//! The head of the cluster, as a driver hears it.
//!
//! - **Parent:** `cluster` (one-for-one; permanent; 5 restarts in 30 s).
//! - **Children:** none.
//! - **After a restart:** nothing is lost: the connection and what is known of the workers belong to the runtime, and what
//!   was said meanwhile has waited.
//! - **Tells:** the peers, who gets new work; the links, when all who wait are to be told that a worker is gone; everybody
//!   who waits, when the head is lost.
//!
//! Invariants:
//! - **DH-1 (told-when-ended):** a call that a worker has is lost for its caller only when the head has said that the
//!   worker's process has ended, or the head is lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use raytree_process::cluster::{FromDriver, Greeting, ToDriver, Worker};
use raytree_supervise::{Actor, Context, Failure, clock};
use raytree_types::{Cause, Error, Resources, limits};
use raytree_wire::{Plane, Said, Stream};

use super::Driver;
use crate::cluster::peer::Peer;
use crate::link::Link;
use crate::runtime::Shared;

/// What the actor can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum HeadMsg {
    /// The head was heard.
    Heard(Box<Said<ToDriver>>),
    /// A worker was dialed.
    Dialed(Box<(Worker, Result<Stream, String>)>),
    /// The link with a worker says nothing more.
    HungUp(Box<(Worker, Cause)>),
    /// Timer: a worker that has ended has had its time to say its last.
    Settle(Box<Worker>),
    /// The program is with the head, or is not.
    Stored(Result<(), String>),
    /// Timer: is the head still there?
    Look,
}

/// The workers of this driver, by node.
pub(super) type Workers = HashMap<String, Seated>;

/// The worker on one node, over all its lives.
pub(super) struct Seated {
    peer: Arc<Peer>,
    worker: Worker,
    link: Option<Arc<Link>>,
    /// All that came over the link was read.
    is_read: bool,
    /// It has ended: why, and whether another life follows.
    down: Option<(Cause, bool)>,
}

/// See the [module documentation](self).
pub(crate) struct Head {
    driver: Arc<Driver>,
}

impl Actor for Head {
    type Msg = HeadMsg;
    type Args = Arc<Driver>;

    async fn start(ctx: &Context<HeadMsg>, driver: Arc<Driver>) -> Result<Self, Failure> {
        ctx.send_after(limits::HEAD_BEAT_EVERY, HeadMsg::Look);
        Ok(Self { driver })
    }

    async fn handle(&mut self, ctx: &Context<HeadMsg>, message: HeadMsg) -> Result<(), Failure> {
        match message {
            HeadMsg::Heard(said) => match *said {
                Said::Message(said) => self.said(ctx, said),
                Said::Over(why) => self.lost(&format!("the connection with it ended: {why}")),
            },
            HeadMsg::Dialed(dialed) => {
                let (worker, stream) = *dialed;
                self.dialed(ctx, worker, stream);
            }
            HeadMsg::HungUp(hung_up) => {
                let (worker, cause) = *hung_up;
                self.hung_up(&worker, &cause);
            }
            HeadMsg::Settle(worker) => self.settle(&worker),
            HeadMsg::Stored(Ok(())) => self.driver.say(&FromDriver::Stored),
            HeadMsg::Stored(Err(why)) => {
                let reason = format!("the cluster could not take this program: {why}");
                self.driver.is_ready(Err(Error::StartFailed { reason }));
            }
            HeadMsg::Look => self.look(ctx),
        }
        Ok(())
    }
}

impl Head {
    fn said(&mut self, ctx: &Context<HeadMsg>, said: ToDriver) {
        *self.driver.heard.lock() = clock::now();
        match said {
            ToDriver::Beat => {}
            ToDriver::Lacks => {
                let driver = Arc::clone(&self.driver);
                ctx.pipe(async move {
                    let stored = tokio::task::spawn_blocking(move || driver.store()).await;
                    let stored = stored.unwrap_or_else(|error| Err(error.to_string()));
                    Some(HeadMsg::Stored(stored))
                });
            }
            ToDriver::Opened { job, grace } => {
                tracing::info!(%job, "the cluster has taken this program in");
                // Said once.
                _ = self.driver.grace.set(grace);
            }
            ToDriver::Refused { reason } => {
                let reason = format!("the cluster refused this program: {reason}");
                self.driver.is_ready(Err(Error::StartFailed { reason: reason.clone() }));
                self.lost(&reason);
            }
            ToDriver::Granted { .. } => {}
            ToDriver::Up { worker, grant, address } => self.up(ctx, worker, &grant, address),
            ToDriver::Down { worker, cause, again } => self.down(ctx, &worker, cause, again),
            ToDriver::Broken { node, cause } => self.broken(&node, &cause),
            ToDriver::Waits { node, held_by } => {
                let jobs: Vec<_> = held_by.iter().map(ToString::to_string).collect();
                let jobs = jobs.join(", ");
                tracing::warn!("nothing is free for this program on {node}: {jobs} has it");
            }
            ToDriver::Ended { why } => self.lost(&why),
        }
    }

    /// A worker can be dialed.
    fn up(
        &mut self,
        ctx: &Context<HeadMsg>,
        worker: Worker,
        grant: &Resources,
        address: std::net::SocketAddr,
    ) {
        {
            let mut workers = self.driver.workers.lock();
            let seated = workers.get(&worker.node).map(|own| Arc::clone(&own.peer));
            // Another life of its node may have more, or less.
            let peer = seated.filter(|peer| peer.total == *grant);
            let is_new = peer.is_none();
            let peer =
                peer.unwrap_or_else(|| Arc::new(Peer::new(worker.node.clone(), grant.clone())));
            let own = Seated {
                peer: Arc::clone(&peer),
                worker: worker.clone(),
                link: None,
                is_read: false,
                down: None,
            };
            let before = workers.insert(worker.node.clone(), own);
            drop(workers);
            if let Some(runtime) = self.driver.runtime.upgrade().filter(|_| is_new) {
                if let Some(before) = before {
                    runtime.peers.leaves(&before.peer);
                }
                runtime.peers.comes(peer);
            }
        }
        let driver = Arc::clone(&self.driver);
        ctx.pipe(async move {
            let greeting = Greeting::Calls { worker: worker.clone() };
            let dialed = tokio::task::spawn_blocking(move || {
                driver.connect(Plane::Calls, address, &greeting)
            });
            let dialed = dialed.await.unwrap_or_else(|error| Err(error.to_string()));
            Some(HeadMsg::Dialed(Box::new((worker, dialed))))
        });
    }

    fn dialed(&mut self, ctx: &Context<HeadMsg>, worker: Worker, stream: Result<Stream, String>) {
        let Some(runtime) = self.driver.runtime.upgrade() else { return };
        let mut workers = self.driver.workers.lock();
        let current = workers.get_mut(&worker.node).filter(|own| own.worker == worker);
        // It may have ended meanwhile, and another one have its place.
        let Some(own) = current.filter(|own| own.down.is_none()) else { return };
        let addr = ctx.addr().clone();
        let dialed = worker.clone();
        let hung_up = move |cause| _ = addr.cast(HeadMsg::HungUp(Box::new((dialed, cause))));
        let link = stream.and_then(|stream| {
            let link = Link::start(&worker.to_string(), stream, &runtime, hung_up);
            link.map_err(|error| error.to_string())
        });
        match link {
            Ok(link) => {
                own.link = Some(Arc::clone(&link));
                own.peer.comes_up(link);
                drop(workers);
                self.driver.is_ready(Ok(()));
                feed(&runtime);
            }
            Err(why) => {
                drop(workers);
                let why = format!("its driver cannot dial it: {why}");
                tracing::warn!(%worker, "{why}");
                self.driver.say(&FromDriver::Lost { worker, why });
            }
        }
    }

    /// The link says nothing more: the worker has ended, or has to.
    fn hung_up(&mut self, worker: &Worker, cause: &Cause) {
        let is_down = {
            let mut workers = self.driver.workers.lock();
            let Some(own) = workers.get_mut(&worker.node).filter(|own| own.worker == *worker)
            else {
                return;
            };
            own.is_read = true;
            own.peer.pauses();
            own.down.is_some()
        };
        if is_down {
            return self.settle(worker);
        }
        // Whoever waits hears of it when it has surely ended (DH-1).
        let why = format!("its link was lost: {cause}");
        self.driver.say(&FromDriver::Lost { worker: worker.clone(), why });
    }

    fn down(&mut self, ctx: &Context<HeadMsg>, worker: &Worker, cause: Cause, again: bool) {
        let is_read = {
            let mut workers = self.driver.workers.lock();
            let Some(own) = workers.get_mut(&worker.node).filter(|own| own.worker == *worker)
            else {
                return;
            };
            own.peer.pauses();
            own.down = Some((cause, again));
            own.is_read || own.link.is_none()
        };
        if is_read {
            self.settle(worker);
        } else {
            // Its last answers may not have been read; the end of its stream follows.
            ctx.send_after(limits::BEAT_EVERY, HeadMsg::Settle(Box::new(worker.clone())));
        }
    }

    /// It has surely ended, and everything it said was read.
    fn settle(&mut self, worker: &Worker) {
        let mut workers = self.driver.workers.lock();
        let Some(own) = workers.get_mut(&worker.node).filter(|own| own.worker == *worker) else {
            return;
        };
        let Some((cause, again)) = own.down.clone() else { return };
        own.peer.goes();
        let link = own.link.take();
        let peer = Arc::clone(&own.peer);
        if !again {
            workers.remove(&worker.node);
        }
        drop(workers);
        let runtime = self.driver.runtime.upgrade();
        if let Some(runtime) = runtime.as_ref().filter(|_| !again) {
            runtime.peers.leaves(&peer);
        }
        match (link, runtime) {
            // Values are dropped and written again there, which is the user's code.
            (Some(link), Some(runtime)) => {
                _ = runtime.user.spawn_blocking(move || link.end(&cause));
            }
            (Some(link), None) => link.end(&cause),
            (None, _) => {}
        }
    }

    /// There are no more workers on a node.
    fn broken(&mut self, node: &str, cause: &Cause) {
        tracing::error!("{node} has no worker for this program any more: {cause}");
        let left = {
            let mut workers = self.driver.workers.lock();
            let gone = workers.remove(node);
            if let (Some(runtime), Some(gone)) = (self.driver.runtime.upgrade(), &gone) {
                runtime.peers.leaves(&gone.peer);
            }
            workers.len()
        };
        if left == 0 {
            let reason = format!("no node could run this program; the last was {node}: {cause}");
            self.driver.is_ready(Err(Error::StartFailed { reason }));
        }
    }

    fn look(&mut self, ctx: &Context<HeadMsg>) {
        ctx.send_after(limits::HEAD_BEAT_EVERY, HeadMsg::Look);
        let silent = clock::now().saturating_sub(*self.driver.heard.lock());
        let grace = self.driver.grace.get().copied().unwrap_or(limits::START_WITHIN);
        if silent > grace + Duration::from_secs(1) {
            self.lost(&format!("it has not been heard for {silent:?}"));
        }
    }

    /// Nobody says any more which workers there are: everybody who waits is told.
    fn lost(&mut self, why: &str) {
        self.driver.is_ready(Err(Error::StartFailed { reason: why.to_owned() }));
        let Some(runtime) = self.driver.runtime.upgrade() else { return };
        if runtime.is_closing() {
            return;
        }
        tracing::error!("the head is lost: {why}");
        runtime.lost_head(why);
        if let Some(line) = self.driver.line.get() {
            line.close();
        }
        let links: Vec<_> = {
            let mut workers = self.driver.workers.lock();
            workers.values_mut().for_each(|own| own.peer.goes());
            workers.values_mut().filter_map(|own| own.link.take()).collect()
        };
        let cause = Cause::message(format!("the head is lost: {why}"));
        _ = runtime.user.spawn_blocking(move || links.iter().for_each(|link| link.end(&cause)));
    }
}

/// Whoever waited for a worker goes on, on a thread where values are written.
fn feed(runtime: &Arc<Shared>) {
    let own = Arc::clone(runtime);
    runtime.user.spawn_blocking(move || own.peer_is_up());
}

//! The head of the cluster, as a driver hears it.
//!
//! - **Parent:** `cluster` (one-for-one; permanent; 5 restarts in 30 s).
//! - **Children:** none.
//! - **After a restart:** nothing is lost: the connection, what it said and was not handled yet, and what is known of the
//!   workers belong to the runtime. What was begun and not finished is begun again.
//! - **Tells:** the peers, who gets new work; the links, when all who wait are to be told that a worker is gone; everybody
//!   who waits, when the head is lost.
//!
//! Invariants:
//! - **DH-1 (told-when-ended):** a call that a worker has is lost for its caller only when the head has said that the
//!   worker has ended, by its process or by the lease of its node, or the head is lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use raytree_process::cluster::{FromDriver, Greeting, ToDriver, Worker};
use raytree_supervise::{Actor, Context, Failure, clock};
use raytree_types::{Cause, Error, limits};
use raytree_wire::{Plane, Said, Stream};

use super::Driver;
use super::store::StoreError;
use super::workers::Left;
use crate::cluster::hopeless::Hopeless;
use crate::link::Link;
use crate::runtime::Shared;

/// What the actor can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum HeadMsg {
    /// The head was heard: what it said waits in the driver's inbox.
    Heard,
    /// A worker was dialed.
    Dialed(Box<(Worker, Result<Stream, String>)>),
    /// The link with a worker says nothing more.
    HungUp(Box<(Worker, Cause)>),
    /// A worker says that it cannot reach another one while calls there have no answer.
    Unreachable(Box<(Worker, Worker)>),
    /// Timer: a worker that has ended has had its time to say its last.
    Settle(Box<Worker>),
    /// The program is with the head, or is not.
    Stored(Result<(), StoreError>),
    /// Timer: is the head still there?
    Look,
    /// Timer: workers have come or gone; is there something that waits for what none of them has?
    Feasible,
}

/// See the [module documentation](self).
pub(crate) struct Head {
    driver: Arc<Driver>,
    hopeless: Hopeless,
    /// A [`HeadMsg::Feasible`] is on its way.
    looks: AtomicBool,
}

impl Actor for Head {
    type Msg = HeadMsg;
    type Args = Arc<Driver>;

    async fn start(ctx: &Context<HeadMsg>, driver: Arc<Driver>) -> Result<Self, Failure> {
        ctx.send_after(limits::HEAD_BEAT_EVERY, HeadMsg::Look);
        let head = Self { driver, hopeless: Hopeless::default(), looks: AtomicBool::default() };
        head.workers_changed(ctx);
        for left in head.driver.left_to_do() {
            match left {
                Left::ToDial(worker, address) => head.dial(ctx, worker, address),
                Left::ToSettle(worker) => {
                    ctx.send_after(limits::BEAT_EVERY, HeadMsg::Settle(Box::new(worker)));
                }
            }
        }
        if head.driver.is_storing() {
            head.store(ctx);
        }
        head.hear(ctx);
        Ok(head)
    }

    async fn handle(&mut self, ctx: &Context<HeadMsg>, message: HeadMsg) -> Result<(), Failure> {
        match message {
            HeadMsg::Heard => self.hear(ctx),
            HeadMsg::Dialed(dialed) => {
                let (worker, stream) = *dialed;
                self.dialed(ctx, worker, stream);
            }
            HeadMsg::HungUp(hung_up) => {
                let (worker, cause) = *hung_up;
                self.hung_up(worker, &cause);
            }
            HeadMsg::Unreachable(told) => {
                let (worker, by) = *told;
                self.unreachable(worker, &by);
            }
            HeadMsg::Settle(worker) => {
                self.driver.settle(&worker);
                self.workers_changed(ctx);
            }
            HeadMsg::Stored(stored) => self.stored(stored),
            HeadMsg::Look => self.look(ctx),
            HeadMsg::Feasible => self.warn_of_hopeless(ctx),
        }
        Ok(())
    }
}

impl Head {
    /// Handles what the head has said; what a life did not get done stays for the next.
    fn hear(&self, ctx: &Context<HeadMsg>) {
        while let Some(said) = self.driver.inbox.first() {
            match said {
                Said::Message(said) => self.said(ctx, said),
                Said::Over(why) => self.lost(&format!("the connection with it ended: {why}")),
            }
            self.driver.inbox.is_done();
        }
    }

    fn said(&self, ctx: &Context<HeadMsg>, said: ToDriver) {
        match said {
            // Lines do not come so far.
            ToDriver::Beat | ToDriver::Lines(_) => {}
            ToDriver::Look { ticket } => self.driver.lets_look(ticket),
            ToDriver::Resident { ticket, news } => self.driver.residents.hear(ticket, *news),
            ToDriver::Lacks => self.store(ctx),
            ToDriver::Opened { job, grace } => {
                tracing::info!(%job, "the cluster has taken this program in");
                // Said once.
                _ = self.driver.job.set(job);
                _ = self.driver.grace.set(grace);
                self.driver.moves();
            }
            ToDriver::Refused { reason } => {
                self.lost(&format!("the cluster refused this program: {reason}"));
            }
            ToDriver::Granted { worker, grant } => {
                self.driver.moves();
                self.driver.granted(worker, &grant);
                self.workers_changed(ctx);
            }
            ToDriver::Up { worker, grant, address } => {
                if !self.driver.is_up(&worker, address) {
                    self.driver.granted(worker.clone(), &grant);
                    self.driver.is_up(&worker, address);
                    self.workers_changed(ctx);
                }
                self.dial(ctx, worker, address);
            }
            ToDriver::Down { worker, cause, again } => {
                let what = self.driver.said_of(&worker, &cause);
                tracing::warn!("{what}");
                ctx.addr().probe().warn(what);
                match self.driver.is_down(&worker, cause, again) {
                    Some(true) => self.driver.settle(&worker),
                    // Its last answers may not have been read; the end of its stream follows.
                    Some(false) => {
                        _ = ctx.send_after(limits::BEAT_EVERY, HeadMsg::Settle(Box::new(worker)));
                    }
                    None => {}
                }
                self.workers_changed(ctx);
                self.counts_workers(&Cause::message("its last worker has ended"));
            }
            ToDriver::Broken { node, cause } => {
                let what = format!("{node} has no worker for this program any more: {cause}");
                tracing::error!("{what}");
                ctx.addr().probe().warn(what);
                self.driver.broken(&node, &cause);
                self.workers_changed(ctx);
                self.counts_workers(&cause);
            }
            ToDriver::Waits { node, held_by } => {
                let jobs: Vec<_> = held_by.iter().map(ToString::to_string).collect();
                let jobs = jobs.join(", ");
                let what = format!("nothing is free for this program on {node}: {jobs} has it");
                tracing::warn!("{what}");
                ctx.addr().probe().warn(what);
                // What it submits waits until something is.
                self.driver.is_ready(Ok(()));
            }
            ToDriver::Ended { why } => self.lost(&why),
        }
    }

    fn dial(&self, ctx: &Context<HeadMsg>, worker: Worker, address: SocketAddr) {
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

    fn dialed(&self, ctx: &Context<HeadMsg>, worker: Worker, stream: Result<Stream, String>) {
        let Some(runtime) = self.driver.runtime.upgrade() else { return };
        // It may have ended meanwhile, and another one have its place.
        if !self.driver.waits_for_link(&worker) {
            return;
        }
        let addr = ctx.addr().clone();
        let dialed = worker.clone();
        let hung_up = move |cause| _ = addr.cast(HeadMsg::HungUp(Box::new((dialed, cause))));
        let link = stream.and_then(|stream| {
            let link = Link::start(&worker.to_string(), stream, &runtime, hung_up);
            link.map_err(|error| error.to_string())
        });
        match link {
            Ok(link) => {
                if self.driver.linked(&worker, link) {
                    self.driver.is_ready(Ok(()));
                    feed(&runtime);
                }
            }
            Err(why) => {
                let why = format!("its driver cannot dial it: {why}");
                tracing::warn!(%worker, "{why}");
                self.driver.say(&FromDriver::Lost { worker, why });
            }
        }
    }

    /// The link says nothing more: the worker has ended, or has to.
    fn hung_up(&self, worker: Worker, cause: &Cause) {
        match self.driver.hung_up(&worker) {
            Some(true) => self.driver.settle(&worker),
            // Whoever waits hears of it when it has surely ended (DH-1).
            Some(false) => {
                let why = format!("its link was lost: {cause}");
                self.driver.say(&FromDriver::Lost { worker, why });
            }
            None => {}
        }
    }

    /// Calls from one worker to another are in doubt: which have run is known when that one has surely ended (DH-1).
    fn unreachable(&self, worker: Worker, by: &Worker) {
        if self.driver.is_accused(&worker, by) {
            let why = format!("{by} has lost its link with it");
            tracing::warn!(%worker, "{why}");
            self.driver.say(&FromDriver::Lost { worker, why });
        }
    }

    fn store(&self, ctx: &Context<HeadMsg>) {
        self.driver.begins_to_store();
        let driver = Arc::clone(&self.driver);
        ctx.pipe(async move {
            let stored = tokio::task::spawn_blocking(move || driver.store()).await;
            let stored = stored.unwrap_or_else(|error| Err(std::io::Error::from(error).into()));
            Some(HeadMsg::Stored(stored))
        });
    }

    fn stored(&self, stored: Result<(), StoreError>) {
        self.driver.has_stored();
        match stored {
            Ok(()) => self.driver.say(&FromDriver::Stored),
            Err(why) => {
                let reason = format!("the cluster could not take this program: {why}");
                self.driver.is_ready(Err(Error::StartFailed { reason }));
            }
        }
    }

    /// A program without workers, and without any to come, has nothing to wait for.
    fn counts_workers(&self, cause: &Cause) {
        if !self.driver.has_none() {
            return;
        }
        let reason = format!("no node can run this program: {cause}");
        self.driver.is_ready(Err(Error::StartFailed { reason: reason.clone() }));
        self.driver.has_none_since(clock::now(), reason);
    }

    /// There may be demands now that nobody can meet, or that somebody can meet again; others may come and go in the same moment.
    fn workers_changed(&self, ctx: &Context<HeadMsg>) {
        if !self.looks.swap(true, Ordering::Relaxed) {
            ctx.send_after(limits::HOPELESS_AFTER, HeadMsg::Feasible);
        }
    }

    fn warn_of_hopeless(&mut self, ctx: &Context<HeadMsg>) {
        self.looks.store(false, Ordering::Relaxed);
        let Some(runtime) = self.driver.runtime.upgrade() else { return };
        for what in self.hopeless.look(&runtime) {
            tracing::warn!("{what}");
            ctx.addr().probe().warn(what);
        }
    }

    fn look(&mut self, ctx: &Context<HeadMsg>) {
        ctx.send_after(limits::HEAD_BEAT_EVERY, HeadMsg::Look);
        // What came while this process was stopped was heard before this.
        self.hear(ctx);
        if self.driver.runtime.upgrade().is_some_and(|own| own.peers.has_newly_parked()) {
            self.warn_of_hopeless(ctx);
        }
        let silent = self.driver.inbox.silent();
        let grace = self.driver.grace.get().copied().unwrap_or(limits::START_WITHIN);
        if silent > grace + limits::HEAD_BEAT_EVERY {
            self.lost(&format!("it has not been heard for {silent:?}"));
        }
        if let Some(reason) = self.driver.has_none_for(limits::WORKERLESS_MAX)
            && let Some(runtime) = self.driver.runtime.upgrade().filter(|own| !own.is_closing())
        {
            tracing::error!("{reason}");
            runtime.ended(&reason);
        }
    }

    /// Nobody says any more which workers there are: everybody who waits is told.
    fn lost(&self, why: &str) {
        self.driver.is_ready(Err(Error::StartFailed { reason: why.to_owned() }));
        let Some(runtime) = self.driver.runtime.upgrade().filter(|own| !own.is_closing()) else {
            return;
        };
        tracing::error!("the head is lost: {why}");
        runtime.lost_head(why);
        self.driver.residents.lost(why);
        self.driver.hangs_up();
        self.driver.all_gone(&Cause::message(format!("the head is lost: {why}")));
    }
}

/// Whoever waited for a worker goes on, on a thread where values are written.
fn feed(runtime: &Arc<Shared>) {
    let own = Arc::clone(runtime);
    runtime.user.spawn_blocking(move || own.peer_is_up());
}

//! Handles: cloneable values that call an actor, over all its lives.

use std::fmt;
use std::sync::Arc;

use raytree_supervise::{Addr, Probe, Refused};
use raytree_types::{ActorId, Error, Exit, ExitKind, Result};
use tokio::sync::oneshot;

use crate::gcs::table::Ending;
use crate::task::context::lending;
use crate::user::actor::{Actor, Call, Query};
use crate::user::job::{HostedMsg, Job};
use crate::user::pending::Pending;
use crate::user::status::{Cell, Lifecycle, Status};

/// A handle on an actor of type `A`. Cheap to clone; calls through any clone reach the same actor, whatever life it is
/// in. When the last handle of an actor that is not detached is dropped, the actor finishes what is queued and ends.
pub struct ActorHandle<A: Actor> {
    pub(crate) addr: Addr<HostedMsg<A>>,
    pub(crate) lease: Arc<Lease>,
}

/// Counts as one holder of an actor.
pub(crate) struct Lease(pub(crate) Arc<Cell>);

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(runtime) = self.0.runtime.upgrade() else { return };
        let stays = self.0.options.is_detached() || self.0.options.given_name().is_some();
        if !stays && !self.0.is_dead() {
            runtime.released(&self.0);
        }
    }
}

impl<A: Actor> ActorHandle<A> {
    /// Calls with exclusive access to the actor's state. Sent at once, in order with this caller's other calls;
    /// the answer is a future.
    ///
    /// # Errors
    /// The future resolves to [`Error::Overloaded`] at the mailbox bound, to [`Error::ActorDied`] when the actor ends
    /// before it answers.
    pub fn call<M>(&self, message: M) -> Pending<A::Reply>
    where
        A: Call<M>,
        M: Send + 'static,
    {
        match self.addr.try_credit() {
            Ok(credit) => {
                self.give(|reply| HostedMsg::Call(Box::new(Job::new(message, reply, credit))))
            }
            Err(refused) => Pending::refused(self.cell().clone(), self.refusal(refused)),
        }
    }

    /// Calls with a shared view of the actor's state: up to `max_concurrency` of these overlap. Else as [`Self::call`].
    pub fn query<M>(&self, message: M) -> Pending<A::Reply>
    where
        A: Query<M>,
        M: Send + 'static,
    {
        match self.addr.try_credit() {
            Ok(credit) => {
                self.give(|reply| HostedMsg::Query(Box::new(Job::new(message, reply, credit))))
            }
            Err(refused) => Pending::refused(self.cell().clone(), self.refusal(refused)),
        }
    }

    /// As [`Self::call`], but waits for room in the mailbox instead of being refused.
    ///
    /// # Errors
    /// [`Error::ActorDied`] when the actor has ended for good.
    ///
    /// # Cancel safety
    /// Dropping the future before it is ready sends nothing.
    pub async fn submit<M>(&self, message: M) -> Result<Pending<A::Reply>>
    where
        A: Call<M>,
        M: Send + 'static,
    {
        let credit = lending(self.addr.credit()).await.map_err(|refused| self.refusal(refused))?;
        Ok(self.give(|reply| HostedMsg::Call(Box::new(Job::new(message, reply, credit)))))
    }

    /// As [`Self::query`], but waits for room in the mailbox instead of being refused.
    ///
    /// # Errors
    /// [`Error::ActorDied`] when the actor has ended for good.
    ///
    /// # Cancel safety
    /// Dropping the future before it is ready sends nothing.
    pub async fn submit_query<M>(&self, message: M) -> Result<Pending<A::Reply>>
    where
        A: Query<M>,
        M: Send + 'static,
    {
        let credit = lending(self.addr.credit()).await.map_err(|refused| self.refusal(refused))?;
        Ok(self.give(|reply| HostedMsg::Query(Box::new(Job::new(message, reply, credit)))))
    }

    /// Its id, the same over all its lives.
    #[must_use]
    pub fn id(&self) -> ActorId {
        self.cell().known_as()
    }

    /// Its name, or its type's where it was given none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.cell().name
    }

    /// Where it is in its existence.
    #[must_use]
    pub fn status(&self) -> Status {
        self.cell().status()
    }

    /// Its probe: counters, causes, flight recorder and the *panic now* test hook.
    #[must_use]
    pub fn probe(&self) -> &Arc<Probe> {
        self.addr.probe()
    }

    /// Waits until its constructor has returned.
    ///
    /// # Errors
    /// [`Error::ActorDied`] with the constructor's error, or whatever else ended it for good.
    pub async fn ready(&self) -> Result<()> {
        let mut status = self.cell().watch();
        let is_settled = |s: &Status| matches!(s.lifecycle, Lifecycle::Alive | Lifecycle::Dead);
        let settled = lending(status.wait_for(is_settled)).await.map(|status| status.lifecycle);
        match settled {
            Ok(Lifecycle::Alive) => Ok(()),
            Ok(_) | Err(_) => Err(self.cell().gone()),
        }
    }

    /// Waits for its end for good.
    ///
    /// # Errors
    /// [`Error::RuntimeGone`] when the runtime ends first.
    pub async fn exited(&self) -> Result<Exit> {
        exit_of(Arc::clone(self.cell())).await
    }

    /// Ends it in order: its children first, one after the other, then what is queued, then its `stopped`. Waits for the
    /// end. One that still waits for resources ends at once, and its queued calls are told.
    ///
    /// # Errors
    /// [`Error::RuntimeGone`] when the runtime ends first.
    pub async fn stop(&self) -> Result<Exit> {
        self.stop_soon();
        self.exited().await
    }

    /// Ends it and its children at their next await point. Queued calls get [`Error::ActorDied`].
    pub fn kill(&self) {
        self.end(true, "killed by its user");
    }

    /// As [`Self::stop`], without waiting.
    pub(crate) fn stop_soon(&self) {
        self.end(false, "stopped by its user");
    }

    fn end(&self, kill: bool, reason: &str) {
        let is_unasked = self.cell().made().is_some_and(|made| made.ends_unasked());
        // One that has no life yet, or waits for the next one, ends at once: nobody would come to what is queued.
        let is_behind = !kill && self.cell().status().lifecycle == Lifecycle::Alive;
        if let Some(imported) = self.cell().imported().filter(|_| !is_unasked) {
            if is_behind {
                return self.stop_behind();
            }
            return imported.link.end_actor(imported.export, kill);
        }
        if let Some(resident) = self.cell().resident() {
            if is_behind && resident.stops_behind() {
                return self.stop_behind();
            }
            if resident.end(kill) {
                return;
            }
        }
        if let Some(runtime) = self.cell().runtime.upgrade() {
            runtime.end_actor(
                self.cell().id,
                Ending { kill, released: false, reason: reason.to_owned() },
            );
        }
    }

    /// An end in order comes after all that was called before.
    fn stop_behind(&self) {
        // Refused when its stand-in has ended.
        _ = self.addr.cast(HostedMsg::Stop);
    }

    fn give<R>(&self, message: impl FnOnce(oneshot::Sender<R>) -> HostedMsg<A>) -> Pending<R> {
        let cell = Arc::clone(self.cell());
        let exits = cell.exits();
        let (reply, answer) = oneshot::channel();
        match self.addr.cast(message(reply)) {
            Ok(()) => Pending::waiting(cell, exits, answer),
            Err(refused) => {
                let error = self.refusal(refused.reason);
                Pending::refused(cell, error)
            }
        }
    }

    pub(crate) fn refusal(&self, refused: Refused) -> Error {
        let cell = self.cell();
        match refused {
            Refused::Overloaded { limit } => Error::Overloaded { name: cell.name.clone(), limit },
            Refused::Gone => match self.addr.last_exit() {
                // The address closes a moment before the end is recorded.
                Some(kind) if !cell.is_dead() => Error::ActorDied {
                    actor: cell.known_as(),
                    name: cell.name.clone(),
                    kind: Box::new(kind.clone()),
                    will_restart: false,
                },
                _ => cell.gone(),
            },
        }
    }

    pub(crate) fn cell(&self) -> &Arc<Cell> {
        &self.lease.0
    }

    /// How its newest life ended.
    #[must_use]
    pub fn last_exit(&self) -> Option<ExitKind> {
        self.cell().status().last_exit.map(|exit| exit.kind.clone())
    }
}

/// Waits for the end for good, without keeping the actor alive.
pub(crate) async fn exit_of(cell: Arc<Cell>) -> Result<Exit> {
    let mut status = cell.watch();
    let dead = lending(status.wait_for(|status| status.lifecycle == Lifecycle::Dead)).await;
    let exit = dead.ok().and_then(|status| status.last_exit.clone());
    exit.map(|exit| (*exit).clone()).ok_or_else(|| cell.gone())
}

impl<A: Actor> Clone for ActorHandle<A> {
    fn clone(&self) -> Self {
        Self { addr: self.addr.clone(), lease: Arc::clone(&self.lease) }
    }
}

impl<A: Actor> fmt::Debug for ActorHandle<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorHandle({} {})", self.id(), self.name())
    }
}

//! The body of a user's actor: runs the user's handlers under the kit.
//!
//! - **Parent:** `actor_host` (one-for-one; transient, within the actor's own restarts).
//! - **Children:** none linked; actors it owns are siblings under the host and edges in the directory.
//! - **After a restart:** a new value from the kept arguments; queued calls of the old life are lost and their callers told.
//! - **Tells:** its callers, by answering or by ending.
//!
//! Invariants:
//! - **HA-1 (exclusive):** while a `&mut self` handler runs, no other handler of the actor does, of any life.
//! - **HA-2 (in-order):** handlers begin in the order in which their calls arrived; those that have to wait for an argument that is lost
//!   arrive anew (`user/order.rs`).

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::task::Poll;

use parking_lot::Mutex;
use raytree_supervise::{self as kit, Context, Failure, panics};
use raytree_types::{Exit, Incarnation};
use tokio::sync::Semaphore;

use super::pace::{Hold, Pace, Paces};
use crate::object::waiter::Needs;
use crate::runtime::burst;
use crate::task::context::in_actor;
use crate::task::failure::cause_of;
use crate::user::actor::Actor;
use crate::user::context::{ActorContext, Wish};
use crate::user::job::{CallJob, HostedMsg, QueryJob, Ticket};
use crate::user::status::Cell;

/// What each life is made from.
pub(crate) struct HostedArgs<A: Actor> {
    pub(crate) cell: Arc<Cell>,
    /// Cloned here, where a panic in it is the actor's own.
    pub(crate) args: Arc<A::Args>,
    /// The first incarnation of this placement.
    pub(crate) first: Incarnation,
    /// The only one, where another process decides on its lives.
    pub(crate) given: Option<Incarnation>,
}

/// See the [module documentation](self).
pub(crate) struct Hosted<A: Actor> {
    actor: Arc<A>,
    ctx: ActorContext<A>,
    /// One permit per handler that may overlap; all of them make a `&mut self` handler.
    turns: Arc<Semaphore>,
    width: u32,
    paces: Paces,
}

impl<A: Actor> kit::Actor for Hosted<A> {
    type Msg = HostedMsg<A>;
    type Args = HostedArgs<A>;

    async fn start(
        ctx: &Context<HostedMsg<A>>,
        HostedArgs { cell, args, first, given }: HostedArgs<A>,
    ) -> Result<Self, Failure> {
        let incarnation = given.unwrap_or(Incarnation { restart: ctx.life(), ..first });
        cell.begins(incarnation);
        let width = cell.options.concurrency();
        let mine = ActorContext {
            cell: Arc::clone(&cell),
            addr: ctx.addr().clone(),
            incarnation,
            wish: Arc::new(Mutex::new(None)),
        };
        let given = (*args).clone();
        let started = in_actor(&cell, async { A::start(given, &mine).await }).await;
        let actor = started.map_err(|error| Failure::of(cause_of(error)))?;
        let hosted = Self {
            actor: Arc::new(actor),
            ctx: mine,
            turns: Arc::new(Semaphore::new(width)),
            // At most `limits::MAX_CONCURRENCY_MAX`.
            width: u32::try_from(width).unwrap_or(u32::MAX),
            paces: Paces::default(),
        };
        hosted.settle(ctx)?;
        Ok(hosted)
    }

    async fn handle(
        &mut self,
        ctx: &Context<HostedMsg<A>>,
        message: HostedMsg<A>,
    ) -> Result<(), Failure> {
        if !matches!(message, HostedMsg::Method(_)) {
            burst::end_turn();
        }
        match message {
            HostedMsg::Call(job) => self.call(job).await?,
            HostedMsg::Query(job) => self.query(ctx, job).await,
            HostedMsg::Method(ticket) => self.method(ctx, ticket).await?,
            HostedMsg::ChildExited(exit) => self.child_exited(*exit).await?,
            // It stands for nobody.
            HostedMsg::Settle | HostedMsg::Stop | HostedMsg::Gone(_) => {}
        }
        self.settle(ctx)
    }

    async fn stopped(&mut self, _ctx: &Context<HostedMsg<A>>) {
        burst::end_turn();
        // An overlapping handler that never returns is ended by the stop's deadline.
        if let Ok((actor, ctx)) = self.alone().await {
            in_actor(&ctx.cell, actor.stopped(ctx)).await;
        }
    }
}

impl<A: Actor> Hosted<A> {
    async fn call(&mut self, job: Box<dyn CallJob<A>>) -> Result<(), Failure> {
        let (actor, ctx) = self.alone().await?;
        in_actor(&ctx.cell, job.run(actor, ctx)).await;
        Ok(())
    }

    async fn child_exited(&mut self, exit: Exit) -> Result<(), Failure> {
        let (actor, ctx) = self.alone().await?;
        in_actor(&ctx.cell, actor.child_exited(exit, ctx)).await;
        Ok(())
    }

    async fn query(&mut self, ctx: &Context<HostedMsg<A>>, job: Box<dyn QueryJob<A>>) {
        if self.width == 1 {
            in_actor(&self.ctx.cell, job.run(&self.actor, &self.ctx)).await;
            return;
        }
        // The semaphore is never closed.
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return };
        let wish = Arc::clone(&self.ctx.wish);
        let body = job.run_shared(Arc::clone(&self.actor), self.ctx.clone());
        let cell = Arc::clone(&self.ctx.cell);
        let mut body = Box::pin(async move { in_actor(&cell, body).await });
        // The first step is taken here: handlers begin in order (HA-2), and a short one needs no task.
        if poll_fn(|cx| Poll::Ready(body.as_mut().poll(cx))).await.is_pending() {
            ctx.pipe(async move {
                body.await;
                drop(turn);
                wish.lock().is_some().then_some(HostedMsg::Settle)
            });
        }
    }

    async fn method(
        &mut self,
        ctx: &Context<HostedMsg<A>>,
        ticket: Ticket<A>,
    ) -> Result<(), Failure> {
        let Some(ticket) = ticket.in_turn(Needs::Memory) else { return Ok(()) };
        let job = ticket.job();
        let pace = job.is_sync().then(|| self.paces.of::<A>(job.short_name()));
        let is_marked = job.is_blocking();
        if self.width > 1 || is_marked || pace.is_none_or(Pace::is_slow) {
            // It may take long, or wait for others.
            burst::end_turn();
        }
        if job.is_exclusive() {
            let (actor, mine) = self.alone().await?;
            let hold = Hold::of(&mine.cell, is_marked, pace).await;
            if let Some(body) = job.exclusive(actor, mine, &hold) {
                body.await;
            }
        } else if self.width == 1 {
            let (actor, mine) = (&self.actor, &self.ctx);
            let hold = Hold::of(&mine.cell, is_marked, pace).await;
            if let Some(body) = job.shared(actor, mine, &hold) {
                body.await;
            }
        } else {
            self.overlap(ctx, ticket, pace).await;
        }
        Ok(())
    }

    async fn overlap(
        &mut self,
        ctx: &Context<HostedMsg<A>>,
        ticket: Ticket<A>,
        pace: Option<&'static Pace>,
    ) {
        // The semaphore is never closed.
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return };
        let (job, wish) = (ticket.job(), Arc::clone(&self.ctx.wish));
        let (actor, mine) = (Arc::clone(&self.actor), self.ctx.clone());
        let settle = move || wish.lock().is_some().then_some(HostedMsg::Settle);
        let hold = Hold::of(&mine.cell, job.is_blocking(), pace).await;
        if hold.is_marked() {
            // The thread is a part of this life: the next one waits for it.
            let part = ctx.part();
            let body = tokio::task::spawn_blocking(move || {
                let caught = panics::catch(|| job.on_own_thread(&actor, &mine));
                drop((actor, mine, ticket, turn, part, hold));
                caught
            });
            ctx.pipe(async move {
                if let Ok(Err(cause)) = body.await {
                    resume_unwind(Box::new(cause.to_string()));
                }
                settle()
            });
            return;
        }
        let mut body = job.overlapping(actor, mine, hold);
        // The first step is taken here: handlers begin in order (HA-2), and a short one needs no task.
        if poll_fn(|cx| Poll::Ready(body.as_mut().poll(cx))).await.is_pending() {
            ctx.pipe(async move {
                body.await;
                drop((ticket, turn));
                settle()
            });
        }
    }

    /// Waits until no overlapping handler runs; then the actor is exclusively ours (HA-1).
    async fn alone(&mut self) -> Result<(&mut A, &ActorContext<A>), Failure> {
        if self.width > 1 {
            // The permits go back at once: nothing else can begin while we hold `&mut self`.
            let all = self.turns.acquire_many(self.width).await;
            drop(all);
        }
        let actor = Arc::get_mut(&mut self.actor).ok_or_else(|| {
            Failure::message("a handler that has returned still shares the actor")
        })?;
        Ok((actor, &self.ctx))
    }

    /// Does what a handler asked for.
    fn settle(&self, ctx: &Context<HostedMsg<A>>) -> Result<(), Failure> {
        match self.ctx.wish.lock().take() {
            None => Ok(()),
            Some(Wish::Stop(reason)) => {
                ctx.stop(&reason);
                Ok(())
            }
            Some(Wish::Fail(cause)) => Err(Failure::of(cause)),
        }
    }
}

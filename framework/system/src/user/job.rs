//! Calls on their way to an actor, with the message type erased.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use raytree_supervise::{Credit, short_type_name};
use raytree_types::{Cause, Error, Exit};
use tokio::sync::oneshot;

use crate::object::waiter::Needs;
use crate::trace::{self, TraceContext, Traced};
use crate::user::actor::{Actor, Call, Query};
use crate::user::context::ActorContext;
use crate::worker::crossing::Passage;
use crate::worker::pace::Hold;

/// A boxed future.
pub(crate) type Boxed<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What a hosted actor is sent.
pub(crate) enum HostedMsg<A: Actor> {
    /// Runs alone.
    Call(Box<dyn CallJob<A>>),
    /// May overlap with others of its kind.
    Query(Box<dyn QueryJob<A>>),
    /// A method of an actor type marked `#[remote]`.
    Method(Ticket<A>),
    /// A child has ended a life.
    ChildExited(Box<Exit>),
    /// The actor that this one stands for has ended, or the link to it.
    Gone(Box<(u64, Result<Exit, Cause>)>),
    /// An overlapping handler has returned and wants something of the actor.
    Settle,
    /// The actor that this one stands for is to end in order.
    Stop,
}

impl<A: Actor> HostedMsg<A> {
    /// It goes to the present life.
    pub(crate) fn delivered(&self) {
        if let Self::Method(ticket) = self {
            ticket.job.delivered();
        }
    }
}

impl<A: Actor> From<&HostedMsg<A>> for &'static str {
    fn from(message: &HostedMsg<A>) -> Self {
        match message {
            HostedMsg::Call(job) => job.label(),
            HostedMsg::Query(job) => job.label(),
            HostedMsg::Method(ticket) => ticket.job.short_name(),
            HostedMsg::ChildExited(_) => "child_exited",
            HostedMsg::Gone(_) => "gone",
            HostedMsg::Settle => "settle",
            HostedMsg::Stop => "stop",
        }
    }
}

/// One `&mut self` call.
pub(crate) trait CallJob<A: Actor>: Send {
    fn label(&self) -> &'static str;
    fn run<'a>(self: Box<Self>, actor: &'a mut A, ctx: &'a ActorContext<A>) -> Boxed<'a>;
}

/// One `&self` call.
pub(crate) trait QueryJob<A: Actor>: Send {
    fn label(&self) -> &'static str;
    /// Where nothing overlaps: without sharing.
    fn run<'a>(self: Box<Self>, actor: &'a A, ctx: &'a ActorContext<A>) -> Boxed<'a>;
    /// Where others may run meanwhile.
    fn run_shared(self: Box<Self>, actor: Arc<A>, ctx: ActorContext<A>) -> Boxed<'static>;
}

/// One call of a method. It answers by itself; without an answer, its drop says that it was lost.
pub(crate) trait MethodJob<A: Actor>: Send + Sync {
    fn short_name(&self) -> &'static str;
    fn is_exclusive(&self) -> bool;
    fn is_blocking(&self) -> bool;
    /// Its body holds a thread from begin to end.
    fn is_sync(&self) -> bool;
    /// Begins a `&mut self` method; what is left of it, if anything is.
    fn exclusive<'a>(
        self: Arc<Self>,
        actor: &'a mut A,
        ctx: &'a ActorContext<A>,
        hold: &Hold,
    ) -> Option<Boxed<'a>>;
    /// Begins a `&self` method where nothing overlaps.
    fn shared<'a>(
        self: Arc<Self>,
        actor: &'a A,
        ctx: &'a ActorContext<A>,
        hold: &Hold,
    ) -> Option<Boxed<'a>>;
    /// A `&self` method where others may run meanwhile.
    fn overlapping(
        self: Arc<Self>,
        actor: Arc<A>,
        ctx: ActorContext<A>,
        hold: Hold,
    ) -> Boxed<'static>;
    /// A synchronous `&self` method that is marked `blocking`, on a thread of its own.
    fn on_own_thread(self: Arc<Self>, actor: &A, ctx: &ActorContext<A>);
    /// Its turn has come, and it begins now. False where it is to come back: an argument was lost and is made again, or an earlier call of its
    /// caller waits for one.
    fn has_turn(&self, needs: Needs) -> bool;
    /// Its message is there no more, and it waits in the line of its caller once more.
    fn comes_back(self: Arc<Self>);
    /// Has it run by the actor over there. The ticket lives until it is answered.
    fn ship(self: Arc<Self>, by: Passage<'_, A>, ticket: Ticket<A>);
    /// The life that had it is over, with this error: how often it may still be lost if it is made again, which is due now;
    /// none for one that was told.
    fn again(&self, error: &Error) -> Option<u32>;
    /// The message goes to the present life.
    fn delivered(&self);
    /// The message is gone.
    fn dropped(self: Arc<Self>);
}

/// A method call in the mailbox. Lives until its handler has ended.
pub(crate) struct Ticket<A: Actor> {
    job: Arc<dyn MethodJob<A>>,
    /// Its drop is no loss.
    comes_back: bool,
}

impl<A: Actor> Ticket<A> {
    pub(crate) fn new(job: Arc<dyn MethodJob<A>>) -> Self {
        Self { job, comes_back: false }
    }

    pub(crate) fn job(&self) -> Arc<dyn MethodJob<A>> {
        Arc::clone(&self.job)
    }

    /// Its turn has come; none where it goes back to its caller's line.
    pub(crate) fn in_turn(mut self, needs: Needs) -> Option<Self> {
        self.comes_back = !self.job.has_turn(needs);
        (!self.comes_back).then_some(self)
    }
}

impl<A: Actor> Drop for Ticket<A> {
    fn drop(&mut self) {
        let job = self.job();
        if self.comes_back { job.comes_back() } else { job.dropped() }
    }
}

/// A message with the way back. The credit is held until the handler has ended, and no longer.
pub(crate) struct Job<M, R> {
    pub(crate) message: M,
    pub(crate) reply: oneshot::Sender<R>,
    pub(crate) credit: Credit,
    /// Within which it was made, where anybody wants to know.
    trace: Option<Box<TraceContext>>,
}

impl<M, R> Job<M, R> {
    pub(crate) fn new(message: M, reply: oneshot::Sender<R>, credit: Credit) -> Self {
        Self { message, reply, credit, trace: trace::outgoing().map(Box::new) }
    }

    /// The span of its handler, which begins now.
    fn traced<A: Actor>(&self, ctx: &ActorContext<A>) -> Option<Traced> {
        let actor = (&*ctx.cell.name, ctx.cell.id);
        self.trace.as_deref().map(|parent| Traced::call(*parent, short_type_name::<M>(), actor))
    }
}

impl<A, M> CallJob<A> for Job<M, A::Reply>
where
    A: Call<M>,
    M: Send + 'static,
{
    fn label(&self) -> &'static str {
        short_type_name::<M>()
    }

    fn run<'a>(self: Box<Self>, actor: &'a mut A, ctx: &'a ActorContext<A>) -> Boxed<'a> {
        let traced = self.traced(ctx);
        let body = async move {
            let Self { message, reply, credit, .. } = *self;
            let answer = actor.call(message, ctx).await;
            // Whoever has the answer finds room for the next call.
            drop(credit);
            // A caller that no longer waits is not an error.
            _ = reply.send(answer);
        };
        trace::follow(traced, Box::pin(body))
    }
}

impl<A, M> QueryJob<A> for Job<M, A::Reply>
where
    A: Query<M>,
    M: Send + 'static,
{
    fn label(&self) -> &'static str {
        short_type_name::<M>()
    }

    fn run<'a>(self: Box<Self>, actor: &'a A, ctx: &'a ActorContext<A>) -> Boxed<'a> {
        let traced = self.traced(ctx);
        let body = async move {
            let Self { message, reply, credit, .. } = *self;
            let answer = actor.query(message, ctx).await;
            drop(credit);
            _ = reply.send(answer);
        };
        trace::follow(traced, Box::pin(body))
    }

    fn run_shared(self: Box<Self>, actor: Arc<A>, ctx: ActorContext<A>) -> Boxed<'static> {
        let traced = self.traced(&ctx);
        let body = async move {
            let Self { message, reply, credit, .. } = *self;
            let answer = actor.query(message, &ctx).await;
            // Before the answer is out, so that a caller who goes on to `call` finds the actor alone.
            drop((actor, ctx, credit));
            _ = reply.send(answer);
        };
        trace::follow(traced, Box::pin(body))
    }
}

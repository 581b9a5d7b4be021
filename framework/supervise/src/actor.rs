//! How a system actor is written: a type that starts, handles messages, and may be told of its end.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use parking_lot::Mutex;
use ractor::{ActorCell, ActorRef, SupervisionEvent};
use raytree_types::{Cause, ExitKind};
use tokio::task::JoinSet;

use crate::addr::Addr;
use crate::envelope::{Body, Envelope, Guard};
use crate::{clock, panics};

/// A message of a system actor: an enum that derives `strum::IntoStaticStr`, so that a probe can name what is handled.
pub trait Message: Send + 'static {
    /// The name of the variant.
    fn label(&self) -> &'static str;
}

impl<M: Send + 'static> Message for M
where
    for<'a> &'a M: Into<&'static str>,
{
    fn label(&self) -> &'static str {
        self.into()
    }
}

/// A system actor. Its value is its state; its supervisor makes a new one for each life from fresh [`Actor::Args`].
///
/// `handle` is the table of contents: one line per variant, and never an `.await` on another actor's answer (use
/// [`Context::pipe`]).
pub trait Actor: Sized + Send + 'static {
    /// What it can be told.
    type Msg: Message;
    /// What its supervisor hands over at each start.
    type Args: Send + 'static;

    /// Begins a life. Runs linked to the supervisor, which hears of an error or panic here.
    ///
    /// # Errors
    /// A failure counts like any other end of the life.
    fn start(
        ctx: &Context<Self::Msg>,
        args: Self::Args,
    ) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// Handles one message.
    ///
    /// # Errors
    /// A failure ends this life; the supervisor decides what follows.
    fn handle(
        &mut self,
        ctx: &Context<Self::Msg>,
        message: Self::Msg,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The life ends in order; not called after a panic, an error or a kill.
    fn stopped(&mut self, _ctx: &Context<Self::Msg>) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Something happened to a linked child. Only supervisors have any.
    ///
    /// # Errors
    /// As for [`Actor::handle`].
    fn child_event(
        &mut self,
        _ctx: &Context<Self::Msg>,
        _event: SupervisionEvent,
    ) -> Result<(), Failure> {
        Ok(())
    }
}

/// Why a life ends before it was asked to. Made from any error with `?`.
#[derive(Debug)]
pub struct Failure(pub(crate) Box<ExitKind>);

impl Failure {
    /// A failure in one sentence.
    #[must_use]
    pub fn message(text: impl Into<String>) -> Self {
        Self::exit(ExitKind::Failed(Cause::message(text)))
    }

    /// A failure with a cause that is known already.
    #[must_use]
    pub fn of(cause: Cause) -> Self {
        Self::exit(ExitKind::Failed(cause))
    }

    /// Exactly this end.
    #[must_use]
    pub fn exit(kind: ExitKind) -> Self {
        Self(Box::new(kind))
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::exit(ExitKind::Failed(Cause::of_error(&error, std::any::type_name::<E>())))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A [`Failure`] on its way through ractor.
#[derive(Debug)]
pub(crate) struct ExitError(pub(crate) ExitKind);

impl fmt::Display for ExitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ExitError {}

/// What an actor has of itself while it lives.
pub struct Context<M> {
    pub(crate) addr: Addr<M>,
    pub(crate) myself: ActorRef<Envelope<M>>,
    pub(crate) life: u32,
    tasks: Mutex<JoinSet<()>>,
}

impl<M: Message> Context<M> {
    pub(crate) fn new(addr: Addr<M>, myself: ActorRef<Envelope<M>>, life: u32) -> Self {
        Self { addr, myself, life, tasks: Mutex::new(JoinSet::new()) }
    }

    /// Its own stable address.
    #[must_use]
    pub fn addr(&self) -> &Addr<M> {
        &self.addr
    }

    /// Which life this is; the first is 0.
    #[must_use]
    pub fn life(&self) -> u32 {
        self.life
    }

    /// Ends this life in order, after the current message.
    pub fn stop(&self, reason: &str) {
        self.myself.stop(Some(reason.to_owned()));
    }

    /// Starts work beside the actor. Its result comes back as a message to this very life; a panic in it fails the
    /// actor; when the life ends, the work is cancelled at its next await point.
    pub fn pipe(&self, work: impl Future<Output = Option<M>> + Send + 'static) {
        let (myself, probe) = (self.myself.clone(), self.addr.probe().clone());
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let body = match panics::watch(work).await {
                Ok(Some(message)) => Body::Message(message),
                Ok(None) => return,
                Err(cause) => Body::Failed(cause.during("piped work")),
            };
            // The life may have ended meanwhile; its result then interests nobody.
            _ = myself.cast(Envelope { body, guard: Guard::new(&probe, None, None) });
        });
    }

    /// Sends `message` to this life after `delay`.
    pub fn send_after(&self, delay: Duration, message: M) {
        self.pipe(async move {
            tokio::time::sleep(delay).await;
            Some(message)
        });
    }

    /// Sends a message every `period`. A tick waits until the one before it has been handled: a slow actor gets late
    /// ticks, never a heap of them.
    pub fn send_interval(&self, period: Duration, message: impl Fn() -> M + Send + 'static)
    where
        M: Send,
    {
        let addr = self.addr.clone();
        self.pipe(async move {
            loop {
                tokio::time::sleep(period).await;
                let Ok(handled) = addr.cast_acknowledged(message()) else { return None };
                // An error here means that the message was dropped, which also ends the wait.
                _ = handled.await;
            }
        });
    }

    /// Time on the clock that supervision uses.
    #[must_use]
    pub fn now(&self) -> Duration {
        clock::now()
    }

    pub(crate) fn cell(&self) -> ActorCell {
        self.myself.get_cell()
    }
}

impl<M> fmt::Debug for Context<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("addr", &self.addr).field("life", &self.life).finish()
    }
}

//! How a system actor is written: a type that starts, handles messages, and may be told of its end.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use parking_lot::Mutex;
use ractor::{ActorCell, ActorRef, SupervisionEvent};
use raytree_types::{Cause, ExitKind};
use tokio::task::{AbortHandle, JoinSet};

use crate::addr::Addr;
use crate::envelope::{Body, Envelope, Guard};
use crate::life::Part;
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
    part: Part,
    tasks: Mutex<JoinSet<()>>,
}

impl<M: Message> Context<M> {
    pub(crate) fn new(addr: Addr<M>, myself: ActorRef<Envelope<M>>, life: u32, part: Part) -> Self {
        Self { addr, myself, life, part, tasks: Mutex::new(JoinSet::new()) }
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
    /// actor before its next message; when the life ends, the work is cancelled at its next await point, and the life is
    /// not over before it is gone.
    pub fn pipe(&self, work: impl Future<Output = Option<M>> + Send + 'static) {
        // The handle would cancel it early.
        _ = self.start(work);
    }

    /// Sends `message` to this life after `delay`, unless the handle is told to abort before.
    pub fn send_after(&self, delay: Duration, message: M) -> AbortHandle {
        self.start(async move {
            tokio::time::sleep(delay).await;
            Some(message)
        })
    }

    fn start(&self, work: impl Future<Output = Option<M>> + Send + 'static) -> AbortHandle {
        let (myself, probe) = (self.myself.clone(), self.addr.probe().clone());
        let part = self.part.clone();
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            match panics::watch(work).await {
                Ok(Some(message)) => {
                    let guard = Guard::new(&probe, None);
                    // The life may have ended meanwhile; the result then interests nobody.
                    _ = myself.cast(Envelope { body: Body::Message(message), guard });
                }
                Ok(None) => {}
                Err(cause) => probe.body.work_failed(cause.during("piped work")),
            }
            drop(part);
        })
    }

    /// A part of this life: as long as anybody holds it, the life is not over. For work that cannot be cancelled, such as
    /// a thread that blocks.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part.clone()
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

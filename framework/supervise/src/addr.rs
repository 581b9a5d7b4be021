//! Stable addresses: where to send, whatever life the actor is in.
//!
//! Invariants:
//! - **AD-1 (parked):** what is sent while no life is up waits and is delivered to the next one, in order.
//! - **AD-2 (bounded):** at most `limit` credited messages wait or are handled; the next sender is refused or waits.
//! - **AD-3 (told):** a message that cannot be handled any more is dropped with its reply port, so its caller hears.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use ractor::{ActorCell, ActorRef, MessagingErr};
use raytree_types::{ExitKind, limits};
use tokio::sync::Semaphore;

use crate::actor::Message;
use crate::envelope::{Body, Credit, Envelope, Guard, Reply};
use crate::ping::Ping;
use crate::probe::{Kind, Probe};

/// The address of an actor, for its whole existence. Cloning is cheap; all clones are the same address.
pub struct Addr<M> {
    inner: Arc<Inner<M>>,
}

struct Inner<M> {
    probe: Arc<Probe>,
    route: RwLock<Route<M>>,
    credits: Arc<Semaphore>,
    limit: usize,
    last: OnceLock<ExitKind>,
    /// Sees each message on its way into a life.
    on_delivery: OnceLock<fn(&M)>,
}

enum Route<M> {
    /// No life is up: messages wait here. With `drain` the next life is to end once it has handled them.
    Parked { waiting: Mutex<VecDeque<Envelope<M>>>, drain: bool },
    /// A life is up.
    Live(ActorRef<Envelope<M>>, LifeToken),
    /// There will be no further life.
    Gone,
}

impl<M> Route<M> {
    fn parked(waiting: VecDeque<Envelope<M>>) -> Self {
        Self::Parked { waiting: Mutex::new(waiting), drain: false }
    }
}

/// Tells lives apart over the whole process: a life number may repeat when a supervisor itself is restarted.
pub(crate) type LifeToken = u64;

/// Why a message was not accepted. It comes back with the refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The bound of the mailbox is reached.
    #[error("{limit} messages are waiting or running, which is the bound")]
    Overloaded {
        /// The bound.
        limit: usize,
    },
    /// The actor has ended for good.
    #[error("it has ended for good")]
    Gone,
}

/// A refused message, whole, with the reason.
pub struct SendError<M> {
    /// Why.
    pub reason: Refused,
    /// The message.
    pub message: M,
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the message was not accepted: {}", self.reason)
    }
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<M> std::error::Error for SendError<M> {}

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It was not accepted.
    #[error("the call was not accepted: {0}")]
    Refused(#[from] Refused),
    /// It was accepted, and dropped without an answer: the actor ended, or chose not to answer.
    #[error("the call was dropped without an answer")]
    Dropped,
    /// No answer within the time given.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

impl<M: Message> Addr<M> {
    /// The address of a system actor that is not started yet.
    #[must_use]
    pub fn system<A>(name: &str) -> Self {
        Self::new(name, short_type_name::<A>(), limits::SYSTEM_MAILBOX_MAX, Kind::System)
    }

    /// An address with a mailbox bound of its own. `type_name` is what the tree shows.
    #[must_use]
    pub fn new(name: &str, type_name: &'static str, limit: usize, kind: Kind) -> Self {
        let probe = Probe::new(name.to_owned(), type_name, limit, kind);
        let inner = Arc::new(Inner {
            probe: Arc::clone(&probe),
            route: RwLock::new(Route::parked(VecDeque::new())),
            credits: Arc::new(Semaphore::new(limit)),
            limit,
            last: OnceLock::new(),
            on_delivery: OnceLock::new(),
        });
        let (waker, closer) = (Arc::downgrade(&inner), Arc::downgrade(&inner));
        probe.body.connect(
            move |ping| {
                if let Some(inner) = waker.upgrade() {
                    inner.wake(ping);
                }
            },
            move |last| {
                if let Some(inner) = closer.upgrade() {
                    inner.close(last);
                }
            },
        );
        Self { inner }
    }

    /// Shows each message to `look` when it goes to a life, so that it can know which life it was lost with. To be said
    /// before the first message.
    pub fn on_delivery(&self, look: fn(&M)) {
        // Said once, by the one who made the address.
        _ = self.inner.on_delivery.set(look);
    }

    /// Sends what must not be refused for load: replies, cancels, supervision, timers. Their number is bounded by the
    /// protocol that uses them.
    ///
    /// # Errors
    /// [`Refused::Gone`] when the actor has ended for good.
    pub fn cast(&self, message: M) -> Result<(), SendError<M>> {
        self.give(message, None)
    }

    /// As [`Addr::cast`], for a message that a life has lost: while no life is up, it waits before all others. Of several
    /// the last one is to be sent first.
    ///
    /// # Errors
    /// [`Refused::Gone`] when the actor has ended for good.
    pub fn cast_first(&self, message: M) -> Result<(), SendError<M>> {
        let guard = Guard::new(&self.inner.probe, None);
        let envelope = Envelope { body: Body::Message(message), guard };
        let envelope = match &mut *self.inner.route.write() {
            Route::Parked { waiting, .. } => {
                waiting.get_mut().push_front(envelope);
                return Ok(());
            }
            Route::Live(..) | Route::Gone => envelope,
        };
        self.delivered(envelope)
    }

    /// Sends new work if there is room.
    ///
    /// # Errors
    /// [`Refused::Overloaded`] at the bound, [`Refused::Gone`] when the actor has ended for good.
    pub fn try_send(&self, message: M) -> Result<(), SendError<M>> {
        match self.try_credit() {
            Ok(credit) => self.give(message, Some(credit)),
            Err(reason) => Err(SendError { reason, message }),
        }
    }

    /// Sends new work, waiting for room.
    ///
    /// # Errors
    /// [`Refused::Gone`] when the actor has ended for good.
    ///
    /// # Cancel safety
    /// Dropping the future before it is ready sends nothing.
    pub async fn send(&self, message: M) -> Result<(), SendError<M>> {
        match self.credit().await {
            Ok(credit) => self.give(message, Some(credit)),
            Err(reason) => Err(SendError { reason, message }),
        }
    }

    /// Asks and waits for the answer, at most `timeout`.
    ///
    /// # Errors
    /// [`CallError`], one variant for each way of having no answer.
    ///
    /// # Cancel safety
    /// Dropping the future does not take the call back.
    pub async fn call<T: Send + 'static>(
        &self,
        message: impl FnOnce(Reply<T>) -> M,
        timeout: Duration,
    ) -> Result<T, CallError> {
        let (reply, answer) = Reply::pair();
        self.try_send(message(reply)).map_err(|error| error.reason)?;
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) => Err(CallError::Dropped),
            Err(_) => Err(CallError::Timeout(timeout)),
        }
    }

    /// A credit for one message, if there is one.
    ///
    /// # Errors
    /// [`Refused`], as for [`Addr::try_send`].
    pub fn try_credit(&self) -> Result<Credit, Refused> {
        Arc::clone(&self.inner.credits).try_acquire_owned().map_err(|error| match error {
            tokio::sync::TryAcquireError::NoPermits => {
                self.inner.probe.refused();
                Refused::Overloaded { limit: self.inner.limit }
            }
            tokio::sync::TryAcquireError::Closed => Refused::Gone,
        })
    }

    /// A credit for one message, as soon as there is one.
    ///
    /// # Errors
    /// [`Refused::Gone`] when the actor has ended for good.
    pub async fn credit(&self) -> Result<Credit, Refused> {
        Arc::clone(&self.inner.credits).acquire_owned().await.map_err(|_| Refused::Gone)
    }

    fn give(&self, message: M, credit: Option<Credit>) -> Result<(), SendError<M>> {
        let guard = Guard::new(&self.inner.probe, credit);
        self.delivered(Envelope { body: Body::Message(message), guard })
    }

    fn delivered(&self, envelope: Envelope<M>) -> Result<(), SendError<M>> {
        match self.inner.deliver(envelope) {
            None => Ok(()),
            Some(Envelope { body: Body::Message(message), .. }) => {
                Err(SendError { reason: Refused::Gone, message })
            }
            Some(_) => Ok(()),
        }
    }
}

impl<M: Send + 'static> Addr<M> {
    /// Both lead to the same actor.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Its probe.
    #[must_use]
    pub fn probe(&self) -> &Arc<Probe> {
        &self.inner.probe
    }

    /// The bound of its mailbox.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.inner.limit
    }

    /// How it ended, once it has ended for good.
    #[must_use]
    pub fn last_exit(&self) -> Option<&ExitKind> {
        self.inner.last.get()
    }

    /// A life is up: what was parked goes to it first (AD-1). It may replace an older one whose remains have not been
    /// cleared away yet.
    pub(crate) fn up(&self, actor: ActorRef<Envelope<M>>, life: LifeToken) {
        let mut route = self.inner.route.write();
        let mut drain_now = false;
        match &mut *route {
            Route::Gone => return,
            Route::Live(..) => {}
            Route::Parked { waiting, drain } => {
                drain_now = *drain;
                let waiting = waiting.get_mut();
                while let Some(envelope) = waiting.pop_front() {
                    self.inner.show(&envelope);
                    if let Err(MessagingErr::SendErr(envelope)) = actor.cast(envelope) {
                        waiting.push_front(envelope);
                        return;
                    }
                }
            }
        }
        if drain_now {
            // Fails only when the life is ending already.
            _ = actor.get_cell().drain();
        }
        *route = Route::Live(actor, life);
    }

    /// The present life, or the one that is about to come up, is to end once everything sent so far is handled. `life` is the
    /// one that is meant, also where the address is closed already.
    pub(crate) fn drain(&self, life: &ActorCell) {
        match &mut *self.inner.route.write() {
            Route::Live(actor, _) => _ = actor.get_cell().drain(),
            Route::Parked { drain, .. } => *drain = true,
            // Fails only when it is ending already.
            Route::Gone => _ = life.drain(),
        }
    }

    /// That life is no longer up.
    pub(crate) fn down(&self, life: LifeToken) {
        let mut route = self.inner.route.write();
        if matches!(&*route, Route::Live(_, live) if *live == life) {
            *route = Route::parked(VecDeque::new());
        }
    }

    /// There will be no further life. What is parked is dropped (AD-3).
    pub fn close(&self, last: ExitKind) {
        self.inner.close(last);
    }
}

impl<M: Send + 'static> Inner<M> {
    /// Sends what the adapter answers, and not the actor.
    fn wake(&self, ping: Option<Box<Ping>>) {
        let guard = Guard::new(&self.probe, None);
        let Some(ping) = ping else {
            self.deliver(Envelope { body: Body::Wake, guard });
            return;
        };
        let envelope = Envelope { body: Body::Ping(ping), guard };
        // It is not parked (PG-1): where no life is up it is dropped, and so whoever asks is told.
        if let Route::Live(actor, _) = &*self.route.read() {
            _ = actor.cast(envelope);
        }
    }

    /// Gives the envelope back when there will be no life to handle it.
    fn deliver(&self, envelope: Envelope<M>) -> Option<Envelope<M>> {
        let (envelope, tried) = {
            let route = self.route.read();
            match &*route {
                Route::Live(actor, life) => {
                    self.show(&envelope);
                    match actor.cast(envelope) {
                        Err(MessagingErr::SendErr(envelope)) => (envelope, Some(*life)),
                        _ => return None,
                    }
                }
                Route::Parked { .. } => (envelope, None),
                Route::Gone => return Some(envelope),
            }
        };
        self.park(envelope, tried)
    }

    fn close(&self, last: ExitKind) {
        _ = self.last.set(last);
        self.credits.close();
        let old = std::mem::replace(&mut *self.route.write(), Route::Gone);
        // After the lock: a dropped reply port may run its caller's waker.
        drop(old);
    }

    fn park(&self, envelope: Envelope<M>, tried: Option<LifeToken>) -> Option<Envelope<M>> {
        let mut route = self.route.write();
        match &mut *route {
            Route::Gone => Some(envelope),
            Route::Parked { waiting, .. } => {
                waiting.get_mut().push_back(envelope);
                None
            }
            // The life ended under us, and its guard has not said so yet.
            Route::Live(_, life) if tried == Some(*life) => {
                *route = Route::parked(VecDeque::from([envelope]));
                None
            }
            // A new life came up between the two locks.
            Route::Live(actor, _) => {
                self.show(&envelope);
                if let Err(MessagingErr::SendErr(envelope)) = actor.cast(envelope) {
                    *route = Route::parked(VecDeque::from([envelope]));
                }
                None
            }
        }
    }

    fn show(&self, envelope: &Envelope<M>) {
        if let (Body::Message(message), Some(look)) = (&envelope.body, self.on_delivery.get()) {
            look(message);
        }
    }
}

impl<M> Clone for Addr<M> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<M> fmt::Debug for Addr<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Addr").field(&self.inner.probe.path()).finish()
    }
}

/// The last part of a type's path: `Counter`, not `my_crate::actors::Counter`.
#[must_use]
pub fn short_type_name<A>() -> &'static str {
    let full = std::any::type_name::<A>();
    let head = full.split('<').next().unwrap_or(full);
    head.rsplit("::").next().unwrap_or(full)
}

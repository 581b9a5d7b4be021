//! What an actor has of itself while it handles a call.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use raytree_supervise::Addr;
use raytree_types::{ActorId, ActorOptions, Cause, Incarnation, Result};

use crate::runtime::{Runtime, life};
use crate::task::failure;
use crate::user::actor::{Actor, BoxError};
use crate::user::actor_ref::ActorRef;
use crate::user::handle::ActorHandle;
use crate::user::job::HostedMsg;
use crate::user::remote::{Handle as _, Remote};
use crate::user::status::Cell;

/// The actor's view of itself and of its runtime. Cheap to clone; valid for one life.
pub struct ActorContext<A: Actor> {
    pub(crate) cell: Arc<Cell>,
    pub(crate) addr: Addr<HostedMsg<A>>,
    pub(crate) incarnation: Incarnation,
    pub(crate) wish: Arc<Mutex<Option<Wish>>>,
}

/// What an actor wants of itself once the current handler has returned.
pub(crate) enum Wish {
    Stop(String),
    Fail(Cause),
}

impl<A: Actor> ActorContext<A> {
    /// Its own id.
    #[must_use]
    pub fn id(&self) -> ActorId {
        self.cell.id
    }

    /// Which life this is.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.cell.name
    }

    /// The runtime it lives in. An actor that keeps it in its state keeps the runtime alive until it is shut down.
    ///
    /// # Errors
    /// `RuntimeGone` while the runtime is being torn down.
    pub fn runtime(&self) -> Result<Runtime> {
        self.cell.runtime.upgrade().map(Runtime::of).ok_or_else(|| self.cell.gone())
    }

    /// Starts a child: an actor that ends before this one does, and before this one is restarted. `raytree::spawn` called
    /// in a handler starts an actor that nobody owns.
    ///
    /// # Errors
    /// As for [`Runtime::spawn`].
    pub fn spawn<B: Actor>(&self, args: B::Args, options: ActorOptions) -> Result<ActorHandle<B>> {
        self.runtime()?.spawn_owned(args, options, Some(self.cell.id))
    }

    /// Ends this actor in order, once the current handler has returned. Queued calls are not handled. May be called from
    /// a task of the actor's own; a context of an earlier life does nothing.
    pub fn stop(&self, reason: &str) {
        self.wish(Wish::Stop(reason.to_owned()));
    }

    /// Fails this actor, once the current handler has returned: its supervisor restarts it if it has restarts left.
    pub fn fail<E: Into<BoxError>>(&self, error: E) {
        self.wish(Wish::Fail(failure::cause(error).0));
    }

    fn wish(&self, wish: Wish) {
        *self.wish.lock() = Some(wish);
        // For an actor that is idle: this may be a task that the actor started. Refused when it has ended.
        _ = self.addr.cast(HostedMsg::Settle);
    }

    /// A handle of messages on itself, as [`Runtime::spawn`] gives it. It counts like any other: an actor that keeps one
    /// lives until it ends itself.
    #[must_use]
    pub fn actor_handle(&self) -> ActorHandle<A> {
        let lease = self.cell.lease();
        ActorHandle { addr: self.addr.clone(), lease }
    }
}

impl<A: Remote> ActorContext<A> {
    /// A handle on itself, to be given to others or kept: one with the actor's own methods. It counts like any other: an
    /// actor that keeps one lives until it ends itself. A method that waits for another one of its own waits for ever.
    #[must_use]
    pub fn handle(&self) -> A::Handle {
        let runtime = self.cell.runtime.upgrade();
        A::Handle::of(match runtime {
            Some(runtime) => ActorRef::live_of(self.actor_handle(), runtime.life),
            None => ActorRef::refused(self.cell.gone(), life::nowhere()),
        })
    }
}

impl<A: Actor> Clone for ActorContext<A> {
    fn clone(&self) -> Self {
        Self {
            cell: Arc::clone(&self.cell),
            addr: self.addr.clone(),
            incarnation: self.incarnation,
            wish: Arc::clone(&self.wish),
        }
    }
}

impl<A: Actor> fmt::Debug for ActorContext<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorContext")
            .field("actor", &self.cell)
            .field("incarnation", &self.incarnation)
            .finish_non_exhaustive()
    }
}

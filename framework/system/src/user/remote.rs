//! Actor types marked `#[remote]`, and the handles made for them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use raytree_supervise::Probe;
use raytree_types::{ActorId, ActorOptions, Exit, Result};

use super::actor::Actor;
use super::actor_ref::ActorRef;
use super::handle::exit_of;
use super::status::Status;
use crate::task::args::Args;
use crate::task::context::lending;
use crate::task::definition::Info;

/// An actor type marked `#[remote]`: it has a constructor `new` and a handle type of its own.
pub trait Remote: Actor {
    /// The parameters of its constructor, as a tuple.
    type Params: Args;
    /// Its handle, with one method for each method of the actor.
    type Handle: Handle<Actor = Self>;

    #[doc(hidden)]
    fn info() -> &'static Info;

    #[doc(hidden)]
    fn options() -> ActorOptions;
}

/// An end that was asked for; awaiting it waits until the actor is dead.
pub type Ending = Pin<Box<dyn Future<Output = Result<Exit>> + Send>>;

/// What every handle can do. A trait, so that an actor's own methods of these names win.
///
/// A handle is a value: it can be cloned, passed to tasks and actors, and sent inside other values. Calls through one
/// handle are handled in the order in which they were made; a clone is a caller of its own. When the last handle of an
/// actor that is neither named nor detached is dropped, the actor finishes what is queued, and ends.
pub trait Handle: Clone + Send + Sync + 'static {
    /// The actor's type.
    type Actor: Remote<Handle = Self>;

    #[doc(hidden)]
    fn of(inner: ActorRef<Self::Actor>) -> Self;

    #[doc(hidden)]
    fn inner(&self) -> &ActorRef<Self::Actor>;

    /// Its id, the same over all its lives; none when it could not be created.
    fn id(&self) -> Option<ActorId> {
        self.inner().live().ok().map(|handle| handle.id())
    }

    /// Its label: what its options say, else its type.
    fn label(&self) -> String {
        match self.inner().live() {
            Ok(handle) => handle.name().to_owned(),
            Err(_) => raytree_supervise::short_type_name::<Self::Actor>().to_owned(),
        }
    }

    /// Where it is in its existence.
    ///
    /// # Errors
    /// Why it could not be created.
    fn status(&self) -> Result<Status> {
        self.inner().live().map(|handle| handle.status())
    }

    /// Waits until its constructor has returned.
    ///
    /// # Errors
    /// Why it could not be created; [`ActorDied`](raytree_types::Error::ActorDied) with the constructor's error, or
    /// whatever else ended it for good.
    fn ready(&self) -> impl Future<Output = Result<()>> + Send {
        let handle = self.inner().live().cloned();
        async move { handle?.ready().await }
    }

    /// Waits until a call would find room: fewer are pending than its `mailbox` option allows. For a caller that would
    /// rather wait than be told [`Overloaded`](raytree_types::Error::Overloaded).
    ///
    /// # Errors
    /// Why it could not be created; [`ActorDied`](raytree_types::Error::ActorDied) when it has ended for good.
    fn room(&self) -> impl Future<Output = Result<()>> + Send {
        let handle = self.inner().live().cloned();
        async move {
            let handle = handle?;
            let credit = lending(handle.addr.credit()).await;
            credit.map(drop).map_err(|refused| handle.refusal(refused))
        }
    }

    /// Ends it in order: its children first, then what is queued, then its `on_stop`. The end is asked for at once,
    /// awaiting it waits until it has come.
    ///
    /// # Errors
    /// Why it could not be created; [`RuntimeGone`](raytree_types::Error::RuntimeGone) when the runtime ends first.
    fn stop(&self) -> Ending {
        if let Ok(handle) = self.inner().live() {
            handle.stop_soon();
        }
        self.exited()
    }

    /// Ends it and its children at their next await point; queued calls get
    /// [`ActorDied`](raytree_types::Error::ActorDied). It is not restarted.
    ///
    /// # Errors
    /// As for [`Handle::stop`].
    fn kill(&self) -> Ending {
        if let Ok(handle) = self.inner().live() {
            handle.kill();
        }
        self.exited()
    }

    /// Waits for its end for good. The wait does not keep it alive.
    ///
    /// # Errors
    /// As for [`Handle::stop`].
    fn exited(&self) -> Ending {
        let cell = self.inner().live().map(|handle| Arc::clone(handle.cell()));
        Box::pin(async move { exit_of(cell?).await })
    }

    /// Its probe: counters, causes, flight recorder and the *panic now* test hook.
    fn probe(&self) -> Option<Arc<Probe>> {
        self.inner().live().ok().map(|handle| Arc::clone(handle.probe()))
    }
}

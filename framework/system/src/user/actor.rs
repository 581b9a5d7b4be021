//! The actor trait: a type that is started from arguments and answers typed messages.

use std::error::Error;
use std::future::Future;

use raytree_types::Exit;

use crate::user::context::ActorContext;

/// Any error a constructor may return.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A user's actor: private state, one `&mut self` call at a time, restarted by its supervisor.
///
/// Implement [`Call`] for messages that change it and [`Query`] for those that only read it.
///
/// ```
/// use raytree_system::{Actor, ActorContext, BoxError, Call, Init, Query};
///
/// struct Counter(u64);
/// struct Add(u64);
/// struct Value;
///
/// impl Actor for Counter {
///     type Args = u64;
///     async fn start(start: u64, _ctx: &ActorContext<Self>) -> Result<Self, BoxError> {
///         Ok(Self(start))
///     }
/// }
/// impl Call<Add> for Counter {
///     type Reply = u64;
///     async fn call(&mut self, Add(amount): Add, _ctx: &ActorContext<Self>) -> u64 {
///         self.0 += amount;
///         self.0
///     }
/// }
/// impl Query<Value> for Counter {
///     type Reply = u64;
///     async fn query(&self, _: Value, _ctx: &ActorContext<Self>) -> u64 {
///         self.0
///     }
/// }
///
/// let runtime = Init::new().cpus(2.0).start()?;
/// runtime.block_on(async {
///     let counter = runtime.spawn::<Counter>(10, Default::default())?;
///     counter.call(Add(5));
///     assert_eq!(counter.call(Add(5)).await?, 20);
///     assert_eq!(counter.query(Value).await?, 20);
///     Ok::<(), raytree_types::Error>(())
/// })?;
/// runtime.shutdown();
/// # Ok::<(), raytree_types::Error>(())
/// ```
pub trait Actor: Sized + Send + Sync + 'static {
    /// What it is constructed from. Kept, and cloned for each life.
    type Args: Clone + Send + Sync + 'static;

    /// Begins a life. Calls made meanwhile wait.
    ///
    /// # Errors
    /// The caller of every waiting call is told, with this cause; restarts apply as for a panic.
    fn start(
        args: Self::Args,
        ctx: &ActorContext<Self>,
    ) -> impl Future<Output = Result<Self, BoxError>> + Send;

    /// The life ends in order: after `stop`, after the last handle was dropped, in a shutdown. Not after a panic or kill.
    fn stopped(&mut self, _ctx: &ActorContext<Self>) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// A child that was spawned with `tell_parent` has ended a life.
    fn child_exited(
        &mut self,
        _exit: Exit,
        _ctx: &ActorContext<Self>,
    ) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// An actor that answers `M` with exclusive access: no other handler of it runs meanwhile.
pub trait Call<M: Send + 'static>: Actor {
    /// The answer. A `Result` is an answer like any other; the actor lives on after an `Err`.
    type Reply: Send + 'static;

    /// Handles one message. A panic ends this life of the actor, and the caller is told.
    fn call(
        &mut self,
        message: M,
        ctx: &ActorContext<Self>,
    ) -> impl Future<Output = Self::Reply> + Send;
}

/// An actor that answers `M` from a shared view: up to `max_concurrency` such handlers overlap.
pub trait Query<M: Send + 'static>: Actor {
    /// The answer.
    type Reply: Send + 'static;

    /// Handles one message. They begin in the order of arrival. A panic ends this life of the actor.
    fn query(
        &self,
        message: M,
        ctx: &ActorContext<Self>,
    ) -> impl Future<Output = Self::Reply> + Send;
}

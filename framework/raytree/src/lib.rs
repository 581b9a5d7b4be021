//! Distributed tasks, actors and objects on one supervision tree.
//!
//! This is the one crate an application names. Today it holds the embedded runtime and the actor trait; typed tasks and
//! objects join them here.
//!
//! ```
//! use raytree::prelude::*;
//!
//! struct Greeter;
//! struct Greet(&'static str);
//!
//! impl Actor for Greeter {
//!     type Args = ();
//!     async fn start(_: (), _ctx: &ActorContext<Self>) -> Result<Self, BoxError> {
//!         Ok(Self)
//!     }
//! }
//! impl Query<Greet> for Greeter {
//!     type Reply = String;
//!     async fn query(&self, Greet(whom): Greet, _ctx: &ActorContext<Self>) -> String {
//!         format!("hello {whom}")
//!     }
//! }
//!
//! raytree::run(async {
//!     let greeter = raytree::spawn::<Greeter>((), ActorOptions::new())?;
//!     assert_eq!(greeter.query(Greet("tree")).await?, "hello tree");
//!     Ok::<(), raytree::Error>(())
//! })??;
//! # Ok::<(), raytree::Error>(())
//! ```

mod attributes;
mod items;
mod run;
mod thrown;

pub use attributes::{main, remote, test};
pub use raytree_system::{
    Actor, ActorContext, ActorHandle, Arg, BoxError, Call, Ending, Entered, GetAll, Handle, Init,
    IntoArg, IntoRef, Lifecycle, ObjectRef, ObjectStream, Pending, Put, Query, Remote, Runtime,
    Shared, Status, StreamTask, Submit, Task, TaskContext, Value, Wait, Waited, current, get_actor,
    get_actor_in, get_all, put, registered, wait,
};
pub use raytree_types::{
    ActorId, ActorOptions, Array, Backoff, Bytes, Cause, Error, Exit, ExitKind, Incarnation,
    Resources, Result, RuntimeId, TaskId, TaskOptions, inspect, limits,
};
pub use run::{run, run_on};

/// What the attribute macros write code against. Not for hand-written code.
#[doc(hidden)]
pub mod __macro {
    pub use crate::items::{iterate, iterate_results, pour, pour_results};
    pub use crate::run::{main_async, main_sync, test_async, test_init, test_sync};
    pub use crate::thrown::{KeepsNothing, thrown};
    pub use raytree_system::macros::*;
    pub use raytree_types::codec::Codec;
    pub use serde;
}

/// The one glob of the facade: `use raytree::prelude::*`.
pub mod prelude {
    pub use crate::{
        Actor, ActorContext, ActorHandle, ActorOptions, BoxError, Call, Exit, ExitKind, Handle,
        ObjectRef, ObjectStream, Pending, Query, Resources, Runtime, Shared, Task, TaskContext,
        TaskOptions, remote,
    };
}

/// Options of a runtime that is about to start.
///
/// ```
/// let runtime = raytree::init().cpus(4.0).resource("special_hardware", 4.0).start()?;
/// assert_eq!(runtime.cluster_resources().to_string(), "4 CPU, 4 special_hardware");
/// runtime.shutdown();
/// # Ok::<(), raytree::Error>(())
/// ```
pub fn init() -> Init {
    Init::new()
}

/// Starts an actor in the current runtime. See [`Runtime::spawn`].
///
/// # Errors
/// [`Error::NoRuntime`] where there is none; else as [`Runtime::spawn`].
pub fn spawn<A: Actor>(args: A::Args, options: ActorOptions) -> Result<ActorHandle<A>> {
    current()?.spawn(args, options)
}

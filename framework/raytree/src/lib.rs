//! Distributed tasks, actors and objects on one supervision tree.
//!
//! This is the one crate an application names. Functions and types marked [`#[remote]`](macro@remote) become tasks and
//! actors, and [`ObjectRef`]s to their results are futures, and arguments of further calls.
//!
//! ```
//! use raytree::prelude::*;
//! use std::time::Duration;
//!
//! /// `square(3)` runs here; `square::remote(3)` runs wherever there is room.
//! #[remote]
//! fn square(x: u64) -> u64 {
//!     x * x
//! }
//!
//! #[derive(Debug, thiserror::Error)]
//! #[error("cannot average an empty list")]
//! struct Empty;
//!
//! #[remote(cpus = 1, retries = 3)]
//! async fn mean(values: Vec<u64>) -> Result<f64, Empty> {
//!     if values.is_empty() {
//!         return Err(Empty);
//!     }
//!     Ok(values.iter().sum::<u64>() as f64 / values.len() as f64)
//! }
//!
//! pub struct Counter {
//!     value: u64,
//! }
//!
//! #[remote(restarts = 2)]
//! impl Counter {
//!     pub fn new(start: u64) -> Self {
//!         Self { value: start }
//!     }
//!
//!     pub fn add(&mut self, amount: u64) -> u64 {
//!         self.value += amount;
//!         self.value
//!     }
//! }
//!
//! #[raytree::main(cpus = 4)]
//! async fn main() -> raytree::Result<()> {
//!     // Tasks. A reference is an argument like any other: nothing is fetched here.
//!     let nine = square::remote(3);
//!     let eighty_one = square::remote(&nine);
//!     assert_eq!(eighty_one.await?, square(9));
//!
//!     // Objects, and options as plain values.
//!     let values = raytree::put(vec![1, 2, 3]).await?;
//!     let heavy = TaskOptions::new().cpus(4.0).timeout(Duration::from_secs(30));
//!     let average = mean::with(heavy).remote(&values);
//!
//!     // Wait for the first ten of a hundred.
//!     let refs: Vec<_> = (0..100).map(square::remote).collect();
//!     let done = raytree::wait(refs).count(10).timeout(Duration::from_secs(1)).await?;
//!     println!("{} ready, {} pending", done.ready.len(), done.pending.len());
//!     let firsts: Vec<u64> = raytree::get_all(&done.ready).await?;
//!     println!("{firsts:?}");
//!
//!     // Actors: typed handles, one call at a time, in order.
//!     let counter = Counter::remote(10);
//!     counter.add(5);
//!     assert_eq!(counter.add(5).await?, 20);
//!
//!     // A named actor, found again by its name.
//!     let options = ActorOptions::new().name("scores").detached();
//!     Counter::with(options).remote(0);
//!     let scores = raytree::get_actor::<Counter>("scores").await?;
//!     scores.add(1).await?;
//!     scores.kill().await?;
//!
//!     // Errors are values that say what died and why.
//!     match average.await {
//!         Ok(mean) => println!("mean {mean}"),
//!         Err(raytree::Error::TaskFailed { task, cause }) => eprintln!("{task}: {cause}"),
//!         Err(error) => return Err(error),
//!     }
//!     Ok(())
//! }
//! ```
//!
//! | to | there is |
//! |---|---|
//! | mark functions and actor types | [`#[remote]`](macro@remote) |
//! | begin a program or a test | [`#[raytree::main]`](macro@main), [`#[raytree::test]`](macro@test), [`init`], [`run`], [`testing`] |
//! | make objects and wait for them | [`put`], [`get_all`], [`wait`], [`ObjectRef`], [`ObjectStream`] |
//! | say how | [`TaskOptions`], [`ActorOptions`] |
//! | send many bytes or numbers, read where they lie | [`Bytes`], [`Array`], with a shape [`NdArray`] |
//! | send columns of a table | `raytree::arrow`, with the feature `arrow` |
//! | look after actors | [`Handle`], [`get_actor`], [`Exit`] |
//! | see what there is and what has run | [`state`] |
//! | read what went wrong | [`Error`], [`Cause`] |
//!
//! Below the attribute lies a trait, for actors whose messages are types of their own:
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
pub mod logs;
mod outcome;
mod run;
pub mod state;
pub mod testing;
mod thrown;

pub use attributes::{main, remote, test};
#[cfg(feature = "arrow")]
pub use raytree_arrow as arrow;
pub use raytree_system::{
    Actor, ActorContext, ActorHandle, Arg, BoxError, Call, Ending, Entered, GetAll, Handle, Init,
    IntoArg, IntoRef, Lifecycle, ObjectRef, ObjectStream, Pending, Put, Query, Remote, Runtime,
    Shared, Status, StreamTask, Submit, Task, TaskContext, Value, Wait, Waited, current, get_actor,
    get_actor_in, get_all, put, registered, trace, wait,
};
pub use raytree_types::{
    AbandonedThreads, ActorId, ActorOptions, Array, Backoff, Bytes, Cause, Error, Exit, ExitKind,
    Incarnation, NdArray, Resources, Result, RuntimeId, ShapeError, TaskId, TaskOptions, Unrebuilt,
    inspect, limits,
};
pub use run::{run, run_on};

/// What the attribute macros write code against. Not for hand-written code.
#[doc(hidden)]
pub mod __macro {
    pub use crate::items::{iterate, iterate_results, pour, pour_results};
    pub use crate::outcome::{EndsByItself, EndsWithLocalSentence, EndsWithSentence, Outcome};
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

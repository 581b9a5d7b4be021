//! The attributes, with their documentation.

/// Makes a function remote, or an actor of a type.
///
/// # Functions
///
/// A remote function runs somewhere else when it is called by `name::remote(..)`. The function itself stays what it
/// was. Beside it come, as visible as it is,
///
/// | | |
/// |---|---|
/// | `name::remote(a, b)` | submits a call; gives an [`ObjectRef`](crate::ObjectRef) at once |
/// | `name::submit(a, b).await` | the same, but waits for room where too many calls wait already |
/// | `name::with(options).remote(a, b)` | with other [`TaskOptions`](crate::TaskOptions) |
/// | `name::task()` | the function as a value: a [`Task`](crate::Task) |
///
/// ```
/// use raytree::prelude::*;
///
/// #[remote]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// #[raytree::main]
/// async fn main() -> raytree::Result<()> {
///     let nine = square::remote(3);
///     assert_eq!(square::remote(&nine).await?, square(9));
///     Ok(())
/// }
/// ```
///
/// ## Parameters
///
/// Every argument is a value of the parameter's type, or a reference to one, whose value is fetched before the
/// function runs ([`IntoArg`](crate::IntoArg)).
///
/// | parameter | a caller passes | the function gets |
/// |---|---|---|
/// | `T` | a `T` | its own; cloned only if others have it too |
/// | `&T`, `&[T]`, `&str` | a `T`, `Vec<T>`, `String` | a look at it |
/// | `Shared<T>` | a `T` | a share of it, to be kept |
/// | `ObjectRef<T>` | an `ObjectRef<T>` | the reference: nothing is fetched |
/// | `&TaskContext` | nothing | its own task's context |
///
/// ## Results
///
/// A type called `Result<T, E>` is opened: the reference is one to a `T`, and an `Err` makes the task fail. The caller
/// gets [`Error::TaskFailed`](crate::Error::TaskFailed), with the error's type, message and chain; if `E` is
/// serialisable, [`Error::downcast`](crate::Error::downcast) gives it back. `E` is anything that goes into a
/// `Box<dyn Error + Send + Sync>`: an error type, a `String`, `anyhow::Error`.
///
/// `impl Iterator<Item = T>` and `impl Stream<Item = T>` give an [`ObjectStream<T>`](crate::ObjectStream): its items
/// travel as they are made. Items that are `Result`s end it at the first `Err`.
///
/// ```
/// use raytree::prelude::*;
///
/// #[derive(Debug, serde::Serialize, serde::Deserialize, thiserror::Error)]
/// #[error("cannot average an empty list")]
/// struct Empty;
///
/// #[remote(cpus = 0.5)]
/// async fn mean(values: &[f64]) -> Result<f64, Empty> {
///     if values.is_empty() {
///         return Err(Empty);
///     }
///     Ok(values.iter().sum::<f64>() / values.len() as f64)
/// }
///
/// #[remote]
/// fn halves(mut x: f64) -> impl Iterator<Item = f64> {
///     std::iter::from_fn(move || {
///         x /= 2.0;
///         (x > 1.0).then_some(x)
///     })
/// }
///
/// #[raytree::main]
/// async fn main() -> raytree::Result<()> {
///     let values = raytree::put(vec![1.0, 2.0]).await?;
///     assert_eq!(mean::remote(&values).await?, 1.5);
///     let failed = mean::remote(Vec::<f64>::new()).await.unwrap_err();
///     assert!(failed.downcast::<Empty>().is_some());
///
///     let mut halves = halves::remote(8.0);
///     assert_eq!(halves.next().await, Some(Ok(4.0)));
///     Ok(())
/// }
/// ```
///
/// ## Options
///
/// `#[remote(cpus = 1, retries = 3)]`; each is explained at the method of [`TaskOptions`](crate::TaskOptions) that has
/// its name.
///
/// | option | example |
/// |---|---|
/// | resources | `cpus = 1`, `gpus = 0.5`, `resources(special_hardware = 1)` |
/// | another name in messages | `name = "x"` |
/// | another run after a lost worker | `retries = 3` |
/// | another run after an error | `retry_errors = 2`, `retry_on(MyError, Other)` |
/// | time | `timeout = "30s"`, `queue_timeout = "500ms"` |
/// | items that a stream may be ahead | `window = 16` |
/// | a process of its own for each run | `isolated` |
/// | how values travel | `codec = "self_describing"`, for types that the compact codec cannot carry |
///
/// # Actors
///
/// On an `impl` block the attribute makes an actor of its type: state that lives somewhere, with methods that are called
/// from anywhere through a handle. The block itself stays what it was. Beside it come, as visible as `new` is,
///
/// | | |
/// |---|---|
/// | `Counter::remote(a, b)` | creates an actor with `new(a, b)`; gives its handle at once |
/// | `Counter::with(options).remote(a, b)` | with other [`ActorOptions`](crate::ActorOptions) |
/// | `CounterHandle` | the handle: one method for each of the actor's, and what [`Handle`](crate::Handle) has |
///
/// ```
/// use raytree::prelude::*;
///
/// pub struct Counter {
///     value: u64,
/// }
///
/// #[remote(restarts = 2)]
/// impl Counter {
///     pub fn new(start: u64) -> Self {
///         Self { value: start }
///     }
///
///     pub fn add(&mut self, amount: u64) -> u64 {
///         self.value += amount;
///         self.value
///     }
///
///     pub fn value(&self) -> u64 {
///         self.value
///     }
///
///     #[remote(on_stop)]
///     async fn say_goodbye(&mut self) {
///         println!("{} in the end", self.value);
///     }
/// }
///
/// #[raytree::main]
/// async fn main() -> raytree::Result<()> {
///     let counter = Counter::remote(10);
///     counter.add(5);
///     assert_eq!(counter.add(5).await?, 20);
///     assert_eq!(counter.value().await?, 20);
///     Ok(())
/// }
/// ```
///
/// - **`new`** is the constructor. It may be async, and may return a `Result<Self, E>`. The type is as visible as it.
/// - **Methods** with `pub`, `pub(crate)` and so on can be called from elsewhere; private ones, functions without
///   `self`, and other `impl` blocks stay local. `&mut self` runs alone; `&self` may overlap with others of its kind, if
///   `max_concurrency` allows it. Parameters and results are those of functions, with `&ActorContext<Self>` for the
///   context.
/// - **`#[remote(blocking)]`** on a method that is not async lets it block its thread, **`#[remote(skip)]`** keeps one
///   local.
/// - **`#[remote(on_stop)]`** marks the method that ends a life in order, **`#[remote(on_child_exit)]`** the one that
///   hears of children: `fn name(&mut self, exit: Exit)`. Both may be async, and may take the context.
///
/// ## Options
///
/// `#[remote(restarts = 2)]`; each is explained at the method of [`ActorOptions`](crate::ActorOptions) that has its name.
///
/// | option | example |
/// |---|---|
/// | after a failure | `restarts = 2`, and `retries = 1` for the calls that were lost with it |
/// | resources | `cpus = 1`, `gpus = 0.5`, `resources(special_hardware = 1)` |
/// | calls | `max_concurrency = 16`, `mailbox = 100` |
/// | name | `name = "scores"`, `namespace = "games"`, `get_if_exists`, `label = "scores"` |
/// | end | `detached`, `stop_within = "5s"`, `tell_parent` |
/// | a process of its own for each life | `isolated` |
/// | how values travel | `codec = "self_describing"` |
///
/// # Limits
///
/// What is remote is found by its name, module path and all: no two functions or actors of one module may be called
/// alike, also if they are inside of functions, and none can be generic. A call has at most twelve arguments.
pub use raytree_macros::remote;

/// Begins a program: runs `main` in a fresh runtime, and ends it in order afterwards.
///
/// An `async fn main` runs on the runtime's threads. One that is not async runs on the first thread of the process,
/// with that runtime as the current one, so that `get()` works. It may return whatever a `main` may, as long as that
/// can be sent between threads if it is async. An `Err` ends the program with exit code 1 and says in sentences what
/// happened, what lies below it, and the code of an [`Error`](crate::Error). Where the runtime cannot start, the program
/// says so and ends with the code 2.
///
/// ```
/// # use raytree::prelude::*;
/// # #[remote]
/// # fn square(x: u64) -> u64 { x * x }
/// #[raytree::main(cpus = 4, resources(special_hardware = 4))]
/// fn main() -> raytree::Result<()> {
///     assert_eq!(square::remote(3).get()?, 9);
///     Ok(())
/// }
/// ```
///
/// Options are those of [`Init`](crate::Init): `cpus = 4`, `gpus = 1`, `resources(special_hardware = 4)`,
/// `threads = 2`, `nodes = 3`, `strict = true`.
pub use raytree_macros::main;

/// A test in a runtime of its own, which ends with it, also if it fails.
///
/// As [`raytree::main`](macro@main), with its options, but with 2 CPUs, 2 threads and `strict` where nothing else is
/// said: what cannot travel between processes shows in the test. `#[should_panic]`, `#[ignore]` and a `Result` as the
/// return type work as usual.
///
/// ```no_run
/// use raytree::prelude::*;
///
/// #[remote]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// #[raytree::test]
/// async fn squares() -> raytree::Result<()> {
///     assert_eq!(square::remote(3).await?, 9);
///     Ok(())
/// }
///
/// #[raytree::test(nodes = 3)]
/// async fn squares_on_three_nodes() -> raytree::Result<()> {
///     assert_eq!(square::remote(3).await?, 9);
///     Ok(())
/// }
///
/// #[raytree::test(cpus = 1)]
/// fn one_after_the_other() -> raytree::Result<()> {
///     assert_eq!(square::remote(3).get()?, 9);
///     Ok(())
/// }
/// # fn main() {}
/// ```
pub use raytree_macros::test;

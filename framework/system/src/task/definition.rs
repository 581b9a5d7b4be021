//! Remote functions as they are written into the program: what the attribute macro makes of a `fn`.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::OnceLock;

use raytree_types::codec::Codec;
use raytree_types::{Error, Result, TaskOptions};

use super::args::Args;
use super::failure::Failure;
use super::plan::Plan;
use crate::isolated::part::Part;
use crate::object::stream::Sink;

/// A boxed future of a body's result.
pub type BodyFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// What is known of a remote function or actor type before it runs; entered into the registry at link time.
#[derive(Debug)]
pub struct Info {
    /// Module path and name; unique in a program.
    pub name: &'static str,
    /// Parameter and result types as written.
    pub signature: &'static str,
    /// Source file.
    pub file: &'static str,
    /// Line in it.
    pub line: u32,
    /// How its arguments and results travel.
    pub codec: Codec,
}

/// Runs a function whose arguments have come as bytes.
pub type Serve = fn(Vec<Part>) -> Served;

/// The result of such a run, as bytes.
pub type Served = Pin<Box<dyn Future<Output = Result<Part>> + Send>>;

/// A remote function that can be called with bytes; written by the attribute macro.
pub trait Function {
    /// Runs it.
    fn serve(parts: Vec<Part>) -> Served;
}

/// A type that may be a [`Function`]. Generated code calls `(&&Of::<F>::new()).serve(parts)`: of the two traits below the
/// one whose bounds hold is found, the one for functions first.
pub struct Of<F>(PhantomData<fn() -> F>);

impl<F> Of<F> {
    /// Of this type.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<F> Default for Of<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F> fmt::Debug for Of<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Of")
    }
}

/// For functions.
pub trait ServesByFunction {
    /// Runs it.
    fn serve(&self, parts: Vec<Part>) -> Served;
}

/// For what the compiler has refused.
pub trait ServesNot {
    /// Never called.
    fn serve(&self, parts: Vec<Part>) -> Served;
}

impl<F: Function> ServesByFunction for &Of<F> {
    fn serve(&self, parts: Vec<Part>) -> Served {
        F::serve(parts)
    }
}

impl<F> ServesNot for Of<F> {
    fn serve(&self, _parts: Vec<Part>) -> Served {
        Box::pin(async {
            let (option, value) = ("body".to_owned(), "no function".to_owned());
            Err(Error::BadOption { option, value, reason: "its types are no values".to_owned() })
        })
    }
}

/// One entry of the registry.
#[derive(Debug)]
pub struct Entry {
    pub(crate) info: &'static Info,
    /// None for what cannot be called with bytes: actor types, and functions that return many values.
    pub(crate) serve: Option<Serve>,
}

impl Entry {
    /// A function that can be called with bytes.
    #[must_use]
    pub const fn function(info: &'static Info, serve: Serve) -> Self {
        Self { info, serve: Some(serve) }
    }

    /// Anything else.
    #[must_use]
    pub const fn named(info: &'static Info) -> Self {
        Self { info, serve: None }
    }
}

inventory::collect!(Entry);

/// A body: what runs.
pub enum Body<A: Args, R> {
    /// Synchronous: on a compute thread.
    Sync(fn(A::Taken) -> Result<R, Failure>),
    /// Asynchronous: on whichever thread polls it.
    Async(fn(A::Taken) -> BodyFuture<'static, R>),
    /// A synchronous iterator, item by item into the sink.
    Iterate(fn(A::Taken, &Sink<R>) -> Result<(), Failure>),
    /// An asynchronous stream, item by item into the sink.
    Stream(fn(A::Taken, Sink<R>) -> BodyFuture<'static, ()>),
}

/// A remote function with parameters `A` and result (or item) `R`.
pub struct Definition<A: Args, R> {
    pub(crate) info: &'static Info,
    options: fn() -> TaskOptions,
    pub(crate) body: Body<A, R>,
    plan: &'static PlanCell,
}

/// A place for what is worked out once for a definition. Apart from it, so that a definition is a constant: a static
/// could not say that its types are values, and a mistake in them would be told many times.
#[derive(Debug, Default)]
pub struct PlanCell(OnceLock<Plan>);

impl PlanCell {
    /// Nothing is worked out yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }
}

impl<A: Args, R> Definition<A, R> {
    /// A definition; `options` are those of the attribute, `plan` is its own.
    pub const fn new(
        info: &'static Info,
        options: fn() -> TaskOptions,
        body: Body<A, R>,
        plan: &'static PlanCell,
    ) -> Self {
        Self { info, options, body, plan }
    }

    /// The attribute's options, resolved once.
    pub(crate) fn plan(&self) -> &'static Plan {
        self.plan.0.get_or_init(|| Plan::new(self.info, &(self.options)()))
    }
}

impl<A: Args, R> fmt::Debug for Body<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sync(_) => "Sync",
            Self::Async(_) => "Async",
            Self::Iterate(_) => "Iterate",
            Self::Stream(_) => "Stream",
        })
    }
}

impl<A: Args, R> fmt::Debug for Definition<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definition").field("info", self.info).finish_non_exhaustive()
    }
}

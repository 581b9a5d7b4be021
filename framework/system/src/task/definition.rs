//! Remote functions as they are written into the program: what the attribute macro makes of a `fn`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;

use raytree_types::codec::Codec;
use raytree_types::{Result, TaskOptions};

use super::args::Args;
use super::by_bytes::Way;
use super::failure::Failure;
use super::plan::Plan;
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

/// One entry of the registry.
#[derive(Debug)]
pub struct Entry {
    pub(crate) info: &'static Info,
    pub(crate) way: Way,
}

impl Entry {
    /// Something with a name; written by the attribute macro.
    #[must_use]
    pub const fn new(info: &'static Info, way: Way) -> Self {
        Self { info, way }
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
pub struct PlanCell {
    own: OnceLock<Plan>,
    served: OnceLock<Plan>,
}

impl PlanCell {
    /// Nothing is worked out yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { own: OnceLock::new(), served: OnceLock::new() }
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
        self.plan.own.get_or_init(|| Plan::new(self.info, &(self.options)()))
    }

    /// The attribute's options for a run on behalf of another process, resolved once.
    pub(crate) fn served(&self) -> &'static Plan {
        self.plan.served.get_or_init(|| Plan::served(self.info, (self.options)()))
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

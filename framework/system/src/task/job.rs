//! What a task does, with its arguments, whatever its types.

use std::sync::Arc;

use raytree_types::Result;
use tokio::task::AbortHandle;

use super::args::Settled;
use super::away::Order;
use super::definition::BodyFuture;
use super::failure::Failure;
use crate::link::Link;
use crate::object::Value;
use crate::object::lineage::{Anew, Keeps};

/// What a task does, with its arguments.
pub(crate) trait Job: Send + Sync + 'static {
    type Out: Value;
    /// Whether it may be run again at all.
    const REPEATS: bool = true;
    /// What is kept of it when it is over.
    type Past: Send + Sync + 'static;

    /// Every reference among its arguments.
    fn each(&self, visit: &mut dyn FnMut(&dyn Settled));
    /// So that it can be begun more than once.
    fn keep(self) -> Self;
    /// Begins a run that may not be the last.
    fn begin(&self) -> Begun<Self::Out>;
    /// Begins the last run.
    fn begin_last(self) -> Begun<Self::Out>;
    /// For a run in another process that may not be the last.
    fn order(&self) -> Result<Order<Self::Out>>;
    /// For the last run, in another process.
    fn order_last(self) -> Result<Order<Self::Out>>;
    /// What it takes to run it again, should its result be lost; none where that cannot be kept.
    fn past(&self, keeps: &mut Keeps<'_>) -> Option<Self::Past>;
    /// The same job, for one more run.
    fn again(past: &Self::Past, anew: &mut Anew) -> Result<Self>
    where
        Self: Sized;
}

/// A body that has begun.
pub(crate) enum Begun<R> {
    /// And ended.
    Done(Result<R, Failure>),
    /// And is to be polled.
    Future(BodyFuture<'static, R>),
}

/// The job of a task, as long as it may be begun.
pub(super) enum Held<J> {
    Once(J),
    Often(Arc<J>),
    Nothing,
}

/// Something that is to end when the task does.
pub(super) enum End {
    Here(AbortHandle),
    /// A call over a link.
    There(Arc<Link>, u64),
}

impl End {
    /// The process that it is in, if that is another one.
    pub(super) fn host(&self) -> Option<Arc<str>> {
        match self {
            Self::Here(_) => None,
            Self::There(link, _) => Some(Arc::clone(&link.peer)),
        }
    }

    pub(super) fn come(self, recursive: bool) {
        match self {
            Self::Here(handle) => handle.abort(),
            // Nothing when it was answered.
            Self::There(link, call) => link.withdraw(call, recursive),
        }
    }
}

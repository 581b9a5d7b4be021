//! Methods as they are written into the program: what the attribute macro makes of each method of an actor.

use std::fmt;
use std::sync::Arc;

use raytree_types::codec::Codec;
use raytree_types::{Result, limits};

use super::actor::Actor;
use super::context::ActorContext;
use crate::object::Value;
use crate::object::part::Part;
use crate::object::stream::Sink;
use crate::task::args::{Args, Settled};
use crate::task::away::{self, Order, Results};
use crate::task::definition::{BodyFuture, Info};
use crate::task::failure::Failure;

/// A method's body. *Exclusive* is `&mut self`, *shared* is `&self`.
#[expect(missing_docs, reason = "each is named after what it takes and gives")]
#[expect(clippy::type_complexity, reason = "signatures of functions, each written once")]
pub enum MethodBody<T: Actor, A: Args, R> {
    Exclusive(for<'a> fn(&'a mut T, A::Taken, &'a ActorContext<T>) -> Result<R, Failure>),
    ExclusiveAsync(for<'a> fn(&'a mut T, A::Taken, &'a ActorContext<T>) -> BodyFuture<'a, R>),
    Shared(for<'a> fn(&'a T, A::Taken, &'a ActorContext<T>) -> Result<R, Failure>),
    SharedAsync(for<'a> fn(&'a T, A::Taken, &'a ActorContext<T>) -> BodyFuture<'a, R>),
    ExclusiveIterate(
        for<'a> fn(&'a mut T, A::Taken, &'a ActorContext<T>, &Sink<R>) -> Result<(), Failure>,
    ),
    SharedIterate(
        for<'a> fn(&'a T, A::Taken, &'a ActorContext<T>, &Sink<R>) -> Result<(), Failure>,
    ),
    ExclusiveStream(
        for<'a> fn(&'a mut T, A::Taken, &'a ActorContext<T>, Sink<R>) -> BodyFuture<'a, ()>,
    ),
    SharedStream(for<'a> fn(&'a T, A::Taken, &'a ActorContext<T>, Sink<R>) -> BodyFuture<'a, ()>),
}

/// A method of the actor `T` with parameters `A` and result (or item) `R`.
pub struct Method<T: Actor, A: Args, R> {
    pub(crate) info: &'static Info,
    pub(crate) blocking: bool,
    pub(crate) body: MethodBody<T, A, R>,
}

impl<T: Actor, A: Args, R> Method<T, A, R> {
    /// A definition; `blocking` methods are synchronous and may block their thread.
    pub const fn new(info: &'static Info, blocking: bool, body: MethodBody<T, A, R>) -> Self {
        Self { info, blocking, body }
    }

    /// The name without its path.
    pub(crate) fn short_name(&self) -> &'static str {
        last_parts(self.info.name, 1)
    }

    /// `Counter::add`: type and method.
    pub(crate) fn label(&self) -> &'static str {
        last_parts(self.info.name, 2)
    }
}

/// The last parts of a path. Asked for with every call: a look at its bytes, and no search for a text.
fn last_parts(path: &'static str, count: usize) -> &'static str {
    let colons = path.bytes().enumerate().rev().filter(|(_, byte)| *byte == b':');
    // Two of them part one from the next.
    colons.step_by(2).nth(count - 1).map_or(path, |(at, _)| &path[at + 1..])
}

impl<T: Actor, A: Args, R> fmt::Debug for Method<T, A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Method").field("info", self.info).finish_non_exhaustive()
    }
}

impl<T: Actor, A: Args, R> fmt::Debug for MethodBody<T, A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if is_exclusive(self) { "exclusive" } else { "shared" })
    }
}

fn is_exclusive<T: Actor, A: Args, R>(body: &MethodBody<T, A, R>) -> bool {
    matches!(
        body,
        MethodBody::Exclusive(_)
            | MethodBody::ExclusiveAsync(_)
            | MethodBody::ExclusiveIterate(_)
            | MethodBody::ExclusiveStream(_)
    )
}

fn is_sync<T: Actor, A: Args, R>(body: &MethodBody<T, A, R>) -> bool {
    matches!(
        body,
        MethodBody::Exclusive(_)
            | MethodBody::Shared(_)
            | MethodBody::ExclusiveIterate(_)
            | MethodBody::SharedIterate(_)
    )
}

/// A body that has begun.
pub(crate) enum Begun<'a, R> {
    /// And ended.
    Done(Result<R, Failure>),
    /// And is to be polled.
    Future(BodyFuture<'a, R>),
}

impl<R> Begun<'_, R> {
    /// Its own code has run: its arguments were there.
    pub(crate) fn has_run(&self) -> bool {
        !matches!(self, Self::Done(Err(Failure::System(_))))
    }
}

/// A method with its arguments.
pub(crate) trait Invocation<T: Actor>: Send + Sync + Sized + 'static {
    type Out: Value;
    /// A call that was lost can be made again.
    const REPEATS: bool;

    fn is_exclusive(&self) -> bool;
    fn is_blocking(&self) -> bool;
    fn is_sync(&self) -> bool;
    fn short_name(&self) -> &'static str;
    fn label(&self) -> &'static str;
    fn codec(&self) -> Codec;
    fn each(&self, visit: &mut dyn FnMut(&dyn Settled));
    /// The objects among its arguments, by where they are in memory.
    fn arguments(&self) -> Vec<usize> {
        let mut all = Vec::new();
        self.each(&mut |settled| all.push(settled.at()));
        all
    }
    /// So that there can be more than one run.
    fn keep(self) -> Self;
    /// The same call once more, if its arguments are kept.
    fn again(&self) -> Option<Self>;
    fn exclusive<'a>(self, actor: &'a mut T, ctx: &'a ActorContext<T>) -> Begun<'a, Self::Out>;
    fn shared<'a>(self, actor: &'a T, ctx: &'a ActorContext<T>) -> Begun<'a, Self::Out>;
    /// The call in its written form.
    fn order(self) -> Result<Order<Self::Out>>;
}

/// A method that returns one value.
pub(crate) struct One<T: Actor, A: Args, R: 'static> {
    pub(crate) method: &'static Method<T, A, R>,
    pub(crate) args: Given<A>,
}

/// A method that returns a stream.
pub(crate) struct Many<T: Actor, A: Args, R: 'static> {
    pub(crate) method: &'static Method<T, A, R>,
    pub(crate) args: Given<A>,
    pub(crate) sink: Sink<R>,
}

/// Arguments on their way, given to one or to several runs.
pub(crate) enum Given<A: Args> {
    Once(A::Stored),
    Often(Arc<A::Stored>),
}

impl<A: Args> Given<A> {
    fn stored(&self) -> &A::Stored {
        match self {
            Self::Once(stored) => stored,
            Self::Often(stored) => stored,
        }
    }

    fn keep(self) -> Self {
        match self {
            Self::Once(stored) => Self::Often(Arc::new(A::keep(stored))),
            often => often,
        }
    }

    /// The same once more, if they are kept.
    fn again(&self) -> Option<Self> {
        match self {
            Self::Often(stored) => Some(Self::Often(Arc::clone(stored))),
            Self::Once(_) => None,
        }
    }

    /// For another process: what lies in a store is not read for that.
    fn written(self, codec: Codec) -> Result<Vec<Part>> {
        match self {
            Self::Once(stored) => A::give_written(stored, codec),
            Self::Often(stored) => match Arc::try_unwrap(stored) {
                Ok(stored) => A::give_written(stored, codec),
                Err(stored) => A::lend_written(&stored, codec),
            },
        }
    }

    fn take(self) -> Result<A::Taken> {
        match self {
            Self::Once(stored) => A::give(stored),
            Self::Often(stored) => match Arc::try_unwrap(stored) {
                Ok(stored) => A::give(stored),
                Err(stored) => A::lend(&stored),
            },
        }
    }
}

/// The macro pairs handles and bodies; anything else was written by hand.
fn wrong_kind() -> Failure {
    let (value, reason) =
        ("another kind".to_owned(), "the method was not made by the macro".to_owned());
    raytree_types::Error::BadOption { option: "body".to_owned(), value, reason }.into()
}

macro_rules! delegate {
    () => {
        fn is_exclusive(&self) -> bool {
            is_exclusive(&self.method.body)
        }

        fn is_blocking(&self) -> bool {
            self.method.blocking
        }

        fn is_sync(&self) -> bool {
            is_sync(&self.method.body)
        }

        fn short_name(&self) -> &'static str {
            self.method.short_name()
        }

        fn label(&self) -> &'static str {
            self.method.label()
        }

        fn codec(&self) -> Codec {
            self.method.info.codec
        }

        fn each(&self, visit: &mut dyn FnMut(&dyn Settled)) {
            A::each(self.args.stored(), visit);
        }

        fn keep(self) -> Self {
            Self { args: self.args.keep(), ..self }
        }
    };
}

impl<T: Actor, A: Args, R: Value> Invocation<T> for One<T, A, R> {
    type Out = R;
    const REPEATS: bool = true;

    delegate!();

    fn again(&self) -> Option<Self> {
        Some(Self { method: self.method, args: self.args.again()? })
    }

    fn order(self) -> Result<Order<R>> {
        let info = self.method.info;
        let arguments = self.args.written(info.codec)?;
        Ok(Order { info, arguments, results: Results::One(away::read) })
    }

    fn exclusive<'a>(self, actor: &'a mut T, ctx: &'a ActorContext<T>) -> Begun<'a, R> {
        match (&self.method.body, self.args.take()) {
            (_, Err(error)) => Begun::Done(Err(error.into())),
            (MethodBody::Exclusive(body), Ok(args)) => Begun::Done(body(actor, args, ctx)),
            (MethodBody::ExclusiveAsync(body), Ok(args)) => Begun::Future(body(actor, args, ctx)),
            _ => Begun::Done(Err(wrong_kind())),
        }
    }

    fn shared<'a>(self, actor: &'a T, ctx: &'a ActorContext<T>) -> Begun<'a, R> {
        match (&self.method.body, self.args.take()) {
            (_, Err(error)) => Begun::Done(Err(error.into())),
            (MethodBody::Shared(body), Ok(args)) => Begun::Done(body(actor, args, ctx)),
            (MethodBody::SharedAsync(body), Ok(args)) => Begun::Future(body(actor, args, ctx)),
            _ => Begun::Done(Err(wrong_kind())),
        }
    }
}

impl<T: Actor, A: Args, R: Value> Invocation<T> for Many<T, A, R> {
    type Out = ();
    /// Some of its items may have been read.
    const REPEATS: bool = false;

    delegate!();

    fn again(&self) -> Option<Self> {
        None
    }

    fn order(self) -> Result<Order<()>> {
        let info = self.method.info;
        let arguments = self.args.written(info.codec)?;
        // As many as the stream of this call has room for.
        let window = limits::STREAM_WINDOW as u32;
        let put = away::into_sink(self.sink, info.codec);
        Ok(Order { info, arguments, results: Results::Many { window, put, end: || () } })
    }

    fn exclusive<'a>(self, actor: &'a mut T, ctx: &'a ActorContext<T>) -> Begun<'a, ()> {
        match (&self.method.body, self.args.take()) {
            (_, Err(error)) => Begun::Done(Err(error.into())),
            (MethodBody::ExclusiveIterate(body), Ok(args)) => {
                Begun::Done(body(actor, args, ctx, &self.sink))
            }
            (MethodBody::ExclusiveStream(body), Ok(args)) => {
                Begun::Future(body(actor, args, ctx, self.sink))
            }
            _ => Begun::Done(Err(wrong_kind())),
        }
    }

    fn shared<'a>(self, actor: &'a T, ctx: &'a ActorContext<T>) -> Begun<'a, ()> {
        match (&self.method.body, self.args.take()) {
            (_, Err(error)) => Begun::Done(Err(error.into())),
            (MethodBody::SharedIterate(body), Ok(args)) => {
                Begun::Done(body(actor, args, ctx, &self.sink))
            }
            (MethodBody::SharedStream(body), Ok(args)) => {
                Begun::Future(body(actor, args, ctx, self.sink))
            }
            _ => Begun::Done(Err(wrong_kind())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_called_by_the_end_of_its_path() {
        assert_eq!(last_parts("program::actors::Counter::add", 1), "add");
        assert_eq!(last_parts("program::actors::Counter::add", 2), "Counter::add");
        assert_eq!(last_parts("Counter::add", 2), "Counter::add");
        assert_eq!(last_parts("add", 1), "add");
    }
}

//! Remote functions as values.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use raytree_types::{Result, TaskId, TaskOptions};

use super::args::{Anew, Arg, Args, IntoArg, Keeps, Settled, Strict};
use super::away::{self, Order, Results};
use super::cell::{Begun, Job, TaskCell};
use super::context::lending;
use super::definition::{Body, Definition};
use super::failure::Failure;
use super::plan::{Plan, PlanRef};
use super::submit::Room;
use crate::isolated::Isolated;
use crate::link::{Served, Terms};
use crate::object::Value;
use crate::object::cell::ObjectCell;
use crate::object::part::Part;
use crate::object::reference::ObjectRef;
use crate::object::seen::Source;
use crate::object::stream::{self, ObjectStream, Sink};
use crate::runtime::{Shared, ambient};

/// A remote function with its options: a plain value, to be called, stored, and handed to libraries.
///
/// `f::task()` gives one for a function marked `#[remote]`; `f::with(options)` and [`Task::with`] override options.
pub struct Task<A: Args, R: 'static> {
    definition: &'static Definition<A, R>,
    plan: PlanRef,
}

/// A call that is being submitted: a future of its reference.
pub type Submit<'a, R> = Pin<Box<dyn Future<Output = Result<ObjectRef<R>>> + Send + 'a>>;

/// As [`Task`], for functions that return an iterator or a stream of `T`.
pub struct StreamTask<A: Args, T: 'static> {
    task: Task<A, T>,
}

impl<A: Args, R: Value> Task<A, R> {
    /// The function of a definition; written by the attribute macro.
    #[doc(hidden)]
    pub fn of(definition: &'static Definition<A, R>) -> Self {
        Self { definition, plan: PlanRef::Own(definition.plan()) }
    }

    /// The same function with other options: what `options` leaves unsaid stays as it is.
    pub fn with(self, options: TaskOptions) -> Self {
        let options = options.over(self.plan.options());
        let plan = Arc::new(Plan::new(self.definition.info, &options));
        Self { plan: PlanRef::Given(plan), ..self }
    }

    /// Its full name: module path and function.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.definition.info.name
    }

    /// Runs it here with arguments that have come as bytes, for another process.
    ///
    /// # Errors
    /// [`Error::CannotTravel`](raytree_types::Error::CannotTravel) when they are not its arguments.
    #[doc(hidden)]
    pub fn serve(self, parts: Vec<Part>, terms: Terms) -> Result<Served> {
        let codec = self.plan.codec;
        let args = A::read(parts, codec)?;
        let (plan, served) = served(self.definition, terms);
        let task = Self { definition: self.definition, plan };
        // Its line is in the process that has asked for it.
        Ok(Served::one(task.submit_of(task.name().into(), args, served), codec))
    }

    #[track_caller]
    fn submit_stored(&self, stored: A::Stored) -> ObjectRef<R> {
        self.submit_of(Source::here(self.name()), stored, None)
    }

    fn submit_of(&self, source: Source, stored: A::Stored, served: Option<TaskId>) -> ObjectRef<R> {
        match ambient::current_or_start() {
            Ok(runtime) => self.submit_to(runtime.shared(), source, stored, (Room::Ask, served)),
            Err(error) => {
                let life = crate::runtime::life::nowhere();
                ObjectRef::first(ObjectCell::failed(source, life, error))
            }
        }
    }

    async fn submit_with_room(&self, source: Source, stored: A::Stored) -> Result<ObjectRef<R>> {
        let runtime = ambient::current_or_start()?;
        lending(runtime.shared().tasks.reserve(&self.plan.name)).await;
        Ok(self.submit_to(runtime.shared(), source, stored, (Room::Reserved, None)))
    }

    fn submit_to(
        &self,
        runtime: &Arc<Shared>,
        source: Source,
        stored: A::Stored,
        (room, served): (Room, Option<TaskId>),
    ) -> ObjectRef<R> {
        let life = runtime.life;
        match A::travel(stored, Strict(life), self.plan.codec) {
            Ok(args) => {
                let out = ObjectCell::pending(source, life);
                let isolation = self.plan.isolation.clone().map(|isolation| Isolated {
                    isolation,
                    is_retriable: self.plan.is_retriable,
                    name: self.plan.name.clone(),
                    info: self.definition.info,
                    codec: self.plan.codec,
                    life,
                });
                let job = Run { definition: self.definition, args, isolation };
                let how = (self.plan.clone(), room, served);
                TaskCell::submit(runtime, how, job, Arc::clone(&out));
                ObjectRef::first(out)
            }
            Err(error) => {
                if room == Room::Reserved {
                    runtime.tasks.leave();
                }
                ObjectRef::first(ObjectCell::failed(source, life, error))
            }
        }
    }
}

impl<A: Args, T: Value> StreamTask<A, T> {
    /// The function of a definition; written by the attribute macro.
    #[doc(hidden)]
    pub fn of(definition: &'static Definition<A, T>) -> Self {
        Self { task: Task::of(definition) }
    }

    /// The same function with other options. See [`Task::with`].
    pub fn with(self, options: TaskOptions) -> Self {
        Self { task: self.task.with(options) }
    }

    /// Its full name: module path and function.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.task.name()
    }

    /// See [`Task::serve`].
    ///
    /// # Errors
    /// As there.
    #[doc(hidden)]
    pub fn serve(self, parts: Vec<Part>, terms: Terms) -> Result<Served> {
        let definition = self.task.definition;
        let (codec, (plan, served)) = (self.task.plan.codec, served(definition, terms));
        let args = A::read(parts, codec)?;
        let window = window(&plan);
        let task = Self { task: Task { definition, plan } };
        let stream = task.submit_of(task.name().into(), args, served);
        Ok(Served::many(stream, codec, window))
    }

    #[track_caller]
    fn submit_stored(&self, stored: A::Stored) -> ObjectStream<T> {
        self.submit_of(Source::here(self.name()), stored, None)
    }

    fn submit_of(
        &self,
        source: Source,
        stored: A::Stored,
        served: Option<TaskId>,
    ) -> ObjectStream<T> {
        let (name, plan) = (self.name(), &self.task.plan);
        let runtime = match ambient::current_or_start() {
            Ok(runtime) => runtime,
            Err(error) => {
                let life = crate::runtime::life::nowhere();
                let (stream, _, end) = stream::pair(name, life, plan.codec, 1);
                end.settle(Err(error));
                return stream;
            }
        };
        let life = runtime.shared().life;
        let (stream, sink, end) = stream::pair(source, life, plan.codec, plan.window);
        if plan.isolation.is_some() {
            end.settle(Err(raytree_types::Error::BadOption {
                option: "isolated".to_owned(),
                value: name.to_owned(),
                reason: "a function that returns many values runs in this process".to_owned(),
            }));
            return stream;
        }
        match A::travel(stored, Strict(life), plan.codec) {
            Ok(args) => {
                let window = window(plan);
                let job = Pour { definition: self.task.definition, args, sink, window };
                let how = (plan.clone(), Room::Ask, served);
                TaskCell::submit(runtime.shared(), how, job, end);
            }
            Err(error) => end.settle(Err(error)),
        }
        stream
    }
}

/// How a task runs that another process has submitted, and as what that knows it.
fn served<A: Args, R>(
    definition: &'static Definition<A, R>,
    terms: Terms,
) -> (PlanRef, Option<TaskId>) {
    let plan = match terms.options {
        None => PlanRef::Own(definition.served()),
        Some(options) => PlanRef::Given(Arc::new(Plan::served(definition.info, *options))),
    };
    (plan, terms.task)
}

fn window(plan: &Plan) -> u32 {
    // At most `limits::STREAM_WINDOW_MAX`.
    u32::try_from(plan.window).unwrap_or(u32::MAX)
}

/// A call of a function that returns one value.
struct Run<A: Args, R: 'static> {
    definition: &'static Definition<A, R>,
    args: A::Stored,
    /// It runs in a process of its own.
    isolation: Option<Isolated>,
}

impl<A: Args, R: Value> Run<A, R> {
    fn begin_with(
        definition: &'static Definition<A, R>,
        isolation: Option<Isolated>,
        args: Result<A::Taken>,
    ) -> Begun<R> {
        match (isolation, args) {
            (Some(isolated), Ok(args)) => Begun::Future(Box::pin(async move {
                let parts = A::write(args, isolated.codec)?;
                let codec = isolated.codec;
                Ok(isolated.call(parts).await?.value::<R>(codec)?)
            })),
            (_, args) => begin(&definition.body, args),
        }
    }
}

fn begin<A: Args, R>(body: &Body<A, R>, args: Result<A::Taken>) -> Begun<R> {
    match (body, args) {
        (_, Err(error)) => Begun::Done(Err(error.into())),
        (Body::Sync(body), Ok(args)) => Begun::Done(body(args)),
        (Body::Async(body), Ok(args)) => Begun::Future(body(args)),
        (Body::Iterate(_) | Body::Stream(_), Ok(_)) => Begun::Done(Err(wrong_kind())),
    }
}

/// The macro makes a [`Task`] of one kind of body and a [`StreamTask`] of the other.
fn wrong_kind() -> Failure {
    let option = "body".to_owned();
    let (value, reason) =
        ("another kind".to_owned(), "the definition was not made by the macro".to_owned());
    raytree_types::Error::BadOption { option, value, reason }.into()
}

/// What is kept of it when it is over.
struct PastRun<A: Args, R: 'static> {
    definition: &'static Definition<A, R>,
    args: A::Past,
    isolation: Option<Isolated>,
}

impl<A: Args, R: Value> Job for Run<A, R> {
    type Out = R;
    type Past = PastRun<A, R>;

    fn each(&self, visit: &mut dyn FnMut(&dyn Settled)) {
        A::each(&self.args, visit);
    }

    fn keep(self) -> Self {
        Self { args: A::keep(self.args), ..self }
    }

    fn begin(&self) -> Begun<R> {
        Self::begin_with(self.definition, self.isolation.clone(), A::lend(&self.args))
    }

    fn begin_last(self) -> Begun<R> {
        Self::begin_with(self.definition, self.isolation, A::give(self.args))
    }

    fn order(&self) -> Result<Order<R>> {
        order(self.definition, A::lend_written(&self.args, self.definition.info.codec)?)
    }

    fn order_last(self) -> Result<Order<R>> {
        order(self.definition, A::give_written(self.args, self.definition.info.codec)?)
    }

    fn past(&self, keeps: &mut Keeps<'_>) -> Option<PastRun<A, R>> {
        let args = A::past(&self.args, keeps)?;
        Some(PastRun { definition: self.definition, args, isolation: self.isolation.clone() })
    }

    fn again(past: &PastRun<A, R>, anew: &mut Anew) -> Result<Self> {
        let args = A::again(&past.args, anew)?;
        Ok(Self { definition: past.definition, args, isolation: past.isolation.clone() })
    }
}

fn order<A: Args, R: Value>(
    definition: &'static Definition<A, R>,
    arguments: Vec<Part>,
) -> Result<Order<R>> {
    let info = definition.info;
    Ok(Order { info, arguments, results: Results::One(away::read) })
}

/// A call of a function that returns a stream. It is never run twice: its items may have been read.
struct Pour<A: Args, T: 'static> {
    definition: &'static Definition<A, T>,
    args: A::Stored,
    sink: Sink<T>,
    window: u32,
}

impl<A: Args, T: Value> Job for Pour<A, T> {
    type Out = ();
    type Past = Infallible;
    const REPEATS: bool = false;

    fn each(&self, visit: &mut dyn FnMut(&dyn Settled)) {
        A::each(&self.args, visit);
    }

    fn keep(self) -> Self {
        Self { args: A::keep(self.args), ..self }
    }

    fn begin(&self) -> Begun<()> {
        pour(&self.definition.body, A::lend(&self.args), self.sink.clone())
    }

    fn begin_last(self) -> Begun<()> {
        pour(&self.definition.body, A::give(self.args), self.sink)
    }

    fn order(&self) -> Result<Order<()>> {
        let info = self.definition.info;
        let arguments = A::lend_written(&self.args, info.codec)?;
        let (window, put) = (self.window, away::into_sink(self.sink.clone(), info.codec));
        Ok(Order { info, arguments, results: Results::Many { window, put, end: || () } })
    }

    fn order_last(self) -> Result<Order<()>> {
        self.order()
    }

    fn past(&self, _keeps: &mut Keeps<'_>) -> Option<Infallible> {
        None
    }

    fn again(past: &Infallible, _anew: &mut Anew) -> Result<Self> {
        match *past {}
    }
}

fn pour<A: Args, T: Value>(body: &Body<A, T>, args: Result<A::Taken>, sink: Sink<T>) -> Begun<()> {
    match (body, args) {
        (_, Err(error)) => Begun::Done(Err(error.into())),
        (Body::Iterate(body), Ok(args)) => Begun::Done(body(args, &sink)),
        (Body::Stream(body), Ok(args)) => Begun::Future(body(args, sink)),
        (Body::Sync(_) | Body::Async(_), Ok(_)) => Begun::Done(Err(wrong_kind())),
    }
}

macro_rules! arity {
    ($($type:ident $arg:ident),*) => {
        impl<$($type: Value,)* R: Value> Task<($($type,)*), R> {
            /// Submits a call. Never blocks: above the bound of waiting tasks the reference resolves to
            /// [`Error::Overloaded`](raytree_types::Error::Overloaded).
            #[allow(clippy::too_many_arguments, reason = "as many as the function has")]
            #[track_caller]
            pub fn remote(&self, $($arg: impl IntoArg<$type>),*) -> ObjectRef<R> {
                let stored: ($(Arg<$type>,)*) = ($($arg.into_arg(),)*);
                self.submit_stored(stored)
            }

            /// As `remote`, but waits for room instead of being refused.
            ///
            /// # Errors
            /// [`Error::RuntimeGone`](raytree_types::Error::RuntimeGone) and its like: there is nothing to submit to.
            ///
            /// # Cancel safety
            /// Dropping the future before it is ready submits nothing.
            #[allow(clippy::too_many_arguments, reason = "as many as the function has")]
            #[track_caller]
            pub fn submit(
                &self,
                $($arg: impl IntoArg<$type>),*
            ) -> Submit<'_, R> {
                let stored: ($(Arg<$type>,)*) = ($($arg.into_arg(),)*);
                Box::pin(self.submit_with_room(Source::here(self.name()), stored))
            }

            /// As `submit`, for a task that nobody else needs.
            #[doc(hidden)]
            #[allow(clippy::too_many_arguments, reason = "as many as the function has")]
            #[track_caller]
            pub fn submit_owned(
                self,
                $($arg: impl IntoArg<$type>),*
            ) -> Submit<'static, R> {
                let stored: ($(Arg<$type>,)*) = ($($arg.into_arg(),)*);
                let source = Source::here(self.name());
                Box::pin(async move { self.submit_with_room(source, stored).await })
            }
        }

        impl<$($type: Value,)* T: Value> StreamTask<($($type,)*), T> {
            /// Submits a call. See [`Task::remote`].
            #[allow(clippy::too_many_arguments, reason = "as many as the function has")]
            #[track_caller]
            pub fn remote(&self, $($arg: impl IntoArg<$type>),*) -> ObjectStream<T> {
                let stored: ($(Arg<$type>,)*) = ($($arg.into_arg(),)*);
                self.submit_stored(stored)
            }
        }
    };
}

arity!();
arity!(A a);
arity!(A a, B b);
arity!(A a, B b, C c);
arity!(A a, B b, C c, D d);
arity!(A a, B b, C c, D d, E e);
arity!(A a, B b, C c, D d, E e, F f);
arity!(A a, B b, C c, D d, E e, F f, G g);
arity!(A a, B b, C c, D d, E e, F f, G g, H h);
arity!(A a, B b, C c, D d, E e, F f, G g, H h, I i);
arity!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j);
arity!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k);
arity!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l);

impl<A: Args, R> Clone for Task<A, R> {
    fn clone(&self) -> Self {
        Self { definition: self.definition, plan: self.plan.clone() }
    }
}

impl<A: Args, T> Clone for StreamTask<A, T> {
    fn clone(&self) -> Self {
        Self { task: self.task.clone() }
    }
}

impl<A: Args, R> fmt::Debug for Task<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("name", &self.definition.info.name).finish_non_exhaustive()
    }
}

impl<A: Args, T> fmt::Debug for StreamTask<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamTask").field(&self.task).finish()
    }
}

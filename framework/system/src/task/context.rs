//! In what a thread's code runs: which task, synchronous or not.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use raytree_types::{ActorId, Error, Resources, Result, TaskId};

use super::run::Runnable;
use crate::runtime::ambient;
use crate::user::actor::Actor;
use crate::user::context::ActorContext;
use crate::user::status::Cell;
use crate::worker::pace::{Hold, Pace};

/// How code runs, which decides how it may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// On a thread of its own: it may block.
    Sync,
    /// Between two awaits.
    Async,
    /// Synchronous, on a thread of the user runtime: it may block after saying so.
    SyncOnUserThread,
}

struct Scope {
    task: Option<Arc<dyn Runnable>>,
    /// For whose sake something is awaited here.
    by: Option<By>,
    mode: Mode,
    /// Its thread waits, and does nothing else.
    parks: bool,
    /// Bodies on this stack.
    depth: usize,
}

thread_local! {
    static CURRENT: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

/// Restores what was before.
pub(crate) struct Entered<'a> {
    before: Option<Scope>,
    /// Whose poll this is, where that is an actor's.
    actor: Option<&'a Cell>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let is_inside = self.before.is_some();
        let scope = CURRENT.replace(self.before.take());
        let Some(Scope { task, by: Some(by), mode, .. }) = scope else { return };
        match (mode, self.actor, task) {
            (Mode::Async, Some(cell), _) => cell.awaits.polled(by),
            (Mode::Async, None, Some(task)) => task.awaits().polled(by),
            (Mode::Sync, None, Some(task)) if is_inside => task.awaits().runs_inside(None),
            // One that blocks awaits one thing at a time.
            _ => {}
        }
    }
}

/// This thread now runs code of `task`.
pub(crate) fn enter(task: Arc<dyn Runnable>, mode: Mode) -> Entered<'static> {
    let by = By { who: Body::Task(task.id()), poll: task.awaits().next_alone(), others: 0 };
    CURRENT.with_borrow_mut(|scope| {
        let depth = scope.as_ref().map_or(0, |scope| scope.depth) + 1;
        // Whoever waits for it runs it meanwhile.
        let waiter = scope.as_ref().filter(|_| mode == Mode::Sync).and_then(|scope| scope.by);
        if waiter.is_some() {
            task.awaits().runs_inside(waiter);
        }
        let before =
            scope.replace(Scope { task: Some(task), by: Some(by), mode, parks: false, depth });
        Entered { before, actor: None }
    })
}

/// This thread now goes on with code of this actor: a method, a hook, its constructor.
pub(crate) fn enter_actor(cell: &Cell, mode: Mode) -> Entered<'_> {
    let depth = depth() + 1;
    let by = By { who: Body::Actor(cell.id), poll: cell.awaits.next(), others: 0 };
    let scope = Scope { task: None, by: Some(by), mode, parks: false, depth };
    let before = CURRENT.replace(Some(scope));
    Entered { before, actor: Some(cell) }
}

/// As long as there is one, the code of this thread waits for what it awaits, and does nothing else.
#[derive(Debug)]
pub(crate) struct Parks(());

impl Parks {
    pub(crate) fn begin() -> Self {
        Self::set(true);
        Self(())
    }

    fn set(parks: bool) {
        CURRENT.with_borrow_mut(|scope| scope.iter_mut().for_each(|scope| scope.parks = parks));
    }
}

impl Drop for Parks {
    fn drop(&mut self) {
        Self::set(false);
    }
}

/// Whose code it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Body {
    /// A method, a hook or the constructor of this actor.
    Actor(ActorId),
    /// The task of this runtime with this number.
    Task(u64),
}

/// Whoever something is awaited for, and when in its work: what it awaited earlier than that it may have given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct By {
    pub(crate) who: Body,
    /// Which of its polls it was.
    pub(crate) poll: u64,
    /// What else it had awaited in this poll before.
    pub(crate) others: u32,
}

impl By {
    /// Whoever runs on this thread.
    fn now() -> Option<Self> {
        CURRENT.with_borrow(|scope| scope.as_ref().and_then(|scope| scope.by))
    }

    /// Whoever awaits one more thing now. What synchronous code polls by itself it may give up at any time: that is not noted.
    pub(crate) fn awaits() -> Option<Self> {
        CURRENT.with_borrow_mut(|scope| {
            let scope = scope.as_mut().filter(|scope| scope.mode == Mode::Async || scope.parks)?;
            let by = scope.by.as_mut()?;
            let now = *by;
            by.others += 1;
            Some(now)
        })
    }
}

/// What the code of an actor or a task awaits: the number of its last poll, and how many things it awaited in it.
#[derive(Debug, Default)]
pub(crate) struct Awaits {
    polls: AtomicU64,
    /// The last poll of async code that is over, in the upper bits; in the lower ones how many things it awaited.
    last: AtomicU64,
    /// The number of the task that runs it while it waits for it, counted from 1.
    inside: AtomicU64,
}

/// More are as many: somebody who awaits so many things has another way to get on.
const AWAITS_MAX: u32 = 0xff;

impl Awaits {
    fn next(&self) -> u64 {
        self.polls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The same for one that is polled by nobody else meanwhile: there is no need to agree on the number.
    fn next_alone(&self) -> u64 {
        let next = self.polls() + 1;
        self.polls.store(next, Ordering::Relaxed);
        next
    }

    /// How often it was gone on with.
    pub(crate) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    fn polled(&self, by: By) {
        let count = u64::from(by.others.min(AWAITS_MAX));
        self.last.store(by.poll << AWAITS_MAX.count_ones() | count, Ordering::Relaxed);
    }

    /// It runs on the stack of one that waits for it.
    fn runs_inside(&self, waiter: Option<By>) {
        let number = match waiter.map(|by| by.who) {
            Some(Body::Task(number)) => number + 1,
            Some(Body::Actor(_)) | None => 0,
        };
        self.inside.store(number, Ordering::Relaxed);
    }

    /// The task on whose stack it runs, which waits for it.
    pub(crate) fn inside(&self) -> Option<u64> {
        self.inside.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Whether this was awaited in the last poll, and nothing beside these many things; one that blocks awaits one.
    pub(crate) fn only(&self, by: By, many: usize) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        let count = (last & u64::from(AWAITS_MAX)) as usize;
        let is_async = last >> AWAITS_MAX.count_ones() == by.poll;
        self.is_last(by) && many == if is_async { count } else { 1 }
    }

    /// Whether this was awaited when the code was gone on with last.
    pub(crate) fn is_last(&self, by: By) -> bool {
        by.poll == self.polls()
    }
}

/// What `body` does is done by `actor`: its constructor, its hooks, and the handlers of hand-written actors.
pub(crate) async fn in_actor<T>(actor: &Cell, body: impl Future<Output = T>) -> T {
    let mut body = pin!(body);
    poll_fn(|cx| {
        let _entered = enter_actor(actor, Mode::Async);
        body.as_mut().poll(cx)
    })
    .await
}

/// Runs synchronous code of an actor, which may wait: a constructor or a hook that is not async.
pub fn synchronous<A: Actor, T>(ctx: &ActorContext<A>, body: impl FnOnce() -> T) -> T {
    let _entered = enter_actor(&ctx.cell, Mode::SyncOnUserThread);
    let pace = Pace::of::<A>("its constructor and hooks");
    Hold::at_once(&ctx.cell, Some(pace)).run(body, |_| true)
}

/// The actor whose method runs on this thread.
pub(crate) fn actor() -> Option<ActorId> {
    match By::now()?.who {
        Body::Actor(id) => Some(id),
        Body::Task(_) => None,
    }
}

/// Bodies that run on this stack, one inside the other.
pub(crate) fn depth() -> usize {
    CURRENT.with_borrow(|scope| scope.as_ref().map_or(0, |scope| scope.depth))
}

pub(crate) fn mode() -> Option<Mode> {
    CURRENT.with_borrow(|scope| scope.as_ref().map(|scope| scope.mode))
}

pub(crate) fn task() -> Option<Arc<dyn Runnable>> {
    CURRENT.with_borrow(|scope| scope.as_ref().and_then(|scope| scope.task.clone()))
}

/// One wait of an async task: while it has any and is not polled, its CPU is lent.
pub(crate) struct Waiting(Arc<dyn Runnable>);

impl Waiting {
    /// Counts one for the task that is polled on this thread, if one is.
    pub(crate) fn begin() -> Option<Self> {
        if mode() != Some(Mode::Async) {
            return None;
        }
        let task = task()?;
        task.waits().fetch_add(1, Ordering::AcqRel);
        Some(Self(task))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waits().fetch_sub(1, Ordering::AcqRel);
    }
}

/// A wait for what is no object: the async task that awaits it lends its CPU meanwhile.
pub(crate) async fn lending<T>(wait: impl Future<Output = T>) -> T {
    let mut wait = pin!(wait);
    let mut waiting = None;
    poll_fn(|cx| {
        let polled = wait.as_mut().poll(cx);
        if polled.is_pending() {
            By::awaits();
            if waiting.is_none() {
                waiting = Waiting::begin();
            }
        }
        polled
    })
    .await
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Waiting({})", self.0.id())
    }
}

/// What a task has of itself while it runs. A parameter of type `&TaskContext` is filled in; elsewhere in a task's code
/// [`TaskContext::current`] gives it.
#[derive(Clone)]
pub struct TaskContext {
    task: Option<Arc<dyn Runnable>>,
}

impl TaskContext {
    /// The task whose code runs on this thread. Outside of one every question has its empty answer.
    #[must_use]
    pub fn current() -> Self {
        Self { task: task() }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> Option<TaskId> {
        let task = self.task.as_ref()?;
        Some(TaskId::new(task.life().runtime()?.id, task.id()))
    }

    /// Its name: what its options say, else its function's.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.task.as_ref().map(|task| task.plan().name.clone())
    }

    /// The task that started it, if a task did.
    #[must_use]
    pub fn parent(&self) -> Option<TaskId> {
        let task = self.task.as_ref()?;
        Some(TaskId::new(task.life().runtime()?.id, task.parent()?))
    }

    /// What it holds.
    #[must_use]
    pub fn resources(&self) -> Resources {
        self.task.as_ref().map(|task| task.plan().demand.running.clone()).unwrap_or_default()
    }

    /// Which run of it this is; the first is 0.
    #[must_use]
    pub fn run(&self) -> u32 {
        self.task.as_ref().map_or(0, |task| task.state().run())
    }

    /// True once nobody wants its result any more: it was cancelled, or its time is over.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.task.as_ref().is_some_and(|task| task.is_given_up())
    }

    /// For synchronous code that takes long: `ctx.check_cancelled()?` now and then.
    ///
    /// # Errors
    /// [`Error::Cancelled`] once nobody wants its result any more.
    pub fn check_cancelled(&self) -> Result<()> {
        match &self.task {
            Some(task) if task.is_given_up() => {
                Err(Error::Cancelled { task: task.plan().name.clone() })
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskContext").field("name", &self.name()).finish()
    }
}

/// Whether this code may block.
///
/// # Errors
/// [`Error::BlockingInAsync`] when it is async.
pub(crate) fn may_block(what: &str, instead: &str) -> Result<Mode> {
    let refuse =
        || Err(Error::BlockingInAsync { what: what.to_owned(), instead: instead.to_owned() });
    match mode() {
        Some(Mode::Async) => refuse(),
        Some(mode) => Ok(mode),
        None if ambient::is_async_thread() => refuse(),
        None => Ok(Mode::Sync),
    }
}

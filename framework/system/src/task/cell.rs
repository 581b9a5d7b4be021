//! One task, from its submission to its result: the shell around [`raytree_engine::task`].

mod again;
mod arguments;
mod producer;
mod starter;
mod there;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_engine::abandoned::{Body, Who};
use raytree_engine::task::{Effect, Event, Phase, Retries, Task};
use raytree_supervise::{clock, panics};
use raytree_types::{Error, Result, TaskId};

use super::args::Pinned;
use super::away::Order;
use super::context::{self, Awaits, By, Mode};
use super::definition::BodyFuture;
use super::driven::Driven;
use super::failure::Failure;
use super::history::{How, Past, Times};
pub(crate) use super::job::{Begun, Job};
use super::job::{End, Held};
use super::plan::{Plan, PlanRef};
use super::run::{Lease, Runnable};
use super::ship;
use super::submit::Room;
use crate::cluster::peer::Seat;
use crate::node::ledger::Claimant;
use crate::object::cell::{Maker, ObjectCell, Producer};
use crate::object::seen::Seen;
use crate::object::travel;
use crate::object::waiter::Needs;
use crate::runtime::Shared;
use crate::runtime::life::Life;
use crate::trace::{self, TraceContext, Traced};
use starter::Starter;

pub(crate) struct TaskCell<J: Job> {
    id: u64,
    starter: Starter,
    life: &'static Life,
    plan: PlanRef,
    /// Within which it was started, where anybody wants to know.
    trace: Option<Box<TraceContext>>,
    state: AtomicU64,
    times: Times,
    waits: AtomicU32,
    awaits: Awaits,
    job: Mutex<Held<J>>,
    out: Mutex<Option<Arc<ObjectCell<J::Out>>>>,
    /// What ends with it: its async body, its timers, its run in another process.
    ends: Mutex<Vec<End>>,
    /// What it started is to go on, also in another process.
    spares: AtomicBool,
}

impl<J: Job> TaskCell<J> {
    /// Enters a task into the table and, once its arguments are there, into the line.
    pub(crate) fn submit(
        runtime: &Arc<Shared>,
        (plan, room, served): (PlanRef, Room, Option<TaskId>),
        job: J,
        out: Arc<ObjectCell<J::Out>>,
    ) {
        if let Err(error) = runtime.may_submit(&plan, room) {
            out.settle(Err(error));
            return;
        }
        let parent = context::task();
        let number = parent.as_ref().map(|parent| parent.id());
        let (id, starter) = (runtime.tasks.next_id(), Starter::of(number, served));
        let trace = trace::outgoing().map(Box::new);
        let Some(task) = Self::enters(runtime, (id, starter, plan, trace), (job, Task::new), &out)
        else {
            return;
        };
        // Looked at when it can be found: whoever gives the parent up finds it, or is seen here.
        if parent.is_some_and(|parent| parent.is_given_up()) {
            // Started by a body that nobody waits for any more.
            let error = Error::Cancelled { task: task.plan.name.clone() };
            task.end(Event::Cancel, error);
            return;
        }
        if let Some(limit) = task.plan.queue_limit {
            let error = Error::QueueTimeout { task: task.plan.name.clone(), after: limit };
            task.ends_with(End::Here(runtime.end_later(limit, &task, Event::QueueExpired, error)));
        }
        task.asks(runtime);
    }

    /// Enters it into the table: who it is, and what it does. None where the runtime has ended.
    fn enters(
        runtime: &Arc<Shared>,
        (id, starter, plan, trace): (u64, Starter, PlanRef, Option<Box<TraceContext>>),
        (job, task): (J, impl FnOnce(u32) -> Task),
        out: &Arc<ObjectCell<J::Out>>,
    ) -> Option<Arc<Self>> {
        let mut references: u32 = 0;
        job.each(&mut |_| references += 1);
        // One more than there are, so that it cannot begin before all are asked.
        let missing = if references == 0 { 0 } else { references + 1 };
        let may_be_lost = plan.retries.lost > 0 && runtime.is_clustered;
        let job = if J::REPEATS && (may_be_lost || plan.may_repeat()) {
            Held::Often(Arc::new(job.keep()))
        } else {
            Held::Once(job)
        };
        let task = Arc::new(Self {
            id,
            starter,
            life: runtime.life,
            state: AtomicU64::new(task(missing).to_bits()),
            times: Times::begin(),
            waits: AtomicU32::new(0),
            awaits: Awaits::default(),
            job: Mutex::new(job),
            out: Mutex::new(Some(Arc::clone(out))),
            ends: Mutex::new(Vec::new()),
            spares: AtomicBool::new(false),
            trace,
            plan,
        });
        out.made_by(Arc::clone(&task) as Arc<dyn Producer>);
        if !runtime.tasks.insert(Arc::clone(&task) as Arc<dyn Runnable>) {
            task.end(Event::Cancel, runtime.gone());
            return None;
        }
        Some(task)
    }

    /// Waits for its arguments, if there are any, and goes into the line.
    fn asks(self: Arc<Self>, runtime: &Arc<Shared>) {
        if self.state().phase() == Phase::Queued {
            runtime.enqueue(self);
        } else {
            self.ask_for_arguments();
        }
    }

    pub(super) fn plan_ref(&self) -> &PlanRef {
        &self.plan
    }

    fn retries(&self) -> Retries {
        if J::REPEATS { self.plan.retries } else { Retries::default() }
    }

    /// Applies an event; the effect is for whoever brought it.
    pub(super) fn step(&self, event: Event) -> Effect {
        let mut effect = Effect::None;
        let step = |bits| {
            let (next, what) = Task::from_bits(bits).step(event, self.retries());
            effect = what;
            Some(next.to_bits())
        };
        // The closure never refuses.
        _ = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
        effect
    }

    /// Where its result goes, as long as it has none.
    pub(super) fn out(&self) -> Option<Arc<ObjectCell<J::Out>>> {
        self.out.lock().clone()
    }

    /// The end of the task for all who wait.
    fn resolve(&self, result: Result<J::Out>, now: Duration) {
        if let Some(out) = self.is_over(How::of(&result), now) {
            out.settle(result);
        }
    }

    /// Where its result goes, if anybody wants it.
    fn is_over(&self, how: How, now: Duration) -> Option<Arc<ObjectCell<J::Out>>> {
        let (host, is_finished) = (self.end_timers(), matches!(how, How::Finished));
        if let Some(runtime) = self.life.runtime() {
            runtime.tasks.ended(self.past(self.state().run(), how, (host, now)));
            if !self.plan.is_plain {
                runtime.leave_line(Claimant::Task(self.id));
            }
        }
        let job = std::mem::replace(&mut *self.job.lock(), Held::Nothing);
        let out = self.out.lock().take();
        let lies = |out: &&Arc<ObjectCell<_>>| is_finished && out.is_of_store();
        if let Some(out) = out.as_ref().filter(lies) {
            self.is_kept(&job, out);
        }
        if let Err(cause) = panics::catch(|| drop(job)) {
            tracing::error!(task = self.plan.name, "dropping an argument panicked: {cause}");
        }
        out
    }

    /// Where it ran, if that was in another process.
    fn end_timers(&self) -> Option<Arc<str>> {
        let recursive = !self.spares.load(Ordering::Acquire);
        let mut host = None;
        for end in std::mem::take(&mut *self.ends.lock()) {
            host = end.host().or(host);
            end.come(recursive);
        }
        host
    }

    /// An attempt that is over.
    fn past(&self, attempt: u32, how: How, (host, ended): (Option<Arc<str>>, Duration)) -> Past {
        Past {
            id: self.id,
            parent: self.parent(),
            plan: self.plan.clone(),
            attempt,
            how,
            submitted: self.times.submitted(),
            began: self.times.began(),
            ended,
            host,
        }
    }

    /// The body, begun on this thread.
    fn begin_body(self: &Arc<Self>) -> Begun<J::Out> {
        let held = self.held();
        let begun = panics::catch(|| match held {
            Held::Once(job) => job.begin_last(),
            Held::Often(job) => match Arc::try_unwrap(job) {
                Ok(job) => job.begin_last(),
                Err(kept) => kept.begin(),
            },
            Held::Nothing => Begun::Done(Err(self.life.gone().into())),
        });
        begun.unwrap_or_else(|cause| Begun::Done(Err(Failure::User(Box::new(cause)))))
    }

    /// What it does, for one run.
    fn held(&self) -> Held<J> {
        let again = self.state().may_run_again(self.retries());
        let mut job = self.job.lock();
        match &*job {
            Held::Often(kept) if again => Held::Often(Arc::clone(kept)),
            _ => std::mem::replace(&mut *job, Held::Nothing),
        }
    }

    /// The call in its written form, for a run in another process.
    pub(super) fn order(&self) -> Result<Order<J::Out>, Failure> {
        let held = self.held();
        let order = panics::catch(|| match held {
            Held::Once(job) => job.order_last(),
            Held::Often(job) => match Arc::try_unwrap(job) {
                Ok(job) => job.order_last(),
                Err(kept) => kept.order(),
            },
            Held::Nothing => Err(self.life.gone()),
        });
        match order {
            Ok(order) => order.map_err(Failure::from),
            Err(cause) => Err(Failure::User(Box::new(cause))),
        }
    }

    /// A run begins, with what keeps its arguments where they lie until it has them; none when it is not to.
    pub(super) fn begins(
        self: &Arc<Self>,
        runtime: &Arc<Shared>,
        (is_timed, now): (bool, Duration),
    ) -> Option<Pinned> {
        // Alone, all values are this process's own.
        let needs = if is_timed { Needs::Memory } else { Needs::Value };
        let pinned = if runtime.is_clustered { self.pinned(needs)? } else { Vec::new() };
        if self.step(Event::Begin) != Effect::Run {
            return None;
        }
        self.times.runs_since(now);
        if let Some(limit) = self.plan.run_limit.filter(|_| is_timed) {
            let run = self.state().run();
            let error = Error::Timeout { what: self.plan.name.clone(), after: limit };
            let end = runtime.end_later(limit, self, Event::RunExpired { run }, error);
            self.ends_with(End::Here(end));
        }
        Some(pinned)
    }

    /// Runs the body; what is left when it has to be polled on.
    fn run(self: &Arc<Self>, runtime: &Arc<Shared>, now: Duration) -> Ran<J> {
        let Some(pinned) = self.begins(runtime, (true, now)) else { return Ran::Over(now) };
        let task = Arc::clone(self) as Arc<dyn Runnable>;
        let traced = self
            .trace()
            .map(|parent| Traced::task(parent, &self.plan.name, TaskId::new(runtime.id, self.id)));
        let begun = {
            let _entered = context::enter(task, Mode::Sync);
            let _inside = traced.as_ref().map(Traced::enter);
            self.begin_body()
        };
        drop(pinned);
        match begun {
            Begun::Done(result) => Ran::Over(self.ended(runtime, result)),
            Begun::Future(body) => Ran::Async(trace::follow(traced, body)),
        }
    }

    /// Within which it was started.
    pub(super) fn trace(&self) -> Option<TraceContext> {
        self.trace.as_deref().copied()
    }

    /// A body has ended: when.
    pub(super) fn ended(
        self: &Arc<Self>,
        runtime: &Arc<Shared>,
        result: Result<J::Out, Failure>,
    ) -> Duration {
        let now = clock::now();
        let result = result.and_then(|value| {
            travel::through(self.life, self.plan.codec, value).map_err(Failure::from)
        });
        let event = match &result {
            Ok(_) => Event::Returned,
            Err(Failure::Lost(_)) => Event::WorkerLost,
            Err(failure) => {
                let worth =
                    failure.type_name().is_some_and(|name| self.plan.is_worth_a_retry(name));
                Event::Failed { worth_a_retry: worth }
            }
        };
        let attempt = self.state().run();
        match self.step(event) {
            Effect::Queue => {
                // Those of the run that is over: there may be any number of runs.
                let host = self.end_timers();
                if let Err(failure) = result {
                    let why = failure.into_error(&self.plan.name).to_string();
                    runtime.tasks.failed(self.past(attempt, How::failed(why), (host, now)));
                }
                runtime.enqueue(Arc::clone(self));
            }
            Effect::Resolve => {
                self.resolve(result.map_err(|failure| failure.into_error(&self.plan.name)), now);
            }
            Effect::Discard => {
                runtime.given_up_ended(Who::Task(self.id));
                // The user's drop.
                _ = panics::catch(|| drop(result));
            }
            Effect::None | Effect::Ask | Effect::Run | Effect::Abandon => {}
        }
        now
    }

    /// An async body was dropped before it ended.
    pub(super) fn dropped(&self) {
        match (self.step(Event::Returned), self.life.runtime()) {
            (Effect::Discard, Some(runtime)) => runtime.given_up_ended(Who::Task(self.id)),
            // The runtime is going, and has not come to this task yet.
            (Effect::Resolve, _) => self.resolve(Err(self.life.gone()), clock::now()),
            _ => {}
        }
    }

    /// Something that is to end when the task does.
    pub(super) fn ends_with(&self, end: End) {
        self.ends.lock().push(end);
        if self.is_given_up() {
            self.end_timers();
        }
    }
}

enum Ran<J: Job> {
    /// It ended then.
    Over(Duration),
    Async(BodyFuture<'static, J::Out>),
}

impl<J: Job> Runnable for TaskCell<J> {
    fn id(&self) -> u64 {
        self.id
    }

    fn parent(&self) -> Option<u64> {
        self.starter.parent()
    }

    fn served_as(&self) -> Option<TaskId> {
        self.starter.served_as()
    }

    fn life(&self) -> &'static Life {
        self.life
    }

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn state(&self) -> Task {
        Task::from_bits(self.state.load(Ordering::Acquire))
    }

    fn times(&self) -> &Times {
        &self.times
    }

    fn host(&self) -> Option<Arc<str>> {
        self.ends.lock().iter().find_map(End::host)
    }

    fn missing(&self) -> Vec<(&'static str, Option<Maker>)> {
        self.missing_arguments()
    }

    fn coming(&self) -> Vec<(&'static str, &'static str)> {
        let mut coming = Vec::new();
        self.each_argument(&mut |settled| coming.extend(settled.comes()));
        coming
    }

    fn at_home(&self) -> Option<String> {
        self.home_of_arguments()
    }

    fn arguments(&self) -> Vec<usize> {
        let mut all = Vec::new();
        self.each_argument(&mut |settled| all.push(settled.at()));
        all
    }

    fn result(&self) -> Option<Seen> {
        let out = self.out.lock().clone();
        out.map(|out| out.seen())
    }

    fn lost(&self) -> Option<String> {
        self.out()?.lost_before()
    }

    fn waits(&self) -> &AtomicU32 {
        &self.waits
    }

    fn awaits(&self) -> &Awaits {
        &self.awaits
    }

    fn awaited_by(&self) -> Vec<By> {
        // The object's own lock is taken after that of the task is let go.
        self.out().map(|out| out.awaited_by()).unwrap_or_default()
    }

    fn run_in_lane(self: Arc<Self>, runtime: &Arc<Shared>, stamp: &Cell<Option<Duration>>) -> bool {
        match self.run(runtime, stamp.take().unwrap_or_else(clock::now)) {
            Ran::Over(now) => {
                stamp.set(Some(now));
                true
            }
            Ran::Async(body) => Driven::start(self, body, Lease::OfLane, runtime),
        }
    }

    fn run_granted(self: Arc<Self>, runtime: &Arc<Shared>) {
        let over = match self.run(runtime, clock::now()) {
            Ran::Over(_) => true,
            Ran::Async(body) => Driven::start(Arc::clone(&self), body, Lease::Granted, runtime),
        };
        if over {
            Lease::Granted.give_back(runtime, &self.plan);
        }
    }

    fn ship(self: Arc<Self>, seat: Seat, runtime: &Arc<Shared>) {
        ship::ship(self, seat, runtime);
    }

    fn end(&self, event: Event, error: Error) -> bool {
        match self.step(event) {
            Effect::Resolve => self.resolve(Err(error), clock::now()),
            Effect::Abandon => {
                if let Some(runtime) = self.life.runtime() {
                    let (name, cpu) = (self.plan.name.clone(), self.plan.cpu.unsigned_abs());
                    runtime.gives_up(Who::Task(self.id), Body { name, cpu }, clock::now());
                }
                self.resolve(Err(error), clock::now());
            }
            _ => return false,
        }
        true
    }
}

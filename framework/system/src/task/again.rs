//! What it takes to run a task again whose result is lost: its *lineage*.
//!
//! It is kept when a task ends that another process has run and whose value lies in a store, with the object of that value. Its arguments
//! are kept as they were given: values in their written form, those that lie in a store as what is held there; of references not the
//! objects, whose values are freed with their last reference as ever, but their lineages, so that one after the other is made again where all
//! were lost. What is to run again for one object is found first, as far as it goes, and begins then: so what several of them need is made
//! once. Neither that nor the end of a lineage that is the last holder of others goes deeper with a longer chain: it is one after the other.
//!
//! How much is kept in a process has a bound ([`Lineages`]), beyond which the oldest lineages are given up.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use raytree_engine::lineage::{self, Books, Lineage as Kept, Origin as From};
use raytree_engine::task::Task;
use raytree_supervise::panics;
use raytree_types::{Error, Result};

use super::cell::TaskCell;
use super::failure::Failure;
use super::job::Job;
use super::plan::PlanRef;
use crate::object::Value;
use crate::object::cell::{Maker, ObjectCell, Producer};
use crate::object::lineage::{Anew, Due, Keeps, Origin, freed};
use crate::object::reference::ObjectRef;
use crate::runtime::Shared;
use crate::runtime::life::Life;
use crate::trace::TraceContext;

/// What is kept of the lineages of a process.
pub(crate) struct Lineages {
    all: Mutex<All>,
}

struct All {
    books: Books,
    known: HashMap<u64, Weak<dyn GivesUp>>,
}

trait GivesUp: Send + Sync {
    /// It is given up for others.
    fn gives_up(&self, bound: u64);
}

impl Lineages {
    /// At most so many bytes of them.
    pub(crate) fn new(bound: u64) -> Self {
        Self { all: Mutex::new(All { books: Books::new(bound), known: HashMap::new() }) }
    }

    fn bound(&self) -> u64 {
        self.all.lock().books.bound()
    }

    /// How many bytes are kept.
    pub(crate) fn bytes(&self) -> u64 {
        self.all.lock().books.bytes()
    }

    fn enter(&self, bytes: u64, lineage: Weak<dyn GivesUp>, number: &OnceLock<u64>) {
        let mut all = self.all.lock();
        let All { books, known } = &mut *all;
        let (own, given_up) = books.enter(bytes);
        known.insert(own, lineage);
        // Set once, here.
        _ = number.set(own);
        let given_up: Vec<_> =
            given_up.iter().filter_map(|number| known.remove(number)?.upgrade()).collect();
        let bound = books.bound();
        drop(all);
        // What is held by them may be the user's.
        given_up.iter().for_each(|lineage| lineage.gives_up(bound));
        if !given_up.is_empty() {
            tracing::debug!(
                bound,
                lineages = given_up.len(),
                "lineages are given up for newer ones"
            );
        }
        given_up.into_iter().for_each(|lineage| let_go(Box::new(lineage)));
    }

    fn leave(&self, number: u64) {
        let mut all = self.all.lock();
        all.books.leave(number);
        let gone = all.known.remove(&number);
        drop(all);
        drop(gone);
    }
}

impl fmt::Debug for Lineages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lineages").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

/// A task that is over, and what is kept of it.
pub(crate) struct Lineage<J: Job> {
    pub(super) id: u64,
    pub(super) parent: Option<u64>,
    pub(super) plan: PlanRef,
    pub(super) trace: Option<TraceContext>,
    life: &'static Life,
    label: &'static str,
    /// As it was when it ended.
    task: AtomicU64,
    past: Mutex<(Kept, Option<Arc<J::Past>>)>,
    /// In the books, if it is in them.
    number: OnceLock<u64>,
    /// The newest object that has its value.
    object: Mutex<Weak<ObjectCell<J::Out>>>,
    /// Nobody wants it any more, before it runs again.
    is_cancelled: AtomicBool,
}

impl<J: Job> Lineage<J> {
    /// Of a task that has ended with a value that lies in a store. `job`: what it does, if that is still there.
    pub(super) fn keep(
        runtime: &Arc<Shared>,
        task: (u64, Option<u64>, &PlanRef, Option<TraceContext>),
        (job, ended): (Option<&J>, Task),
        out: &Arc<ObjectCell<J::Out>>,
    ) {
        if let Some(own) = out.origin() {
            // It has run again.
            if let Some(own) = own.as_any().downcast_ref::<Self>() {
                own.task.store(ended.to_bits(), Ordering::Release);
            }
            return;
        }
        let (id, parent, plan, trace) = task;
        let bound = runtime.lineages.bound();
        let mut keeps = Keeps { stores: &runtime.stores, codec: plan.codec, bytes: 0 };
        let may = bound > 0 && ended.may_be_rebuilt(plan.retries);
        // Writing values is their types' own code.
        let past = job.filter(|_| may).map(|job| panics::catch(|| job.past(&mut keeps)));
        let past = past.and_then(Result::ok).flatten().map(Arc::new);
        let bytes = keeps.bytes + (size_of::<Self>() + size_of::<J::Past>()) as u64;
        let kept = match &past {
            _ if bound == 0 => Kept::GivenUp { bound },
            Some(_) => Kept::Kept,
            None => Kept::Cannot,
        };
        let lineage = Arc::new(Self {
            id,
            parent,
            plan: plan.clone(),
            trace,
            life: runtime.life,
            label: out.label,
            task: AtomicU64::new(ended.to_bits()),
            past: Mutex::new((kept, past)),
            number: OnceLock::new(),
            object: Mutex::new(Arc::downgrade(out)),
            is_cancelled: AtomicBool::new(false),
        });
        if kept == Kept::Kept {
            let entered = Arc::downgrade(&lineage);
            runtime.lineages.enter(bytes, entered, &lineage.number);
        }
        out.comes_from(lineage);
    }

    /// The job with its arguments, as they were given.
    fn job(&self, anew: &mut Anew) -> Result<J> {
        let past = self.past.lock().1.clone();
        match past {
            // Reading them is their types' own code.
            Some(past) => panics::catch(|| J::again(&past, anew))
                .unwrap_or_else(|cause| Err(Failure::User(Box::new(cause)).into_error(self.label))),
            // It was given up in between.
            None => Err(lineage::decide(&Origin::from(self))
                .map_or_else(|why| freed(self.label, why), |_| self.life.gone())),
        }
    }

    /// Runs the task again, for this object.
    fn runs(&self, runtime: &Arc<Shared>, job: J, object: &Arc<ObjectCell<J::Out>>) {
        if self.is_cancelled.load(Ordering::Acquire) {
            // Dropping arguments is their types' own code.
            _ = panics::catch(|| drop(job));
            return object.settle(Err(Error::Cancelled { task: self.plan.name.clone() }));
        }
        tracing::info!(
            task = self.plan.name,
            id = self.id,
            "a task runs again, for its result is lost"
        );
        let ended = Task::from_bits(self.task.load(Ordering::Acquire));
        // Counted also where it fails.
        self.task.store(ended.rebuilt(0).to_bits(), Ordering::Release);
        // Those that fill the table may wait for this very one.
        runtime.tasks.enters_beyond();
        TaskCell::runs_again(runtime, (self, ended), job, object);
        if self.is_cancelled.load(Ordering::Acquire) {
            self.cancels_run(object);
        }
    }

    /// The run that has begun for this object is no longer wanted.
    fn cancels_run(&self, object: &ObjectCell<J::Out>) {
        let run = object.producer();
        if let Some(run) = run.filter(|run| !std::ptr::addr_eq(Arc::as_ptr(run), self)) {
            run.cancel(true);
        }
    }
}

/// A task that is to run again.
struct Again<J: Job> {
    lineage: Arc<Lineage<J>>,
    object: Awaited<J::Out>,
    job: Option<Result<J>>,
}

impl<J: Job> Due for Again<J> {
    fn finds_arguments(&mut self, anew: &mut Anew) {
        self.job = Some(self.lineage.job(anew));
    }

    fn begins(mut self: Box<Self>, runtime: &Arc<Shared>) {
        let (Some(object), Some(job)) = (self.object.0.take(), self.job.take()) else { return };
        match job {
            Ok(job) => self.lineage.runs(runtime, job, &object),
            Err(error) => object.settle(Err(error)),
        }
    }
}

impl<J: Job> GivesUp for Lineage<J> {
    fn gives_up(&self, bound: u64) {
        let before = mem::replace(&mut *self.past.lock(), (Kept::GivenUp { bound }, None));
        let_go(Box::new(before));
    }
}

impl<J: Job> Origin<J::Out> for Lineage<J> {
    fn from(&self) -> From {
        let task = Task::from_bits(self.task.load(Ordering::Acquire));
        From::Task { task, retries: self.plan.retries, lineage: self.past.lock().0 }
    }

    fn producer(self: Arc<Self>, _cell: &Arc<ObjectCell<J::Out>>) -> Option<Arc<dyn Producer>> {
        self.is_cancelled.store(false, Ordering::Release);
        Some(self)
    }

    fn begins(self: Arc<Self>, cell: Arc<ObjectCell<J::Out>>) {
        // Whoever waits is told also where the runtime ends before it is in the table of tasks.
        let again = Again { lineage: self, object: Awaited(Some(cell)), job: None };
        let Some(runtime) = again.lineage.life.runtime() else { return };
        let user = runtime.user.clone();
        user.spawn_blocking(move || Anew::runs(&runtime, Box::new(again)));
    }

    fn object(self: Arc<Self>, anew: &mut Anew) -> Option<Result<ObjectRef<J::Out>>> {
        let mut object = self.object.lock();
        if let Some(held) = object.upgrade().and_then(|cell| cell.hold_again()) {
            return Some(Ok(held));
        }
        if let Err(why) = lineage::decide(&Origin::from(&*self)) {
            return Some(Err(freed(self.label, why)));
        }
        let cell = ObjectCell::pending(self.label, self.life);
        *object = Arc::downgrade(&cell);
        drop(object);
        let own = Arc::clone(&self);
        cell.comes_from(self);
        cell.is_made_again();
        if let Some(producer) = Arc::clone(&own).producer(&cell) {
            cell.made_by(producer);
        }
        let object = Awaited(Some(Arc::clone(&cell)));
        anew.due(Box::new(Again { lineage: own, object, job: None }));
        Some(Ok(ObjectRef::first(cell)))
    }

    fn is_task(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// As long as it has not begun.
impl<J: Job> Producer for Lineage<J> {
    fn cancel(&self, _recursive: bool) {
        self.is_cancelled.store(true, Ordering::Release);
        // It may have begun since it was asked who makes the object, and then nobody looks at that any more.
        let object = self.object.lock().upgrade();
        if let Some(object) = object {
            self.cancels_run(&object);
        }
    }

    fn needs_thread(&self) -> bool {
        true
    }

    fn maker(&self) -> Option<Maker> {
        Some(Maker::Task(self.id))
    }
}

impl<J: Job> Drop for Lineage<J> {
    fn drop(&mut self) {
        if let (Some(number), Some(runtime)) = (self.number.get(), self.life.runtime()) {
            runtime.lineages.leave(*number);
        }
        let past = self.past.get_mut().1.take();
        if let Some(past) = past {
            let_go(Box::new(past));
        }
    }
}

/// An object whose task is on its way into the table: dropped, it will not come there.
struct Awaited<T: Value>(Option<Arc<ObjectCell<T>>>);

impl<T: Value> Drop for Awaited<T> {
    fn drop(&mut self) {
        if let Some(cell) = self.0.take() {
            cell.settle(Err(cell.life.gone()));
        }
    }
}

thread_local! {
    /// What is still to be let go on this thread, while something is.
    static LINE: RefCell<Option<Vec<Box<dyn Any>>>> = const { RefCell::new(None) };
}

/// Lets go of what may be the last holder of others that hold others in turn. Dropping values is the user's code.
fn let_go(held: Box<dyn Any>) {
    let mut held = Some(held);
    let is_first = LINE.try_with(|line| {
        let mut line = line.borrow_mut();
        let is_first = line.is_none();
        line.get_or_insert_default().extend(held.take());
        is_first
    });
    match is_first {
        Ok(false) => return,
        Ok(true) => {}
        // This thread is ending.
        Err(_) => return drop(held),
    }
    let next = || LINE.with_borrow_mut(|line| line.as_mut().and_then(Vec::pop));
    while let Some(one) = next() {
        if let Err(cause) = panics::catch(|| drop(one)) {
            tracing::error!("dropping an argument panicked: {cause}");
        }
    }
    LINE.set(None);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    static ENDED: AtomicUsize = AtomicUsize::new(0);

    struct Link(Option<Box<Self>>);

    impl Drop for Link {
        fn drop(&mut self) {
            ENDED.fetch_add(1, Ordering::Relaxed);
            if let Some(next) = self.0.take() {
                let_go(next);
            }
        }
    }

    #[test]
    fn a_chain_is_let_go_on_a_small_stack() {
        const LEN: usize = 1_000_000;
        let chain = (1..LEN).fold(Link(None), |chain, _| Link(Some(Box::new(chain))));
        let small = std::thread::Builder::new().stack_size(64 << 10);
        small.spawn(|| drop(chain)).unwrap().join().unwrap();
        assert_eq!(ENDED.load(Ordering::Relaxed), LEN);
    }
}

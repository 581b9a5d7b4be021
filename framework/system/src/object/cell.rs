//! An object: a value that may not be there yet, with all who wait for it.
//!
//! Invariants:
//! - **OB-1 (settled-once):** an object gets one value or one error, and everybody who waits then is told once.
//! - **OB-2 (freed-at-once):** with its last reference the value is gone, whether it came before or comes after.
//! - **OB-3 (moved-not-shared):** who holds the last reference gets the value itself; everybody else a clone.

use std::fmt;
use std::mem;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use once_cell::race::OnceBox;
use parking_lot::{Mutex, MutexGuard};
use raytree_supervise::panics;
use raytree_types::{ActorId, Error, Result};

use super::countdown::Countdown;
use super::lineage;
use super::lying::Lies;
use super::seen::Source;
use super::ties::Ties;
use super::waiter::{self, Needs, Waiter};
use super::wanted::Wanted;
use crate::link::Home;
use crate::runtime::Shared;
use crate::runtime::life::Life;
use crate::task::context::By;

/// Who makes the value of an object.
pub(crate) trait Producer: Send + Sync {
    /// It is no longer wanted; nor, if `recursive`, is what it started.
    fn cancel(&self, recursive: bool);

    /// Whether a thread that is not there yet may be needed to make the value.
    fn needs_thread(&self) -> bool {
        false
    }

    /// Makes the value on this thread, for one who waits for it, if that can be done.
    fn run_in_wait(self: Arc<Self>, _runtime: &Arc<Shared>) {}

    /// It makes the value once somebody wants it, and nobody has yet.
    fn is_lazy(&self) -> bool {
        false
    }

    /// Somebody wants the value.
    fn wanted(&self) {}

    /// Which task or call it is.
    fn maker(&self) -> Option<Maker> {
        None
    }

    /// Where the value would come from.
    fn home(&self) -> Option<Home> {
        None
    }
}

pub(crate) struct ObjectCell<T> {
    /// What made it, for messages.
    pub(crate) label: &'static str,
    /// Where.
    pub(super) site: Option<&'static Location<'static>>,
    pub(crate) life: &'static Life,
    pub(super) slot: Mutex<Slot<T>>,
    /// References, those in arguments included.
    pub(super) holders: AtomicUsize,
    /// What it has to do with stores and other processes, if anything.
    pub(super) ties: OnceBox<Ties<T>>,
}

pub(super) enum Slot<T> {
    Pending {
        producer: Option<Arc<dyn Producer>>,
        waiters: Vec<Waiter>,
    },
    Ready(T),
    Shared(Arc<T>),
    /// There is a value, in the store alone.
    Lying(Box<Away<T>>),
    Failed {
        error: Arc<Error>,
        seen: bool,
    },
    /// Moved out, or freed.
    Taken,
}

/// A value that is in the store alone. In a box, so that a slot is not larger for it.
pub(super) struct Away<T> {
    pub(super) lies: Arc<dyn Lies<T>>,
    /// It is on disk, and they wait until it is back.
    pub(super) waiters: Vec<Waiter>,
}

/// How an object stands when somebody asks to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// He will be told.
    Pending,
    /// There is a value.
    Ready,
    /// There will be none.
    Failed,
}

/// Who makes an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    /// The task of this runtime with this number.
    Task(u64),
    /// A call of this actor.
    Call(ActorId),
}

impl<T> ObjectCell<T> {
    /// Without a value yet, and with one reference.
    pub(crate) fn pending(source: impl Into<Source>, life: &'static Life) -> Arc<Self> {
        let slot = Slot::Pending { producer: None, waiters: Vec::new() };
        Self::of(source.into(), life, slot)
    }

    /// With a value, and with one reference.
    pub(crate) fn ready(source: impl Into<Source>, life: &'static Life, value: T) -> Arc<Self> {
        Self::of(source.into(), life, Slot::Ready(value))
    }

    /// With an error, and with one reference.
    pub(crate) fn failed(
        source: impl Into<Source>,
        life: &'static Life,
        error: Error,
    ) -> Arc<Self> {
        Self::of(source.into(), life, Slot::Failed { error: Arc::new(error), seen: false })
    }

    fn of(Source { label, site }: Source, life: &'static Life, slot: Slot<T>) -> Arc<Self> {
        let (slot, holders) = (Mutex::new(slot), AtomicUsize::new(1));
        Arc::new(Self { label, site, life, slot, holders, ties: OnceBox::new() })
    }

    /// Says who makes the value. Before anybody else has seen the object.
    pub(crate) fn made_by(&self, by: Arc<dyn Producer>) {
        if let Slot::Pending { producer, .. } = &mut *self.slot.lock() {
            *producer = Some(by);
        }
    }

    pub(crate) fn producer(&self) -> Option<Arc<dyn Producer>> {
        match &*self.slot.lock() {
            Slot::Pending { producer, .. } => producer.clone(),
            _ => None,
        }
    }

    /// Gives it its value or its error (OB-1); later ones are dropped. Whether this was the first.
    pub(super) fn settle_as(&self, new: Slot<T>) -> bool {
        let mut slot = self.slot.lock();
        if !matches!(&*slot, Slot::Pending { .. }) {
            drop(slot);
            // The value of an abandoned body; its drop is the user's code.
            _ = panics::catch(|| drop(new));
            return false;
        }
        let ok = !matches!(new, Slot::Failed { .. });
        let old = mem::replace(&mut *slot, new);
        let unheld = self.holders.load(Ordering::Acquire) == 0;
        let freed = unheld.then(|| mem::replace(&mut *slot, Slot::Taken));
        let Slot::Pending { waiters: mut told, producer } = old else { return true };
        let back = slot.keep_waiting(&mut told);
        drop(slot);
        self.free(freed);
        back.want();
        waiter::tell_all(told, ok);
        drop(producer);
        true
    }

    pub(crate) fn hold(&self) {
        self.holders.fetch_add(1, Ordering::Relaxed);
    }

    /// One reference less (OB-2).
    pub(crate) fn release(&self) {
        if self.holders.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        let mut slot = self.slot.lock();
        if self.holders.load(Ordering::Acquire) != 0 {
            // It is held again.
            return;
        }
        let pending = matches!(&*slot, Slot::Pending { .. });
        // What is still to come is freed when it comes.
        let freed = (!pending).then(|| mem::replace(&mut *slot, Slot::Taken));
        drop(slot);
        drop(self.lets_go());
        self.free(freed);
    }

    fn free(&self, slot: Option<Slot<T>>) {
        match slot {
            None | Some(Slot::Taken) => {}
            Some(Slot::Failed { seen: true, .. }) => {}
            Some(Slot::Failed { error, .. }) => self.life.lost(&error),
            // Freeing runs the user's `Drop`, on any thread: a panic in it must not reach whoever let go last.
            Some(value) => {
                if let Err(cause) = panics::catch(|| drop(value)) {
                    tracing::error!(object = self.label, "dropping the value panicked: {cause}");
                }
            }
        }
    }

    /// Asks to be told when it is settled, and in memory where that is needed, unless it is.
    pub(crate) fn subscribe(&self, needs: Needs, waiter: impl FnOnce(Needs) -> Waiter) -> Standing {
        let (standing, wanted) = self.enlist(needs, waiter);
        wanted.want();
        standing
    }

    /// The same; who is still to be told that the value is wanted.
    pub(super) fn enlist(
        &self,
        needs: Needs,
        waiter: impl FnOnce(Needs) -> Waiter,
    ) -> (Standing, Wanted<T>) {
        let wanted = match &mut *self.slot.lock() {
            Slot::Pending { waiters, producer } => {
                waiters.push(waiter(needs));
                Wanted::of(producer)
            }
            Slot::Lying(away) if !away.lies.suffices(needs) => {
                away.waiters.push(waiter(needs));
                Wanted::back(away)
            }
            Slot::Ready(_) | Slot::Shared(_) | Slot::Lying(_) => {
                return (Standing::Ready, Wanted::Nothing);
            }
            Slot::Failed { .. } | Slot::Taken => return (Standing::Failed, Wanted::Nothing),
        };
        (Standing::Pending, wanted)
    }

    /// That one need not be told any more.
    pub(crate) fn unsubscribe(&self, countdown: &Arc<Countdown>) {
        let those = |waiters: &mut Vec<Waiter>| -> Vec<Waiter> {
            waiters.extract_if(.., |waiter| waiter.is(countdown)).collect()
        };
        let gone = self.slot.lock().waiters_mut().map(those);
        // After the lock: it may hold the last count of something.
        drop(gone);
    }

    /// How it stands; on disk or not. One that is made when it is wanted is wanted from then on.
    pub(crate) fn standing(&self) -> Standing {
        let lazy = match &*self.slot.lock() {
            Slot::Pending { producer, .. } => Wanted::<T>::of(producer),
            Slot::Ready(_) | Slot::Shared(_) | Slot::Lying(_) => return Standing::Ready,
            Slot::Failed { .. } | Slot::Taken => return Standing::Failed,
        };
        lazy.want();
        Standing::Pending
    }

    /// Whether it can be read at once, or never: settled, and in memory as far as can be seen.
    pub(crate) fn is_at_hand(&self) -> bool {
        self.suffices(Needs::Memory)
    }

    /// Whether whoever needs so much of it need not wait. One that is made when it is wanted is wanted from then on.
    pub(crate) fn suffices(&self, needs: Needs) -> bool {
        match &*self.slot.lock() {
            Slot::Lying(away) => return away.lies.suffices(needs),
            Slot::Ready(_) | Slot::Shared(_) | Slot::Failed { .. } | Slot::Taken => return true,
            Slot::Pending { .. } => {}
        }
        self.standing() != Standing::Pending
    }

    /// The same, and nobody wants it for that.
    pub(crate) fn has(&self, needs: Needs) -> bool {
        match &*self.slot.lock() {
            Slot::Lying(away) => away.lies.suffices(needs),
            Slot::Pending { .. } => false,
            Slot::Ready(_) | Slot::Shared(_) | Slot::Failed { .. } | Slot::Taken => true,
        }
    }

    /// Why there is no value, once that is known.
    pub(crate) fn failure(&self) -> Option<Error> {
        let has_failed = matches!(&*self.slot.lock(), Slot::Failed { .. } | Slot::Taken);
        has_failed.then(|| self.share().err()).flatten()
    }

    /// The actors and tasks whose code waits for it.
    pub(crate) fn awaited_by(&self) -> Vec<By> {
        self.slot.lock().waiters().iter().filter_map(Waiter::by).collect()
    }

    /// Ready once it is settled.
    pub(crate) fn poll_settled(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_as(cx, Waiter::waker)
    }

    /// The same, for one who waits for something else, too.
    pub(crate) fn poll_beside(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_as(cx, |waker| {
            By::awaits();
            Waiter::Waker(waker, None, None)
        })
    }

    fn poll_as(&self, cx: &Context<'_>, waiter: fn(Waker) -> Waiter) -> Poll<()> {
        let mut before = None;
        let mut add = |waiters: &mut Vec<Waiter>| {
            let place = |own: &Waker| waiters.iter().position(|waiter| waiter.will_wake(own));
            // An async body is polled first before there is anything to wake.
            match (place(cx.waker()), place(Waker::noop())) {
                (Some(again), _) => waiters[again].is_polled(),
                (None, Some(nobody)) => {
                    before = Some(mem::replace(&mut waiters[nobody], waiter(cx.waker().clone())));
                }
                (None, None) => waiters.push(waiter(cx.waker().clone())),
            }
        };
        let lazy = match &mut *self.slot.lock() {
            Slot::Pending { waiters, producer } => {
                add(waiters);
                Wanted::of(producer)
            }
            Slot::Lying(away) if !away.lies.suffices(Needs::Memory) => {
                let before = away.waiters.len();
                add(&mut away.waiters);
                if away.waiters.len() > before { Wanted::back(away) } else { Wanted::Nothing }
            }
            _ => return Poll::Ready(()),
        };
        drop(before);
        lazy.want();
        Poll::Pending
    }

    pub(super) fn is_lying(&self) -> bool {
        matches!(&*self.slot.lock(), Slot::Lying(_))
    }

    /// It is in memory again, or never will be.
    pub(super) fn is_back(&self) {
        let waiters = match &mut *self.slot.lock() {
            Slot::Lying(away) => mem::take(&mut away.waiters),
            _ => Vec::new(),
        };
        waiter::tell_all(waiters, true);
    }

    /// Its value is read from the store from now on. What it had before, and whether nobody holds it any more.
    pub(super) fn lies_from_now_on(
        &self,
        lies: Option<Arc<dyn Lies<T>>>,
    ) -> (Option<Slot<T>>, bool) {
        let mut slot = self.slot.lock();
        let has_value = matches!(&*slot, Slot::Ready(_) | Slot::Shared(_));
        let lies = lies.filter(|_| has_value).map(Slot::lying);
        let old = lies.map(|lies| mem::replace(&mut *slot, lies));
        (old, matches!(&*slot, Slot::Taken))
    }

    /// The value behind a count, for those who only read it. Waits where it is on disk.
    pub(crate) fn share(&self) -> Result<Arc<T>> {
        self.life.check()?;
        self.share_in(self.slot.lock())
    }

    fn share_in(&self, mut slot: MutexGuard<'_, Slot<T>>) -> Result<Arc<T>> {
        if let Slot::Lying(away) = &*slot {
            let lies = Arc::clone(&away.lies);
            drop(slot);
            // Whoever has the value keeps it where it is, and nobody else does.
            return lies.read().map(Arc::new);
        }
        if let Slot::Ready(_) = &*slot
            && let Slot::Ready(value) = mem::replace(&mut *slot, Slot::Taken)
        {
            *slot = Slot::Shared(Arc::new(value));
        }
        match &mut *slot {
            Slot::Shared(value) => Ok(Arc::clone(value)),
            other => Err(self.refusal(other)),
        }
    }

    fn refusal(&self, slot: &mut Slot<T>) -> Error {
        match slot {
            Slot::Failed { error, seen } => {
                *seen = true;
                (**error).clone()
            }
            // It had a value when whoever reads it looked.
            Slot::Pending { .. } => lineage::again(self.label),
            _ => Error::ObjectTaken { object: self.label.to_owned() },
        }
    }
}

impl<T> ObjectCell<T> {
    /// The value of a holder who gives up his reference: itself, or behind a count if there are others.
    pub(crate) fn give(&self) -> Result<Result<T, Arc<T>>> {
        self.life.check()?;
        let mut slot = self.slot.lock();
        // Only a holder can make further ones, so the last one stays the last.
        if self.holders.load(Ordering::Acquire) != 1 {
            return self.share_in(slot).map(Err);
        }
        if let Slot::Lying(away) = &*slot {
            let lies = Arc::clone(&away.lies);
            drop(slot);
            let value = lies.read()?;
            let mut slot = self.slot.lock();
            // What was made of it may have come to need it again meanwhile.
            let is_last = self.holders.load(Ordering::Acquire) == 1;
            let old = is_last.then(|| mem::replace(&mut *slot, Slot::Taken));
            drop(slot);
            drop(old);
            return Ok(Ok(value));
        }
        match mem::replace(&mut *slot, Slot::Taken) {
            Slot::Ready(value) => Ok(Ok(value)),
            // Somebody may still hold a `Shared`.
            Slot::Shared(value) => Ok(Arc::try_unwrap(value)),
            mut other => {
                let refusal = self.refusal(&mut other);
                *slot = other;
                Err(refusal)
            }
        }
    }
}

impl<T> Slot<T> {
    /// Of those who waited for its value, which is somewhere else: those for whom that is not enough go on waiting.
    fn keep_waiting(&mut self, told: &mut Vec<Waiter>) -> Wanted<T> {
        let Self::Lying(away) = self else { return Wanted::Nothing };
        let Away { lies, waiters } = &mut **away;
        waiters.extend(told.extract_if(.., |waiter| !lies.suffices(waiter.needs())));
        let need = waiters.iter().map(Waiter::need).max();
        need.map_or(Wanted::Nothing, |need| Wanted::Back(Arc::clone(lies), need))
    }

    /// Those who wait for it.
    pub(super) fn waiters(&self) -> &[Waiter] {
        match self {
            Self::Pending { waiters, .. } => waiters,
            Self::Lying(away) => &away.waiters,
            _ => &[],
        }
    }

    fn waiters_mut(&mut self) -> Option<&mut Vec<Waiter>> {
        match self {
            Self::Pending { waiters, .. } => Some(waiters),
            Self::Lying(away) => Some(&mut away.waiters),
            _ => None,
        }
    }

    pub(super) fn lying(lies: Arc<dyn Lies<T>>) -> Self {
        Self::Lying(Box::new(Away { lies, waiters: Vec::new() }))
    }
}

impl<T: Clone> ObjectCell<T> {
    /// The value, for a holder who gives up his reference (OB-3).
    pub(crate) fn take(&self) -> Result<T> {
        self.give().map(|given| given.unwrap_or_else(|shared| (*shared).clone()))
    }

    /// A clone of the value.
    pub(crate) fn copy(&self) -> Result<T> {
        self.share().map(|value| (*value).clone())
    }
}

impl<T> fmt::Debug for ObjectCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.label, self.standing())
    }
}

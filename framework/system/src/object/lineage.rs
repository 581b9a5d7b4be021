//! What becomes of an object whose bytes are lost: where it came from is known with it, and that may make it again.
//!
//! An object that lies in a store remembers its [`Origin`]: the task that has made it, the process that has it, or merely what it is. Whoever
//! finds its bytes lost turns it into a pending one and has its origin begin, which is done once, however many find it: the others wait as
//! they would for a task. What comes is the value of the same object; what fails is told as the loss of it, with the reason. Whether
//! anything can be done is decided in [`raytree_engine::lineage`].

use std::any::Any;
use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use raytree_engine::lineage::{self, Origin as From};
use raytree_objects::Lost;
use raytree_types::codec::{Codec, Encoded};
use raytree_types::{Error, Result, Unrebuilt, limits};

use super::Value;
use super::cell::{ObjectCell, Producer, Slot};
use super::kept::Kept;
use super::lying::{ARGUMENT, Pins};
use super::part::{self, Part};
use super::put;
use super::reference::ObjectRef;
use crate::runtime::Shared;
use crate::runtime::life::Life;
use crate::stores::Stores;

/// Where the value of an object came from.
pub(crate) trait Origin<T>: Send + Sync {
    /// For the decision.
    fn from(&self) -> From;

    /// Who makes the value while it is made again, as far as others see it.
    fn producer(self: Arc<Self>, _cell: &Arc<ObjectCell<T>>) -> Option<Arc<dyn Producer>> {
        None
    }

    /// Makes the value again, for this object, which is pending and waits for it. On another thread: somebody may hold a lock.
    fn begins(self: Arc<Self>, _cell: Arc<ObjectCell<T>>) {}

    /// An object with this value: the one that has it, or else one for which it is made again, which is due then. Where that can be done
    /// without that object.
    fn object(self: Arc<Self>, _anew: &mut Anew) -> Option<Result<ObjectRef<T>>> {
        None
    }

    /// Whether [`Origin::object`] gives one, while what it takes is kept.
    fn is_task(&self) -> bool {
        false
    }

    /// The task itself.
    fn as_any(&self) -> &dyn Any;
}

/// What is known of where a value came from, and of its loss.
pub(super) struct Past<T> {
    origin: Arc<dyn Origin<T>>,
    /// What was found when it was lost; empty before.
    lost: Mutex<String>,
}

/// An actor's method has answered it.
struct Method;

impl<T> Origin<T> for Method {
    fn from(&self) -> From {
        From::Method
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What was read; nothing where it is being made again, so that whoever reads it waits once more.
pub(crate) fn unless_again<T>(read: Result<T>) -> Option<Result<T>> {
    (!is_again(&read)).then_some(read)
}

/// Whether it is being made again.
pub(super) fn is_again<T>(read: &Result<T>) -> bool {
    matches!(read, Err(Error::ObjectLost { why: Unrebuilt::BeingRebuilt, .. }))
}

/// What whoever reads an object is told while that is made again.
pub(super) fn again(label: &str) -> Error {
    let lost = "its bytes are lost".to_owned();
    Error::ObjectLost { object: label.to_owned(), lost, why: Unrebuilt::BeingRebuilt }
}

/// The bytes of an object cannot be read: what its reader is told. It is made again if that can be.
pub(super) fn lost<T: Value>(
    cell: &Weak<ObjectCell<T>>,
    (label, place): (&str, *const ()),
    why: &Lost,
) -> Error {
    part::unread(label, why, |lost| {
        let again = |cell: Arc<ObjectCell<T>>| cell.is_lost(place, lost).err();
        cell.upgrade().map_or(Some(Unrebuilt::NotKept), again).unwrap_or(Unrebuilt::BeingRebuilt)
    })
}

impl<T: Value> ObjectCell<T> {
    /// Where its value comes from; before it is settled. The first word counts: what is made again is of the same origin.
    pub(crate) fn comes_from(&self, origin: Arc<dyn Origin<T>>) {
        self.has_past(Past { origin, lost: Mutex::default() });
    }

    /// An actor's method has answered it. Nothing is noted where the value does not lie in a store.
    pub(crate) fn comes_from_method(&self) {
        if self.is_of_store() {
            self.comes_from(Arc::new(Method));
        }
    }

    /// It is one for a value that was freed, and is made again.
    pub(crate) fn is_made_again(&self) {
        if let Some(past) = self.past() {
            FREED.clone_into(&mut past.lost.lock());
        }
    }

    /// Its value came from a store, or one of before; or it is large, and will be laid there when it is sent.
    pub(crate) fn is_of_store(&self) -> bool {
        self.has_arrived() || self.is_large() || self.past().is_some()
    }

    /// Where it came from, if that is known.
    pub(crate) fn origin(&self) -> Option<&Arc<dyn Origin<T>>> {
        self.past().map(|past| &past.origin)
    }

    /// Why it is made again, in words; nothing where it is not.
    pub(crate) fn lost_before(&self) -> Option<String> {
        let lost = self.past()?.lost.lock().clone();
        (!lost.is_empty()).then_some(lost)
    }

    fn from(&self) -> From {
        let unknown = if self.label == put::LABEL { From::Put } else { From::Unknown };
        self.origin().map_or(unknown, |origin| origin.from())
    }

    /// What lay at `place` is lost. The first one who says so has it made again.
    fn is_lost(self: &Arc<Self>, place: *const (), lost: &str) -> Result<(), Unrebuilt> {
        // Before the lock: whoever is asked may have one of his own.
        let may = lineage::decide(&self.from());
        let mut slot = self.slot.lock();
        let Slot::Lying(away) = &mut *slot else { return Ok(()) };
        if !std::ptr::addr_eq(Arc::as_ptr(&away.lies), place) {
            // It lies elsewhere by now.
            return Ok(());
        }
        may?;
        let Some(past) = self.past() else { return Err(Unrebuilt::NotKept) };
        let producer = Arc::clone(&past.origin).producer(self);
        let waiters = mem::take(&mut away.waiters);
        let old = mem::replace(&mut *slot, Slot::Pending { producer, waiters });
        lost.clone_into(&mut past.lost.lock());
        drop(slot);
        let kept = self.lets_go();
        self.arrives_anew();
        drop((old, kept));
        tracing::info!(object = self.label, lost, "an object is lost, and made again");
        Arc::clone(&past.origin).begins(Arc::clone(self));
        Ok(())
    }

    /// What whoever waits is told of a failure: of one that is made again, that it was lost.
    pub(super) fn failed_again(&self, error: Error) -> Error {
        // Who reads it would wait for something that does not come.
        let error = match error {
            Error::ObjectLost { object, lost, why: Unrebuilt::BeingRebuilt } => {
                let error = Box::new(again(&object));
                Error::ObjectLost { object, lost, why: Unrebuilt::Failed { error } }
            }
            error => error,
        };
        let Some(lost) = self.lost_before() else { return error };
        let why = match error {
            // Of an argument that is lost as well; or all ends.
            Error::ObjectLost { .. } | Error::RuntimeGone { .. } | Error::HeadLost { .. } => {
                return error;
            }
            Error::Cancelled { .. } => Unrebuilt::Cancelled,
            Error::OwnerDied { owner, .. } => Unrebuilt::Borrowed { owner },
            error => Unrebuilt::Failed { error: Box::new(error) },
        };
        Error::ObjectLost { object: self.label.to_owned(), lost, why }
    }

    /// One more reference, for one who had none: none where it is freed, or given away.
    pub(crate) fn hold_again(self: &Arc<Self>) -> Option<ObjectRef<T>> {
        let slot = self.slot.lock();
        if matches!(&*slot, Slot::Taken) {
            return None;
        }
        // The last one lets go before he takes the lock, and looks again when he has it.
        let is_to_come = matches!(&*slot, Slot::Pending { .. });
        let one_more = |holders: usize| (holders > 0 || is_to_come).then_some(holders + 1);
        let held = self.holders.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        held.ok().map(|_| ObjectRef::first(Arc::clone(self)))
    }

    /// What keeps its bytes where they are, if they lie in a store.
    pub(crate) fn pins(&self) -> Option<Arc<dyn Pins>> {
        match &*self.slot.lock() {
            Slot::Lying(away) => Some(Arc::clone(&away.lies) as Arc<dyn Pins>),
            _ => None,
        }
    }
}

/// What is kept of a value that was given to a task.
pub(crate) enum Written {
    /// All that is large of it is in a store, and may go to disk.
    Stored(Kept),
    Here(Codec, Encoded),
}

/// What of the arguments of a task is kept, and how much that is.
#[expect(missing_debug_implementations, reason = "it is made and used up in one expression")]
pub struct Keeps<'a> {
    pub(crate) stores: &'a Stores,
    pub(crate) codec: Codec,
    /// Bytes that are there for the lineage alone.
    pub(crate) bytes: u64,
}

impl Keeps<'_> {
    /// A value, as it was given. None where it has references or handles inside it: those would be held.
    pub(crate) fn value<T: Value>(&mut self, value: &Arc<T>) -> Option<Written> {
        let Part { written, .. } = Part::of_shared(self.codec, value).ok()?;
        if !written.refs.is_empty() {
            return None;
        }
        self.bytes += written.byte_count() as u64;
        // What lies in a store already is held there, and not looked at: it may go to disk.
        let kept = Kept::found(self.stores, self.codec, &written);
        Some(kept.map_or(Written::Here(self.codec, written), Written::Stored))
    }
}

impl Written {
    /// The value. Waits where it is on disk.
    pub(crate) fn value<T: Value>(&self) -> Result<T> {
        match self {
            Self::Here(codec, written) => Part::here(written.clone()).value(*codec),
            Self::Stored(kept) => {
                let lost = |why| part::unread("an argument by value", &why, |_| Unrebuilt::Put);
                Part::here(kept.read().map_err(lost)?).value(kept.codec)
            }
        }
    }
}

/// Something that is to run again.
pub(crate) trait Due: Send {
    /// Finds its arguments; those that were freed are due as well.
    fn finds_arguments(&mut self, anew: &mut Anew);

    /// Begins, when the arguments of all that is due are found.
    fn begins(self: Box<Self>, runtime: &Arc<Shared>);
}

/// All that is to run again for one object.
#[expect(missing_debug_implementations, reason = "it is made and used up in one expression")]
pub struct Anew {
    life: &'static Life,
    due: Vec<Box<dyn Due>>,
}

impl Anew {
    /// This, and all that is due for it. On a thread that may wait.
    pub(crate) fn runs(runtime: &Arc<Shared>, first: Box<dyn Due>) {
        let mut anew = Self { life: runtime.life, due: Vec::new() };
        let (mut found, mut next) = (Vec::new(), Some(first));
        while let Some(mut one) = next {
            one.finds_arguments(&mut anew);
            found.push(one);
            next = anew.due.pop();
        }
        // What others wait for first.
        while let Some(one) = found.pop() {
            one.begins(runtime);
        }
    }

    pub(crate) fn due(&mut self, one: Box<dyn Due>) {
        self.due.push(one);
    }
}

/// What is kept of a reference that was given to a task: not its value, which is freed with its last reference as ever.
pub(crate) enum Referred<T> {
    /// That which can make it again.
    Made(Arc<dyn Origin<T>>),
    /// A small one, as it was.
    Small(Written),
    /// The object itself, as long as somebody else holds it, and where it came from.
    Held(Weak<ObjectCell<T>>, &'static str, From),
}

impl<T: Value> Referred<T> {
    /// Of an object that has its value.
    pub(crate) fn of(object: &ObjectRef<T>, keeps: &mut Keeps<'_>) -> Self {
        let cell = &object.cell;
        if let Some(origin) = cell.origin().filter(|origin| origin.is_task()) {
            return Self::Made(Arc::clone(origin));
        }
        let held = || Self::Held(Arc::downgrade(cell), cell.label, cell.from());
        // What is in a store is not small, whether it is here as well or not.
        if cell.pins().is_some() || cell.is_written() {
            return held();
        }
        let mut small = Keeps { bytes: 0, ..*keeps };
        let written = cell.share().ok().and_then(|value| small.value(&value));
        match written.filter(|_| small.bytes < limits::STORE_INLINE_MAX as u64) {
            Some(written) => {
                keeps.bytes += small.bytes;
                Self::Small(written)
            }
            None => held(),
        }
    }

    /// A reference like the one that was given.
    pub(crate) fn again(&self, anew: &mut Anew) -> Result<ObjectRef<T>> {
        match self {
            Self::Made(origin) => {
                let none = || Err(freed(ARGUMENT, Unrebuilt::NotKept));
                Arc::clone(origin).object(anew).unwrap_or_else(none)
            }
            Self::Small(written) => {
                let value = written.value::<T>()?;
                Ok(ObjectRef::first(ObjectCell::ready(put::LABEL, anew.life, value)))
            }
            Self::Held(cell, label, from) => {
                let held = cell.upgrade().and_then(|cell| cell.hold_again());
                let why = || lineage::decide(from).err().unwrap_or(Unrebuilt::NotKept);
                held.ok_or_else(|| freed(label, why()))
            }
        }
    }
}

const FREED: &str = "it was freed with its last reference";

/// Nobody held it any more when it was wanted again.
pub(crate) fn freed(label: &str, why: Unrebuilt) -> Error {
    Error::ObjectLost { object: label.to_owned(), lost: FREED.to_owned(), why }
}

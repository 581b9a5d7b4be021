//! Values that lie in the store of a node, and nowhere in this process.
//!
//! A value that came from another process and is read where it lies, or has parts that are (`Bytes`, `Array`), is not kept by its object:
//! that knows where its bytes are, and each who wants the value reads it anew. It is the same with what is nothing but a view of bytes and was
//! laid into the store to be sent. So nothing is looked at that nobody looks at, and the store may put it on disk. Who waits for such an object
//! waits until it is back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use raytree_objects::{Lost, Need};
use raytree_supervise::panics;
use raytree_types::codec::{self, Codec, Encoded};
use raytree_types::{Error, Result};

use super::Value;
use super::cell::{ObjectCell, Slot};
use super::kept::{self, InStore, Kept};
use super::lineage;
use super::part::{self, Part};
use super::waiter::Needs;
use crate::link::Imported;
use crate::runtime::life::Life;

/// How an object is called that came from elsewhere as an argument; no function and no method is.
pub(crate) const ARGUMENT: &str = "an argument";

/// A value of any type that is in the store.
pub(crate) trait Pins: Send + Sync {
    /// The value as it was written, which stays where it is as long as somebody has this. Waits until it is back, if it is on disk. Where it
    /// is lost its object hears of that.
    fn pin(&self) -> Result<Encoded>;

    /// The value as it was written, without what is in the stores of other nodes, which is not fetched for that. Else as [`Pins::pin`].
    fn part(&self) -> Result<Part>;

    /// Whether some of it is in the store of another node, from where it can be fetched as far as this process knows.
    fn is_far(&self) -> bool;

    /// Where it is.
    fn seen(&self) -> InStore;
}

/// A value that is in the store.
pub(super) trait Lies<T>: Pins {
    /// Whether that is there which is needed, or never will be: as far as can be seen.
    fn suffices(&self, needs: Needs) -> bool;

    /// The value, as a view of the store. Waits until it is back, if it is on disk.
    fn read(&self) -> Result<T>;

    /// Has it brought back for somebody, and tells its object then.
    fn brings(self: Arc<Self>, need: Need);
}

pub(super) struct Lying<T> {
    kept: Arc<Kept>,
    cell: Weak<ObjectCell<T>>,
    label: &'static str,
    life: &'static Life,
    /// It did not come back: whoever reads it hears why, or has it in another way.
    is_given_up: AtomicBool,
}

impl<T: Value> Lying<T> {
    fn is_lost(&self, why: &Lost) -> Error {
        let place = std::ptr::from_ref(self).cast();
        lineage::lost(&self.cell, (self.label, place), why)
    }
}

impl<T: Value> Pins for Lying<T> {
    fn pin(&self) -> Result<Encoded> {
        self.kept.read().map_err(|why| self.is_lost(&why))
    }

    fn part(&self) -> Result<Part> {
        self.kept.part(self.life).map_err(|why| self.is_lost(&why))
    }

    fn is_far(&self) -> bool {
        self.kept.is_far() && !self.kept.did_not_come()
    }

    fn seen(&self) -> InStore {
        self.kept.seen()
    }
}

impl<T: Value> Lies<T> for Lying<T> {
    fn suffices(&self, needs: Needs) -> bool {
        let is_there = match needs {
            Needs::Outcome => true,
            Needs::Value => self.kept.can_be_sent(),
            Needs::Memory => self.kept.is_here(),
        };
        is_there || self.is_given_up.load(Ordering::Acquire)
    }

    fn read(&self) -> Result<T> {
        self.is_given_up.store(false, Ordering::Release);
        let written = self.pin()?;
        part::reading(|| Part::here(written).value(self.kept.codec))
    }

    fn brings(self: Arc<Self>, need: Need) {
        let missing: Vec<_> = self.kept.missing().cloned().collect();
        let left = Arc::new(AtomicUsize::new(missing.len() + 1));
        let is_back = move |is_back: bool| {
            if !is_back {
                self.is_given_up.store(true, Ordering::Release);
            }
            if left.fetch_sub(1, Ordering::AcqRel) == 1
                && let Some(cell) = self.cell.upgrade()
            {
                let lying = self.is_given_up.load(Ordering::Acquire).then(|| Arc::clone(&self));
                // Those who have waited go on on a thread that may wait.
                match (cell.life.runtime(), lying) {
                    // Whether there is another way is known when it was tried: without one it is lost, and they wait on if it is made again.
                    (Some(runtime), Some(lying)) => {
                        _ = runtime.user.spawn_blocking(move || {
                            drop(lying.pin());
                            cell.is_back();
                        });
                    }
                    (Some(runtime), None) => _ = runtime.user.spawn(async move { cell.is_back() }),
                    (None, _) => cell.is_back(),
                }
            }
        };
        for stored in missing {
            stored.brings(need, is_back.clone());
        }
        is_back(true);
    }
}

impl<T: Value> ObjectCell<T> {
    /// Gives it its value or its error (OB-1); later ones are dropped.
    pub(crate) fn settle(self: &Arc<Self>, result: Result<T>) {
        let kept = self.has_arrived().then(|| self.kept()).flatten();
        let new = match (result, kept) {
            (Ok(value), None) => Slot::Ready(value),
            (Ok(value), Some(kept)) => {
                // Its drop is the user's code.
                _ = panics::catch(|| drop(value));
                Slot::lying(self.lies(kept))
            }
            (Err(error), kept) => {
                // It came too late.
                if kept.is_some() {
                    drop(self.lets_go());
                }
                Slot::Failed { error: Arc::new(self.failed_again(error)), seen: false }
            }
        };
        if !self.settle_as(new) && self.has_arrived() && !self.is_lying() {
            // It came too late.
            drop(self.lets_go());
        }
    }

    /// Reads a value that has come from another process, of which this object is to be. Where it is read in the store it stays there.
    pub(crate) fn reads<E>(
        self: &Arc<Self>,
        part: Part,
        read: impl FnOnce(Part, Codec) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let codec = part.codec();
        let is_any = part.written.buffers.iter().any(kept::is_large);
        let runtime = is_any.then(|| self.life.runtime()).flatten();
        if runtime.as_ref().is_some_and(|runtime| runtime.stores.own().is_some()) {
            self.will_be_kept();
        }
        let kept = runtime.and_then(|runtime| Kept::found(&runtime.stores, codec, &part.written));
        let read = read(part, codec);
        // What is not looked at was copied.
        if let Some(kept) = kept.filter(|kept| read.is_ok() && kept.is_looked_at()) {
            drop(self.keeps(Arc::new(kept)));
            self.is_on_the_shelf();
            self.arrived();
        }
        read
    }

    /// Its value has come, and some of it is in the store of another node: it stays there until somebody wants it.
    pub(crate) fn settle_far(self: &Arc<Self>, part: Part) {
        let Some(runtime) = self.life.runtime() else { return };
        let codec = part.codec();
        self.settle_lying(Kept::far(&runtime.stores, codec, part));
    }

    /// Its value has come, and what is large of it is in a store from now on, if it is not yet. Comes back where nothing is, or can be.
    pub(super) fn lies_in_store(self: &Arc<Self>, part: Part) -> std::result::Result<(), Part> {
        let runtime = self.life.runtime().filter(|_| part.written.refs.is_empty());
        let Some(runtime) = runtime else { return Err(part) };
        if part.is_far() {
            self.settle_far(part);
            return Ok(());
        }
        let (codec, own) = (part.codec(), runtime.stores.own());
        let found = Kept::found(&runtime.stores, codec, &part.written);
        let kept = found.or_else(|| Kept::of(&own?, codec, &part.written)).ok_or(part)?;
        self.settle_lying(kept);
        Ok(())
    }

    fn settle_lying(self: &Arc<Self>, kept: Kept) {
        let kept = Arc::new(kept);
        drop(self.keeps(Arc::clone(&kept)));
        self.is_on_the_shelf();
        self.settle_as(Slot::lying(self.lies(kept)));
        // It may have been released, or settled, before.
        if !self.is_lying() {
            drop(self.lets_go());
        }
    }

    /// An object of a value that came from elsewhere, with one reference.
    pub(crate) fn far(life: &'static Life, mut part: Part) -> Arc<Self> {
        let cell = Self::pending(ARGUMENT, life);
        // Should it not come from there, the one who has sent it may make it again.
        if let Some(object) = part.object.take().and_then(|object| object.downcast().ok()) {
            cell.comes_from(Imported::lent(&object));
        }
        cell.settle_far(part);
        cell
    }

    /// It is listed among what lies in stores.
    fn is_on_the_shelf(self: &Arc<Self>) {
        self.is_listed();
        if let Some(runtime) = self.life.runtime() {
            runtime.shelf.takes(self);
        }
    }

    fn lies(self: &Arc<Self>, kept: Arc<Kept>) -> Arc<dyn Lies<T>> {
        let (cell, is_given_up) = (Arc::downgrade(self), AtomicBool::new(false));
        Arc::new(Lying { kept, cell, label: self.label, life: self.life, is_given_up })
    }

    /// The value in its written form: in this codec, unless it was written in another one before; whoever reads it sees in which. What of
    /// it is large is laid into the store of this process's node, where it has one, and is read from there from then on: by this process
    /// as well, if it is nothing but a view of bytes.
    ///
    /// # Errors
    /// Why there is no value, or it cannot be written.
    pub(crate) fn written(self: &Arc<Self>, codec: Codec) -> Result<Part> {
        let known = self.kept();
        if let Some(far) = known.as_ref().filter(|kept| kept.is_far()) {
            let lost = |why| part::lost(self.label, &why);
            return self
                .pins()
                .map_or_else(|| far.part(self.life).map_err(lost), |lies| lies.part());
        }
        let codec = known.as_ref().map_or(codec, |kept| kept.codec);
        // What is in this process, too, need not be waited for where others wait behind.
        let known = known.filter(|kept| kept.is_here() || !raytree_objects::is_impatient());
        if let Some(written) = known.and_then(|kept| kept.read().ok()) {
            return Ok(Part::here(written));
        }
        let part = Part::of_shared(codec, &self.share()?)?;
        let session = self.life.runtime().and_then(|runtime| runtime.stores.own());
        // Where there is no room, whoever sends it to somebody who uses the store as well says so.
        let kept = session.and_then(|session| Kept::of(&session, codec, &part.written));
        let Some(kept) = kept.map(Arc::new) else { return Ok(part) };
        let Ok(written) = kept.read() else { return Ok(part) };
        drop(part);
        self.is_kept(codec, kept, &written);
        Ok(Part::here(written))
    }

    /// Its value is in the store: that of the heap goes, where nothing is lost by it.
    fn is_kept(self: &Arc<Self>, codec: Codec, kept: Arc<Kept>, written: &Encoded) {
        // Of other types there may be more to a value than what is written of it, or it is not read where it lies.
        let is_read = || Part::here(written.clone()).value::<T>(codec).is_ok();
        let is_viewed = codec::is_viewed::<T>() && is_read();
        let lies = is_viewed.then(|| self.lies(Arc::clone(&kept)));
        let before = self.keeps(kept);
        if before.is_none() {
            self.is_on_the_shelf();
        }
        let (old, is_unheld) = self.lies_from_now_on(lies);
        let gone = if is_unheld { self.lets_go() } else { None };
        // Outside of the locks.
        drop((before, old, gone));
    }
}

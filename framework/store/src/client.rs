//! The side of a process that writes and reads objects.
//!
//! Invariants:
//! - **CL-1 (written-alone):** while there is a [`Space`], nobody else has its bytes.
//! - **CL-2 (pinned-while-viewed):** while there is a [`View`], its object is pinned.
#![expect(unsafe_code, reason = "bytes are borrowed while they are lent or pinned")]

use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use raytree_types::limits;
use serde::{Deserialize, Serialize};

use crate::allocator::{ALIGNMENT, Allocator};
use crate::books::{Lease, Sealed};
use crate::memory::Memory;
use crate::pins::{Location, NoPlace, Page, Word as _};
use crate::store::ClientMemory;

/// Why an object cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It was freed, or moved elsewhere.
    #[error("the object is not there any more")]
    Gone,
    /// The place is not in this arena.
    #[error("there is no such place in this store")]
    Outside,
    /// There are as many views as there can be.
    #[error("this process has {limit} views of objects, which is the most it can have")]
    TooManyViews {
        /// How many there can be.
        limit: u32,
    },
}

/// What a process has to say to its store: in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Objects that are written.
    pub sealed: Vec<Sealed>,
    /// Rooms to which nothing more is written.
    pub spent: Vec<u64>,
}

impl Written {
    /// There is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.spent.is_empty()
    }
}

/// See the [crate documentation](crate). Clones are the same client.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    arena: Arc<Memory>,
    generations: Arc<Memory>,
    page: Page,
    slabs: Mutex<Slabs>,
}

/// Room that was lent.
#[derive(Debug, Default)]
struct Slabs {
    /// With room for more; the one that was lent last is used first.
    open: Vec<Slab>,
    /// Without.
    spent: Vec<Arc<Writers>>,
    /// Objects that the store has not been told of.
    sealed: Vec<Sealed>,
}

#[derive(Debug)]
struct Slab {
    writers: Arc<Writers>,
    /// What is left of it.
    room: Range<u64>,
    slots: Vec<u32>,
}

impl Slab {
    fn new(lease: Lease) -> Self {
        let writers = Arc::new(Writers { lease: lease.id });
        Self { writers, room: lease.part, slots: lease.slots }
    }

    fn is_spent(&self) -> bool {
        self.room.is_empty() || self.slots.is_empty()
    }
}

/// Counts, as an `Arc`, who writes to a slab.
#[derive(Debug)]
struct Writers {
    lease: u64,
}

impl Client {
    /// Uses a store.
    #[must_use]
    pub fn new(memory: ClientMemory) -> Self {
        let ClientMemory { arena, generations, pins } = memory;
        let page = Page::new(pins);
        let inner = Inner { arena, generations, page, slabs: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// The store has lent this room, for small objects. What is not within the arena, or is lent already, is not taken.
    pub fn lend(&self, lease: Lease) {
        if let Some(slab) = self.slab(lease) {
            self.inner.slabs.lock().open.push(slab);
        }
    }

    /// The store has lent this room for one object of so many bytes; none when it does not fit there.
    #[must_use]
    pub fn lend_one(&self, lease: Lease, len: u64) -> Option<Space> {
        let mut slab = self.slab(lease)?;
        let space = self.take(&mut slab, len);
        self.inner.slabs.lock().spent.push(slab.writers);
        space
    }

    /// Room that was lent and is not wanted after all: it is spent, and goes back with what is written next.
    pub fn give_back(&self, lease: Lease) {
        if let Some(slab) = self.slab(lease) {
            self.inner.slabs.lock().spent.push(slab.writers);
        }
    }

    /// How many views there are.
    #[must_use]
    pub fn views(&self) -> usize {
        self.inner.page.pins()
    }

    fn slab(&self, lease: Lease) -> Option<Slab> {
        let slabs = self.inner.slabs.lock();
        let known = slabs.open.iter().map(|slab| &slab.writers).chain(&slabs.spent);
        let is_known = known.into_iter().any(|writers| writers.lease == lease.id);
        let is_aligned = lease.part.start.is_multiple_of(ALIGNMENT);
        let is_taken = !is_known && is_aligned && self.inner.arena.has(&lease.part);
        is_taken.then(|| Slab::new(lease))
    }

    fn take(&self, slab: &mut Slab, len: u64) -> Option<Space> {
        let needed = Allocator::rounded(len);
        if slab.room.end - slab.room.start < needed {
            return None;
        }
        let slot = slab.slots.pop()?;
        let generation = self.inner.generation(slot)?.peek();
        let offset = slab.room.start;
        slab.room.start += needed;
        let location = Location { slot, generation, offset, len };
        Some(Space { client: self.clone(), writers: Arc::clone(&slab.writers), location })
    }

    /// Room for an object of so many bytes, zero or not, in what was lent; none when it does not fit there: more is to be asked for. Rooms
    /// with less left than a small object ([`STORE_SMALL_MAX`](limits::STORE_SMALL_MAX)) may need are spent when one does not fit.
    #[must_use]
    pub fn space(&self, len: u64) -> Option<Space> {
        let slabs = &mut *self.inner.slabs.lock();
        for at in (0..slabs.open.len()).rev() {
            let slab = &mut slabs.open[at];
            let space = self.take(slab, len);
            let misfits = space.is_none() && len <= limits::STORE_SMALL_MAX;
            if misfits || slab.is_spent() {
                let spent = slabs.open.remove(at);
                slabs.spent.push(spent.writers);
            }
            if space.is_some() {
                return space;
            }
        }
        None
    }

    /// What has been written since this was asked last, and which rooms are spent and written to by nobody: to be said to the store.
    #[must_use]
    pub fn written(&self) -> Written {
        let slabs = &mut *self.inner.slabs.lock();
        // Whoever had a space has sealed it, or has not, before it was gone.
        let spent = slabs.spent.extract_if(.., |writers| Arc::get_mut(writers).is_some());
        let spent = spent.map(|writers| writers.lease).collect();
        Written { sealed: std::mem::take(&mut slabs.sealed), spent }
    }

    /// There is nothing more to write for now: all rooms are spent.
    pub fn retire(&self) {
        let slabs = &mut *self.inner.slabs.lock();
        slabs.spent.extend(slabs.open.drain(..).map(|slab| slab.writers));
    }

    /// The object at a place, where it lies. It stays there for as long as the view does.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn view(&self, at: Location) -> Result<View, Unreadable> {
        let inner = &self.inner;
        let part = at.offset.checked_add(at.len).map(|end| at.offset..end);
        let part = part.filter(|part| inner.arena.has(part)).ok_or(Unreadable::Outside)?;
        let generation = inner.generation(at.slot).ok_or(Unreadable::Outside)?;
        match inner.page.pin(generation, &at) {
            Ok(Some(place)) => Ok(View { client: self.clone(), place, part }),
            Ok(None) => Err(Unreadable::Gone),
            Err(NoPlace) => Err(Unreadable::TooManyViews { limit: inner.page.limit() }),
        }
    }

    /// Whether an object is at this place, as far as can be seen without a pin: it may be gone, or moved, the moment after.
    #[must_use]
    pub fn is_here(&self, at: &Location) -> bool {
        self.inner.generation(at.slot).is_some_and(|own| own.peek() == at.generation)
    }

    /// Where these bytes are in the arena, if they are within it: those of a [`View`], say, however they were handed around.
    #[must_use]
    pub fn place(&self, bytes: &[u8]) -> Option<Range<u64>> {
        let start = bytes.as_ptr().addr().checked_sub(self.inner.arena.address())? as u64;
        let part = start..start.checked_add(bytes.len() as u64)?;
        self.inner.arena.has(&part).then_some(part)
    }
}

impl Inner {
    fn generation(&self, slot: u32) -> Option<&AtomicU64> {
        self.generations.words().get(slot as usize)
    }
}

/// Room for an object that is being written. What is there at first is what was there before. Dropped without being sealed it is
/// nobody's until its slab is handed back.
#[must_use = "what is not sealed cannot be read"]
pub struct Space {
    client: Client,
    writers: Arc<Writers>,
    location: Location,
}

impl Space {
    /// It is written: whoever has the location can read from now on. The store is told with the next [`Client::written`].
    #[must_use = "nobody knows where it is otherwise"]
    pub fn seal(self) -> Location {
        let sealed = Sealed { lease: self.writers.lease, location: self.location };
        self.client.inner.slabs.lock().sealed.push(sealed);
        self.location
    }

    /// Writes all of it, past the caches where it is large.
    ///
    /// # Panics
    /// When `bytes` is not as long as it.
    pub fn fill(&mut self, bytes: &[u8]) {
        crate::copy(self, bytes);
    }

    fn part(&self) -> Range<u64> {
        self.location.offset..self.location.offset + self.location.len
    }
}

impl Deref for Space {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: they are lent to this process, which has given them to this value alone (CL-1).
        unsafe { self.client.inner.arena.bytes(&self.part()) }
    }
}

impl DerefMut for Space {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; and nobody reads them: their location is told when this value is gone.
        unsafe { self.client.inner.arena.bytes_mut(&self.part()) }
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Space").field(&self.location).finish()
    }
}

/// The bytes of an object, where they lie. They never change.
pub struct View {
    client: Client,
    place: u32,
    part: Range<u64>,
}

impl Deref for View {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: who wrote them has sealed them, and nobody is given them to write while they are pinned (CL-2, PN-1).
        unsafe { self.client.inner.arena.bytes(&self.part) }
    }
}

impl AsRef<[u8]> for View {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.client.inner.page.unpin(self.place);
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("View").field(&self.part).finish()
    }
}

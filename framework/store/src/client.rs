//! The side of a process that writes and reads objects.
//!
//! Invariants:
//! - **CL-1 (written-alone):** while there is a [`Space`], nobody else has its bytes.
//! - **CL-2 (pinned-while-viewed):** while there is a [`View`], its object is pinned.
#![expect(unsafe_code, reason = "bytes are borrowed while they are lent or pinned")]

use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::allocator::Allocator;
use crate::books::{Lease, Sealed};
use crate::memory::Memory;
use crate::pins::{Location, Page, Word as _};
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
}

#[derive(Debug)]
struct Slab {
    writers: Arc<Writers>,
    /// What is left of it.
    room: Range<u64>,
    slots: Vec<u32>,
}

/// Counts, as an `Arc`, who writes to a slab.
#[derive(Debug)]
struct Writers {
    lease: u64,
}

impl Client {
    /// Uses a store.
    ///
    /// # Errors
    /// [`Unreadable::Outside`] when the memory is too small to be of a store.
    pub fn new(memory: ClientMemory) -> Result<Self, Unreadable> {
        let ClientMemory { arena, generations, pins } = memory;
        if pins.words().len() < 2 {
            return Err(Unreadable::Outside);
        }
        let page = Page::new(pins);
        let inner = Inner { arena, generations, page, slabs: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The store has lent this room. What is not within the arena is not taken.
    pub fn lend(&self, lease: Lease) {
        if !self.inner.arena.has(&lease.part) {
            return;
        }
        let writers = Arc::new(Writers { lease: lease.id });
        let slab = Slab { writers, room: lease.part, slots: lease.slots };
        self.inner.slabs.lock().open.push(slab);
    }

    /// Room for an object of so many bytes, zero or not, in what was lent; none when it does not fit there: more is to be asked for. Rooms
    /// in which it does not fit are spent.
    #[must_use]
    pub fn space(&self, len: u64) -> Option<Space> {
        let needed = Allocator::rounded(len);
        let slabs = &mut *self.inner.slabs.lock();
        loop {
            let slab = slabs.open.last_mut()?;
            let fits = slab.room.end - slab.room.start >= needed;
            if let Some(slot) = if fits { slab.slots.pop() } else { None } {
                let offset = slab.room.start;
                slab.room.start += needed;
                let generation = self.inner.generation(slot)?;
                let location = Location { slot, generation, offset, len };
                let (client, writers) = (self.clone(), Arc::clone(&slab.writers));
                return Some(Space { client, writers, location });
            }
            let spent = slabs.open.pop()?;
            slabs.spent.push(spent.writers);
        }
    }

    /// Rooms to which nothing more is written: they are to be handed back after what was sealed in them is sealed.
    #[must_use]
    pub fn spent(&self) -> Vec<u64> {
        let spent = &mut self.inner.slabs.lock().spent;
        spent.extract_if(.., |slab| Arc::strong_count(slab) == 1).map(|slab| slab.lease).collect()
    }

    /// As [`Client::spent`], of all rooms: there is nothing more to write for now.
    #[must_use]
    pub fn retire(&self) -> Vec<u64> {
        {
            let slabs = &mut *self.inner.slabs.lock();
            slabs.spent.extend(slabs.open.drain(..).map(|slab| slab.writers));
        }
        self.spent()
    }

    /// The object at a place, where it lies. It stays there for as long as the view does.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn view(&self, at: Location) -> Result<View, Unreadable> {
        let inner = &self.inner;
        let part = at.offset.checked_add(at.len).map(|end| at.offset..end);
        let part = part.filter(|part| inner.arena.has(part)).ok_or(Unreadable::Outside)?;
        inner.generation(at.slot).ok_or(Unreadable::Outside)?;
        match inner.page.pin(inner.generations.words(), &at) {
            Ok(Some(place)) => Ok(View { client: self.clone(), place, part }),
            Ok(None) => Err(Unreadable::Gone),
            Err(()) => Err(Unreadable::TooManyViews { limit: inner.page.limit() }),
        }
    }
}

impl Inner {
    fn generation(&self, slot: u32) -> Option<u64> {
        self.generations.words().get(slot as usize).map(|word| word.get())
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
    /// It is written. To be told to the store, in any order and many at once; whoever has the location can read from now on.
    pub fn seal(self) -> Sealed {
        Sealed { lease: self.writers.lease, location: self.location }
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

//! The store of a node: its books, the memory, and the pages of those who use it.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::Arc;

use raytree_types::limits;

use crate::books::{Books, ClientId, Lease, Refused, Sealed, Terms, Used};
use crate::client::Written;
use crate::memory::{Access, Memory, Region};
use crate::pins::{Location, Page, Word as _, pinned};

/// What one process needs to use a store: it is of one [`Client`](crate::Client), here or, once it is sent, elsewhere.
#[derive(Debug)]
pub struct ClientMemory {
    /// The bytes of the objects.
    pub(crate) arena: Arc<Memory>,
    /// The generation of each slot; it only looks at them.
    pub(crate) generations: Arc<Memory>,
    /// Its pins; it alone writes to them.
    pub(crate) pins: Arc<Memory>,
}

/// See the [crate documentation](crate).
#[derive(Debug)]
pub struct Store {
    books: Books,
    region: Region,
    arena: Arc<Memory>,
    generations: Arc<Memory>,
    pages: BTreeMap<ClientId, Arc<Memory>>,
    /// They have left, and still look: processes within this one, whose memory goes with their last view.
    leaving: Vec<(ClientId, Arc<Memory>)>,
}

impl Store {
    /// With room for so many bytes.
    ///
    /// # Errors
    /// What the system says: it has no memory left, or no descriptor.
    pub fn new(region: Region, capacity: u64) -> io::Result<Self> {
        let too_many = |_| io::Error::new(io::ErrorKind::OutOfMemory, format!("{capacity} bytes"));
        let bytes = usize::try_from(capacity).map_err(too_many)?;
        let slots = capacity / limits::STORE_OBJECT_MEAN_MIN;
        let slots =
            slots.clamp(limits::STORE_OBJECTS_MIN.into(), limits::STORE_OBJECTS_MAX.into()) as u32;
        let arena = Memory::new(region, "raytree-arena", bytes, Access::Write)?;
        let generations = slots as usize * size_of::<u64>();
        let generations = Memory::new(region, "raytree-generations", generations, Access::Read)?;
        let (pages, leaving) = (BTreeMap::new(), Vec::new());
        Ok(Self { books: Books::new(capacity, slots), region, arena, generations, pages, leaving })
    }

    /// One more process uses it.
    ///
    /// # Errors
    /// [`io::ErrorKind::QuotaExceeded`] when there are [`STORE_CLIENTS_MAX`](limits::STORE_CLIENTS_MAX); what the system says otherwise.
    pub fn join(&mut self) -> io::Result<(ClientId, ClientMemory)> {
        let bytes = Page::bytes_for(limits::STORE_PINS_MAX);
        let pins = Memory::new(self.region, "raytree-pins", bytes, Access::Write)?;
        let full = |error| io::Error::new(io::ErrorKind::QuotaExceeded, error);
        let id = self.books.join().map_err(full)?;
        self.pages.insert(id, Arc::clone(&pins));
        let (arena, generations) = (Arc::clone(&self.arena), Arc::clone(&self.generations));
        Ok((id, ClientMemory { arena, generations, pins }))
    }

    /// A process uses it no more: it has surely ended. Objects that it had sealed stay; its pins are gone, and so is what it was
    /// writing. A client that is part of this very process, and has its memory from [`Store::join`], goes with its last view.
    pub fn leave(&mut self, client: ClientId) {
        if let Some(page) = self.pages.remove(&client) {
            self.leaving.push((client, page));
            self.sweep();
        }
    }

    /// Lends room to a process.
    ///
    /// # Errors
    /// [`Refused::TooLarge`], [`Refused::Full`], [`Refused::NoSlot`], [`Refused::Stranger`].
    pub fn lease(&mut self, client: ClientId, terms: Terms) -> Result<Lease, Refused> {
        let lent = self.books.lease(client, terms);
        if matches!(lent, Err(Refused::Full { .. } | Refused::NoSlot { .. })) && self.sweep() > 0 {
            return self.books.lease(client, terms);
        }
        lent
    }

    /// Objects are written. All of them are taken in that can be.
    ///
    /// # Errors
    /// The first of [`Refused::NotLent`] and [`Refused::Misplaced`].
    pub fn seal(&mut self, client: ClientId, sealed: &[Sealed]) -> Result<(), Refused> {
        let mut all = Ok(());
        for one in sealed {
            match self.books.seal(client, one) {
                Ok(freed) => freed.into_iter().for_each(|slot| self.changed(slot)),
                Err(why) => all = all.and(Err(why)),
            }
        }
        all
    }

    /// Nothing more is written to this room.
    ///
    /// # Errors
    /// [`Refused::NotLent`].
    pub fn hand_back(&mut self, client: ClientId, lease: u64) -> Result<(), Refused> {
        let changed = self.books.hand_back(client, lease)?;
        changed.into_iter().for_each(|slot| self.changed(slot));
        Ok(())
    }

    /// What a process has written since it was last asked, in the order in which it has to be said.
    ///
    /// # Errors
    /// The first of those of [`Store::seal`] and [`Store::hand_back`]. All is done that can be.
    pub fn written(&mut self, client: ClientId, written: &Written) -> Result<(), Refused> {
        let mut all = self.seal(client, &written.sealed);
        for lease in &written.spent {
            all = all.and(self.hand_back(client, *lease));
        }
        all
    }

    /// These objects are not needed any more: who has no view of them gets none, once their writers have said that they are sealed.
    /// What nobody has a view of is free after the next [`Store::sweep`]. What is gone already is passed over.
    pub fn free(&mut self, objects: &[Location]) {
        for location in objects {
            if self.books.free(location) {
                self.changed(location.slot);
            }
        }
    }

    /// Looks at the pins of all, and gives away again what is freed and not looked at. Says how many bytes have become free.
    pub fn sweep(&mut self) -> u64 {
        self.bury();
        if !self.books.is_any_dying() {
            return 0;
        }
        let mut seen = HashSet::new();
        let leaving = self.leaving.iter().map(|(_, page)| page);
        self.pages.values().chain(leaving).for_each(|page| pinned(page.words(), &mut seen));
        self.books.sweep(&seen)
    }

    /// Those who have left, and of whom nothing is in this process any more.
    fn bury(&mut self) {
        // What its last view has read was read before this.
        let gone = self.leaving.extract_if(.., |(_, page)| Arc::get_mut(page).is_some());
        for (client, _) in gone.collect::<Vec<_>>() {
            for slot in self.books.leave(client) {
                self.changed(slot);
            }
        }
    }

    /// The store's side of PN-1: said before anybody's pins are looked at.
    fn changed(&self, slot: u32) {
        self.generations.words()[slot as usize].set(self.books.generation(slot));
    }

    /// What is used.
    #[must_use]
    pub fn used(&self) -> Used {
        self.books.used()
    }

    /// Has the system make pages beyond the most that was ever used, so that whoever gets them does not wait; `bytes` at most. Takes about
    /// 4 us a page, and is done beside other work: see [`ahead`](Self::ahead).
    ///
    /// # Errors
    /// What the system says: it has no memory left.
    pub fn touch_ahead(&self, bytes: u64) -> io::Result<()> {
        let (arena, part) = self.ahead(bytes);
        arena.touch(part)
    }

    /// The memory, and which part of it comes next: to be touched by another thread.
    #[must_use]
    pub fn ahead(&self, bytes: u64) -> (Arc<Memory>, std::ops::Range<u64>) {
        let used = self.used();
        let end = used.touched.saturating_add(bytes).min(used.capacity);
        (Arc::clone(&self.arena), used.touched..end)
    }
}

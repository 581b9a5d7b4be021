//! The store of a node: its books, the memory, and the pages of those who use it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::Arc;

use raytree_types::limits;

use crate::books::{Books, ClientId, Lease, Refused, Sealed, Standing, Terms, Used};
use crate::client::Written;
use crate::holders::Holders;
use crate::memory::{Access, Memory, Region};
use crate::pins::{Location, Page, Word as _, pinned};
use crate::spill::{Extent, Key};

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
    pub(crate) books: Books,
    pub(crate) holders: Holders,
    region: Region,
    arena: Arc<Memory>,
    generations: Arc<Memory>,
    pages: BTreeMap<ClientId, Arc<Memory>>,
    /// They have left, and still look: processes within this one, whose memory goes with their last view.
    leaving: Vec<(ClientId, Arc<Memory>)>,
    /// Where objects are on disk, some of which are in memory as well.
    pub(crate) on_disk: HashMap<u32, Spilled>,
    /// Those that nobody needs any more.
    pub(crate) unneeded: Vec<Spilled>,
}

/// Which object of a [`Spill`](crate::spill::Spill) one is, and where.
pub type Spilled = (Key, Extent);

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
        Ok(Self {
            books: Books::new(capacity, slots),
            holders: Holders::default(),
            region,
            arena,
            generations,
            pages: BTreeMap::new(),
            leaving: Vec::new(),
            on_disk: HashMap::new(),
            unneeded: Vec::new(),
        })
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

    /// A process uses it no more: it has surely ended. Objects that it held and nobody else holds are freed; its pins are gone, and so is
    /// what it was writing. A client that is part of this very process, and has its memory from [`Store::join`], goes with its last view.
    pub fn leave(&mut self, client: ClientId) {
        if let Some(page) = self.pages.remove(&client) {
            self.leaving.push((client, page));
            self.sweep();
        }
    }

    /// As [`Store::leave`]; but objects that it alone held go to an heir, who lets go of them when nobody can want them any more who was
    /// told of them: [`Store::release`].
    pub fn leave_to(&mut self, client: ClientId, heir: ClientId) -> Vec<Location> {
        let alone = self.holders.alone(client).into_iter();
        let left: Vec<_> = alone.filter_map(|slot| self.books.location(slot)).collect();
        left.iter().for_each(|object| self.holders.hold(heir, object.slot));
        self.leave(client);
        left
    }

    /// Whether anything was freed and is not free yet.
    #[must_use]
    pub fn is_any_dying(&self) -> bool {
        self.books.is_any_dying() || !self.leaving.is_empty()
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

    /// Objects are written, and held by the one who has written them. All of them are taken in that can be.
    ///
    /// # Errors
    /// The first of [`Refused::NotLent`] and [`Refused::Misplaced`].
    pub fn seal(&mut self, client: ClientId, sealed: &[Sealed]) -> Result<(), Refused> {
        let mut all = Ok(());
        for one in sealed {
            match self.books.seal(client, one) {
                // What was brought back is held by those who held it.
                Ok(()) if self.books.was_put_out(one.location.slot) => {}
                Ok(()) => self.holders.hold(client, one.location.slot),
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
        changed.into_iter().for_each(|slot| self.has_ended(slot));
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

    /// A process holds an object from now on, as one more of those who do, unless it is gone; it may do so more than once, and lets go as
    /// often. One whose writer has not said yet that it is written may be gone with its writer all the same: see [`Store::standing`].
    pub fn hold(&mut self, client: ClientId, object: &Location) -> Standing {
        if !self.pages.contains_key(&client) {
            return Standing::Gone;
        }
        let standing = self.standing(object);
        if standing != Standing::Gone {
            self.holders.hold(client, object.slot);
        }
        standing
    }

    /// How an object stands.
    #[must_use]
    pub fn standing(&self, object: &Location) -> Standing {
        self.books.standing(object)
    }

    /// A process lets go of objects, each once. What nobody holds any more is freed, as by [`Store::free`].
    pub fn release(&mut self, client: ClientId, objects: &[Location]) {
        for object in objects {
            let is_there = self.standing(object) != Standing::Gone;
            if is_there && self.holders.release(client, object.slot) {
                self.free_slot(object.slot);
            }
        }
    }

    /// How many processes hold an object.
    #[must_use]
    pub fn holders(&self, object: &Location) -> usize {
        match self.standing(object) {
            Standing::Gone => 0,
            Standing::Lent | Standing::Sealed => self.holders.of(object.slot).len(),
        }
    }

    /// These objects are not needed any more, whoever holds them: who has no view of them gets none. What nobody has a view of is free after
    /// the next [`Store::sweep`]. What is gone already, or was never said to be sealed, is passed over.
    pub fn free(&mut self, objects: &[Location]) {
        for location in objects {
            if self.books.free(location) {
                self.is_gone(location.slot);
            }
        }
    }

    fn free_slot(&mut self, slot: u32) {
        if self.books.free_slot(slot) {
            self.is_gone(slot);
        }
    }

    /// Looks at the pins of all, and gives away again what is freed and not looked at. Says how many bytes have become free.
    pub fn sweep(&mut self) -> u64 {
        self.bury();
        if !self.books.is_any_dying() {
            return 0;
        }
        let seen = self.pinned();
        self.books.sweep(&seen)
    }

    /// What anybody has a view of.
    pub(crate) fn pinned(&self) -> HashSet<u32> {
        let mut seen = HashSet::new();
        let leaving = self.leaving.iter().map(|(_, page)| page);
        self.pages.values().chain(leaving).for_each(|page| pinned(page.words(), &mut seen));
        seen
    }

    /// Those who have left, and of whom nothing is in this process any more.
    fn bury(&mut self) {
        // What its last view has read was read before this.
        let gone = self.leaving.extract_if(.., |(_, page)| Arc::get_mut(page).is_some());
        for (client, _) in gone.collect::<Vec<_>>() {
            for slot in self.books.leave(client) {
                self.has_ended(slot);
            }
            for slot in self.holders.leave(client) {
                self.free_slot(slot);
            }
        }
    }

    /// Nothing comes into this slot any more; what is on disk is there all the same.
    fn has_ended(&mut self, slot: u32) {
        if self.books.was_put_out(slot) {
            self.changed(slot);
        } else {
            self.is_gone(slot);
        }
    }

    /// What was in a slot is there no more.
    fn is_gone(&mut self, slot: u32) {
        self.holders.forget(slot);
        self.unneeded.extend(self.on_disk.remove(&slot));
        self.changed(slot);
    }

    /// The store's side of PN-1: said before anybody's pins are looked at.
    fn changed(&self, slot: u32) {
        self.says(slot, self.books.generation(slot));
    }

    /// What readers find as the generation of a slot.
    pub(crate) fn says(&self, slot: u32, generation: u64) {
        self.generations.words()[slot as usize].set(generation);
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

    /// Whether [`Store::give_back`] may find something.
    #[must_use]
    pub fn is_any_idle(&self) -> bool {
        self.books.is_any_idle()
    }

    /// Gives memory back to the system in which nothing is, as far as it was used since it was given back last: `most` bytes at once. Says how
    /// much that was. Whoever is given that part of the arena again has pages to be made.
    ///
    /// # Errors
    /// What the system says: it cannot do it.
    pub fn give_back(&mut self, most: u64) -> io::Result<u64> {
        let idle = self.books.idle(rustix::param::page_size() as u64, most);
        idle.iter().try_for_each(|part| self.arena.forget(part))?;
        Ok(idle.iter().map(|part| part.end - part.start).sum())
    }

    /// The memory, and which part of it comes next: to be touched by another thread.
    #[must_use]
    pub fn ahead(&self, bytes: u64) -> (Arc<Memory>, std::ops::Range<u64>) {
        let used = self.used();
        let end = used.touched.saturating_add(bytes).min(used.capacity);
        (Arc::clone(&self.arena), used.touched..end)
    }
}

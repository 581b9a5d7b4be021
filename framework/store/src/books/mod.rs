//! What a store knows: who may write where, what is sealed, what is freed and still looked at.
//!
//! Decides and touches nothing: generations are changed and pins are read by whoever keeps it (`store.rs`). A slot goes round:
//!
//! ```text
//! free ──lease──▶ lent ──seal──▶ sealed ──free──▶ dying ──sweep: nobody has a pin──▶ free
//!                  │             │    ▲              ▲
//!                  │      put out│    │lease, seal   │ (on disk and freed)
//!                  │             ▼    │              │
//!                  │            on disk ─────────────┤
//!                  └── hand back, or its process has ended
//! ```
//!
//! An object keeps its slot from its first word to its last. Its generation changes with each time that it is put out: so it *is* a slot with
//! the generations since its birth, and whoever has an older one finds that it has moved.
//!
//! Invariants:
//! - **BK-1 (one-owner):** every byte that is taken belongs to one slab that is lent, one object that is sealed, or one that is dying.
//! - **BK-2 (no-early-reuse):** bytes and slots of what is dying are given away again only after a sweep that saw no pin on them, and its
//!   generation was changed before.
//! - **BK-3 (nothing-leaks):** when every process has left, every object is freed and nothing is pinned, all is free.
//! - **BK-5 (put-out-or-there):** an object whose memory was given away is on disk; it is brought back into a slot of the same number, and to
//!   those who know of it, it is the same.
//! - **BK-4 (no-overlap):** what is sealed lies in the slab of the one who seals it, and overlaps nothing else there.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use raytree_types::limits;
use serde::{Deserialize, Serialize};

use crate::allocator::{ALIGNMENT, Allocator, NotTaken};
use crate::order::Order;
use crate::pins::Location;

mod idle;
mod moved;
mod refused;
#[cfg(test)]
mod tests;

pub use refused::{Fault, Refused};

/// A process that writes and reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(pub u32);

/// What is asked for: room to write in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// So many bytes.
    pub bytes: u64,
    /// For so many objects at most.
    pub objects: u32,
}

impl Terms {
    /// A slab for many small objects.
    #[must_use]
    pub const fn small() -> Self {
        Self { bytes: limits::STORE_SLAB, objects: limits::STORE_SLAB_OBJECTS }
    }

    /// Room for one object of so many bytes.
    #[must_use]
    pub const fn one(bytes: u64) -> Self {
        Self { bytes, objects: 1 }
    }
}

/// Room that is lent to a process, to write objects there. It comes from the store alone: one that is made otherwise leads to bytes of
/// somebody else.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Which one.
    pub id: u64,
    /// Where: bytes of the arena.
    pub part: Range<u64>,
    /// Slots for objects.
    pub slots: Vec<u32>,
}

/// An object is written: from now on nobody writes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// In which room.
    pub lease: u64,
    /// Where.
    pub location: Location,
}

/// How an object stands, as far as the store was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Its writer has not said yet that it is written. Whoever knows of it can read it.
    Lent,
    /// It is there.
    Sealed,
    /// It is there no more, or never was.
    Gone,
}

/// Where an object is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// There.
    Here(Location),
    /// On disk, or on its way from there.
    OnDisk,
    /// Nowhere.
    Gone,
}

/// What a store is used for, in bytes of the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// All there is.
    pub capacity: u64,
    /// Lent to somebody, and not sealed.
    pub lent: u64,
    /// Objects.
    pub sealed: u64,
    /// Freed, and still looked at by somebody, or not yet looked after.
    pub dying: u64,
    /// The most that was ever used at once, from the beginning of the arena.
    pub touched: u64,
    /// How many objects are sealed.
    pub objects: usize,
    /// How many objects are on disk alone.
    pub on_disk: usize,
}

impl Used {
    /// What is not free for others.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.lent + self.sealed + self.dying
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Slot {
    Free,
    /// Its writer has not said so far that it is written.
    Lent {
        lease: u64,
    },
    Sealed(Range<u64>),
    /// So many bytes.
    OnDisk(u64),
    Dying,
}

#[derive(Debug)]
struct Held {
    client: ClientId,
    part: Range<u64>,
    slots: Vec<u32>,
    /// Objects that were sealed in it: from where to where. They are not this room's any more.
    sealed: BTreeMap<u64, u64>,
}

impl Held {
    /// What of it no object is in.
    fn gaps(&self) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut from = self.part.start;
        for (start, end) in &self.sealed {
            gaps.push(from..*start);
            from = *end;
        }
        gaps.push(from..self.part.end);
        gaps.retain(|gap| !gap.is_empty());
        gaps
    }
}

/// What is given away again when nobody has a pin on it.
#[derive(Debug)]
enum Dying {
    /// It was sealed.
    Object { slot: u32, part: Range<u64> },
    /// What of a room no object is in: it may be part of any that was never said to be sealed.
    Room { slots: Vec<u32>, parts: Vec<Range<u64>> },
}

impl Dying {
    fn is_pinned(&self, pinned: &HashSet<u32>) -> bool {
        match self {
            Self::Object { slot, .. } => pinned.contains(slot),
            Self::Room { slots, .. } => slots.iter().any(|slot| pinned.contains(slot)),
        }
    }
}

/// See the [module documentation](self).
#[derive(Debug)]
pub struct Books {
    allocator: Allocator,
    /// Those that were ever used: there may be millions, and most stores need few.
    slots: Vec<Slot>,
    generations: Vec<u64>,
    /// The generation with which the object of a slot began.
    births: Vec<u64>,
    /// Those that are sealed and may be put out.
    order: Order,
    /// Used before, and free.
    free_slots: Vec<u32>,
    slots_max: u32,
    clients: HashSet<ClientId>,
    leases: BTreeMap<u64, Held>,
    dying: Vec<Dying>,
    last_lease: u64,
    last_client: u32,
    used: Used,
}

impl Books {
    /// Of an arena of so many bytes, for so many objects at once.
    #[must_use]
    pub fn new(capacity: u64, slots: u32) -> Self {
        let allocator = Allocator::new(capacity);
        let used = Used { capacity: allocator.capacity(), ..Used::default() };
        Self {
            allocator,
            slots: Vec::new(),
            generations: Vec::new(),
            births: Vec::new(),
            order: Order::default(),
            free_slots: Vec::new(),
            slots_max: slots,
            clients: HashSet::new(),
            leases: BTreeMap::new(),
            dying: Vec::new(),
            last_lease: 0,
            last_client: 0,
            used,
        }
    }

    /// What is used.
    #[must_use]
    pub fn used(&self) -> Used {
        Used { touched: self.allocator.touched(), ..self.used }
    }

    /// What the generation of a slot has to be now.
    #[must_use]
    pub fn generation(&self, slot: u32) -> u64 {
        self.generations.get(slot as usize).copied().unwrap_or_default()
    }

    /// One more process.
    ///
    /// # Errors
    /// [`Refused::NoClient`].
    pub fn join(&mut self) -> Result<ClientId, Refused> {
        if self.clients.len() >= limits::STORE_CLIENTS_MAX {
            return Err(Refused::NoClient { limit: limits::STORE_CLIENTS_MAX });
        }
        self.last_client += 1;
        let id = ClientId(self.last_client);
        self.clients.insert(id);
        Ok(id)
    }

    /// Lends room to a process.
    ///
    /// # Errors
    /// [`Refused::TooLarge`], [`Refused::Full`], [`Refused::NoSlot`], [`Refused::Stranger`].
    pub fn lease(&mut self, client: ClientId, terms: Terms) -> Result<Lease, Refused> {
        if !self.clients.contains(&client) {
            return Err(Refused::Stranger(client));
        }
        let (bytes, capacity) = (terms.bytes, self.allocator.capacity());
        if Allocator::rounded(bytes) > capacity {
            return Err(Refused::TooLarge { bytes, capacity });
        }
        // Not more than there can be in it.
        let most = (Allocator::rounded(bytes) / ALIGNMENT).min(limits::STORE_SLAB_OBJECTS.into());
        let wanted = u64::from(terms.objects).clamp(1, most) as usize;
        let fresh = self.slots_max as usize - self.slots.len();
        let wanted = wanted.min(self.free_slots.len() + fresh);
        if wanted == 0 {
            return Err(Refused::NoSlot { limit: self.slots_max as usize });
        }
        let Some(part) = self.allocator.take(bytes) else {
            let (taken, longest) = (self.allocator.taken(), self.allocator.longest());
            return Err(Refused::Full { bytes, taken, capacity, longest });
        };
        self.last_lease += 1;
        let id = self.last_lease;
        let slots = self.take_slots(wanted);
        for slot in &slots {
            self.slots[*slot as usize] = Slot::Lent { lease: id };
            self.births[*slot as usize] = self.generation(*slot);
        }
        self.used.lent += part.end - part.start;
        let held =
            Held { client, part: part.clone(), slots: slots.clone(), sealed: BTreeMap::new() };
        self.leases.insert(id, held);
        Ok(Lease { id, part, slots })
    }

    /// So many slots, of which there are as many: those first whose words are in pages that are there.
    fn take_slots(&mut self, wanted: usize) -> Vec<u32> {
        let again = wanted.min(self.free_slots.len());
        let mut slots = self.free_slots.split_off(self.free_slots.len() - again);
        let fresh = self.slots.len()..self.slots.len() + wanted - again;
        self.slots.resize(fresh.end, Slot::Free);
        self.generations.resize(fresh.end, 0);
        self.births.resize(fresh.end, 0);
        slots.extend(fresh.map(|slot| slot as u32));
        slots
    }

    /// An object is written.
    ///
    /// # Errors
    /// [`Refused::NotLent`], [`Refused::Misplaced`]; nothing is changed.
    pub fn seal(&mut self, client: ClientId, sealed: &Sealed) -> Result<(), Refused> {
        let Sealed { lease, location } = *sealed;
        let held = self.leases.get_mut(&lease).filter(|held| held.client == client);
        let held = held.ok_or(Refused::NotLent { client, lease })?;
        let misplaced = |why| Refused::Misplaced { location, why };
        let slot = self.slots.get_mut(location.slot as usize);
        let slot = slot.ok_or(misplaced(Fault::NoSuchSlot))?;
        if !matches!(slot, Slot::Lent { lease: own } if *own == lease) {
            return Err(misplaced(Fault::OtherSlot));
        }
        if self.generations[location.slot as usize] != location.generation {
            return Err(misplaced(Fault::OtherGeneration));
        }
        // All that is taken for it.
        let end = location.offset.checked_add(Allocator::rounded(location.len));
        let end = end.filter(|end| *end <= held.part.end && location.offset >= held.part.start);
        let end = end.ok_or(misplaced(Fault::Outside))?;
        let before = held.sealed.range(..end).next_back();
        if before.is_some_and(|(_, before)| *before > location.offset) {
            return Err(misplaced(Fault::Taken));
        }
        if !location.offset.is_multiple_of(ALIGNMENT) {
            return Err(misplaced(Fault::Unaligned));
        }
        held.sealed.insert(location.offset, end);
        *slot = Slot::Sealed(location.offset..end);
        self.used.lent -= end - location.offset;
        self.used.sealed += end - location.offset;
        self.used.objects += 1;
        self.used.on_disk -= usize::from(self.was_put_out(location.slot));
        self.order.push(location.slot);
        Ok(())
    }

    /// Whether the object that is in its slot now is this one.
    fn is_it(&self, location: &Location) -> bool {
        let at = location.slot as usize;
        let born = self.births.get(at).is_some_and(|birth| *birth <= location.generation);
        born && location.generation <= self.generations[at]
    }

    /// How an object stands.
    #[must_use]
    pub fn standing(&self, location: &Location) -> Standing {
        if !self.is_it(location) {
            return Standing::Gone;
        }
        match self.slots[location.slot as usize] {
            Slot::Lent { .. } if self.was_put_out(location.slot) => Standing::Sealed,
            Slot::Lent { .. } => Standing::Lent,
            Slot::Sealed(_) | Slot::OnDisk(_) => Standing::Sealed,
            Slot::Free | Slot::Dying => Standing::Gone,
        }
    }

    /// An object is not needed any more. True: the generation of its slot is to be changed, and readers are to be looked at afterwards
    /// ([`Books::sweep`]). False: it is gone already, or its writer has not said yet that it is written.
    pub fn free(&mut self, location: &Location) -> bool {
        self.is_it(location) && self.free_slot(location.slot)
    }

    /// As [`Books::free`], of the object that is in this slot now.
    pub(crate) fn free_slot(&mut self, number: u32) -> bool {
        let (at, was_put_out) = (number as usize, self.was_put_out(number));
        let Some(slot) = self.slots.get_mut(at) else { return false };
        let part = match slot {
            Slot::Sealed(part) => part.clone(),
            Slot::OnDisk(_) => 0..0,
            // Nothing comes back to it: the room in which it was to be is handed back by the one who has it.
            Slot::Lent { .. } if was_put_out => 0..0,
            Slot::Lent { .. } | Slot::Free | Slot::Dying => return false,
        };
        match std::mem::replace(slot, Slot::Dying) {
            Slot::OnDisk(_) | Slot::Lent { .. } => self.used.on_disk -= 1,
            _ => self.used.objects -= 1,
        }
        self.generations[at] += 1;
        let bytes = part.end - part.start;
        self.used.sealed -= bytes;
        self.used.dying += bytes;
        self.order.remove(number);
        self.dying.push(Dying::Object { slot: number, part });
        true
    }

    /// Nothing more is written to this room by the one who had it. The generations of these slots are to be changed: others may have been
    /// told of objects there that were never said to be sealed.
    ///
    /// # Errors
    /// [`Refused::NotLent`].
    pub fn hand_back(&mut self, client: ClientId, lease: u64) -> Result<Vec<u32>, Refused> {
        match self.leases.remove(&lease) {
            Some(held) if held.client == client => Ok(self.end(lease, &held)),
            other => {
                self.leases.extend(other.map(|held| (lease, held)));
                Err(Refused::NotLent { client, lease })
            }
        }
    }

    /// A process has ended: what it had sealed stays, what it was writing goes. The generations of these slots are to be changed.
    pub fn leave(&mut self, client: ClientId) -> Vec<u32> {
        self.clients.remove(&client);
        let own: Vec<_> = self.leases.extract_if(.., |_, held| held.client == client).collect();
        own.iter().flat_map(|(lease, held)| self.end(*lease, held)).collect()
    }

    /// A room is no more: what no object is in goes.
    fn end(&mut self, lease: u64, held: &Held) -> Vec<u32> {
        let is_unsealed = |slot: &u32| matches!(self.slots[*slot as usize], Slot::Lent { lease: own } if own == lease);
        let unsealed: Vec<u32> = held.slots.iter().copied().filter(is_unsealed).collect();
        let mut slots = Vec::new();
        for slot in &unsealed {
            // What was not brought back is where it was.
            let stays = self.was_put_out(*slot);
            self.generations[*slot as usize] += 1;
            if stays {
                self.slots[*slot as usize] = Slot::OnDisk(held.part.end - held.part.start);
            } else {
                self.slots[*slot as usize] = Slot::Dying;
                slots.push(*slot);
            }
        }
        let parts = held.gaps();
        let bytes: u64 = parts.iter().map(|part| part.end - part.start).sum();
        self.used.lent -= bytes;
        self.used.dying += bytes;
        if !(slots.is_empty() && parts.is_empty()) {
            self.dying.push(Dying::Room { slots, parts });
        }
        unsealed
    }

    /// Whether there is anything to look after.
    #[must_use]
    pub fn is_any_dying(&self) -> bool {
        !self.dying.is_empty()
    }

    /// Gives away again what is dying and not pinned. The pins are those that were seen after the generations were changed. Says how many bytes
    /// are free now that were not.
    pub fn sweep(&mut self, pinned: &HashSet<u32>) -> u64 {
        let before = self.used.dying;
        let dying = std::mem::take(&mut self.dying).into_iter();
        let (stays, goes): (Vec<_>, Vec<_>) = dying.partition(|dying| dying.is_pinned(pinned));
        self.dying = stays;
        for dying in goes {
            match dying {
                Dying::Object { slot, part } => {
                    self.give_back_slot(slot);
                    self.give_back(part);
                }
                Dying::Room { slots, parts } => {
                    slots.into_iter().for_each(|slot| self.give_back_slot(slot));
                    parts.into_iter().for_each(|part| self.give_back(part));
                }
            }
        }
        before - self.used.dying
    }

    fn give_back_slot(&mut self, slot: u32) {
        self.slots[slot as usize] = Slot::Free;
        self.free_slots.push(slot);
    }

    fn give_back(&mut self, part: Range<u64>) {
        if part.is_empty() {
            return;
        }
        self.used.dying -= part.end - part.start;
        let given: Result<(), NotTaken> = self.allocator.give_back(part);
        // Its bytes were taken by nobody else (BK-1).
        debug_assert_eq!(given, Ok(()));
    }
}

//! Objects whose memory is given to others while they are on disk.

use std::collections::{BTreeMap, HashSet};

use raytree_types::limits;

use super::{Books, ClientId, Held, Lease, Place, Refused, Slot};
use crate::allocator::Allocator;
use crate::pins::Location;

impl Books {
    /// Whether the object in a slot was put out since it began, and so is on disk, whether it is in memory, too, or not.
    pub(crate) fn was_put_out(&self, slot: u32) -> bool {
        let at = slot as usize;
        let began = self.births.get(at).is_some_and(|birth| *birth < self.generations[at]);
        began && !matches!(self.slots[at], Slot::Free | Slot::Dying)
    }

    /// Where the object is that is in a slot now, with all that is taken for it.
    pub(crate) fn location(&self, number: u32) -> Option<Location> {
        let part = match self.slots.get(number as usize)? {
            Slot::Sealed(part) => part.clone(),
            Slot::OnDisk(len) => 0..*len,
            Slot::Lent { .. } if self.was_put_out(number) => 0..0,
            Slot::Lent { .. } | Slot::Free | Slot::Dying => return None,
        };
        let (generation, len) = (self.generation(number), part.end - part.start);
        Some(Location { slot: number, generation, offset: part.start, len })
    }

    /// Where an object is now, as far as readers are concerned.
    #[must_use]
    pub fn place(&self, location: &Location) -> Place {
        if !self.is_it(location) {
            return Place::Gone;
        }
        let generation = self.generation(location.slot);
        match &self.slots[location.slot as usize] {
            Slot::Sealed(part) => {
                Place::Here(Location { generation, offset: part.start, ..*location })
            }
            Slot::Lent { .. } if !self.was_put_out(location.slot) => Place::Here(*location),
            Slot::OnDisk(_) | Slot::Lent { .. } => Place::OnDisk,
            Slot::Free | Slot::Dying => Place::Gone,
        }
    }

    /// Objects that may be put out, the oldest first: of `bytes` together, or a little more. Those with a pin are the newest from then on.
    /// They are not named again until they are put out or spared. Not more than [`SPILL_LOOKED_MAX`](limits::SPILL_LOOKED_MAX) are looked at.
    pub(crate) fn oldest(
        &mut self,
        bytes: u64,
        pinned: &HashSet<u32>,
        may: impl Fn(u32) -> bool,
    ) -> Vec<Location> {
        let (mut found, mut sum) = (Vec::new(), 0);
        let mut next = self.order.oldest();
        let (mut looked, last) = (0, self.order.newest());
        while let Some(slot) = next
            && sum < bytes
            && looked < limits::SPILL_LOOKED_MAX
            && found.len() < limits::SPILL_FUSED_OBJECTS
        {
            // Not those again that were met.
            next = self.order.after(slot).filter(|_| Some(slot) != last);
            looked += 1;
            if pinned.contains(&slot) {
                self.order.push(slot);
            } else if may(slot)
                && let Some(location) = self.location(slot)
            {
                self.order.remove(slot);
                sum += location.len;
                found.push(location);
            }
        }
        found
    }

    /// An object that was named by [`Books::oldest`] stays.
    pub(crate) fn spare(&mut self, object: &Location) {
        if self.is_sealed(object) {
            self.order.push(object.slot);
        }
    }

    /// Whether the object is in memory, and may be put out.
    pub(crate) fn is_sealed(&self, location: &Location) -> bool {
        let is_it = self.generation(location.slot) == location.generation;
        is_it && matches!(self.slots.get(location.slot as usize), Some(Slot::Sealed(_)))
    }

    /// An object is on disk, and nobody has a pin on it, nor can get one: its generation was changed before that was looked at. Its memory is
    /// free (BK-5).
    pub(crate) fn put_out(&mut self, number: u32) {
        let at = number as usize;
        let Some(Slot::Sealed(part)) = self.slots.get(at) else { return };
        let (part, len) = (part.clone(), part.end - part.start);
        self.slots[at] = Slot::OnDisk(len);
        self.generations[at] += 1;
        self.order.remove(number);
        self.used.sealed -= len;
        self.used.objects -= 1;
        self.used.on_disk += 1;
        // As of one that was freed.
        self.used.dying += len;
        self.give_back(part);
    }

    /// Room for an object that is on disk, in its own slot.
    ///
    /// # Errors
    /// [`Refused::Full`], [`Refused::Stranger`]; none where it is not on disk any more.
    pub(crate) fn bring(&mut self, client: ClientId, slot: u32) -> Option<Result<Lease, Refused>> {
        let Some(Slot::OnDisk(bytes)) = self.slots.get(slot as usize) else { return None };
        let bytes = *bytes;
        if !self.clients.contains(&client) {
            return Some(Err(Refused::Stranger(client)));
        }
        let Some(part) = self.allocator.take(bytes) else {
            let (taken, longest) = (self.allocator.taken(), self.allocator.longest());
            let capacity = self.allocator.capacity();
            return Some(Err(Refused::Full { bytes, taken, capacity, longest }));
        };
        debug_assert_eq!(Allocator::rounded(bytes), part.end - part.start);
        self.last_lease += 1;
        let id = self.last_lease;
        self.slots[slot as usize] = Slot::Lent { lease: id };
        self.used.lent += part.end - part.start;
        let slots = vec![slot];
        let held =
            Held { client, part: part.clone(), slots: slots.clone(), sealed: BTreeMap::new() };
        self.leases.insert(id, held);
        Some(Ok(Lease { id, part, slots }))
    }
}

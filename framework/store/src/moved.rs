//! The store's part in spilling: who gives way, and how somebody comes back.

use crate::books::{ClientId, Lease, Place, Refused};
use crate::pins::Location;
use crate::store::{Spilled, Store};

impl Store {
    /// Objects that nobody has a view of, those first that were wanted least lately: of `bytes` together, or a little more. Not those that
    /// `except` alone holds, and where only those are asked for that are on disk as well, no others. Each is named once, until it is put out
    /// ([`Store::put_out`]) or spared ([`Store::spare`]).
    pub fn oldest(&mut self, bytes: u64, except: ClientId, on_disk: bool) -> Vec<Location> {
        let pinned = self.pinned();
        let (holders, files) = (&self.holders, &self.on_disk);
        let may = |slot| {
            let is_held = holders.of(slot).iter().any(|(client, _)| *client != except);
            is_held && (!on_disk || files.contains_key(&slot))
        };
        self.books.oldest(bytes, &pinned, may)
    }

    /// Objects that were named stay where they are, as the newest.
    pub fn spare(&mut self, objects: &[Location]) {
        objects.iter().for_each(|object| self.books.spare(object));
    }

    /// Where on disk an object is, whether or not it is in memory as well.
    #[must_use]
    pub fn on_disk(&self, object: &Location) -> Option<Spilled> {
        let is_there = self.place(object) != Place::Gone;
        self.on_disk.get(&object.slot).filter(|_| is_there).copied()
    }

    /// These objects were written to disk: their memory is given to others where nobody has a view of it, and they stay in memory where
    /// somebody has. Says how many bytes are free now that were not. What has gone meanwhile is needed on disk no more:
    /// [`Store::unneeded`].
    pub fn put_out(&mut self, objects: &[(Location, Spilled)]) -> u64 {
        let (mut sealed, before) = (Vec::new(), self.used().sealed);
        for (object, spilled) in objects {
            if self.books.is_sealed(object) {
                self.on_disk.insert(object.slot, *spilled);
                sealed.push(*object);
            } else {
                self.unneeded.push(*spilled);
            }
        }
        // PN-1, as for one that is freed: whoever looks now finds it moved, and of those who came before the pin is seen.
        for object in &sealed {
            self.says(object.slot, object.generation + 1);
        }
        let pinned = self.pinned();
        for object in sealed {
            if pinned.contains(&object.slot) {
                // Nobody was told of the other generation: it is as if it had never been.
                self.says(object.slot, object.generation);
                self.books.spare(&object);
            } else {
                self.books.put_out(object.slot);
            }
        }
        before - self.used().sealed
    }

    /// Room for an object that is on disk, to be filled from there and sealed as any other; none where it is not on disk alone.
    ///
    /// # Errors
    /// [`Refused::Full`], [`Refused::Stranger`].
    pub fn bring(
        &mut self,
        client: ClientId,
        object: &Location,
    ) -> Option<(Result<Lease, Refused>, Spilled)> {
        let spilled = self.on_disk(object)?;
        let mut lease = self.books.bring(client, object.slot)?;
        if matches!(lease, Err(Refused::Full { .. })) && self.sweep() > 0 {
            lease = self.books.bring(client, object.slot)?;
        }
        Some((lease, spilled))
    }

    /// Where an object is now.
    #[must_use]
    pub fn place(&self, object: &Location) -> Place {
        self.books.place(object)
    }

    /// Whether there is something on disk that nobody needs.
    #[must_use]
    pub fn is_any_unneeded(&self) -> bool {
        !self.unneeded.is_empty()
    }

    /// What is on disk and nobody needs, since this was asked last.
    pub fn unneeded(&mut self) -> Vec<Spilled> {
        std::mem::take(&mut self.unneeded)
    }
}

//! Who waits for objects that are on disk.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use raytree_store::{ClientId, Location, Place};

use super::desk::Desk;
use super::line::{Line, Words};
use crate::protocol::{Found, Told};

/// See the [module documentation](self).
#[derive(Default)]
pub(super) struct Sought {
    by_slot: HashMap<u32, Vec<Seeker>>,
    /// Those that nobody brings yet, in the order in which they were asked for.
    queue: VecDeque<Location>,
}

struct Seeker {
    client: ClientId,
    to: Arc<Line>,
    number: u64,
    object: Location,
}

impl Sought {
    pub(super) fn is_empty(&self) -> bool {
        self.by_slot.is_empty()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.by_slot.values().map(Vec::len).sum()
    }

    /// Whether there is one that nobody brings yet.
    pub(super) fn is_any_left(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The one that was asked for first, of those that nobody brings yet.
    pub(super) fn first(&self) -> Option<Location> {
        self.queue.front().copied()
    }

    /// Somebody brings that one.
    pub(super) fn takes_first(&mut self) {
        self.queue.pop_front();
    }

    /// A process has ended.
    pub(super) fn leaves(&mut self, client: ClientId) {
        let queue = &mut self.queue;
        self.by_slot.retain(|slot, seekers| {
            seekers.retain(|seeker| seeker.client != client);
            if seekers.is_empty() {
                queue.retain(|object| object.slot != *slot);
            }
            !seekers.is_empty()
        });
    }

    fn add(&mut self, seeker: Seeker) {
        let object = seeker.object;
        let all = self.by_slot.entry(object.slot).or_default();
        if all.is_empty() {
            self.queue.push_back(object);
        }
        all.push(seeker);
    }
}

impl Desk {
    /// Somebody asks where an object is.
    pub(super) fn seeks(
        &mut self,
        client: ClientId,
        from: &Arc<Line>,
        (number, object): (u64, Location),
        now: Duration,
        words: &mut Words,
    ) {
        let to = Arc::clone(from);
        match found(self.store.place(&object)) {
            Some(found) => words.push((to, Told::Found { number, found })),
            None => {
                self.spilling.as_mut().into_iter().for_each(|spilling| spilling.is_asked(now));
                self.sought.add(Seeker { client, to, number, object });
            }
        }
    }

    /// An object has come back, or has not: as [`Desk::are_told`]; what is waited for still is brought once more.
    pub(super) fn has_come(
        &mut self,
        object: &Location,
        otherwise: Option<&Found>,
        words: &mut Words,
    ) {
        if let Some(left) = self.are_told(object, otherwise, words) {
            self.sought.queue.push_back(left);
        }
    }

    /// An object is back, or gone: all who wait for it are told. Those for whom it is on disk still are told `otherwise`; without that they wait
    /// on, and it is said for what. In its slot there may be another object by now: `otherwise` says nothing of that.
    pub(super) fn are_told(
        &mut self,
        object: &Location,
        otherwise: Option<&Found>,
        words: &mut Words,
    ) -> Option<Location> {
        let otherwise = otherwise.filter(|_| self.store.place(object) != Place::Gone);
        let mut left = Vec::new();
        for seeker in self.sought.by_slot.remove(&object.slot).unwrap_or_default() {
            match found(self.store.place(&seeker.object)).or_else(|| otherwise.cloned()) {
                Some(found) => {
                    words.push((seeker.to, Told::Found { number: seeker.number, found }))
                }
                None => left.push(seeker),
            }
        }
        let waited_for = left.first().map(|seeker| seeker.object);
        if waited_for.is_some() {
            self.sought.by_slot.insert(object.slot, left);
        }
        waited_for
    }
}

/// Where it is; none while it is on disk.
fn found(place: Place) -> Option<Found> {
    match place {
        Place::Here(at) => Some(Found::Here(at)),
        Place::Gone => Some(Found::Lost("nobody holds it any more".to_owned())),
        Place::OnDisk => None,
    }
}

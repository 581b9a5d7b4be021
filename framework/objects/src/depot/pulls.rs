//! Objects that lie in stores of other nodes and are wanted here.
//!
//! Each is fetched once, however many want it, few of one node at once, and only once there is room for it here, in an order of its own
//! (`admission.rs`); the copy is an object of this store like every other, and is there for as long as somebody holds it. Touches no socket: who
//! fetches is [`Puller`](crate::Puller).
//!
//! Invariants:
//! - **PU-1 (fetched-once):** an object is fetched by one at a time, and not at all while there is a copy.
//! - **PU-2 (answered):** whoever wants an object is told one thing in the end: his copy, which the store holds for him, or why there is none.
//!   For room he waits as long as he wants it, unless there never is enough, or there was none for so long that whoever waits has given up.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use raytree_store::allocator::Allocator;
use raytree_store::{ClientId, Lease, Location, Place as Stands, Refused, Standing, Terms};
use raytree_types::limits;

use super::admission::{Admission, Need};
use super::desk::Desk;
use super::line::{Line, Words};
use crate::protocol::{Found, Told};
use crate::transfer::Place;

/// See the [module documentation](self).
#[derive(Default)]
pub(super) struct Pulls {
    wanted: HashMap<Place, Vec<Seeker>>,
    /// Those that nobody fetches yet.
    line: Admission<Place>,
    /// Those that are to be fetched, into this room.
    admitted: VecDeque<(Place, Lease)>,
    /// There is one more of these than was said.
    is_to_be_said: bool,
    /// What was given room last was one of them, and nothing that is written here.
    was_last: bool,
    /// The first one in line, for which there was no room, and since when.
    stuck: Option<(Place, Duration)>,
    /// What was fetched, and may be here still.
    copies: HashMap<Place, Location>,
    /// Bytes that were fetched, ever.
    pub(super) bytes: u64,
}

struct Seeker {
    client: ClientId,
    to: Arc<Line>,
    number: u64,
    need: Need,
}

/// What became of an object that was to be fetched.
pub(crate) enum Pulled {
    /// There is a copy, which the one holds who has fetched it, until this is heard.
    Copied(Location),
    /// There is none.
    Failed(Found),
    /// Nobody wanted it any more.
    LetBe,
}

impl Pulls {
    /// What is to be fetched next, and into which room.
    pub(super) fn next(&mut self) -> Option<(Place, Lease)> {
        self.admitted.pop_front()
    }

    /// Whether there is something to be fetched that nobody was told of.
    pub(super) fn is_any_new(&self) -> bool {
        self.is_to_be_said
    }

    /// The same, once.
    pub(super) fn says_new(&mut self) -> bool {
        std::mem::take(&mut self.is_to_be_said)
    }

    /// Whether an object that is fetched is wanted still.
    pub(super) fn is_wanted(&self, place: &Place) -> bool {
        self.wanted.get(place).is_some_and(|seekers| !seekers.is_empty())
    }

    /// How much room the one needs that could be fetched if there were any.
    pub(super) fn needs_room(&self) -> Option<u64> {
        self.line.without_room().map(|(_, bytes)| bytes)
    }

    /// How many wait, if there is no room for the first of them.
    pub(super) fn waiting(&self) -> usize {
        self.needs_room().map_or(0, |_| self.line.len())
    }

    /// Whether one of them is before what is written here.
    pub(super) fn have_the_turn(&self) -> bool {
        !self.was_last && self.needs_room().is_some()
    }

    /// Something that is written here was given room.
    pub(super) fn lets_pass(&mut self) {
        self.was_last = false;
    }

    /// A process has ended: nobody fetches what only it wanted, unless somebody does already.
    pub(super) fn leaves(&mut self, client: ClientId) {
        let line = &mut self.line;
        self.wanted.retain(|place, seekers| {
            seekers.retain(|seeker| seeker.client != client);
            !seekers.is_empty() || !line.drops(place)
        });
    }

    /// It is told to all who want it, which is not in line any more.
    fn tell(&mut self, place: &Place, found: &Found, words: &mut Words) {
        for Seeker { to, number, .. } in self.wanted.remove(place).unwrap_or_default() {
            words.push((to, Told::Found { number, found: found.clone() }));
        }
    }
}

/// How much room a copy takes.
fn room(place: &Place) -> u64 {
    place.object.len.max(1)
}

impl Desk {
    /// Somebody wants an object of another node.
    pub(super) fn wants(
        &mut self,
        client: ClientId,
        from: &Arc<Line>,
        (number, place, need): (u64, Place, Need),
        words: &mut Words,
    ) {
        let to = Arc::clone(from);
        let (bytes, capacity) = (room(&place), self.store.used().capacity);
        let Some(pulls) = &mut self.pulls else {
            let found = Found::Lost("this store fetches nothing from other nodes".to_owned());
            return words.push((to, Told::Found { number, found }));
        };
        if let Some(copy) = pulls.copies.get(&place).copied() {
            if self.store.hold(client, &copy) != Standing::Gone {
                let found = Found::Here(self.stands_at(copy));
                return words.push((to, Told::Found { number, found }));
            }
            pulls.copies.remove(&place);
        }
        if bytes > capacity || Allocator::rounded(bytes) > capacity {
            let found = Found::NoRoom(Refused::TooLarge { bytes, capacity });
            return words.push((to, Told::Found { number, found }));
        }
        // One that is being fetched has seekers, if only none of them, and is in no line.
        let is_new = !pulls.wanted.contains_key(&place);
        if is_new || pulls.line.has(&place) {
            pulls.line.wants(&place, (place.origin.at, bytes), need);
        }
        pulls.wanted.entry(place).or_default().push(Seeker { client, to, number, need });
    }

    /// Gives room to the next one that is fetched, if there is any (PU-3). True when something has changed.
    pub(super) fn admits(&mut self, now: Duration, words: &mut Words) -> bool {
        let Self { pulls: Some(pulls), store, heir, asked, .. } = self else { return false };
        // Who waits to write is passed by one at a time.
        if pulls.was_last && !asked.is_empty() {
            return false;
        }
        let before = pulls.needs_room();
        let mut refused = None;
        let lends = |bytes| match store.lease(*heir, Terms::one(bytes)) {
            Ok(lease) => Some(lease),
            Err(why) => {
                refused.get_or_insert(why);
                None
            }
        };
        if let Some(admitted) = pulls.line.next(now, lends) {
            pulls.admitted.push_back(admitted);
            (pulls.was_last, pulls.is_to_be_said, pulls.stuck) = (true, true, None);
            return true;
        }
        let (Some((place, bytes)), Some(why)) = (pulls.line.without_room(), refused) else {
            return false;
        };
        let place = place.clone();
        if matches!(why, Refused::Full { .. }) && self.estates() > 0 {
            // As for those who write: what the dead have left gives way.
            self.bury();
            return true;
        }
        if before.is_none() {
            self.spilling.iter_mut().for_each(|spilling| spilling.is_asked(now));
        }
        let Some(why) = self.refuses_pull(&place, bytes, why, now) else { return false };
        let Some(pulls) = &mut self.pulls else { return false };
        pulls.stuck = None;
        pulls.line.drops(&place);
        pulls.tell(&place, &Found::NoRoom(why), words);
        true
    }

    /// Why what is to be fetched is not waited for any more, although it would fit (PU-2).
    fn refuses_pull(
        &mut self,
        place: &Place,
        bytes: u64,
        why: Refused,
        now: Duration,
    ) -> Option<Refused> {
        // No other kind of want goes by when something is freed.
        if !matches!(why, Refused::Full { .. }) {
            return Some(why);
        }
        if let Some(disk) = self.spilling.as_ref().and_then(|spilling| spilling.fails(now)) {
            let (used, why) = (self.store.used(), disk.to_owned());
            let (taken, capacity) = (used.taken(), used.capacity);
            return Some(Refused::OutOfDisk { bytes, taken, capacity, why });
        }
        let pulls = self.pulls.as_mut()?;
        match &pulls.stuck {
            Some((first, since)) if first == place => {
                (now >= *since + limits::STORE_BACK_WITHIN).then_some(why)
            }
            _ => {
                pulls.stuck = Some((place.clone(), now));
                None
            }
        }
    }

    /// Whether there is something to be fetched that the one was not told of who fetches.
    pub(super) fn says_what_to_fetch(&mut self) -> bool {
        self.pulls.as_mut().is_some_and(Pulls::says_new)
    }

    /// How much room is to be made for what is fetched: where nothing gives way that is looked for from time to time.
    pub(super) fn pull_needs(&self, now: Duration) -> u64 {
        let may = self.spilling.as_ref().is_some_and(|spilling| spilling.may_look(now, false));
        let needed = self.pulls.as_ref().and_then(Pulls::needs_room);
        let used = self.store.used();
        // What is free may lie in pieces that are too short.
        let free = used.capacity.saturating_sub(used.taken());
        needed.filter(|_| may).map(|needed| needed.saturating_sub(free).max(1)).unwrap_or_default()
    }

    /// An object was fetched, or was not. Its room is nobody's from now on.
    pub(super) fn is_pulled(
        &mut self,
        place: &Place,
        pulled: Pulled,
        now: Duration,
        words: &mut Words,
    ) {
        // What was written is an object, and the rest is handed back.
        if let Err(why) = self.store.written(self.heir, &self.keeper.written()) {
            tracing::error!(%why, "what was fetched is not where it was to be");
        }
        let Some(pulls) = &mut self.pulls else { return };
        pulls.line.done(place.origin.at);
        match pulled {
            Pulled::Copied(copy) => self.is_copied(place, copy, words),
            Pulled::Failed(why) => pulls.tell(place, &why, words),
            Pulled::LetBe => {
                let seekers = pulls.wanted.get(place).into_iter().flatten();
                // Somebody wants it after all.
                match seekers.map(|seeker| seeker.need).max() {
                    Some(need) => {
                        pulls.line.wants(place, (place.origin.at, room(place)), need);
                    }
                    None => _ = pulls.wanted.remove(place),
                }
            }
        }
        self.serves(now, words);
    }

    fn is_copied(&mut self, place: &Place, copy: Location, words: &mut Words) {
        let Some(pulls) = &mut self.pulls else { return };
        pulls.bytes += copy.len;
        if pulls.copies.len() >= limits::PULL_COPIES_MAX {
            let store = &self.store;
            pulls.copies.retain(|_, copy| store.standing(copy) != Standing::Gone);
        }
        if pulls.copies.len() < limits::PULL_COPIES_MAX {
            pulls.copies.insert(place.clone(), copy);
        }
        for Seeker { client, to, number, .. } in pulls.wanted.remove(place).unwrap_or_default() {
            let found = match self.store.hold(client, &copy) {
                Standing::Gone => Found::Lost("its copy is gone already".to_owned()),
                Standing::Lent | Standing::Sealed => Found::Here(self.stands_at(copy)),
            };
            words.push((to, Told::Found { number, found }));
        }
        // From here on those hold it who have asked for it.
        self.store.release(self.heir, &[copy]);
    }

    /// Where it is now. What is on disk is sought by whoever reads it.
    fn stands_at(&self, object: Location) -> Location {
        match self.store.place(&object) {
            Stands::Here(now) => now,
            Stands::OnDisk | Stands::Gone => object,
        }
    }
}

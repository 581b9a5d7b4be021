//! Objects that lie in stores of other nodes and are wanted here.
//!
//! Each is fetched once, however many want it, in the order in which they were asked for, few of one node at once; the copy is an object of this store like every
//! other, and is there for as long as somebody holds it. Touches no socket: who fetches is [`Puller`](crate::Puller).
//!
//! Invariants:
//! - **PU-1 (fetched-once):** an object is fetched by one at a time, and not at all while there is a copy.
//! - **PU-2 (answered):** whoever wants an object is told one thing in the end: his copy, which the store holds for him, or why there is none.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use raytree_store::{ClientId, Location, Place as Stands, Standing};
use raytree_types::limits;

use super::desk::Desk;
use super::line::{Line, Words};
use crate::protocol::{Found, Told};
use crate::transfer::Place;

/// See the [module documentation](self).
#[derive(Default)]
pub(super) struct Pulls {
    wanted: HashMap<Place, Vec<Seeker>>,
    /// Those that nobody fetches yet.
    queue: VecDeque<Place>,
    /// From where, each.
    under_way: Vec<SocketAddr>,
    /// What was fetched, and may be here still.
    copies: HashMap<Place, Location>,
    /// Bytes that were fetched, ever.
    pub(super) bytes: u64,
}

struct Seeker {
    client: ClientId,
    to: Arc<Line>,
    number: u64,
}

impl Pulls {
    /// What is to be fetched next, unless enough is being fetched.
    pub(super) fn next(&mut self) -> Option<Place> {
        if self.under_way.len() >= limits::PULLS_AT_ONCE {
            return None;
        }
        let under_way = &self.under_way;
        let has_place = |place: &Place| {
            let at = place.origin.at;
            under_way.iter().filter(|own| **own == at).count() < limits::PULLS_OF_ONE
        };
        let next = self.queue.iter().position(has_place)?;
        let next = self.queue.remove(next)?;
        self.under_way.push(next.origin.at);
        Some(next)
    }

    /// A process has ended: nobody fetches what only it wanted, unless somebody does already.
    pub(super) fn leaves(&mut self, client: ClientId) {
        let queue = &mut self.queue;
        self.wanted.retain(|place, seekers| {
            seekers.retain(|seeker| seeker.client != client);
            let stays = !seekers.is_empty() || !queue.contains(place);
            if !stays {
                queue.retain(|queued| queued != place);
            }
            stays
        });
    }
}

impl Desk {
    /// Somebody wants an object of another node.
    pub(super) fn wants(
        &mut self,
        client: ClientId,
        from: &Arc<Line>,
        (number, place): (u64, Place),
        words: &mut Words,
    ) {
        let to = Arc::clone(from);
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
        let seekers = pulls.wanted.entry(place.clone()).or_insert_with(|| {
            pulls.queue.push_back(place);
            Vec::new()
        });
        seekers.push(Seeker { client, to, number });
    }

    /// An object was fetched, or was not. One that was is held by whoever has fetched it, until this is done.
    pub(super) fn is_pulled(
        &mut self,
        place: &Place,
        pulled: Result<Location, Found>,
        words: &mut Words,
    ) {
        let Some(pulls) = &mut self.pulls else { return };
        let at = pulls.under_way.iter().position(|at| *at == place.origin.at);
        at.into_iter().for_each(|at| _ = pulls.under_way.swap_remove(at));
        let seekers = pulls.wanted.remove(place).unwrap_or_default();
        if let Ok(copy) = pulled {
            pulls.bytes += copy.len;
            if pulls.copies.len() >= limits::PULL_COPIES_MAX {
                let store = &self.store;
                pulls.copies.retain(|_, copy| store.standing(copy) != Standing::Gone);
            }
            if pulls.copies.len() < limits::PULL_COPIES_MAX {
                pulls.copies.insert(place.clone(), copy);
            }
        }
        for Seeker { client, to, number } in seekers {
            let found = match &pulled {
                Err(why) => why.clone(),
                Ok(copy) if self.store.hold(client, copy) == Standing::Gone => {
                    Found::Lost("its copy is gone already".to_owned())
                }
                Ok(copy) => Found::Here(self.stands_at(*copy)),
            };
            words.push((to, Told::Found { number, found }));
        }
    }

    /// Where it is now. What is on disk is sought by whoever reads it.
    fn stands_at(&self, object: Location) -> Location {
        match self.store.place(&object) {
            Stands::Here(now) => now,
            Stands::OnDisk | Stands::Gone => object,
        }
    }
}

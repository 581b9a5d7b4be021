//! What a store decides, word by word: who has room, who waits for it, who is told what.
//!
//! Touches no socket and no disk: what is said to whom, and what is to be written or read, is handed to whoever asked.
//!
//! Invariants:
//! - **DK-1 (in-turn):** whoever waits for room has it in the order in which he came; who asks for more than there is in all waits for nothing.
//! - **DK-2 (answered):** whoever asks for room, or for an object, is told one thing in the end, or has ended.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use raytree_store::{Client, ClientId, Lease, Location, Refused, Standing, Store, Terms};
use raytree_types::limits;

use super::line::{Line, Words};
use super::pulls::Pulls;
use super::sought::Sought;
use super::spilling::Spilling;
use crate::protocol::{Hold, Says, Told};

/// See the [module documentation](self).
pub(super) struct Desk {
    pub(super) store: Store,
    /// Holds what the dead held alone, for a while; writes and reads what is spilled.
    pub(super) heir: ClientId,
    pub(super) keeper: Client,
    /// What the dead held, by who has died.
    estates: VecDeque<Estate>,
    /// Who is to be told of an object that its writer has not said to be written.
    awaited: Vec<Awaited>,
    lines: Vec<(ClientId, Weak<Line>)>,
    /// Who waits for room.
    pub(super) asked: VecDeque<Asked>,
    /// Who waits for objects that are on disk.
    pub(super) sought: Sought,
    /// None where nothing is spilled.
    pub(super) spilling: Option<Spilling>,
    /// None where nothing is fetched from other nodes.
    pub(super) pulls: Option<Pulls>,
    /// The node is short of memory: whatever nobody looks at goes to disk, and its memory to the system.
    pub(super) is_short: bool,
    /// That was said since all went that could: what comes later waits until it is said again, so that it goes together.
    pub(super) is_due: bool,
    /// The system did not take memory back: it is tried again at the next shortage.
    keeps_all: bool,
}

/// What a process left, and until when it is kept.
struct Estate {
    until: Duration,
    objects: Vec<Location>,
}

struct Awaited {
    client: ClientId,
    to: Arc<Line>,
    number: u64,
    object: Location,
}

pub(super) struct Asked {
    client: ClientId,
    to: Arc<Line>,
    number: u64,
    pub(super) terms: Terms,
    until: Duration,
}

impl Desk {
    pub(super) fn new(
        store: Store,
        (heir, keeper): (ClientId, Client),
        spilling: Option<Spilling>,
    ) -> Self {
        let (estates, awaited, lines, asked, sought) = Default::default();
        let (pulls, is_short, is_due, keeps_all) = Default::default();
        Self {
            store,
            heir,
            keeper,
            estates,
            awaited,
            lines,
            asked,
            sought,
            spilling,
            pulls,
            is_short,
            is_due,
            keeps_all,
        }
    }

    /// How many processes use it.
    pub(super) fn clients(&self) -> usize {
        self.lines.len()
    }

    /// How many wait for room, or for objects that are on disk.
    pub(super) fn waiting(&self) -> usize {
        let fetched = self.pulls.as_ref().map_or(0, Pulls::waiting);
        self.asked.len() + self.sought.len() + fetched
    }

    /// How many have died whose objects are still kept.
    pub(super) fn estates(&self) -> usize {
        self.estates.len()
    }

    /// The node is short of memory, or is no more.
    pub(super) fn hears_of_shortage(&mut self, is_short: bool) {
        self.keeps_all &= self.is_short;
        (self.is_short, self.is_due) = (is_short, is_short);
    }

    /// Whether something goes to disk for a node that is short of memory, which will be given back.
    pub(super) fn spills(&self, now: Duration) -> bool {
        self.is_short && !self.keeps_all && self.goes_to_disk(now)
    }

    /// Gives memory back that nothing is in. True when there is more to give, or there may be soon.
    pub(super) fn gives_back(&mut self) -> bool {
        if !self.is_short || self.keeps_all {
            return false;
        }
        if let Err(error) = self.store.give_back(limits::STORE_GIVE_BACK) {
            tracing::warn!(%error, "the store cannot give its memory back");
            self.keeps_all = true;
            return false;
        }
        self.store.is_any_idle()
    }

    /// The lines to all of them.
    pub(super) fn lines(&self) -> impl Iterator<Item = Arc<Line>> {
        self.lines.iter().filter_map(|(_, line)| line.upgrade())
    }

    pub(super) fn joins(&mut self, client: ClientId, line: &Arc<Line>) {
        self.lines.push((client, Arc::downgrade(line)));
    }

    /// Does what a process says.
    pub(super) fn hears(
        &mut self,
        client: ClientId,
        from: &Arc<Line>,
        says: Says,
        now: Duration,
    ) -> Words {
        let Says { written, leases, holds, finds, pulls } = says;
        if let Err(why) = self.store.written(client, &written) {
            // All was done that can be: what it has not sealed goes with it.
            tracing::error!(?client, %why, "a process has written where it may not");
        }
        let mut words = Words::new();
        for hold in holds {
            match hold {
                Hold::Take { number, object } => match self.store.hold(client, &object) {
                    Standing::Lent => {
                        let to = Arc::clone(from);
                        self.awaited.push(Awaited { client, to, number, object });
                    }
                    standing => {
                        let is_there = standing == Standing::Sealed;
                        words.push((Arc::clone(from), Told::Held { number, is_there }));
                    }
                },
                Hold::LetGo { object } => self.store.release(client, &[object]),
            }
        }
        // For one who is told nothing, nothing is done. Somebody may be telling him something: that is not waited for.
        if from.hears() {
            for (number, object) in finds {
                self.seeks(client, from, (number, object), now, &mut words);
            }
            for wanted in pulls {
                self.wants(client, from, wanted, &mut words);
            }
            for (number, terms, waits) in leases {
                let until = now + limits::STORE_ROOM_WITHIN;
                let asked = Asked { client, to: Arc::clone(from), number, terms, until };
                self.asks(asked, waits, now, &mut words);
            }
        }
        self.serves(now, &mut words);
        words
    }

    /// A process has ended. True when there is something that it alone held.
    pub(super) fn leaves(&mut self, client: ClientId, now: Duration) -> (Words, bool) {
        self.lines.retain(|(own, _)| *own != client);
        self.awaited.retain(|awaited| awaited.client != client);
        self.asked.retain(|asked| asked.client != client);
        self.sought.leaves(client);
        self.pulls.as_mut().into_iter().for_each(|pulls| pulls.leaves(client));
        let left = self.store.leave_to(client, self.heir);
        let has_left = !left.is_empty();
        if has_left {
            let until = now + self.keeps_orphans_for();
            self.estates.push_back(Estate { until, objects: left });
        }
        let mut words = Words::new();
        self.serves(now, &mut words);
        (words, has_left)
    }

    /// How long what the dead alone held is kept.
    pub(super) fn keeps_orphans_for(&self) -> Duration {
        match self.pulls {
            None => limits::STORE_ORPHANS_FOR,
            Some(_) => limits::STORE_ORPHANS_FOR_NODES,
        }
    }

    /// Lets go of what nobody can ask for any more.
    pub(super) fn bury_until(&mut self, now: Duration) {
        while self.estates.front().is_some_and(|estate| estate.until <= now) {
            self.bury();
        }
    }

    /// Lets go of what the one has left who has died first.
    pub(super) fn bury(&mut self) {
        if let Some(Estate { objects, .. }) = self.estates.pop_front() {
            self.store.release(self.heir, &objects);
        }
    }

    /// Somebody asks for room: he has it at once, or waits, or is refused.
    fn asks(&mut self, asked: Asked, waits: bool, now: Duration, words: &mut Words) {
        let (is_first, may_wait) = (self.asked.is_empty(), waits && self.spilling.is_some());
        if is_first || self.spilling.is_none() {
            match self.lease(asked.client, asked.terms) {
                Err(Refused::Full { .. }) if may_wait => {}
                lease => return words.push(asked.told(lease)),
            }
        }
        let used = self.store.used();
        let (bytes, capacity) = (asked.terms.bytes, used.capacity);
        if bytes > capacity {
            words.push(asked.told(Err(Refused::TooLarge { bytes, capacity })));
        } else if !may_wait || self.asked.len() >= limits::STORE_WAITING_MAX {
            words.push(asked.told(Err(full(bytes, used.taken(), capacity))));
        } else {
            words.push((Arc::clone(&asked.to), Told::Waits { number: asked.number }));
            // What could not be written before may be by now.
            self.spilling.as_mut().into_iter().for_each(|spilling| spilling.is_asked(now));
            self.asked.push_back(asked);
        }
    }

    /// Room, for which what the dead have left gives way.
    fn lease(&mut self, client: ClientId, terms: Terms) -> Result<Lease, Refused> {
        loop {
            match self.store.lease(client, terms) {
                Err(Refused::Full { .. } | Refused::NoSlot { .. }) if !self.estates.is_empty() => {
                    self.bury();
                }
                lease => return lease,
            }
        }
    }

    /// Something may have changed for those who wait (DK-1, DK-2). Those who write and what is fetched have room by turns, so that neither waits
    /// for all of the other.
    pub(super) fn serves(&mut self, now: Duration, words: &mut Words) {
        let mut is_any = true;
        while is_any {
            let is_first = self.pulls.as_ref().is_some_and(Pulls::have_the_turn);
            is_any = is_first && self.admits(now, words);
            is_any = is_any || self.serves_one(now, words);
            is_any = is_any || (!is_first && self.admits(now, words));
        }
        self.tell_of_awaited(words);
    }

    /// The first one who waits for room has it, or is refused. False when he waits on.
    fn serves_one(&mut self, now: Duration, words: &mut Words) -> bool {
        let Some(asked) = self.asked.pop_front() else { return false };
        let lease = match self.lease(asked.client, asked.terms) {
            Err(Refused::Full { .. }) => match self.gives_up(&asked, now) {
                Some(why) => Err(why),
                None => {
                    self.asked.push_front(asked);
                    return false;
                }
            },
            lease => lease,
        };
        self.pulls.as_mut().into_iter().for_each(Pulls::lets_pass);
        words.push(asked.told(lease));
        true
    }

    /// Why somebody does not get room, if he need not wait for it any more.
    fn gives_up(&self, asked: &Asked, now: Duration) -> Option<Refused> {
        let (used, bytes) = (self.store.used(), asked.terms.bytes);
        let (taken, capacity) = (used.taken(), used.capacity);
        let spilling = self.spilling.as_ref()?;
        if let Some(why) = spilling.fails(now) {
            return Some(Refused::OutOfDisk { bytes, taken, capacity, why: why.to_owned() });
        }
        let is_over = now >= asked.until || spilling.is_stuck(now, limits::STORE_PINNED_WAIT);
        is_over.then(|| full(bytes, taken, capacity))
    }

    fn tell_of_awaited(&mut self, words: &mut Words) {
        let Self { store, awaited, .. } = self;
        for Awaited { to, number, object, .. } in
            awaited.extract_if(.., |awaited| store.standing(&awaited.object) != Standing::Lent)
        {
            let is_there = store.standing(&object) == Standing::Sealed;
            words.push((to, Told::Held { number, is_there }));
        }
    }
}

impl Asked {
    fn told(self, lease: Result<Lease, Refused>) -> (Arc<Line>, Told) {
        (self.to, Told::Room { number: self.number, lease })
    }
}

/// What is free may lie in many pieces: how long the longest is helps nobody who has waited.
fn full(bytes: u64, taken: u64, capacity: u64) -> Refused {
    Refused::Full { bytes, taken, capacity, longest: capacity.saturating_sub(taken) }
}

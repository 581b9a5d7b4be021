//! An object that this process holds.

use std::any::Any;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Weak};
use std::{fmt, mem};

use parking_lot::Mutex;
use raytree_store::spill::read_file;
use raytree_store::{Location, Unreadable, View};
use raytree_supervise::clock;
use raytree_types::{Bytes, limits};

use crate::depot::Need;
use crate::error::Lost;
use crate::patience;
use crate::protocol::Found;
use crate::session::{Core, Looked};
use crate::transfer::Place;

/// An object of a store that this process holds: it is there for as long as this is. Its bytes never change; it may be on disk for a while,
/// and somewhere else in the store afterwards.
pub struct Stored {
    core: Arc<Core>,
    /// Where it was seen last.
    object: Mutex<Location>,
    hold: Mutex<Holding>,
    /// What this process looks at it through, while it does: one pin, however many look.
    looked: Mutex<Weak<View>>,
    /// Of what it is a copy, or will be.
    far: Option<Place>,
    /// It was to come from there, and did not.
    did_not_come: AtomicBool,
}

/// What keeps the object for this process.
enum Holding {
    /// The store does.
    Store,
    /// Others, until the store does; and this view, should they end before. The one who has told it first is not among these.
    Taking(Arc<View>, Vec<Box<dyn Any + Send>>),
    /// It is in the store of another node, where these keep it.
    Far(Home),
    /// He has ended before: nobody but this process can see it any more.
    Alone(#[expect(dead_code, reason = "held for its drop")] Arc<View>),
}

/// What keeps an object in the store of another node. Whoever tells others that it is there has a clone of this until they need it no more:
/// that there is a copy for this process is no reason for its home to let go.
#[derive(Clone)]
pub struct Home(Arc<Mutex<Vec<Box<dyn Any + Send>>>>);

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Home({})", self.0.lock().len())
    }
}

impl Stored {
    pub(crate) fn own(core: Arc<Core>, object: Location) -> Self {
        let (object, hold) = (Mutex::new(object), Mutex::new(Holding::Store));
        let did_not_come = AtomicBool::new(false);
        Self { core, object, hold, looked: Mutex::default(), far: None, did_not_come }
    }

    /// Of another node: what `keeps` keeps there.
    pub(crate) fn far(core: Arc<Core>, place: Place, keeps: Box<dyn Any + Send>) -> Self {
        let home = Home(Arc::new(Mutex::new(vec![keeps])));
        let (object, hold) = (Mutex::new(place.object), Mutex::new(Holding::Far(home)));
        let did_not_come = AtomicBool::new(false);
        Self { core, object, hold, looked: Mutex::default(), far: Some(place), did_not_come }
    }

    pub(crate) fn taken(core: Arc<Core>, object: Location, view: View) -> Self {
        let view = Arc::new(view);
        let looked = Mutex::new(Arc::downgrade(&view));
        let hold = Mutex::new(Holding::Taking(view, Vec::new()));
        let did_not_come = AtomicBool::new(false);
        Self { core, object: Mutex::new(object), hold, looked, far: None, did_not_come }
    }

    /// The store has said whether it is there.
    pub(crate) fn is_held(&self, is_there: bool) {
        let mut hold = self.hold.lock();
        let before = mem::replace(&mut *hold, Holding::Store);
        let mut others = Vec::new();
        if let Holding::Taking(view, keeps) = before {
            others = keeps;
            if !is_there {
                *hold = Holding::Alone(view);
            }
        } else {
            *hold = before;
        }
        drop(hold);
        // Those who have told it may let go: what that does is not to be done under the lock.
        drop(others);
    }

    /// One more process has told of it: what keeps it there is kept as long as nothing else is sure to.
    pub(crate) fn is_lent_again(&self, keeps: Box<dyn Any + Send>) {
        let mut hold = self.hold.lock();
        match &mut *hold {
            Holding::Taking(_, others) => return others.push(keeps),
            Holding::Far(home) => return home.0.lock().push(keeps),
            Holding::Store | Holding::Alone(_) => {}
        }
        drop(hold);
        drop(keeps);
    }

    /// Where others of its node can see it, or could when it was seen last: it stays there for as long as somebody has its bytes. Nowhere
    /// when only this process can see it any more.
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        match &*self.hold.lock() {
            Holding::Store | Holding::Taking(..) => Some(*self.object.lock()),
            Holding::Alone(_) | Holding::Far(_) => None,
        }
    }

    /// Where it is in the store of another node, while it is not in this one's; and what keeps it there.
    #[must_use]
    pub fn origin(&self) -> Option<(&Place, Home)> {
        match &*self.hold.lock() {
            Holding::Far(home) => Some((self.far.as_ref()?, home.clone())),
            Holding::Store | Holding::Taking(..) | Holding::Alone(_) => None,
        }
    }

    /// Whether it is in the store of another node, and not in this one's.
    #[must_use]
    pub fn is_far(&self) -> bool {
        matches!(&*self.hold.lock(), Holding::Far(_))
    }

    /// Whether it was to come from the store of another node the last time, and did not; where there was no room for it that does not count.
    #[must_use]
    pub fn did_not_come(&self) -> bool {
        self.did_not_come.load(Ordering::Acquire)
    }

    /// What the door of the store is called by which this process has it.
    #[must_use]
    pub fn door(&self) -> &str {
        self.core.door()
    }

    /// How long it is, in bytes.
    #[must_use]
    pub fn byte_count(&self) -> u64 {
        self.object.lock().len
    }

    /// Whether it is in memory, as far as can be seen: it may be put on disk the moment after, while nobody has its bytes.
    #[must_use]
    pub fn is_here(&self) -> bool {
        match &*self.hold.lock() {
            Holding::Alone(_) => true,
            Holding::Far(_) => false,
            Holding::Store | Holding::Taking(..) => self.core.client.is_here(&self.object.lock()),
        }
    }

    /// Whether this process has its bytes.
    #[must_use]
    pub fn is_looked_at(&self) -> bool {
        self.looks() > 0
    }

    /// How many of this process have its bytes; those who share one view of them count once.
    #[must_use]
    pub fn looks(&self) -> usize {
        // One of the two may be let go of otherwise, between both looks.
        let hold = self.hold.lock();
        let own = match &*hold {
            Holding::Store | Holding::Far(_) => 0,
            Holding::Taking(..) | Holding::Alone(_) => 1,
        };
        self.looked.lock().strong_count().saturating_sub(own)
    }

    /// Its bytes, where they lie. They stay there for as long as anybody has them. Waits until it is back where it is on disk; when there is
    /// no room for it, they are a copy.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn bytes(self: &Arc<Self>) -> Result<Bytes, Lost> {
        let end = clock::now() + limits::STORE_BACK_WITHIN;
        let mut not_there = None;
        loop {
            match self.look() {
                Err(Unreadable::Gone) => {}
                done => return Ok(done?),
            }
            let left = end.saturating_sub(clock::now());
            let (tell, told) = sync_channel(1);
            self.asks(Need::Wait, move |found| _ = tell.send(found));
            let Ok(found) = patience::waits(|| told.recv_timeout(left)) else {
                return Err(self.is_late());
            };
            match found.ok_or(Lost::StoreGone)? {
                Found::Here(_) => {}
                Found::InFile { path, key, extent } => {
                    let bytes = match patience::waits(|| read_file(Path::new(&path), key, &extent))
                    {
                        // It was written anew since that was said: it is in another file by now.
                        Err(why) if why.is_not_there() && not_there.as_ref() != Some(&path) => {
                            not_there = Some(path);
                            continue;
                        }
                        read => Bytes::from(read?),
                    };
                    // On disk there is all that was taken for it.
                    let part = bytes.slice(..self.byte_count() as usize);
                    return part.ok_or_else(|| Lost::NotBrought("its file is short".to_owned()));
                }
                Found::Lost(why) => return Err(Lost::NotBrought(why)),
                Found::Away(why) => return Err(Lost::Away(why)),
                Found::NoRoom(why) => return Err(Lost::NoRoom(why)),
            }
        }
    }

    /// It has not come for so long: one of another node is where it was.
    fn is_late(&self) -> Lost {
        let within = limits::STORE_BACK_WITHIN;
        if !self.is_far() {
            return Lost::TooLate(within);
        }
        let within = within.as_secs();
        Lost::Away(format!("there was no room for it, or it has not come, within {within} s"))
    }

    /// Has it brought back, if it is on disk, or fetched; `then` is told when it is there, or that it will not be: who reads it hears why, or
    /// has it in another way. It runs on a thread that others wait for, or on this one: it must not wait.
    pub fn brings(self: &Arc<Self>, need: Need, then: impl FnOnce(bool) + Send + 'static) {
        if self.is_here() {
            return then(true);
        }
        self.asks(need, move |found| then(matches!(found, Some(Found::Here(_)))));
    }

    /// Asks the store for it; `then` is told what has come of that, when this knows where it is.
    fn asks(self: &Arc<Self>, need: Need, then: impl FnOnce(Option<Found>) + Send + 'static) {
        let (own, core) = (Arc::downgrade(self), Arc::clone(&self.core));
        let place = self.origin().map(|(place, _)| place.clone());
        let Some(place) = place else {
            let found = move |found| {
                if let (Some(Found::Here(now)), Some(own)) = (&found, own.upgrade()) {
                    own.is_at(*now);
                }
                then(found);
            };
            return self.core.seeks(*self.object.lock(), Box::new(found));
        };
        let found = move |found| {
            match (&found, own.upgrade()) {
                (Some(Found::Here(now)), Some(own)) => own.is_copied(*now),
                (Some(Found::Here(now)), None) => core.wants_no_more(*now),
                (Some(Found::NoRoom(_) | Found::Away(_)), _) | (_, None) => {}
                (_, Some(own)) => own.did_not_come.store(true, Ordering::Release),
            }
            then(found);
        };
        self.core.pulls(place, need, Box::new(found));
    }

    /// There is a copy, which the store holds for this process.
    fn is_copied(self: &Arc<Self>, now: Location) {
        let mut hold = self.hold.lock();
        if !matches!(&*hold, Holding::Far(_)) {
            drop(hold);
            // It was asked for twice.
            return self.core.wants_no_more(now);
        }
        let before = mem::replace(&mut *hold, Holding::Store);
        *self.object.lock() = now;
        drop(hold);
        self.did_not_come.store(false, Ordering::Release);
        self.core.is_here(self, now);
        // Its home may let go: what that does is not to be done under the lock.
        drop(before);
    }

    fn look(self: &Arc<Self>) -> Result<Bytes, Unreadable> {
        if self.is_far() {
            return Err(Unreadable::Gone);
        }
        let mut looked = self.looked.lock();
        let view = match looked.upgrade() {
            Some(view) => view,
            None => Arc::new(self.core.client.view(*self.object.lock())?),
        };
        *looked = Arc::downgrade(&view);
        drop(looked);
        Ok(Bytes::from_owner(Looked { view, _stored: Arc::clone(self) }))
    }

    fn is_at(self: &Arc<Self>, now: Location) {
        let mut object = self.object.lock();
        // Words about where it was may come late.
        if now.generation > object.generation {
            let before = mem::replace(&mut *object, now);
            self.core.moved(before, self, now);
        }
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        if let Some(place) = &self.far {
            self.core.forgets_far(place, self);
        }
        if !self.is_far() {
            self.core.lets_go(*self.object.lock(), self);
        }
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stored").field(&*self.object.lock()).finish()
    }
}

#[cfg(test)]
mod tests {
    use raytree_supervise::Addr;

    use super::*;
    use crate::{Depot, ObjectStore, Session};

    struct Keeps(Arc<AtomicBool>);

    impl Drop for Keeps {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn sn_1_what_the_store_does_not_hold_is_read_by_this_process_alone() {
        let depot =
            Depot::open(1 << 20, None, Addr::system::<ObjectStore>("object_store")).unwrap();
        let [one, other] = [0; 2].map(|_| Session::join(depot.door()).unwrap());
        let own = one.write(&[7; 300]).unwrap();
        let place = own.location().unwrap();
        let view = other.core.client.view(place).unwrap();
        let theirs = Arc::new(Stored::taken(Arc::clone(&other.core), place, view));
        theirs.is_held(false);
        drop(own);
        while depot.used().objects > 0 {
            std::thread::yield_now();
        }
        let bytes = theirs.bytes().unwrap();
        assert_eq!((theirs.location(), &bytes[..]), (None, &[7; 300][..]));
        drop((bytes, theirs.bytes()));
        assert!(theirs.bytes().is_ok(), "as long as it is here");
    }

    #[test]
    fn sn_1_who_waits_to_hold_something_hears_of_the_end_of_the_store() {
        let depot =
            Depot::open(1 << 20, None, Addr::system::<ObjectStore>("object_store")).unwrap();
        let [one, other] = [0; 2].map(|_| Session::join(depot.door()).unwrap());
        let own = one.write(&[7; 300]).unwrap();
        let let_go = Arc::new(AtomicBool::new(false));
        drop(depot);
        while !other.is_gone() {
            std::thread::yield_now();
        }
        let keeps = Box::new(Keeps(Arc::clone(&let_go)));
        let theirs = other.take(own.location().unwrap(), keeps).unwrap();
        assert!(let_go.load(Ordering::SeqCst));
        drop(own);
        assert_eq!((theirs.location(), theirs.bytes().unwrap().len()), (None, 300));
    }

    #[test]
    fn dp_1_what_the_dead_held_alone_is_kept_for_those_who_were_told_and_gives_way_to_what_is_written()
     {
        const MIB: usize = 1 << 20;
        let depot =
            Depot::open(4 * MIB as u64, None, Addr::system::<ObjectStore>("object_store")).unwrap();
        let [one, other] = [0; 2].map(|_| Session::join(depot.door()).unwrap());
        let [told, untold] = [1, 2].map(|byte| one.write(&vec![byte; MIB]).unwrap());
        let place = told.location().unwrap();
        while depot.used().objects < 2 {
            std::thread::yield_now();
        }
        // Its end is heard while it holds both, as that of a process is.
        mem::forget((told, untold));
        one.hangs_up_as_the_dead_do();
        while depot.clients() > 1 {
            std::thread::yield_now();
        }
        assert_eq!((depot.estates(), depot.used().objects), (1, 2));
        let theirs = other.take(place, Box::new(())).unwrap();
        let _large = other.write(&vec![3; 3 * MIB]).unwrap();
        assert_eq!((depot.estates(), &theirs.bytes().unwrap()[..]), (0, &vec![1; MIB][..]));
        assert!(other.write(&vec![3; MIB]).is_err(), "what was taken is there");
    }

    #[test]
    fn an_object_has_one_pin_however_many_look() {
        let depot =
            Depot::open(1 << 20, None, Addr::system::<ObjectStore>("object_store")).unwrap();
        let session = Session::join(depot.door()).unwrap();
        let stored = session.write(&[7; 300]).unwrap();
        let all: Vec<_> = (0..raytree_types::limits::STORE_PINS_MAX + 1)
            .map(|_| stored.bytes().map(|bytes| bytes.len()))
            .collect();
        assert!(all.iter().all(|len| matches!(len, Ok(300))));
        let kept: Vec<_> = (0..raytree_types::limits::STORE_PINS_MAX + 1)
            .map(|_| stored.bytes().unwrap())
            .collect();
        assert!(kept.iter().all(|bytes| bytes.len() == 300));
    }
}

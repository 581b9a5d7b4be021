//! An object that this process holds.

use std::any::Any;
use std::sync::{Arc, Weak};
use std::{fmt, mem};

use parking_lot::Mutex;
use raytree_store::{Location, Unreadable, View};
use raytree_types::Bytes;

use crate::session::{Core, Looked};

/// An object of a store that this process holds: it is there for as long as this is. Its bytes never change.
pub struct Stored {
    core: Arc<Core>,
    object: Location,
    hold: Mutex<Holding>,
    /// What this process looks at it through, while it does: one pin, however many look.
    looked: Mutex<Weak<View>>,
}

/// What keeps the object for this process.
enum Holding {
    /// The store does.
    Store,
    /// Others, until the store does; and this view, should they end before. The one who has told it first is not among these.
    Taking(Arc<View>, Vec<Box<dyn Any + Send>>),
    /// He has ended before: nobody but this process can see it any more.
    Alone(#[expect(dead_code, reason = "held for its drop")] Arc<View>),
}

impl Stored {
    pub(crate) fn own(core: Arc<Core>, object: Location) -> Self {
        Self { core, object, hold: Mutex::new(Holding::Store), looked: Mutex::default() }
    }

    pub(crate) fn taken(core: Arc<Core>, object: Location, view: View) -> Self {
        let view = Arc::new(view);
        let looked = Mutex::new(Arc::downgrade(&view));
        Self { core, object, hold: Mutex::new(Holding::Taking(view, Vec::new())), looked }
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
        if let Holding::Taking(_, others) = &mut *hold {
            others.push(keeps);
            return;
        }
        drop(hold);
        drop(keeps);
    }

    /// Where others of its node can see it; nowhere when only this process can any more.
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        match &*self.hold.lock() {
            Holding::Store | Holding::Taking(..) => Some(self.object),
            Holding::Alone(_) => None,
        }
    }

    /// How long it is, in bytes.
    #[must_use]
    pub fn byte_count(&self) -> u64 {
        self.object.len
    }

    /// Its bytes, where they lie. They stay there for as long as anybody has them.
    ///
    /// # Errors
    /// [`Unreadable::TooManyViews`]; [`Unreadable::Gone`] when the store has taken it away.
    pub fn bytes(self: &Arc<Self>) -> Result<Bytes, Unreadable> {
        let mut looked = self.looked.lock();
        let view = match looked.upgrade() {
            Some(view) => view,
            None => Arc::new(self.core.client.view(self.object)?),
        };
        *looked = Arc::downgrade(&view);
        drop(looked);
        Ok(Bytes::from_owner(Looked { view, _stored: Arc::clone(self) }))
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.core.lets_go(self.object, self);
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stored").field(&self.object).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

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
        let depot = Depot::open(1 << 20, Addr::system::<ObjectStore>("object_store")).unwrap();
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
        let depot = Depot::open(1 << 20, Addr::system::<ObjectStore>("object_store")).unwrap();
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
            Depot::open(4 * MIB as u64, Addr::system::<ObjectStore>("object_store")).unwrap();
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
        let depot = Depot::open(1 << 20, Addr::system::<ObjectStore>("object_store")).unwrap();
        let session = Session::join(depot.door()).unwrap();
        let stored = session.write(&[7; 300]).unwrap();
        let all: Vec<_> = (0..raytree_types::limits::STORE_PINS_MAX + 1)
            .map(|_| stored.bytes().map(|bytes| bytes.len()))
            .collect();
        assert!(all.iter().all(|len| *len == Ok(300)));
        let kept: Vec<_> = (0..raytree_types::limits::STORE_PINS_MAX + 1)
            .map(|_| stored.bytes().unwrap())
            .collect();
        assert!(kept.iter().all(|bytes| bytes.len() == 300));
    }
}

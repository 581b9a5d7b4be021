//! Objects that are in the store of another node: what a process has of them, until it wants to read them.

use std::any::Any;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;

use raytree_store::spill::{SpillError, read_file};
use raytree_store::{Location, Unreadable};
use raytree_types::{Bytes, limits};

use crate::depot::Need;
use crate::error::Lost;
use crate::protocol::{Found, Hold};
use crate::session::{Core, Session, Sought, Waiting};
use crate::stored::Stored;
use crate::transfer::Place;

impl Session {
    /// An object of another node's store, which `keeps` keeps there until there is a copy here. It is fetched when somebody wants to read it,
    /// and once for all of this process.
    #[must_use]
    pub fn far(&self, place: Place, keeps: Box<dyn Any + Send>) -> Arc<Stored> {
        let core = &self.core;
        let mut far = core.far.lock();
        let known = far.get(&place).and_then(std::sync::Weak::upgrade);
        if let Some(known) = known {
            drop(far);
            known.is_lent_again(keeps);
            return known;
        }
        let stored = Arc::new(Stored::far(Arc::clone(core), place.clone(), keeps));
        far.insert(place, Arc::downgrade(&stored));
        stored
    }

    /// What this process knows of an object of another node's store.
    #[must_use]
    pub fn known_far(&self, place: &Place) -> Option<Arc<Stored>> {
        self.core.far.lock().get(place).and_then(std::sync::Weak::upgrade)
    }

    /// As [`Session::take`], of an object that may have been moved since it was told of, and is nowhere looked at.
    #[must_use]
    pub fn take_unseen(&self, object: Location, keeps: Box<dyn Any + Send>) -> Arc<Stored> {
        let core = &self.core;
        let known = core.held.lock().get(&object.offset).and_then(std::sync::Weak::upgrade);
        if let Some(known) = known.filter(|known| known.location() == Some(object)) {
            known.is_lent_again(keeps);
            return known;
        }
        // The store is asked to hold it before that one lets go.
        let stored = Arc::new(Stored::own(Arc::clone(core), object));
        if stored.is_here() {
            core.is_here(&stored, object);
        }
        let number = core.number();
        core.waiting.lock().insert(number, Waiting::Held(Arc::downgrade(&stored), keeps));
        core.says.hold(Hold::Take { number, object });
        // After that it is looked at by whoever ends the session.
        if core.has_ended() {
            core.hears(crate::protocol::Told::Held { number, is_there: false });
        }
        stored
    }

    /// The bytes of an object that somebody else holds meanwhile. Waits until it is back where it is on disk, and calls `waits` from time to
    /// time.
    ///
    /// # Errors
    /// What `waits` says; or, within, why it cannot be read.
    pub(crate) fn look(
        &self,
        object: Location,
        mut waits: impl FnMut() -> io::Result<()>,
    ) -> io::Result<Result<Bytes, Lost>> {
        let (mut at, mut not_there) = (object, None);
        loop {
            match self.core.client.view(at) {
                Ok(view) => return Ok(Ok(Bytes::from_owner(view))),
                Err(Unreadable::Gone) => {}
                Err(why) => return Ok(Err(why.into())),
            }
            let (tell, told) = sync_channel(1);
            self.core.seeks(at, Box::new(move |found| _ = tell.send(found)));
            match waited(&told, &mut waits)?.flatten() {
                None => return Ok(Err(Lost::StoreGone)),
                Some(Found::Here(now)) => at = now,
                Some(Found::Lost(why)) => return Ok(Err(Lost::NotBrought(why))),
                Some(Found::Away(why)) => return Ok(Err(Lost::Away(why))),
                Some(Found::NoRoom(why)) => return Ok(Err(Lost::NoRoom(why))),
                Some(Found::InFile { path, key, extent }) => {
                    let read = thread::scope(|both| {
                        let (tell, told) = sync_channel(1);
                        let path = Path::new(&path);
                        let reads = move || tell.send(read_file(path, key, &extent));
                        both.spawn(reads);
                        waited(&told, &mut waits)
                    })?;
                    let Some(read) = read else {
                        return Ok(Err(Lost::NotBrought("reading its file panicked".to_owned())));
                    };
                    // It was written anew since that was said: it is in another file by now.
                    if read.as_ref().is_err_and(SpillError::is_not_there)
                        && not_there.as_ref() != Some(&path)
                    {
                        not_there = Some(path);
                        continue;
                    }
                    let part = |bytes: Vec<u8>| Bytes::from(bytes).slice(..object.len as usize);
                    return Ok(read.map_err(Lost::from).and_then(|bytes| {
                        part(bytes).ok_or_else(|| Lost::NotBrought("its file is short".to_owned()))
                    }));
                }
            }
        }
    }
}

/// What is told, once it is; none when nobody will tell it. Says from time to time that it waits.
fn waited<T>(
    told: &Receiver<T>,
    waits: &mut impl FnMut() -> io::Result<()>,
) -> io::Result<Option<T>> {
    loop {
        match told.recv_timeout(limits::PUSH_WAITS_SAID_EVERY) {
            Ok(told) => return Ok(Some(told)),
            Err(RecvTimeoutError::Timeout) => waits()?,
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

impl Core {
    /// Asks for a copy of an object of another node; as [`Core::seeks`].
    pub(crate) fn pulls(&self, place: Place, need: Need, then: Sought) {
        let number = self.number();
        self.waiting.lock().insert(number, Waiting::Found(then));
        self.counts.asks.fetch_add(1, Ordering::Relaxed);
        self.says.pull(number, place, need);
        // After that it is looked at by whoever ends the session.
        if self.has_ended() {
            let waiting = self.waiting.lock().remove(&number);
            if let Some(Waiting::Found(then)) = waiting {
                then(None);
            }
        }
    }

    pub(crate) fn door(&self) -> &str {
        &self.door
    }

    fn has_ended(&self) -> bool {
        self.is_gone.load(Ordering::SeqCst)
    }

    /// An object is there from now on.
    pub(crate) fn is_here(&self, stored: &Arc<Stored>, at: Location) {
        self.held.lock().insert(at.offset, Arc::downgrade(stored));
    }

    /// A copy has come that nobody wants any more.
    pub(crate) fn wants_no_more(&self, object: Location) {
        self.says.hold(Hold::LetGo { object });
    }

    pub(crate) fn forgets_far(&self, place: &Place, stored: *const Stored) {
        let mut far = self.far.lock();
        // Another one may be there by now.
        if far.get(place).is_some_and(|own| own.as_ptr() == stored) {
            far.remove(place);
        }
    }
}

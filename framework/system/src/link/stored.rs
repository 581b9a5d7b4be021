//! What is large lies in the store that both sides of a link use, and is read there by the one who gets it.
//!
//! Who has joined the store of its node says so when the link begins; a side that has joined it, too, or can, agrees. A value's large
//! buffers are written there then, once, and the message says where. They are *lent*: the sender holds them until the other side says
//! that the store holds them for it.
//!
//! A buffer that came from the store goes on as what it is. One for which there is no room travels with its message.
//!
//! Between nodes with a store each, results, objects and arguments that are in the store of one stay there, and the message says where:
//! whoever gets it has his own node fetch it when it is wanted ([`Session::far`](raytree_objects::Session::far)). The sender holds them until
//! then; so a program on one machine hands on what two others have made and use, and none of it passes through it.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use raytree_objects::{Home, Location, Lost, Need, Place, Session, Stored, Unreadable};
use raytree_types::{Bytes, Cause, Error, Result, limits};

use super::export::{Kept, unknown};
use super::frame::{Buffer, Frame};
use super::import::owner_died;
use super::{Answer, Link};
use crate::object::part::{FarBuffer, lost};
use crate::runtime::Shared;
use crate::stores;

/// The other side lets go of it when this is dropped.
struct Lent {
    link: Arc<Link>,
    export: u64,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.link.tables.lock().told.forgets(self.export);
        self.link.tell(&Frame::Release { export: self.export });
    }
}

/// What the other side is told of, until it holds it itself.
pub(super) enum Loan {
    /// It reads it where it lies: these bytes stay there. So many of them count as waiting to go out.
    Looked(#[expect(dead_code, reason = "held for its drop")] Bytes, usize),
    /// It reads it when it wants to: it is held, and so is what keeps it at its home, of one that is in the store of another node.
    Held((Arc<Stored>, Option<Home>)),
}

impl Loan {
    /// How many bytes of it count as waiting to go out.
    pub(super) fn waits(&self) -> usize {
        match self {
            Self::Looked(_, bytes) => *bytes,
            Self::Held(..) => 0,
        }
    }

    /// Which object of another node's store it may be.
    fn object(&self) -> Option<usize> {
        match self {
            Self::Looked(..) => None,
            Self::Held((stored, _)) => Some(address(stored)),
        }
    }

    /// The other side is about to take it over. What is held for it may stay for long.
    pub(super) fn is_on_its_way(&self) -> bool {
        matches!(self, Self::Looked(..))
    }
}

/// By which it is known here, for as long as it is there.
fn address(object: &Arc<Stored>) -> usize {
    Arc::as_ptr(object).addr()
}

/// Objects in the stores of other nodes that the other side has told of, and keeps there for this one.
#[derive(Default)]
pub(super) struct Told {
    objects: HashMap<u64, Weak<Stored>>,
    /// Under which number each came.
    numbers: HashMap<usize, u64>,
}

impl Told {
    fn add(&mut self, export: u64, stored: &Arc<Stored>) {
        self.objects.insert(export, Arc::downgrade(stored));
        self.numbers.insert(address(stored), export);
    }

    fn has(&self, stored: &Arc<Stored>) -> bool {
        self.numbers.contains_key(&address(stored))
    }

    fn forgets(&mut self, export: u64) {
        if let Some(stored) = self.objects.remove(&export) {
            self.numbers.remove(&stored.as_ptr().addr());
        }
    }
}

/// What both sides of a link know of each other's stores.
#[derive(Default)]
pub(super) struct Common {
    /// That which both use, if they are of one node.
    pub(super) both: OnceLock<Session>,
    /// The other side knows that it is used.
    may_lend: AtomicBool,
    /// The other side's node fetches objects from other nodes.
    reaches_far: AtomicBool,
    /// That of the other side's node, by its door.
    theirs: Mutex<String>,
}

impl Link {
    /// The other side hears of the store of this one's node.
    pub(crate) fn offers_its_store(&self, runtime: &Shared) {
        if let Some(session) = runtime.stores.own() {
            let at = runtime.stores.origin(session.door()).map(|origin| origin.at);
            self.tell(&Frame::Store { door: session.door().to_owned(), at });
        }
    }

    /// It has one: this side uses it, if it does already, or if it uses those of all nodes that it reaches.
    pub(super) fn is_offered(&self, door: &str, at: Option<SocketAddr>) {
        let Some(runtime) = self.life.runtime() else { return };
        door.clone_into(&mut self.stores.theirs.lock());
        self.stores.reaches_far.store(at.is_some() && self.between.is_none(), Ordering::SeqCst);
        let (is_driver, is_first) =
            (runtime.driver.get().is_some(), runtime.stores.own().is_none());
        let session =
            if is_driver { runtime.stores.join(door) } else { runtime.stores.joined(door) };
        if let (Some(session), Some(at)) = (&session, at) {
            runtime.stores.is_at(session.door(), at);
        }
        if is_driver && is_first && session.is_some() {
            // From then on a change is seen.
            runtime.stores.has_another_own();
            // Those to which there were links before, too, have somebody to send objects to.
            runtime.links.all().iter().for_each(|link| link.offers_its_store(&runtime));
        }
        if let Some(session) = session {
            // One store for life: both sides are of one node, or this one reaches that one's. What is laid there is not spoken of before
            // the other side has heard that.
            _ = self.stores.both.set(session);
            self.tell(&Frame::Shares { door: door.to_owned() });
            self.stores.may_lend.store(true, Ordering::SeqCst);
        }
    }

    /// Whether that is the store of the other side's node.
    pub(crate) fn is_by(&self, door: &str) -> bool {
        !door.is_empty() && *self.stores.theirs.lock() == door
    }

    /// It uses this one's, too.
    pub(super) fn shares(&self, door: &str) {
        let session = self.life.runtime().and_then(|runtime| runtime.stores.joined(door));
        if let Some(session) = session {
            _ = self.stores.both.set(session);
            self.stores.may_lend.store(true, Ordering::SeqCst);
        }
    }

    /// A buffer of a value, in the store if it is large.
    ///
    /// # Errors
    /// [`Error::ObjectStoreFull`], [`Error::OutOfDisk`].
    pub(super) fn lays_apart(&self, bytes: Bytes, kept: &mut Kept) -> Result<Buffer> {
        if let Some(far) = kept.may_stay.then(|| self.lends_far(&bytes, kept)).flatten() {
            return Ok(far);
        }
        Ok(match self.lend(&bytes)? {
            Some((export, object, from)) => {
                kept.words.lends(export);
                Buffer::Stored { export, object, from: from as u64, len: bytes.len() as u64 }
            }
            None => Buffer::Here(bytes),
        })
    }

    fn lend(&self, bytes: &Bytes) -> Result<Option<(u64, Location, usize)>> {
        if bytes.len() < limits::STORE_INLINE_MAX || !self.stores.may_lend.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let Some(session) = self.stores.both.get() else { return Ok(None) };
        let (stored, from, new) = match session.find(bytes) {
            Some((stored, part)) => (stored, part.start, 0),
            None => match session.write(bytes) {
                Ok(stored) => (stored, 0, bytes.len()),
                Err(why) => {
                    return stores::refused(why, "a value", bytes.len()).map(|()| None);
                }
            },
        };
        // It stays where it is until the other side holds it, and knows where it was.
        let (Ok(view), Some(object)) = (stored.bytes(), stored.location()) else { return Ok(None) };
        if !session.has(&view) {
            // It is a copy from disk.
            return Ok(None);
        }
        let export = self.number();
        let refused = self.tables.lock().exports.lends(export, Loan::Looked(view, new));
        if refused.is_none() {
            self.out.lends(new);
        }
        Ok(Some((export, object, from)))
    }

    /// Whether it may be told of objects that are in the stores of other nodes.
    pub(crate) fn reaches_far(&self) -> bool {
        self.stores.reaches_far.load(Ordering::SeqCst)
    }

    /// What is in the store of another node stays there, where the other side can fetch it from there.
    pub(super) fn passes_on(&self, far: FarBuffer, kept: &mut Kept) -> Result<Buffer> {
        let FarBuffer { stored, part, .. } = far;
        let origin = stored.origin().filter(|_| self.reaches_far());
        if let Some((place, home)) = origin.map(|(place, home)| (place.clone(), home)) {
            return Ok(self.lend_far(place, (stored, Some(home)), part, kept));
        }
        let bytes = stored.bytes().map_err(|why| lost("a value", &why))?;
        self.lays_apart(bytes.slice(part).ok_or_else(unknown)?, kept)
    }

    fn lend_far(
        &self,
        place: Place,
        held: (Arc<Stored>, Option<Home>),
        part: Range<usize>,
        kept: &mut Kept,
    ) -> Buffer {
        let export = self.number();
        kept.words.lends(export);
        let refused = self.tables.lock().exports.lends(export, Loan::Held(held));
        drop(refused);
        let (from, len) = (part.start as u64, part.len() as u64);
        Buffer::Far { export, place: Box::new(place), from, len }
    }

    /// A large buffer that is in a store which the other side does not use: it may stay there.
    fn lends_far(&self, bytes: &Bytes, kept: &mut Kept) -> Option<Buffer> {
        if bytes.len() < limits::STORE_INLINE_MAX || !self.reaches_far() {
            return None;
        }
        let runtime = self.life.runtime()?;
        let (stored, part) = runtime.stores.find(bytes)?;
        // A small part of a large object goes by itself.
        if (part.len() as u64).saturating_mul(2) < stored.byte_count() {
            return None;
        }
        let is_common =
            self.stores.both.get().is_some_and(|session| session.door() == stored.door());
        let origin = runtime.stores.origin(stored.door()).filter(|_| !is_common)?;
        let place = Place { origin, object: stored.location()? };
        Some(self.lend_far(place, (stored, None), part, kept))
    }

    /// An object of another store than that of both sides, from which this side's node fetches it when somebody wants it.
    fn is_told_of(
        self: &Arc<Self>,
        (export, place): (u64, Place),
        (from, len): (u64, u64),
    ) -> Result<(Arc<Stored>, Range<usize>)> {
        let lent = Box::new(Lent { link: Arc::clone(self), export });
        let end = from.checked_add(len).filter(|end| *end <= place.object.len);
        let part = usize::try_from(from).ok().zip(end.and_then(|end| usize::try_from(end).ok()));
        let (from, end) = part.ok_or_else(unknown)?;
        let runtime = self.life.runtime().ok_or_else(|| self.life.gone())?;
        let stored = match runtime.stores.joined(&place.origin.door) {
            Some(session) => session.take_unseen(place.object, lent),
            None => {
                let Some(own) = runtime.stores.own() else {
                    // The others hear of that.
                    offers_anew(&runtime);
                    return Err(lost("a value", &Lost::StoreGone));
                };
                let known = own.known_far(&place);
                // It keeps it already; or this side has told it of that, and they would keep it for each other for ever.
                match known.filter(|known| self.keeps(known)) {
                    Some(known) => known,
                    None => {
                        let stored = own.far(place, lent);
                        if stored.is_far() {
                            self.tables.lock().told.add(export, &stored);
                        }
                        stored
                    }
                }
            }
        };
        Ok((stored, from..end))
    }

    /// Whether one of both sides keeps it for the other.
    fn keeps(&self, object: &Arc<Stored>) -> bool {
        let tables = self.tables.lock();
        tables.told.has(object)
            || tables.exports.loans().any(|(_, loan)| loan.object() == Some(address(object)))
    }

    /// The other side is gone. What it has told of, and kept where it is, comes here while it is still there, and to those who were told of it
    /// by this side.
    pub(super) fn keeps_what_it_was_told_of(&self, told: Told) {
        let far = told.objects.values().filter_map(Weak::upgrade).filter(|stored| stored.is_far());
        let far: Vec<_> = far.collect();
        let Some(runtime) = self.life.runtime() else { return };
        for stored in &far {
            // Who reads it hears why it did not come.
            stored.brings(Need::Rescue, |_| ());
        }
        if !far.is_empty() {
            runtime.links.all().iter().for_each(|link| link.hurries(&far));
        }
        offers_anew(&runtime);
    }

    /// What the other side was told of may not be there for long.
    fn hurries(&self, objects: &[Arc<Stored>]) {
        let objects: HashSet<usize> = objects.iter().map(address).collect();
        let told: Vec<u64> = {
            let tables = self.tables.lock();
            let is_one = |loan: &Loan| loan.object().is_some_and(|own| objects.contains(&own));
            let ones = tables.exports.loans().filter(|(_, loan)| is_one(loan));
            ones.map(|(export, _)| export).collect()
        };
        told.into_iter().for_each(|export| self.tell(&Frame::Hurry { export }));
    }

    /// What it has told of may not be there for long.
    pub(super) fn hears_hurry(&self, export: u64) {
        let stored = self.tables.lock().told.objects.get(&export).and_then(Weak::upgrade);
        if let Some(stored) = stored.filter(|stored| stored.is_far()) {
            stored.brings(Need::Rescue, |_| ());
        }
    }

    /// The buffer, read where it lies; nothing for one that is not here, which is noted.
    pub(super) fn laid_apart(
        self: &Arc<Self>,
        at: usize,
        buffer: Buffer,
        far: &mut Vec<FarBuffer>,
    ) -> Result<Bytes> {
        let (export, object, from, len) = match buffer {
            Buffer::Here(bytes) => return Ok(bytes),
            Buffer::Far { export, place, from, len } => {
                let (stored, part) = self.is_told_of((export, *place), (from, len))?;
                far.push(FarBuffer { at, stored, part });
                return Ok(Bytes::from_static(&[]));
            }
            Buffer::Stored { export, object, from, len } => (export, object, from, len),
        };
        let lent = Lent { link: Arc::clone(self), export };
        let session = self.stores.both.get().ok_or_else(unknown)?;
        let stored = session.take(object, Box::new(lent));
        let bytes = stored.map_err(Lost::from).and_then(|stored| stored.bytes());
        let bytes = bytes.map_err(|why| match why {
            Lost::Unreadable(Unreadable::Gone) => {
                let why = "an object that it had sent is not there any more";
                owner_died(self, Cause::message(why))
            }
            why => Error::CannotTravel {
                type_name: "a large value".to_owned(),
                attribute: None,
                reason: why.to_string(),
            },
        })?;
        let end = from.checked_add(len).ok_or_else(unknown)?;
        let part = usize::try_from(from).ok().zip(usize::try_from(end).ok());
        let part = part.and_then(|(from, end)| bytes.slice(from..end)).ok_or_else(unknown)?;
        // A place is left for whoever only passes it on.
        Ok(if session.has_many_views() { Bytes::from(part.to_vec()) } else { part })
    }

    /// What an answer refers to is not there: it went with a process that has ended. If that is the one who has sent it, all that it was
    /// asked for is told so when the link ends; if not, the one who asked is told in a while.
    pub(super) fn fails_later(self: &Arc<Self>, call: u64, error: Error) {
        let Some(runtime) = self.life.runtime() else { return };
        let link = Arc::downgrade(self);
        runtime.system.spawn(async move {
            tokio::time::sleep(limits::STORE_ORPHANS_FOR).await;
            if let Some(link) = link.upgrade() {
                link.settle(call, Answer::Failed(error));
            }
        });
    }
}

/// Where the store of a driver ended through which others' objects came, all hear of the next one.
fn offers_anew(runtime: &Shared) {
    if runtime.driver.get().is_none() || !runtime.stores.has_another_own() {
        return;
    }
    for link in runtime.links.all() {
        if runtime.stores.own().is_some() {
            link.offers_its_store(runtime);
        } else {
            // Nothing comes here from afar until there is one again.
            link.tell(&Frame::Store { door: String::new(), at: None });
        }
    }
}

/// What was sent went with the one who has sent it.
pub(super) fn is_lost(error: &Error) -> bool {
    matches!(error, Error::OwnerDied { .. })
}

//! What a process has with the store of a node.
//!
//! All that is said goes through one thread, in the order in which it was said, and many things at once where they come quickly; what is
//! told is heard by another one. Nothing waits for the store but whoever needs room in it.
//!
//! Invariants:
//! - **SN-1 (there-while-held):** while there is a [`Stored`], its bytes can be read, by this process: either the store holds the object for
//!   it, or it is pinned.
//! - **SN-2 (open-while-looked-at):** the line to the store stays open as long as anybody looks at an object.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::Duration;
use std::{fmt, thread};

use parking_lot::Mutex;
use raytree_store::{
    Client, ClientMemory, Lease, Location, Refused, Space, Terms, Unreadable, View,
};
use raytree_supervise::clock;
use raytree_types::{Bytes, limits};
use rustix::net::Shutdown;
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use crate::error::{JoinError, NotStored};
use crate::outbox::Outbox;
use crate::patience;
use crate::protocol::{self, Found, Hold, Told};
use crate::stored::Stored;
use crate::traffic::Counts;
pub use crate::traffic::Traffic;
use crate::transfer::Place;

/// What a process has with the store of a node: it writes objects there, and takes those of which it is told. Clones are the same session,
/// whose line to the store is open until the last of them, and of all that came through it, is gone.
#[derive(Clone)]
pub struct Session {
    pub(crate) core: Arc<Core>,
}

/// Lives as long as the session, or anything that came through it.
pub(crate) struct Core {
    pub(crate) door: String,
    capacity: u64,
    pub(crate) client: Client,
    pub(crate) says: Arc<Outbox>,
    pub(crate) waiting: Mutex<HashMap<u64, Waiting>>,
    /// What this process holds, by where it is.
    pub(crate) held: Mutex<BTreeMap<u64, Weak<Stored>>>,
    /// What it knows of that is in the stores of other nodes, or is a copy of such.
    pub(crate) far: Mutex<HashMap<Place, Weak<Stored>>>,
    last: AtomicU64,
    pub(crate) is_gone: AtomicBool,
    /// It did not answer: until then it is not asked.
    left_alone_until: Mutex<Duration>,
    pub(crate) counts: Counts,
    /// Open as long as this is here (SN-2).
    #[cfg_attr(not(test), expect(dead_code, reason = "held for its drop"))]
    line: Arc<UnixStream>,
}

/// Who waits to be told.
pub(crate) enum Waiting {
    Room(SyncSender<Room>),
    /// Where an object is.
    Found(Sought),
    /// What keeps the object until the store does.
    Held(Weak<Stored>, Box<dyn Any + Send>),
}

/// What becomes of room that was asked for.
pub(crate) enum Room {
    /// It is being made.
    Comes,
    Is(Result<Lease, Refused>),
}

/// What is done when it is known where an object is: quickly, for others wait behind it.
pub(crate) type Sought = Box<dyn FnOnce(Option<Found>) + Send>;

impl Session {
    /// Comes to the door of a store.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn join(door: &str) -> Result<Self, JoinError> {
        let unreachable = |source| JoinError::Unreachable { door: door.to_owned(), source };
        let address = SocketAddr::from_abstract_name(door).map_err(unreachable)?;
        let stream = UnixStream::connect_addr(&address).map_err(unreachable)?;
        let peer = socket_peercred(&stream).map_err(|error| unreachable(error.into()))?;
        if peer.uid != geteuid() {
            return Err(JoinError::Foreign { door: door.to_owned() });
        }
        let within = Some(limits::STORE_JOIN_WITHIN);
        stream.set_read_timeout(within).map_err(unreachable)?;
        let nonsense = |source| JoinError::Nonsense { door: door.to_owned(), source };
        let capacity = match protocol::read(&mut &stream).map_err(nonsense)? {
            Some(Told::Welcome { capacity }) => capacity,
            _ => return Err(nonsense(io::Error::from(io::ErrorKind::InvalidData).into())),
        };
        let no_memory = |source| JoinError::NoMemory { door: door.to_owned(), source };
        let memory = ClientMemory::receive(&stream).map_err(no_memory)?;
        stream.set_read_timeout(None).map_err(no_memory)?;
        let (says, stream): (Arc<Outbox>, _) = (Arc::default(), Arc::new(stream));
        let core = Arc::new(Core {
            door: door.to_owned(),
            capacity,
            client: Client::new(memory),
            says: Arc::clone(&says),
            waiting: Mutex::default(),
            held: Mutex::default(),
            far: Mutex::default(),
            last: AtomicU64::new(0),
            is_gone: AtomicBool::new(false),
            left_alone_until: Mutex::default(),
            counts: Counts::default(),
            line: Arc::clone(&stream),
        });
        let (reads, hears) = (Arc::clone(&stream), Arc::downgrade(&core));
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        let own = core.client.clone();
        let heard = thread("raytree-hears").spawn(move || hear(&reads, &hears));
        let spoken = heard.and_then(|_| {
            let (to, gone) = (Arc::clone(&stream), Arc::downgrade(&core));
            thread("raytree-says").spawn(move || speak(&to, &says, &own, &gone))
        });
        if let Err(source) = spoken {
            _ = rustix::net::shutdown(&*stream, Shutdown::Both);
            return Err(JoinError::Unreachable { door: door.to_owned(), source });
        }
        Ok(Self { core })
    }

    /// What its store's door is called.
    #[must_use]
    pub fn door(&self) -> &str {
        &self.core.door
    }

    /// How much its store has room for, in bytes.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.core.capacity
    }

    /// Whether its store does not answer any more. What was read from it can be read all the same.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.core.is_gone.load(Ordering::SeqCst)
    }

    /// The line breaks, as when this process ends.
    #[cfg(test)]
    pub(crate) fn hangs_up_as_the_dead_do(&self) {
        _ = rustix::net::shutdown(&*self.core.line, Shutdown::Both);
    }

    /// What has gone through it.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.core.counts.now()
    }

    /// Writes an object. Waits for room to be lent, a few tens of microseconds, and copies. Where the store has to spill for it, it waits for
    /// that, unless its thread is [`impatient`](crate::impatient); what does not fit all the same is refused.
    ///
    /// # Errors
    /// [`NotStored`].
    pub fn write(&self, bytes: &[u8]) -> Result<Arc<Stored>, NotStored> {
        let core = &self.core;
        let space = core.space(bytes.len() as u64).inspect_err(|_| {
            core.counts.refused.fetch_add(1, Ordering::Relaxed);
        });
        let mut space = space?;
        space.fill(bytes);
        let location = space.seal();
        core.counts.written.fetch_add(1, Ordering::Relaxed);
        core.counts.written_bytes.fetch_add(location.len, Ordering::Relaxed);
        core.says.written();
        Ok(core.enter(Stored::own(Arc::clone(core), location)))
    }

    /// The object at a place of which somebody was told by one who holds it. `keeps` is dropped once the store holds it for this
    /// process, too: then the one who has told it may let go.
    ///
    /// # Errors
    /// [`Unreadable`]: nobody holds it any more.
    pub fn take(
        &self,
        object: Location,
        keeps: Box<dyn Any + Send>,
    ) -> Result<Arc<Stored>, Unreadable> {
        let core = &self.core;
        let known = core.held.lock().get(&object.offset).and_then(Weak::upgrade);
        if let Some(known) = known.filter(|known| known.location() == Some(object)) {
            known.is_lent_again(keeps);
            return Ok(known);
        }
        // From here on it stays where it is (SN-1).
        let view = core.client.view(object)?;
        core.counts.taken.fetch_add(1, Ordering::Relaxed);
        core.counts.taken_bytes.fetch_add(object.len, Ordering::Relaxed);
        let stored = core.enter(Stored::taken(Arc::clone(core), object, view));
        let number = core.number();
        core.waiting.lock().insert(number, Waiting::Held(Arc::downgrade(&stored), keeps));
        core.says.hold(Hold::Take { number, object });
        // After that it is looked at by whoever ends the session.
        if core.is_gone.load(Ordering::SeqCst) {
            core.hears(Told::Held { number, is_there: false });
        }
        Ok(stored)
    }

    /// It looks at so many objects that those who come should be copied: three quarters of all that it can.
    #[must_use]
    pub fn has_many_views(&self) -> bool {
        self.core.client.views() > limits::STORE_PINS_MAX / 4 * 3
    }

    /// The object in which these bytes are, if they are of this store, and where in it.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Option<(Arc<Stored>, Range<usize>)> {
        let part = self.core.client.place(bytes)?;
        // Outside of the lock, which its drop takes, too.
        let (start, stored) = {
            let held = self.core.held.lock();
            let (start, stored) = held.range(..=part.start).next_back()?;
            (*start, Weak::clone(stored))
        };
        let stored = stored.upgrade()?;
        // It may have moved since, and something else be there. These bytes are looked at: whose place is right is the one they are of.
        let at = stored.location().filter(|at| at.offset == start && stored.is_here())?;
        let (from, to) = (part.start - start, part.end - start);
        (to <= at.len).then_some((stored, from as usize..to as usize))
    }

    /// Whether these bytes are where this store has its objects, and no copy.
    #[must_use]
    pub fn has(&self, bytes: &[u8]) -> bool {
        self.core.client.place(bytes).is_some()
    }

    /// The same as `bytes`, in the store if they can be: those that are there already are left where they are.
    ///
    /// # Errors
    /// [`NotStored`].
    pub fn keep(&self, bytes: &Bytes) -> Result<(Arc<Stored>, Range<usize>), NotStored> {
        if let Some(found) = self.find(bytes) {
            return Ok(found);
        }
        self.write(bytes).map(|stored| (stored, 0..bytes.len()))
    }
}

impl Core {
    pub(crate) fn number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn lets_go(&self, object: Location, stored: *const Stored) {
        let mut held = self.held.lock();
        // Another one may be there by now.
        if held.get(&object.offset).is_some_and(|own| own.as_ptr() == stored) {
            held.remove(&object.offset);
        }
        drop(held);
        self.says.hold(Hold::LetGo { object });
    }

    pub(crate) fn enter(&self, stored: Stored) -> Arc<Stored> {
        let stored = Arc::new(stored);
        if let Some(location) = stored.location() {
            self.held.lock().insert(location.offset, Arc::downgrade(&stored));
        }
        stored
    }

    pub(crate) fn space(&self, len: u64) -> Result<Space, NotStored> {
        let is_gone = self.is_gone.load(Ordering::SeqCst);
        if is_gone || clock::now() < *self.left_alone_until.lock() {
            return Err(NotStored::Gone);
        }
        if len > limits::STORE_SMALL_MAX {
            let lease = self.lease(Terms::one(len))?;
            return self.client.lend_one(lease, len).ok_or(NotStored::Gone);
        }
        loop {
            if let Some(space) = self.client.space(len) {
                return Ok(space);
            }
            let lease = self.lease(Terms::small())?;
            self.client.lend(lease);
        }
    }

    fn lease(&self, terms: Terms) -> Result<Lease, NotStored> {
        // Both words that may come.
        let (tell, told) = sync_channel(2);
        let number = self.number();
        self.waiting.lock().insert(number, Waiting::Room(tell));
        // After that it is looked at by whoever ends the session.
        if self.is_gone.load(Ordering::SeqCst) {
            self.waiting.lock().remove(&number);
            return Err(NotStored::Gone);
        }
        self.counts.leases.fetch_add(1, Ordering::Relaxed);
        self.says.lease(number, terms, !patience::is_impatient());
        match told.recv_timeout(limits::STORE_LEASE_WITHIN) {
            Ok(Room::Is(lease)) => return Ok(lease?),
            Ok(Room::Comes) => {
                let within = limits::STORE_ROOM_WITHIN + limits::STORE_LEASE_WITHIN;
                if let Ok(word) = patience::waits(|| told.recv_timeout(within)) {
                    return room(Ok(word));
                }
            }
            Err(_) => {}
        }
        if self.waiting.lock().remove(&number).is_none() {
            // It has come after all, or nobody answers any more.
            return room(told.recv());
        }
        *self.left_alone_until.lock() = clock::now() + limits::STORE_LEFT_ALONE;
        Err(NotStored::Gone)
    }

    /// Asks where an object is that is not where it was. `then` is told on a thread that others wait for, or on this one: none where nobody
    /// answers any more.
    pub(crate) fn seeks(&self, object: Location, then: Sought) {
        let number = self.number();
        self.waiting.lock().insert(number, Waiting::Found(then));
        self.counts.asks.fetch_add(1, Ordering::Relaxed);
        self.says.find(number, object);
        // After that it is looked at by whoever ends the session.
        if self.is_gone.load(Ordering::SeqCst) {
            let waiting = self.waiting.lock().remove(&number);
            if let Some(Waiting::Found(then)) = waiting {
                then(None);
            }
        }
    }

    /// An object is where it is from now on.
    pub(crate) fn moved(&self, before: Location, stored: &Arc<Stored>, now: Location) {
        let mut held = self.held.lock();
        if held.get(&before.offset).is_some_and(|own| own.as_ptr() == Arc::as_ptr(stored)) {
            held.remove(&before.offset);
        }
        held.insert(now.offset, Arc::downgrade(stored));
    }

    pub(crate) fn hears(&self, told: Told) {
        match told {
            Told::Welcome { .. } => {}
            Told::Waits { number } => {
                if let Some(Waiting::Room(tell)) = self.waiting.lock().get(&number) {
                    // There is a place for it.
                    _ = tell.try_send(Room::Comes);
                }
            }
            Told::Found { number, found } => {
                let waiting = self.waiting.lock().remove(&number);
                if let Some(Waiting::Found(then)) = waiting {
                    then(Some(found));
                }
            }
            Told::Room { number, lease } => {
                let waiting = self.waiting.lock().remove(&number);
                match (waiting, lease) {
                    // He waits until it is there.
                    (Some(Waiting::Room(tell)), lease) => _ = tell.send(Room::Is(lease)),
                    // He has given up.
                    (_, Ok(lease)) => {
                        self.client.give_back(lease);
                        self.says.written();
                    }
                    (_, Err(_)) => {}
                }
            }
            Told::Held { number, is_there } => {
                let waiting = self.waiting.lock().remove(&number);
                if let Some(Waiting::Held(stored, keeps)) = waiting {
                    if let Some(stored) = stored.upgrade() {
                        stored.is_held(is_there);
                    }
                    drop(keeps);
                }
            }
        }
    }

    /// Nobody answers any more.
    fn is_over(&self) {
        self.is_gone.store(true, Ordering::SeqCst);
        let waiting = std::mem::take(&mut *self.waiting.lock());
        for waiting in waiting.into_values() {
            match waiting {
                Waiting::Held(stored, _) => {
                    stored.upgrade().into_iter().for_each(|stored| stored.is_held(false));
                }
                Waiting::Found(then) => then(None),
                Waiting::Room(_) => {}
            }
        }
    }
}

/// The last word about room.
fn room(word: Result<Room, RecvError>) -> Result<Lease, NotStored> {
    match word {
        Ok(Room::Is(lease)) => Ok(lease?),
        Ok(Room::Comes) | Err(_) => Err(NotStored::Gone),
    }
}

fn hear(from: &UnixStream, own: &Weak<Core>) {
    let _ends = Ends(own);
    let why = loop {
        match protocol::read(&mut &*from) {
            Ok(Some(told)) => match own.upgrade() {
                Some(core) => core.hears(told),
                None => return,
            },
            Ok(None) => return,
            Err(error) => break error,
        }
    };
    if let Some(core) = own.upgrade() {
        tracing::warn!(door = core.door, error = %why, "the line to the store is broken");
    }
}

/// However its thread ends, nobody waits for what will not be heard.
struct Ends<'a>(&'a Weak<Core>);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        if let Some(core) = self.0.upgrade() {
            core.is_over();
        }
    }
}

fn speak(to: &UnixStream, said: &Outbox, client: &Client, own: &Weak<Core>) {
    let mut is_lost = false;
    while let Some(mut says) = said.next() {
        // Whatever is held or let go of was written before that was said.
        says.written = client.written();
        if is_lost || says.is_empty() {
            continue;
        }
        if let Err(error) =
            says.parts().iter().try_for_each(|says| protocol::write(&mut &*to, says))
        {
            // What is said later is said to nobody; the line stays open (SN-2).
            is_lost = true;
            if let Some(core) = own.upgrade() {
                tracing::debug!(door = core.door, %error, "nothing more can be said to the store");
                core.is_over();
            }
        }
    }
    // Nobody looks at anything any more.
    _ = rustix::net::shutdown(to, Shutdown::Both);
}

impl Drop for Core {
    fn drop(&mut self) {
        self.says.ends();
    }
}

/// A view, as long as somebody has the bytes.
pub(crate) struct Looked {
    pub(crate) view: Arc<View>,
    pub(crate) _stored: Arc<Stored>,
}

impl AsRef<[u8]> for Looked {
    fn as_ref(&self) -> &[u8] {
        &self.view
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.core.door).finish()
    }
}

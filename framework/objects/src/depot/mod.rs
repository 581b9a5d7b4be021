//! The store of a node, and the door by which processes come to it.
//!
//! Belongs to the runtime of the node and not to an actor, so that a restarted actor finds it as it was. Each process has a thread here,
//! which waits for what it says and does it on the spot, under one lock (`desk.rs`); nothing that is done there takes longer than the look at the
//! pages of pins. Disks are waited for by threads of their own (`spillers.rs`).
//!
//! Invariants:
//! - **DP-1 (gone-with-its-line):** a process uses the store for as long as its end of the socket is open: the operating system closes it
//!   when the process ends, however it ends, and then what it was writing is free, and so is, a moment later, what only it held. One that
//!   says nonsense, or does not listen, may still look at objects: it is told nothing more, and goes on without the store.
//!
//! Nobody of another user is let in, and nobody of another machine finds the door.

mod admission;
mod copies;
mod desk;
mod line;
mod pulls;
mod sought;
mod spillers;
mod spilling;
#[cfg(test)]
mod tests;

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use raytree_store::{Client, ClientId, Lease, Region, Store, Used};
use raytree_supervise::{Addr, clock};
use raytree_types::inspect::StoreRow;
use raytree_types::limits;
use raytree_wire::FrameError;
use rustix::net::Shutdown;
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use self::desk::Desk;
use self::line::{Line, Words};
use self::pulls::Pulls;
use self::spillers::{Office, say};
use self::spilling::Spilling;
use crate::ObjectStoreMsg;
use crate::protocol::{self, Says, Told};
use crate::puller::PullerMsg;
use crate::remote::UrlError;
use crate::transfer::{Exchange, Place};

pub use self::admission::Need;
pub(crate) use self::pulls::Pulled;
pub use self::spillers::SpillTerms;

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no memory, or no descriptor, left.
    #[error("no store of {bytes} bytes can be made: {source}")]
    Memory {
        /// What was asked for.
        bytes: u64,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot spill to where it is to.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Nobody could come to it.
    #[error("the door of the store cannot be opened: {source}")]
    Door {
        /// What the system said.
        source: io::Error,
    },
}

/// The store of a node and the door by which processes come to it. It belongs to the runtime of the node and not to an actor, so that a
/// restarted actor finds it as it was; with the last `Arc` of it the store ends, and those who use it are told.
pub struct Depot {
    door: String,
    listener: UnixListener,
    office: Arc<Office>,
    looks_after: Addr<ObjectStoreMsg>,
    /// It was told so already.
    is_told: AtomicBool,
    /// Fetches from other nodes, where anybody does.
    fetches: OnceLock<(Weak<Exchange>, Addr<PullerMsg>)>,
}

impl Depot {
    /// A store of so many bytes, and its door. What it has no room for goes to disk on these terms; without any, nothing does.
    /// `looks_after` is the address of its [`ObjectStore`](crate::ObjectStore).
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        bytes: u64,
        spills: Option<SpillTerms>,
        looks_after: Addr<ObjectStoreMsg>,
    ) -> Result<Arc<Self>, OpenError> {
        let no_memory = |source| OpenError::Memory { bytes, source };
        let mut store = Store::new(Region::Shared, bytes).map_err(no_memory)?;
        let (heir, memory) = store.join().map_err(no_memory)?;
        let (door, listener) = listen().map_err(|source| OpenError::Door { source })?;
        let accepts = listener.try_clone().map_err(|source| OpenError::Door { source })?;
        let spills = spills.filter(SpillTerms::is_any);
        let remotes = spills.as_ref().map(SpillTerms::remotes).transpose()?.unwrap_or_default();
        let at = |terms: &SpillTerms| (u128::from(bytes) * u128::from(terms.at) / 1000) as u64;
        let spilling = spills.as_ref().map(|terms| Spilling::new(at(terms)));
        let desk = Desk::new(store, (heir, Client::new(memory)), spilling);
        let office = Office::new(desk, spills, remotes, looks_after.clone());
        let (is_told, fetches) = Default::default();
        let depot = Arc::new(Self { door, listener, office, looks_after, is_told, fetches });
        let own = Arc::downgrade(&depot);
        let accepts = move || accept(&accepts, &own);
        let begun = thread::Builder::new().name("raytree-door".to_owned()).spawn(accepts);
        begun.map_err(|source| OpenError::Door { source })?;
        Ok(depot)
    }

    /// What the door is called: who is told this can come in.
    #[must_use]
    pub fn door(&self) -> &str {
        &self.door
    }

    /// What the store is used for.
    #[must_use]
    pub fn used(&self) -> Used {
        self.office.desk.lock().store.used()
    }

    /// How it is, for whoever looks from outside.
    #[must_use]
    pub fn row(&self) -> StoreRow {
        let spilled = self.office.on_disk();
        let exchange = self.fetches.get().and_then(|(exchange, _)| exchange.upgrade());
        let pushed_ever = exchange.map_or(0, |exchange| exchange.pushed());
        let desk = self.office.desk.lock();
        let Used { capacity, lent, sealed, dying, objects, on_disk, .. } = desk.store.used();
        let (written, read) = desk.spilling.as_ref().map_or((0, 0), |own| (own.written, own.read));
        StoreRow {
            capacity,
            sealed,
            lent,
            dying,
            objects: objects as u64,
            clients: desk.clients() as u64,
            spilled,
            spilled_objects: on_disk as u64,
            spilled_ever: written,
            restored_ever: read,
            waiting: desk.waiting() as u64,
            pulled_ever: desk.pulls.as_ref().map_or(0, |pulls| pulls.bytes),
            pushed_ever,
        }
    }

    /// How many processes use it.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.office.desk.lock().clients()
    }

    /// Gives away again what nobody looks at any more, and sees to those who wait. True when it is to be done again in a while.
    pub(crate) fn sweep(&self) -> bool {
        self.is_told.store(false, Ordering::SeqCst);
        let (now, mut words) = (clock::now(), Words::new());
        let (again, has_work, fetches) = {
            let mut desk = self.office.desk.lock();
            desk.lets_go(now);
            desk.store.sweep();
            desk.serves(now, &mut words);
            let gives_more = desk.gives_back();
            let again = desk.store.is_any_dying() || desk.is_waited_for() || gives_more;
            (again, desk.has_work(now), desk.says_what_to_fetch())
        };
        if has_work {
            self.office.has_work();
        }
        self.wants_fetched(fetches);
        say(words);
        again
    }

    /// The node is short of memory, or is no more. As long as it is, what nobody looks at goes to disk, and memory in which nothing is back to
    /// the system. To be said again and again while it lasts: what is let go of meanwhile goes, too.
    pub fn is_short(&self, is_short: bool) {
        let (has_work, gives) = {
            let mut desk = self.office.desk.lock();
            desk.hears_of_shortage(is_short);
            (desk.has_work(clock::now()), is_short && desk.store.is_any_idle())
        };
        self.goes_on(gives, has_work);
    }

    /// Whether it writes what nobody looks at to disk, for a node that is short of memory, and that helps.
    #[must_use]
    pub fn spills(&self) -> bool {
        self.office.wins_memory() && self.office.desk.lock().spills(clock::now())
    }

    /// How many have died whose objects are still kept.
    pub(crate) fn estates(&self) -> usize {
        self.office.desk.lock().estates()
    }

    /// Lets go of what nobody can ask for any more.
    pub(crate) fn bury(&self) {
        self.office.desk.lock().bury_until(clock::now());
    }

    /// Has the system make memory that will be written to next, and says up to where; none while the node is short of it. Takes a while, and
    /// holds nobody up.
    pub(crate) fn touch_ahead(&self) -> io::Result<Option<u64>> {
        let (memory, part, capacity) = {
            let desk = self.office.desk.lock();
            if desk.is_short {
                return Ok(None);
            }
            let (memory, part) = desk.store.ahead(limits::STORE_AHEAD);
            (memory, part, desk.store.used().capacity)
        };
        // Beyond that there is nothing to be made.
        let end = if part.end >= capacity { u64::MAX } else { part.end };
        memory.touch(part).map(|()| Some(end))
    }

    /// Something was freed, or the store has grown.
    fn wants_a_look(&self) {
        if !self.is_told.swap(true, Ordering::SeqCst) {
            // Refused when it has ended for good, and all with it.
            _ = self.looks_after.cast(ObjectStoreMsg::Changed);
        }
    }

    /// Somebody has come to the door: what he says is done until he says nothing more.
    fn serve(own: &Weak<Self>, stream: UnixStream) -> io::Result<()> {
        let uid = socket_peercred(&stream)?.uid;
        if uid != geteuid() {
            tracing::warn!(%uid, "another user has come to the door of the store");
            return Ok(());
        }
        stream.set_write_timeout(Some(limits::STORE_TOLD_WITHIN))?;
        let stream = Arc::new(Line::new(stream));
        let Some(client) = Self::joins(own, &stream)? else { return Ok(()) };
        let end = loop {
            let says = match protocol::read::<Says>(&mut &stream.stream) {
                Ok(Some(says)) => says,
                Ok(None) => break None,
                Err(error) => break Some(error),
            };
            let Some(depot) = own.upgrade() else { return Ok(()) };
            let words = depot.hears(client, &stream, says);
            say(words);
        };
        if let Some(error) = end.filter(|error| !is_end(error)) {
            tracing::error!(?client, %error, "a process has said nonsense to the store, and is not heard any more");
            stream.is_told_nothing();
            _ = io::copy(&mut &stream.stream, &mut io::sink());
        }
        if let Some(depot) = own.upgrade() {
            say(depot.leaves(client));
        }
        Ok(())
    }

    fn joins(own: &Weak<Self>, stream: &Arc<Line>) -> io::Result<Option<ClientId>> {
        let Some(depot) = own.upgrade() else { return Ok(None) };
        let (client, memory, capacity) = {
            let mut desk = depot.office.desk.lock();
            let (client, memory) = desk.store.join()?;
            desk.joins(client, stream);
            (client, memory, desk.store.used().capacity)
        };
        let told = protocol::write(&mut &stream.stream, &Told::Welcome { capacity });
        let sent = told.map_err(io::Error::other).and_then(|()| memory.send(&stream.stream));
        if sent.is_err() {
            say(depot.leaves(client));
        }
        sent.map(|()| Some(client))
    }

    /// Does what a process says.
    fn hears(&self, client: ClientId, from: &Arc<Line>, says: Says) -> Words {
        let now = clock::now();
        let (words, has_changed, has_work, fetches) = {
            let mut desk = self.office.desk.lock();
            let before = desk.store.used();
            let words = desk.hears(client, from, says, now);
            let used = desk.store.used();
            let has_changed = used.dying > before.dying || used.touched > before.touched;
            let has_changed = has_changed || desk.is_waited_for();
            (words, has_changed, desk.has_work(now), desk.says_what_to_fetch())
        };
        self.goes_on(has_changed, has_work);
        self.wants_fetched(fetches);
        words
    }

    /// There is something to be fetched that was admitted.
    fn wants_fetched(&self, is_any: bool) {
        if is_any && let Some((_, puller)) = self.fetches.get() {
            // Refused when it has ended for good, and all with it.
            _ = puller.cast(PullerMsg::Wanted);
        }
    }

    /// From now on objects are fetched from other nodes.
    pub(crate) fn fetches_through(&self, exchange: &Arc<Exchange>, puller: Addr<PullerMsg>) {
        // Set once, before anybody can ask.
        _ = self.fetches.set((Arc::downgrade(exchange), puller));
        self.office.desk.lock().pulls = Some(Pulls::default());
    }

    /// How long what the dead alone held is kept.
    pub(crate) fn keeps_orphans_for(&self) -> Duration {
        self.office.desk.lock().keeps_orphans_for()
    }

    /// What is to be fetched next, and into which room.
    pub(crate) fn next_pull(&self) -> Option<(Place, Lease)> {
        self.office.desk.lock().pulls.as_mut()?.next()
    }

    /// Who writes what is fetched into its room.
    pub(crate) fn keeper(&self) -> Client {
        self.office.desk.lock().keeper.clone()
    }

    /// Whether an object that is fetched is wanted still.
    pub(crate) fn is_wanted(&self, place: &Place) -> bool {
        self.office.desk.lock().pulls.as_ref().is_some_and(|pulls| pulls.is_wanted(place))
    }

    /// An object was fetched, or was not: all who want it are told.
    pub(crate) fn is_pulled(&self, place: &Place, pulled: Pulled) {
        let (now, mut words) = (clock::now(), Words::new());
        let (has_work, fetches) = {
            let mut desk = self.office.desk.lock();
            desk.is_pulled(place, pulled, now, &mut words);
            (desk.has_work(now), desk.says_what_to_fetch())
        };
        say(words);
        // Its room may be free.
        self.goes_on(true, has_work);
        self.wants_fetched(fetches);
    }

    /// A process has ended (DP-1).
    fn leaves(&self, client: ClientId) -> Words {
        let now = clock::now();
        let (words, has_work, fetches) = {
            let mut desk = self.office.desk.lock();
            let (words, has_left) = desk.leaves(client, now);
            if has_left {
                // Refused when it has ended for good, and all with it.
                _ = self.looks_after.cast(ObjectStoreMsg::Died);
            }
            (words, desk.has_work(now), desk.says_what_to_fetch())
        };
        self.goes_on(true, has_work);
        self.wants_fetched(fetches);
        words
    }

    /// What has changed is looked after by others.
    fn goes_on(&self, has_changed: bool, has_work: bool) {
        if has_work {
            self.office.has_work();
        }
        if has_changed {
            self.wants_a_look();
        }
    }
}

impl Drop for Depot {
    fn drop(&mut self) {
        // Whoever waits at them hears of the end.
        _ = rustix::net::shutdown(&self.listener, Shutdown::Both);
        for line in self.office.desk.lock().lines() {
            // There is no store any more that could give its memory away.
            _ = rustix::net::shutdown(&line.stream, Shutdown::Both);
        }
        self.office.is_over();
    }
}

/// A door of a name that nobody guesses.
fn listen() -> io::Result<(String, UnixListener)> {
    let mut random = [0; 16];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    let door = format!("raytree-store-{:032x}", u128::from_le_bytes(random));
    let address = SocketAddr::from_abstract_name(&door)?;
    Ok((door, UnixListener::bind_addr(&address)?))
}

fn accept(listener: &UnixListener, own: &Weak<Depot>) {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(_) if own.strong_count() == 0 => return,
            Err(error) => {
                // There is no descriptor left, say: others may end meanwhile.
                tracing::warn!(%error, "a process cannot come into the store");
                thread::park_timeout(limits::STORE_SWEEP_EVERY);
                continue;
            }
        };
        let own = own.clone();
        let serves = move || {
            if let Err(error) = Depot::serve(&own, stream) {
                tracing::warn!(%error, "a process was not let into the store");
            }
        };
        let begun = thread::Builder::new().name("raytree-depot".to_owned()).spawn(serves);
        if let Err(error) = begun {
            tracing::error!(%error, "no thread for a process that has come to the store");
        }
    }
}

/// The other side is gone, as it ends.
fn is_end(error: &FrameError) -> bool {
    match error {
        FrameError::Truncated { .. } => true,
        FrameError::Io(error) => error.kind() == io::ErrorKind::ConnectionReset,
        _ => false,
    }
}

impl std::fmt::Debug for Depot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Depot").field("door", &self.door).finish_non_exhaustive()
    }
}

//! The store of a node, and the door by which processes come to it.
//!
//! Belongs to the runtime of the node and not to an actor, so that a restarted actor finds it as it was. Each process has a thread here,
//! which waits for what it says and does it on the spot, under one lock; nothing that is done takes longer than the look at a page of pins.
//!
//! Invariants:
//! - **DP-1 (gone-with-its-line):** a process uses the store for as long as its end of the socket is open: the operating system closes it
//!   when the process ends, however it ends, and then what it was writing is free, and so is, a moment later, what only it held. One that
//!   says nonsense, or does not listen, may still look at objects: it is told nothing more, and goes on without the store.
//!
//! Nobody of another user is let in, and nobody of another machine finds the door.

use std::collections::VecDeque;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use raytree_store::{ClientId, Lease, Location, Refused, Region, Standing, Store, Terms, Used};
use raytree_supervise::{Addr, clock};
use raytree_types::inspect::StoreRow;
use raytree_types::limits;
use raytree_wire::FrameError;
use rustix::net::Shutdown;
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use crate::ObjectStoreMsg;
use crate::protocol::{self, Hold, Says, Told};

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
    inner: Mutex<Inner>,
    looks_after: Addr<ObjectStoreMsg>,
    /// It was told so already.
    is_told: AtomicBool,
}

struct Inner {
    store: Store,
    /// Holds what the dead held alone, for a while.
    heir: ClientId,
    /// That, by who has died.
    estates: VecDeque<Estate>,
    /// Who is to be told of an object that its writer has not said to be written.
    awaited: Vec<Awaited>,
    lines: Vec<(ClientId, Weak<Line>)>,
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

/// The socket of a process.
struct Line {
    stream: UnixStream,
    /// Whether it is told anything: not when it did not take something in time, and has half of it, or has said nonsense.
    hears: Mutex<bool>,
}

impl Line {
    fn tell(&self, told: &Told) {
        let mut hears = self.hears.lock();
        if *hears && protocol::write(&mut &self.stream, told).is_err() {
            *hears = false;
            self.hangs_up();
        }
    }

    /// It is told nothing more, and sees that: what it says of its end is heard all the same (DP-1).
    fn hangs_up(&self) {
        _ = rustix::net::shutdown(&self.stream, Shutdown::Write);
    }
}

/// What is to be said to whom, once the lock is let go of.
type Words = Vec<(Arc<Line>, Told)>;

impl Depot {
    /// A store of so many bytes, and its door. `looks_after` is the address of its [`ObjectStore`](crate::ObjectStore).
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(bytes: u64, looks_after: Addr<ObjectStoreMsg>) -> Result<Arc<Self>, OpenError> {
        let no_memory = |source| OpenError::Memory { bytes, source };
        let mut store = Store::new(Region::Shared, bytes).map_err(no_memory)?;
        let (heir, _) = store.join().map_err(no_memory)?;
        let (door, listener) = listen().map_err(|source| OpenError::Door { source })?;
        let accepts = listener.try_clone().map_err(|source| OpenError::Door { source })?;
        let (estates, awaited, lines) = Default::default();
        let inner = Inner { store, heir, estates, awaited, lines };
        let depot = Arc::new(Self {
            door,
            listener,
            inner: Mutex::new(inner),
            looks_after,
            is_told: AtomicBool::new(false),
        });
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
        self.inner.lock().store.used()
    }

    /// How it is, for whoever looks from outside.
    #[must_use]
    pub fn row(&self) -> StoreRow {
        let Used { capacity, lent, sealed, dying, objects, .. } = self.used();
        let (objects, clients) = (objects as u64, self.clients() as u64);
        StoreRow { capacity, sealed, lent, dying, objects, clients, ..StoreRow::default() }
    }

    /// How many processes use it.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.inner.lock().lines.len()
    }

    /// Gives away again what nobody looks at any more. True when there is more that was freed.
    pub(crate) fn sweep(&self) -> bool {
        self.is_told.store(false, Ordering::SeqCst);
        let mut inner = self.inner.lock();
        inner.store.sweep();
        inner.store.is_any_dying()
    }

    /// How many have died whose objects are still kept.
    pub(crate) fn estates(&self) -> usize {
        self.inner.lock().estates.len()
    }

    /// Lets go of what nobody can ask for any more.
    pub(crate) fn bury(&self) {
        let (now, mut inner) = (clock::now(), self.inner.lock());
        while inner.estates.front().is_some_and(|estate| estate.until <= now) {
            inner.bury();
        }
    }

    /// Has the system make memory that will be written to next. Takes a while, and holds nobody up.
    pub(crate) fn touch_ahead(&self) -> io::Result<()> {
        let (memory, part) = self.inner.lock().store.ahead(limits::STORE_AHEAD);
        memory.touch(part)
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
        let stream = Arc::new(Line { stream, hears: Mutex::new(true) });
        let Some(client) = Self::joins(own, &stream)? else { return Ok(()) };
        let end = loop {
            let says = match protocol::read::<Says>(&mut &stream.stream) {
                Ok(Some(says)) => says,
                Ok(None) => break None,
                Err(error) => break Some(error),
            };
            let Some(depot) = own.upgrade() else { return Ok(()) };
            let words = depot.hears(client, &stream, says);
            Self::say(words);
        };
        if let Some(error) = end.filter(|error| !is_end(error)) {
            tracing::error!(?client, %error, "a process has said nonsense to the store, and is not heard any more");
            *stream.hears.lock() = false;
            stream.hangs_up();
            _ = io::copy(&mut &stream.stream, &mut io::sink());
        }
        if let Some(depot) = own.upgrade() {
            let words = depot.leaves(client);
            Self::say(words);
        }
        Ok(())
    }

    fn joins(own: &Weak<Self>, stream: &Arc<Line>) -> io::Result<Option<ClientId>> {
        let Some(depot) = own.upgrade() else { return Ok(None) };
        let mut inner = depot.inner.lock();
        let (client, memory) = inner.store.join()?;
        inner.lines.push((client, Arc::downgrade(stream)));
        let capacity = inner.store.used().capacity;
        drop(inner);
        let told = protocol::write(&mut &stream.stream, &Told::Welcome { capacity });
        let sent = told.map_err(io::Error::other).and_then(|()| memory.send(&stream.stream));
        if sent.is_err() {
            Self::say(depot.leaves(client));
        }
        sent.map(|()| Some(client))
    }

    /// Does what a process says.
    fn hears(&self, client: ClientId, from: &Arc<Line>, says: Says) -> Words {
        let Says { written, leases, holds } = says;
        let inner = &mut *self.inner.lock();
        let before = inner.store.used();
        if let Err(why) = inner.store.written(client, &written) {
            // All was done that can be: what it has not sealed goes with it.
            tracing::error!(?client, %why, "a process has written where it may not");
        }
        let mut words = Words::new();
        for hold in holds {
            match hold {
                Hold::Take { number, object } => match inner.store.hold(client, &object) {
                    Standing::Lent => {
                        let to = Arc::clone(from);
                        inner.awaited.push(Awaited { client, to, number, object });
                    }
                    standing => {
                        let is_there = standing == Standing::Sealed;
                        words.push((Arc::clone(from), Told::Held { number, is_there }));
                    }
                },
                Hold::LetGo { object } => inner.store.release(client, &[object]),
            }
        }
        // To one who is told nothing, nothing is lent. Somebody may be telling him something: that is not waited for.
        let hears = from.hears.try_lock().is_none_or(|hears| *hears);
        let leases = if hears { leases } else { Vec::new() };
        for (number, terms) in leases {
            let lease = inner.lease(client, terms);
            words.push((Arc::clone(from), Told::Room { number, lease }));
        }
        inner.tell_of_awaited(&mut words);
        let used = inner.store.used();
        if used.dying > before.dying || used.touched > before.touched {
            self.wants_a_look();
        }
        words
    }

    /// A process has ended (DP-1).
    fn leaves(&self, client: ClientId) -> Words {
        let inner = &mut *self.inner.lock();
        inner.lines.retain(|(own, _)| *own != client);
        inner.awaited.retain(|awaited| awaited.client != client);
        let left = inner.store.leave_to(client, inner.heir);
        if !left.is_empty() {
            let until = clock::now() + limits::STORE_ORPHANS_FOR;
            inner.estates.push_back(Estate { until, objects: left });
            // Refused when it has ended for good, and all with it.
            _ = self.looks_after.cast(ObjectStoreMsg::Died);
        }
        let mut words = Words::new();
        inner.tell_of_awaited(&mut words);
        self.wants_a_look();
        words
    }

    /// After the lock: who does not listen holds up nobody but the one who speaks to him.
    fn say(words: Words) {
        words.into_iter().for_each(|(to, told)| to.tell(&told));
    }
}

impl Inner {
    /// Lets go of what the one has left who has died first.
    fn bury(&mut self) {
        if let Some(Estate { objects, .. }) = self.estates.pop_front() {
            self.store.release(self.heir, &objects);
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

impl Drop for Depot {
    fn drop(&mut self) {
        // Whoever waits at them hears of the end.
        _ = rustix::net::shutdown(&self.listener, Shutdown::Both);
        for (_, line) in &self.inner.get_mut().lines {
            let line = line.upgrade();
            // There is no store any more that could give its memory away.
            line.map(|line| rustix::net::shutdown(&line.stream, Shutdown::Both));
        }
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

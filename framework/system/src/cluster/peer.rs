//! One process that runs what this one submits, and the places in it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_supervise::clock;
use raytree_types::Resources;
use raytree_types::resources::CPU;

use crate::link::Link;

/// Work that is sent ahead is worth about this much time: a few round trips.
const AHEAD: Duration = Duration::from_millis(1);
/// Tasks sent ahead for each CPU, however short they are.
const AHEAD_MAX: usize = 32;

/// Tasks that one whose size is unknown is sent at once.
const BOUNDLESS_SEATS: u64 = 16;

/// One process that runs what this one submits.
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) total: Resources,
    /// What it has is not known here: whatever it is asked for it may find.
    pub(super) is_boundless: bool,
    /// Whole CPUs.
    pub(super) width: usize,
    /// There while it is up.
    link: Mutex<Option<Arc<Link>>>,
    is_up: AtomicBool,
    /// Its process, where this one has started it: 0 while there is none.
    process: AtomicU32,
    /// Plain tasks that it has now.
    pub(super) seated: AtomicUsize,
    /// As many it may have.
    seats: AtomicUsize,
    /// How long it takes for one, in nanoseconds, on average.
    pace: AtomicU64,
    /// What else it has.
    pub(super) load: Mutex<Resources>,
    pub(super) actors: AtomicUsize,
}

/// A place in a process. Dropped, it is free again.
pub(crate) struct Seat {
    peer: Arc<Peer>,
    link: Arc<Link>,
    kind: Kind,
    /// Nobody has sat on it: there is nothing to be told.
    is_unused: bool,
}

pub(super) enum Kind {
    /// One CPU, since then.
    Plain { began: Duration },
    /// This much.
    Large(Resources),
    /// This much for life.
    Actor(Resources),
}

impl Peer {
    pub(crate) fn new(name: String, total: Resources) -> Self {
        let width = usize::try_from(total.thousandths(CPU) / 1000).unwrap_or(usize::MAX);
        Self {
            name,
            total,
            is_boundless: false,
            width,
            link: Mutex::default(),
            is_up: AtomicBool::new(false),
            process: AtomicU32::new(0),
            seated: AtomicUsize::new(0),
            seats: AtomicUsize::new(width),
            pace: AtomicU64::new(0),
            load: Mutex::default(),
            actors: AtomicUsize::new(0),
        }
    }

    /// One of which only its name is known.
    pub(crate) fn boundless(name: String) -> Self {
        let seats = Resources::none().with_thousandths(CPU, BOUNDLESS_SEATS * 1000);
        Self { is_boundless: true, ..Self::new(name, seats) }
    }

    /// It has so much, or may find it.
    pub(super) fn covers(&self, need: &Resources) -> bool {
        self.is_boundless || self.total.covers(need)
    }

    /// It can be given work, over this link.
    pub(crate) fn comes_up(&self, link: Arc<Link>) {
        *self.link.lock() = Some(link);
        self.is_up.store(true, Ordering::SeqCst);
    }

    /// It gets nothing new for now (PE-1).
    pub(crate) fn pauses(&self) {
        self.is_up.store(false, Ordering::SeqCst);
    }

    /// It gets work again, if it has not gone meanwhile.
    pub(crate) fn goes_on(&self) {
        if self.link.lock().is_some() {
            self.is_up.store(true, Ordering::SeqCst);
        }
    }

    /// It is gone: whoever takes its place comes with a link of its own.
    pub(crate) fn goes(&self) {
        self.pauses();
        self.process.store(0, Ordering::Relaxed);
        let link = self.link.lock().take();
        // After the lock: it may be the last count.
        drop(link);
    }

    /// It is that process, which this one has started.
    pub(super) fn runs_as(&self, process: u32) {
        self.process.store(process, Ordering::Relaxed);
    }

    /// Its process, where this one has started it and does not know of its end.
    pub(crate) fn process(&self) -> Option<u32> {
        Some(self.process.load(Ordering::Relaxed)).filter(|process| *process > 0)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.link().is_some()
    }

    /// None while it is to be given nothing new.
    pub(crate) fn link(&self) -> Option<Arc<Link>> {
        if !self.is_up.load(Ordering::SeqCst) {
            return None;
        }
        self.link.lock().clone().filter(|link| !link.leaves())
    }

    pub(super) fn takes_more(&self) -> bool {
        let takes = |link: &Arc<Link>| !link.leaves() && link.has_room();
        self.is_up.load(Ordering::SeqCst) && self.link.lock().as_ref().is_some_and(takes)
    }

    /// What nobody has of it, as far as is known here; nothing while it is not up.
    pub(crate) fn free(&self) -> Resources {
        if !self.is_up() {
            return Resources::none();
        }
        let mut free = self.total.clone();
        free.subtract(&self.load.lock());
        let seated = self.seated.load(Ordering::Relaxed) as u64 * 1000;
        let cpu = free.thousandths(CPU).saturating_sub(seated);
        free.with_thousandths(CPU, cpu)
    }

    pub(super) fn free_seats(&self) -> usize {
        let seats = self.seats.load(Ordering::Relaxed);
        let free = seats.saturating_sub(self.seated.load(Ordering::SeqCst));
        if free > 0 && self.takes_more() { free } else { 0 }
    }

    pub(super) fn sit(self: &Arc<Self>) -> Option<Seat> {
        let link = self.link().filter(|link| link.has_room())?;
        let most = self.seats.load(Ordering::Relaxed);
        let one_more = |seated| (seated < most).then_some(seated + 1);
        self.seated.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).ok()?;
        let kind = Kind::Plain { began: clock::now() };
        Some(Seat { peer: Arc::clone(self), link, kind, is_unused: false })
    }

    /// A seat more than there are.
    pub(super) fn squeeze(self: &Arc<Self>) -> Option<Seat> {
        let link = self.link().filter(|link| link.has_room())?;
        self.seated.fetch_add(1, Ordering::SeqCst);
        let kind = Kind::Plain { began: clock::now() };
        Some(Seat { peer: Arc::clone(self), link, kind, is_unused: false })
    }

    /// A place for something that needs more than one CPU, or for an actor.
    pub(super) fn take(self: &Arc<Self>, kind: Kind) -> Option<Seat> {
        let link = self.link().filter(|link| link.has_room())?;
        match &kind {
            Kind::Plain { .. } => {}
            Kind::Large(need) => self.load.lock().add(need),
            Kind::Actor(need) => {
                self.actors.fetch_add(1, Ordering::Relaxed);
                self.load.lock().add(need);
            }
        }
        Some(Seat { peer: Arc::clone(self), link, kind, is_unused: false })
    }

    /// One task took so long, its way and its wait included, with so many others beside it.
    fn took(&self, time: Duration, beside: usize) {
        // What one CPU needed for it, if all of them were busy with the others.
        let share = time.as_nanos() as u64 * self.width.max(1) as u64 / beside.max(1) as u64;
        let old = self.pace.load(Ordering::Relaxed);
        let pace = if old == 0 { share } else { old - old / 8 + share / 8 };
        self.pace.store(pace.max(1), Ordering::Relaxed);
        let ahead = (AHEAD.as_nanos() as u64 / pace.max(1)) as usize;
        self.seats.store(self.width * (1 + ahead.min(AHEAD_MAX)), Ordering::Relaxed);
    }

    /// How much of it is taken, in thousandths of what it has of the CPU, or of what is asked for. For an actor, which
    /// stays, the plain tasks of the moment do not count.
    pub(super) fn burden(&self, kind: &Kind) -> u64 {
        let none = Resources::none();
        let (need, seated) = match kind {
            Kind::Actor(need) => (need, 0),
            Kind::Large(need) => (need, self.seated.load(Ordering::Relaxed)),
            Kind::Plain { .. } => (&none, self.seated.load(Ordering::Relaxed)),
        };
        let load = self.load.lock();
        let part = |name: &str| {
            let total = self.total.thousandths(name).max(1);
            let plain = if name == CPU { seated as u64 * 1000 } else { 0 };
            (load.thousandths(name) + plain) * 1000 / total
        };
        need.iter().map(|(name, _)| part(name)).max().unwrap_or_else(|| part(CPU))
    }

    pub(super) fn has_room(&self, need: &Resources) -> bool {
        let mut taken = self.load.lock().clone();
        taken.add(need);
        self.covers(&taken)
    }
}

impl Seat {
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Its task has come back: the next one may go.
    pub(crate) fn leave(self) {
        if let Kind::Plain { began } = self.kind {
            let beside = self.peer.seated.load(Ordering::Relaxed);
            self.peer.took(clock::now().saturating_sub(began), beside);
        }
    }

    pub(super) fn unused(mut self) {
        self.is_unused = true;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        match &self.kind {
            Kind::Plain { .. } => _ = self.peer.seated.fetch_sub(1, Ordering::SeqCst),
            Kind::Large(need) => _ = self.peer.load.lock().subtract(need),
            Kind::Actor(need) => {
                self.peer.actors.fetch_sub(1, Ordering::Relaxed);
                _ = self.peer.load.lock().subtract(need);
            }
        }
        // Whoever waits for it goes (PE-2), however it came free.
        let runtime = self.link.life.runtime().filter(|_| !self.is_unused);
        if let Some(runtime) = runtime {
            match self.kind {
                Kind::Plain { .. } => runtime.feed_peers(),
                Kind::Large(_) => runtime.unpark(),
                Kind::Actor(_) => {}
            }
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("name", &self.name).field("total", &self.total).finish()
    }
}

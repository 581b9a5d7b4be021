//! The processes that run what this one submits, and which of them is asked next.
//!
//! A task that needs one CPU takes a *seat* in the process with the most free ones; each has as many seats as CPUs, and some
//! more, so that the next task is there when one ends. The shorter its tasks are, the more are sent ahead. What needs
//! something else goes where it fits, and waits there. The books of a process are its own: what is known of them here is a
//! guess that keeps lines short, and never a promise.
//!
//! Invariants:
//! - **PE-1 (up-only):** nothing new is sent to a process that is not up.
//! - **PE-2 (no-idle-seat):** while tasks wait in the lane, every free seat of a process that is up is filled.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use raytree_supervise::clock;
use raytree_types::resources::CPU;
use raytree_types::{ActorOptions, Demand, Resources};
use tokio::sync::Notify;

use crate::link::Link;
use crate::runtime::Shared;
use crate::task::cell::{Job, TaskCell};
use crate::task::run::Runnable;

/// Work that is sent ahead is worth about this much time: a few round trips.
const AHEAD: Duration = Duration::from_millis(1);
/// Tasks sent ahead for each CPU, however short they are.
const AHEAD_MAX: usize = 32;

/// Tasks that one whose size is unknown is sent at once.
const BOUNDLESS_SEATS: u64 = 16;

/// See the [module documentation](self).
#[derive(Default)]
pub(crate) struct Peers {
    /// Nothing that is submitted here is run here.
    are_there: AtomicBool,
    all: RwLock<Arc<[Arc<Peer>]>>,
    /// Tasks that need more than one CPU, while nobody has room for them.
    parked: Mutex<VecDeque<Arc<dyn Runnable>>>,
    /// How often seats were to be filled since somebody began to.
    wishes: AtomicUsize,
    /// Told whenever a process comes up.
    up: Arc<Notify>,
}

/// One process that runs what this one submits.
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) total: Resources,
    /// What it has is not known here: whatever it is asked for it may find.
    is_boundless: bool,
    /// Whole CPUs.
    width: usize,
    /// There while it is up.
    link: Mutex<Option<Arc<Link>>>,
    is_up: AtomicBool,
    /// Plain tasks that it has now.
    seated: AtomicUsize,
    /// As many it may have.
    seats: AtomicUsize,
    /// How long it takes for one, in nanoseconds, on average.
    pace: AtomicU64,
    /// What else it has.
    load: Mutex<Resources>,
    actors: AtomicUsize,
}

/// A place in a process. Dropped, it is free again.
pub(crate) struct Seat {
    peer: Arc<Peer>,
    link: Arc<Link>,
    kind: Kind,
    /// Nobody has sat on it: there is nothing to be told.
    is_unused: bool,
}

enum Kind {
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
    fn covers(&self, need: &Resources) -> bool {
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
        let link = self.link.lock().take();
        // After the lock: it may be the last count.
        drop(link);
    }

    fn is_up(&self) -> bool {
        self.is_up.load(Ordering::SeqCst)
    }

    pub(crate) fn link(&self) -> Option<Arc<Link>> {
        self.link.lock().clone().filter(|_| self.is_up())
    }

    fn free_seats(&self) -> usize {
        let free = self.seats.load(Ordering::Relaxed);
        if self.is_up() { free.saturating_sub(self.seated.load(Ordering::SeqCst)) } else { 0 }
    }

    fn sit(self: &Arc<Self>) -> Option<Seat> {
        let most = self.seats.load(Ordering::Relaxed);
        let one_more = |seated| (seated < most).then_some(seated + 1);
        self.seated.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).ok()?;
        let Some(link) = self.link() else {
            self.seated.fetch_sub(1, Ordering::SeqCst);
            return None;
        };
        let kind = Kind::Plain { began: clock::now() };
        Some(Seat { peer: Arc::clone(self), link, kind, is_unused: false })
    }

    /// A seat more than there are.
    fn squeeze(self: &Arc<Self>) -> Option<Seat> {
        let link = self.link()?;
        self.seated.fetch_add(1, Ordering::SeqCst);
        let kind = Kind::Plain { began: clock::now() };
        Some(Seat { peer: Arc::clone(self), link, kind, is_unused: false })
    }

    /// A place for something that needs more than one CPU, or for an actor.
    fn take(self: &Arc<Self>, kind: Kind) -> Option<Seat> {
        let link = self.link()?;
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

    /// How much of it is taken, in thousandths of what it has of the CPU, or of what is asked for.
    fn burden(&self, need: &Resources) -> u64 {
        let load = self.load.lock();
        let part = |name: &str| {
            let total = self.total.thousandths(name).max(1);
            let plain =
                if name == CPU { self.seated.load(Ordering::Relaxed) as u64 * 1000 } else { 0 };
            (load.thousandths(name) + plain) * 1000 / total
        };
        need.iter().map(|(name, _)| part(name)).max().unwrap_or_else(|| part(CPU))
    }

    fn has_room(&self, need: &Resources) -> bool {
        let mut taken = self.load.lock().clone();
        taken.add(need);
        self.total.covers(&taken)
    }
}

impl Peers {
    /// Others run what is submitted here: these, and those that come. Said before anything is submitted.
    pub(crate) fn are(&self, all: Vec<Arc<Peer>>) {
        *self.all.write() = all.into();
        self.are_there.store(true, Ordering::Release);
    }

    /// One more has come.
    pub(crate) fn comes(&self, peer: Arc<Peer>) {
        let mut all = self.all.write();
        *all = all.iter().cloned().chain([peer]).collect();
    }

    /// One has left for good.
    pub(crate) fn leaves(&self, peer: &Arc<Peer>) {
        let mut all = self.all.write();
        *all = all.iter().filter(|own| !Arc::ptr_eq(own, peer)).cloned().collect();
    }

    fn all(&self) -> Arc<[Arc<Peer>]> {
        Arc::clone(&self.all.read())
    }

    /// Other processes run what is submitted here.
    pub(crate) fn any(&self) -> bool {
        self.are_there.load(Ordering::Acquire)
    }

    /// The most of what is asked for that any of them has in all.
    pub(crate) fn largest_for(&self, need: &Resources) -> Resources {
        let all = self.all();
        let fits = all.iter().find(|peer| peer.total.covers(need));
        let largest = || all.iter().max_by_key(|peer| peer.total.thousandths(CPU));
        fits.or_else(largest).map(|peer| peer.total.clone()).unwrap_or_default()
    }

    /// All that they have.
    pub(crate) fn total(&self) -> Resources {
        let mut sum = Resources::none();
        self.all().iter().for_each(|peer| sum.add(&peer.total));
        sum
    }

    /// What nobody has of it, as far as is known here.
    pub(crate) fn free(&self) -> Resources {
        let mut free = Resources::none();
        for peer in self.all().iter().filter(|peer| peer.is_up()) {
            let mut own = peer.total.clone();
            own.subtract(&peer.load.lock());
            let seated = peer.seated.load(Ordering::Relaxed) as u64 * 1000;
            let cpu = own.thousandths(CPU).saturating_sub(seated);
            free.add(&own.with_thousandths(CPU, cpu));
        }
        free
    }

    /// Tasks that wait here wait no more: the runtime has ended.
    pub(crate) fn clear(&self) {
        let parked = std::mem::take(&mut *self.parked.lock());
        drop(parked);
        self.up.notify_waiters();
    }

    fn seat(&self) -> Option<Seat> {
        loop {
            let all = self.all();
            let most = all.iter().max_by_key(|peer| peer.free_seats())?;
            if most.free_seats() == 0 {
                return None;
            }
            // Somebody else may have been quicker.
            if let Some(seat) = most.sit() {
                return Some(seat);
            }
        }
    }

    /// The process in which so much fits best now; none while none that has it is up.
    fn place(&self, need: &Resources, kind: fn(Resources) -> Kind) -> Option<Seat> {
        let fits = |peer: &&Arc<Peer>| peer.is_up() && peer.total.covers(need);
        let order = |peer: &&Arc<Peer>| {
            let actors = peer.actors.load(Ordering::Relaxed);
            (!peer.has_room(need), peer.burden(need), actors)
        };
        let all = self.all();
        all.iter().filter(fits).min_by_key(order)?.take(kind(need.clone()))
    }

    /// As [`Peers::place`], where it does not have to wait.
    fn place_now(&self, need: &Resources) -> Option<Seat> {
        let any = self.all().iter().any(|peer| peer.is_up() && peer.has_room(need));
        if any { self.place(need, Kind::Large) } else { None }
    }

    /// A seat past all bounds, for what somebody who sits already may wait for.
    fn squeeze(&self) -> Option<Seat> {
        let all = self.all();
        let up = all.iter().filter(|peer| peer.is_up());
        let order =
            |peer: &&Arc<Peer>| peer.seated.load(Ordering::Relaxed) * 1000 / peer.width.max(1);
        up.min_by_key(order)?.squeeze()
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

    fn unused(mut self) {
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

impl Shared {
    /// Sends tasks of the lane wherever there are seats (PE-2). One thread does at a time, and does so again for whoever
    /// wished it meanwhile: a task that comes back at once may not fill its own seat on the same stack.
    pub(crate) fn feed_peers(self: &Arc<Self>) {
        if !self.peers.any() || self.peers.wishes.fetch_add(1, Ordering::SeqCst) > 0 {
            return;
        }
        let mut granted = 1;
        loop {
            self.fill_seats();
            let done =
                self.peers.wishes.compare_exchange(granted, 0, Ordering::SeqCst, Ordering::SeqCst);
            match done {
                Ok(_) => return,
                Err(more) => granted = more,
            }
        }
    }

    fn fill_seats(self: &Arc<Self>) {
        // Whoever puts a task in looks for seats afterwards, whoever frees a seat looks for tasks: one of them sees both.
        fence(Ordering::SeqCst);
        while let Some(seat) = self.peers.seat() {
            let Some(task) = self.lane.pop() else {
                seat.unused();
                // One may have come between the look and the giving back.
                if self.lane.is_empty() {
                    return;
                }
                continue;
            };
            task.ship(seat, self);
        }
    }

    /// A task that needs more than one CPU, or something else.
    pub(crate) fn send_away(self: &Arc<Self>, task: Arc<dyn Runnable>) {
        match self.peers.place_now(&task.plan().demand.running) {
            Some(seat) => task.ship(seat, self),
            None => {
                self.peers.parked.lock().push_back(task);
                // One may have come up meanwhile, and have found nothing to do.
                self.unpark();
            }
        }
    }

    fn unpark(self: &Arc<Self>) {
        let count = self.peers.parked.lock().len();
        for _ in 0..count {
            let Some(task) = self.peers.parked.lock().pop_front() else { return };
            match self.peers.place_now(&task.plan().demand.running) {
                Some(seat) => task.ship(seat, self),
                None => self.peers.parked.lock().push_back(task),
            }
        }
    }

    /// Whether a task that was submitted here is run by another process; it is on its way then.
    pub(crate) fn goes_elsewhere<J: Job>(self: &Arc<Self>, task: &Arc<TaskCell<J>>) -> bool {
        let plan = task.plan();
        if self.peers.any() {
            // The one that a node has submitted may be what a task waits for that has a seat there.
            let squeezed =
                if plan.is_served && plan.is_plain { self.peers.squeeze() } else { None };
            let task = Arc::clone(task) as Arc<dyn Runnable>;
            match squeezed {
                Some(seat) => task.ship(seat, self),
                None if plan_is_plain(&*task) => {
                    self.lane.push(task);
                    self.feed_peers();
                }
                None => self.send_away(task),
            }
            return true;
        }
        // What came from elsewhere stays.
        let is_alone = |program: &Arc<Peer>| !program.is_boundless && program.total == self.ledger.total();
        let program = self.program.get().filter(|_| !plan.is_served);
        let Some(program) = program.filter(|program| !is_alone(program)) else { return false };
        let seat = if !self.ledger.total().covers(&plan.demand.running) {
            program.take(Kind::Large(plan.demand.running.clone()))
        } else if plan.is_plain && self.lane.len() >= self.lane.width() {
            // Whoever comes next here would wait: others may have a CPU.
            program.sit()
        } else {
            None
        };
        let Some(seat) = seat else { return false };
        Arc::clone(task).ship(seat, self);
        true
    }

    /// The most of what is needed that a process elsewhere has.
    pub(crate) fn exists_elsewhere(&self, need: &Resources) -> Resources {
        match self.program.get() {
            Some(program) if program.is_boundless => need.clone(),
            Some(program) => program.total.clone(),
            None => self.peers.largest_for(need),
        }
    }

    /// Whether an actor that is created here is to live elsewhere: what a program creates lives in its nodes, and what is
    /// created in a node that has as many actors as CPUs already wherever there are fewer.
    pub(crate) fn begins_elsewhere(&self, options: &ActorOptions) -> bool {
        if self.peers.any() {
            return true;
        }
        let needed = options.demand().needed();
        let is_alone = |program: &Arc<Peer>| !program.is_boundless && program.total == self.ledger.total();
        let Some(program) = self.program.get().filter(|program| !is_alone(program)) else {
            return false;
        };
        let is_full = self.table.len() >= self.lane.width().max(1);
        !self.ledger.total().covers(&needed) || (is_full && program.covers(&needed))
    }

    /// A process has come up: whoever waits for one goes on.
    pub(crate) fn peer_is_up(self: &Arc<Self>) {
        self.peers.up.notify_waiters();
        self.unpark();
        self.feed_peers();
    }
}

/// A place for the life of an actor, as soon as a process is up that can have it; none when the runtime has ended.
pub(crate) async fn for_actor(runtime: Weak<Shared>, demand: Demand) -> Option<Seat> {
    loop {
        let up = {
            let shared = runtime.upgrade()?;
            // Asked before the look, so that no coming up is missed.
            let up = Arc::clone(&shared.peers.up).notified_owned();
            let need = demand.running.clone();
            let seat = match shared.program.get() {
                Some(program) => program.take(Kind::Actor(need)),
                None => shared.peers.place(&need, Kind::Actor),
            };
            if seat.is_some() {
                return seat;
            }
            up
        };
        up.await;
    }
}

fn plan_is_plain(task: &dyn Runnable) -> bool {
    task.plan().is_plain
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("name", &self.name).field("total", &self.total).finish()
    }
}

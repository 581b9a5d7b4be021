//! The processes that run what this one submits, and which of them is asked next.
//!
//! A task that needs one CPU takes a *seat* in the process with the most free ones, or, if there is a free one, on the node in whose store most
//! of its arguments lie; each has as many seats as CPUs, and some
//! more, so that the next task is there when one ends. The shorter its tasks are, the more are sent ahead. What needs
//! something else goes where it fits, and waits there. The books of a process are its own: what is known of them here is a
//! guess that keeps lines short, and never a promise.
//!
//! Invariants:
//! - **PE-1 (up-only):** nothing new is sent to a process that is not up, or whose link has no room.
//! - **PE-2 (no-idle-seat):** while tasks wait in the lane, every free seat of a process that can be sent some is filled.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};
use raytree_types::resources::CPU;
use raytree_types::{ActorOptions, Demand, Resources};
use tokio::sync::Notify;

use super::peer::{Kind, Peer, Seat};
use crate::runtime::{Shared, burst};
use crate::task::cell::{Job, TaskCell};
use crate::task::plan::Plan;
use crate::task::run::Runnable;

/// See the [module documentation](self).
#[derive(Default)]
pub(crate) struct Peers {
    /// Nothing that is submitted here is run here.
    are_there: AtomicBool,
    all: RwLock<Arc<[Arc<Peer>]>>,
    /// Held while a place is chosen and taken: two who look at once would find the same one best.
    places: Mutex<()>,
    /// Tasks that need more than one CPU, and those of nodes, while nobody has room for them.
    parked: Mutex<VecDeque<Arc<dyn Runnable>>>,
    /// A task was put there since somebody looked.
    newly_parked: AtomicBool,
    /// How often seats were to be filled since somebody began to.
    wishes: AtomicUsize,
    /// Told whenever a process comes up.
    up: Arc<Notify>,
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

    /// Their processes, those that this one has started.
    pub(crate) fn processes(&self) -> Vec<Option<u32>> {
        self.all().iter().map(|peer| peer.process()).collect()
    }

    /// What nobody has of it, as far as is known here.
    pub(crate) fn free(&self) -> Resources {
        let mut free = Resources::none();
        self.all().iter().for_each(|peer| free.add(&peer.free()));
        free
    }

    /// All of them.
    pub(crate) fn seen(&self) -> Arc<[Arc<Peer>]> {
        self.all()
    }

    /// Tasks that wait here wait no more: the runtime has ended.
    pub(crate) fn clear(&self) {
        let parked = std::mem::take(&mut *self.parked.lock());
        drop(parked);
        self.up.notify_waiters();
    }

    /// Tasks that wait for a process with room for them, at most so many.
    pub(crate) fn each_parked(&self, most: usize, mut each: impl FnMut(&Plan)) {
        self.parked.lock().iter().take(most).for_each(|task| each(task.plan()));
    }

    /// Whether one has begun to wait so since this was asked last.
    pub(crate) fn has_newly_parked(&self) -> bool {
        self.newly_parked.swap(false, Ordering::Relaxed)
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

    /// A seat in a process of the node where most of the task's arguments are, if one is free there; else this one.
    fn nearer(&self, seat: Seat, task: &dyn Runnable) -> Seat {
        let Some(home) = task.at_home().filter(|home| !seat.link().is_by(home)) else {
            return seat;
        };
        let is_there = |peer: &&Arc<Peer>| peer.link().is_some_and(|link| link.is_by(&home));
        let most = self.all().iter().filter(is_there).max_by_key(|peer| peer.free_seats()).cloned();
        match most.and_then(|peer| peer.sit()) {
            Some(near) => {
                seat.unused();
                near
            }
            None => seat,
        }
    }

    /// The process in which so much fits best now; none while none that has it is up.
    fn place(&self, need: &Resources, kind: fn(Resources) -> Kind) -> Option<Seat> {
        let kind = kind(need.clone());
        let fits = |peer: &&Arc<Peer>| peer.takes_more() && peer.total.covers(need);
        let order = |peer: &&Arc<Peer>| {
            let actors = peer.actors.load(Ordering::Relaxed);
            (!peer.has_room(need), peer.burden(&kind), actors)
        };
        let all = self.all();
        let _one_at_a_time = self.places.lock();
        let best = all.iter().filter(fits).min_by_key(order)?;
        best.take(kind)
    }

    /// As [`Peers::place`], where it does not have to wait.
    fn place_now(&self, need: &Resources) -> Option<Seat> {
        let any = self.all().iter().any(|peer| peer.takes_more() && peer.has_room(need));
        if any { self.place(need, Kind::Large) } else { None }
    }

    /// A seat past all bounds, for what somebody who sits already may wait for.
    fn squeeze(&self) -> Option<Seat> {
        let all = self.all();
        let up = all.iter().filter(|peer| peer.takes_more());
        let order =
            |peer: &&Arc<Peer>| peer.seated.load(Ordering::Relaxed) * 1000 / peer.width.max(1);
        up.min_by_key(order)?.squeeze()
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
            let seat = self.peers.nearer(seat, &*task);
            task.ship(seat, self);
            // A reader that feeds others for as long as they wish keeps nothing meanwhile.
            burst::go_on();
        }
    }

    /// A place past the lane for a task, where it does not have to wait.
    fn place_beside(&self, plan: &Plan) -> Option<Seat> {
        let need = &plan.demand.running;
        match self.program.get() {
            Some(program) => program.take(Kind::Large(need.clone())),
            None if plan.is_plain => self.peers.squeeze(),
            None => self.peers.place_now(need),
        }
    }

    /// A task that needs more than one CPU, or something else; or one that a node has submitted.
    pub(crate) fn send_away(self: &Arc<Self>, task: Arc<dyn Runnable>) {
        match self.place_beside(task.plan()) {
            Some(seat) => task.ship(seat, self),
            None => {
                self.peers.parked.lock().push_back(task);
                self.peers.newly_parked.store(true, Ordering::Relaxed);
                // One may have come up meanwhile, and have found nothing to do.
                self.unpark();
            }
        }
    }

    pub(super) fn unpark(self: &Arc<Self>) {
        let count = self.peers.parked.lock().len();
        for _ in 0..count {
            let Some(task) = self.peers.parked.lock().pop_front() else { return };
            match self.place_beside(task.plan()) {
                Some(seat) => task.ship(seat, self),
                None => self.peers.parked.lock().push_back(task),
            }
        }
    }

    /// Whether a task that was submitted here is run by another process; it is on its way then.
    pub(crate) fn goes_elsewhere<J: Job>(self: &Arc<Self>, task: &Arc<TaskCell<J>>) -> bool {
        let plan = task.plan();
        if self.peers.any() {
            // The one that a node has submitted may be what a task waits for that has a seat there, and so may one whose result was lost.
            let is_waited_for = plan.is_served || task.is_made_again();
            if plan.is_plain && !is_waited_for {
                self.lane.push(Arc::clone(task) as Arc<dyn Runnable>);
                self.feed_peers();
            } else {
                self.send_away(Arc::clone(task) as Arc<dyn Runnable>);
            }
            return true;
        }
        // What came from elsewhere stays.
        let Some(program) = self.beyond().filter(|_| !plan.is_served) else { return false };
        if !self.ledger.total().covers(&plan.demand.running) {
            self.send_away(Arc::clone(task) as Arc<dyn Runnable>);
            return true;
        }
        // Whoever comes next here would wait: others may have a CPU.
        let waits = plan.is_plain && self.lane.len() >= self.lane.width();
        let Some(seat) = waits.then(|| program.sit()).flatten() else { return false };
        Arc::clone(task).ship(seat, self);
        true
    }

    /// The program that this node is one of, if it has more than the node.
    fn beyond(&self) -> Option<&Arc<Peer>> {
        self.program
            .get()
            .filter(|program| program.is_boundless || program.total != self.ledger.total())
    }

    /// The most of what is needed that a process elsewhere has.
    pub(crate) fn exists_elsewhere(&self, need: &Resources) -> Resources {
        match self.program.get() {
            Some(program) if program.is_boundless => need.clone(),
            Some(program) => program.total.clone(),
            // Nobody knows yet what the nodes of a cluster have.
            None if self.driver.get().is_some() && self.peers.all().is_empty() => need.clone(),
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
        let Some(program) = self.beyond() else { return false };
        let is_full = self.table.len() >= self.lane.width().max(1);
        !self.ledger.total().covers(&needed) || (is_full && program.covers(&needed))
    }

    /// Little waits to go out over one of the links again. Whoever has written it goes on: what follows takes its time.
    pub(crate) fn link_has_room(self: &Arc<Self>) {
        if self.peers.any() || self.program.get().is_some() {
            let own = Arc::clone(self);
            self.user.spawn_blocking(move || own.peer_is_up());
        }
    }

    /// A process has come up, or can be sent more: whoever waits for one goes on.
    pub(crate) fn peer_is_up(self: &Arc<Self>) {
        self.peers.up.notify_waiters();
        self.unpark();
        self.feed_peers();
    }
}

/// A place for the life of an actor, as soon as a process can be sent it; none when the runtime has ended.
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

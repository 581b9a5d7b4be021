//! The workers of a driver: which there are, by node, and how far each has come.
//!
//! Belongs to the runtime and not to the actor that hears of them, so that a restarted actor goes on where the last one was.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use raytree_memory::out_of_memory;
use raytree_process::cluster::Worker;
use raytree_types::{Cause, Resources};

use super::Driver;
use crate::cluster::drain;
use crate::cluster::peer::Peer;
use crate::link::Link;
use crate::memory::lost;

/// See the [module documentation](self).
#[derive(Default)]
pub(super) struct Workers(HashMap<String, Seat>);

/// The worker on one node, from its grant to its end; a later life of it takes the same seat.
struct Seat {
    peer: Arc<Peer>,
    worker: Worker,
    /// Where it is dialed, once it is up.
    address: Option<SocketAddr>,
    link: Option<Arc<Link>>,
    /// All that came over the link was read.
    is_read: bool,
    /// Another worker has lost it while calls were open.
    is_accused: bool,
    /// It has ended: why, and whether another life follows.
    down: Option<(Cause, bool)>,
}

/// What a restarted actor finds to do.
pub(super) enum Left {
    /// It is up, and nobody has dialed it, or is about to.
    ToDial(Worker, SocketAddr),
    /// It has ended, and was not buried yet.
    ToSettle(Worker),
}

impl Driver {
    /// A worker is being started: its node is one of those that may be given work by and by.
    pub(super) fn granted(&self, worker: Worker, grant: &Resources) {
        let mut workers = self.workers.lock();
        let before = workers.0.remove(&worker.node);
        let same = before.as_ref().map(|seat| &seat.peer).filter(|peer| peer.total == *grant);
        let peer = match same {
            Some(peer) => Arc::clone(peer),
            None => Arc::new(Peer::new(worker.node.clone(), grant.clone())),
        };
        let seat = Seat {
            peer: Arc::clone(&peer),
            worker: worker.clone(),
            address: None,
            link: None,
            is_read: false,
            is_accused: false,
            down: None,
        };
        workers.0.insert(worker.node.clone(), seat);
        drop(workers);
        let is_new = before.as_ref().is_none_or(|seat| !Arc::ptr_eq(&seat.peer, &peer));
        if let Some(before) = before {
            self.bury(before, &Cause::message("another life has its place"), is_new);
        }
        if let Some(runtime) = self.runtime.upgrade().filter(|_| is_new) {
            runtime.peers.comes(peer);
        }
    }

    /// A worker can be dialed. False when it is none of this driver's.
    pub(super) fn is_up(&self, worker: &Worker, address: SocketAddr) -> bool {
        let mut workers = self.workers.lock();
        workers.seat(worker).map(|seat| seat.address = Some(address)).is_some()
    }

    /// A worker was dialed. False when it has ended meanwhile, and perhaps another one has its place.
    pub(super) fn linked(&self, worker: &Worker, link: Arc<Link>) -> bool {
        let mut workers = self.workers.lock();
        let Some(seat) = workers.seat(worker).filter(|seat| seat.down.is_none()) else {
            return false;
        };
        seat.link = Some(Arc::clone(&link));
        let peer = Arc::clone(&seat.peer);
        peer.comes_up(link);
        true
    }

    /// Whether a worker waits to be dialed.
    pub(super) fn waits_for_link(&self, worker: &Worker) -> bool {
        let mut workers = self.workers.lock();
        workers.seat(worker).is_some_and(|seat| seat.link.is_none() && seat.down.is_none())
    }

    /// The link with a worker says nothing more. None when it is none of this driver's; else whether it is known to have ended.
    pub(super) fn hung_up(&self, worker: &Worker) -> Option<bool> {
        let mut workers = self.workers.lock();
        let seat = workers.seat(worker)?;
        seat.is_read = true;
        seat.peer.pauses();
        Some(seat.down.is_some())
    }

    /// What is said of the end of a worker: where it was ended for memory, also what is lost with it.
    pub(super) fn said_of(&self, worker: &Worker, cause: &Cause) -> String {
        let runtime = self.runtime.upgrade().filter(|_| out_of_memory(cause).is_some());
        let link = self.link_with(worker);
        let things =
            runtime.map(|runtime| lost::with(&runtime, &worker.to_string(), link.as_deref()));
        match things.unwrap_or_default() {
            none if none.is_empty() => cause.to_string(),
            things => format!("{cause}; lost with it: {}", things.join(", ")),
        }
    }

    /// A worker has surely ended. True when all that it said was read.
    pub(super) fn is_down(&self, worker: &Worker, cause: Cause, again: bool) -> Option<bool> {
        let mut workers = self.workers.lock();
        let seat = workers.seat(worker)?;
        seat.peer.pauses();
        let cause = drain::because(cause, seat.link.as_deref());
        seat.down = Some((cause, again));
        Some(seat.is_read || seat.link.is_none())
    }

    /// Whoever waited for a worker that has ended is told. Its seat stays where another life follows.
    pub(super) fn settle(&self, worker: &Worker) {
        let mut workers = self.workers.lock();
        let Some(seat) = workers.seat(worker) else { return };
        let Some((cause, again)) = seat.down.clone() else { return };
        let link = seat.link.take();
        let peer = Arc::clone(&seat.peer);
        if !again {
            workers.0.remove(&worker.node);
        }
        drop(workers);
        self.tell_ended(worker);
        self.end(&peer, link, &cause, !again);
    }

    /// Which worker is at the other end of a link, and where it is dialed.
    pub(crate) fn worker_over(&self, link: &Arc<Link>) -> Option<(Worker, SocketAddr)> {
        let workers = self.workers.lock();
        let is_over = |seat: &&Seat| seat.link.as_ref().is_some_and(|own| Arc::ptr_eq(own, link));
        let seat = workers.0.values().find(is_over)?;
        Some((seat.worker.clone(), seat.address?))
    }

    /// The link with a worker that has not ended.
    pub(crate) fn link_with(&self, worker: &Worker) -> Option<Arc<Link>> {
        self.workers.lock().seat(worker)?.link.clone()
    }

    /// A worker that is up cannot be reached by another one. False when that one was accused itself: of two that have lost
    /// each other one goes.
    pub(super) fn is_accused(&self, worker: &Worker, by: &Worker) -> bool {
        let mut workers = self.workers.lock();
        if workers.seat(by).is_none_or(|by| by.is_accused) {
            return false;
        }
        let is_up = |seat: &&mut Seat| seat.link.is_some() && seat.down.is_none();
        let seat = workers.seat(worker).filter(is_up);
        seat.is_some_and(|seat| !std::mem::replace(&mut seat.is_accused, true))
    }

    /// All other workers hear that one has surely ended.
    fn tell_ended(&self, worker: &Worker) {
        let links: Vec<_> =
            self.workers.lock().0.values().filter_map(|seat| seat.link.clone()).collect();
        links.iter().for_each(|link| link.tell_ended(worker));
    }

    /// There are no more workers on a node.
    pub(super) fn broken(&self, node: &str, cause: &Cause) {
        let seat = self.workers.lock().0.remove(node);
        if let Some(seat) = seat {
            let cause = seat.down.clone().map_or_else(|| cause.clone(), |(why, _)| why);
            self.bury(seat, &cause, true);
        }
    }

    /// There are no more workers at all.
    pub(super) fn all_gone(&self, cause: &Cause) {
        let seats = std::mem::take(&mut self.workers.lock().0);
        seats.into_values().for_each(|seat| self.bury(seat, cause, true));
    }

    /// No node has, or is about to have, a worker for this driver.
    pub(super) fn has_none(&self) -> bool {
        self.workers.lock().0.is_empty()
    }

    pub(super) fn left_to_do(&self) -> Vec<Left> {
        let workers = self.workers.lock();
        let left = workers.0.values().filter_map(|seat| match (&seat.down, seat.address) {
            (Some(_), _) => Some(Left::ToSettle(seat.worker.clone())),
            (None, Some(address)) if seat.link.is_none() => {
                Some(Left::ToDial(seat.worker.clone(), address))
            }
            (None, _) => None,
        });
        left.collect()
    }

    fn bury(&self, seat: Seat, cause: &Cause, leaves: bool) {
        let cause = seat.down.as_ref().map_or(cause, |(cause, _)| cause);
        self.tell_ended(&seat.worker);
        self.end(&seat.peer, seat.link, cause, leaves);
    }

    /// The last of a life: nothing new goes there, and whoever waits is told.
    fn end(&self, peer: &Arc<Peer>, link: Option<Arc<Link>>, cause: &Cause, leaves: bool) {
        peer.goes();
        let runtime = self.runtime.upgrade();
        if let Some(runtime) = runtime.as_ref().filter(|_| leaves) {
            runtime.peers.leaves(peer);
        }
        let cause = cause.clone();
        match (link, runtime) {
            // Values are dropped and written again there, which is the user's code.
            (Some(link), Some(runtime)) => {
                _ = runtime.user.spawn_blocking(move || link.end(&cause));
            }
            (Some(link), None) => link.end(&cause),
            (None, _) => {}
        }
    }
}

impl Workers {
    /// The seat of this very life.
    fn seat(&mut self, worker: &Worker) -> Option<&mut Seat> {
        self.0.get_mut(&worker.node).filter(|seat| seat.worker == *worker)
    }
}

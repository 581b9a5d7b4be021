//! The other workers of a worker's job: the links with them, what is on its way to them, and what they have passed.
//!
//! Belongs to the runtime and not to the actor that dials them ([`Dialer`](super::dialer::Dialer)), so that a restarted one
//! goes on where the last one was. One link serves all stand-ins of both sides, whoever has dialed it; two that dial each
//! other at once have two, which is no harm. A worker has a link with itself, too, once it calls an actor of its own through
//! a handle that came from elsewhere.
//!
//! Invariants:
//! - **WN-1 (own-job-only):** nobody is let in, and nobody is dialed, but a worker of the same job that means this very life.
//! - **WN-2 (bounded):** there are at most [`limits::NEIGHBOURS_MAX`] links, those included that are being dialed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::{Condvar, Mutex, MutexGuard};
use raytree_engine::borrow::{Passed, Taken};
use raytree_process::cluster::{Greeting, Worker};
use raytree_supervise::Addr;
use raytree_types::codec::RefToken;
use raytree_types::{AbandonedThreads, Cause, JobId, limits};
use raytree_wire::{Hello, Plane, Stream, Tls, Token, dial};
use tokio::sync::oneshot;

use super::dialer::{Dialer, DialerMsg};
use crate::link::{Channel, Link};
use crate::runtime::{Shared, burst};

/// See the [module documentation](self).
pub(crate) struct Neighbours {
    pub(super) own: Worker,
    pub(super) addr: Addr<DialerMsg>,
    runtime: Weak<Shared>,
    token: Token,
    tls: Option<Tls>,
    /// The link with the driver.
    owner: OnceLock<Arc<Link>>,
    known: Mutex<Known>,
    /// What was handed on for a neighbour whose word about it has not come yet.
    passed: Mutex<Passed<Worker, RefToken>>,
    has_come: Condvar,
    /// Numbers of links, and of what is passed.
    next: AtomicU64,
}

#[derive(Default)]
struct Known {
    links: Vec<Linked>,
    wanted: HashMap<Worker, Wanted>,
    /// Links that are about to be known, and those of them that have hung up already.
    opening: Vec<u64>,
    early: Vec<u64>,
    /// Nobody is let in any more.
    leaves: bool,
}

struct Linked {
    number: u64,
    who: Worker,
    link: Arc<Link>,
}

/// Somebody who is to be dialed, and who waits for that.
struct Wanted {
    address: SocketAddr,
    waiting: Vec<oneshot::Sender<Option<Arc<Link>>>>,
}

impl Known {
    fn is_full(&self) -> bool {
        self.links.len() + self.wanted.len() + self.opening.len() >= limits::NEIGHBOURS_MAX
    }

    /// A place for a link of this number; none when all are taken.
    fn reserve(&mut self, number: u64) -> Option<u64> {
        let is_free = !self.is_full();
        self.opening.extend(is_free.then_some(number));
        is_free.then_some(number)
    }
}

impl Neighbours {
    pub(crate) fn new(own: Worker, token: Token, tls: Option<Tls>, runtime: Weak<Shared>) -> Self {
        Self {
            own,
            addr: Addr::system::<Dialer>("dialer"),
            runtime,
            token,
            tls,
            owner: OnceLock::new(),
            known: Mutex::default(),
            passed: Mutex::default(),
            has_come: Condvar::new(),
            next: AtomicU64::new(1),
        }
    }

    /// Whose workers they all are.
    pub(super) fn owned_over(&self, link: &Arc<Link>) {
        // Set once: there is one driver.
        _ = self.owner.set(Arc::clone(link));
    }

    pub(crate) fn owner(&self) -> Option<&Arc<Link>> {
        self.owner.get()
    }

    pub(crate) fn job(&self) -> JobId {
        self.own.job
    }

    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// A link with a neighbour: the one there is, or a new one. None for one that is not to be had now.
    pub(crate) async fn link_with(
        self: &Arc<Self>,
        who: &Worker,
        address: SocketAddr,
    ) -> Option<Arc<Link>> {
        if *who == self.own {
            return self.link_with_own();
        }
        if who.job != self.own.job {
            return None;
        }
        let (tells, told) = oneshot::channel();
        let is_new = {
            let mut known = self.known.lock();
            if let Some(linked) = known.links.iter().find(|linked| linked.who == *who) {
                return Some(Arc::clone(&linked.link));
            }
            let is_full = known.is_full();
            match known.wanted.get_mut(who) {
                Some(wanted) => {
                    wanted.waiting.push(tells);
                    false
                }
                None if is_full => return None,
                None => {
                    known.wanted.insert(who.clone(), Wanted { address, waiting: vec![tells] });
                    true
                }
            }
        };
        if is_new && self.addr.cast(DialerMsg::Dial(Box::new(who.clone()))).is_err() {
            // There is nobody who dials any more.
            self.known.lock().wanted.remove(who);
        }
        told.await.ok().flatten()
    }

    /// A link of this worker with itself, for its stand-ins of actors that live here, too.
    fn link_with_own(self: &Arc<Self>) -> Option<Arc<Link>> {
        /// Two stand-ins must not make one each.
        static MAKING: Mutex<()> = Mutex::new(());
        let _making = MAKING.lock();
        if let Some(own) = self.known.lock().links.iter().find(|linked| linked.who == self.own) {
            return Some(Arc::clone(&own.link));
        }
        let (here, there) = UnixStream::pair().ok()?;
        // It answers for as long as the other one asks.
        self.links(&self.own, there, |known| known.reserve(self.number())).ok()?;
        let link = self.links(&self.own, here, |known| known.reserve(self.number()));
        link.inspect_err(|why| tracing::warn!(why, "this worker cannot call itself")).ok()
    }

    /// This worker leaves: nobody calls it directly any more.
    pub(super) fn leave(&self, threads: &AbandonedThreads) {
        let links: Vec<_> = {
            let known = &mut *self.known.lock();
            known.leaves = true;
            known.links.iter().map(|linked| Arc::clone(&linked.link)).collect()
        };
        links.iter().for_each(|link| link.tell_abandoned(threads, true));
    }

    /// All answers to neighbours have gone out.
    pub(super) fn have_heard_all(&self) -> bool {
        self.known.lock().links.iter().all(|linked| linked.link.has_said_all())
    }

    /// What was left for them to be written with others goes.
    pub(super) fn flush(&self) {
        self.known.lock().links.iter().for_each(|linked| linked.link.flush());
    }

    /// Who is to be dialed.
    pub(super) fn wanted(&self) -> Vec<Worker> {
        self.known.lock().wanted.keys().cloned().collect()
    }

    /// Dials a neighbour. Blocks.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn dial(&self, who: &Worker) -> Result<Stream, String> {
        let address = self.known.lock().wanted.get(who).map(|wanted| wanted.address);
        let address = address.ok_or_else(|| "nobody wants it any more".to_owned())?;
        let greeting = Greeting::Neighbour { from: self.own.clone(), to: who.clone() };
        let details = serde_json::to_vec(&greeting).map_err(|error| error.to_string())?;
        let hello = Hello::new(Plane::Calls, self.own.to_string(), details);
        let hello = hello.map_err(|error| error.to_string())?;
        let within = limits::WIRE_HANDSHAKE_WITHIN;
        dial(address, &self.token, self.tls.as_ref(), &hello, within)
            .map_err(|error| Cause::of_error(&error, "DialError").to_string())
    }

    /// A neighbour was dialed, or cannot be: whoever waits is told.
    pub(super) fn dialed(self: &Arc<Self>, who: &Worker, stream: Result<Stream, String>) {
        let mut waiting = Vec::new();
        let mut take = |known: &mut Known| {
            let wanted = known.wanted.remove(who);
            waiting = wanted.map(|wanted| wanted.waiting).unwrap_or_default();
        };
        let link = match stream {
            Ok(stream) => self.links(who, stream, |known| {
                // In its own place.
                take(known);
                known.reserve(self.number())
            }),
            Err(why) => {
                take(&mut self.known.lock());
                Err(why)
            }
        };
        if let Err(why) = &link {
            tracing::warn!(%who, "a neighbour cannot be called directly: {why}");
        }
        // Some have left.
        waiting.into_iter().for_each(|tells| _ = tells.send(link.as_ref().ok().cloned()));
    }

    /// A neighbour has come to the door (WN-1).
    ///
    /// # Errors
    /// Why it is not let in.
    pub(super) fn comes(
        self: &Arc<Self>,
        from: &Worker,
        to: &Worker,
        stream: Stream,
    ) -> Result<(), String> {
        if *to != self.own || from.job != self.own.job || *from == self.own {
            return Err(format!("{from} means {to:?}, and this is {:?}", self.own));
        }
        self.links(from, stream, |known| match known.leaves {
            true => None,
            false => known.reserve(self.number()),
        })
        .map(drop)
    }

    fn links(
        self: &Arc<Self>,
        who: &Worker,
        stream: impl Into<Channel>,
        reserve: impl FnOnce(&mut Known) -> Option<u64>,
    ) -> Result<Arc<Link>, String> {
        let number = reserve(&mut self.known.lock());
        let number = number.ok_or_else(|| {
            format!("it leaves, or has {} neighbours already", limits::NEIGHBOURS_MAX)
        })?;
        let Some(runtime) = self.runtime.upgrade() else {
            self.known.lock().opening.retain(|opening| *opening != number);
            return Err("the runtime has ended".to_owned());
        };
        let own = Arc::downgrade(self);
        let hung_up = move |cause| {
            if let Some(own) = own.upgrade() {
                own.hung_up(number, cause);
            }
        };
        let link = Link::start_between((who, self), stream, &runtime, hung_up);
        let mut known = self.known.lock();
        known.opening.retain(|opening| *opening != number);
        let link = link.map_err(|error| error.to_string())?;
        if known.early.contains(&number) {
            known.early.retain(|early| *early != number);
            drop(known);
            link.end(&Cause::message(format!("the link to {who} was cut")));
            return Err("it hung up at once".to_owned());
        }
        known.links.push(Linked { number, who: who.clone(), link: Arc::clone(&link) });
        Ok(link)
    }

    /// A link says nothing more.
    fn hung_up(&self, number: u64, cause: Cause) {
        let fallen = {
            let mut known = self.known.lock();
            let at = known.links.iter().position(|linked| linked.number == number);
            if at.is_none() && known.opening.contains(&number) {
                known.early.push(number);
            }
            at.map(|at| known.links.swap_remove(at).link)
        };
        fallen.into_iter().for_each(|link| self.end(link, cause.clone()));
    }

    /// Ends a link that is of no use any more.
    fn end(&self, link: Arc<Link>, cause: Cause) {
        tracing::info!("no direct calls any more: {cause}");
        match self.runtime.upgrade() {
            // Values are dropped and answers told there, which is the user's code.
            Some(runtime) => _ = runtime.user.spawn_blocking(move || link.end(&cause)),
            None => link.end(&cause),
        }
    }

    /// A neighbour has surely ended, and all that it has passed was handed on.
    pub(crate) fn has_ended(&self, who: &Worker) {
        let links: Vec<_> = {
            let links = &mut self.known.lock().links;
            links.extract_if(.., |linked| linked.who == *who).map(|linked| linked.link).collect()
        };
        links.iter().for_each(|link| link.waits_no_more());
        let left = {
            let mut passed = self.passed.lock();
            self.has_come.notify_all();
            passed.ended(who)
        };
        // After the lock: they may be the last counts.
        drop(left);
        let cause = Cause::message(format!("{who} has ended"));
        links.into_iter().for_each(|link| self.end(link, cause.clone()));
    }

    /// The owner has handed on what a neighbour has passed; none for what cannot be.
    pub(crate) fn has_passed(&self, from: Worker, number: u64, token: Option<RefToken>) {
        self.passed.lock().comes(from, number, token);
        self.has_come.notify_all();
    }

    /// What a neighbour has passed, once it was handed on, or `is_over` says that it will not be.
    pub(crate) fn take_passed(
        &self,
        from: &Worker,
        number: u64,
        is_over: impl Fn() -> bool,
    ) -> Option<RefToken> {
        let mut passed = self.passed.lock();
        let mut has_waited = false;
        loop {
            match passed.take(from.clone(), number, is_over()) {
                Taken::Come(token) => return token,
                Taken::Never => return None,
                Taken::NotYet => {}
            }
            if !std::mem::replace(&mut has_waited, true) {
                // What was heard before goes on meanwhile.
                MutexGuard::unlocked(&mut passed, burst::flush);
                continue;
            }
            self.has_come.wait(&mut passed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use raytree_types::{JobId, ProcessIncarnation};

    use super::*;

    fn worker(job: u64, node: usize) -> Worker {
        let node = format!("node-{node}");
        Worker { job: JobId(job), node, incarnation: ProcessIncarnation(1), life: 1 }
    }

    #[test]
    fn wn_1_wn_2_so_many_of_the_same_job_are_dialed_and_nobody_else() {
        let token = Token::random().expect("random bytes");
        let all = Arc::new(Neighbours::new(worker(1, 0), token, None, Weak::new()));
        let nowhere: SocketAddr = ([127, 0, 0, 1], 9).into();
        let asks = |who: Worker| {
            let mut link = pin!(all.link_with(&who, nowhere));
            link.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
        assert!(matches!(asks(worker(2, 1)), Poll::Ready(None)), "another job");
        for node in 1..=limits::NEIGHBOURS_MAX {
            assert!(asks(worker(1, node)).is_pending());
        }
        let one_more = worker(1, limits::NEIGHBOURS_MAX + 1);
        assert!(matches!(asks(one_more.clone()), Poll::Ready(None)));
        // Somebody who is being dialed already is waited for.
        assert!(asks(worker(1, 1)).is_pending());
        all.dialed(&worker(1, 1), Err("nobody listens there".to_owned()));
        assert!(asks(one_more).is_pending(), "there is room again");
    }
}

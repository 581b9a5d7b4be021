//! The receiver's side: what was run for whom, and what was replied.

use std::collections::BTreeMap;
use std::time::Duration;

use raytree_types::{ProcessIncarnation, limits};

use super::{Call, Caller, Refusal};

/// What the receiver's side wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered<C, T, R> {
    /// Begin this call now, and tell [`Inbox::finished`] what it replied.
    Run {
        /// For whom.
        caller: Caller<C>,
        /// Which call.
        seq: u64,
        /// What is asked.
        payload: T,
    },
    /// Send a reply, perhaps again.
    Reply {
        /// To whom.
        caller: Caller<C>,
        /// To which call.
        seq: u64,
        /// What it was.
        reply: R,
    },
    /// Send a refusal.
    Refuse {
        /// To whom.
        caller: Caller<C>,
        /// The life of the receiver that the call was for.
        to: ProcessIncarnation,
        /// Which call.
        seq: u64,
        /// Why.
        why: Refusal,
    },
}

/// What is known of one caller.
#[derive(Debug)]
struct Known<T, R> {
    incarnation: ProcessIncarnation,
    /// The next call to run.
    next: u64,
    /// The caller has the replies to all before.
    acked: u64,
    /// Calls that came before an earlier one.
    ahead: BTreeMap<u64, T>,
    /// Calls that were begun, with the reply once there is one.
    begun: BTreeMap<u64, Option<R>>,
    /// When it was said to have ended. No call of it is taken any more.
    ended: Option<Duration>,
}

impl<T, R> Known<T, R> {
    fn new(incarnation: ProcessIncarnation) -> Self {
        let (ahead, begun) = (BTreeMap::new(), BTreeMap::new());
        Self { incarnation, next: 1, acked: 1, ahead, begun, ended: None }
    }

    /// Forgets replies that the caller has.
    fn acknowledge(&mut self, acked: u64) {
        if acked > self.acked && acked <= self.next {
            self.acked = acked;
            self.begun = self.begun.split_off(&acked);
        }
    }
}

/// The calls that one life of a process receives. See the [module](super).
#[derive(Debug)]
pub struct Inbox<C, T, R> {
    me: ProcessIncarnation,
    callers: BTreeMap<C, Known<T, R>>,
}

impl<C: Clone + Ord, T, R: Clone> Inbox<C, T, R> {
    /// Nothing received yet, by this life.
    #[must_use]
    pub fn new(me: ProcessIncarnation) -> Self {
        Self { me, callers: BTreeMap::new() }
    }

    /// A call has come, at `now`. Ask [`crate::membership::Lease::may_work`] first: an isolated process takes none.
    pub fn call(
        &mut self,
        caller: Caller<C>,
        call: Call<T>,
        now: Duration,
    ) -> Vec<Delivered<C, T, R>> {
        let Call { to, seq, acked, payload } = call;
        let refuse = |caller, why| vec![Delivered::Refuse { caller, to, seq, why }];
        if to != self.me {
            let now = self.me;
            let why = if to < now { Refusal::Lost { now } } else { Refusal::NotYet { now } };
            return refuse(caller, why);
        }
        let known = match self.known(&caller, now) {
            Ok(known) => known,
            Err(why) => return refuse(caller, why),
        };
        known.acknowledge(acked);
        if seq < known.next {
            // A repetition: of one that is acknowledged, or runs, or has its reply.
            let reply = known.begun.get(&seq).cloned().flatten();
            return reply
                .map(|reply| Delivered::Reply { caller, seq, reply })
                .into_iter()
                .collect();
        }
        let limit = limits::CALLS_IN_FLIGHT_MAX;
        if seq - known.acked >= limit as u64 {
            return refuse(caller, Refusal::BeyondWindow { limit });
        }
        known.ahead.entry(seq).or_insert(payload);
        let mut ready = Vec::new();
        while let Some(payload) = known.ahead.remove(&known.next) {
            let seq = known.next;
            known.next += 1;
            known.begun.insert(seq, None);
            ready.push(Delivered::Run { caller: caller.clone(), seq, payload });
        }
        debug_assert!(known.begun.len() <= limit, "DL-4: {} replies", known.begun.len());
        ready
    }

    /// A call that was begun has replied.
    pub fn finished(&mut self, caller: Caller<C>, seq: u64, reply: R) -> Vec<Delivered<C, T, R>> {
        let known = self.callers.get_mut(&caller.name);
        let mine = known.filter(|known| known.incarnation == caller.incarnation);
        match mine.and_then(|known| known.begun.get_mut(&seq)) {
            Some(kept) if kept.is_none() => {
                *kept = Some(reply.clone());
                vec![Delivered::Reply { caller, seq, reply }]
            }
            // The caller has ended, or it was said already.
            _ => Vec::new(),
        }
    }

    /// A caller has all replies to calls before `acked`.
    pub fn acknowledged(&mut self, caller: &Caller<C>, to: ProcessIncarnation, acked: u64) {
        let known = self.callers.get_mut(&caller.name).filter(|_| to == self.me);
        if let Some(known) = known.filter(|known| known.incarnation == caller.incarnation) {
            known.acknowledge(acked);
        }
    }

    /// A caller has ended, at `now`. Its replies are dropped; that it has ended is remembered for at least
    /// [`limits::CALLER_REMEMBERED`], because calls of it may still be on their way.
    pub fn caller_ended(&mut self, caller: &Caller<C>, now: Duration) {
        if let Ok(known) = self.known(caller, now) {
            *known = Known { ended: Some(now), ..Known::new(caller.incarnation) };
        }
    }

    /// Callers that are known, at most [`limits::CALLERS_MAX`].
    #[must_use]
    pub fn callers(&self) -> usize {
        self.callers.len()
    }

    /// Replies, running calls and waiting calls that are kept for one caller; of each kind at most
    /// [`limits::CALLS_IN_FLIGHT_MAX`].
    #[must_use]
    pub fn kept(&self, name: &C) -> usize {
        self.callers.get(name).map_or(0, |known| known.begun.len() + known.ahead.len())
    }

    /// What is known of a caller that may be listened to.
    fn known(&mut self, caller: &Caller<C>, now: Duration) -> Result<&mut Known<T, R>, Refusal> {
        if !self.callers.contains_key(&caller.name) && self.callers.len() >= limits::CALLERS_MAX {
            self.callers.retain(|_, known| {
                known.ended.is_none_or(|at| now < at + limits::CALLER_REMEMBERED)
            });
            if self.callers.len() >= limits::CALLERS_MAX {
                return Err(Refusal::TooManyCallers { limit: limits::CALLERS_MAX });
            }
        }
        let name = caller.name.clone();
        let known = self.callers.entry(name).or_insert_with(|| Known::new(caller.incarnation));
        if known.incarnation < caller.incarnation {
            *known = Known::new(caller.incarnation);
        }
        if known.incarnation > caller.incarnation || known.ended.is_some() {
            return Err(Refusal::OldCaller);
        }
        Ok(known)
    }
}

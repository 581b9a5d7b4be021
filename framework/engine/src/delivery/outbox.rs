//! The caller's side: what was sent to one receiver and is not resolved.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use raytree_types::{ProcessIncarnation, limits};

use super::{Call, CallError, Refusal};

/// What the caller's side is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallInput<T, R> {
    /// Make a call.
    Call {
        /// The caller's own number of it, given back when it is resolved.
        id: u64,
        /// What is asked.
        payload: T,
        /// In how many further lives of the receiver it may run; at most [`limits::CALL_RETRIES_MAX`].
        retries: u32,
    },
    /// A reply came.
    Reply {
        /// The life of the receiver that replied.
        from: ProcessIncarnation,
        /// To which call.
        seq: u64,
        /// What it said.
        reply: R,
    },
    /// A call was refused.
    Refused {
        /// The life of the receiver that it was for.
        to: ProcessIncarnation,
        /// Which call.
        seq: u64,
        /// Why.
        why: Refusal,
    },
    /// The receiver has a later life: the earlier one was declared down.
    Moved {
        /// The life that calls go to from now on.
        to: ProcessIncarnation,
    },
    /// The receiver has ended for good.
    Ended,
    /// Time has passed.
    Tick,
}

/// What the caller's side wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Post<T, R> {
    /// Send a call.
    Send(Call<T>),
    /// Tell the receiver that all replies to calls before `acked` have come.
    Ack {
        /// The life of the receiver.
        to: ProcessIncarnation,
        /// The first number whose reply has not come.
        acked: u64,
    },
    /// A call is resolved.
    Resolved {
        /// [`CallInput::Call::id`].
        id: u64,
        /// Its reply, or why there is none.
        outcome: Result<R, CallError>,
    },
}

#[derive(Debug)]
struct Pending<T> {
    id: u64,
    payload: T,
    retries: u32,
    sent: Duration,
}

/// The calls of one process to one receiver. See the [module](super).
#[derive(Debug)]
pub struct Outbox<T> {
    to: ProcessIncarnation,
    ended: bool,
    resend_after: Duration,
    next: u64,
    pending: BTreeMap<u64, Pending<T>>,
    /// The acknowledgement that the receiver was told last.
    told: u64,
}

impl<T: Clone> Outbox<T> {
    /// Calls to this life of a receiver. What is not answered within `resend_after` is sent again: choose a few round
    /// trips, at least 1 ms.
    #[must_use]
    pub fn new(to: ProcessIncarnation, resend_after: Duration) -> Self {
        let resend_after = resend_after.max(Duration::from_millis(1));
        Self { to, ended: false, resend_after, next: 1, pending: BTreeMap::new(), told: 1 }
    }

    /// What follows from `input` at `now`.
    pub fn step<R>(&mut self, input: CallInput<T, R>, now: Duration) -> Vec<Post<T, R>> {
        let mut posts = Vec::new();
        match input {
            CallInput::Call { id, payload, retries } => {
                self.call(id, payload, retries, now, &mut posts);
            }
            CallInput::Reply { from, seq, reply } if from == self.to => {
                if let Some(pending) = self.pending.remove(&seq) {
                    posts.push(Post::Resolved { id: pending.id, outcome: Ok(reply) });
                }
            }
            // A reply of an earlier life comes too late: its call was resolved or made again when the life ended.
            CallInput::Reply { .. } => {}
            CallInput::Refused { to, seq: _, why: Refusal::Lost { now: newer } } => {
                if to == self.to && newer > self.to {
                    self.moved(newer, now, &mut posts);
                }
            }
            // It was not received. It is sent again in its time.
            CallInput::Refused { .. } => {}
            CallInput::Moved { to } if to > self.to => self.moved(to, now, &mut posts),
            CallInput::Moved { .. } => {}
            CallInput::Ended => self.end(&mut posts),
            CallInput::Tick => self.tick(now, &mut posts),
        }
        posts
    }

    /// The life that calls go to.
    #[must_use]
    pub fn receiver(&self) -> ProcessIncarnation {
        self.to
    }

    /// Calls that are not resolved, at most [`limits::CALLS_IN_FLIGHT_MAX`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// True when every call is resolved.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    fn call<R>(
        &mut self,
        id: u64,
        payload: T,
        retries: u32,
        now: Duration,
        posts: &mut Vec<Post<T, R>>,
    ) {
        let limit = limits::CALLS_IN_FLIGHT_MAX;
        // Not only the count is bounded: the receiver counts from the oldest that is not resolved.
        let full = self.next - self.acked() >= limit as u64;
        let refused = if self.ended {
            Some(CallError::Ended)
        } else if full {
            Some(CallError::Overloaded { limit })
        } else if retries > limits::CALL_RETRIES_MAX {
            Some(CallError::TooManyRetries { limit: limits::CALL_RETRIES_MAX })
        } else {
            None
        };
        match refused {
            Some(error) => posts.push(Post::Resolved { id, outcome: Err(error) }),
            None => self.post(Pending { id, payload, retries, sent: now }, posts),
        }
    }

    fn post<R>(&mut self, pending: Pending<T>, posts: &mut Vec<Post<T, R>>) {
        let seq = self.next;
        let payload = pending.payload.clone();
        self.next += 1;
        self.pending.insert(seq, pending);
        self.told = self.acked();
        posts.push(Post::Send(Call { to: self.to, seq, acked: self.told, payload }));
    }

    /// The first number whose reply has not come.
    fn acked(&self) -> u64 {
        self.pending.first_key_value().map_or(self.next, |(seq, _)| *seq)
    }

    /// Makes the calls that may be retried again, in their order (DL-2), and resolves the others (DL-3).
    fn moved<R>(&mut self, to: ProcessIncarnation, now: Duration, posts: &mut Vec<Post<T, R>>) {
        let lost = CallError::Lost { receiver: self.to };
        let old: VecDeque<Pending<T>> = std::mem::take(&mut self.pending).into_values().collect();
        (self.to, self.next, self.told) = (to, 1, 1);
        for pending in old {
            match pending.retries.checked_sub(1) {
                Some(retries) => self.post(Pending { retries, sent: now, ..pending }, posts),
                None => posts.push(Post::Resolved { id: pending.id, outcome: Err(lost) }),
            }
        }
    }

    fn end<R>(&mut self, posts: &mut Vec<Post<T, R>>) {
        self.ended = true;
        let lost = CallError::Lost { receiver: self.to };
        for (_, pending) in std::mem::take(&mut self.pending) {
            posts.push(Post::Resolved { id: pending.id, outcome: Err(lost) });
        }
    }

    fn tick<R>(&mut self, now: Duration, posts: &mut Vec<Post<T, R>>) {
        if self.ended {
            return;
        }
        let acked = self.acked();
        for (seq, pending) in &mut self.pending {
            if now >= pending.sent + self.resend_after {
                pending.sent = now;
                let payload = pending.payload.clone();
                posts.push(Post::Send(Call { to: self.to, seq: *seq, acked, payload }));
                self.told = acked;
            }
        }
        if acked > self.told {
            self.told = acked;
            posts.push(Post::Ack { to: self.to, acked });
        }
    }
}

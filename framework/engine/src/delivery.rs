//! Calls between processes over links that lose, repeat and reorder: the caller's [`Outbox`] and the receiver's
//! [`Inbox`].
//!
//! A caller numbers its calls to one receiver from 1 for each life of the receiver, and sends what is not answered
//! again. The receiver runs them in that order, each once, and keeps every reply until the caller says that it has it.
//! When the receiver is replaced, its successor knows nothing of what ran before: calls of the old life are *lost*,
//! which says that they ran once or never, unless the caller allowed retries.
//!
//! Invariants:
//! - **DL-1 (at-most-once):** a call runs at most once in one life of its receiver, and in at most as many lives as its
//!   retries allow, and one.
//! - **DL-2 (in-order):** one life of a receiver begins the calls of one life of a caller in the order in which they
//!   were made, retried ones included.
//! - **DL-3 (no-loss-without-a-word):** every call that was accepted is resolved exactly once, with its reply or in
//!   type, once its receiver answers or is declared down.
//! - **DL-4 (bounded-delivery):** calls in flight, calls that wait for an earlier one, kept replies and callers are
//!   bounded; what is beyond is refused in type, and is not counted as received.

mod inbox;
mod outbox;
#[cfg(test)]
mod tests;

use raytree_types::ProcessIncarnation;

pub use inbox::{Delivered, Inbox};
pub use outbox::{CallInput, Outbox, Post};

/// One life of a calling process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller<C> {
    /// Who, whatever its life.
    pub name: C,
    /// Which life.
    pub incarnation: ProcessIncarnation,
}

/// A call on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<T> {
    /// The life of the receiver that it is for.
    pub to: ProcessIncarnation,
    /// Its number there, from 1.
    pub seq: u64,
    /// The caller has the replies to all calls before this number.
    pub acked: u64,
    /// What is asked.
    pub payload: T,
}

/// Why a receiver does not take a call. It has not run and will not run under this number, unless it is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is for an earlier life of the receiver: that one may have run it, nobody will know.
    Lost {
        /// The life that answers.
        now: ProcessIncarnation,
    },
    /// It is for a later life than this one: the receiver has been replaced and must not run it.
    NotYet {
        /// The life that answers.
        now: ProcessIncarnation,
    },
    /// It is too far ahead of a call that has not come.
    BeyondWindow {
        /// The bound, in calls.
        limit: usize,
    },
    /// A later life of the caller is known, or this one is known to be dead.
    OldCaller,
    /// There are too many callers.
    TooManyCallers {
        /// The bound.
        limit: usize,
    },
}

/// How a call ended without a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// Its receiver ended before it answered, and no retries were left: it ran once in each life that it was sent to,
    /// or not at all.
    Lost {
        /// The last life that it was sent to.
        receiver: ProcessIncarnation,
    },
    /// It was not accepted: too many calls are in flight.
    Overloaded {
        /// The bound.
        limit: usize,
    },
    /// It was not accepted: the receiver has ended for good.
    Ended,
    /// It was not accepted: it asks for more retries than there may be.
    TooManyRetries {
        /// The bound.
        limit: u32,
    },
}

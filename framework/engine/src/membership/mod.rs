//! Which processes of a cluster are alive, and who may say so: the judge in the parent, the lease in the child.
//!
//! A parent (the head for nodes, a node for its workers) runs one [`Judge`]; every child runs one [`Lease`]. The child
//! sends numbered beats, the judge answers them. Neither reads a clock: each is told the time of its own machine.
//!
//! ```text
//! judge:  Starting ──first beat──▶ Up ◀──▶ Degraded | Suspect | Stopping ──verdict──▶ Fenced ──▶ Gone
//! child:  Joining ──answer──▶ Member ◀──▶ Isolated ──grace, or told──▶ Exited
//! ```
//!
//! **Why a lease is surely over.** A child's lease runs from when it *sent* the beat that was answered; the judge waits
//! from when it *answered* it, which is later, for the lease stretched by the drift of both clocks
//! ([`Settings::lease_surely_over`]). So no bound on the delay of messages is needed, and messages may be lost,
//! repeated or overtake each other. What is needed: a clock of a child runs also while its machine sleeps, and no
//! clock drifts by more than [`Settings::drift_max_ppm`]. The scheme is that of C. Gray and D. Cheriton, "Leases" (SOSP
//! 1989).
//!
//! **What it does not fence** are effects outside the cluster: a child that is frozen between [`Lease::may_work`] and a
//! write to a foreign database writes when it thaws. Inside the cluster [`Peers`] refuses it.
//!
//! Invariants, each with tests that cite it:
//! - **MB-1 (one-verdict):** an incarnation is convicted at most once and declared down at most once, and is never up
//!   again after either.
//! - **MB-2 (isolate-before-declare):** when an incarnation is declared down, its process is isolated by its own clock,
//!   or dead.
//! - **MB-3 (one-living):** of the processes with one name at most one may work at any moment.
//! - **MB-4 (late-judge):** time during which the judge was late, or just restarted, convicts nobody.
//! - **MB-5 (slow-is-not-dead):** whoever is heard within the deadline, has asked over a link that is not lost, and moves
//!   within [`Settings::stuck_after`] less what the delay of beats varies by, is not convicted, however slow.
//! - **MB-6 (newest-only):** every receiver refuses an older incarnation.
//! - **MB-7 (cause-of-death):** every verdict has a cause, and the declaration repeats it.
//! - **MB-8 (bounded-members):** records, remembered ends and beats under way are bounded; what is beyond is refused in
//!   type.
//! - **MB-9 (fence-first):** nothing is declared down before it has exited, is confirmed fenced, or its lease is surely
//!   over; a local process is killed first.

mod ends;
mod input;
mod join;
mod judge;
mod lease;
mod peers;
mod record;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use raytree_types::ProcessIncarnation;

pub use ends::End;
pub use input::{Effect, Fence, Input};
pub use judge::Judge;
pub use lease::{ChildEffect, ChildInput, ExitReason, Lease, Standing};
pub use peers::{Peers, Stale};
pub use settings::Settings;

/// The stable name of a child process, such as `node-2` or `node-2/worker-1`. It survives every replacement.
pub type Name = Arc<str>;

/// One life of one named child.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// Its name.
    pub name: Name,
    /// Which life.
    pub incarnation: ProcessIncarnation,
}

impl Member {
    /// This life of that name.
    #[must_use]
    pub fn new(name: Name, incarnation: ProcessIncarnation) -> Self {
        Self { name, incarnation }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.incarnation)
    }
}

/// Where a child runs, seen from its judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// On the same host, as a process that the judge's process may kill and sees end: its child, or one that has joined
    /// and of which it has a handle.
    Local,
    /// Anywhere else: it can only be waited for.
    Remote,
}

/// Which process it is, whatever it calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// A number that no other process has: drawn at random at its start, or given by the parent that started it.
    pub process: u64,
    /// How a person finds it, e.g. `10.0.0.7:6380` or `pid 4711`.
    pub address: Arc<str>,
}

/// Where a child is in its life, as its judge sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Known, and has not beaten yet. It gets no work.
    Starting,
    /// It beats and moves.
    Up,
    /// It beats, and its system runtime does not move. It gets no new work.
    Degraded,
    /// It is silent, or its link is lost. It gets no new work.
    Suspect,
    /// It was asked to stop. It gets no new work.
    Stopping,
    /// It was convicted, and may still run: nothing may take its place yet.
    Fenced,
    /// It is surely no longer at work.
    Gone,
}

/// How a process ended, as far as the operating system told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It returned this code; 0 is an end in order.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Nobody knows.
    Unknown,
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Unknown => f.write_str("an unknown status"),
        }
    }
}

/// Why a child was declared dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeathCause {
    /// Its process ended.
    Exited {
        /// How.
        status: ExitStatus,
    },
    /// Its link was lost and did not come back in time, although it may still have beaten.
    LinkLost {
        /// How long the link was gone, as the judge counts.
        after: Duration,
    },
    /// No beat came.
    Silent {
        /// For how long, as the judge counts: without the time that the judge itself was late.
        after: Duration,
    },
    /// Beats came, and its system runtime did not move.
    Stuck {
        /// For how long, as the judge counts.
        after: Duration,
    },
    /// Somebody decided that another process takes its place.
    Replaced,
}

impl fmt::Display for DeathCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { status } => write!(f, "its process ended with {status}"),
            Self::LinkLost { after } => write!(f, "its link was lost for {after:?}"),
            Self::Silent { after } => write!(f, "it was silent for {after:?}"),
            Self::Stuck { after } => write!(f, "it beat and did not move for {after:?}"),
            Self::Replaced => f.write_str("it was replaced"),
        }
    }
}

/// What a process hears that asks to join, or to go on after its link was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinAnswer {
    /// Go on as this incarnation; for a process without one this is its first.
    Continue {
        /// Which life it is.
        incarnation: ProcessIncarnation,
        /// As which it is judged, in all of this life: its lease is the one of that place.
        place: Place,
    },
    /// Exit: this life was declared dead, or is about to be, or this judge never heard of it.
    Replaced,
    /// Exit: a living process has the name, and is well.
    NameTaken {
        /// Where the one that has it is.
        holder: Arc<str>,
        /// Where the one that asked is.
        asker: Arc<str>,
    },
    /// Ask again: the last one with this name is convicted and may still run, or it is suspect or without a link, and its
    /// fate is not decided.
    Later {
        /// When it is worth asking again.
        after: Duration,
    },
    /// Exit: there are too many members.
    Full {
        /// The bound.
        limit: usize,
    },
    /// Exit: the name is not one.
    BadName {
        /// The rule.
        reason: String,
    },
}

//! When a node is short of memory, and what follows from that: first nothing new begins; where that does not help, processes
//! are ended one after the other, the one that costs least first.
//!
//! ```text
//!  0                         resume        limit   urgent     total
//!  ├────────── calm ───────────┼─── refuse ──┼───────┼─ end now ─┤
//!                   goes on below        refuse, and end
//!                                      after `patience`
//! ```
//!
//! The *limit* is a share of all there is. From there on the node refuses, until less than the *resume* line is in use. Above the
//! limit it has `patience` with what runs, and more as long as its store goes to disk; above the *urgent* line it has none. Then it
//! ends one process, waits until the memory of that is given back, and looks again.
//!
//! Invariants:
//! - **MW-1 (refuse-first):** a process is ended only at a reading after one at which the node has refused already.
//! - **MW-2 (cheapest-first):** isolated processes before shared workers; of those the idle, then what can be run again, then the
//!   newest; of shared workers the largest.
//! - **MW-3 (one-at-a-time):** as long as one that was told to end is still there, and its grace is not over, no other is ended.
//! - **MW-4 (worth-it):** none is ended that has so little that its end would change nothing.
//! - **MW-5 (steady):** a node that refuses goes on only below the resume line.
//! - **MW-7 (disk-first):** below the urgent line nothing is ended while the store writes to disk, nor for `patience` after that; but after
//!   [`PATIENCE_WITH_DISKS`].

mod order;
#[cfg(test)]
mod tests;

use std::time::Duration;

use raytree_types::Error;

pub use order::{Kind, Process, first};

/// Above the limit for so long, a node ends a process. What runs may be about to end by itself.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// And for so long even while its store writes to disk: a slow one takes gigabytes in that time, and one that hangs may hang for ever.
pub const PATIENCE_WITH_DISKS: Duration = Duration::from_secs(15);

/// So long the next one waits for a process that was killed and does not go: it hangs in the kernel. Giving back tens of gigabytes
/// takes a second or two.
pub const GRACE: Duration = Duration::from_secs(5);

/// So far below the limit, as a part of it, a node goes on: one that did so at the limit would refuse again at once.
pub const RESUME_PART: u64 = 20;

/// And at most so many bytes below it: on a large machine a twentieth is a program of its own. Ray's figure.
pub const RESUME_BYTES_MAX: u64 = 3 << 30;

/// The bounds of a node's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The limit, in thousandths of all memory: 100 to 1000. At 1000 nothing is ever refused.
    pub refuse_at: u64,
}

/// How much memory of a node is in use, in bytes: of its machine, or of its control group, whichever is tighter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What cannot be had any more without taking it from somebody.
    pub used: u64,
    /// All there is; 0 where nobody says.
    pub total: u64,
}

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} bytes of memory are in use", self.used, self.total)
    }
}

/// A node that is short of memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortage {
    /// What is in use.
    pub used: u64,
    /// All there is.
    pub total: u64,
    /// The limit that was passed.
    pub limit: u64,
}

impl Shortage {
    /// Without the limit.
    #[must_use]
    pub fn reading(self) -> Reading {
        Reading { used: self.used, total: self.total }
    }

    /// What callers of something are told that was in a process which was ended for memory, and had `own` bytes.
    #[must_use]
    pub fn error(self, process: impl Into<String>, own: u64) -> Error {
        let Self { used, total, limit } = self;
        Error::OutOfMemory { process: process.into(), used, total, limit, own }
    }
}

impl std::fmt::Display for Shortage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, where {} is the limit", self.reading(), self.limit)
    }
}

/// What a node does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// All it is asked for.
    Calm,
    /// It begins nothing new.
    Refuse(Shortage),
    /// It begins nothing new, and ends this process.
    End(Shortage, Process),
}

/// Decides for one node, reading by reading.
#[derive(Clone, Debug)]
pub struct Watch {
    settings: Settings,
    refuses: bool,
    /// Since when all readings were above the limit.
    above_since: Option<Duration>,
    /// Which process was told to end last, and when.
    ending: Option<(u32, Duration)>,
    /// At which reading the store wrote to disk last.
    spilled: Option<Duration>,
    /// It does now.
    spills: bool,
}

impl Watch {
    /// For a node that is not short of memory, as far as is known.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let (above_since, ending, spilled) = Default::default();
        Self { settings, refuses: false, above_since, ending, spilled, spills: false }
    }

    /// Whether the store of the node writes to disk what nobody looks at, as it was just before the next reading.
    pub fn store_spills(&mut self, spills: bool) {
        self.spills = spills;
    }

    /// The process that was told to end last, and was there at the last reading: whoever reads next has to know whether it still is.
    #[must_use]
    pub fn ending(&self) -> Option<u32> {
        self.ending.map(|(process, _)| process)
    }

    /// So much is in use that it matters which processes there are.
    #[must_use]
    pub fn is_above(&self, reading: Reading) -> bool {
        reading.used > self.lines(reading.total).limit
    }

    /// One more reading, with all processes that could be ended. `is_there`: the one that was told to [end](Self::ending) still is.
    pub fn read(
        &mut self,
        reading: Reading,
        processes: &[Process],
        is_there: bool,
        now: Duration,
    ) -> Decision {
        if self.ending.is_some() && !is_there {
            self.ending = None;
        }
        let Lines { resume, limit, urgent } = self.lines(reading.total);
        let Reading { used, total } = reading;
        if used <= limit {
            self.above_since = None;
            self.refuses &= used >= resume;
            let shortage = Shortage { used, total, limit };
            return if self.refuses { Decision::Refuse(shortage) } else { Decision::Calm };
        }
        let shortage = Shortage { used, total, limit };
        // MW-1
        let has_refused = std::mem::replace(&mut self.refuses, true);
        let since = *self.above_since.get_or_insert(now);
        if self.spills {
            self.spilled = Some(now);
        }
        let long = |since: Duration, patience| now.saturating_sub(since) >= patience;
        // Its memory is given back after that.
        let waits_from = self.spilled.map_or(since, |spilled| spilled.max(since));
        let is_time =
            long(waits_from, PATIENCE) || long(since, PATIENCE_WITH_DISKS) || used > urgent;
        let is_waiting = self.ending.is_some_and(|(_, at)| now.saturating_sub(at) < GRACE);
        if !has_refused || !is_time || is_waiting {
            return Decision::Refuse(shortage);
        }
        // One that does not go in its grace is not told again.
        let hangs = self.ending();
        let others = processes.iter().filter(|one| Some(one.id) != hangs);
        match first(others, total) {
            Some(process) => {
                self.ending = Some((process.id, now));
                Decision::End(shortage, *process)
            }
            None => Decision::Refuse(shortage),
        }
    }

    fn lines(&self, total: u64) -> Lines {
        let share = u128::from(total) * u128::from(self.settings.refuse_at.min(1000)) / 1000;
        // No more than the total, which is one.
        let limit = u64::try_from(share).unwrap_or(total);
        let below = (limit / RESUME_PART).min(RESUME_BYTES_MAX);
        Lines { resume: limit - below, limit, urgent: limit + (total - limit) / 2 }
    }
}

/// Of so much memory, in bytes.
struct Lines {
    resume: u64,
    limit: u64,
    urgent: u64,
}

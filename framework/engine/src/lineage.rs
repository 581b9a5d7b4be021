//! Whether an object whose bytes are lost is made again, and how much is kept for that.
//!
//! What a task needs to run again is its *lineage*: it is kept with its result, for as long as somebody holds that, or holds what was made
//! of it. [`decide`] says what is to be done when the bytes of an object are lost; [`Books`] say whose lineage is given up when too much is
//! kept.
//!
//! Invariants:
//! - **LG-1 (within-its-retries):** a task runs again for a lost result only as often as its retries allow, those included that the loss of
//!   its worker has cost.
//! - **LG-2 (bounded):** after every step what is kept is within the bound, and whose lineage is given up is older than all whose is kept.
//! - **LG-3 (told-once):** whatever is entered is either kept, or left, or named once as given up.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use raytree_types::{Unrebuilt, limits};

use crate::task::{Retries, Task};

/// Where an object came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was put.
    Put,
    /// It was made where no task is kept.
    Unknown,
    /// An actor's method has answered it.
    Method,
    /// It is another process's.
    Borrowed {
        /// Whose.
        owner: String,
        /// That one can be asked.
        is_there: bool,
        /// How often it was asked again already.
        asked: u32,
    },
    /// A task has made it.
    Task {
        /// The task at its end.
        task: Task,
        /// How often it may run again.
        retries: Retries,
        /// What is there of its lineage.
        lineage: Lineage,
    },
}

/// What is there of the lineage of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lineage {
    /// All that is needed.
    Kept,
    /// It cannot be kept: of what is in its arguments.
    Cannot,
    /// It was given up for others, with this bound on the bytes of all; with 0 none is kept.
    GivenUp {
        /// In bytes.
        bound: u64,
    },
}

/// What is to be done about an object whose bytes are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Its task runs again.
    Run,
    /// Its owner is asked for it.
    Ask,
}

/// What is to be done about an object whose bytes are lost.
///
/// # Errors
/// Why nothing can be done.
pub fn decide(origin: &Origin) -> Result<Way, Unrebuilt> {
    match origin {
        Origin::Put => Err(Unrebuilt::Put),
        Origin::Unknown => Err(Unrebuilt::NotKept),
        Origin::Method => Err(Unrebuilt::ActorResult),
        Origin::Borrowed { owner, is_there, asked } => {
            if *is_there && *asked < limits::BORROWED_AGAIN_MAX {
                return Ok(Way::Ask);
            }
            Err(Unrebuilt::Borrowed { owner: owner.clone() })
        }
        Origin::Task { task, retries, lineage } => {
            // What the program has said of its task comes first, then what became of it.
            if retries.lost == 0 {
                return Err(Unrebuilt::RetriesDisabled);
            }
            if *lineage == (Lineage::GivenUp { bound: 0 }) {
                return Err(Unrebuilt::LineageOff);
            }
            if !task.may_be_rebuilt(*retries) {
                return Err(Unrebuilt::RetriesUsedUp { runs: task.run() + 1 });
            }
            match lineage {
                Lineage::Kept => Ok(Way::Run),
                Lineage::Cannot => Err(Unrebuilt::NotKept),
                Lineage::GivenUp { bound } => Err(Unrebuilt::LineageGivenUp { bound: *bound }),
            }
        }
    }
}

/// How much of lineages is kept, and of whom.
#[derive(Debug)]
pub struct Books {
    bound: u64,
    /// By number, so by age.
    kept: BTreeMap<u64, u64>,
    bytes: u64,
    next: u64,
}

impl Books {
    /// So many bytes may be kept; with 0 nothing is.
    #[must_use]
    pub fn new(bound: u64) -> Self {
        Self { bound, kept: BTreeMap::new(), bytes: 0, next: 0 }
    }

    /// How many bytes may be kept.
    #[must_use]
    pub fn bound(&self) -> u64 {
        self.bound
    }

    /// How many bytes are kept.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// One more, of so many bytes: its number, and the numbers of those that are given up for it, the oldest first. One that is larger than
    /// all that may be kept is given up itself.
    pub fn enter(&mut self, bytes: u64) -> (u64, Vec<u64>) {
        let number = self.next;
        self.next += 1;
        if bytes > self.bound {
            // Nobody else has to go for what cannot be kept in any case.
            return (number, vec![number]);
        }
        self.kept.insert(number, bytes);
        self.bytes += bytes;
        let mut given_up = Vec::new();
        while self.bytes > self.bound
            && let Some((oldest, bytes)) = self.kept.pop_first()
        {
            self.bytes -= bytes;
            given_up.push(oldest);
        }
        (number, given_up)
    }

    /// Nobody holds it any more. Nothing where it was given up.
    pub fn leave(&mut self, number: u64) {
        self.bytes -= self.kept.remove(&number).unwrap_or(0);
    }
}

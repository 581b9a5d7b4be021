//! What there is, as lists: tasks, actors and objects, with filters and limits; and the timeline of what has run.
//!
//! Every process knows its own: a task is listed by the process that submitted it, an actor by the one that decides on its lives,
//! an object by the one that holds its value. A list of a whole cluster is theirs, merged. Where a list is cut, or a history has
//! dropped its oldest entries, it says so.

mod actor;
mod listing;
mod object;
mod order;
mod query;
mod task;
mod trace;

pub use actor::ActorRecord;
pub use listing::{Count, Listing, Summary};
pub use object::{ObjectPlace, ObjectRecord, ObjectState};
pub use order::{Key, Sort, natural};
pub use query::{BadQuery, Filter, StateQuery, What};
pub use task::{TaskKind, TaskRecord, TaskState};
pub use trace::{ProcessTrace, Span, SpanKind, Trace, TraceQuery};

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// One line of a list.
pub trait Record: Clone + fmt::Debug + Serialize + DeserializeOwned + Send + 'static {
    /// What it is called, e.g. `task`.
    const NAME: &'static str;
    /// Its columns, in the order in which they are shown.
    const COLUMNS: &'static [&'static str];
    /// Those of them that are whole numbers.
    const NUMBERS: &'static [&'static str];

    /// What stands in the column with this name; nothing for a name that is none, or where nothing is known.
    fn cell(&self, column: &str) -> String;

    /// What it is sorted by in this column at this time since 1970; nothing where the column is empty.
    fn key(&self, column: &str, _now: Duration) -> Option<Key> {
        Key::of(self, column)
    }

    /// The order of a list: those that matter most first, so that a cut list has them.
    fn rank(&self, other: &Self) -> Ordering;

    /// What a summary counts them by.
    fn group(&self) -> (String, String);
}

/// A list of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rows {
    /// Of tasks.
    Tasks(Listing<TaskRecord>),
    /// Of actors.
    Actors(Listing<ActorRecord>),
    /// Of objects.
    Objects(Listing<ObjectRecord>),
}

impl Rows {
    /// An empty list of this kind.
    #[must_use]
    pub fn none(what: What) -> Self {
        match what {
            What::Tasks => Self::Tasks(Listing::default()),
            What::Actors => Self::Actors(Listing::default()),
            What::Objects => Self::Objects(Listing::default()),
        }
    }

    /// Takes in what another process says; false, and nothing is taken in, when that is a list of something else.
    #[must_use]
    pub fn join(&mut self, other: Self, query: &StateQuery) -> bool {
        match (self, other) {
            (Self::Tasks(own), Self::Tasks(other)) => own.join(other, query),
            (Self::Actors(own), Self::Actors(other)) => own.join(other, query),
            (Self::Objects(own), Self::Objects(other)) => own.join(other, query),
            _ => return false,
        }
        true
    }

    /// One process is not in it.
    pub fn misses(&mut self, missing: crate::inspect::Missing) {
        match self {
            Self::Tasks(list) => list.missing.push(missing),
            Self::Actors(list) => list.missing.push(missing),
            Self::Objects(list) => list.missing.push(missing),
        }
    }
}

//! Objects.

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Key, Record};

/// How an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectState {
    /// There is no value yet.
    Pending,
    /// There is a value.
    Ready,
    /// There will be none.
    Failed,
}

impl fmt::Display for ObjectState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Failed => "failed",
        })
    }
}

/// Where the value of an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectPlace {
    /// In the memory of the process that has it, and nowhere else.
    Heap,
    /// What is large of it is in the store of a node. That process may have a copy besides.
    Store,
    /// As in a store, but a part of that is on disk for now.
    Disk,
    /// What is large of it is in the store of another node, from which nobody here has fetched it. Or all of it is in another process, and
    /// this one has no more than a reference: that process lists it, and this one does not.
    Elsewhere,
}

impl fmt::Display for ObjectPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Heap => "heap",
            Self::Store => "store",
            Self::Disk => "disk",
            Self::Elsewhere => "elsewhere",
        })
    }
}

/// An object that is still to come, that lies in the store of a node, or that other processes hold. One that has its value, on its
/// heap, and that one process alone has, is a value in the memory of its program like any other, and is not listed.
///
/// What two processes have of one value in a store, because one has fetched it from the other, is an object of each, and listed twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRecord {
    /// What makes it, or made it.
    pub name: String,
    /// How it stands.
    pub state: ObjectState,
    /// The task that is to make it, or the actor, by its id: why it is not there is why that is as it is. Nothing once it is there, and where
    /// another process knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// How many other processes hold it.
    #[serde(default)]
    pub holders: u64,
    /// Which, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_by: Vec<String>,
    /// How many wait for it: those who await it, and tasks and calls that cannot begin without it.
    #[serde(default)]
    pub waiters: u64,
    /// The process that has it, or will: its owner.
    pub pid: u32,
    /// That process by name: that of a program, or as in `held_by`. Empty where an older version says nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// What it takes in a store, here or elsewhere, or on disk, in bytes: its parts of
    /// [`STORE_INLINE_MAX`](crate::limits::STORE_INLINE_MAX) and more. Of what is on a heap nobody knows how large it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Where its value is; nowhere while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<ObjectPlace>,
    /// The node of a cluster in whose store it lies: by name, or, where it is elsewhere, by the address at which that node gives objects to
    /// others. A program with nodes of its own has one store for all, which has no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// How many references there are in the process of its owner: in variables, in arguments, and those kept for other processes.
    #[serde(default)]
    pub references: u64,
    /// How many look at its bytes in that process, and so keep them in the memory of the store: values that were read and are still
    /// there, and messages under way.
    #[serde(default)]
    pub pins: u64,
    /// How many tasks that are not over, and calls that are still to begin, have it as an argument, as its owner knows; one that has it twice
    /// counts twice.
    #[serde(default)]
    pub used_by: u64,
    /// Since when it is listed, since 1970: when its task was submitted, or, for others, when it was laid into a store or first held for
    /// another process. Nothing for an answer of an actor that is still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Duration>,
    /// The line that made it, as `file:line`: where `put`, a remote function or a method was called. Not known of what was fetched from
    /// another process, or made for one, nor where the function was passed on as a value: `map(|x| f::remote(x))` has a line, and
    /// `map(f::remote)` none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_site: Option<String>,
}

impl ObjectRecord {
    /// An object of which nothing but this is known yet.
    #[must_use]
    pub fn new(name: impl Into<String>, state: ObjectState, pid: u32) -> Self {
        Self {
            name: name.into(),
            state,
            made_by: None,
            holders: 0,
            held_by: Vec::new(),
            waiters: 0,
            pid,
            owner: String::new(),
            size: None,
            place: None,
            store: None,
            references: 0,
            pins: 0,
            used_by: 0,
            since: None,
            call_site: None,
        }
    }

    /// How long it has been listed at this time since 1970.
    #[must_use]
    pub fn age(&self, now: Duration) -> Option<Duration> {
        self.since.map(|since| now.saturating_sub(since))
    }
}

impl Record for ObjectRecord {
    const NAME: &'static str = "object";
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "state",
        "held_by",
        "waiters",
        "pid",
        "holders",
        "size",
        "place",
        "store",
        "owner",
        "references",
        "pins",
        "used_by",
        "call_site",
        "made_by",
    ];
    const NUMBERS: &'static [&'static str] =
        &["waiters", "pid", "holders", "size", "references", "pins", "used_by"];

    fn cell(&self, column: &str) -> String {
        match column {
            "name" => self.name.clone(),
            "state" => self.state.to_string(),
            "holders" => self.holders.to_string(),
            "held_by" => self.held_by.join(", "),
            "waiters" => self.waiters.to_string(),
            "pid" => self.pid.to_string(),
            "owner" => self.owner.clone(),
            "size" => self.size.map_or_else(String::new, |size| size.to_string()),
            "place" => self.place.map_or_else(String::new, |place| place.to_string()),
            "store" => self.store.clone().unwrap_or_default(),
            "references" => self.references.to_string(),
            "pins" => self.pins.to_string(),
            "used_by" => self.used_by.to_string(),
            "call_site" => self.call_site.clone().unwrap_or_default(),
            "made_by" => self.made_by.clone().unwrap_or_default(),
            _ => String::new(),
        }
    }

    fn key(&self, column: &str, now: Duration) -> Option<Key> {
        match column {
            "age" => self.age(now).map(|age| Key::Number(age.as_nanos())),
            _ => Key::of(self, column),
        }
    }

    fn rank(&self, other: &Self) -> Ordering {
        let key = |one: &Self| {
            (one.state, std::cmp::Reverse(one.waiters), std::cmp::Reverse(one.size), one.pid)
        };
        key(self).cmp(&key(other)).then_with(|| self.name.cmp(&other.name))
    }

    fn group(&self) -> (String, String) {
        (self.name.clone(), self.state.to_string())
    }
}

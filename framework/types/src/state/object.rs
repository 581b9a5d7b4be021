//! Objects.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Record;

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

/// An object that is still to come, or that other processes hold. One that has its value, and that one process alone has, is a
/// value in the memory of its program like any other, and is not listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRecord {
    /// What makes it, or made it.
    pub name: String,
    /// How it stands.
    pub state: ObjectState,
    /// How many other processes hold it.
    #[serde(default)]
    pub holders: u64,
    /// Which, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_by: Vec<String>,
    /// How many wait for it.
    #[serde(default)]
    pub waiters: u64,
    /// The process that has it, or will.
    pub pid: u32,
}

impl Record for ObjectRecord {
    const NAME: &'static str = "object";
    const COLUMNS: &'static [&'static str] =
        &["name", "state", "held_by", "waiters", "pid", "holders"];
    const NUMBERS: &'static [&'static str] = &["waiters", "pid", "holders"];

    fn cell(&self, column: &str) -> String {
        match column {
            "name" => self.name.clone(),
            "state" => self.state.to_string(),
            "holders" => self.holders.to_string(),
            "held_by" => self.held_by.join(", "),
            "waiters" => self.waiters.to_string(),
            "pid" => self.pid.to_string(),
            _ => String::new(),
        }
    }

    fn rank(&self, other: &Self) -> Ordering {
        let key = |one: &Self| (one.state, std::cmp::Reverse(one.waiters), one.pid);
        key(self).cmp(&key(other)).then_with(|| self.name.cmp(&other.name))
    }

    fn group(&self) -> (String, String) {
        (self.name.clone(), self.state.to_string())
    }
}

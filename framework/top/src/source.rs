//! What is looked at: one moment of a cluster, and who gives it.

use std::time::Duration;

use raytree_types::inspect::{ActorDetail, Event, Story, TreeRow, Waits};

/// Who is asked. All questions are put by one thread of their own, one after the other: an answer may take long, and keys are
/// heard in the meantime.
///
/// A *path* is the names from the top row down, joined by `/`. A single top row is not named in it (`gcs/membership`), except as
/// the path of itself (`raytree`); with several top rows the path begins with one of them.
///
/// Every error is a sentence for the screen.
pub trait Source {
    /// This moment.
    ///
    /// # Errors
    /// Why there is no answer. What was seen last stays on the screen.
    fn look(&mut self) -> Result<Moment, String>;

    /// All there is to say of one actor.
    ///
    /// # Errors
    /// Why there is no answer.
    fn detail(&mut self, path: &str) -> Result<ActorDetail, String>;

    /// Why it is as it is, the root cause first.
    ///
    /// # Errors
    /// Why there is no answer.
    fn why(&mut self, path: &str) -> Result<Story, String>;

    /// Who waits for whom.
    ///
    /// # Errors
    /// Why there is no answer.
    fn waits(&mut self) -> Result<Waits, String>;

    /// The last `lines` lines that it has written, the newest last.
    ///
    /// # Errors
    /// Why there is no answer.
    fn logs(&mut self, path: &str, lines: usize) -> Result<Vec<String>, String>;

    /// What would be lost if an actor were killed, one thing each. Nothing is done.
    ///
    /// # Errors
    /// Why it cannot be killed.
    fn losses(&mut self, path: &str) -> Result<Vec<String>, String>;

    /// Ends an actor at once, and says in one sentence what was done.
    ///
    /// # Errors
    /// Why it was not done.
    fn kill(&mut self, path: &str) -> Result<String, String>;
}

/// One moment of a cluster, or of one program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moment {
    /// When this was so, since 1970. Rates are differences between two moments, divided by the time between them.
    pub captured_at: Duration,
    /// How long the top of the tree has existed.
    pub uptime: Duration,
    /// What stands above the tree, where it is known.
    pub summary: Option<Summary>,
    /// The tree: parents before their children, each row with its depth.
    pub rows: Vec<TreeRow>,
    /// Entries of the supervision log, in any order. New ones are enough: those that were told before are recognised.
    pub events: Vec<Event>,
    /// Rows that did not fit.
    pub more: u64,
}

/// A cluster in a few numbers. What is not known is not shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Who is looked at, e.g. `head 10.0.0.1:6379`.
    pub address: Option<String>,
    /// Its nodes.
    pub nodes: Option<Nodes>,
    /// What it has, e.g. CPUs, in the order in which it is shown.
    pub resources: Vec<Usage>,
    /// Its tasks.
    pub tasks: Option<Tasks>,
    /// The memory of its objects.
    pub store: Option<Store>,
}

/// How many nodes there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    /// Those that beat and move.
    pub up: usize,
    /// All of them.
    pub total: usize,
}

/// How much of a resource is taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Its name, e.g. `CPU`.
    pub name: String,
    /// What is taken of it.
    pub used: f64,
    /// All of it.
    pub total: f64,
}

/// How many tasks there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tasks {
    /// Those that run.
    pub running: u64,
    /// Those that wait for arguments, resources or a place.
    pub queued: u64,
}

/// How much memory objects take, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Store {
    /// What they take.
    pub used: u64,
    /// What they may take.
    pub total: u64,
}

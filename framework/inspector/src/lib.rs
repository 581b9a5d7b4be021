//! The inspector: lets a process of the same user look at a supervision tree, through a unix socket.
//!
//! Whoever has a tree to show ([`Inspected`]: a program's runtime, a head, a node) keeps a [`Door`] and calls [`start`] once
//! it is up. The socket belongs to the door, the conversation to an actor below the root; reading the tree asks no actor
//! ([`walk`]). What is said over the socket is `raytree_types::inspect`.

mod actor;
mod answer;
mod checkup;
pub mod chrome;
pub mod client;
mod door;
mod ending;
mod events;
#[cfg(test)]
mod fakes;
mod lists;
mod logs;
mod near;
mod owners;
mod process;
mod search;
mod session;
mod socket;
mod story;
mod stream;
mod waits;
mod walk;
mod whole;
mod why;

use std::sync::{Arc, Weak};
use std::time::Duration;

use raytree_supervise::{Addr, ChildSpec, Probe, Root, SupervisorMsg};
use raytree_types::inspect::{
    Circle, LogQuery, LogText, Refused, Selection, StoreRow, Story, TreeRows, Wait,
};
use raytree_types::state::{Rows, Span, StateQuery};
use raytree_types::{ActorId, JobId, RuntimeId, limits};

use actor::Inspector;
pub use answer::{Said, Talk, ask_here};
pub use client::Feed;
pub use door::Door;
pub use logs::Whose;
pub use process::program;
pub use stream::{StreamLine, answer_over};
pub use waits::to_give_up;
pub use walk::{Branch, walk};

/// What can be looked at. Asked on any thread, while everything else goes on.
pub trait Inspected: Send + Sync + 'static {
    /// Which runtime of its process it is.
    fn id(&self) -> RuntimeId;

    /// Its socket.
    fn door(&self) -> &Arc<Door>;

    /// The root of the physical tree.
    fn root(&self) -> Arc<Probe>;

    /// Where the head of its cluster listens, if it is part of one.
    fn cluster(&self) -> Option<String>;

    /// The story of something that has no place in the tree, by its id or name: an actor that waits for resources.
    fn explains(&self, _which: &str) -> Option<Story> {
        None
    }

    /// The job that it works for, on a cluster.
    fn job(&self) -> Option<JobId> {
        None
    }

    /// The object store of its node, where that is in this process.
    fn store(&self) -> Option<StoreRow> {
        None
    }

    /// Which actors wait for answers of which.
    fn waits(&self) -> Vec<Wait> {
        Vec::new()
    }

    /// How many abandoned threads it has, and how many are too many; none where no code of users runs.
    fn abandoned(&self) -> Option<(u64, u64)> {
        None
    }

    /// Its own tasks, actors or objects.
    fn lists(&self, query: &StateQuery) -> Rows {
        Rows::none(query.what)
    }

    /// The bodies of tasks that it has run, or runs, and how many were forgotten.
    fn ran(&self) -> (Vec<Span>, u64) {
        (Vec::new(), 0)
    }

    /// The calls that are awaited so fail, as long as they still are; how many that were.
    fn gives_up(&self, _circle: &Circle) -> u64 {
        0
    }

    /// How an actor of users is ended for good, if it is this process that decides on its lives.
    fn ends(&self, _id: ActorId) -> Option<End> {
        None
    }

    /// The names of the actors that one of users owns, and of those below them, as far as they are known here: they end with each of
    /// its lives.
    fn owns(&self, _id: ActorId) -> Vec<String> {
        Vec::new()
    }

    /// What this process, or one that it has started, has written, as far as it is kept.
    ///
    /// # Errors
    /// [`Refused::NoLog`] with the reason.
    fn log(&self, _whose: Whose<'_>, _query: &LogQuery) -> Result<LogText, Refused> {
        let who = format!("the {}", self.door().role());
        Err(Refused::NoLog { who, reason: "it writes to where it was started".to_owned() })
    }

    /// How the logical tree is read; none where no actors of users live.
    fn owners(&self) -> Option<Owners>;
}

/// Ends an actor of users for good, at once.
pub type End = Box<dyn FnOnce() + Send>;

/// Reads the selected rows of a logical tree, those alone that fit into so many bytes. It must not hold up who made it.
pub type Owners = Box<dyn FnOnce(&Selection, usize) -> Result<TreeRows, Refused> + Send>;

/// What the process has written in which somebody lives, below what is inspected. Blocks, at most so long.
///
/// # Errors
/// Why there is no answer.
pub fn read_log(
    inspected: &Weak<dyn Inspected>,
    query: &LogQuery,
    within: Duration,
) -> Result<LogText, Refused> {
    let root = inspected.upgrade().map(|held| held.root());
    let gone = || Refused::NoSuchPath { path: query.which.clone(), near: Vec::new() };
    logs::of(inspected, &root.ok_or_else(gone)?, query, within)
}

/// Adds the inspector to a tree that is up, if there is to be one. Returns at once.
pub fn start<T: Inspected>(root: &Root, inspected: &Arc<T>) {
    if !inspected.door().is_wanted() {
        return;
    }
    let weak: Weak<dyn Inspected> = Arc::downgrade(inspected) as Weak<dyn Inspected>;
    let addr = Addr::system::<Inspector>("inspector");
    let spec = ChildSpec::actor::<Inspector>(&addr, move || weak.clone())
        .own_restarts(limits::INSPECT_RESTARTS_MAX);
    // Refused only when the whole tree has ended already.
    _ = root.addr().cast(SupervisorMsg::StartChild(Box::new(spec)));
}

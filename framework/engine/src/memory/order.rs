//! Which process is ended first.

use std::cmp::Reverse;
use std::time::Duration;

/// The least part of a node's memory that an isolated process has to have to be worth ending: a hundredth.
pub(super) const ISOLATED_WORTH_PART: u64 = 100;

/// The least part that a shared worker has to have: with it goes everything that runs in it.
pub(super) const SHARED_WORTH_PART: u64 = 20;

/// What a process is to its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It has one task or one actor.
    Isolated,
    /// Tasks and actors of a whole program share it.
    Shared,
}

/// A process that can be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// The operating system's number.
    pub id: u32,
    /// What it is.
    pub kind: Kind,
    /// It does nothing that anybody waits for, whatever state it keeps. Where that is not known, as of a detached actor, it is at work.
    pub is_idle: bool,
    /// What it does may be done again, somewhere else or later.
    pub is_retriable: bool,
    /// For how long it has been there.
    pub age: Duration,
    /// Bytes of memory that are its own.
    pub own: u64,
}

/// The one to end first on a node with so much memory (MW-2); none where none is worth it (MW-4).
pub fn first<'a>(
    processes: impl IntoIterator<Item = &'a Process>,
    total: u64,
) -> Option<&'a Process> {
    processes.into_iter().filter(|one| is_worth_it(one, total)).min_by_key(|one| rank(one))
}

fn is_worth_it(process: &Process, total: u64) -> bool {
    let part = match process.kind {
        Kind::Isolated => ISOLATED_WORTH_PART,
        Kind::Shared => SHARED_WORTH_PART,
    };
    process.own > 0 && process.own >= total / part
}

/// What is least is ended first. The number of the process makes it one order.
fn rank(process: &Process) -> impl Ord + use<> {
    let Process { id, kind, is_idle, is_retriable, age, own } = *process;
    let cost = match kind {
        Kind::Isolated => (!is_idle, !is_retriable, age, Reverse(own)),
        Kind::Shared => (false, false, Duration::ZERO, Reverse(own)),
    };
    (kind, cost, age, Reverse(id))
}

//! Gates: how tests hold bodies up, let them go and count them. Remote functions know them by number.

use std::future::Future;
use std::sync::mpsc::sync_channel;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;

use raytree::Runtime;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::support::{GENEROUS, until};

/// What is known of a gate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Book {
    pub(crate) open: bool,
    /// Bodies that have come to it.
    pub(crate) begun: usize,
    /// Those that have come and not left, and the most there ever were.
    pub(crate) inside: usize,
    pub(crate) peak: usize,
    /// Those that have left it, by going on or by being dropped.
    pub(crate) left: usize,
    /// Values that carry it: made, cloned, freed.
    pub(crate) made: usize,
    pub(crate) clones: usize,
    pub(crate) freed: usize,
}

#[derive(Default)]
struct State {
    book: Mutex<Book>,
    changed: Condvar,
    notify: Notify,
}

/// A gate, by its number: a value like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Gate(usize);

static GATES: LazyLock<Mutex<Vec<&'static State>>> = LazyLock::new(Mutex::default);

impl Gate {
    /// A closed one.
    pub(crate) fn new() -> Self {
        let mut gates = GATES.lock().unwrap_or_else(PoisonError::into_inner);
        gates.push(Box::leak(Box::default()));
        Self(gates.len() - 1)
    }

    fn state(self) -> &'static State {
        GATES.lock().unwrap_or_else(PoisonError::into_inner)[self.0]
    }

    fn lock(self) -> MutexGuard<'static, Book> {
        self.state().book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn book(self) -> Book {
        *self.lock()
    }

    pub(crate) fn change(self, change: impl FnOnce(&mut Book)) {
        change(&mut self.lock());
        self.state().changed.notify_all();
        self.state().notify.notify_waiters();
    }

    pub(crate) fn open(self) {
        self.change(|book| book.open = true);
    }

    /// Counts a body until the guard is dropped.
    pub(crate) fn enter(self) -> Inside {
        self.change(|book| {
            book.begun += 1;
            book.inside += 1;
            book.peak = book.peak.max(book.inside);
        });
        Inside(self)
    }

    /// Blocks this thread until the gate is open; lends nothing.
    pub(crate) fn pass_blocking(self) {
        let _inside = self.enter();
        self.await_blocking(|book| book.open);
    }

    pub(crate) fn await_blocking(self, condition: impl Fn(&Book) -> bool) {
        let mut book = self.lock();
        while !condition(&book) {
            book = self.state().changed.wait(book).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) async fn pass(self) {
        let _inside = self.enter();
        self.until(|book| book.open).await;
    }

    pub(crate) async fn until(self, condition: impl Fn(&Book) -> bool) {
        loop {
            let changed = self.state().notify.notified();
            if condition(&self.book()) {
                return;
            }
            changed.await;
        }
    }

    /// Until so many bodies have come.
    pub(crate) async fn begun(self, bodies: usize) {
        self.until(|book| book.begun >= bodies).await;
    }
}

/// A body that has come to a gate.
pub(crate) struct Inside(Gate);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.change(|book| {
            book.inside -= 1;
            book.left += 1;
        });
    }
}

/// A value that tells its gate of its making, cloning and freeing.
#[derive(Debug, PartialEq)]
pub(crate) struct Counted(pub(crate) Gate);

impl Counted {
    pub(crate) fn new(gate: Gate) -> Self {
        gate.change(|book| book.made += 1);
        Self(gate)
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.change(|book| book.clones += 1);
        Self::new(self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.change(|book| book.freed += 1);
    }
}

impl Serialize for Counted {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Gate::deserialize(deserializer).map(Self::new)
    }
}

/// A hang becomes a failure.
pub(crate) async fn within<F: Future>(body: F) -> F::Output {
    tokio::time::timeout(GENEROUS, body).await.expect("it ends in time")
}

/// As [`within`], for code that blocks.
pub(crate) fn in_time<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let runtime = raytree::current().expect("a runtime");
    let (done, wait) = sync_channel(1);
    thread::spawn(move || {
        let _here = runtime.enter();
        _ = done.send(body());
    });
    wait.recv_timeout(GENEROUS).expect("it ends in time, without a panic")
}

/// Nothing runs any more, and everything has been given back.
pub(crate) async fn at_rest(runtime: &Runtime) {
    let free = || runtime.available_resources() == runtime.cluster_resources();
    let rest = until(|| runtime.task_count() == 0 && runtime.abandoned_tasks() == 0 && free());
    let rested = tokio::time::timeout(GENEROUS, rest).await;
    let (tasks, abandoned) = (runtime.task_count(), runtime.abandoned_tasks());
    let free = runtime.available_resources();
    assert!(rested.is_ok(), "{tasks} tasks, {abandoned} abandoned, free: {free}");
}

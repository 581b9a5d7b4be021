//! The task table: every task that waits or runs, in shards, so that those who submit and those who finish do not meet.
//! Owned by the runtime; no actor is on the way of a task.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use raytree_engine::task::Phase;
use raytree_types::{Error, limits};
use tokio::sync::Notify;

use super::history::{History, Past};
use super::run::Runnable;

/// A power of two. Numbers are given in turn, so neighbours lie in different shards.
const SHARDS: usize = 16;

/// Attempts that each shard remembers.
const PAST_MAX: usize = limits::TASK_HISTORY / SHARDS;

#[derive(Default)]
pub(crate) struct TaskTable {
    next: AtomicU64,
    len: AtomicUsize,
    closed: AtomicBool,
    shards: [Mutex<Shard>; SHARDS],
    /// Told for each place that becomes free while somebody wants one.
    room: Notify,
    /// Those who wait for a place.
    patient: AtomicUsize,
}

#[derive(Default)]
struct Shard {
    /// Those that wait or run.
    tasks: HashMap<u64, Arc<dyn Runnable>, BuildHasherDefault<Number>>,
    past: History,
}

/// Numbers are their own hash.
#[derive(Default)]
struct Number(u64);

impl Hasher for Number {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {}

    fn write_u64(&mut self, number: u64) {
        // The map takes its bucket from the low bits and its tag from the high ones.
        self.0 = (number / SHARDS as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// Counts as one for as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn one(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl TaskTable {
    pub(crate) fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Room for one more task.
    ///
    /// # Errors
    /// [`Error::Overloaded`] at the bound.
    pub(crate) fn admit(&self, name: &str) -> Result<(), Error> {
        let one_more = |len: usize| (len < limits::TASKS_MAX).then_some(len + 1);
        match self.len.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more) {
            Ok(_) => Ok(()),
            Err(limit) => Err(Error::Overloaded { name: name.to_owned(), limit }),
        }
    }

    /// A place for one more task, as soon as there is one.
    pub(crate) async fn reserve(&self, name: &str) {
        if self.admit(name).is_ok() {
            return;
        }
        // Counted before the look, so that no leaving is missed.
        let _counted = Counted::one(&self.patient);
        while self.admit(name).is_err() {
            self.room.notified().await;
        }
        // Two places may have become free before anybody was there to be told of the second.
        if self.len.load(Ordering::SeqCst) < limits::TASKS_MAX {
            self.room.notify_one();
        }
    }

    /// A place for one that others in the table wait for: beyond the bound where there is no other.
    pub(crate) fn enters_beyond(&self) {
        self.len.fetch_add(1, Ordering::SeqCst);
    }

    /// One place less is taken.
    pub(crate) fn leave(&self) {
        self.len.fetch_sub(1, Ordering::SeqCst);
        if self.patient.load(Ordering::SeqCst) > 0 {
            // Kept for the next one who waits, where nobody does yet.
            self.room.notify_one();
        }
    }

    /// Enters an admitted task; false when the runtime has ended.
    pub(crate) fn insert(&self, task: Arc<dyn Runnable>) -> bool {
        let mut shard = self.shard(task.id()).lock();
        let open = !self.closed.load(Ordering::Acquire);
        if open {
            shard.tasks.insert(task.id(), task);
        } else {
            drop(shard);
            self.leave();
        }
        open
    }

    /// It has ended, and is history.
    pub(crate) fn ended(&self, past: Past) {
        let id = past.id;
        let (gone, oldest) = {
            let mut shard = self.shard(id).lock();
            let gone = shard.tasks.remove(&id);
            // One that never got in has its place in the history all the same.
            (gone, shard.past.push(past, PAST_MAX))
        };
        // After the lock.
        drop(oldest);
        if gone.is_some() {
            self.leave();
        }
    }

    /// An attempt has failed, and another follows.
    pub(crate) fn failed(&self, past: Past) {
        let oldest = self.shard(past.id).lock().past.push(past, PAST_MAX);
        drop(oldest);
    }

    /// All that wait or run, and all that is remembered of those that are over; how many are forgotten.
    pub(crate) fn all(&self) -> (Vec<Arc<dyn Runnable>>, Vec<Past>, u64) {
        let (mut tasks, mut past, mut dropped) = (Vec::new(), Vec::new(), 0);
        for shard in &self.shards {
            let shard = shard.lock();
            tasks.extend(shard.tasks.values().cloned());
            let (kept, forgotten) = shard.past.read();
            past.extend(kept.cloned());
            dropped += forgotten;
        }
        (tasks, past, dropped)
    }

    /// All that are not over.
    pub(crate) fn living(&self) -> Vec<Arc<dyn Runnable>> {
        self.shards
            .iter()
            .flat_map(|shard| shard.lock().tasks.values().cloned().collect::<Vec<_>>())
            .collect()
    }

    pub(crate) fn get(&self, id: u64) -> Option<Arc<dyn Runnable>> {
        self.shard(id).lock().tasks.get(&id).cloned()
    }

    /// The number of the oldest that runs. Walks the table.
    pub(crate) fn oldest_running(&self) -> Option<u64> {
        let of = |shard: &Mutex<Shard>| {
            let shard = shard.lock();
            let running =
                shard.tasks.iter().filter(|(_, task)| task.state().phase() == Phase::Running);
            running.map(|(number, _)| *number).min()
        };
        self.shards.iter().filter_map(of).min()
    }

    fn shard(&self, id: u64) -> &Mutex<Shard> {
        &self.shards[id as usize % SHARDS]
    }

    /// How many wait or run.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// How many are in `phase`. Walks the table.
    pub(crate) fn count(&self, phase: Phase) -> usize {
        let of = |shard: &Mutex<Shard>| {
            shard.lock().tasks.values().filter(|task| task.state().phase() == phase).count()
        };
        self.shards.iter().map(of).sum()
    }

    /// What those in `family` started and what that started, as far as it still waits or runs and is not in it; it is
    /// entered.
    pub(crate) fn descendants(&self, family: &mut HashSet<u64>) -> Vec<Arc<dyn Runnable>> {
        let mut by_parent: HashMap<u64, Vec<Arc<dyn Runnable>>> = HashMap::new();
        for shard in &self.shards {
            for task in shard.lock().tasks.values() {
                if let Some(parent) = task.parent() {
                    by_parent.entry(parent).or_default().push(Arc::clone(task));
                }
            }
        }
        let (mut found, mut open) = (Vec::new(), family.iter().copied().collect::<Vec<_>>());
        while let Some(parent) = open.pop() {
            let children = by_parent.remove(&parent).unwrap_or_default();
            for child in children {
                open.push(child.id());
                if family.insert(child.id()) {
                    found.push(child);
                }
            }
        }
        found
    }

    /// Takes all out, for good.
    pub(crate) fn close(&self) -> Vec<Arc<dyn Runnable>> {
        self.closed.store(true, Ordering::Release);
        let all: Vec<_> =
            self.shards.iter().flat_map(|shard| std::mem::take(&mut shard.lock().tasks)).collect();
        all.iter().for_each(|_| self.leave());
        all.into_iter().map(|(_, task)| task).collect()
    }
}

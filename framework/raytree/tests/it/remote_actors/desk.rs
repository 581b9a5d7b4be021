//! What a test and its actors share: notes, gates, counts. Strict mode sends every value through the codec, so that
//! actors find it by a number.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, PoisonError};

use raytree::Result;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::support::GENEROUS;

static DESKS: LazyLock<Mutex<HashMap<u64, Arc<Shared>>>> = LazyLock::new(Mutex::default);

/// The test's side. When it is dropped all gates open, those included that are asked for later.
pub(crate) struct Desk {
    key: Key,
    shared: Arc<Shared>,
}

/// A desk as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key(u64);

pub(crate) struct Shared {
    notes: watch::Sender<Vec<String>>,
    /// By number, and whether the test is over.
    gates: Mutex<(HashMap<u64, Arc<Gate>>, bool)>,
    /// Bodies that run now, and the most that ever did.
    running: watch::Sender<(usize, usize)>,
    /// Values of type [`Counted`] that are alive.
    pub(crate) alive: AtomicI64,
}

/// Closed until it is opened, for good. Waits in async and in synchronous code.
#[derive(Default)]
pub(crate) struct Gate {
    open: watch::Sender<bool>,
    lock: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub(crate) fn open(&self) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
        self.open.send_replace(true);
    }

    pub(crate) async fn wait(&self) {
        self.open.subscribe().wait_for(|open| *open).await.expect("a gate");
    }

    /// Blocks this thread.
    pub(crate) fn block(&self) {
        let open = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_while(open, |open| !*open));
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let key = Key(NEXT.fetch_add(1, Ordering::Relaxed));
        let shared = Arc::new(Shared {
            notes: watch::Sender::default(),
            gates: Mutex::default(),
            running: watch::Sender::default(),
            alive: AtomicI64::new(0),
        });
        DESKS.lock().expect("no panic").insert(key.0, Arc::clone(&shared));
        Self { key, shared }
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    pub(crate) fn open(&self, number: u64) {
        self.shared.gate(number).open();
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.shared.notes.borrow().clone()
    }

    /// Waits for this note.
    pub(crate) async fn hears(&self, note: &str) {
        self.hears_times(note, 1).await;
    }

    /// Waits for a note that begins so.
    pub(crate) async fn hears_of(&self, start: &str) {
        let mut notes = self.shared.notes.subscribe();
        let heard = |notes: &Vec<String>| notes.iter().any(|note| note.starts_with(start));
        notes.wait_for(heard).await.expect("a desk");
    }

    /// Waits until this was noted so often.
    pub(crate) async fn hears_times(&self, note: &str, times: usize) {
        let count = |notes: &Vec<String>| notes.iter().filter(|one| *one == note).count();
        let mut notes = self.shared.notes.subscribe();
        notes.wait_for(|notes| count(notes) >= times).await.expect("a desk");
    }

    /// Waits until exactly so many bodies run at once.
    pub(crate) async fn runs(&self, bodies: usize) {
        let mut running = self.shared.running.subscribe();
        running.wait_for(|(now, _)| *now == bodies).await.expect("a desk");
    }

    /// The most bodies that ever ran at once.
    pub(crate) fn most(&self) -> usize {
        self.shared.running.borrow().1
    }

    pub(crate) fn counted(&self, value: u64) -> Counted {
        Counted::new(self.key, value)
    }

    /// Waits until no [`Counted`] value is left.
    pub(crate) async fn all_freed(&self) {
        crate::support::until(|| self.shared.alive.load(Ordering::Acquire) == 0).await;
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let mut gates = self.shared.gates.lock().expect("no panic");
        gates.1 = true;
        gates.0.values().for_each(|gate| gate.open());
    }
}

impl Key {
    pub(crate) fn desk(self) -> Arc<Shared> {
        DESKS.lock().expect("no panic").get(&self.0).cloned().expect("a desk")
    }
}

impl Shared {
    pub(crate) fn note(&self, note: impl Into<String>) {
        self.notes.send_modify(|notes| notes.push(note.into()));
    }

    pub(crate) fn gate(&self, number: u64) -> Arc<Gate> {
        let mut gates = self.gates.lock().expect("no panic");
        let gate = Arc::clone(gates.0.entry(number).or_default());
        if gates.1 {
            gate.open();
        }
        gate
    }

    /// A body runs until this is dropped.
    pub(crate) fn body(self: &Arc<Self>) -> Body {
        self.running.send_modify(|(now, most)| {
            *now += 1;
            *most = (*most).max(*now);
        });
        Body(Arc::clone(self))
    }
}

pub(crate) struct Body(Arc<Shared>);

impl Drop for Body {
    fn drop(&mut self) {
        self.0.running.send_modify(|(now, _)| *now -= 1);
    }
}

/// A value that is counted as long as it lives, copies included.
#[derive(Debug, PartialEq)]
pub(crate) struct Counted {
    key: Key,
    pub(crate) value: u64,
}

impl Counted {
    fn new(key: Key, value: u64) -> Self {
        key.desk().alive.fetch_add(1, Ordering::AcqRel);
        Self { key, value }
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(self.key, self.value)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.key.desk().alive.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Serialize for Counted {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.key, self.value).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(deserializer).map(|(key, value)| Self::new(key, value))
    }
}

/// The body of a test. One that hangs fails.
pub(crate) async fn within(body: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::time::timeout(GENEROUS, body).await.expect("nothing hangs")
}

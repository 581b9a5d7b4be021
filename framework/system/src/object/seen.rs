//! What can be seen of an object from outside, and which objects there are to be seen.
//!
//! Nobody knows all objects of a process: a `put` would pay for it. Those that are listed are found where they are anyway: what is still
//! to come by its task or call, what another process holds by its link, and what lies in a store on the [`Shelf`], where it costs nothing
//! beside the copy of its bytes. The age of these is noted at that time, not when they are made.

use std::panic::Location;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_types::state::ObjectState;

use super::Value;
use super::cell::{ObjectCell, Slot, Standing};
use super::kept::{Coming, InStore, Kept};

/// What makes an object, and where in the source: 8 bytes that the compiler writes down at each call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) label: &'static str,
    pub(crate) site: Option<&'static Location<'static>>,
}

impl Source {
    /// The line that called whoever calls this; those between have to be `#[track_caller]`.
    #[inline]
    #[track_caller]
    pub(crate) fn here(label: &'static str) -> Self {
        Self { label, site: Some(Location::caller()) }
    }
}

/// Where in the core library a function is called that was passed on as a value, as in `map(f::remote)`.
const PASSED_ON: &str = "/library/core/src/ops/function.rs";

impl Source {
    /// The line that made it, as `file:line`, where that is one of a program.
    pub(crate) fn line(self) -> Option<String> {
        let site = self.site.filter(|site| !site.file().ends_with(PASSED_ON))?;
        Some(format!("{}:{}", site.file(), site.line()))
    }
}

/// One that no line of the program has made.
impl From<&'static str> for Source {
    fn from(label: &'static str) -> Self {
        Self { label, site: None }
    }
}

/// An object, as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// What makes it, or made it, and where.
    pub(crate) source: Source,
    pub(crate) state: ObjectState,
    /// How many wait for it.
    pub(crate) waiters: usize,
    /// Where it is in memory: which one it is, while it is there.
    pub(crate) at: usize,
    /// References of this process.
    pub(crate) references: usize,
    /// Since when it is listed, by the clock of the process.
    pub(crate) since: Option<Duration>,
    /// What of it is in a store.
    pub(crate) kept: Option<Arc<Kept>>,
}

impl Seen {
    /// One of which no more is known.
    pub(crate) fn of(
        source: impl Into<Source>,
        (state, waiters): (ObjectState, usize),
        at: usize,
    ) -> Self {
        let (source, references) = (source.into(), 1);
        Self { source, state, waiters, at, references, since: None, kept: None }
    }

    /// Where what is large of it is, and how large that is.
    pub(crate) fn in_store(&self) -> Option<InStore> {
        self.kept.as_ref().map(|kept| kept.seen())
    }
}

impl From<Standing> for ObjectState {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Pending => Self::Pending,
            Standing::Ready => Self::Ready,
            Standing::Failed => Self::Failed,
        }
    }
}

impl<T> ObjectCell<T> {
    /// Where it was made, for one that is made of it.
    pub(super) fn source(&self) -> Source {
        Source { label: self.label, site: self.site }
    }

    /// From where it comes into memory, while somebody waits for that.
    pub(crate) fn comes(&self) -> Option<Coming> {
        let seen = self.seen();
        let is_waited_for = seen.state == ObjectState::Ready && seen.waiters > 0;
        seen.kept.filter(|_| is_waited_for)?.comes_from()
    }

    /// How it stands; nobody wants it for that.
    pub(crate) fn seen(&self) -> Seen {
        let slot = self.slot.lock();
        let state = match &*slot {
            Slot::Pending { .. } => ObjectState::Pending,
            Slot::Ready(_) | Slot::Shared(_) | Slot::Lying(_) => ObjectState::Ready,
            Slot::Failed { .. } | Slot::Taken => ObjectState::Failed,
        };
        let standing = (state, slot.waiters().len());
        drop(slot);
        Seen {
            references: self.holders.load(Ordering::Relaxed),
            since: self.since(),
            kept: self.kept(),
            ..Seen::of(self.source(), standing, std::ptr::from_ref(self).addr())
        }
    }
}

/// An object of any type that lies in a store.
trait Shown: Send + Sync {
    /// How it stands; nothing where nobody has a reference any more.
    fn shown(&self) -> Option<Seen>;
}

impl<T: Value> Shown for ObjectCell<T> {
    fn shown(&self) -> Option<Seen> {
        Some(self.seen()).filter(|seen| seen.kept.is_some() && seen.references > 0)
    }
}

/// The objects of a process that lie in stores. Those that are gone are swept out whenever there are twice as many as at the last time.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<Books>);

#[derive(Default)]
struct Books {
    all: Vec<Weak<dyn Shown>>,
    sweep_at: usize,
}

/// Below that nobody sweeps: a page of memory.
const FEW: usize = 256;

impl Shelf {
    /// This one lies in a store from now on.
    pub(super) fn takes<T: Value>(&self, cell: &Arc<ObjectCell<T>>) {
        let mut gone = Vec::new();
        let cell: Weak<dyn Shown> = Arc::downgrade(&(Arc::clone(cell) as Arc<dyn Shown>));
        let mut books = self.0.lock();
        if books.all.len() >= books.sweep_at.max(FEW) {
            gone.extend(books.all.extract_if(.., |own| own.strong_count() == 0));
            books.sweep_at = books.all.len() * 2;
        }
        books.all.push(cell);
        drop(books);
        // Their memory goes outside of the lock.
        drop(gone);
    }

    /// All that lie in a store now.
    pub(crate) fn all(&self) -> Vec<Seen> {
        let all: Vec<_> = self.0.lock().all.iter().filter_map(Weak::upgrade).collect();
        // One may be the last count of its object: outside of the lock.
        all.iter().filter_map(|one| one.shown()).collect()
    }
}

#[cfg(test)]
mod tests {
    use raytree_supervise::clock;

    use super::*;
    use crate::runtime::life;

    #[test]
    fn an_object_says_who_made_it_and_since_when_it_is_listed() {
        let cell = ObjectCell::ready(Source::here("put"), life::nowhere(), 5_u32);
        let line = line!() - 1;
        let seen = cell.seen();
        assert_eq!((seen.state, seen.references, seen.since), (ObjectState::Ready, 1, None));
        assert_eq!(seen.source.line(), Some(format!("{}:{line}", file!())));
        let passed_on = std::iter::once("put").map(Source::here).next().and_then(Source::line);
        assert_eq!(passed_on, None, "no line of the program has called it");
        cell.is_listed();
        let since = cell.seen().since.expect("it is listed");
        assert!(since <= clock::now());
    }

    #[test]
    fn the_shelf_forgets_what_is_gone() {
        let shelf = Shelf::default();
        let kept: Vec<_> = (0..3)
            .map(|_| ObjectCell::ready("put", life::nowhere(), 5_u32))
            .inspect(|cell| shelf.takes(cell))
            .collect();
        for _ in 0..10 * FEW {
            shelf.takes(&ObjectCell::ready("put", life::nowhere(), 5_u32));
        }
        assert!(shelf.0.lock().all.len() <= 2 * FEW);
        assert!(shelf.all().is_empty(), "none of them is in a store");
        assert_eq!(shelf.0.lock().all.iter().filter(|own| own.strong_count() > 0).count(), 3);
        drop(kept);
    }
}

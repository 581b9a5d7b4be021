//! What a value refers to, on its way in: objects and actors of the other process.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use raytree_engine::lineage::Origin as From;
use raytree_types::codec::RefToken;
use raytree_types::{ActorId, Cause, Error};

use super::frame::Frame;
use super::{Answer, Ask, Landing, Link};
use crate::object::Value;
use crate::object::cell::{ObjectCell, Producer};
use crate::object::lineage::Origin;
use crate::object::part::{Part, reading};
use crate::object::reference::ObjectRef;

/// An object that the other side holds for this one, until this is dropped.
pub(crate) struct Imported {
    link: Arc<Link>,
    export: u64,
    /// Its value, or why there is none, has come.
    has_come: AtomicBool,
    /// A life of an actor.
    is_actor: bool,
}

impl Imported {
    pub(super) fn new(link: &Arc<Link>, export: u64) -> Self {
        link.owed.fetch_add(1, Ordering::Relaxed);
        Self { link: Arc::clone(link), export, has_come: AtomicBool::new(false), is_actor: false }
    }

    /// The life of an actor, which has no value, and of whose end the other side tells.
    pub(super) fn actor(link: &Arc<Link>, export: u64) -> Self {
        link.holds_actor(export);
        Self { link: Arc::clone(link), export, has_come: AtomicBool::new(true), is_actor: true }
    }

    /// It is not lost with the process that owns it.
    pub(super) fn has_come(&self) {
        if !self.has_come.swap(true, Ordering::Relaxed) {
            self.link.owed.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Its number there.
    pub(crate) fn export(&self) -> u64 {
        self.export
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Where a value comes from that was told together with it.
    pub(crate) fn lent<T: Value>(own: &Arc<Self>) -> Arc<dyn Origin<T>> {
        own.has_come();
        Arc::new(Borrowed::of(own))
    }

    /// Its value is not wanted any more.
    pub(super) fn cancel(&self, recursive: bool) {
        self.link.tell(&Frame::Cancel { export: self.export, recursive });
    }

    /// A reference to it. Its value comes when somebody wants it.
    pub(crate) fn object<T: Value>(self: &Arc<Self>) -> ObjectRef<T> {
        let cell = ObjectCell::pending("an object of another process", self.link.life);
        let fetcher = Fetcher {
            imported: Arc::clone(self),
            cell: Arc::downgrade(&cell),
            is_asked: AtomicBool::new(false),
        };
        cell.made_by(Arc::new(fetcher));
        ObjectRef::first(cell)
    }
}

impl Drop for Imported {
    fn drop(&mut self) {
        // Nobody here has it any more.
        self.has_come();
        if self.is_actor {
            self.link.lets_actor_go(self.export);
        }
        self.link.tell(&Frame::Release { export: self.export });
    }
}

impl Link {
    /// How many objects of the other side are lost with it, as far as they are known here: their values have not come. One counts as
    /// often as it was told of.
    pub(crate) fn owed(&self) -> usize {
        self.owed.load(Ordering::Relaxed)
    }
}

/// Where something lives that this process only knows of. It is held there for as long as this is held here.
pub(crate) enum Home {
    Object(Arc<Imported>),
    Actor(Arc<ImportedActor>),
}

impl Home {
    /// Its number there, if it is at the other end of this link.
    pub(super) fn over(&self, link: &Arc<Link>) -> Option<u64> {
        let (own, export) = match self {
            Self::Object(imported) => (&imported.link, imported.export),
            Self::Actor(imported) => (&imported.link, imported.export),
        };
        Arc::ptr_eq(own, link).then_some(export)
    }
}

/// Gets the value of an import.
struct Fetcher<T> {
    imported: Arc<Imported>,
    cell: Weak<ObjectCell<T>>,
    is_asked: AtomicBool,
}

impl<T: Value> Producer for Fetcher<T> {
    fn cancel(&self, recursive: bool) {
        self.imported.cancel(recursive);
    }

    fn is_lazy(&self) -> bool {
        !self.is_asked.load(Ordering::Acquire)
    }

    fn wanted(&self) {
        if self.is_asked.swap(true, Ordering::AcqRel) {
            return;
        }
        // The value is waited for by whoever asks: it comes whether or not all others let go meanwhile.
        let Some(cell) = self.cell.upgrade() else { return };
        let Imported { link, export, .. } = &*self.imported;
        let landing = Fetched { cell, imported: Arc::clone(&self.imported) };
        let what = Ask::Fetch { export: *export, anew: false };
        link.ask(what, Vec::new(), Box::new(landing));
    }

    fn home(&self) -> Option<Home> {
        Some(Home::Object(Arc::clone(&self.imported)))
    }
}

struct Fetched<T> {
    cell: Arc<ObjectCell<T>>,
    imported: Arc<Imported>,
}

impl<T: Value> Landing for Fetched<T> {
    fn land(self: Box<Self>, answer: Answer) {
        self.imported.has_come();
        let result = match answer {
            Answer::Value(part) if part.is_far() => {
                self.cell.comes_from(Arc::new(Borrowed::of(&self.imported)));
                return self.cell.settle_far(part);
            }
            Answer::Value(part) => reading(|| {
                let read = self.cell.reads(part, Part::value::<T>);
                if self.cell.is_of_store() {
                    self.cell.comes_from(Arc::new(Borrowed::of(&self.imported)));
                }
                read
            }),
            Answer::Failed(error) => Err(error),
            Answer::Lost(cause) => Err(owner_died(&self.imported.link, cause)),
        };
        self.cell.settle(result);
    }
}

/// An object whose bytes came from its owner and lie in a store: should they be lost, the owner is asked for them again.
struct Borrowed {
    imported: Arc<Imported>,
    /// How often it was.
    asked: AtomicU32,
}

impl Borrowed {
    fn of(imported: &Arc<Imported>) -> Self {
        Self { imported: Arc::clone(imported), asked: AtomicU32::new(0) }
    }
}

impl<T: Value> Origin<T> for Borrowed {
    fn from(&self) -> From {
        let link = &self.imported.link;
        let is_there = link.tables.lock().ended.is_none();
        let (owner, asked) = (link.peer.to_string(), self.asked.load(Ordering::Relaxed));
        From::Borrowed { owner, is_there, asked }
    }

    fn producer(self: Arc<Self>, cell: &Arc<ObjectCell<T>>) -> Option<Arc<dyn Producer>> {
        let (imported, cell) = (Arc::clone(&self.imported), Arc::downgrade(cell));
        Some(Arc::new(Fetcher { imported, cell, is_asked: AtomicBool::new(true) }))
    }

    fn begins(self: Arc<Self>, cell: Arc<ObjectCell<T>>) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let landing = Fetched { cell, imported: Arc::clone(&self.imported) };
        let Imported { link, export, .. } = &*self.imported;
        link.ask(Ask::Fetch { export: *export, anew: true }, Vec::new(), Box::new(landing));
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

pub(super) fn owner_died(link: &Link, cause: Cause) -> Error {
    match link.life.runtime() {
        Some(runtime) if !runtime.is_closing() => {
            Error::OwnerDied { owner: link.peer.to_string(), cause: Box::new(cause) }
        }
        _ => link.life.gone(),
    }
}

/// An actor that the other side holds for this one, until this is dropped.
pub(crate) struct ImportedActor {
    pub(crate) link: Arc<Link>,
    pub(crate) export: u64,
    /// Of one that was made for this process it is known once that one says so.
    id: OnceLock<ActorId>,
    pub(crate) label: String,
    /// As many calls may wait or run at once.
    pub(crate) mailbox: usize,
    /// So often its calls are made again that were lost with a life.
    pub(crate) retries: u32,
}

impl ImportedActor {
    pub(super) fn new(
        link: &Arc<Link>,
        export: u64,
        id: ActorId,
        (label, mailbox, retries): (String, usize, u32),
    ) -> Self {
        link.holds_actor(export);
        let own = Self::made(link, export, (label, mailbox, retries));
        own.is(id);
        own
    }

    /// One that the other side is asked to make, under a number of this one's ([`made_by`]).
    pub(crate) fn made(
        link: &Arc<Link>,
        export: u64,
        (label, mailbox, retries): (String, usize, u32),
    ) -> Self {
        Self { link: Arc::clone(link), export, id: OnceLock::new(), label, mailbox, retries }
    }

    pub(crate) fn is(&self, id: ActorId) {
        // Set once: it is nobody else later.
        _ = self.id.set(id);
    }

    pub(crate) fn id(&self) -> Option<ActorId> {
        self.id.get().copied()
    }
}

impl Drop for ImportedActor {
    fn drop(&mut self) {
        self.link.lets_actor_go(self.export);
        self.link.tell(&Frame::Release { export: self.export });
    }
}

/// An actor that comes home: the token of this process's own handles, whichever life it is in.
pub(super) fn own_actor(link: &Link, id: ActorId) -> Option<RefToken> {
    let runtime = link.life.runtime()?;
    // One that another process has begun here is that one's.
    let launch = runtime.table.launch(id).filter(|launch| launch.given().is_none())?;
    Some(launch.token()? as RefToken)
}

impl fmt::Debug for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Imported({} of {})", self.export, self.link.peer)
    }
}

impl fmt::Debug for ImportedActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImportedActor({} of {})", self.export, self.link.peer)
    }
}

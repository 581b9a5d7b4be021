//! The object stores that this process uses: its node's, and in a driver those of all nodes of its machine.
//!
//! A process that is started by a node is told of its store; a driver is told by its workers, over their links. Who cannot come to a
//! store is on another machine: what is large stays where it is, if nodes there fetch objects from each other ([`Origin`]), until
//! somebody wants it.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use raytree_objects::{
    Depot, NotStored, ObjectStoreMsg, OpenError, Origin, Refused, Session, SpillTerms, Stored,
    Traffic,
};
use raytree_supervise::Addr;
use raytree_types::Error;

/// How large a store is, and how it spills.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoreTerms {
    /// None at 0.
    pub(crate) bytes: u64,
    pub(crate) spills: Option<Box<SpillTerms>>,
}

impl StoreTerms {
    /// As the settings say.
    pub(crate) fn of(node: &raytree_config::Node) -> Self {
        let (at, most) = (node.spill_at.thousandths() as u32, node.spill_bytes.bytes());
        let (folders, urls) = (node.spill_folders.folders.clone(), &node.spill_folders.urls);
        let spills = || Box::new(SpillTerms::new(at, folders, urls, most));
        Self { bytes: node.object_store_bytes.bytes(), spills: node.spill.then(spills) }
    }
}

/// What does not go into the store: an error where it never will, or the disk is to blame; it goes another way otherwise.
///
/// # Errors
/// [`Error::ObjectStoreFull`], [`Error::OutOfDisk`].
pub(crate) fn refused(why: NotStored, what: &str, size: usize) -> Result<(), Error> {
    let (what, size) = (what.to_owned(), size as u64);
    match why {
        NotStored::Refused(Refused::TooLarge { capacity, .. }) => {
            Err(Error::ObjectStoreFull { what, size, capacity })
        }
        NotStored::Refused(Refused::OutOfDisk { capacity, why: reason, .. }) => {
            Err(Error::OutOfDisk { what, size, capacity, reason })
        }
        why => {
            tracing::debug!(error = %why, size, "a value goes without the store");
            Ok(())
        }
    }
}

/// A store that this process uses.
struct Joined {
    session: Session,
    /// Where its node gives objects to others, if it does.
    at: Option<SocketAddr>,
}

/// See the [module documentation](self).
#[derive(Default)]
pub(crate) struct Stores {
    /// The store of this program's own nodes, which is in this process.
    depot: OnceLock<(Arc<Depot>, Addr<ObjectStoreMsg>)>,
    joined: Mutex<Vec<Joined>>,
    /// The door of its own, when that was looked at last.
    own: Mutex<Option<String>>,
    /// What went through those that are gone.
    past: Mutex<Traffic>,
}

impl Stores {
    /// This process has the store, for itself and its nodes.
    ///
    /// # Errors
    /// [`Error::StartFailed`].
    pub(crate) fn open(&self, terms: &StoreTerms, name: &str) -> Result<(), Error> {
        let failed = |error: OpenError| Error::StartFailed { reason: error.to_string() };
        let addr = Addr::system::<raytree_objects::ObjectStore>(name);
        let spills = terms.spills.as_deref().cloned();
        let depot = Depot::open(terms.bytes, spills, addr.clone()).map_err(failed)?;
        self.join(depot.door());
        // Set once, at the start.
        _ = self.depot.set((depot, addr));
        Ok(())
    }

    /// The node of the store behind this door gives objects to others there, and fetches theirs.
    pub(crate) fn is_at(&self, door: &str, at: SocketAddr) {
        if let Some(own) = self.joined.lock().iter_mut().find(|own| own.session.door() == door) {
            own.at = Some(at);
        }
    }

    /// By what other nodes know the store behind this door, where it gives objects to them; nothing where it is gone, though what was seen of it
    /// can be read here.
    pub(crate) fn origin(&self, door: &str) -> Option<Origin> {
        let joined = self.joined.lock();
        let own = joined.iter().find(|own| own.session.door() == door && !own.session.is_gone());
        let at = own?.at?;
        Some(Origin { door: door.to_owned(), at })
    }

    /// The store that is in this process, and the address of who looks after it.
    pub(crate) fn depot(&self) -> Option<&(Arc<Depot>, Addr<ObjectStoreMsg>)> {
        self.depot.get()
    }

    /// The one that this process has joined first: its own node's.
    pub(crate) fn own(&self) -> Option<Session> {
        let joined = self.joined.lock();
        joined.iter().map(|own| &own.session).find(|session| !session.is_gone()).cloned()
    }

    /// Whether its own is another one than when this was asked last.
    pub(crate) fn has_another_own(&self) -> bool {
        let now = self.own().map(|own| own.door().to_owned());
        let before = std::mem::replace(&mut *self.own.lock(), now.clone());
        before.is_some() && before != now
    }

    /// The store behind this door, if this process has joined it.
    pub(crate) fn joined(&self, door: &str) -> Option<Session> {
        let joined = self.joined.lock();
        joined.iter().map(|own| &own.session).find(|session| session.door() == door).cloned()
    }

    /// The store behind this door, if it is on this machine.
    pub(crate) fn join(&self, door: &str) -> Option<Session> {
        if let Some(session) = self.joined(door) {
            return Some(session);
        }
        let session = match Session::join(door) {
            Ok(session) => session,
            Err(error) => {
                tracing::debug!(%error, "values go without this store");
                return None;
            }
        };
        let mut joined = self.joined.lock();
        for gone in joined.extract_if(.., |own| own.session.is_gone()) {
            let mut past = self.past.lock();
            *past = past.and(gone.session.traffic());
        }
        // Somebody may have been faster.
        if let Some(own) = joined.iter().find(|own| own.session.door() == door) {
            return Some(own.session.clone());
        }
        joined.push(Joined { session: session.clone(), at: None });
        Some(session)
    }

    /// The object in which these bytes are, if they are of any of them, and where in it.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<(Arc<Stored>, Range<usize>)> {
        // Outside of the lock: what is found may be dropped here.
        let joined: Vec<_> = self.joined.lock().iter().map(|own| own.session.clone()).collect();
        joined.iter().find_map(|session| session.find(bytes))
    }

    /// What has gone through all of them, as far as this process goes.
    pub(crate) fn traffic(&self) -> Traffic {
        let joined = self.joined.lock();
        joined.iter().map(|own| own.session.traffic()).fold(*self.past.lock(), Traffic::and)
    }
}

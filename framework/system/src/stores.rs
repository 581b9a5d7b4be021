//! The object stores that this process uses: its node's, and in a driver those of all nodes of its machine.
//!
//! A process that is started by a node is told of its store; a driver is told by its workers, over their links. Who cannot come to a
//! store is on another machine: what goes there travels as it always did.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use raytree_objects::{Depot, ObjectStoreMsg, OpenError, Session, Traffic};
use raytree_supervise::Addr;
use raytree_types::Error;

/// See the [module documentation](self).
#[derive(Default)]
pub(crate) struct Stores {
    /// The store of this program's own nodes, which is in this process.
    depot: OnceLock<(Arc<Depot>, Addr<ObjectStoreMsg>)>,
    joined: Mutex<Vec<Session>>,
    /// What went through those that are gone.
    past: Mutex<Traffic>,
}

impl Stores {
    /// This process has the store, for itself and its nodes.
    ///
    /// # Errors
    /// [`Error::StartFailed`].
    pub(crate) fn open(&self, bytes: u64, name: &str) -> Result<(), Error> {
        let failed = |error: OpenError| Error::StartFailed { reason: error.to_string() };
        let addr = Addr::system::<raytree_objects::ObjectStore>(name);
        let depot = Depot::open(bytes, addr.clone()).map_err(failed)?;
        self.join(depot.door());
        // Set once, at the start.
        _ = self.depot.set((depot, addr));
        Ok(())
    }

    /// The store that is in this process, and the address of who looks after it.
    pub(crate) fn depot(&self) -> Option<&(Arc<Depot>, Addr<ObjectStoreMsg>)> {
        self.depot.get()
    }

    /// The one that this process has joined first: its own node's.
    pub(crate) fn own(&self) -> Option<Session> {
        self.joined.lock().first().cloned()
    }

    /// The store behind this door, if this process has joined it.
    pub(crate) fn joined(&self, door: &str) -> Option<Session> {
        self.joined.lock().iter().find(|session| session.door() == door).cloned()
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
        for gone in joined.extract_if(.., |session| session.is_gone()) {
            let mut past = self.past.lock();
            *past = past.and(gone.traffic());
        }
        // Somebody may have been faster.
        if let Some(own) = joined.iter().find(|own| own.door() == door) {
            return Some(own.clone());
        }
        joined.push(session.clone());
        Some(session)
    }

    /// What has gone through all of them, as far as this process goes.
    pub(crate) fn traffic(&self) -> Traffic {
        let joined = self.joined.lock();
        joined.iter().map(Session::traffic).fold(*self.past.lock(), Traffic::and)
    }
}

//! What a node has for giving objects to others and fetching theirs. Belongs to the process and not to an actor.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use raytree_store::Lease;
use raytree_supervise::Addr;
use raytree_types::limits;
use raytree_wire::{BindTo, Hello, Listener, Plane, Stream};

use super::connections::{Connections, Reach};
use super::origin::{Origin, Place};
use super::serve::Served;
use crate::depot::Depot;
use crate::puller::PullerMsg;
use crate::pusher::PusherMsg;
use crate::session::Session;

/// Why a node neither gives nor fetches objects.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// It does not get into its own store.
    #[error(transparent)]
    Join(#[from] crate::JoinError),
    /// Nobody could reach it.
    #[error("nobody could fetch objects from here: {0}")]
    Bind(#[from] raytree_wire::BindError),
}

/// Gives objects of a store to other nodes, and fetches theirs into it. It belongs to the process of the node; the actors
/// [`Pusher`](crate::Pusher) and [`Puller`](crate::Puller) are what works for it.
pub struct Exchange {
    pub(super) origin: Origin,
    pub(super) session: Session,
    pub(super) depot: Weak<Depot>,
    pub(super) connections: Connections,
    pub(super) served: Served,
    /// How many fetch from here.
    serving: AtomicUsize,
    pub(super) pushed: AtomicU64,
    _listener: Listener,
}

impl Exchange {
    /// Listens for those who fetch objects of this store: `to` says where, and how. Where it does, `reach` reaches others.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn open(
        depot: &Arc<Depot>,
        to: BindTo,
        reach: Reach,
        (puller, pusher): (Addr<PullerMsg>, Addr<PusherMsg>),
    ) -> Result<Arc<Self>, ExchangeError> {
        let session = Session::join(depot.door())?;
        let bind = to.address.ip();
        let accepted = move |hello: Hello, stream: Stream, from: SocketAddr| {
            if hello.plane() == Plane::Bytes {
                // Refused when it has ended for good, and all with it.
                _ = pusher.cast(PusherMsg::Came(Box::new(stream)));
            } else {
                tracing::warn!(%from, who = hello.name(), "somebody came to the store for something else");
            }
        };
        let listener = Listener::bind(to, accepted)?;
        let at = SocketAddr::new(bind, listener.local_addr().port());
        let exchange = Arc::new(Self {
            origin: Origin { door: depot.door().to_owned(), at },
            session,
            depot: Arc::downgrade(depot),
            connections: Connections::new(reach),
            served: Served::default(),
            serving: AtomicUsize::new(0),
            pushed: AtomicU64::new(0),
            _listener: listener,
        });
        depot.fetches_through(&exchange, puller);
        Ok(exchange)
    }

    /// By what others know the store.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What is to be fetched next, and into which room.
    pub(crate) fn next(&self) -> Option<(Place, Lease)> {
        self.depot.upgrade()?.next_pull()
    }

    /// A place for one more who fetches from here.
    pub(crate) fn place(self: &Arc<Self>) -> Option<Serving> {
        let before = self.serving.fetch_add(1, Ordering::SeqCst);
        let place = Serving(Arc::clone(self));
        (before < limits::PUSH_CONNECTIONS_MAX).then_some(place)
    }

    /// Bytes that were given to others, ever.
    pub(crate) fn pushed(&self) -> u64 {
        self.pushed.load(Ordering::Relaxed)
    }
}

/// One who fetches.
pub(crate) struct Serving(pub(crate) Arc<Exchange>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.serving.fetch_sub(1, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Exchange").field(&self.origin).finish()
    }
}

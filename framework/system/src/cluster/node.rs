//! A node as the program that started it knows it, over all its lives.

use std::net::SocketAddr;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_engine::membership::{Judge, Name, Settings};
use raytree_memory::Below;
use raytree_supervise::{Addr, clock};
use raytree_types::{ProcessIncarnation, Resources};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::mirror::{NodeMirror, NodeMsg};
use super::peer::Peer;
use crate::runtime::Shared;
use crate::stores::StoreTerms;

/// What a node is told of itself when it is started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Details {
    /// The number of its runtime, which no other process of this system has.
    pub(crate) runtime: u64,
    pub(crate) resources: Resources,
    /// Of all nodes together.
    pub(crate) all: Resources,
    pub(crate) threads: usize,
    pub(crate) strict: bool,
    pub(crate) namespace: String,
    /// With more abandoned threads it is replaced.
    pub(crate) abandoned_max: usize,
    /// So much is kept of what it takes to run tasks again.
    pub(crate) lineage_bytes: u64,
    /// The door of the store of its node, if there is one.
    pub(crate) store: Option<String>,
    /// Where that node gives objects to others.
    #[serde(default)]
    pub(crate) store_at: Option<SocketAddr>,
    /// Of the store of its own nodes, if it has any: not for these.
    #[serde(skip)]
    pub(crate) store_terms: StoreTerms,
}

/// Belongs to the runtime, so that a restarted mirror goes on where the last one was.
pub(crate) struct Node {
    pub(crate) addr: Addr<NodeMsg>,
    pub(crate) peer: Arc<Peer>,
    pub(crate) runtime: Weak<Shared>,
    pub(crate) details: Details,
    pub(crate) name: Name,
    pub(crate) judge: Arc<Mutex<Judge>>,
    /// What its process says of isolated ones below it.
    pub(crate) below: Below,
    /// When that began.
    since: Mutex<Duration>,
    /// Whether the process of the newest life has ended.
    over: Mutex<watch::Receiver<bool>>,
    /// Who waits until it is up for the first time.
    first: Mutex<Option<SyncSender<()>>>,
}

impl Node {
    pub(crate) fn new(
        name: &str,
        details: Details,
        runtime: Weak<Shared>,
        first: SyncSender<()>,
    ) -> Arc<Self> {
        let (_, over) = watch::channel(true);
        Arc::new(Self {
            addr: Addr::system::<NodeMirror>(name),
            peer: Arc::new(Peer::new(name.to_owned(), details.resources.clone())),
            runtime,
            details,
            name: name.into(),
            judge: Arc::new(Mutex::new(Judge::new(Settings::default(), clock::now()))),
            below: Below::default(),
            since: Mutex::default(),
            over: Mutex::new(over),
            first: Mutex::new(Some(first)),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A new process: the one who says when it has ended.
    pub(crate) fn begins(&self) -> (watch::Sender<bool>, watch::Receiver<bool>) {
        let (say, over) = watch::channel(false);
        self.below.forget();
        *self.since.lock() = clock::now();
        *self.over.lock() = over.clone();
        (say, over)
    }

    /// For how long its process has been there.
    pub(crate) fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(*self.since.lock())
    }

    /// Waits until the process of the life before has surely ended.
    pub(crate) async fn is_over(&self, within: Duration) {
        let mut over = self.over.lock().clone();
        // Without the one who would say so it is over as well.
        _ = tokio::time::timeout(within, over.wait_for(|over| *over)).await;
    }

    /// It is up for the first time.
    pub(crate) fn is_there(&self) {
        if let Some(first) = self.first.lock().take() {
            // Nobody waits when the start has failed already.
            _ = first.send(());
        }
    }
}

/// The life of a process as it is told to that process.
pub(crate) fn incarnation(life: ProcessIncarnation) -> raytree_types::Incarnation {
    // Four billion lives of one node do not happen.
    let placement = u32::try_from(life.0).unwrap_or(u32::MAX);
    raytree_types::Incarnation { placement, restart: 0 }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("name", &self.name).finish_non_exhaustive()
    }
}

//! A node as the program that started it knows it, over all its lives.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_engine::membership::{Effect, Input, Judge, Member, Name, Settings};
use raytree_supervise::{Addr, clock};
use raytree_types::{ProcessIncarnation, Resources};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::mirror::{NodeMirror, NodeMsg};
use super::peers::Peer;
use crate::runtime::Shared;

/// What a node is told of itself when it is started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Details {
    /// The number of its runtime, which no other process of this system has.
    pub(crate) runtime: u32,
    pub(crate) resources: Resources,
    /// Of all nodes together.
    pub(crate) all: Resources,
    pub(crate) threads: usize,
    pub(crate) strict: bool,
    pub(crate) namespace: String,
}

/// Belongs to the runtime, so that a restarted mirror goes on where the last one was.
pub(crate) struct Node {
    pub(crate) addr: Addr<NodeMsg>,
    pub(crate) peer: Arc<Peer>,
    pub(crate) runtime: Weak<Shared>,
    pub(crate) details: Details,
    name: Name,
    judge: Mutex<Judge>,
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
            judge: Mutex::new(Judge::new(Settings::default(), clock::now())),
            over: Mutex::new(over),
            first: Mutex::new(Some(first)),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its newest life that is not declared down, or the one that follows.
    pub(crate) fn next_life(&self) -> Member {
        Member::new(Arc::clone(&self.name), self.judge.lock().next_incarnation(&self.name))
    }

    /// A life that nobody declared down, because its mirror died.
    pub(crate) fn undead(&self) -> Option<Member> {
        self.judge.lock().members().next().map(|(member, _)| member)
    }

    /// What follows from `input`, now.
    pub(crate) fn judge(&self, input: Input) -> Vec<Effect> {
        let mut judge = self.judge.lock();
        // After it has come, never before.
        judge.step(input, clock::now())
    }

    /// A new process: the one who says when it has ended.
    pub(crate) fn begins(&self) -> (watch::Sender<bool>, watch::Receiver<bool>) {
        let (say, over) = watch::channel(false);
        *self.over.lock() = over.clone();
        (say, over)
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

//! A node of a cluster: one machine's process that starts workers for the jobs of the cluster, and is done with them.
//!
//! ```text
//! raytree
//! ├─ sessions            the connection with the head, over ractor_cluster
//! ├─ uplink              joins, goes on after a lost link, isolates itself, ends
//! ├─ workers
//! │  ├─ job-1            (mirror) the process that runs the tasks and actors of a job
//! │  └─ job-2
//! ├─ memory_monitor      begins nothing, and ends processes, when there is no memory left
//! ├─ objects
//! │  ├─ object_store     memory that all workers of this machine share
//! │  ├─ puller           fetches objects from the stores of other nodes
//! │  └─ pusher           gives them objects of this one's
//! ├─ metrics             numbers for Prometheus
//! └─ inspector           answers those who look from outside
//! ```
//!
//! Its lease and its workers belong to the process and not to an actor, so a restarted actor goes on where the last one was.
//! What it was granted ends with its lease: then it is *isolated*, starts nothing, and waits for the head; its workers go on
//! with what they have. After the grace it ends, and they with it.

mod beats;
mod dial;
pub(crate) mod lines;
mod memory;
mod station;
mod uplink;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use raytree_config::Config;
use raytree_process::Mark;
use raytree_supervise::{Addr, ChildSpec, Root, SupervisorSpec};
use raytree_types::{Strategy, limits};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::measured::{Gauge, OfNode};
use crate::session::Sessions;
use crate::shown::Window;
use crate::{Ending, StartError};
pub(crate) use station::Stage;
use station::{Station, Store};
use uplink::{Uplink, UplinkMsg};

/// What the process of a head's own node is called.
pub(crate) const ROLE: &str = "cluster-node";

/// What a head's own node is told when it is started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Summons {
    pub(crate) head: SocketAddr,
    /// The number of the process, by which the head knows it when it has ended.
    pub(crate) process: u64,
    /// Each setting, as an argument.
    pub(crate) settings: Vec<(String, String)>,
}

/// A node that runs.
pub(crate) struct Node {
    root: Root,
    stage: watch::Receiver<Stage>,
    uplink: Addr<UplinkMsg>,
    ends_within: Duration,
    _window: Window,
}

impl Node {
    /// Starts the node on the tokio runtime that is entered; it joins by and by. No other process has the number `process`.
    /// A head of this host finds it by its mark; one whose child it is has it already.
    pub(crate) fn start(
        config: &Config,
        head: SocketAddr,
        process: u64,
        mark: Option<Mark>,
    ) -> Result<Self, StartError> {
        let (tell, stage) = watch::channel(Stage::Joining);
        let sessions = Addr::system::<Sessions>("sessions");
        let uplink = Addr::system::<Uplink>("uplink");
        let gauge = Gauge::open(config);
        let metrics = gauge.as_ref().map(|gauge| gauge.address);
        let actors = (sessions.clone(), uplink.clone());
        let station = Station::new(config, head, (process, mark, metrics), actors, tell)?;
        if let Some(session) = station.logs.session() {
            // Set once, here.
            _ = station.sight.kept.set(session);
        }
        if let Some(store) = &station.store {
            // Set once, here.
            _ = station.sight.store.set(Arc::clone(&store.depot));
        }
        let ends_within = station.ends_within;
        let pool = station.pool.clone();
        let own = Arc::clone(&station);
        let empty = || SupervisorSpec::new(Strategy::OneForOne).independent();
        let spec = SupervisorSpec::new(Strategy::OneForOne)
            .child(ChildSpec::actor::<Sessions>(&sessions, || ()))
            .child(ChildSpec::supervisor(&pool, empty))
            .child(ChildSpec::actor::<Uplink>(&uplink, move || station.clone()));
        let spec = memory::spec(&own, config).into_iter().fold(spec, SupervisorSpec::child);
        let spec = own.store.iter().map(Store::spec).fold(spec, SupervisorSpec::child);
        let root = Root::start("raytree", spec)
            .map_err(|failure| StartError::Failed(failure.to_string()))?;
        let window = Window::of(&root, &own.sight, move || Some(head));
        // Set once, here.
        _ = own.shown.set(window.inspected());
        if let Some(gauge) = gauge {
            gauge.serve(&root, Arc::new(OfNode(Arc::clone(&own.shown))));
        }
        Ok(Self { root, stage, uplink, ends_within, _window: window })
    }

    /// Waits until it has joined, or never will.
    pub(crate) async fn joined(&mut self) -> Result<(), Ending> {
        let known = |stage: &Stage| !matches!(stage, Stage::Joining);
        match self.stage.wait_for(known).await.map(|stage| stage.clone()) {
            Ok(Stage::Over(ending)) => Err(ending),
            Ok(_) => Ok(()),
            Err(_) => Err(Ending::Failed("its tree has ended".to_owned())),
        }
    }

    /// Waits for its end, of itself or of its tree.
    pub(crate) async fn over(&mut self) -> Ending {
        let ended = self.root.ended();
        let over = self.stage.wait_for(|stage| matches!(stage, Stage::Over(_)));
        tokio::select! {
            kind = ended => Ending::Failed(kind.to_string()),
            stage = over => match stage.as_deref() {
                Ok(Stage::Over(ending)) => ending.clone(),
                _ => Ending::Failed("its tree has ended".to_owned()),
            },
        }
    }

    /// Its tree.
    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// Asks it to end in order; [`Node::over`] says when it has.
    pub(crate) fn ask_to_end(&self) {
        // Refused when it has ended.
        _ = self.uplink.cast(UplinkMsg::End);
    }

    /// How long that may take.
    pub(crate) fn ends_within(&self) -> Duration {
        self.ends_within + limits::NODE_END_WITHIN
    }

    /// Ends the tree; what its workers still do ends with them.
    pub(crate) async fn end(self) {
        self.root.shutdown(limits::NODE_END_WITHIN).await;
    }
}

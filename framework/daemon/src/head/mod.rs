//! The head of a cluster: the one process that knows who belongs to it.
//!
//! ```text
//! raytree
//! ├─ sessions            the connections with the nodes, over ractor_cluster
//! ├─ gcs
//! │  ├─ membership       lets time pass for the books: who is alive, who has workers where
//! │  └─ neighbours       sees the processes of nodes end that have joined from this host
//! ├─ node_pool
//! │  ├─ node-1           (mirror) the session with a node, wherever it runs
//! │  └─ node-2
//! ├─ drivers
//! │  └─ train            the connection with a program, and its job
//! ├─ door                the port
//! ├─ own_node            (mirror) the process of the node on this machine
//! ├─ dashboard           the same in a browser
//! ├─ metrics             numbers for Prometheus
//! └─ inspector           answers those who look from outside
//! ```
//!
//! The head runs no code of its users: their tasks and actors run in workers, which the nodes start; objects and calls go
//! between drivers and workers, past the head.

mod beats;
pub(crate) mod cluster;
pub(crate) mod dashboard;
mod door;
mod driver;
mod membership;
mod mirror;
mod neighbours;
mod own_node;
mod residents;
mod status;
mod windows;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use raytree_config::Config;
use raytree_supervise::{Addr, ChildSpec, Root, Supervisor, SupervisorSpec, clock};
use raytree_types::inspect::Role;
use raytree_types::{Restart, Shutdown, Strategy, limits};
use raytree_wire::BindTo;
use tokio::sync::mpsc;

use crate::measured::Gauge;
use crate::place::Secrets;
use crate::programs::Programs;
use crate::session::Sessions;
use crate::shown::{Sight, Window};
use crate::{StartError, place};
use cluster::Cluster;
use dashboard::{Opened, key, link};
use door::{Door, House, Places};
use membership::Membership;
use neighbours::Neighbours;
use own_node::{OwnNode, Plan};

/// A head that runs.
pub(crate) struct Head {
    cluster: Arc<Cluster>,
    root: Root,
    stop: mpsc::Receiver<()>,
    nodes_end_within: Duration,
    link: Option<String>,
    _window: Window,
}

impl Head {
    /// Starts the head on the tokio runtime that is entered, and waits until it listens.
    pub(crate) async fn start(config: &Config, with_node: bool) -> Result<Self, StartError> {
        let settings = place::settings(config)?;
        let secrets = Secrets::of_head(config)?;
        let node = config.node();
        let folder = node.cache_dir.clone().ok_or(StartError::NoFolder)?;
        let opened = Opened::open(config, &secrets.token)?;
        let gauge = Gauge::open(config);
        let programs = Programs::new(&folder, node.executable_cache_bytes.bytes());
        let cluster = Cluster::new(settings, programs);
        let (stop, stopped) = mpsc::channel(1);
        let sessions = Addr::system::<Sessions>("sessions");
        let cluster_config = config.cluster();
        let bind = BindTo {
            address: SocketAddr::new(cluster_config.bind, cluster_config.port),
            tls: secrets.tls.clone(),
            insecure: cluster_config.insecure,
            ..BindTo::loopback(secrets.token.clone())
        };
        let house = Arc::new(House {
            cluster: Arc::clone(&cluster),
            sessions: sessions.clone(),
            bind,
            stop,
            transfers: Places::new(limits::HEAD_TRANSFERS_MAX),
            busy: Places::new(limits::HEAD_TRANSFERS_MAX),
            answers: Places::new(limits::HEAD_ANSWERS_MAX),
            lookers: Places::new(limits::INSPECT_CONNECTIONS_MAX),
            new_drivers: Places::new(limits::DRIVERS_NEW_MAX),
            beats: Places::new(limits::BEAT_CONNECTIONS_MAX),
        });
        let plan = with_node.then(|| Arc::new(Plan::new(config, Arc::clone(&cluster))));
        let root = Root::start("raytree", spec(&cluster, &sessions, house, plan))
            .map_err(|failure| StartError::Failed(failure.to_string()))?;
        let own = Arc::clone(&cluster);
        let listens_at = move || own.address.get().copied();
        let window = Window::of(&root, &Sight::of(Role::Head, config), listens_at);
        // Set once, here.
        _ = cluster.windows.own.set(window.inspected());
        let link = opened.as_ref().map(|opened| link(&key(&secrets.token), &opened.status));
        let link = link.transpose()?;
        if let Some(opened) = opened {
            _ = cluster.dashboard.set(opened.status.clone());
            opened.serve(&root, &cluster);
        }
        if let Some(gauge) = gauge {
            _ = cluster.metrics.set(gauge.address);
            gauge.serve(&root, Arc::new(dashboard::Shown { cluster: Arc::clone(&cluster) }));
        }
        let head = Self {
            cluster,
            root,
            stop: stopped,
            nodes_end_within: place::node_ends_within(config),
            link,
            _window: window,
        };
        head.listens().await?;
        Ok(head)
    }

    /// Waits until the door is open, or will never be.
    async fn listens(&self) -> Result<(), StartError> {
        let within = clock::now() + limits::START_WITHIN;
        while self.cluster.address.get().is_none() {
            let door = self.root.probe().find("door");
            let failed = door.and_then(|door| door.last_causes().last().map(ToString::to_string));
            if let Some(why) = failed {
                return Err(StartError::Failed(why));
            }
            if clock::now() > within {
                return Err(StartError::Failed("its door did not open".to_owned()));
            }
            tokio::time::sleep(limits::LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.cluster.address.get().copied()
    }

    /// A link that opens its dashboard once, if it has one.
    pub(crate) fn dashboard(&self) -> Option<&str> {
        self.link.as_deref()
    }

    /// Waits until somebody wants the cluster to end, or its tree has ended.
    pub(crate) async fn wanted(&mut self) -> Result<&'static str, StartError> {
        tokio::select! {
            // None when the door is gone for good: then so is the tree.
            Some(()) = self.stop.recv() => Ok("somebody asked for it"),
            kind = self.root.ended() => Err(StartError::Failed(kind.to_string())),
        }
    }

    /// Ends it in order: drivers and nodes are told, nodes are waited for, then the tree ends.
    pub(crate) async fn end(self) {
        self.cluster.ends();
        let by = clock::now() + self.nodes_end_within + limits::NODE_END_WITHIN;
        while self.cluster.connected_nodes() > 0 && clock::now() < by {
            tokio::time::sleep(limits::LOOK_AGAIN).await;
        }
        self.root.shutdown(limits::NODE_END_WITHIN).await;
    }
}

fn spec(
    cluster: &Arc<Cluster>,
    sessions: &Addr<crate::session::SessionsMsg>,
    house: Arc<House>,
    own_node: Option<Arc<Plan>>,
) -> SupervisorSpec {
    let empty = || SupervisorSpec::new(Strategy::OneForOne).independent();
    let door = Addr::system::<Door>("door");
    let gcs = Addr::system::<Supervisor>("gcs");
    let membership = Addr::system::<Membership>("membership");
    let own = Arc::clone(cluster);
    let books = move || {
        let (time, beside) = (Arc::clone(&own), Arc::clone(&own));
        let time = ChildSpec::actor::<Membership>(&membership, move || Arc::clone(&time));
        let ends =
            ChildSpec::actor::<Neighbours>(&beside.neighbours.clone(), move || Arc::clone(&beside));
        SupervisorSpec::new(Strategy::OneForOne).child(time).child(ends)
    };
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .child(ChildSpec::actor::<Sessions>(sessions, || ()))
        .child(ChildSpec::supervisor(&gcs, books))
        .child(ChildSpec::supervisor(&cluster.node_pool, empty))
        .child(ChildSpec::supervisor(&cluster.drivers, empty))
        .child(ChildSpec::actor::<Door>(&door, move || Arc::clone(&house)));
    let Some(plan) = own_node else { return spec };
    let addr = Addr::system::<OwnNode>("own_node");
    let child = ChildSpec::actor::<OwnNode>(&addr, move || Arc::clone(&plan))
        .restart(Restart::Permanent)
        .own_restarts(limits::NODE_RESTARTS_MAX)
        .shutdown(Shutdown::Wait);
    spec.child(child)
}

//! What a head or a node tells Prometheus, and the port from which that is read.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};

use raytree_config::{Config, Memory};
use raytree_dashboard::{Measured, Served, metrics};
use raytree_inspector::Inspected;
use raytree_supervise::Root;
use raytree_types::inspect::ClusterStatus;
use raytree_types::limits;

use crate::ports;

/// The port, opened before the tree is up: others are told of it then. Nobody is answered yet.
pub(crate) struct Gauge {
    listener: tokio::net::TcpListener,
    pub(crate) address: SocketAddr,
}

impl Gauge {
    /// As the settings say. That no port is free is a warning: a head and its own node have the same settings.
    pub(crate) fn open(config: &Config) -> Option<Self> {
        let settings = config.metrics();
        if !settings.enabled {
            return None;
        }
        let wanted = SocketAddr::new(settings.host, settings.port);
        let opened = ports::open(wanted, limits::METRICS_PORTS_TRIED);
        let opened = opened.and_then(|listener| {
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        });
        match opened {
            Ok(own) => {
                if settings.port != 0 && settings.port != own.address.port() {
                    let (wanted, got) = (settings.port, own.address.port());
                    tracing::info!("port {wanted} is taken, so metrics are read from {got}");
                }
                Some(own)
            }
            Err(error) => {
                tracing::warn!(%wanted, %error, "no metrics: no port can be opened");
                None
            }
        }
    }

    /// Answers from now on, as an actor of this tree.
    pub(crate) fn serve(self, root: &Root, measured: Arc<dyn Measured>) {
        raytree_dashboard::start(root, "metrics", Served::new(self.listener, metrics(measured)));
    }
}

/// What is in use of this machine's memory, and all there is.
pub(crate) fn memory() -> Option<(u64, u64)> {
    Memory::now().map(|now| (now.used, now.total))
}

/// A node, as it is measured.
pub(crate) struct OfNode(pub(crate) Arc<OnceLock<Weak<dyn Inspected>>>);

impl Measured for OfNode {
    fn inspected(&self) -> Option<Weak<dyn Inspected>> {
        self.0.get().cloned()
    }

    fn cluster(&self) -> Option<ClusterStatus> {
        None
    }

    fn memory(&self) -> Option<(u64, u64)> {
        memory()
    }
}

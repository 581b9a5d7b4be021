//! How a cluster is, for whoever asks.

use std::sync::Arc;

use raytree_engine::membership::Phase;
use raytree_process::cluster::MESSAGE_BYTES_MAX;
use raytree_supervise::clock;
use raytree_types::inspect::{ClusterStatus, JobStatus, NodePhase, NodeStatus};
use raytree_wire::{Stream, write_frame};

use super::cluster::Cluster;

/// Answers one that asks.
pub(super) fn tell(cluster: &Arc<Cluster>, stream: Stream) {
    let (_reads, mut writes) = stream.split();
    let Ok(text) = serde_json::to_vec(&of(cluster)) else { return };
    // Whoever asked may have left.
    _ = write_frame(&mut writes, &text, MESSAGE_BYTES_MAX);
    _ = writes.finish();
}

pub(super) fn of(cluster: &Cluster) -> ClusterStatus {
    let nodes = cluster.nodes().into_iter().map(|row| {
        let offer = row.offer;
        NodeStatus {
            name: row.member.name.to_string(),
            life: row.member.incarnation.0.saturating_sub(cluster.first_life.0),
            phase: match row.phase {
                Phase::Starting => NodePhase::Starting,
                Phase::Up => NodePhase::Up,
                Phase::Degraded => NodePhase::Degraded,
                Phase::Suspect => NodePhase::Suspect,
                Phase::Stopping => NodePhase::Stopping,
                Phase::Fenced | Phase::Gone => NodePhase::Fenced,
            },
            address: offer.as_ref().map(|offer| offer.address.clone()).unwrap_or_default(),
            total: offer.as_ref().map(|offer| offer.total.clone()).unwrap_or_default(),
            free: row.free,
            metrics: offer.as_ref().and_then(|own| own.metrics).map(|at| at.to_string()),
            version: offer.map(|offer| offer.version).unwrap_or_default(),
        }
    });
    let jobs = cluster.jobs().into_iter().map(|row| JobStatus {
        job: row.job,
        program: row.program,
        age: row.age,
        workers: row.workers,
    });
    let (detached, detached_count) = cluster.detached();
    ClusterStatus {
        version: ClusterStatus::VERSION,
        pid: std::process::id(),
        address: cluster.address.get().map(ToString::to_string).unwrap_or_default(),
        uptime: clock::now().saturating_sub(cluster.began),
        nodes: nodes.collect(),
        jobs: jobs.collect(),
        detached,
        detached_count,
        dashboard: cluster.dashboard.get().cloned(),
        metrics: cluster.metrics.get().map(ToString::to_string),
    }
}

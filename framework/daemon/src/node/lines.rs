//! What the workers of a node write, on its way to their drivers: over the session with the head, and never in the way of what
//! else is said there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use raytree_config::Config;
use raytree_engine::logs::{Allowance, Passed};
use raytree_process::cluster::{FromNode, Worker};
use raytree_process::logs::{Capture, Rotation, Session, Tell};
use raytree_supervise::clock;
use raytree_types::{LogLines, limits};

use super::station::Station;
use super::uplink::UplinkMsg;

/// How a node keeps what its workers write.
pub(crate) struct Kept {
    /// None where nothing can be kept.
    session: Option<Arc<Session>>,
    allowance: Mutex<Allowance>,
    under_way: Arc<AtomicUsize>,
}

/// Lines that are handed over: so many are at a time, and no more.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Kept {
    /// In the session of the head whose child this is, else in one of its own.
    pub(crate) fn new(config: &Config, is_child: bool) -> Self {
        let session = if is_child { Session::of_parent() } else { session(config) };
        let session = session.map(|session| session.of_node(&config.cluster().name));
        let allowance = Allowance::new(limits::LOG_NODE_BYTES_PER_SECOND, clock::now());
        let session = session.map(Arc::new);
        Self { session, allowance: Mutex::new(allowance), under_way: Arc::default() }
    }

    /// None where nothing can be kept.
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        self.session.clone()
    }

    /// What becomes of what a worker writes: one of a driver that wants to hear it, or another.
    pub(crate) fn captures(
        &self,
        station: &Arc<Station>,
        worker: &Worker,
        to_driver: bool,
    ) -> Option<Capture> {
        let session = Arc::clone(self.session.as_ref()?);
        let tell = to_driver.then(|| tell(station, worker));
        Some(Capture { session, tell, is_echoed: false })
    }

    fn hands_over(&self) -> Option<UnderWay> {
        let own = UnderWay(Arc::clone(&self.under_way));
        let before = self.under_way.fetch_add(1, Ordering::AcqRel);
        (before < limits::LOG_UNDER_WAY_MAX).then_some(own)
    }
}

/// The session of a daemon.
pub(crate) fn session(config: &Config) -> Option<Session> {
    let logs = config.logs();
    let below = logs.folder.clone().unwrap_or_else(std::env::temp_dir);
    let rotation = Rotation { bytes: logs.rotate_bytes.bytes(), files: logs.rotate_files };
    Session::begin(&below, rotation, true)
        .inspect_err(|error| {
            let folder = below.display();
            tracing::warn!(%error, %folder, "what workers write is not kept");
        })
        .ok()
}

fn tell(station: &Arc<Station>, worker: &Worker) -> Tell {
    let (station, worker) = (Arc::downgrade(station), worker.clone());
    let allowance = Allowance::new(limits::LOG_FORWARD_BYTES_PER_SECOND, clock::now());
    let own = Mutex::new(allowance);
    Arc::new(move |mut lines: LogLines| {
        let Some(station) = station.upgrade() else { return };
        let mut own = own.lock();
        // The node is said beside it.
        lines.source.name = worker.job.to_string();
        let Passed::Pass(lines) = own.take(lines, clock::now()) else { return };
        let mut of_node = station.logs.allowance.lock();
        match of_node.take(lines, clock::now()) {
            Passed::Pass(lines) => {
                let Some(place) = station.logs.hands_over() else { return own.lost(&lines) };
                drop(of_node);
                let said = FromNode::Lines { worker: worker.clone(), lines };
                // Refused when the node ends.
                _ = station.uplink.cast(UplinkMsg::Lines(Box::new((said, place))));
            }
            // They are counted in those of some worker that pass next.
            Passed::Nothing => {}
        }
    })
}

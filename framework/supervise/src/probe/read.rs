//! What is read of a probe, and of the tree below it. No actor is asked, none can hold it up.

use std::sync::atomic::Ordering;
use std::time::Duration;

use raytree_engine::supervision::Budget;
use raytree_types::inspect::{
    ActorDetail, ActorState, FlightEvent, INSPECT_VERSION, PolicyDetail, TreeNode, TreeRow,
    TreeSnapshot,
};
use raytree_types::shortened;

use super::Probe;
use crate::clock;

impl Probe {
    /// This moment of the tree below, this probe as its root.
    #[must_use]
    pub fn snapshot(&self) -> TreeSnapshot {
        TreeSnapshot { version: INSPECT_VERSION, uptime: clock::now(), root: self.read() }
    }

    fn read(&self) -> TreeNode {
        let row = self.row(0);
        TreeNode {
            name: row.name,
            type_name: row.type_name,
            strategy: row.strategy,
            state: row.state,
            queued: row.queued,
            queue_limit: row.queue_limit,
            handled: row.handled,
            refused: row.refused,
            busy_for: row.busy_for,
            current: row.current,
            restarts: row.restarts,
            remark: row.remark,
            last_causes: self.last_causes(),
            recorder: self.recorder.read().0,
            children: self.children().iter().map(|child| child.read()).collect(),
        }
    }

    /// This place alone, as a row of a flat tree. The flight recorder is not read.
    #[must_use]
    pub fn row(&self, depth: u32) -> TreeRow {
        let current = self.work.current();
        let cause =
            self.ends.lock().last.back().map(|kind| shortened(&kind.to_string()).to_owned());
        let (remark, host) = match &*self.extra.lock() {
            Some(extra) => {
                (extra.remark.as_deref().map(|text| shortened(text).to_owned()), extra.host.clone())
            }
            None => (None, None),
        };
        TreeRow {
            depth,
            name: self.name.to_string(),
            type_name: self.type_name.to_owned(),
            id: self.actor(),
            strategy: self.group.get().map(|group| group.strategy.to_string()),
            state: self.state(),
            queued: self.queued(),
            queue_limit: self.queue_limit,
            refused: self.refused.load(Ordering::Relaxed),
            handled: self.handled(),
            busy: self.work.busy(),
            busy_for: current.map(|(_, busy_for)| busy_for),
            current: current.map(|(label, _)| label.to_owned()),
            restarts: self.restarts(),
            last_cause: cause,
            remark,
            host,
            job: None,
            process: None,
            hidden: 0,
        }
    }

    /// All there is to say of it.
    #[must_use]
    pub fn detail(&self) -> ActorDetail {
        // The recorder's times are of this process alone.
        let began = clock::unix_time().saturating_sub(clock::now());
        let at = |event: FlightEvent| FlightEvent { at: began + event.at, ..event };
        let due = Duration::from_nanos(self.due.load(Ordering::Relaxed));
        let waits = self.state() == ActorState::Restarting && !due.is_zero();
        let policy = self.policy.get().map(|policy| PolicyDetail {
            restart: policy.restart,
            shutdown: policy.shutdown,
            backoff: policy.backoff,
            own_restarts: match policy.budget {
                Budget::Shared => None,
                Budget::Own(total) => Some(total),
            },
        });
        let (recorder, recorder_dropped) = self.recorder.read();
        let (ends, ends_dropped) = {
            let ends = self.ends.lock();
            (ends.last.iter().cloned().collect(), ends.dropped)
        };
        ActorDetail {
            path: self.path(),
            pid: std::process::id(),
            row: self.row(0),
            policy,
            intensity: self.group.get().map(|group| group.limit),
            next_life_in: waits.then(|| due.saturating_sub(clock::now())),
            children: self.children.read().len() as u64,
            ends,
            ends_dropped,
            recorder: recorder.into_iter().map(at).collect(),
            recorder_dropped,
        }
    }
}

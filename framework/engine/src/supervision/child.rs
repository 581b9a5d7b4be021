//! One child as its supervisor remembers it.

use std::time::Duration;

use super::{ChildPolicy, Life};

/// Where a child is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Adopted; its turn to start has not come.
    Idle,
    /// Its constructor runs.
    Starting,
    /// It is up.
    Running,
    /// It was asked to end.
    Stopping { after: After, killed: bool },
    /// It has ended and waits for the group start it belongs to.
    Down,
    /// It has ended and waits for its own backoff.
    Waiting,
}

/// What follows when a stopping child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Remove,
    Restart,
}

#[derive(Debug)]
pub(super) struct Child {
    pub(super) policy: ChildPolicy,
    pub(super) phase: Phase,
    pub(super) life: Life,
    /// Restarts of its own making.
    pub(super) restarts: u32,
    /// Restarts since it last ran well.
    in_a_row: u32,
    pub(super) up_since: Duration,
    begun: bool,
}

impl Child {
    pub(super) fn new(policy: ChildPolicy) -> Self {
        Self {
            policy,
            phase: Phase::Idle,
            life: 0,
            restarts: 0,
            in_a_row: 0,
            up_since: Duration::ZERO,
            begun: false,
        }
    }

    /// Some life of it has begun and not ended.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Starting | Phase::Running | Phase::Stopping { .. })
    }

    pub(super) fn begin(&mut self) {
        if self.begun {
            self.life += 1;
        }
        self.begun = true;
        self.phase = Phase::Starting;
    }

    /// Counts one more restart; the wait before it.
    pub(super) fn next_try(&mut self, ran_well: bool) -> Duration {
        self.restarts += 1;
        self.in_a_row = if ran_well { 1 } else { self.in_a_row + 1 };
        self.policy.backoff.delay(self.in_a_row)
    }
}

//! Learner: turns rollouts into better parameters.
//!
//! - **Parent:** `Algorithm` (restarted after a panic, up to 1,000 times over a training).
//! - **Children:** none.
//! - **After a restart:** nothing is left; the next `update` lends it the training it begins from, so the lost update is
//!   redone bit for bit.
//! - **Tells:** nobody; it answers `update`.
//!
//! Invariants:
//! - **LE-1 (same-update):** the answer to an `update` depends on its arguments and those of `new` only.
//! - **LE-2 (finite-or-nothing):** a step whose loss or gradient is not finite is not taken; the state before stays with
//!   the training.

use super::alone::Alone;
use super::answer::{RESTARTS_MAX, RETRIES};
use super::config::PpoConfig;
use super::env_runner::Position;
use super::network::NetworkFactory;
use super::rollout::Rollout;
use super::training::Training;
use super::update::{LearnerState, Rates, UpdateStats, Updater};
use crate::error::Result;
use raytree::{ObjectRef, remote};
use serde::{Deserialize, Serialize};

/// What an update brought.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Updated {
    pub(super) stats: UpdateStats,
    pub(super) state: LearnerState,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Learner {
    updater: Alone<Updater>,
    /// What the updater has learned so far; `None` if that must be taken from the training.
    position: Option<Position>,
}

#[remote(label = "learner", restarts = RESTARTS_MAX, retries = RETRIES)]
impl Learner {
    pub(super) fn new(config: &PpoConfig, network: &NetworkFactory) -> Result<Self> {
        Ok(Self { updater: Alone::new(Updater::new(config, network)?), position: None })
    }

    /// Learns from one rollout. The training, which stands at `position`, is read only by a learner that stands
    /// elsewhere.
    pub(super) async fn update(
        &mut self,
        position: Position,
        rollout: &Rollout,
        rates: Rates,
        training: ObjectRef<Training>,
    ) -> Result<Updated> {
        if self.position.take() != Some(position) {
            let training = training.shared().await?;
            self.updater.get().restore(&training.learner);
        }
        let updater = self.updater.get();
        let stats = updater.update(rollout, rates)?;
        self.position = Some(position.next());
        Ok(Updated { stats, state: updater.state() })
    }
}

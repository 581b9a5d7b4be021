//! Learner: turns rollouts into better parameters.
//!
//! - **Parent:** `Algorithm` (restarted after a panic, up to 1,000 times over a training).
//! - **Children:** none.
//! - **After a restart:** nothing is left; the next `Update` carries the state it begins from, so the lost update is redone
//!   bit for bit.
//! - **Tells:** nobody; it answers `Update`.
//!
//! Invariants:
//! - **LE-1 (same-update):** the answer to an `Update` depends on the message and the arguments only.
//! - **LE-2 (finite-or-nothing):** a step whose loss or gradient is not finite is not taken; the state before stays with
//!   the `Algorithm`.

use super::alone::Alone;
use super::env_runner::Position;
use super::env_runner_group::GroupArgs;
use super::rollout::Rollout;
use super::update::{LearnerState, Rates, UpdateStats, Updater};
use crate::error::Result;
use raytree::{Actor, ActorContext, BoxError, Call};
use std::sync::Arc;

/// Learns from one rollout.
#[derive(Debug)]
pub(super) struct Update {
    pub(super) position: Position,
    pub(super) batch: Arc<Rollout>,
    pub(super) rates: Rates,
    /// The state at `position`, for a learner that stands elsewhere.
    pub(super) state: Arc<LearnerState>,
}

/// What an update brought.
#[derive(Debug)]
pub(super) struct Updated {
    pub(super) stats: UpdateStats,
    pub(super) state: Arc<LearnerState>,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Learner {
    updater: Alone<Updater>,
    /// What the updater has learned so far; `None` if that must be taken from the next message.
    position: Option<Position>,
}

impl Actor for Learner {
    type Args = GroupArgs;

    async fn start(args: GroupArgs, _ctx: &ActorContext<Self>) -> Result<Self, BoxError> {
        let updater = Updater::new(&args.config, &args.factory)?;
        Ok(Self { updater: Alone::new(updater), position: None })
    }
}

impl Call<Update> for Learner {
    type Reply = Result<Updated>;

    async fn call(&mut self, update: Update, _ctx: &ActorContext<Self>) -> Result<Updated> {
        self.update(&update)
    }
}

impl Learner {
    fn update(&mut self, update: &Update) -> Result<Updated> {
        let here = self.position.take();
        let updater = self.updater.get();
        if here != Some(update.position) {
            updater.restore(&update.state);
        }
        let stats = updater.update(&update.batch, update.rates)?;
        self.position = Some(update.position.next());
        Ok(Updated { stats, state: Arc::new(updater.state()) })
    }
}

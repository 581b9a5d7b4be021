//! Many environments stepped in place: the interface, see [`VectorEnv`].

use super::Frame;
use crate::error::Result;
use crate::rng::{Rng, Stream};
use crate::space::{Actions, Space};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which of an experiment's environments a vector holds, and how they are seeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VectorOptions {
    /// Index in the experiment of the first environment held. Default 0.
    pub first: usize,
    /// How many are held. Default 1.
    pub count: usize,
    /// The experiment's seed. Default 0.
    pub seed: u64,
    /// Whether they draw from the evaluation streams instead of the training ones. Default false.
    pub evaluation: bool,
    /// Steps after which an episode is truncated; `None` (default) for the limit given at registration, if any.
    pub max_episode_steps: Option<u32>,
}

impl Default for VectorOptions {
    fn default() -> Self {
        Self { first: 0, count: 1, seed: 0, evaluation: false, max_episode_steps: None }
    }
}

impl VectorOptions {
    /// The first `count` environments of an experiment with seed 0.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self { count, ..Self::default() }
    }

    /// Sets [`first`](Self::first).
    #[must_use]
    pub fn first(mut self, first: usize) -> Self {
        self.first = first;
        self
    }

    /// Sets [`seed`](Self::seed).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Draws from the evaluation streams.
    #[must_use]
    pub fn evaluation(mut self) -> Self {
        self.evaluation = true;
        self
    }

    /// Sets [`max_episode_steps`](Self::max_episode_steps).
    #[must_use]
    pub fn max_episode_steps(mut self, steps: u32) -> Self {
        self.max_episode_steps = Some(steps);
        self
    }

    pub(super) fn rng(&self, index: usize) -> Rng {
        let index = index as u64;
        let stream = if self.evaluation { Stream::Evaluation(index) } else { Stream::Env(index) };
        Rng::stream(self.seed, stream)
    }
}

/// An episode that ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeEnd {
    /// The environment's index in the experiment.
    pub env: usize,
    /// Sum of rewards, not discounted.
    pub episode_return: f64,
    /// Steps taken.
    pub length: u32,
    /// Whether it reached its own end; otherwise it was cut short.
    pub terminated: bool,
}

/// What the last step (or reset) of `n` environments left, environment by environment.
#[derive(Clone, Copy, Debug)]
pub struct StepView<'a> {
    /// `n` observations to act on next: after an episode's end, the first one of the next episode.
    pub obs: &'a [f32],
    /// `n` rewards; zeros after a reset.
    pub rewards: &'a [f32],
    /// `n` flags: the episode reached its own end in this step.
    pub terminated: &'a [bool],
    /// `n` flags: the episode was cut short in this step. The step limit does not cut a terminated episode.
    pub truncated: &'a [bool],
    /// `n` observations, of which those of episodes that ended in this step are valid: their last ones.
    pub final_obs: &'a [f32],
    /// The episodes that ended in this step, in the order of environments.
    pub episodes: &'a [EpisodeEnd],
}

/// One environment between two steps, to be continued bit for bit, here or elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnvSnapshot {
    /// The environment's index in the experiment.
    pub index: usize,
    /// What [`Env::snapshot`](crate::Env::snapshot) returned.
    pub env: Vec<u8>,
    /// Its random stream.
    pub rng: Rng,
    /// Sum of rewards of the episode so far.
    pub episode_return: f64,
    /// Steps of the episode so far.
    pub episode_steps: u32,
    /// The observation to act on next.
    pub obs: Vec<f32>,
}

/// A snapshot of several environments, in the order of their indices. Those of several vectors may be joined and given
/// to vectors divided otherwise: each takes its own range.
pub type VectorSnapshot = Vec<EnvSnapshot>;

/// A range of an experiment's environments behind one virtual call per step.
///
/// Each environment is identified by its index in the experiment and draws from its own stream, so eight environments
/// behave the same, bit for bit, whether one vector holds all of them or four hold two each.
///
/// When an episode ends, the environment is reset within the same step: [`StepView::obs`] then holds the first
/// observation of the next episode and [`StepView::final_obs`] the last one of the ended episode, from which a truncated
/// return is bootstrapped. Nothing is allocated per step, unless the environment itself does.
pub trait VectorEnv: Send + fmt::Debug {
    /// What observations look like.
    fn observation_space(&self) -> &Space;

    /// What actions look like.
    fn action_space(&self) -> &Space;

    /// The range held, and how it is seeded.
    fn options(&self) -> &VectorOptions;

    /// Begins a new episode in every environment. Streams go on where they are.
    ///
    /// # Errors
    /// [`Error::BrokenEnv`](crate::Error::BrokenEnv) if an observation is not finite.
    fn reset(&mut self) -> Result<StepView<'_>>;

    /// Steps every environment once, in the order of indices.
    ///
    /// # Errors
    /// [`Error::NeedsReset`](crate::Error::NeedsReset) before the first reset; [`Error::ActionCount`](crate::Error::ActionCount) or [`Error::InvalidAction`](crate::Error::InvalidAction), and then
    /// nothing has moved; [`Error::BrokenEnv`](crate::Error::BrokenEnv) if an observation or a reward is not finite, after which only
    /// [`restore`](Self::restore) or [`reset`](Self::reset) makes sense.
    fn step(&mut self, actions: Actions<'_>) -> Result<StepView<'_>>;

    /// What the last step or reset left.
    fn view(&self) -> StepView<'_>;

    /// All environments, to be continued bit for bit.
    ///
    /// # Errors
    /// [`Error::SnapshotUnsupported`](crate::Error::SnapshotUnsupported) if the environment has no snapshots, [`Error::NeedsReset`](crate::Error::NeedsReset) before the first reset.
    fn snapshot(&self) -> Result<VectorSnapshot>;

    /// Continues from a snapshot that holds at least this range. Rewards and flags are cleared.
    ///
    /// # Errors
    /// [`Error::SnapshotMismatch`](crate::Error::SnapshotMismatch) if it does not fit; the environments then stay as they were.
    fn restore(&mut self, snapshot: &[EnvSnapshot]) -> Result<()>;

    /// One environment, by its position in the range, to be continued bit for bit.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot); [`Error::SnapshotMismatch`](crate::Error::SnapshotMismatch) if there is no such
    /// position.
    fn snapshot_one(&self, position: usize) -> Result<EnvSnapshot>;

    /// Continues one environment of the range from a snapshot with its index. Rewards and flags of the last step stay.
    ///
    /// # Errors
    /// [`Error::SnapshotMismatch`](crate::Error::SnapshotMismatch) if it does not fit,
    /// [`Error::NeedsReset`](crate::Error::NeedsReset) before the first reset; the environment then stays as it was.
    fn restore_one(&mut self, snapshot: &EnvSnapshot) -> Result<()>;

    /// A picture of the environment at this position of the range, if it draws one.
    fn render(&self, position: usize) -> Option<Frame>;
}

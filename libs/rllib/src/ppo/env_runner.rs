//! Env runner: steps a range of an experiment's environments by a copy of its policy.
//!
//! - **Parent:** `EnvRunnerGroup` (restarted after a panic, up to 1,000 times over a training).
//! - **Children:** none.
//! - **After a restart:** nothing is left; the next `sample` lends it the states of its environments, from which the lost
//!   rollout is redone bit for bit; environments that cannot be saved begin new episodes.
//! - **Tells:** nobody; it answers `sample` and `walk`.
//!
//! Invariants:
//! - **ER-1 (same-rollout):** the answer to a `sample` depends on its arguments and those of `new` only, not on what this
//!   or an earlier life of the runner did before.
//! - **ER-2 (own-streams):** each environment draws from its own streams, so a rollout does not depend on which runner
//!   holds it.

use super::alone::Alone;
use super::answer::{RESTARTS_MAX, RETRIES};
use super::config::PpoConfig;
use super::network::NetworkFactory;
use super::rollout::{Aside, EnvState, Rollout};
use super::sampler::{Sampler, Walked};
use super::training::Training;
use crate::error::{Error, Result};
use crate::rng::{Rng, Stream};
use raytree::{Array, ObjectRef, Shared, remote};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Where in the course of a training something stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Raised when the course was broken: a failed iteration is redone, a checkpoint is loaded.
    pub(super) history: u64,
    /// Iterations done.
    pub(super) iteration: u64,
}

impl Position {
    pub(super) fn next(self) -> Self {
        Self { iteration: self.iteration + 1, ..self }
    }
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct EnvRunner {
    config: Shared<PpoConfig>,
    network: Shared<NetworkFactory>,
    /// The environments it holds.
    range: Range<usize>,
    sampler: Alone<Sampler>,
    /// Where its environments stand; `None` after an error.
    position: Option<Position>,
}

#[remote(restarts = RESTARTS_MAX, retries = RETRIES)]
impl EnvRunner {
    pub(super) fn new(
        config: Shared<PpoConfig>,
        network: Shared<NetworkFactory>,
        range: Range<usize>,
    ) -> Result<Self> {
        let sampler = Alone::new(Sampler::new(&config, &network, range.clone())?);
        Ok(Self { config, network, range, sampler, position: Some(Position::default()) })
    }

    /// Samples one rollout with these weights. The training, which stands at `position`, is read only by a runner that
    /// stands elsewhere.
    pub(super) async fn sample(
        &mut self,
        position: Position,
        weights: &Array<f32>,
        training: ObjectRef<Training>,
    ) -> Result<(Rollout, Aside)> {
        if self.position.take() != Some(position) {
            let training = training.shared().await?;
            self.go_to(position, training.envs.as_ref().map(|states| &states[..]))?;
        }
        let sampled = self.sampler.get().sample(weights).map_err(|error| match error {
            Error::Diverged { cause, .. } => {
                Error::Diverged { iteration: position.iteration + 1, cause }
            }
            other => other,
        })?;
        self.position = Some(position.next());
        Ok(sampled)
    }

    /// Steps each environment so often with random actions, from the beginning of its streams.
    pub(super) fn walk(&mut self, steps: usize) -> Result<Walked> {
        self.position = None;
        self.go_to(Position::default(), None)?;
        self.sampler.get().walk(steps)
    }

    /// Stands where a training stands. Environments that cannot be saved begin new episodes there, on streams of that
    /// iteration: those of the beginning would show them what they have seen already.
    fn go_to(&mut self, position: Position, states: Option<&[EnvState]>) -> Result<()> {
        let range = self.range.clone();
        *self.sampler.get() = match states {
            None if position.iteration > 0 => {
                let mut fresh = Rng::stream(self.config.seed, Stream::Custom(position.iteration));
                let config = PpoConfig { seed: fresh.next_u64(), ..(*self.config).clone() };
                Sampler::new(&config, &self.network, range)?
            }
            _ => Sampler::new(&self.config, &self.network, range)?,
        };
        states.map_or(Ok(()), |states| self.sampler.get().restore(states))
    }
}

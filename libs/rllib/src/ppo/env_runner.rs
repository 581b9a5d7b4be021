//! Env runner: steps a range of an experiment's environments by a copy of its policy.
//!
//! - **Parent:** `EnvRunnerGroup` (restarted after a panic, up to 1,000 times over a training).
//! - **Children:** none.
//! - **After a restart:** nothing is left; the next `Sample` carries the states of its environments, from which the lost
//!   rollout is redone bit for bit; environments that cannot be saved begin new episodes.
//! - **Tells:** nobody; it answers `Sample` and `Walk`.
//!
//! Invariants:
//! - **ER-1 (same-rollout):** the answer to a `Sample` depends on the message and the arguments only, not on what this or
//!   an earlier life of the runner did before.
//! - **ER-2 (own-streams):** each environment draws from its own streams, so a rollout does not depend on which runner
//!   holds it.

use super::alone::Alone;
use super::config::PpoConfig;
use super::network::NetworkFactory;
use super::rollout::{EnvState, Rollout};
use super::sampler::{Sampler, Walked};
use super::update::LearnerState;
use crate::error::{Error, Result};
use crate::rng::{Rng, Stream};
use raytree::{Actor, ActorContext, BoxError, Call};
use std::ops::Range;
use std::sync::Arc;

/// Where in the course of a training something stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// What a runner is made from.
#[derive(Clone, Debug)]
pub(super) struct EnvRunnerArgs {
    pub(super) config: Arc<PpoConfig>,
    pub(super) factory: NetworkFactory,
    /// The environments it holds.
    pub(super) range: Range<usize>,
}

/// Samples one rollout.
#[derive(Debug)]
pub(super) struct Sample {
    /// The rollout begins here.
    pub(super) position: Position,
    pub(super) learner: Arc<LearnerState>,
    /// The environments at `position`, for a runner that stands elsewhere; `None` for the beginning of their streams.
    pub(super) states: Option<Arc<Vec<EnvState>>>,
    /// A rollout that is no longer needed, to be written over.
    pub(super) room: Option<Rollout>,
}

/// Steps each environment so often with random actions, from the beginning of its streams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk(pub(super) usize);

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct EnvRunner {
    args: EnvRunnerArgs,
    sampler: Alone<Sampler>,
    /// Where its environments stand; `None` after an error.
    position: Option<Position>,
}

impl Actor for EnvRunner {
    type Args = EnvRunnerArgs;

    async fn start(args: EnvRunnerArgs, _ctx: &ActorContext<Self>) -> Result<Self, BoxError> {
        let sampler = Sampler::new(&args.config, &args.factory, args.range.clone())?;
        Ok(Self { args, sampler: Alone::new(sampler), position: Some(Position::default()) })
    }
}

impl Call<Sample> for EnvRunner {
    type Reply = Result<Rollout>;

    async fn call(&mut self, sample: Sample, _ctx: &ActorContext<Self>) -> Result<Rollout> {
        self.sample(sample)
    }
}

impl Call<Walk> for EnvRunner {
    type Reply = Result<Walked>;

    async fn call(&mut self, Walk(steps): Walk, _ctx: &ActorContext<Self>) -> Result<Walked> {
        self.position = None;
        self.go_to(Position::default(), None)?;
        self.sampler.get().walk(steps)
    }
}

impl EnvRunner {
    fn sample(&mut self, Sample { position, learner, states, room }: Sample) -> Result<Rollout> {
        let here = self.position.take();
        if here != Some(position) {
            self.go_to(position, states.as_deref())?;
        }
        let sampler = self.sampler.get();
        let mut rollout = room.filter(|room| sampler.fits(room)).unwrap_or_else(|| sampler.room());
        sampler.sample(&learner.weights, &mut rollout).map_err(|error| match error {
            Error::Diverged { cause, .. } => {
                Error::Diverged { iteration: position.iteration + 1, cause }
            }
            other => other,
        })?;
        self.position = Some(position.next());
        Ok(rollout)
    }

    /// Stands where a training stands. Environments that cannot be saved begin new episodes there, on streams of that
    /// iteration: those of the beginning would show them what they have seen already.
    fn go_to(&mut self, position: Position, states: Option<&Vec<EnvState>>) -> Result<()> {
        let EnvRunnerArgs { config, factory, range } = &self.args;
        let sampler = self.sampler.get();
        let mut config = Arc::clone(config);
        if states.is_none() && position.iteration > 0 {
            let mut fresh = Rng::stream(config.seed, Stream::Custom(position.iteration));
            Arc::make_mut(&mut config).seed = fresh.next_u64();
        }
        *sampler = Sampler::new(&config, factory, range.clone())?;
        states.map_or(Ok(()), |states| sampler.restore(states))
    }
}

//! Env runner group: divides an experiment's environments among runners and joins what they bring.
//!
//! - **Parent:** `Algorithm` (restarted after a panic, up to 1,000 times over a training).
//! - **Children:** one `EnvRunner` per range of environments.
//! - **After a restart:** it has new runners, which take their states from the next `Collect`.
//! - **Tells:** nobody; it answers `Collect` and `Walk`.
//!
//! Invariants:
//! - **EG-1 (env-order):** a joined rollout has its columns in the order of environments and its episodes in the order of
//!   steps, then environments, whoever answered first.
//! - **EG-2 (bounded-redo):** a rollout is asked of a runner at most 3 times; then the error names runner and cause.

use super::config::PpoConfig;
use super::env_runner::{EnvRunner, EnvRunnerArgs, Position, Sample, Walk};
use super::head::Head;
use super::network::NetworkFactory;
use super::retry::{Lost, RESTARTS_MAX, ask_again};
use super::rollout::{EnvState, Rollout, Shape};
use super::sampler::Walked;
use super::update::LearnerState;
use crate::error::{Error, Result};
use raytree::{Actor, ActorContext, ActorHandle, ActorOptions, BoxError, Call};
use std::ops::Range;
use std::sync::Arc;

/// What the group is made from.
#[derive(Clone, Debug)]
pub(super) struct GroupArgs {
    pub(super) config: Arc<PpoConfig>,
    pub(super) factory: NetworkFactory,
}

/// Samples one rollout of all environments.
#[derive(Debug)]
pub(super) struct Collect {
    pub(super) position: Position,
    pub(super) learner: Arc<LearnerState>,
    /// All environments at `position`; `None` for the beginning of their streams.
    pub(super) states: Option<Arc<Vec<EnvState>>>,
    /// A joined rollout that is no longer needed.
    pub(super) room: Option<Rollout>,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct EnvRunnerGroup {
    runners: Vec<Runner>,
    head: Head,
    shape: Shape,
}

#[derive(Debug)]
struct Runner {
    handle: ActorHandle<EnvRunner>,
    range: Range<usize>,
    /// Its last rollout, to be written over.
    room: Option<Rollout>,
}

impl Actor for EnvRunnerGroup {
    type Args = GroupArgs;

    async fn start(
        GroupArgs { config, factory }: GroupArgs,
        ctx: &ActorContext<Self>,
    ) -> Result<Self, BoxError> {
        let runner = |number: usize| {
            let range = config.runner_range(number);
            let args = EnvRunnerArgs {
                config: Arc::clone(&config),
                factory: factory.clone(),
                range: range.clone(),
            };
            let options =
                ActorOptions::new().label(format!("env_runner-{number}")).restarts(RESTARTS_MAX);
            Ok(Runner { handle: ctx.spawn(args, options)?, range, room: None })
        };
        let runners = (0..config.env_runners).map(runner).collect::<raytree::Result<_>>()?;
        let spec = factory.spec();
        let shape = Shape { steps: config.rollout_steps, envs: config.envs, obs_len: spec.inputs };
        Ok(Self { runners, head: Head::of(&spec.action_space)?, shape })
    }
}

impl Call<Collect> for EnvRunnerGroup {
    type Reply = Result<Rollout>;

    async fn call(&mut self, collect: Collect, _ctx: &ActorContext<Self>) -> Result<Rollout> {
        self.collect(collect).await
    }
}

impl Call<Walk> for EnvRunnerGroup {
    type Reply = Result<Walked>;

    async fn call(&mut self, walk: Walk, _ctx: &ActorContext<Self>) -> Result<Walked> {
        self.walk(walk).await
    }
}

impl EnvRunnerGroup {
    /// Whoever walked takes its states from the next `Sample`.
    async fn walk(&mut self, walk: Walk) -> Result<Walked> {
        let asked: Vec<_> = self.runners.iter().map(|runner| runner.handle.call(walk)).collect();
        let mut whole = Ok(Walked::default());
        for ((number, runner), first) in self.runners.iter().enumerate().zip(asked) {
            let answer = ask_again(first, || runner.handle.call(walk)).await;
            let answer = answer.unwrap_or_else(|lost| Err(runner.lost(number, lost)));
            whole = whole.and_then(|whole| answer.map(|part| whole.join(part)));
        }
        whole
    }

    async fn collect(
        &mut self,
        Collect { position, learner, states, room }: Collect,
    ) -> Result<Rollout> {
        let sample =
            |room| Sample { position, learner: Arc::clone(&learner), states: states.clone(), room };
        if let [only] = &mut self.runners[..] {
            let first = only.handle.call(sample(room));
            return only.finish(0, first, sample).await;
        }
        // All are asked before the first answer is awaited.
        let asked: Vec<_> = self
            .runners
            .iter_mut()
            .map(|runner| runner.handle.call(sample(runner.room.take())))
            .collect();
        let mut joined = room
            .filter(|room| room.shape == self.shape)
            .unwrap_or_else(|| Rollout::new(self.shape, &self.head));
        let mut failed = None;
        for ((number, runner), first) in self.runners.iter_mut().enumerate().zip(asked) {
            // All are awaited even if one fails, so that none is left at work.
            match runner.finish(number, first, sample).await {
                Ok(mut part) => {
                    joined.join(&mut part, runner.range.start);
                    runner.room = Some(part);
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        joined.finish_join();
        failed.map_or(Ok(joined), Err)
    }
}

impl Runner {
    /// The answer of a runner that was asked; asks again while it is being restarted.
    async fn finish(
        &self,
        number: usize,
        first: raytree::Pending<Result<Rollout>>,
        sample: impl Fn(Option<Rollout>) -> Sample,
    ) -> Result<Rollout> {
        let answer = ask_again(first, || self.handle.call(sample(None))).await;
        answer.unwrap_or_else(|lost| Err(self.lost(number, lost)))
    }

    fn lost(&self, runner: usize, Lost { attempts, source }: Lost) -> Error {
        let (first, last) = (self.range.start, self.range.end.saturating_sub(1));
        Error::RunnerLost { runner, first, last, attempts, source }
    }
}

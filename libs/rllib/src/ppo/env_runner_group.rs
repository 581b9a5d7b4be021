//! Env runner group: divides an experiment's environments among runners and joins what they bring.
//!
//! - **Parent:** `Algorithm` (restarted after a panic, up to 1,000 times over a training).
//! - **Children:** one `EnvRunner` per range of environments.
//! - **After a restart:** it has new runners, which take their states from the next `collect`.
//! - **Tells:** nobody; it answers `collect` and `walk`.
//!
//! Invariants:
//! - **EG-1 (env-order):** a joined rollout has its columns in the order of environments and its episodes in the order of
//!   steps, then environments, whoever answered first.
//! - **EG-2 (bounded-redo):** a rollout is asked of a runner at most 3 times; then the error names runner and cause.

use super::answer::{RESTARTS_MAX, RETRIES, told_or};
use super::config::PpoConfig;
use super::env_runner::{EnvRunner, EnvRunnerHandle, Position};
use super::head::Head;
use super::network::NetworkFactory;
use super::rollout::{Aside, Rollout, RolloutBuffer, Shape};
use super::sampler::Walked;
use super::training::Training;
use crate::error::{Error, Result};
use raytree::{ActorOptions, Array, ObjectRef, Shared, remote};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What all runners brought: the steps stay where they were joined until a learner reads them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Collected {
    pub(super) rollout: ObjectRef<Rollout>,
    pub(super) rows: usize,
    pub(super) aside: Aside,
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
    handle: EnvRunnerHandle,
    range: Range<usize>,
}

#[remote(label = "env_runner_group", restarts = RESTARTS_MAX, retries = RETRIES)]
impl EnvRunnerGroup {
    pub(super) fn new(config: Shared<PpoConfig>, network: Shared<NetworkFactory>) -> Result<Self> {
        let runner = |number: usize| {
            let range = config.runner_range(number);
            let options = ActorOptions::new().label(format!("env_runner-{number}"));
            let class = EnvRunner::with(options);
            let handle = class.remote(config.clone(), network.clone(), range.clone());
            Runner { handle, range }
        };
        let runners = (0..config.env_runners).map(runner).collect();
        let spec = network.spec();
        let shape = Shape { steps: config.rollout_steps, envs: config.envs, obs_len: spec.inputs };
        Ok(Self { runners, head: Head::of(&spec.action_space)?, shape })
    }

    /// Samples one rollout of all environments.
    pub(super) async fn collect(
        &self,
        position: Position,
        weights: ObjectRef<Array<f32>>,
        training: ObjectRef<Training>,
    ) -> Result<Collected> {
        let sample = |handle: &EnvRunnerHandle| handle.sample(position, &weights, training.clone());
        let (rollout, aside) = match &self.runners[..] {
            [only] => sample(&only.handle).await.map_err(|error| only.failed(0, error))?,
            all => {
                // All are asked before the first answer is awaited.
                let asked = all.iter().map(|runner| sample(&runner.handle)).collect();
                self.join(asked).await?
            }
        };
        let rows = rollout.rows();
        Ok(Collected { rollout: raytree::put(rollout).await?, rows, aside })
    }

    /// Whoever walked takes its states from the next `sample`.
    pub(super) async fn walk(&self, steps: usize) -> Result<Walked> {
        let asked: Vec<_> = self.runners.iter().map(|runner| runner.handle.walk(steps)).collect();
        let mut whole = Ok(Walked::default());
        for ((number, runner), answer) in self.runners.iter().enumerate().zip(asked) {
            let answer = answer.await.map_err(|error| runner.failed(number, error));
            whole = whole.and_then(|whole| answer.map(|part| whole.join(part)));
        }
        whole
    }

    async fn join(&self, asked: Vec<ObjectRef<(Rollout, Aside)>>) -> Result<(Rollout, Aside)> {
        let (mut rollout, mut aside) = (RolloutBuffer::new(self.shape, &self.head), Aside::new());
        let mut failed = None;
        for ((number, runner), answer) in self.runners.iter().enumerate().zip(asked) {
            // All are awaited even if one fails, so that none is left at work.
            match answer.await {
                Ok((part, beside)) => {
                    rollout.join(&part, runner.range.start);
                    aside.join(beside);
                }
                Err(error) => failed = failed.or_else(|| Some(runner.failed(number, error))),
            }
        }
        aside.finish_join();
        failed.map_or(Ok((rollout.finish(), aside)), Err)
    }
}

impl Runner {
    /// What a failed call to it means.
    fn failed(&self, runner: usize, error: raytree::Error) -> Error {
        let (first, last) = (self.range.start, self.range.end.saturating_sub(1));
        told_or(error, |attempts, source| Error::RunnerLost {
            runner,
            first,
            last,
            attempts,
            source,
        })
    }
}

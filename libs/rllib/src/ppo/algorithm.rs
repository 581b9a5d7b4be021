//! Algorithm: the course of one iteration: sample, update, evaluate.
//!
//! - **Parent:** whoever built the [`Ppo`](super::Ppo) (restarted after a panic, up to 1,000 times over a training).
//! - **Children:** `EnvRunnerGroup`, `Learner`, `Evaluator`.
//! - **After a restart:** it has new children and nothing else to remember: the training lies with the [`Ppo`](super::Ppo),
//!   which lends it to every iteration. A call that is lost with a child is made again, up to twice.
//! - **Tells:** nobody; it answers `iterate`, `evaluate` and `walk`.
//!
//! Invariants:
//! - **AL-1 (whole-iterations):** a failed or abandoned iteration leaves the training as it was; the next step redoes it.
//! - **AL-2 (same-curve):** one seed gives one curve, bit for bit, for any number of runners, whichever actor panics, and
//!   across a checkpoint.

use super::answer::{RESTARTS_MAX, RETRIES, failed};
use super::config::PpoConfig;
use super::env_runner::Position;
use super::env_runner_group::{EnvRunnerGroup, EnvRunnerGroupHandle};
use super::evaluator::{Evaluation, Evaluator, EvaluatorHandle};
use super::learner::{Learner, LearnerHandle};
use super::network::NetworkFactory;
use super::sampler::Walked;
use super::training::Training;
use crate::clock::Moment;
use crate::error::Result;
use crate::metrics::Report;
use raytree::{Array, ObjectRef, Shared, remote};
use serde::{Deserialize, Serialize};

/// What an iteration brought.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Iterated {
    pub(super) training: Training,
    pub(super) report: Report,
    pub(super) evaluation: Option<Evaluation>,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Algorithm {
    config: Shared<PpoConfig>,
    group: EnvRunnerGroupHandle,
    learner: LearnerHandle,
    evaluator: EvaluatorHandle,
}

#[remote(label = "ppo", restarts = RESTARTS_MAX, retries = RETRIES)]
impl Algorithm {
    pub(super) fn new(config: Shared<PpoConfig>, network: Shared<NetworkFactory>) -> Self {
        Self {
            group: EnvRunnerGroup::remote(config.clone(), network.clone()),
            learner: Learner::remote(config.clone(), network.clone()),
            evaluator: Evaluator::remote(config.clone(), network),
            config,
        }
    }

    /// One iteration from where `training` stands.
    pub(super) async fn iterate(
        &self,
        history: u64,
        training: ObjectRef<Training>,
    ) -> Result<Iterated> {
        let before = training.shared().await?;
        let position = Position { history, iteration: before.progress.iteration };
        let rates = before.rates(&self.config);
        let began = Moment::now();
        // Stored once, read by every runner.
        let weights = raytree::put(before.learner.weights.clone()).await?;
        let collected = self.group.collect(position, weights, training.clone()).await;
        let collected = collected.map_err(|error| failed("env runner group", error))?;
        let sample_s = began.seconds();
        let updated = self.learner.update(position, &collected.rollout, rates, training).await;
        let updated = updated.map_err(|error| failed("learner", error))?;
        let update_s = began.seconds() - sample_s;
        let rows = collected.rows as f64;
        let mut training = (*before).clone();
        training.advance(collected, updated.state);
        let evaluation = self.evaluate_if_due(&mut training).await?;
        training.progress.elapsed_s += began.seconds();
        let report = Report {
            sample_s: Some(sample_s),
            update_s: Some(update_s),
            env_steps_per_s: Some(rows / (sample_s + update_s).max(f64::MIN_POSITIVE)),
            elapsed_s: training.progress.elapsed_s,
            evaluation_return_mean: evaluation.as_ref().map(Evaluation::mean),
            ..training.report(&updated.stats, rates)
        };
        Ok(Iterated { training, report, evaluation })
    }

    /// Plays greedy episodes.
    pub(super) async fn evaluate(
        &self,
        weights: ObjectRef<Array<f32>>,
        number: u64,
        episodes: usize,
    ) -> Result<Evaluation> {
        let evaluation = self.evaluator.evaluate(weights, number, episodes).await;
        evaluation.map_err(|error| failed("evaluator", error))
    }

    /// Steps each environment so often with random actions.
    pub(super) async fn walk(&self, steps: usize) -> Result<Walked> {
        self.group.walk(steps).await.map_err(|error| failed("env runner group", error))
    }

    /// Every `evaluation_every` steps, and at the end.
    async fn evaluate_if_due(&self, training: &mut Training) -> Result<Option<Evaluation>> {
        let (every, rows) = (self.config.evaluation_every, self.config.batch_rows() as u64);
        let now = training.progress.env_steps;
        let due = every > 0
            && (now / every > now.saturating_sub(rows) / every || training.done(&self.config));
        if !due {
            return Ok(None);
        }
        let weights = raytree::put(training.learner.weights.clone()).await?;
        let (number, episodes) = (training.next_evaluation(), self.config.evaluation_episodes);
        let evaluation = self.evaluate(weights, number, episodes).await?;
        training.progress.last_evaluation = Some(evaluation.mean());
        Ok(Some(evaluation))
    }
}

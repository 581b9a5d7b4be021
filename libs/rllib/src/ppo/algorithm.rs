//! Algorithm: the course of one iteration: sample, update, evaluate.
//!
//! - **Parent:** whoever built the [`Ppo`](super::Ppo) (restarted after a panic, up to 1,000 times over a training).
//! - **Children:** `EnvRunnerGroup`, `Learner`, `Evaluator`.
//! - **After a restart:** it has new children and nothing else to remember: the training lies with the [`Ppo`](super::Ppo),
//!   which sends it along. When a child is restarted, the message that was lost with it is sent again in the same way.
//! - **Tells:** nobody; it answers `Iterate`, `RunEvaluation` and `Walk`.
//!
//! Invariants:
//! - **AL-1 (whole-iterations):** a failed or abandoned iteration leaves the training as it was; the next step redoes it.
//! - **AL-2 (same-curve):** one seed gives one curve, bit for bit, for any number of runners, whichever actor panics, and
//!   across a checkpoint.

use super::config::PpoConfig;
use super::env_runner::{Position, Walk};
use super::env_runner_group::{Collect, EnvRunnerGroup, GroupArgs};
use super::evaluator::{Evaluate, Evaluation, Evaluator};
use super::learner::{Learner, Update, Updated};
use super::retry::{Lost, RESTARTS_MAX, ask_again};
use super::rollout::Rollout;
use super::sampler::Walked;
use super::training::Training;
use super::update::{LearnerState, Rates};
use crate::clock::Moment;
use crate::error::{Error, Result};
use crate::metrics::Report;
use raytree::{Actor, ActorContext, ActorHandle, ActorOptions, BoxError, Call};
use std::sync::Arc;

/// Trains for one iteration.
#[derive(Debug)]
pub(super) struct Iterate {
    pub(super) history: u64,
    pub(super) training: Training,
}

/// What an iteration brought.
#[derive(Debug)]
pub(super) struct Iterated {
    pub(super) training: Training,
    pub(super) report: Report,
    pub(super) evaluation: Option<Evaluation>,
}

/// Plays greedy episodes.
#[derive(Clone, Debug)]
pub(super) struct RunEvaluation {
    pub(super) learner: Arc<LearnerState>,
    pub(super) number: u64,
    pub(super) episodes: usize,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Algorithm {
    config: Arc<PpoConfig>,
    group: ActorHandle<EnvRunnerGroup>,
    learner: ActorHandle<Learner>,
    evaluator: ActorHandle<Evaluator>,
    /// The last batch, to be written over.
    room: Option<Rollout>,
}

impl Actor for Algorithm {
    type Args = GroupArgs;

    async fn start(args: GroupArgs, ctx: &ActorContext<Self>) -> Result<Self, BoxError> {
        let options = |name: &str| ActorOptions::new().label(name).restarts(RESTARTS_MAX);
        Ok(Self {
            group: ctx.spawn(args.clone(), options("env_runner_group"))?,
            learner: ctx.spawn(args.clone(), options("learner"))?,
            evaluator: ctx.spawn(args.clone(), options("evaluator"))?,
            config: args.config,
            room: None,
        })
    }
}

impl Call<Iterate> for Algorithm {
    type Reply = Result<Iterated>;

    async fn call(&mut self, iterate: Iterate, _ctx: &ActorContext<Self>) -> Result<Iterated> {
        self.iterate(iterate).await
    }
}

impl Call<RunEvaluation> for Algorithm {
    type Reply = Result<Evaluation>;

    async fn call(&mut self, run: RunEvaluation, _ctx: &ActorContext<Self>) -> Result<Evaluation> {
        self.evaluate(&run).await
    }
}

impl Call<Walk> for Algorithm {
    type Reply = Result<Walked>;

    async fn call(&mut self, walk: Walk, _ctx: &ActorContext<Self>) -> Result<Walked> {
        let answer = ask_again(self.group.call(walk), || self.group.call(walk)).await;
        answer.unwrap_or_else(|lost| Err(part_lost("env runner group", lost)))
    }
}

impl Algorithm {
    async fn iterate(&mut self, Iterate { history, mut training }: Iterate) -> Result<Iterated> {
        let position = Position { history, iteration: training.progress.iteration };
        let rates = training.rates(&self.config);
        let began = Moment::now();
        let batch = Arc::new(self.collect(position, &training).await?);
        let sample_s = began.seconds();
        let Updated { stats, state } = self.update(position, &training, &batch, rates).await?;
        let update_s = began.seconds() - sample_s;
        training.advance(&batch, state);
        let rows = batch.rows() as f64;
        self.room = Arc::into_inner(batch);
        let evaluation = self.evaluate_if_due(&mut training).await?;
        training.progress.elapsed_s += began.seconds();
        let report = Report {
            sample_s: Some(sample_s),
            update_s: Some(update_s),
            env_steps_per_s: Some(rows / (sample_s + update_s).max(f64::MIN_POSITIVE)),
            elapsed_s: training.progress.elapsed_s,
            evaluation_return_mean: evaluation.as_ref().map(Evaluation::mean),
            ..training.report(&stats, rates)
        };
        Ok(Iterated { training, report, evaluation })
    }

    async fn collect(&mut self, position: Position, training: &Training) -> Result<Rollout> {
        let collect = |room| Collect {
            position,
            learner: Arc::clone(&training.learner),
            states: training.envs.clone(),
            room,
        };
        let first = self.group.call(collect(self.room.take()));
        let answer = ask_again(first, || self.group.call(collect(None))).await;
        answer.unwrap_or_else(|lost| Err(part_lost("env runner group", lost)))
    }

    async fn update(
        &self,
        position: Position,
        training: &Training,
        batch: &Arc<Rollout>,
        rates: Rates,
    ) -> Result<Updated> {
        let update = || {
            self.learner.call(Update {
                position,
                batch: Arc::clone(batch),
                rates,
                state: Arc::clone(&training.learner),
            })
        };
        let answer = ask_again(update(), update).await;
        answer.unwrap_or_else(|lost| Err(part_lost("learner", lost)))
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
        let run = training.next_evaluation(self.config.evaluation_episodes);
        let evaluation = self.evaluate(&run).await?;
        training.progress.last_evaluation = Some(evaluation.mean());
        Ok(Some(evaluation))
    }

    async fn evaluate(&self, run: &RunEvaluation) -> Result<Evaluation> {
        let evaluate = || {
            let RunEvaluation { learner, number, episodes } = run.clone();
            self.evaluator.call(Evaluate { learner, number, episodes })
        };
        let answer = ask_again(evaluate(), evaluate).await;
        answer.unwrap_or_else(|lost| Err(part_lost("evaluator", lost)))
    }
}

/// The error of a part that did not answer.
pub(super) fn part_lost(part: &'static str, Lost { attempts, source }: Lost) -> Error {
    Error::PartLost { part, attempts, source }
}

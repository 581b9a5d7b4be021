//! Algorithm: the course of a training, one iteration after another.
//!
//! - **Parent:** whoever built the [`Ppo`](super::Ppo) (not restarted: its caller is told, and checkpoints stay).
//! - **Children:** `EnvRunnerGroup`, `Learner`, `Evaluator`.
//! - **After a restart:** there is none. When a child is restarted, the message that was lost with it is sent again, with
//!   all it needs to be answered bit for bit as the first time.
//! - **Tells:** nobody; it answers `Step`, `RunEvaluation`, `Walk`, `Save`, `Load`, `Weights`.
//!
//! Invariants:
//! - **AL-1 (whole-iterations):** a failed iteration leaves the training as it was before it; the next step redoes it.
//! - **AL-2 (same-curve):** one seed gives one curve, bit for bit, for any number of runners, whichever child panics, and
//!   across a checkpoint.

use super::config::PpoConfig;
use super::env_runner::{Position, Walk};
use super::env_runner_group::{Collect, EnvRunnerGroup, GroupArgs};
use super::evaluator::{Evaluate, Evaluation, Evaluator};
use super::learner::{Learner, Update, Updated};
use super::network::NetworkFactory;
use super::retry::{Lost, RESTARTS_MAX, ask_again};
use super::rollout::Rollout;
use super::sampler::Walked;
use super::training::Training;
use super::update::{Rates, UpdateStats};
use crate::clock::Moment;
use crate::error::{Error, Result};
use crate::metrics::Report;
use raytree::{Actor, ActorContext, ActorHandle, ActorOptions, BoxError, Call};
use std::path::PathBuf;
use std::sync::Arc;

/// Trains for one iteration.
#[derive(Debug)]
pub(super) struct Step;

/// What an iteration brought.
#[derive(Debug)]
pub(super) struct Stepped {
    pub(super) report: Report,
    pub(super) evaluation: Option<Evaluation>,
    /// Nothing is left to do.
    pub(super) done: bool,
}

/// Plays so many greedy episodes.
#[derive(Debug)]
pub(super) struct RunEvaluation(pub(super) usize);

/// Writes a checkpoint.
#[derive(Debug)]
pub(super) struct Save(pub(super) PathBuf);

/// Goes on from a checkpoint.
#[derive(Debug)]
pub(super) struct Load(pub(super) PathBuf);

/// The learned weights: parameters, then buffers.
#[derive(Debug)]
pub(super) struct Weights;

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Algorithm {
    config: Arc<PpoConfig>,
    factory: NetworkFactory,
    group: ActorHandle<EnvRunnerGroup>,
    learner: ActorHandle<Learner>,
    evaluator: ActorHandle<Evaluator>,
    training: Training,
    history: u64,
    /// The last batch, to be written over.
    room: Option<Rollout>,
}

impl Actor for Algorithm {
    type Args = GroupArgs;

    async fn start(args: GroupArgs, ctx: &ActorContext<Self>) -> Result<Self, BoxError> {
        let options = |name: &str| ActorOptions::new().name(name).restarts(RESTARTS_MAX);
        Ok(Self {
            training: Training::new(&args.config, &args.factory)?,
            group: ctx.spawn(args.clone(), options("env_runner_group"))?,
            learner: ctx.spawn(args.clone(), options("learner"))?,
            evaluator: ctx.spawn(args.clone(), options("evaluator"))?,
            config: args.config,
            factory: args.factory,
            history: 0,
            room: None,
        })
    }
}

impl Call<Step> for Algorithm {
    type Reply = Result<Option<Stepped>>;

    async fn call(&mut self, _: Step, _ctx: &ActorContext<Self>) -> Result<Option<Stepped>> {
        self.step().await
    }
}

impl Call<RunEvaluation> for Algorithm {
    type Reply = Result<Evaluation>;

    async fn call(
        &mut self,
        RunEvaluation(episodes): RunEvaluation,
        _ctx: &ActorContext<Self>,
    ) -> Result<Evaluation> {
        self.evaluate(episodes).await
    }
}

impl Call<Walk> for Algorithm {
    type Reply = Result<Walked>;

    async fn call(&mut self, walk: Walk, _ctx: &ActorContext<Self>) -> Result<Walked> {
        let answer = ask_again(self.group.call(walk), || self.group.call(walk)).await;
        answer.unwrap_or_else(|lost| Err(part_lost("env runner group", lost)))
    }
}

impl Call<Save> for Algorithm {
    type Reply = Result<()>;

    async fn call(&mut self, Save(path): Save, _ctx: &ActorContext<Self>) -> Result<()> {
        self.training.save(&path, &self.config, &self.factory)
    }
}

impl Call<Load> for Algorithm {
    /// Environment steps of the training so far.
    type Reply = Result<u64>;

    async fn call(&mut self, Load(path): Load, _ctx: &ActorContext<Self>) -> Result<u64> {
        self.training = Training::load(&path, &self.config, &self.factory)?;
        self.history += 1;
        Ok(self.training.progress.env_steps)
    }
}

impl Call<Weights> for Algorithm {
    type Reply = Vec<f32>;

    async fn call(&mut self, _: Weights, _ctx: &ActorContext<Self>) -> Vec<f32> {
        self.training.learner.weights.clone()
    }
}

impl Algorithm {
    async fn step(&mut self) -> Result<Option<Stepped>> {
        if self.done() {
            return Ok(None);
        }
        let began = Moment::now();
        let iterated = self.iterate().await;
        if iterated.is_err() {
            // Whoever got ahead goes back (AL-1).
            self.history += 1;
        }
        let mut report = iterated?;
        let evaluation = if self.evaluation_is_due() {
            Some(self.evaluate(self.config.evaluation_episodes).await?)
        } else {
            None
        };
        if let (Some(evaluation), Some(goal)) = (&evaluation, self.config.stop_at_return) {
            self.training.progress.stopped = evaluation.mean() >= goal;
        }
        self.training.progress.elapsed_s += began.seconds();
        report.elapsed_s = self.training.progress.elapsed_s;
        report.evaluation_return_mean = evaluation.as_ref().map(Evaluation::mean);
        Ok(Some(Stepped { report, evaluation, done: self.done() }))
    }

    fn done(&self) -> bool {
        let progress = &self.training.progress;
        progress.stopped || progress.env_steps >= self.config.total_env_steps
    }

    /// Every `evaluation_every` steps, and at the end.
    fn evaluation_is_due(&self) -> bool {
        let every = self.config.evaluation_every;
        let (now, rows) = (self.training.progress.env_steps, self.config.batch_rows() as u64);
        every > 0 && (now / every > (now - rows.min(now)) / every || self.done())
    }

    /// Samples and updates. On an error the training is as it was.
    async fn iterate(&mut self) -> Result<Report> {
        let position =
            Position { history: self.history, iteration: self.training.progress.iteration };
        let rates = self.training.rates(&self.config);
        let began = Moment::now();
        let batch = Arc::new(self.collect(position).await?);
        let sample_s = began.seconds();
        let Updated { stats, state } = self.update(position, &batch, rates).await?;
        let update_s = began.seconds() - sample_s;
        self.training.advance(&batch, state);
        let report = self.report(&stats, rates, [sample_s, update_s], batch.rows());
        self.room = Arc::into_inner(batch);
        Ok(report)
    }

    async fn collect(&mut self, position: Position) -> Result<Rollout> {
        let collect = |room| Collect {
            position,
            learner: Arc::clone(&self.training.learner),
            states: self.training.envs.clone(),
            room,
        };
        let first = self.group.call(collect(self.room.take()));
        let answer = ask_again(first, || self.group.call(collect(None))).await;
        answer.unwrap_or_else(|lost| Err(part_lost("env runner group", lost)))
    }

    async fn update(
        &self,
        position: Position,
        batch: &Arc<Rollout>,
        rates: Rates,
    ) -> Result<Updated> {
        let update = || {
            self.learner.call(Update {
                position,
                batch: Arc::clone(batch),
                rates,
                state: Arc::clone(&self.training.learner),
            })
        };
        let answer = ask_again(update(), update).await;
        answer.unwrap_or_else(|lost| Err(part_lost("learner", lost)))
    }

    async fn evaluate(&mut self, episodes: usize) -> Result<Evaluation> {
        let number = self.training.progress.evaluations;
        let evaluate = || {
            let learner = Arc::clone(&self.training.learner);
            self.evaluator.call(Evaluate { learner, number, episodes })
        };
        let answer = ask_again(evaluate(), evaluate).await;
        let evaluation = answer.unwrap_or_else(|lost| Err(part_lost("evaluator", lost)))?;
        self.training.progress.evaluations += 1;
        Ok(evaluation)
    }

    fn report(
        &self,
        stats: &UpdateStats,
        rates: Rates,
        [sample_s, update_s]: [f64; 2],
        rows: usize,
    ) -> Report {
        Report {
            sample_s: Some(sample_s),
            update_s: Some(update_s),
            env_steps_per_s: Some(rows as f64 / (sample_s + update_s).max(f64::MIN_POSITIVE)),
            ..self.training.report(stats, rates)
        }
    }
}

fn part_lost(part: &'static str, Lost { attempts, source }: Lost) -> Error {
    Error::PartLost { part, attempts, source }
}

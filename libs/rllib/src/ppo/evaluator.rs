//! Evaluator: plays fresh greedy episodes, apart from training.
//!
//! - **Parent:** `Algorithm` (restarted after a panic, up to 1,000 times over a training).
//! - **Children:** none.
//! - **After a restart:** nothing is missed: it keeps nothing between evaluations, and a lost one is made again.
//! - **Tells:** nobody; it answers `evaluate`.
//!
//! Invariants:
//! - **EV-1 (apart):** evaluations draw from streams of their own, by the number of the evaluation and of the episode, and
//!   never disturb training.

use super::alone::Alone;
use super::answer::{RESTARTS_MAX, RETRIES};
use super::config::PpoConfig;
use super::head::Head;
use super::network::{NetworkFactory, write_weights};
use crate::env::{EpisodeEnd, VectorOptions, find};
use crate::error::Result;
use raytree::{Array, Shared, remote};
use raytree_nn::Model;
use serde::{Deserialize, Serialize};

/// Steps after which an evaluation episode is cut if its environment has no limit: a good policy may never end one.
const EPISODE_STEPS_MAX: u32 = 100_000;
/// Streams per evaluation; more than it may have episodes.
const STREAMS_PER_EVALUATION: u64 = 1 << 20;
/// How many evaluations a training has streams for.
pub(super) const EVALUATIONS_MAX: u64 = 1 << 44;

/// What greedy episodes brought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Return of each episode, in their order.
    pub returns: Vec<f64>,
    /// Length of each episode, in steps.
    pub lengths: Vec<u32>,
}

impl Evaluation {
    /// Mean return; 0 of no episodes.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.returns.iter().sum::<f64>() / self.returns.len().max(1) as f64
    }

    /// Smallest return.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.returns.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// Largest return.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.returns.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Evaluator {
    config: Shared<PpoConfig>,
    model: Alone<Box<dyn Model>>,
    head: Head,
}

#[remote(label = "evaluator", restarts = RESTARTS_MAX, retries = RETRIES)]
impl Evaluator {
    pub(super) fn new(config: Shared<PpoConfig>, network: &NetworkFactory) -> Result<Self> {
        let head = Head::of(&network.spec().action_space)?;
        Ok(Self { config, model: Alone::new(network.model()?), head })
    }

    /// Plays episodes with these weights; `number` says which evaluation of the training this is.
    pub(super) fn evaluate(
        &mut self,
        weights: &Array<f32>,
        number: u64,
        episodes: usize,
    ) -> Result<Evaluation> {
        write_weights(&mut **self.model.get(), weights);
        let base = (number % EVALUATIONS_MAX * STREAMS_PER_EVALUATION) as usize;
        let (mut whole, width) = (Evaluation::default(), self.config.evaluation_envs);
        for start in (0..episodes).step_by(width) {
            let count = width.min(episodes - start);
            for end in self.play(base + start, count)? {
                whole.returns.push(end.episode_return);
                whole.lengths.push(end.length);
            }
        }
        Ok(whole)
    }

    /// The first episode of each of `count` environments, whose streams begin at `first`.
    fn play(&mut self, first: usize, count: usize) -> Result<Vec<EpisodeEnd>> {
        let config = &self.config;
        let registration = find(&config.env)?;
        let mut options = VectorOptions::new(count).first(first).seed(config.seed).evaluation();
        options.max_episode_steps = registration.spec.max_episode_steps.or(Some(EPISODE_STEPS_MAX));
        let mut envs = registration.build_vector(options);
        let model = self.model.get();
        let outputs_len = model.outputs();
        envs.reset()?;
        let mut ends: Vec<Option<EpisodeEnd>> = vec![None; count];
        let (mut outputs, mut actions) = (vec![0.0; count * outputs_len], self.head.buffer(count));
        while ends.iter().any(Option::is_none) {
            model.forward(envs.view().obs, count, &mut outputs);
            for (at, row) in outputs.chunks_exact(outputs_len).enumerate() {
                self.head.greedy(&row[..row.len() - 1], &mut actions, at);
            }
            self.head.confine(&mut actions);
            for end in envs.step(actions.lend())?.episodes {
                ends[end.env - first].get_or_insert(*end);
            }
        }
        Ok(ends.into_iter().flatten().collect())
    }
}

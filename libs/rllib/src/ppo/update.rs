//! One PPO update: what the learner does, without the actor around it.

use super::config::PpoConfig;
use super::head::{ActionBuffer, Head, copy_rows};
use super::network::{NetworkFactory, read_memory, read_weights, write_memory, write_weights};
use super::rollout::Rollout;
use crate::error::{Error, Result};
use crate::gae::gae;
use crate::loss::{
    GaussianPolicy, Normalizer, PolicyBatch, PolicyLoss, PpoLossConfig, ValueBatch,
    ValueLossConfig, explained_variance, ppo_categorical, ppo_gaussian, value_loss,
};
use crate::rng::{Rng, Stream};
use raytree::Array;
use raytree_nn::{Adam, Model, Optimizer, clip_global_norm};
use serde::{Deserialize, Serialize};

/// Everything the learner would have to be told to go on bit for bit. Clones share what is large.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LearnerState {
    /// Updates done so far.
    pub(super) iteration: u64,
    /// Parameters, then buffers.
    pub(super) weights: Array<f32>,
    /// The optimiser's memory.
    pub(super) memory: Vec<Array<f32>>,
    /// The stream that shuffles minibatches.
    pub(super) rng: Rng,
}

/// What changes from update to update.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Rates {
    pub(super) learning_rate: f64,
    pub(super) clip: f64,
}

/// What one update brought; means over all minibatches.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct UpdateStats {
    pub(super) total_loss: f64,
    pub(super) policy_loss: f64,
    pub(super) value_loss: f64,
    pub(super) entropy: f64,
    pub(super) clip_fraction: f64,
    pub(super) grad_norm: f64,
    /// Over the last epoch.
    pub(super) approx_kl: f64,
    pub(super) explained_variance: Option<f64>,
}

/// The network, its optimiser, and room for a minibatch.
#[derive(Debug)]
pub(super) struct Updater {
    config: PpoConfig,
    head: Head,
    model: Box<dyn Model>,
    adam: Adam,
    rng: Rng,
    iteration: u64,
    grad: Vec<f32>,
    advantages: Vec<f32>,
    targets: Vec<f32>,
    order: Vec<u32>,
    rows: Minibatch,
}

/// The rows of a minibatch, side by side, and what the network says to them.
#[derive(Debug)]
struct Minibatch {
    obs: Vec<f32>,
    actions: ActionBuffer,
    log_probs: Vec<f32>,
    values: Vec<f32>,
    advantages: Vec<f32>,
    targets: Vec<f32>,
    outputs: Vec<f32>,
    cotangent: Vec<f32>,
    /// Policy outputs by kind (logits; or means and log standard deviations) and values, then their gradients.
    first: Vec<f32>,
    second: Vec<f32>,
    new_values: Vec<f32>,
    grad_first: Vec<f32>,
    grad_second: Vec<f32>,
    grad_values: Vec<f32>,
}

impl Updater {
    pub(super) fn new(config: &PpoConfig, factory: &NetworkFactory) -> Result<Self> {
        let head = Head::of(&factory.spec().action_space)?;
        let model = factory.model()?;
        let (rows, width) = (config.batch_rows(), model.outputs());
        let most = rows.div_ceil(config.minibatches);
        let (first, second) = match &head {
            Head::Categorical(choices) => (*choices, 0),
            Head::Gaussian { low, .. } => (low.len(), low.len()),
        };
        let zeros = |numbers: usize| vec![0.0; most * numbers];
        Ok(Self {
            config: config.clone(),
            adam: Adam::default().eps(config.adam_eps as f32),
            rng: Rng::stream(config.seed, Stream::Minibatch),
            iteration: 0,
            grad: vec![0.0; model.params().len()],
            advantages: vec![0.0; rows],
            targets: vec![0.0; rows],
            order: (0..rows as u32).collect(),
            rows: Minibatch {
                obs: zeros(model.inputs()),
                actions: head.buffer(most),
                log_probs: zeros(1),
                values: zeros(1),
                advantages: zeros(1),
                targets: zeros(1),
                outputs: zeros(width),
                cotangent: zeros(width),
                first: zeros(first),
                second: zeros(second),
                new_values: zeros(1),
                grad_first: zeros(first),
                grad_second: zeros(second),
                grad_values: zeros(1),
            },
            head,
            model,
        })
    }

    /// A copy of all that would be lost.
    pub(super) fn state(&mut self) -> LearnerState {
        LearnerState {
            iteration: self.iteration,
            weights: read_weights(&mut *self.model),
            memory: read_memory(&mut self.adam),
            rng: self.rng.clone(),
        }
    }

    /// The reverse of [`state`](Self::state).
    pub(super) fn restore(&mut self, state: &LearnerState) {
        self.iteration = state.iteration;
        write_weights(&mut *self.model, &state.weights);
        write_memory(&mut self.adam, &state.memory);
        self.rng = state.rng.clone();
    }

    /// All epochs over one batch.
    pub(super) fn update(&mut self, batch: &Rollout, rates: Rates) -> Result<UpdateStats> {
        let (gamma, lambda) = (self.config.gamma as f32, self.config.gae_lambda as f32);
        let ends = batch.ends();
        gae(batch.for_gae(&ends), gamma, lambda, &mut self.advantages, &mut self.targets)?;
        let mut stats = UpdateStats {
            explained_variance: explained_variance(&batch.values, &self.targets),
            ..UpdateStats::default()
        };
        let (rows, parts) = (batch.rows(), self.config.minibatches);
        // Each update shuffles from the same order: nothing but the stream carries over.
        for (at, row) in self.order.iter_mut().enumerate() {
            *row = at as u32;
        }
        for epoch in 0..self.config.epochs {
            self.rng.shuffle(&mut self.order);
            for part in 0..parts {
                let range = part * rows / parts..(part + 1) * rows / parts;
                let count = range.len();
                self.gather(batch, range);
                let losses = self.minibatch(count, rates).map_err(|cause| Error::Diverged {
                    iteration: self.iteration + 1,
                    cause: format!("{cause} in epoch {}, minibatch {}", epoch + 1, part + 1),
                })?;
                stats.add(&losses, epoch + 1 == self.config.epochs);
            }
        }
        // The last step of all has been followed by no loss that would show it.
        if let Some(at) = self.model.params().iter().position(|number| !number.is_finite()) {
            let cause = format!("parameter {at} is {}", self.model.params()[at]);
            return Err(Error::Diverged { iteration: self.iteration + 1, cause });
        }
        stats.scale(1.0 / (self.config.epochs * parts) as f64, 1.0 / parts as f64);
        self.iteration += 1;
        Ok(stats)
    }

    /// Copies the rows of a minibatch side by side.
    fn gather(&mut self, batch: &Rollout, range: std::ops::Range<usize>) {
        let obs_len = batch.shape.obs_len;
        let action_len = self.head.action_len();
        let (obs, actions) = (&*batch.obs, batch.actions.lend());
        let (log_probs, values) = (&*batch.log_probs, &*batch.values);
        let to = &mut self.rows;
        for (at, &row) in self.order[range].iter().enumerate() {
            let row = row as usize;
            copy_rows(&mut to.obs, at, obs, row..row + 1, obs_len);
            to.actions.copy_rows(at, actions, row..row + 1, action_len);
            to.log_probs[at] = log_probs[row];
            to.values[at] = values[row];
            to.advantages[at] = self.advantages[row];
            to.targets[at] = self.targets[row];
        }
    }

    /// One gradient step on the first `count` gathered rows. Or what is not finite; then nothing has changed.
    fn minibatch(&mut self, count: usize, rates: Rates) -> Result<Losses, String> {
        let (inputs, width) = (self.model.inputs(), self.model.outputs());
        let (obs, outputs) =
            (&self.rows.obs[..count * inputs], &mut self.rows.outputs[..count * width]);
        self.model.forward_train(obs, count, outputs);
        let (policy, value) = self
            .rows
            .losses(&self.head, count, width, &self.config, rates)
            .map_err(|error| error.to_string())?;
        let (c1, c2) = (self.config.value_coef, self.config.entropy_coef);
        let total = policy.policy_loss + c1 * value - c2 * policy.entropy;
        for (name, number) in
            [("policy loss", policy.policy_loss), ("value loss", value), ("total loss", total)]
        {
            if !number.is_finite() {
                return Err(format!("the {name} is {number}"));
            }
        }
        self.grad.fill(0.0);
        let cotangent = &self.rows.cotangent[..count * width];
        self.model.vjp(&self.rows.obs[..count * inputs], cotangent, &mut self.grad, None);
        let norm = clip_global_norm(&mut self.grad, self.config.max_grad_norm as f32);
        if !norm.is_finite() {
            return Err(format!("the gradient's norm is {norm}"));
        }
        self.adam.step(self.model.params_mut(), &self.grad, rates.learning_rate as f32);
        Ok(Losses { policy, value, total, grad_norm: f64::from(norm) })
    }
}

impl Minibatch {
    /// Losses of the rows that the network has answered; fills their cotangents.
    fn losses(
        &mut self,
        head: &Head,
        count: usize,
        width: usize,
        config: &PpoConfig,
        rates: Rates,
    ) -> Result<(PolicyLoss, f64)> {
        let advantages = &self.advantages[..count];
        let normalizer = match config.normalize_advantages {
            true => Normalizer::of(advantages),
            false => Normalizer::IDENTITY,
        };
        let policy_config = PpoLossConfig {
            clip: rates.clip as f32,
            entropy_coef: config.entropy_coef as f32,
            normalizer,
            rows_total: None,
        };
        let value_config = ValueLossConfig {
            coef: config.value_coef as f32,
            clip: config.value_clip.map(|clip| clip as f32),
            rows_total: None,
        };
        let a = self.first.len() / self.new_values.len();
        let b = self.second.len() / self.new_values.len();
        for (at, row) in self.outputs[..count * width].chunks_exact(width).enumerate() {
            self.first[at * a..(at + 1) * a].copy_from_slice(&row[..a]);
            self.second[at * b..(at + 1) * b].copy_from_slice(&row[a..a + b]);
            self.new_values[at] = row[width - 1];
        }
        let old_log_probs = &self.log_probs[..count];
        let (first, grad_first) = (&self.first[..count * a], &mut self.grad_first[..count * a]);
        let policy = match (&self.actions, head) {
            (ActionBuffer::Choices(choices), Head::Categorical(_)) => {
                let batch = PolicyBatch { actions: &choices[..count], old_log_probs, advantages };
                ppo_categorical(first, batch, &policy_config, grad_first)?
            }
            (ActionBuffer::Reals(reals), _) => {
                let actions = &reals[..count * a];
                let batch = PolicyBatch { actions, old_log_probs, advantages };
                let policy = GaussianPolicy { mean: first, log_std: &self.second[..count * b] };
                let grad_second = &mut self.grad_second[..count * b];
                ppo_gaussian(policy, batch, &policy_config, grad_first, grad_second)?
            }
            _ => PolicyLoss::default(),
        };
        let batch =
            ValueBatch { targets: &self.targets[..count], old_values: &self.values[..count] };
        let (values, grads) = (&self.new_values[..count], &mut self.grad_values[..count]);
        let value = value_loss(values, batch, &value_config, grads)?;
        for (at, row) in self.cotangent[..count * width].chunks_exact_mut(width).enumerate() {
            row[..a].copy_from_slice(&self.grad_first[at * a..(at + 1) * a]);
            row[a..a + b].copy_from_slice(&self.grad_second[at * b..(at + 1) * b]);
            row[width - 1] = self.grad_values[at];
        }
        Ok((policy, value))
    }
}

/// The losses of one minibatch.
struct Losses {
    policy: PolicyLoss,
    value: f64,
    total: f64,
    grad_norm: f64,
}

impl UpdateStats {
    fn add(&mut self, losses: &Losses, last_epoch: bool) {
        self.total_loss += losses.total;
        self.policy_loss += losses.policy.policy_loss;
        self.value_loss += losses.value;
        self.entropy += losses.policy.entropy;
        self.clip_fraction += losses.policy.clip_fraction;
        self.grad_norm += losses.grad_norm;
        if last_epoch {
            self.approx_kl += losses.policy.kl_k3;
        }
    }

    fn scale(&mut self, over_all: f64, over_last: f64) {
        for sum in [
            &mut self.total_loss,
            &mut self.policy_loss,
            &mut self.value_loss,
            &mut self.entropy,
            &mut self.clip_fraction,
            &mut self.grad_norm,
        ] {
            *sum *= over_all;
        }
        self.approx_kl *= over_last;
    }
}

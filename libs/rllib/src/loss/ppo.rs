//! The policy part of PPO (Schulman et al. 2017, <https://arxiv.org/abs/1707.06347>).

use super::{Normalizer, log_prob, softmax};
use crate::error::{Error, Result};

/// Settings of the policy loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PpoLossConfig {
    /// How far the probability ratio may move from 1 before its gradient vanishes; above 0. Default 0.2.
    pub clip: f32,
    /// Weight of the entropy bonus in the gradient; at least 0. Default 0.
    pub entropy_coef: f32,
    /// How advantages enter. Default [`Normalizer::IDENTITY`].
    pub normalizer: Normalizer,
    /// Rows that means are taken over; `None` (default) for the rows given.
    pub rows_total: Option<usize>,
}

impl Default for PpoLossConfig {
    fn default() -> Self {
        Self { clip: 0.2, entropy_coef: 0.0, normalizer: Normalizer::IDENTITY, rows_total: None }
    }
}

/// What was seen and done, row by row. `A` is `u32` for choices and `f32` for real numbers.
#[derive(Clone, Copy, Debug)]
pub struct PolicyBatch<'a, A> {
    /// Actions taken; several numbers per row if an action has several.
    pub actions: &'a [A],
    /// Log-probabilities of the actions when they were taken.
    pub old_log_probs: &'a [f32],
    /// Advantages, not yet normalised.
    pub advantages: &'a [f32],
}

/// The policy loss and what is reported beside it; each is a mean over rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PolicyLoss {
    /// `-mean(min(ratio A, clip(ratio) A))`.
    pub policy_loss: f64,
    /// Entropy of the policy, in nats.
    pub entropy: f64,
    /// First estimate of the divergence from the old policy: `mean(-log ratio)`.
    pub kl_k1: f64,
    /// Third, low-variance estimate of the same: `mean(ratio - 1 - log ratio)`. Never negative.
    pub kl_k3: f64,
    /// Share of rows whose ratio lies outside `1 ± clip`.
    pub clip_fraction: f64,
}

impl PolicyLoss {
    fn scaled(self, factor: f64) -> Self {
        Self {
            policy_loss: self.policy_loss * factor,
            entropy: self.entropy * factor,
            kl_k1: self.kl_k1 * factor,
            kl_k3: self.kl_k3 * factor,
            clip_fraction: self.clip_fraction * factor,
        }
    }

    /// Adds one row to the sums. Returns the derivative of the row's loss in the new log-probability.
    #[inline]
    fn add_row(&mut self, config: &PpoLossConfig, log_prob: f32, old: f32, advantage: f32) -> f32 {
        let log_ratio = f64::from(log_prob) - f64::from(old);
        let precise_ratio = log_ratio.exp();
        let ratio = precise_ratio as f32;
        let advantage = config.normalizer.apply(advantage);
        let free = ratio * advantage;
        let clipped = ratio.clamp(1.0 - config.clip, 1.0 + config.clip) * advantage;
        self.policy_loss -= f64::from(free.min(clipped));
        self.kl_k1 -= log_ratio;
        self.kl_k3 += precise_ratio - 1.0 - log_ratio;
        self.clip_fraction += f64::from(u8::from((ratio - 1.0).abs() > config.clip));
        if free <= clipped { -free } else { 0.0 }
    }
}

/// PPO loss of a categorical policy; writes the gradient of `policy_loss - entropy_coef * entropy`.
///
/// `logits` and `grad_logits` have one row per action taken. A forbidden action has logit `-inf`.
///
/// # Errors
/// [`Error::Length`] if the slices do not fit together, or an action names no logit.
pub fn ppo_categorical(
    logits: &[f32],
    batch: PolicyBatch<'_, u32>,
    config: &PpoLossConfig,
    grad_logits: &mut [f32],
) -> Result<PolicyLoss> {
    let rows = batch.actions.len();
    Error::check_len("old_log_probs", batch.old_log_probs.len(), rows)?;
    Error::check_len("advantages", batch.advantages.len(), rows)?;
    Error::check_len("grad_logits", grad_logits.len(), logits.len())?;
    let choices = choices_per_row(logits, batch.actions)?;
    let scale = 1.0 / config.rows_total.unwrap_or(rows).max(1) as f64;
    let mut sums = PolicyLoss::default();
    let steps = batch.actions.iter().zip(batch.old_log_probs.iter().zip(batch.advantages));
    let outputs = logits.chunks_exact(choices).zip(grad_logits.chunks_exact_mut(choices));
    for ((logits, grad), (&action, (&old, &advantage))) in outputs.zip(steps) {
        let log_sum = softmax(logits, grad);
        let taken = log_prob(logits[action as usize], log_sum);
        let slope = sums.add_row(config, taken, old, advantage) * scale as f32;
        let plogp = |(&prob, &logit): (&f32, &f32)| prob * log_prob(logit, log_sum);
        let entropy = -grad.iter().zip(logits).map(plogp).sum::<f32>();
        sums.entropy += f64::from(entropy);
        let weight = config.entropy_coef * scale as f32;
        for (value, &logit) in grad.iter_mut().zip(logits) {
            *value *= weight * (log_prob(logit, log_sum) + entropy) - slope;
        }
        grad[action as usize] += slope;
    }
    Ok(sums.scaled(scale))
}

/// Logits per row; checks that there is a whole number of them and that every action names one.
pub(super) fn choices_per_row(logits: &[f32], actions: &[u32]) -> Result<usize> {
    let choices = logits.len().checked_div(actions.len()).unwrap_or(0);
    Error::check_len("logits", logits.len(), choices * actions.len())?;
    let most = actions.iter().fold(0, |most, &action| most.max(action as usize));
    if most >= choices && !actions.is_empty() {
        return Err(Error::Length { name: "a row of logits", got: choices, expected: most + 1 });
    }
    Ok(choices.max(1))
}

/// A diagonal Gaussian policy: what the model put out.
#[derive(Clone, Copy, Debug)]
pub struct GaussianPolicy<'a> {
    /// Means, one row per step.
    pub mean: &'a [f32],
    /// Logarithms of standard deviations: one row for all steps, or one per step.
    pub log_std: &'a [f32],
}

/// PPO loss of a diagonal Gaussian policy; writes the gradients of `policy_loss - entropy_coef * entropy`.
///
/// The gradients are shaped as `mean` and `log_std` are; where one row of `log_std` serves all steps, its gradient is
/// the sum over them.
///
/// # Errors
/// [`Error::Length`] if the slices do not fit together.
pub fn ppo_gaussian(
    policy: GaussianPolicy<'_>,
    batch: PolicyBatch<'_, f32>,
    config: &PpoLossConfig,
    grad_mean: &mut [f32],
    grad_log_std: &mut [f32],
) -> Result<PolicyLoss> {
    let rows = batch.old_log_probs.len();
    let reals = policy.mean.len().checked_div(rows).unwrap_or(0);
    Error::check_len("mean", policy.mean.len(), reals * rows)?;
    Error::check_len("actions", batch.actions.len(), policy.mean.len())?;
    Error::check_len("advantages", batch.advantages.len(), rows)?;
    Error::check_len("grad_mean", grad_mean.len(), policy.mean.len())?;
    Error::check_len("grad_log_std", grad_log_std.len(), policy.log_std.len())?;
    let shared = policy.log_std.len() == reals;
    if !shared {
        Error::check_len("log_std", policy.log_std.len(), policy.mean.len())?;
    }
    let scale = 1.0 / config.rows_total.unwrap_or(rows).max(1) as f64;
    let mut sums = PolicyLoss::default();
    grad_log_std.fill(0.0);
    for row in 0..rows {
        let at = row * reals..(row + 1) * reals;
        let of_std = if shared { 0..reals } else { at.clone() };
        let (mean, action) = (&policy.mean[at.clone()], &batch.actions[at.clone()]);
        let log_std = &policy.log_std[of_std.clone()];
        let (log_prob, entropy) = gaussian_log_prob(mean, log_std, action);
        sums.entropy += f64::from(entropy);
        let (old, advantage) = (batch.old_log_probs[row], batch.advantages[row]);
        let slope = sums.add_row(config, log_prob, old, advantage) * scale as f32;
        let bonus = config.entropy_coef * scale as f32;
        let grads = grad_mean[at].iter_mut().zip(&mut grad_log_std[of_std]);
        for ((grad_mean, grad_log_std), ((&mean, &log_std), &action)) in
            grads.zip(mean.iter().zip(log_std).zip(action))
        {
            let inverse = (-log_std).exp();
            let distance = (action - mean) * inverse;
            *grad_mean = slope * distance * inverse;
            *grad_log_std += slope * (distance * distance - 1.0) - bonus;
        }
    }
    Ok(sums.scaled(scale))
}

/// Log-density of an action and entropy of the distribution, summed over its numbers.
#[inline]
fn gaussian_log_prob(mean: &[f32], log_std: &[f32], action: &[f32]) -> (f32, f32) {
    const HALF_LOG_TAU: f32 = 0.918_938_5;
    let numbers = mean.iter().zip(log_std).zip(action);
    numbers.fold((0.0, 0.0), |(log_prob, entropy), ((&mean, &log_std), &action)| {
        let distance = (action - mean) * (-log_std).exp();
        let here = -0.5 * distance * distance - log_std - HALF_LOG_TAU;
        (log_prob + here, entropy + 0.5 + HALF_LOG_TAU + log_std)
    })
}

//! Losses as pure functions with closed-form gradients.
//!
//! They know nothing of networks: outputs of any differentiable model go in, the gradients on those outputs come out in
//! the caller's slices. Nothing is allocated. All matrices are row-major, one row per step.
//!
//! Means are taken over `rows_total`, the rows of the whole minibatch. So the losses and gradients of the parts of a
//! minibatch add up to those of the whole.

mod marwil;
mod ppo;
mod value;

pub use marwil::{MarwilLoss, MarwilLossConfig, behavior_cloning, marwil};
pub use ppo::{
    GaussianPolicy, PolicyBatch, PolicyLoss, PpoLossConfig, ppo_categorical, ppo_gaussian,
};
pub use value::{ValueBatch, ValueLossConfig, explained_variance, value_loss};

/// How advantages are shifted and scaled before they enter a loss: `(advantage - mean) * scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalizer {
    /// What is subtracted.
    pub mean: f32,
    /// What is multiplied with.
    pub scale: f32,
}

impl Normalizer {
    /// Leaves advantages as they are.
    pub const IDENTITY: Self = Self { mean: 0.0, scale: 1.0 };

    /// To mean 0 and standard deviation 1 over these advantages: the unbiased deviation plus `1e-8`. Fewer than two are
    /// left as they are: without their mean nothing would be left to learn from.
    #[must_use]
    pub fn of(advantages: &[f32]) -> Self {
        if advantages.len() < 2 {
            return Self::IDENTITY;
        }
        let count = advantages.len() as f64;
        let mean = advantages.iter().map(|&a| f64::from(a)).sum::<f64>() / count;
        let squares = advantages.iter().map(|&a| (f64::from(a) - mean).powi(2)).sum::<f64>();
        let deviation = (squares / (count - 1.0)).sqrt();
        let scale = 1.0 / (deviation + 1e-8);
        Self { mean: mean as f32, scale: scale as f32 }
    }

    #[inline]
    fn apply(self, advantage: f32) -> f32 {
        (advantage - self.mean) * self.scale
    }
}

/// Turns a row of logits into probabilities, written to `probs`. Returns the logarithm of the sum of exponentials,
/// for [`log_prob`].
#[inline]
fn softmax(logits: &[f32], probs: &mut [f32]) -> f32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (prob, &logit) in probs.iter_mut().zip(logits) {
        *prob = (logit - max).exp();
        sum += *prob;
    }
    let inverse = 1.0 / sum;
    for prob in probs {
        *prob *= inverse;
    }
    max + sum.ln()
}

/// The log-probability of one choice. A forbidden one has logit `-inf`: a finite bound keeps `p * log p` at 0 there
/// instead of NaN.
#[inline]
fn log_prob(logit: f32, log_sum: f32) -> f32 {
    (logit - log_sum).max(f32::MIN / 4.0)
}

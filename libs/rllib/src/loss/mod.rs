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

pub use marwil::{MarwilConfig, MarwilLoss, behavior_cloning, marwil};
pub use ppo::{GaussianPolicy, PolicyBatch, PolicyLoss, PpoConfig, ppo_categorical, ppo_gaussian};
pub use value::{ValueBatch, ValueConfig, explained_variance, value_loss};

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

    /// To mean 0 and standard deviation 1 over these advantages: the unbiased deviation plus `1e-8`. The mean alone of
    /// fewer than two.
    #[must_use]
    pub fn of(advantages: &[f32]) -> Self {
        let count = advantages.len() as f64;
        let mean = advantages.iter().map(|&a| f64::from(a)).sum::<f64>() / count.max(1.0);
        let squares = advantages.iter().map(|&a| (f64::from(a) - mean).powi(2)).sum::<f64>();
        let deviation = (squares / (count - 1.0).max(1.0)).sqrt();
        let scale = if advantages.len() < 2 { 1.0 } else { 1.0 / (deviation + 1e-8) };
        Self { mean: mean as f32, scale: scale as f32 }
    }

    #[inline]
    fn apply(self, advantage: f32) -> f32 {
        (advantage - self.mean) * self.scale
    }
}

/// Turns a row of logits into log-probabilities, written to `log_probs`.
#[inline]
fn log_softmax(logits: &[f32], log_probs: &mut [f32]) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|&z| (z - max).exp()).sum();
    let log_sum = max + sum.ln();
    for (log_prob, &z) in log_probs.iter_mut().zip(logits) {
        // A forbidden action has logit -inf; a finite bound keeps `p * log p` at 0 instead of NaN.
        *log_prob = (z - log_sum).max(f32::MIN / 4.0);
    }
}

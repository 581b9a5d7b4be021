//! The Bernoulli distribution, given by the logit of the probability of 1.

use crate::{sigmoid, softplus};

/// Log-probability of `x`, which is 0 or 1.
pub fn log_prob(logit: f32, x: f32) -> f32 {
    x * logit - softplus(logit)
}

/// Entropy, in nats.
pub fn entropy(logit: f32) -> f32 {
    softplus(logit) - sigmoid(logit) * logit
}

/// The gradient of [`log_prob`] with respect to the logit.
pub fn log_prob_grad(logit: f32, x: f32) -> f32 {
    x - sigmoid(logit)
}

/// The gradient of [`entropy`] with respect to the logit.
pub fn entropy_grad(logit: f32) -> f32 {
    let p = sigmoid(logit);
    -logit * p * (1.0 - p)
}

/// Draws 1 or 0 by comparing `uniform`, a number in `[0, 1)`, with the probability of 1.
pub fn sample(logit: f32, uniform: f64) -> f32 {
    if uniform < 1.0 / (1.0 + (-f64::from(logit)).exp()) { 1.0 } else { 0.0 }
}

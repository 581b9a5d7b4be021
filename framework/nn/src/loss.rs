//! Mean losses over rows, each with its gradient. `grad` is **written**: the cotangent that `vjp` wants.

use crate::dist::categorical;
use crate::{sigmoid, softplus};

/// Mean cross-entropy of rows of logits against class numbers.
pub fn cross_entropy(logits: &[f32], classes: &[usize], grad: &mut [f32]) -> f32 {
    let width = logits.len() / classes.len();
    let share = 1.0 / classes.len() as f32;
    let mut loss = 0.0;
    let rows = logits.chunks_exact(width).zip(grad.chunks_exact_mut(width));
    for ((row, grad), class) in rows.zip(classes) {
        loss -= categorical::log_prob(row, *class);
        grad.fill(0.0);
        categorical::log_prob_grad(row, *class, -share, grad);
    }
    loss * share
}

/// Mean binary cross-entropy of logits against targets between 0 and 1.
pub fn bce_with_logits(logits: &[f32], targets: &[f32], grad: &mut [f32]) -> f32 {
    let share = 1.0 / logits.len() as f32;
    let mut loss = 0.0;
    for ((logit, target), grad) in logits.iter().zip(targets).zip(grad) {
        loss += softplus(*logit) - target * logit;
        *grad = share * (sigmoid(*logit) - target);
    }
    loss * share
}

/// Mean squared error.
pub fn mse(values: &[f32], targets: &[f32], grad: &mut [f32]) -> f32 {
    let share = 1.0 / values.len() as f32;
    let mut loss = 0.0;
    for ((value, target), grad) in values.iter().zip(targets).zip(grad) {
        let off = value - target;
        loss += off * off;
        *grad = 2.0 * share * off;
    }
    loss * share
}

/// Mean Huber loss (Huber 1964): `off² / 2` up to `delta`, beyond it `delta * (|off| - delta / 2)`.
pub fn huber(values: &[f32], targets: &[f32], delta: f32, grad: &mut [f32]) -> f32 {
    let share = 1.0 / values.len() as f32;
    let mut loss = 0.0;
    for ((value, target), grad) in values.iter().zip(targets).zip(grad) {
        let off = value - target;
        let near = off.clamp(-delta, delta);
        loss += near * (off - 0.5 * near);
        *grad = share * near;
    }
    loss * share
}

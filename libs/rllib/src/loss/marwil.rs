//! Imitation: behaviour cloning, and MARWIL, which imitates better actions more (Wang et al. 2018).

use super::ppo::choices_per_row;
use super::{log_prob, softmax};
use crate::error::{Error, Result};

/// Settings of [`marwil`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarwilLossConfig {
    /// How strongly advantages weigh; 0 imitates all actions alike. Default 1.
    pub beta: f32,
    /// Running mean of squared advantages, which scales them; above 0. Default 1.
    pub mean_square_advantage: f32,
    /// Weight of the value loss; at least 0. Default 0.5.
    pub value_coef: f32,
}

impl Default for MarwilLossConfig {
    fn default() -> Self {
        Self { beta: 1.0, mean_square_advantage: 1.0, value_coef: 0.5 }
    }
}

/// The parts of the MARWIL loss, each a mean over rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MarwilLoss {
    /// `-mean(weight * log pi(action))`.
    pub policy_loss: f64,
    /// `mean((value - return)^2) / 2`.
    pub value_loss: f64,
    /// `policy_loss + value_coef * value_loss`.
    pub total_loss: f64,
}

/// MARWIL: `weight = exp(beta * (return - value) / sqrt(mean_square_advantage))`, which carries no gradient. Writes the
/// gradients of the total loss.
///
/// # Errors
/// [`Error::Length`] if the slices do not fit together.
pub fn marwil(
    (logits, values): (&[f32], &[f32]),
    (actions, returns): (&[u32], &[f32]),
    config: &MarwilLossConfig,
    (grad_logits, grad_values): (&mut [f32], &mut [f32]),
) -> Result<MarwilLoss> {
    let rows = actions.len();
    Error::check_len("values", values.len(), rows)?;
    Error::check_len("returns", returns.len(), rows)?;
    Error::check_len("grad_values", grad_values.len(), rows)?;
    let rate = config.beta / config.mean_square_advantage.sqrt();
    let weight = |row: usize| (rate * (returns[row] - values[row])).exp();
    let policy_loss = weighted_imitation(logits, actions, weight, grad_logits)?;
    let scale = 1.0 / rows.max(1) as f32;
    let mut value_loss = 0.0;
    for (grad, (value, target)) in grad_values.iter_mut().zip(values.iter().zip(returns)) {
        let error = value - target;
        *grad = config.value_coef * error * scale;
        value_loss += 0.5 * f64::from(error * error) * f64::from(scale);
    }
    let total_loss = policy_loss + f64::from(config.value_coef) * value_loss;
    Ok(MarwilLoss { policy_loss, value_loss, total_loss })
}

/// Behaviour cloning: `-mean(log pi(action))`. Writes its gradient.
///
/// # Errors
/// [`Error::Length`] if the slices do not fit together.
pub fn behavior_cloning(logits: &[f32], actions: &[u32], grad_logits: &mut [f32]) -> Result<f64> {
    weighted_imitation(logits, actions, |_| 1.0, grad_logits)
}

fn weighted_imitation(
    logits: &[f32],
    actions: &[u32],
    weight: impl Fn(usize) -> f32,
    grad_logits: &mut [f32],
) -> Result<f64> {
    Error::check_len("grad_logits", grad_logits.len(), logits.len())?;
    let choices = choices_per_row(logits, actions)?;
    let scale = 1.0 / actions.len().max(1) as f32;
    let mut loss = 0.0;
    let outputs = logits.chunks_exact(choices).zip(grad_logits.chunks_exact_mut(choices));
    for (row, ((logits, grad), &action)) in outputs.zip(actions).enumerate() {
        let pull = weight(row) * scale;
        let log_sum = softmax(logits, grad);
        loss -= f64::from(pull * log_prob(logits[action as usize], log_sum));
        for value in &mut *grad {
            *value *= pull;
        }
        grad[action as usize] -= pull;
    }
    Ok(loss)
}

//! The value part of actor-critic losses.

use crate::error::{Error, Result};

/// Settings of the value loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValueLossConfig {
    /// Weight of the value loss in the gradient; at least 0. Default 0.5.
    pub coef: f32,
    /// How far a value may move from the old one before its gradient may vanish; `None` (default) for any distance.
    pub clip: Option<f32>,
    /// Rows that means are taken over; `None` (default) for the rows given.
    pub rows_total: Option<usize>,
}

impl Default for ValueLossConfig {
    fn default() -> Self {
        Self { coef: 0.5, clip: None, rows_total: None }
    }
}

/// What values are pulled towards, row by row.
#[derive(Clone, Copy, Debug)]
pub struct ValueBatch<'a> {
    /// Value targets.
    pub targets: &'a [f32],
    /// Values when the actions were taken; read only with [`ValueLossConfig::clip`].
    pub old_values: &'a [f32],
}

/// `mean((value - target)^2) / 2`, or with clipping the larger of that and the same for the clipped value, row by row.
/// Writes the gradient of `coef` times that.
///
/// # Errors
/// [`Error::Length`] if the slices do not fit together.
pub fn value_loss(
    values: &[f32],
    batch: ValueBatch<'_>,
    config: &ValueLossConfig,
    grad_values: &mut [f32],
) -> Result<f64> {
    let rows = values.len();
    Error::check_len("targets", batch.targets.len(), rows)?;
    Error::check_len("grad_values", grad_values.len(), rows)?;
    let scale = 1.0 / config.rows_total.unwrap_or(rows).max(1) as f64;
    let factor = config.coef * scale as f32;
    let rows = grad_values.iter_mut().zip(values.iter().zip(batch.targets));
    let mut sum = 0.0;
    match config.clip {
        None => {
            for (grad, (&value, &target)) in rows {
                let error = value - target;
                *grad = factor * error;
                sum += f64::from(error * error);
            }
        }
        Some(clip) => {
            Error::check_len("old_values", batch.old_values.len(), values.len())?;
            for ((grad, (&value, &target)), &old) in rows.zip(batch.old_values) {
                let error = value - target;
                let moved = value - old;
                let clipped_error = old + moved.clamp(-clip, clip) - target;
                let free = moved.abs() <= clip || error * error >= clipped_error * clipped_error;
                *grad = if free { factor * error } else { 0.0 };
                sum += f64::from((error * error).max(clipped_error * clipped_error));
            }
        }
    }
    Ok(0.5 * sum * scale)
}

/// How much of the targets' variance the values explain: `1 - var(target - value) / var(target)`. 1 is perfect, 0 no
/// better than a constant, below 0 worse. `None` if the targets do not vary or the lengths differ.
#[must_use]
pub fn explained_variance(values: &[f32], targets: &[f32]) -> Option<f64> {
    let variance = |numbers: &mut dyn Iterator<Item = f64>| {
        let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
        for x in numbers {
            count += 1.0;
            let distance = x - mean;
            mean += distance / count;
            squares += distance * (x - mean);
        }
        squares / f64::max(count, 1.0)
    };
    let total = variance(&mut targets.iter().map(|&target| f64::from(target)));
    let errors =
        targets.iter().zip(values).map(|(&target, &value)| f64::from(target) - f64::from(value));
    let left = variance(&mut { errors });
    (total > 0.0 && values.len() == targets.len()).then(|| 1.0 - left / total)
}

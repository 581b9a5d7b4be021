//! Optimisers, learning-rate schedules and gradient clipping.
//!
//! The update rules are PyTorch's, in single precision.

mod adagrad;
mod adam;
mod clip;
mod rmsprop;
mod schedule;
mod sgd;

pub use adagrad::AdaGrad;
pub use adam::Adam;
pub use clip::{clip_global_norm, global_norm};
pub use rmsprop::RmsProp;
pub use schedule::Schedule;
pub use sgd::Sgd;

use std::fmt;

/// Turns gradients into parameter changes, remembering what it needs from step to step.
///
/// The memory is sized by the first step; after that, a step allocates nothing.
pub trait Optimizer: fmt::Debug + Send {
    /// One step against `grads` with learning rate `lr`. The lengths are the same at every step.
    fn step(&mut self, params: &mut [f32], grads: &[f32], lr: f32);

    /// Shows the memory for a checkpoint: `visit(name, tensor)` for each tensor, always the same ones in the same
    /// order, including the step count (as a tensor of one number).
    fn visit_state(&mut self, visit: &mut dyn FnMut(&str, &mut Vec<f32>));
}

//! Stochastic gradient descent.

use super::Optimizer;

/// Gradient descent, with momentum (Polyak's or Nesterov's) and L2 regularisation.
#[derive(Clone, Debug)]
pub struct Sgd {
    momentum: f32,
    nesterov: bool,
    weight_decay: f32,
    steps: Vec<f32>,
    velocity: Vec<f32>,
}

impl Default for Sgd {
    fn default() -> Self {
        Self {
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            steps: vec![0.0],
            velocity: Vec::new(),
        }
    }
}

impl Sgd {
    /// Share of the last step's velocity that is kept; default 0.
    #[must_use]
    pub fn momentum(mut self, momentum: f32) -> Self {
        self.momentum = momentum;
        self
    }

    /// Nesterov's momentum: the gradient as if the velocity had already been followed.
    #[must_use]
    pub fn nesterov(mut self, momentum: f32) -> Self {
        (self.momentum, self.nesterov) = (momentum, true);
        self
    }

    /// L2 regularisation: `weight_decay * parameter` is added to each gradient; default 0.
    #[must_use]
    pub fn weight_decay(mut self, weight_decay: f32) -> Self {
        self.weight_decay = weight_decay;
        self
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, params: &mut [f32], grads: &[f32], lr: f32) {
        assert_eq!(params.len(), grads.len(), "one gradient per parameter");
        self.steps[0] += 1.0;
        if self.momentum == 0.0 {
            for (p, g) in params.iter_mut().zip(grads) {
                *p -= lr * (g + self.weight_decay * *p);
            }
            return;
        }
        self.velocity.resize(params.len(), 0.0);
        for ((p, g), v) in params.iter_mut().zip(grads).zip(&mut self.velocity) {
            let g = g + self.weight_decay * *p;
            *v = self.momentum * *v + g;
            *p -= lr * if self.nesterov { g + self.momentum * *v } else { *v };
        }
    }

    fn visit_state(&mut self, visit: &mut dyn FnMut(&str, &mut Vec<f32>)) {
        visit("step", &mut self.steps);
        if self.momentum != 0.0 {
            visit("momentum_buffer", &mut self.velocity);
        }
    }
}

//! AdaGrad.

use super::Optimizer;

/// AdaGrad (Duchi, Hazan and Singer 2011).
#[derive(Clone, Debug)]
pub struct AdaGrad {
    eps: f32,
    lr_decay: f32,
    weight_decay: f32,
    steps: Vec<f32>,
    sum: Vec<f32>,
}

impl Default for AdaGrad {
    fn default() -> Self {
        Self { eps: 1e-10, lr_decay: 0.0, weight_decay: 0.0, steps: vec![0.0], sum: Vec::new() }
    }
}

impl AdaGrad {
    /// Added to the denominator; default 1e-10.
    #[must_use]
    pub fn eps(mut self, eps: f32) -> Self {
        self.eps = eps;
        self
    }

    /// The learning rate of step `t` (from 0) is divided by `1 + t * lr_decay`; default 0.
    #[must_use]
    pub fn lr_decay(mut self, lr_decay: f32) -> Self {
        self.lr_decay = lr_decay;
        self
    }

    /// L2 regularisation: `weight_decay * parameter` is added to each gradient; default 0.
    #[must_use]
    pub fn weight_decay(mut self, weight_decay: f32) -> Self {
        self.weight_decay = weight_decay;
        self
    }
}

impl Optimizer for AdaGrad {
    fn step(&mut self, params: &mut [f32], grads: &[f32], lr: f32) {
        assert_eq!(params.len(), grads.len(), "one gradient per parameter");
        let lr = lr / (1.0 + self.steps[0] * self.lr_decay);
        self.steps[0] += 1.0;
        self.sum.resize(params.len(), 0.0);
        for ((p, g), sum) in params.iter_mut().zip(grads).zip(&mut self.sum) {
            let g = g + self.weight_decay * *p;
            *sum += g * g;
            *p -= lr * g / (sum.sqrt() + self.eps);
        }
    }

    fn visit_state(&mut self, visit: &mut dyn FnMut(&str, &mut Vec<f32>)) {
        visit("step", &mut self.steps);
        visit("sum", &mut self.sum);
    }
}

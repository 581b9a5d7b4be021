//! RMSprop.

use super::Optimizer;

/// RMSprop (Tieleman and Hinton 2012), optionally centred (Graves 2013) and with momentum.
#[derive(Clone, Debug)]
pub struct RmsProp {
    alpha: f32,
    eps: f32,
    momentum: f32,
    centered: bool,
    weight_decay: f32,
    steps: Vec<f32>,
    square: Vec<f32>,
    mean: Vec<f32>,
    velocity: Vec<f32>,
}

impl Default for RmsProp {
    fn default() -> Self {
        Self {
            alpha: 0.99,
            eps: 1e-8,
            momentum: 0.0,
            centered: false,
            weight_decay: 0.0,
            steps: vec![0.0],
            square: Vec::new(),
            mean: Vec::new(),
            velocity: Vec::new(),
        }
    }
}

impl RmsProp {
    /// Decay rate of the running means; default 0.99.
    #[must_use]
    pub fn alpha(mut self, alpha: f32) -> Self {
        self.alpha = alpha;
        self
    }

    /// Added to the denominator; default 1e-8.
    #[must_use]
    pub fn eps(mut self, eps: f32) -> Self {
        self.eps = eps;
        self
    }

    /// Share of the last step's velocity that is kept; default 0.
    #[must_use]
    pub fn momentum(mut self, momentum: f32) -> Self {
        self.momentum = momentum;
        self
    }

    /// Divides by the estimated standard deviation instead of the root mean square.
    #[must_use]
    pub fn centered(mut self) -> Self {
        self.centered = true;
        self
    }

    /// L2 regularisation: `weight_decay * parameter` is added to each gradient; default 0.
    #[must_use]
    pub fn weight_decay(mut self, weight_decay: f32) -> Self {
        self.weight_decay = weight_decay;
        self
    }
}

impl Optimizer for RmsProp {
    fn step(&mut self, params: &mut [f32], grads: &[f32], lr: f32) {
        assert_eq!(params.len(), grads.len(), "one gradient per parameter");
        self.steps[0] += 1.0;
        self.square.resize(params.len(), 0.0);
        let optional = |wanted: bool| if wanted { params.len() } else { 0 };
        self.mean.resize(optional(self.centered), 0.0);
        self.velocity.resize(optional(self.momentum != 0.0), 0.0);
        for (i, (p, g)) in params.iter_mut().zip(grads).enumerate() {
            let g = g + self.weight_decay * *p;
            let square = &mut self.square[i];
            *square = self.alpha * *square + (1.0 - self.alpha) * g * g;
            let mut variance = *square;
            if self.centered {
                let mean = &mut self.mean[i];
                *mean += (1.0 - self.alpha) * (g - *mean);
                variance = (variance - *mean * *mean).max(0.0);
            }
            let mut change = g / (variance.sqrt() + self.eps);
            if self.momentum != 0.0 {
                self.velocity[i] = self.momentum * self.velocity[i] + change;
                change = self.velocity[i];
            }
            *p -= lr * change;
        }
    }

    fn visit_state(&mut self, visit: &mut dyn FnMut(&str, &mut Vec<f32>)) {
        visit("step", &mut self.steps);
        visit("square_avg", &mut self.square);
        if self.centered {
            visit("grad_avg", &mut self.mean);
        }
        if self.momentum != 0.0 {
            visit("momentum_buffer", &mut self.velocity);
        }
    }
}

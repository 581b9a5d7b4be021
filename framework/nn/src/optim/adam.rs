//! Adam and its relatives.

use pulp::Arch;

use super::Optimizer;

/// Adam (Kingma and Ba 2014), with AMSGrad (Reddi et al. 2018) and both kinds of weight decay.
///
/// # Examples
///
/// ```
/// use raytree_nn::{Adam, Optimizer};
///
/// let (mut params, grads) = ([1.0], [0.5]);
/// Adam::default().step(&mut params, &grads, 1e-3);
/// assert!((params[0] - 0.999).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct Adam {
    betas: [f32; 2],
    eps: f32,
    weight_decay: f32,
    decoupled: bool,
    amsgrad: bool,
    steps: Vec<f32>,
    mean: Vec<f32>,
    square: Vec<f32>,
    square_max: Vec<f32>,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            betas: [0.9, 0.999],
            eps: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
            amsgrad: false,
            steps: vec![0.0],
            mean: Vec::new(),
            square: Vec::new(),
            square_max: Vec::new(),
        }
    }
}

impl Adam {
    /// `AdamW` (Loshchilov and Hutter 2017): each step first shrinks the parameters by `lr * weight_decay`.
    pub fn decoupled(weight_decay: f32) -> Self {
        Self { weight_decay, decoupled: true, ..Self::default() }
    }

    /// Decay rates of the two running means; default 0.9 and 0.999.
    #[must_use]
    pub fn betas(mut self, first: f32, second: f32) -> Self {
        self.betas = [first, second];
        self
    }

    /// Added to the denominator; default 1e-8.
    #[must_use]
    pub fn eps(mut self, eps: f32) -> Self {
        self.eps = eps;
        self
    }

    /// L2 regularisation: `weight_decay * parameter` is added to each gradient; default 0.
    #[must_use]
    pub fn weight_decay(mut self, weight_decay: f32) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Divides by the largest second moment so far instead of the current one.
    #[must_use]
    pub fn amsgrad(mut self) -> Self {
        self.amsgrad = true;
        self
    }
}

impl Optimizer for Adam {
    fn step(&mut self, params: &mut [f32], grads: &[f32], lr: f32) {
        assert_eq!(params.len(), grads.len(), "one gradient per parameter");
        self.mean.resize(params.len(), 0.0);
        self.square.resize(params.len(), 0.0);
        if self.amsgrad {
            self.square_max.resize(params.len(), 0.0);
        }
        self.steps[0] += 1.0;
        let ([b1, b2], eps) = (self.betas, self.eps);
        let steps = f64::from(self.steps[0]);
        let c1 = 1.0 - f64::from(b1).powf(steps);
        let c2 = (1.0 - f64::from(b2).powf(steps)).sqrt();
        let size = (f64::from(lr) / c1) as f32;
        let root = (1.0 / c2) as f32;
        let shrink = if self.decoupled { 1.0 - lr * self.weight_decay } else { 1.0 };
        let l2 = if self.decoupled { 0.0 } else { self.weight_decay };
        let moments = self.mean.iter_mut().zip(&mut self.square);
        let rule = Rule { b1, b2, eps, l2, shrink, size, root };
        let each = params.iter_mut().zip(grads).zip(moments);
        Arch::new().dispatch(
            #[inline(always)]
            || {
                if self.amsgrad {
                    each.zip(&mut self.square_max)
                        .for_each(|(((p, g), (m, s)), top)| rule.update(p, *g, m, s, Some(top)));
                } else {
                    each.for_each(|((p, g), (m, s))| rule.update(p, *g, m, s, None));
                }
            },
        );
    }

    fn visit_state(&mut self, visit: &mut dyn FnMut(&str, &mut Vec<f32>)) {
        visit("step", &mut self.steps);
        visit("exp_avg", &mut self.mean);
        visit("exp_avg_sq", &mut self.square);
        if self.amsgrad {
            visit("max_exp_avg_sq", &mut self.square_max);
        }
    }
}

/// The update of one parameter, with everything that is the same for all of them worked out.
#[derive(Clone, Copy)]
struct Rule {
    b1: f32,
    b2: f32,
    eps: f32,
    /// Weight decay that joins the gradient.
    l2: f32,
    /// Factor by which the parameter shrinks first.
    shrink: f32,
    /// Learning rate over the first bias correction.
    size: f32,
    /// One over the root of the second bias correction.
    root: f32,
}

impl Rule {
    #[inline(always)]
    fn update(self, p: &mut f32, g: f32, m: &mut f32, s: &mut f32, largest: Option<&mut f32>) {
        let g = g + self.l2 * *p;
        *m += (g - *m) * (1.0 - self.b1);
        *s = *s * self.b2 + (1.0 - self.b2) * g * g;
        let second = match largest {
            Some(largest) => {
                *largest = largest.max(*s);
                *largest
            }
            None => *s,
        };
        *p = *p * self.shrink - self.size * *m / (second.sqrt() * self.root + self.eps);
    }
}

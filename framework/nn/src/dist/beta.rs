//! The beta distribution on `(0, 1)`, with shapes `a` and `b` above zero; for actions with two bounds.

use super::special::{digamma, ln_beta};

/// Log-density at `x`, strictly between 0 and 1.
pub fn log_prob(a: f32, b: f32, x: f32) -> f32 {
    let (a, b, x) = (f64::from(a), f64::from(b), f64::from(x));
    ((a - 1.0) * x.ln() + (b - 1.0) * (-x).ln_1p() - ln_beta(a, b)) as f32
}

/// Differential entropy, in nats.
pub fn entropy(a: f32, b: f32) -> f32 {
    let (a, b) = (f64::from(a), f64::from(b));
    (ln_beta(a, b) - (a - 1.0) * digamma(a) - (b - 1.0) * digamma(b)
        + (a + b - 2.0) * digamma(a + b)) as f32
}

/// The gradient of [`log_prob`] with respect to `a` and `b`.
pub fn log_prob_grad(a: f32, b: f32, x: f32) -> [f32; 2] {
    let (a, b, x) = (f64::from(a), f64::from(b), f64::from(x));
    let both = digamma(a + b);
    [(x.ln() + both - digamma(a)) as f32, ((-x).ln_1p() + both - digamma(b)) as f32]
}

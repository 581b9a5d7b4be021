//! The Gaussian with independent components, given by `mean` and `log_std`; sums run over the components of a row.

use std::f32::consts::PI;

/// Log-density at `x`.
pub fn log_prob(mean: &[f32], log_std: &[f32], x: &[f32]) -> f32 {
    let term = |((mean, log_std), x): ((&f32, &f32), &f32)| {
        let z = (x - mean) * (-log_std).exp();
        -0.5 * z * z - log_std - 0.5 * (2.0 * PI).ln()
    };
    mean.iter().zip(log_std).zip(x).map(term).sum()
}

/// Differential entropy, in nats.
pub fn entropy(log_std: &[f32]) -> f32 {
    log_std.iter().map(|log_std| log_std + 0.5 + 0.5 * (2.0 * PI).ln()).sum()
}

/// Kullback-Leibler divergence from (`mean`, `log_std`) to (`other_mean`, `other_log_std`), in nats.
pub fn kl(mean: &[f32], log_std: &[f32], other_mean: &[f32], other_log_std: &[f32]) -> f32 {
    let pairs = mean.iter().zip(log_std).zip(other_mean.iter().zip(other_log_std));
    let term = |((m, s), (om, os)): ((&f32, &f32), (&f32, &f32))| {
        let ratio = (2.0 * (s - os)).exp();
        let z = (m - om) * (-os).exp();
        0.5 * (ratio + z * z - 1.0) - (s - os)
    };
    pairs.map(term).sum()
}

/// Writes `mean + exp(log_std) * normal` to `out`; `normals` are independent standard normal numbers.
pub fn sample(mean: &[f32], log_std: &[f32], normals: &[f32], out: &mut [f32]) {
    let params = mean.iter().zip(log_std).zip(normals);
    for (out, ((mean, log_std), normal)) in out.iter_mut().zip(params) {
        *out = mean + log_std.exp() * normal;
    }
}

/// Adds `scale` times the gradient of `log_prob(x)` to the cotangents of the mean and of the log standard deviation:
/// `z / std` and `z² - 1`.
pub fn log_prob_grad(
    mean: &[f32],
    log_std: &[f32],
    x: &[f32],
    scale: f32,
    mean_cotangent: &mut [f32],
    log_std_cotangent: &mut [f32],
) {
    for i in 0..mean.len() {
        let inverse = (-log_std[i]).exp();
        let z = (x[i] - mean[i]) * inverse;
        mean_cotangent[i] += scale * z * inverse;
        log_std_cotangent[i] += scale * (z * z - 1.0);
    }
}

/// Adds `scale` times the gradient of the entropy to the cotangent of the log standard deviation: one per component.
pub fn entropy_grad(scale: f32, log_std_cotangent: &mut [f32]) {
    log_std_cotangent.iter_mut().for_each(|c| *c += scale);
}

/// Adds `scale` times the gradient of [`kl`] with respect to the first distribution to its cotangents.
pub fn kl_grad(
    (mean, log_std): (&[f32], &[f32]),
    (other_mean, other_log_std): (&[f32], &[f32]),
    scale: f32,
    mean_cotangent: &mut [f32],
    log_std_cotangent: &mut [f32],
) {
    for i in 0..mean.len() {
        let precision = (-2.0 * other_log_std[i]).exp();
        mean_cotangent[i] += scale * (mean[i] - other_mean[i]) * precision;
        log_std_cotangent[i] += scale * ((2.0 * log_std[i]).exp() * precision - 1.0);
    }
}

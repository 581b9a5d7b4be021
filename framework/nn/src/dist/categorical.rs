//! The categorical distribution over `logits`, one number per choice, not normalised.
//!
//! A masked choice has logit `-inf` ([`mask`]): probability zero, and no part in entropy, divergence or gradients.

/// `ln(sum(exp(logits)))`, without overflow. `-inf` when every choice is masked.
pub fn log_sum_exp(logits: &[f32]) -> f32 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if top == f32::NEG_INFINITY {
        return top;
    }
    let sum: f32 = logits.iter().map(|l| (l - top).exp()).sum();
    top + sum.ln()
}

/// Sets the logits of choices that are not `allowed` to `-inf`.
pub fn mask(logits: &mut [f32], allowed: &[bool]) {
    for (logit, allowed) in logits.iter_mut().zip(allowed) {
        if !allowed {
            *logit = f32::NEG_INFINITY;
        }
    }
}

/// Writes the probability of each choice to `out`.
pub fn probs(logits: &[f32], out: &mut [f32]) {
    let total = log_sum_exp(logits);
    out.iter_mut().zip(logits).for_each(|(p, l)| *p = (l - total).exp());
}

/// Writes the log-probability of each choice to `out`.
pub fn log_probs(logits: &[f32], out: &mut [f32]) {
    let total = log_sum_exp(logits);
    out.iter_mut().zip(logits).for_each(|(p, l)| *p = l - total);
}

/// Log-probability of one choice.
pub fn log_prob(logits: &[f32], choice: usize) -> f32 {
    logits[choice] - log_sum_exp(logits)
}

/// Entropy, in nats.
pub fn entropy(logits: &[f32]) -> f32 {
    let total = log_sum_exp(logits);
    -logits.iter().map(|l| plogp(l - total)).sum::<f32>()
}

/// Kullback-Leibler divergence from `logits` (p) to `other` (q): `sum(p * ln(p / q))`, in nats.
pub fn kl(logits: &[f32], other: &[f32]) -> f32 {
    let (p_total, q_total) = (log_sum_exp(logits), log_sum_exp(other));
    let term = |(p, q): (&f32, &f32)| {
        let log_p = p - p_total;
        if log_p == f32::NEG_INFINITY { 0.0 } else { log_p.exp() * (log_p - (q - q_total)) }
    };
    logits.iter().zip(other).map(term).sum()
}

/// The most likely choice; the first of several.
pub fn greedy(logits: &[f32]) -> usize {
    let mut best = 0;
    for (i, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = i;
        }
    }
    best
}

/// Draws a choice by inverting the distribution function at `uniform`, a number in `[0, 1)`.
///
/// A masked choice is never drawn.
pub fn sample(logits: &[f32], uniform: f64) -> usize {
    let top = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let weight = |l: &f32| (f64::from(*l) - top).exp();
    let target = uniform * logits.iter().map(weight).sum::<f64>();
    let mut below = 0.0;
    let mut last = 0;
    for (i, weight) in logits.iter().map(weight).enumerate() {
        below += weight;
        if target < below {
            return i;
        }
        if weight > 0.0 {
            last = i;
        }
    }
    last
}

/// Adds `scale` times the gradient of `log_prob(choice)` to `cotangent`: `scale * (one_hot - p)`.
pub fn log_prob_grad(logits: &[f32], choice: usize, scale: f32, cotangent: &mut [f32]) {
    let total = log_sum_exp(logits);
    for (i, (c, l)) in cotangent.iter_mut().zip(logits).enumerate() {
        let hot = if i == choice { 1.0 } else { 0.0 };
        *c += scale * (hot - (l - total).exp());
    }
}

/// Adds `scale` times the gradient of the entropy to `cotangent`: `-scale * p * (ln(p) + entropy)`.
pub fn entropy_grad(logits: &[f32], scale: f32, cotangent: &mut [f32]) {
    let total = log_sum_exp(logits);
    let entropy = entropy(logits);
    for (c, l) in cotangent.iter_mut().zip(logits) {
        let log_p = l - total;
        if log_p > f32::NEG_INFINITY {
            *c -= scale * log_p.exp() * (log_p + entropy);
        }
    }
}

/// Adds `scale` times the gradient of `kl(logits, other)` with respect to `logits` to `cotangent`.
pub fn kl_grad(logits: &[f32], other: &[f32], scale: f32, cotangent: &mut [f32]) {
    let (p_total, q_total) = (log_sum_exp(logits), log_sum_exp(other));
    let divergence = kl(logits, other);
    for (c, (p, q)) in cotangent.iter_mut().zip(logits.iter().zip(other)) {
        let log_p = p - p_total;
        if log_p > f32::NEG_INFINITY {
            *c += scale * log_p.exp() * (log_p - (q - q_total) - divergence);
        }
    }
}

fn plogp(log_p: f32) -> f32 {
    if log_p == f32::NEG_INFINITY { 0.0 } else { log_p.exp() * log_p }
}

use super::{all_close_f32, close_f32, f32s, load};
use raytree_rllib::loss::{
    GaussianPolicy, MarwilLossConfig, Normalizer, PolicyBatch, PpoLossConfig, ValueBatch,
    ValueLossConfig, behavior_cloning, marwil, ppo_categorical, ppo_gaussian, value_loss,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    ppo: Vec<Ppo>,
    ppo_gaussian: Gaussian,
    marwil: Marwil,
}

#[derive(Deserialize)]
struct Ppo {
    clip: f64,
    value_clip: Option<f64>,
    entropy_coeff: f64,
    value_coeff: f64,
    normalise_advantages_unbiased_std: bool,
    logits: Vec<Vec<f64>>,
    values: Vec<f64>,
    actions: Vec<u32>,
    old_log_probs: Vec<f64>,
    old_values: Vec<f64>,
    advantages: Vec<f64>,
    value_targets: Vec<f64>,
    policy_loss: f64,
    value_loss: f64,
    entropy: f64,
    loss: f64,
    kl_k1: f64,
    kl_k3: f64,
    clip_fraction: f64,
    grad_logits: Vec<Vec<f64>>,
    grad_values: Vec<f64>,
}

#[derive(Deserialize)]
struct Gaussian {
    clip: f64,
    mean: Vec<Vec<f64>>,
    log_std: Vec<f64>,
    actions: Vec<Vec<f64>>,
    old_log_probs: Vec<f64>,
    advantages: Vec<f64>,
    entropy: f64,
    loss: f64,
    grad_mean: Vec<Vec<f64>>,
    grad_log_std: Vec<f64>,
}

#[derive(Deserialize)]
struct Marwil {
    beta: f64,
    c2: f64,
    logits: Vec<Vec<f64>>,
    values: Vec<f64>,
    actions: Vec<u32>,
    returns: Vec<f64>,
    bc_loss: f64,
    loss: f64,
    grad_logits: Vec<Vec<f64>>,
    grad_values: Vec<f64>,
}

fn flat(rows: &[Vec<f64>]) -> Vec<f32> {
    f32s(rows.iter().flatten())
}

/// Runs one case over its rows divided into `parts`, whose losses and gradients must add up.
fn check_ppo(what: &str, case: &Ppo, parts: usize) {
    let rows = case.actions.len();
    let (logits, values) = (flat(&case.logits), f32s(&case.values));
    let choices = logits.len() / rows;
    let advantages = f32s(&case.advantages);
    let normalizer = if case.normalise_advantages_unbiased_std {
        Normalizer::of(&advantages)
    } else {
        Normalizer::IDENTITY
    };
    let config = PpoLossConfig {
        clip: case.clip as f32,
        entropy_coef: case.entropy_coeff as f32,
        normalizer,
        rows_total: Some(rows),
    };
    let value_config = ValueLossConfig {
        coef: case.value_coeff as f32,
        clip: case.value_clip.map(|clip| clip as f32),
        rows_total: Some(rows),
    };
    let (old, targets) = (f32s(&case.old_log_probs), f32s(&case.value_targets));
    let old_values = f32s(&case.old_values);
    let mut grad_logits = vec![f32::NAN; logits.len()];
    let mut grad_values = vec![f32::NAN; rows];
    let mut sums = [0.0; 6];
    for part in 0..parts {
        let at = part * rows / parts..(part + 1) * rows / parts;
        let of_logits = at.start * choices..at.end * choices;
        let batch = PolicyBatch {
            actions: &case.actions[at.clone()],
            old_log_probs: &old[at.clone()],
            advantages: &advantages[at.clone()],
        };
        let grad = &mut grad_logits[of_logits.clone()];
        let policy = ppo_categorical(&logits[of_logits], batch, &config, grad).unwrap();
        let batch =
            ValueBatch { targets: &targets[at.clone()], old_values: &old_values[at.clone()] };
        let grad = &mut grad_values[at.clone()];
        let value = value_loss(&values[at], batch, &value_config, grad).unwrap();
        let terms = [
            policy.policy_loss,
            policy.entropy,
            policy.kl_k1,
            policy.kl_k3,
            policy.clip_fraction,
            value,
        ];
        for (sum, term) in sums.iter_mut().zip(terms) {
            *sum += term;
        }
    }
    let [policy_loss, entropy, kl_k1, kl_k3, clip_fraction, value_loss] = sums;
    close_f32(&format!("{what} policy_loss"), policy_loss, case.policy_loss);
    close_f32(&format!("{what} value_loss"), value_loss, case.value_loss);
    close_f32(&format!("{what} entropy"), entropy, case.entropy);
    close_f32(&format!("{what} kl_k1"), kl_k1, case.kl_k1);
    close_f32(&format!("{what} kl_k3"), kl_k3, case.kl_k3);
    close_f32(&format!("{what} clip_fraction"), clip_fraction, case.clip_fraction);
    let loss = policy_loss + case.value_coeff * value_loss - case.entropy_coeff * entropy;
    close_f32(&format!("{what} loss"), loss, case.loss);
    all_close_f32(&format!("{what} grad_logits"), &grad_logits, case.grad_logits.concat());
    all_close_f32(&format!("{what} grad_values"), &grad_values, case.grad_values.clone());
}

#[test]
fn golden_ppo_categorical() {
    for (index, case) in load::<File>("algo_policy_gradient.json").ppo.iter().enumerate() {
        for parts in [1, 2, 5] {
            check_ppo(&format!("case {index} in {parts} parts"), case, parts);
        }
    }
}

#[test]
fn golden_ppo_gaussian() {
    let case = load::<File>("algo_policy_gradient.json").ppo_gaussian;
    let rows = case.advantages.len();
    let config = PpoLossConfig { clip: case.clip as f32, ..PpoLossConfig::default() };
    let (mean, actions) = (flat(&case.mean), flat(&case.actions));
    let (old, advantages) = (f32s(&case.old_log_probs), f32s(&case.advantages));
    let shared = f32s(&case.log_std);
    for log_std in [shared.clone(), shared.repeat(rows)] {
        let batch = PolicyBatch { actions: &actions, old_log_probs: &old, advantages: &advantages };
        let mut grad_mean = vec![f32::NAN; mean.len()];
        let mut grad_log_std = vec![f32::NAN; log_std.len()];
        let run = |entropy_coef, grad_mean: &mut [f32], grad_log_std: &mut [f32]| {
            let policy = GaussianPolicy { mean: &mean, log_std: &log_std };
            let config = PpoLossConfig { entropy_coef, ..config };
            ppo_gaussian(policy, batch, &config, grad_mean, grad_log_std).unwrap()
        };
        let loss = run(0.0, &mut grad_mean, &mut grad_log_std);
        close_f32("loss", loss.policy_loss, case.loss);
        close_f32("entropy", loss.entropy, case.entropy);
        all_close_f32("grad_mean", &grad_mean, case.grad_mean.concat());
        let sums: Vec<f32> = (0..shared.len())
            .map(|at| grad_log_std.iter().skip(at).step_by(shared.len()).sum())
            .collect();
        all_close_f32("grad_log_std", &sums, case.grad_log_std.clone());
        // The entropy grows by 1 per unit of each log_std, whatever the row.
        run(0.5, &mut grad_mean, &mut grad_log_std);
        let sums = (0..shared.len())
            .map(|at| grad_log_std.iter().skip(at).step_by(shared.len()).sum::<f32>() + 0.5);
        all_close_f32("with bonus", &sums.collect::<Vec<_>>(), case.grad_log_std.clone());
    }
}

#[test]
fn golden_marwil_and_behavior_cloning() {
    let case = load::<File>("algo_policy_gradient.json").marwil;
    let (logits, values) = (flat(&case.logits), f32s(&case.values));
    let config = MarwilLossConfig {
        beta: case.beta as f32,
        mean_square_advantage: case.c2 as f32,
        value_coef: 0.5,
    };
    let mut grad_logits = vec![f32::NAN; logits.len()];
    let mut grad_values = vec![f32::NAN; values.len()];
    let loss = marwil(
        (&logits, &values),
        (&case.actions, &f32s(&case.returns)),
        &config,
        (&mut grad_logits, &mut grad_values),
    )
    .unwrap();
    close_f32("loss", loss.total_loss, case.loss);
    all_close_f32("grad_logits", &grad_logits, case.grad_logits.concat());
    all_close_f32("grad_values", &grad_values, case.grad_values);
    let cloned = behavior_cloning(&logits, &case.actions, &mut grad_logits).unwrap();
    close_f32("bc_loss", cloned, case.bc_loss);
}

//! Distributions against golden numbers, differences and counts.

use raytree_nn::dist::{bernoulli, beta, categorical, gaussian};
use raytree_nn::init::unit;
use serde_json::Value;

use crate::support::{assert_close, golden, normals, numbers, rng, rows, singles};

fn check(what: &str, case: &Value, key: &str, got: &[f32]) {
    assert_close(&format!("{what}.{key}"), got, &numbers(&case[key]), 1e-5, 1e-6);
}

fn logs(values: &[f32]) -> Vec<f32> {
    values.iter().map(|value| value.ln()).collect()
}

#[test]
fn golden_distributions_every_case() {
    let file = golden("algo_distributions.json");
    for (name, case) in file.as_object().unwrap() {
        match name.as_str() {
            "categorical" => categorical_case(case),
            "masked_categorical" => masked_case(case),
            "diag_gaussian" => gaussian_case(case),
            "beta" => {
                let (a, b, x) = (singles(&case["a"]), singles(&case["b"]), singles(&case["x"]));
                let log_prob = (0..a.len()).map(|i| beta::log_prob(a[i], b[i], x[i]));
                check(name, case, "log_prob", &log_prob.collect::<Vec<_>>());
                let entropy = (0..a.len()).map(|i| beta::entropy(a[i], b[i]));
                check(name, case, "entropy", &entropy.collect::<Vec<_>>());
            }
            "bernoulli" => {
                let (logits, x) = (singles(&case["logits"]), singles(&case["x"]));
                let log_prob = logits.iter().zip(&x).map(|(l, x)| bernoulli::log_prob(*l, *x));
                check(name, case, "log_prob", &log_prob.collect::<Vec<_>>());
                let entropy = logits.iter().map(|l| bernoulli::entropy(*l));
                check(name, case, "entropy", &entropy.collect::<Vec<_>>());
            }
            other => panic!("no distribution is called {other}"),
        }
    }
}

fn categorical_case(case: &Value) {
    let (logits, other) = (rows(&case["logits"]), rows(&case["other_logits"]));
    let actions: Vec<_> = numbers(&case["actions"]).iter().map(|a| *a as usize).collect();
    let (mut log_prob, mut entropy, mut kl, mut probs) = (vec![], vec![], vec![], vec![]);
    for (i, row) in logits.iter().enumerate() {
        log_prob.push(categorical::log_prob(row, actions[i]));
        entropy.push(categorical::entropy(row));
        kl.push(categorical::kl(row, &other[i]));
        let mut p = vec![0.0; row.len()];
        categorical::probs(row, &mut p);
        probs.extend(p);
    }
    check("categorical", case, "log_prob", &log_prob);
    check("categorical", case, "entropy", &entropy);
    check("categorical", case, "kl", &kl);
    check("categorical", case, "probs", &probs);
}

fn masked_case(case: &Value) {
    let allowed = rows(&case["mask"]);
    let (mut entropy, mut probs) = (vec![], vec![]);
    for (mut row, allowed) in rows(&case["logits"]).into_iter().zip(allowed) {
        let allowed: Vec<_> = allowed.iter().map(|a| *a != 0.0).collect();
        categorical::mask(&mut row, &allowed);
        entropy.push(categorical::entropy(&row));
        let mut p = vec![0.0; row.len()];
        categorical::probs(&row, &mut p);
        probs.extend(p);
    }
    check("masked", case, "entropy", &entropy);
    check("masked", case, "probs", &probs);
}

fn gaussian_case(case: &Value) {
    let (mean, other_mean, x) = (rows(&case["mean"]), rows(&case["other_mean"]), rows(&case["x"]));
    let std: Vec<_> = rows(&case["std"]).iter().map(|s| logs(s)).collect();
    let other_std: Vec<_> = rows(&case["other_std"]).iter().map(|s| logs(s)).collect();
    let all = 0..mean.len();
    let log_prob = all.clone().map(|i| gaussian::log_prob(&mean[i], &std[i], &x[i]));
    check("gaussian", case, "log_prob", &log_prob.collect::<Vec<_>>());
    let entropy = all.clone().map(|i| gaussian::entropy(&std[i]));
    check("gaussian", case, "entropy", &entropy.collect::<Vec<_>>());
    let kl = all.map(|i| gaussian::kl(&mean[i], &std[i], &other_mean[i], &other_std[i]));
    check("gaussian", case, "kl", &kl.collect::<Vec<_>>());
}

/// Central differences of `f` at `x` against `grad`.
fn check_grad(what: &str, x: &[f32], grad: &[f32], f: impl Fn(&[f32]) -> f32) {
    let step = 1e-2;
    for i in 0..x.len() {
        let (mut plus, mut minus) = (x.to_vec(), x.to_vec());
        plus[i] += step;
        minus[i] -= step;
        let want = (f(&plus) - f(&minus)) / (2.0 * step);
        assert!(
            (grad[i] - want).abs() < 2e-3 * (1.0 + want.abs()),
            "{what}[{i}]: {} {want}",
            grad[i]
        );
    }
}

#[test]
fn categorical_gradients_agree_with_differences() {
    for seed in 0..10 {
        let (logits, other) = (normals(5, seed), normals(5, seed + 100));
        let mut grad = vec![0.0; 5];
        categorical::log_prob_grad(&logits, 2, 1.0, &mut grad);
        check_grad("log_prob", &logits, &grad, |l| categorical::log_prob(l, 2));
        grad.fill(0.0);
        categorical::entropy_grad(&logits, 1.0, &mut grad);
        check_grad("entropy", &logits, &grad, categorical::entropy);
        grad.fill(0.0);
        categorical::kl_grad(&logits, &other, 1.0, &mut grad);
        check_grad("kl", &logits, &grad, |l| categorical::kl(l, &other));
    }
}

#[test]
fn gaussian_gradients_agree_with_differences() {
    for seed in 0..10 {
        let (mean, x, om) = (normals(3, seed), normals(3, seed + 50), normals(3, seed + 60));
        let log_std: Vec<_> = normals(3, seed + 70).iter().map(|s| 0.3 * s).collect();
        let os: Vec<_> = normals(3, seed + 80).iter().map(|s| 0.3 * s).collect();
        let (mut dm, mut ds) = (vec![0.0; 3], vec![0.0; 3]);
        gaussian::log_prob_grad(&mean, &log_std, &x, 1.0, &mut dm, &mut ds);
        check_grad("mean", &mean, &dm, |m| gaussian::log_prob(m, &log_std, &x));
        check_grad("log_std", &log_std, &ds, |s| gaussian::log_prob(&mean, s, &x));
        let (mut dm, mut ds) = (vec![0.0; 3], vec![0.0; 3]);
        gaussian::kl_grad((&mean, &log_std), (&om, &os), 1.0, &mut dm, &mut ds);
        check_grad("kl mean", &mean, &dm, |m| gaussian::kl(m, &log_std, &om, &os));
        check_grad("kl log_std", &log_std, &ds, |s| gaussian::kl(&mean, s, &om, &os));
        let mut ds = vec![0.0; 3];
        gaussian::entropy_grad(1.0, &mut ds);
        check_grad("entropy", &log_std, &ds, gaussian::entropy);
    }
}

#[test]
fn beta_and_bernoulli_gradients_agree_with_differences() {
    for (a, b, x) in [(0.7, 2.0, 0.4), (3.0, 1.5, 0.8), (12.0, 9.0, 0.5)] {
        let grad = beta::log_prob_grad(a, b, x);
        check_grad("beta", &[a, b], &grad, |p| beta::log_prob(p[0], p[1], x));
    }
    for logit in [-3.0, -0.2, 0.0, 1.7] {
        let grad = [bernoulli::log_prob_grad(logit, 1.0)];
        check_grad("bernoulli", &[logit], &grad, |l| bernoulli::log_prob(l[0], 1.0));
        let grad = [bernoulli::entropy_grad(logit)];
        check_grad("bernoulli entropy", &[logit], &grad, |l| bernoulli::entropy(l[0]));
    }
}

#[test]
fn draws_follow_the_law_and_never_pick_a_masked_choice() {
    let mut logits = [0.5, f32::NEG_INFINITY, -1.0, 1.0, f32::NEG_INFINITY];
    let mut probs = [0.0; 5];
    categorical::probs(&logits, &mut probs);
    let (mut rng, mut counts, draws) = (rng(4), [0_u32; 5], 100_000);
    for _ in 0..draws {
        counts[categorical::sample(&logits, unit(&mut rng))] += 1;
    }
    for (count, p) in counts.iter().zip(probs) {
        assert!((f64::from(*count) / f64::from(draws) - f64::from(p)).abs() < 0.006);
    }
    assert_eq!((counts[1], counts[4]), (0, 0));
    assert_eq!(categorical::sample(&logits, 0.0), 0);
    assert_eq!(categorical::sample(&logits, 1.0 - f64::EPSILON / 2.0), 3);
    assert_eq!(categorical::greedy(&logits), 3);
    logits[0] = 1.0;
    assert_eq!(categorical::greedy(&logits), 0, "the first of several");
    assert_eq!(bernoulli::sample(0.0, 0.49), 1.0);
    assert_eq!(bernoulli::sample(0.0, 0.51), 0.0);
}

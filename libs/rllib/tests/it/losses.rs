//! Losses where the golden cases do not reach: gradients against finite differences, forbidden actions, bad lengths.

use raytree_rllib::loss::{
    Normalizer, PolicyBatch, PpoLossConfig, ValueBatch, ValueLossConfig, explained_variance,
    ppo_categorical, value_loss,
};
use raytree_rllib::{Error, Rng, Stream};

fn normals(count: usize, which: u64) -> Vec<f32> {
    let mut rng = Rng::stream(4, Stream::Custom(which));
    (0..count).map(|_| rng.normal() as f32).collect()
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    const ROWS: usize = 16;
    let mut logits = normals(3 * ROWS, 0);
    let (old_log_probs, advantages) = (vec![-1.1; ROWS], normals(ROWS, 1));
    let actions: Vec<u32> = (0..ROWS as u32).map(|at| at % 3).collect();
    let config = PpoLossConfig {
        clip: 0.4,
        entropy_coef: 0.3,
        normalizer: Normalizer::of(&advantages),
        ..PpoLossConfig::default()
    };
    let run = |logits: &[f32], grad: &mut [f32]| {
        let batch = PolicyBatch {
            actions: &actions,
            old_log_probs: &old_log_probs,
            advantages: &advantages,
        };
        let loss = ppo_categorical(logits, batch, &config, grad).unwrap();
        loss.policy_loss - 0.3 * loss.entropy
    };
    let (mut grad, mut unused) = (vec![0.0; logits.len()], vec![0.0; logits.len()]);
    run(&logits, &mut grad);
    for at in 0..logits.len() {
        let (here, step) = (logits[at], 1e-2);
        logits[at] = here + step;
        let above = run(&logits, &mut unused);
        logits[at] = here - step;
        let below = run(&logits, &mut unused);
        logits[at] = here;
        let slope = (above - below) / f64::from(2.0 * step);
        assert!((slope - f64::from(grad[at])).abs() < 2e-3, "{at}: {slope} {}", grad[at]);
    }
}

#[test]
fn a_forbidden_action_gets_no_gradient() {
    let logits = [0.3, f32::NEG_INFINITY, -0.2];
    let mut grad = [f32::NAN; 3];
    let batch = PolicyBatch { actions: &[0], old_log_probs: &[-0.7], advantages: &[1.0] };
    let config = PpoLossConfig { entropy_coef: 0.1, ..PpoLossConfig::default() };
    let loss = ppo_categorical(&logits, batch, &config, &mut grad).unwrap();
    assert!(loss.entropy > 0.0 && loss.entropy < 2f64.ln());
    assert!(grad[1] == 0.0 && grad.iter().all(|x| x.is_finite()), "{grad:?}");
}

#[test]
fn bad_lengths_are_named() {
    let run = |logits: &[f32], actions: &[u32], grads: usize| {
        let ones = vec![1.0; actions.len()];
        let batch = PolicyBatch { actions, old_log_probs: &ones, advantages: &ones };
        ppo_categorical(logits, batch, &PpoLossConfig::default(), &mut vec![0.0; grads])
            .map_err(|error| error.to_string())
    };
    assert!(run(&[0.0; 4], &[0, 1], 4).is_ok());
    assert!(run(&[], &[], 0).is_ok());
    let message = |result: Result<_, String>| result.map(drop).unwrap_err();
    assert_eq!(message(run(&[0.0; 5], &[0, 1], 5)), "`logits` has 5 numbers where 4 are needed");
    assert_eq!(
        message(run(&[0.0; 4], &[0, 1], 3)),
        "`grad_logits` has 3 numbers where 4 are needed"
    );
    assert_eq!(
        message(run(&[0.0; 4], &[0, 2], 4)),
        "`a row of logits` has 2 numbers where 3 are needed"
    );
    let batch = ValueBatch { targets: &[1.0], old_values: &[] };
    let config = ValueLossConfig { clip: Some(0.2), ..ValueLossConfig::default() };
    let error = value_loss(&[1.0], batch, &config, &mut [0.0]).unwrap_err();
    assert!(matches!(error, Error::Length { name: "old_values", .. }));
}

#[test]
fn explained_variance_of_known_cases() {
    let targets = [1.0, 2.0, 3.0, 4.0];
    assert_eq!(explained_variance(&targets, &targets), Some(1.0));
    assert_eq!(explained_variance(&[9.0; 4], &targets), Some(0.0));
    assert_eq!(explained_variance(&[4.0, 3.0, 2.0, 1.0], &targets), Some(-3.0));
    assert_eq!(explained_variance(&targets, &[1.0; 4]), None);
    assert_eq!(explained_variance(&[], &[]), None);
}

#[test]
fn a_single_advantage_is_left_something_to_learn_from() {
    assert_eq!(Normalizer::of(&[3.0]), Normalizer::IDENTITY);
    assert_eq!(Normalizer::of(&[]), Normalizer::IDENTITY);
}

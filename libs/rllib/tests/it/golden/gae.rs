use super::{all_close_f32, f32s, load};
use raytree_rllib::gae::{Rollout, gae};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    gamma: f64,
    lambda_: f64,
    rewards: Vec<Vec<f64>>,
    values: Vec<Vec<f64>>,
    terminated: Vec<Vec<bool>>,
    truncated: Vec<Vec<bool>>,
    truncation_values: Vec<Vec<f64>>,
    last_value: Vec<f64>,
    advantages: Vec<Vec<f64>>,
    value_targets: Vec<Vec<f64>>,
}

#[test]
fn golden_gae() {
    for (index, case) in load::<File>("algo_gae.json").cases.into_iter().enumerate() {
        let flat = |rows: &Vec<Vec<f64>>| f32s(rows.iter().flatten());
        let (rewards, values) = (flat(&case.rewards), flat(&case.values));
        let rollout = Rollout {
            rewards: &rewards,
            values: &values,
            terminated: &case.terminated.concat(),
            truncated: &case.truncated.concat(),
            truncation_values: &flat(&case.truncation_values),
            last_values: &f32s(&case.last_value),
        };
        let mut advantages = vec![f32::NAN; rewards.len()];
        let mut targets = advantages.clone();
        gae(rollout, case.gamma as f32, case.lambda_ as f32, &mut advantages, &mut targets)
            .unwrap();
        all_close_f32(&format!("case {index} advantages"), &advantages, case.advantages.concat());
        all_close_f32(&format!("case {index} targets"), &targets, case.value_targets.concat());
    }
}

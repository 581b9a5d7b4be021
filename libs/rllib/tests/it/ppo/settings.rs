//! Settings: ranges, presets, files.

use super::*;
use raytree_rllib::{Error, Schedule, Space};
use std::fs;

#[test]
fn every_setting_out_of_its_range_is_named() {
    let base = || PpoConfig::tuned("CartPole-v1").unwrap();
    let messages: Vec<String> = [
        base().envs(0),
        base().env_runners(0),
        base().env_runners(9),
        base().rollout_steps(0),
        base().rollout_steps(1 << 20).envs(1 << 16),
        base().total_env_steps(0),
        base().gamma(1.5),
        base().gae_lambda(f64::NAN),
        base().learning_rate(-1e-3),
        base().clip(Schedule::linear(0.2, -0.1)),
        base().epochs(0),
        base().minibatches(257),
        base().value_clip(0.0),
        base().value_coef(f64::INFINITY),
        base().entropy_coef(-1.0),
        base().max_grad_norm(0.0),
        base().adam_eps(0.0),
        base().hidden([64, 0]),
        base().log_std_init(3.0),
        base().evaluation_episodes(0),
        base().evaluation_envs(0),
        base().stop_at_return(f64::NAN),
        base().stop_at_return(475.0).evaluation_every(0),
        base().learning_rate(1e39),
        base().adam_eps(1e-60),
    ]
    .iter()
    .map(|config| config.validate().unwrap_err().to_string())
    .collect();
    expect_test::expect![[r#"
        `envs` is 0, but must be 1 to 65536
        `env_runners` is 0, but must be 1 to 8, the number of `envs` they divide
        `env_runners` is 9, but must be 1 to 8, the number of `envs` they divide
        `rollout_steps` is 0, but must be 1 to 1048576
        `rollout_steps` is 1048576, but must be at most 268435456 after multiplying by `envs`
        `total_env_steps` is 0, but must be at least 1
        `gamma` is 1.5, but must be 0 to 1
        `gae_lambda` is NaN, but must be 0 to 1
        `learning_rate` is -0.001, but must be at least 0 all the time
        `clip` is -0.1, but must be at least 0 all the time
        `epochs` is 0, but must be 1 to 1000
        `minibatches` is 257, but must be 1 to 256, the steps of an iteration
        `value_clip` is 0, but must be above 0
        `value_coef` is inf, but must be at least 0
        `entropy_coef` is -1, but must be at least 0
        `max_grad_norm` is 0, but must be above 0
        `adam_eps` is 0, but must be above 0 in single precision
        `hidden` is [64, 0], but must be at most 64 widths of 1 to 65536
        `log_std_init` is 3, but must be -20 to 2
        `evaluation_episodes` is 0, but must be 1 to 65536
        `evaluation_envs` is 0, but must be 1 to 65536
        `stop_at_return` is NaN, but must be a number
        `stop_at_return` is 475, but must be a number with `evaluation_every` above 0: without evaluations it is never reached
        `learning_rate` is 1000000000000000000000000000000000000000, but must be a number in single precision all the time
        `adam_eps` is 0.000000000000000000000000000000000000000000000000000000000001, but must be above 0 in single precision"#]]
    .assert_eq(&messages.join("\n"));
}

#[test]
fn unknown_environments_and_presets_list_what_there_is() {
    let error = PpoConfig::tuned("CartPole-v2").unwrap_err().to_string();
    assert_eq!(error, "there is no preset for `CartPole-v2`, only for CartPole-v1");
    let error = PpoConfig::new("CartPol-v1").validate().unwrap_err().to_string();
    assert!(error.contains("did you mean `CartPole-v1`"), "{error}");
}

/// Lays a file over the preset.
fn with_text(text: &str) -> Result<PpoConfig> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ppo.toml");
    fs::write(&path, text).unwrap();
    let config = PpoConfig::tuned("CartPole-v1").unwrap().with_file(&path);
    config.map_err(|error| match error {
        Error::BadFile { reason, .. } => Error::BadFile { path: "ppo.toml".into(), reason },
        Error::UnknownKey { key, near, .. } => {
            Error::UnknownKey { path: "ppo.toml".into(), key, near }
        }
        other => other,
    })
}

#[test]
fn a_file_lies_over_the_preset() {
    let text = "env_runners = 2\ngamma = 1\nhidden = [32]\nactivation = \"relu\"\nout = \"here\"\n\
                clip = { points = [[0, 0.2], [5000, 0.1]] }\nlearning_rate = 1e-4\nstop_at_return = 400\n";
    let config = with_text(text).unwrap();
    let expected = PpoConfig::tuned("CartPole-v1")
        .unwrap()
        .env_runners(2)
        .gamma(1.0)
        .hidden([32])
        .activation(raytree_nn::Activation::Relu)
        .out("here")
        .clip(Schedule::piecewise(vec![(0, 0.2), (5000, 0.1)]).unwrap())
        .learning_rate(1e-4)
        .stop_at_return(400.0);
    assert_eq!(config, expected);
    assert_eq!(with_text("").unwrap(), PpoConfig::tuned("CartPole-v1").unwrap());
}

#[test]
fn a_file_that_does_not_fit_is_refused_by_name() {
    let messages: Vec<String> = [
        "epoch = 3",
        "learning-rate = 1e-3",
        "xyzzy = 1",
        "epochs = \"many\"",
        "epochs = -1",
        "clip = { from = 0.2 }",
        "epochs = ",
        "stop_at_return = inf",
        "clip = { from = nan, to = 0.0 }",
    ]
    .map(|text| with_text(text).unwrap_err().to_string())
    .to_vec();
    expect_test::expect![[r#"
        ppo.toml has the unknown key `epoch`: did you mean `epochs`?
        ppo.toml has the unknown key `learning-rate`: did you mean `learning_rate`?
        ppo.toml has the unknown key `xyzzy`
        ppo.toml is damaged or foreign: `epochs` does not fit: invalid type: string "many", expected usize
        ppo.toml is damaged or foreign: `epochs` does not fit: invalid value: integer `-1`, expected usize
        ppo.toml is damaged or foreign: `clip` does not fit: a schedule is a number, { from, to } or { points = [[steps, value], ..] }
        ppo.toml is damaged or foreign: TOML parse error at line 1, column 10
        ppo.toml is damaged or foreign: `stop_at_return` does not fit: not a finite number
        ppo.toml is damaged or foreign: `clip` does not fit: not a finite number"#]].assert_eq(&messages.join("\n"));
    let missing = PpoConfig::new("CartPole-v1").with_file("/nowhere/ppo.toml".as_ref());
    let error = missing.unwrap_err().to_string();
    assert!(error.starts_with("cannot read /nowhere/ppo.toml"), "{error}");
}

#[test]
fn runners_divide_the_environments_evenly() {
    let ranges = |envs: usize, runners: usize| -> Vec<_> {
        let config = PpoConfig::new("CartPole-v1").envs(envs).env_runners(runners);
        (0..runners).map(|runner| config.runner_range(runner)).collect()
    };
    assert_eq!(ranges(8, 3), [0..3, 3..6, 6..8]);
    assert_eq!(ranges(4, 4), [0..1, 1..2, 2..3, 3..4]);
    assert_eq!(ranges(5, 1).first(), Some(&(0..5)));
}

#[raytree::remote]
fn same(config: PpoConfig, spaces: Vec<Space>) -> (PpoConfig, Vec<Space>) {
    (config, spaces)
}

/// Strict mode sends them through the codec and back, there and back again.
#[test]
fn settings_and_spaces_are_values() {
    with_strict_runtime(async {
        let points = Schedule::piecewise(vec![(0, 1e-3), (500, 1e-4)]).unwrap();
        let config = short(1).learning_rate(points).clip(0.1).value_clip(None);
        let spaces = vec![Space::discrete(3), Space::uniform_box(f32::NEG_INFINITY, 2.0, &[2, 3])];
        let travelled = same::remote(config.clone(), spaces.clone()).await.unwrap();
        assert_eq!(travelled, (config, spaces));
    });
}

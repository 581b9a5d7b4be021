//! Checkpoints that are damaged, foreign, or used without a runtime.

use super::*;
use raytree_rllib::{Error, Policy, Rng, Stream, make};
use std::fs;
use std::path::Path;

async fn saved(path: &Path) -> Ppo {
    let mut ppo = short(4).build().await.unwrap();
    ppo.step().await.unwrap();
    ppo.save(path).await.unwrap();
    ppo
}

/// Changes a text in the JSON spec.
fn edit(folder: &Path, from: &str, to: &str) {
    let path = folder.join("spec.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn damage_is_told_by_file_and_field_and_the_old_state_stays() {
    type Damage = fn(&Path);
    let damages: [Damage; 9] = [
        |folder| fs::write(folder.join("model.safetensors"), "gone").unwrap(),
        |folder| fs::remove_file(folder.join("spec.json")).unwrap(),
        |folder| edit(folder, "\"algorithm\": \"ppo\"", "\"algorithm\": \"dqn\""),
        |folder| edit(folder, "\"gamma\"", "\"gama\""),
        |folder| edit(folder, "\"env\": \"CartPole-v1\"", "\"env\": \"Fleeting-v0\""),
        |folder| edit(folder, "\"seed\": 11", "\"seed\": 12"),
        |folder| edit(folder, "\"policy_outputs\": 2", "\"policy_outputs\": 3"),
        |folder| edit(folder, "\"index\": 7", "\"index\": 8"),
        |folder| edit(folder, "\"elapsed_s\"", "\"elapsed_m\""),
    ];
    let messages = with_runtime(async move {
        let root = tempfile::tempdir().unwrap();
        let good = root.path().join("good");
        let mut ppo = saved(&good).await;
        let mut messages = Vec::new();
        for damage in damages {
            let bad = root.path().join("bad");
            _ = fs::remove_dir_all(&bad);
            fs::create_dir(&bad).unwrap();
            for file in ["model.safetensors", "spec.json"] {
                fs::copy(good.join(file), bad.join(file)).unwrap();
            }
            damage(&bad);
            let error = ppo.load(&bad).await.unwrap_err();
            assert!(matches!(error, Error::BadFile { .. } | Error::Io { .. }), "{error:?}");
            messages.push(error.to_string().replace(&format!("{}/", bad.display()), ""));
        }
        let here = finish(&mut ppo).await.unwrap();
        let mut other = Ppo::restore(&good).await.unwrap();
        assert!(here == finish(&mut other).await.unwrap(), "the old state stayed");
        messages
    });
    expect_test::expect![[r#"
        model.safetensors is damaged or foreign: it has 4 bytes where `tensors_bytes` says 111032
        cannot read spec.json: No such file or directory (os error 2)
        spec.json is damaged or foreign: `algorithm` is `dqn`, not `ppo`
        spec.json is damaged or foreign: `spec`: unknown field `gama`, expected one of `env`, `seed`, `envs`, `env_runners`, `rollout_steps`, `total_env_steps`, `gamma`, `gae_lambda`, `learning_rate`, `epochs`, `minibatches`, `clip`, `value_clip`, `normalize_advantages`, `value_coef`, `entropy_coef`, `max_grad_norm`, `adam_eps`, `network`, `hidden`, `activation`, `shared_network`, `log_std_init`, `evaluation_every`, `evaluation_episodes`, `evaluation_envs`, `stop_at_return`, `checkpoint_every`, `check_env`, `out` at line 15 column 12
        spec.json is damaged or foreign: `config.env` is Fleeting-v0, but CartPole-v1 was asked for
        spec.json is damaged or foreign: `config.seed` is 12, but 11 was asked for
        spec.json is damaged or foreign: `policy_outputs` is 3, but Discrete(2) takes 2
        spec.json is damaged or foreign: `envs`: the snapshot does not fit: environment 8 stands at position 7
        spec.json is damaged or foreign: `spec`: unknown field `elapsed_m`, expected one of `iteration`, `env_steps`, `evaluations`, `last_evaluation`, `elapsed_s`, `episodes` at line 80 column 17"#]].assert_eq(&messages.join("\n"));
}

#[test]
fn a_folder_of_somebody_else_is_not_replaced() {
    with_runtime(async {
        let root = tempfile::tempdir().unwrap();
        let results = root.path().join("results");
        fs::create_dir(&results).unwrap();
        fs::write(results.join("thesis.txt"), "years of work").unwrap();
        let ppo = saved(&root.path().join("a")).await;
        let error = ppo.save(&results).await.unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        assert_eq!(fs::read_to_string(results.join("thesis.txt")).unwrap(), "years of work");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
        ppo.save(root.path().join("a")).await.unwrap();
    });
}

#[test]
fn the_settings_of_a_checkpoint_come_back() {
    with_runtime(async {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a");
        saved(&path).await;
        assert_eq!(PpoConfig::of_checkpoint(&path).unwrap(), short(4));
        assert!(matches!(PpoConfig::of_checkpoint(root.path()), Err(Error::Io { .. })));
    });
}

/// EV-1: what is asked for in between changes nothing, scheduled evaluations included.
#[test]
fn ev_1_evaluations_in_between_do_not_disturb_training() {
    with_runtime(async {
        let config = short(4).evaluation_every(512).evaluation_episodes(3);
        let undisturbed = curve(config.clone()).await;
        let mut ppo = config.build().await.unwrap();
        let first = ppo.step().await.unwrap().unwrap();
        let (one, other) = (ppo.evaluate(5).await.unwrap(), ppo.evaluate(5).await.unwrap());
        assert_eq!((one.returns.len(), other.returns.len()), (5, 5));
        assert_ne!(one, other, "other episodes each time");
        let mut rest = finish(&mut ppo).await.unwrap();
        rest.reports.insert(0, bits(&first));
        assert!(rest == undisturbed);
        for episodes in [0, (1 << 16) + 1] {
            let error = ppo.evaluate(episodes).await.unwrap_err().to_string();
            assert_eq!(error, format!("`episodes` is {episodes}, but must be 1 to 65536"));
        }
    });
}

#[test]
fn a_network_of_another_shape_is_refused() {
    with_runtime(async {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a");
        saved(&path).await;
        let error = short(4).hidden([32, 64]).restore(&path).await.unwrap_err().to_string();
        assert!(
            error.ends_with("`config.hidden` is [64, 64], but [32, 64] was asked for"),
            "{error}"
        );
    });
}

/// A policy acts without a runtime, and as the training's own evaluation does.
#[test]
fn a_policy_needs_no_runtime() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a");
    let at = path.clone();
    with_runtime(async move { drop(saved(&at).await) });
    let mut policy = Policy::load(&path).unwrap();
    assert_eq!((policy.env(), policy.env_steps()), ("CartPole-v1", 256));
    let mut env = make(policy.env()).unwrap();
    env.reset().unwrap();
    let (first, mut rng) = (policy.act(env.obs()).unwrap(), Rng::stream(1, Stream::Custom(1)));
    assert_eq!(first, policy.act(env.obs()).unwrap(), "greedy actions do not vary");
    let drawn: Vec<_> = (0..50).map(|_| policy.sample(env.obs(), &mut rng).unwrap()).collect();
    assert!(drawn.iter().any(|action| *action != drawn[0]), "drawn ones do");
    assert!(policy.value(env.obs()).unwrap().is_finite());
    let error = policy.act(&[0.0; 3]).unwrap_err().to_string();
    assert_eq!(error, "`obs` has 3 numbers where 4 are needed");
    assert!(matches!(Policy::load(root.path()), Err(Error::Io { .. })));
}

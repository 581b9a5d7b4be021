//! What cannot be healed is told in one sentence, and nothing is lost by it.

use super::*;
use raytree_rllib::Error;

fn in_env(env: &str, iterations: u64) -> PpoConfig {
    PpoConfig { env: env.to_owned(), ..short(iterations) }
}

/// EG-2 (bounded-redo): a runner that fails at the same place each time is given up, with its name and cause.
#[test]
fn eg_2_an_environment_that_always_panics_is_told_with_its_runner() {
    with_runtime(async {
        let config = in_env("PanicsAlways-v0", 12).check_env(false).env_runners(4);
        let mut ppo = config.build().await.unwrap();
        ppo.step().await.unwrap();
        for _ in 0..2 {
            let error = ppo.step().await.unwrap_err();
            assert!(matches!(error, Error::RunnerLost { runner: 0, first: 0, last: 1, .. }));
            let text = error.to_string();
            assert!(text.contains("env runner 0 (environments 0 to 1) failed 3 times"), "{text}");
            assert!(text.contains("the 40th step"), "{text}");
        }
        assert!(ppo.evaluate(1).await.is_err(), "the evaluator meets the same environment");
        ppo.shutdown().await.unwrap();
    });
}

/// LE-2 (finite-or-nothing) and AL-1 (whole-iterations): what is kept is sound, and a further step says the same.
#[test]
fn le_2_divergence_names_iteration_and_cause() {
    with_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let config = short(40).learning_rate(1e30).out(folder.path());
        let mut ppo = config.build().await.unwrap();
        let mut good = 0;
        let error = loop {
            match ppo.step().await {
                Ok(_) => good += 1,
                Err(error) => break error,
            }
        };
        let Error::Diverged { iteration, .. } = &error else { panic!("{error}") };
        assert_eq!(*iteration, good + 1);
        assert!(error.to_string().contains("epoch"), "{error}");
        let again = ppo.step().await.unwrap_err();
        assert_eq!(again.to_string(), error.to_string());
        assert!(ppo.weights().iter().all(|weight| weight.is_finite()));
        let run = ppo.run_folder().unwrap().to_owned();
        let rows = std::fs::read_to_string(run.join("metrics.csv")).unwrap().lines().count();
        assert_eq!(rows as u64, 1 + good, "the run folder is kept");
    });
}

#[test]
fn le_2_a_last_step_that_leaves_no_numbers_is_told_too() {
    with_runtime(async {
        // One step of one epoch: no loss comes after it.
        let config = short(2).epochs(1).learning_rate(3e38);
        let mut ppo = config.build().await.unwrap();
        let error = ppo.step().await.unwrap_err();
        assert!(matches!(error, Error::Diverged { iteration: 1, .. }), "{error}");
        assert!(ppo.weights().iter().all(|weight| weight.is_finite()));
    });
}

#[test]
fn al_1_a_broken_environment_is_told_by_its_rule() {
    with_runtime(async {
        // In the 18th step of iteration 5, each environment has made 150 steps.
        let mut ppo = in_env("Nan-v0", 12).check_env(false).env_runners(2).build().await.unwrap();
        for _ in 0..4 {
            ppo.step().await.unwrap();
        }
        let before = ppo.weights().to_vec();
        let error = ppo.step().await.unwrap_err();
        let Error::BrokenEnv { index: 0, violation } = &error else { panic!("{error}") };
        assert!(error.to_string().starts_with("environment 0 broke its contract: "), "{violation}");
        assert_eq!(before, ppo.weights());
        assert_eq!(ppo.step().await.unwrap_err().to_string(), error.to_string());
    });
}

#[test]
fn what_cannot_begin_is_told_before_it_begins() {
    let message = |config: PpoConfig| {
        with_runtime(async move { config.build().await.unwrap_err().to_string() })
    };
    assert_eq!(
        message(short(1).env_runners(9)),
        "`env_runners` is 9, but must be 1 to 8, the number of `envs` they divide"
    );
    assert_eq!(
        message(in_env("Switches-v0", 1)),
        "PPO does not act in MultiBinary(3): it takes Discrete or Box actions"
    );
    let error = message(in_env("PanicsNever-v0", 1));
    assert!(error.starts_with("unknown environment `PanicsNever-v0`"), "{error}");
}

/// An environment that cannot be saved trains all the same; a lost rollout begins with new episodes.
#[test]
fn an_environment_without_snapshots_trains_and_survives() {
    with_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut ppo = in_env("Fleeting-v0", 6).env_runners(2).build().await.unwrap();
        ppo.step().await.unwrap();
        panic_now("env_runner-1").await;
        ppo.step().await.unwrap();
        ppo.save(&path).await.unwrap();
        let mut restored = Ppo::restore(&path).await.unwrap();
        assert_eq!(finish(&mut restored).await.unwrap().reports.len(), 4);
    });
}

/// The end of the algorithm for good is told to whoever waits; what was learned can be saved even then.
#[test]
fn the_end_of_the_runtime_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let (mut ppo, at) = (
        with_runtime(async {
            let mut ppo = short(6).build().await.unwrap();
            ppo.step().await.unwrap();
            ppo
        }),
        path.clone(),
    );
    with_runtime(async move {
        let error = ppo.step().await.unwrap_err();
        assert!(matches!(&error, Error::PartLost { part: "algorithm", .. }), "{error}");
        ppo.save(&at).await.unwrap();
        let mut restored = Ppo::restore(&at).await.unwrap();
        assert_eq!(finish(&mut restored).await.unwrap().reports.len(), 5);
        restored.shutdown().await.unwrap();
        assert_eq!(raytree::current().unwrap().actor_count(), 0, "nothing is left");
    });
}

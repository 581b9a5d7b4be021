//! One seed, one curve, bit for bit (AL-2): the promise that everything else in the design serves.

use super::envs::panicked;
use super::*;
use raytree_rllib::{ContractViolation, Error};

#[test]
fn al_2_the_number_of_runners_does_not_change_the_curve() {
    let one = with_runtime(curve(short(12)));
    assert_eq!(one.reports.len(), 12);
    // Also uneven divisions.
    for runners in [2, 3, 4, 8] {
        let more = with_runtime(curve(short(12).env_runners(runners)));
        assert!(one == more, "{runners} runners");
    }
    let other = with_runtime(curve(short(12).seed(12)));
    assert!(one.weights != other.weights, "another seed is another curve");
}

/// Where every value is written and read again, as between processes, the curve is the same; also where actors panic.
#[test]
fn al_2_what_travels_does_not_change_the_curve() {
    let config = |runners| short(6).env_runners(runners).evaluation_every(512);
    let here = with_runtime(curve(config(1)));
    for runners in [1, 3] {
        let travelled = with_strict_runtime(async move {
            let mut ppo = config(runners).build().await.unwrap();
            let mut reports = Vec::new();
            for victim in [None, Some("env_runner-0"), Some("learner"), Some("ppo")] {
                if let Some(name) = victim {
                    panic_now(name).await;
                }
                reports.push(bits(&ppo.step().await.unwrap().unwrap()));
            }
            let Curve { reports: rest, weights } = finish(&mut ppo).await.unwrap();
            reports.extend(rest);
            Curve { reports, weights }
        });
        assert!(here == travelled, "{runners} runners");
    }
}

/// Nor do processes: the parts of one training live on two nodes, some of the runners on each.
#[raytree::test(nodes = 2, strict = false)]
async fn al_2_nodes_do_not_change_the_curve() {
    let mut ppo = short(6).env_runners(4).build().await.unwrap();
    let first = bits(&ppo.step().await.unwrap().unwrap());
    // What one node has no room for stands here for another one.
    let passed_on = path("env_runner").await;
    assert!(passed_on.contains("env_runner"), "{passed_on}");
    let mut spread = finish(&mut ppo).await.unwrap();
    spread.reports.insert(0, first);
    ppo.shutdown().await.unwrap();
    let here = std::thread::spawn(|| with_runtime(curve(short(6)))).join().unwrap();
    assert!(here == spread);
}

/// An error of an environment or of learning crosses three actors and comes back whole.
#[test]
fn al_1_an_error_comes_back_whole_from_where_values_travel() {
    with_strict_runtime(async {
        let config = short(12).check_env(false).env_runners(2);
        let config = PpoConfig { env: "Nan-v0".to_owned(), ..config };
        let mut ppo = config.build().await.unwrap();
        let error = loop {
            match ppo.step().await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        let Error::BrokenEnv { index: 0, violation } = &error else { panic!("{error}") };
        assert!(
            matches!(violation, ContractViolation::ObservationNotFinite { method: "step", .. }),
            "{violation}"
        );
    });
}

/// Dropping the future of a step in the middle of it leaves the training as it was (AL-1).
#[test]
fn al_1_an_abandoned_step_is_redone() {
    let undisturbed = with_runtime(curve(short(12)));
    let disturbed = with_runtime(async {
        let mut ppo = short(12).env_runners(2).build().await.unwrap();
        let mut reports = Vec::new();
        while reports.len() < 12 {
            let soon = Duration::from_micros(300 * reports.len() as u64);
            match tokio::time::timeout(soon, ppo.step()).await {
                Ok(report) => reports.push(bits(&report.unwrap().unwrap())),
                Err(_) => reports.push(bits(&ppo.step().await.unwrap().unwrap())),
            }
        }
        let Curve { weights, .. } = finish(&mut ppo).await.unwrap();
        Curve { reports, weights }
    });
    assert!(undisturbed == disturbed);
}

/// Also ER-1 (same-rollout), EG-1 (env-order) and LE-1 (same-update): whoever dies, the answer is the one it would have
/// been.
#[test]
fn al_2_a_panicking_part_does_not_change_the_curve() {
    let undisturbed = with_runtime(curve(short(12)));
    for (runners, victims) in [
        (1, vec!["env_runner-0"]),
        (4, vec!["env_runner-2"]),
        (2, vec!["env_runner-0", "env_runner-1"]),
        (2, vec!["learner"]),
        (2, vec!["env_runner_group"]),
        (2, vec!["ppo"]),
        (2, vec!["env_runner-1", "learner", "env_runner_group"]),
        (2, vec!["ppo", "learner"]),
    ] {
        let names = victims.clone();
        let disturbed = with_runtime(async move {
            let mut ppo = short(12).env_runners(runners).build().await.unwrap();
            let mut reports = Vec::new();
            for at in 0..12 {
                if [0, 5, 8].contains(&at) {
                    for name in &victims {
                        panic_now(name).await;
                    }
                }
                reports.push(bits(&ppo.step().await.unwrap().unwrap()));
            }
            if let [only] = &victims[..] {
                // Runners of a restarted group count anew.
                assert_eq!(restarts(only).await, 3, "{only}");
            }
            let Curve { weights, .. } = finish(&mut ppo).await.unwrap();
            Curve { reports, weights }
        });
        assert!(undisturbed == disturbed, "{runners} runners, {names:?} panicked");
    }
}

#[test]
fn er_1_a_rollout_lost_to_a_panicking_environment_is_redone() {
    let config = || {
        let config = PpoConfig { env: "PanicsOnce-v0".to_owned(), ..short(12) };
        config.check_env(false).env_runners(2)
    };
    let disturbed = with_runtime(curve(config()));
    assert!(panicked());
    let undisturbed = with_runtime(curve(config()));
    assert!(disturbed == undisturbed);
    // The environment draws and moves as CartPole does.
    assert!(undisturbed == with_runtime(curve(short(12))));
}

/// EV-1 (apart): whether, how often and how wide evaluations run does not change training, nor does the number of
/// environments that they run in change them.
#[test]
fn ev_1_evaluations_do_not_disturb_training() {
    let weights = |config: PpoConfig| with_runtime(curve(config)).weights;
    let without = weights(short(10));
    assert!(without == weights(short(10).evaluation_every(256)));
    let returns = |envs: usize, panics: bool| {
        with_runtime(async move {
            let mut ppo = short(3).evaluation_envs(envs).build().await.unwrap();
            finish(&mut ppo).await.unwrap();
            let first = ppo.evaluate(7).await.unwrap();
            if panics {
                panic_now("evaluator").await;
            }
            let second = ppo.evaluate(7).await.unwrap();
            assert_ne!(first.returns, second.returns, "fresh episodes");
            [first, second]
        })
    };
    let narrow = returns(1, false);
    assert_eq!(narrow, returns(7, false));
    assert_eq!(narrow, returns(3, true), "a lost evaluation is asked for again");
}

/// ER-2 (own-streams): neither does the number of runners change what random actions bring, nor do these disturb training.
#[test]
fn er_2_a_random_baseline_does_not_disturb_training() {
    let baseline = |runners: usize| {
        with_runtime(async move {
            let mut ppo = short(4).env_runners(runners).build().await.unwrap();
            ppo.step().await.unwrap();
            let baseline = ppo.random_baseline(500).await.unwrap();
            let rest = finish(&mut ppo).await.unwrap();
            (baseline.env_steps, baseline.episodes, baseline.return_mean.unwrap(), rest.weights)
        })
    };
    let (env_steps, episodes, mean, weights) = baseline(1);
    assert!(env_steps == 4000 && episodes > 100 && (18.0..27.0).contains(&mean), "{mean}");
    assert!((env_steps, episodes, mean, weights.clone()) == baseline(3));
    assert!(weights == with_runtime(curve(short(4))).weights);
}

#[test]
fn al_2_a_training_that_stopped_goes_on_with_a_farther_goal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stopped");
    let saved = path.clone();
    let goal = |goal: Option<f64>| short(8).evaluation_every(512).stop_at_return(goal);
    let (stopped, weights) = with_runtime(async move {
        let mut ppo = goal(Some(0.0)).build().await.unwrap();
        let first = finish(&mut ppo).await.unwrap();
        ppo.save(&saved).await.unwrap();
        (first.reports, ppo.weights().to_vec())
    });
    assert_eq!(stopped.len(), 2, "any return is enough");
    with_runtime(async move {
        let mut again = goal(Some(0.0)).restore(&path).await.unwrap();
        assert!(again.step().await.unwrap().is_none());
        assert_eq!(again.weights(), weights);
        let mut farther = goal(None).restore(&path).await.unwrap();
        assert_eq!(finish(&mut farther).await.unwrap().reports.len(), 6);
    });
}

#[test]
fn al_2_a_restored_training_goes_on_bit_for_bit() {
    let whole = with_runtime(curve(short(12)));
    for runners in [1, 2] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("half");
        let saved = path.clone();
        let mut first = with_runtime(async move {
            let mut ppo = short(12).build().await.unwrap();
            let mut reports = Vec::new();
            for _ in 0..5 {
                reports.push(bits(&ppo.step().await.unwrap().unwrap()));
            }
            ppo.save(&saved).await.unwrap();
            reports
        });
        let second = with_runtime(async move {
            let mut ppo = match runners {
                1 => Ppo::restore(&path).await.unwrap(),
                _ => short(12).env_runners(runners).restore(&path).await.unwrap(),
            };
            // A panic right after a restore must find the restored state, too.
            panic_now("learner").await;
            finish(&mut ppo).await.unwrap()
        });
        first.extend(second.reports);
        assert!(whole == Curve { reports: first, weights: second.weights }, "{runners} runners");
    }
}

/// Going back to a checkpoint within one training redoes the same iterations.
#[test]
fn al_2_loading_goes_back_in_time() {
    with_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("early");
        let mut ppo = short(8).env_runners(2).build().await.unwrap();
        ppo.step().await.unwrap();
        ppo.step().await.unwrap();
        ppo.save(&path).await.unwrap();
        let once = finish(&mut ppo).await.unwrap();
        ppo.load(&path).await.unwrap();
        let twice = finish(&mut ppo).await.unwrap();
        assert_eq!(once.reports.len(), 6);
        assert!(once == twice);
    });
}
/// The system actor that hosts them all may panic, too.
#[test]
fn al_2_a_panicking_host_does_not_change_the_curve() {
    let undisturbed = with_runtime(curve(short(12)));
    let disturbed = with_runtime(async {
        let mut ppo = short(12).env_runners(2).build().await.unwrap();
        let mut reports = Vec::new();
        for at in 0..12 {
            if at == 6 {
                let host = raytree::current().unwrap().probe("node/worker/actor_host").unwrap();
                host.panic_now();
            }
            reports.push(bits(&ppo.step().await.unwrap().unwrap()));
        }
        let Curve { weights, .. } = finish(&mut ppo).await.unwrap();
        Curve { reports, weights }
    });
    assert!(undisturbed == disturbed);
}

//! What a run leaves behind.

use super::*;
use raytree_rllib::{Error, Policy, Schedule};
use std::fs;

#[test]
fn a_run_leaves_its_settings_metrics_curve_and_checkpoints() {
    with_runtime(async {
        let root = tempfile::tempdir().unwrap();
        let config = short(6).out(root.path()).evaluation_every(512).checkpoint_every(512);
        let mut ppo = config.clone().build().await.unwrap();
        let run = ppo.run_folder().unwrap().to_owned();
        let curve = finish(&mut ppo).await.unwrap();
        ppo.shutdown().await.unwrap();
        let name = run.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("ppo_CartPole-v1_11_"), "{name}");

        let text = fs::read_to_string(run.join("config.json")).unwrap();
        let resolved: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(resolved["cpu"], raytree_rllib::run::cpu_feature_level());
        assert_eq!(
            serde_json::from_value::<PpoConfig>(resolved["config"].clone()).unwrap(),
            config
        );
        let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
        assert_eq!(metrics.lines().count(), 1 + curve.reports.len());
        assert!(fs::read_to_string(run.join("curve.svg")).unwrap().contains("circle"));
        let names = |folder: &std::path::Path| {
            let entries = fs::read_dir(folder).unwrap();
            let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
            let mut names: Vec<_> =
                entries.map(|entry| name(entry).into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert!(names(&run).iter().any(|name| name.starts_with("events.out.tfevents.")));
        let checkpoints = names(&run.join("checkpoints"));
        assert_eq!(checkpoints, ["step_000000512", "step_000001024", "step_000001536"]);
        Policy::load(run.join("checkpoints/step_000001536")).unwrap();

        let second = config.build().await.unwrap();
        assert_ne!(second.run_folder().unwrap(), run, "a run never takes the folder of another");
    });
}

/// The iteration counts, what was written stays, and the training can be saved elsewhere.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing() {
    with_runtime(async {
        let root = tempfile::tempdir().unwrap();
        let mut ppo = short(3).out(root.path()).build().await.unwrap();
        let run = ppo.run_folder().unwrap().to_owned();
        // Where the curve is written first.
        std::os::unix::fs::symlink("/dev/full", run.join("curve.svg.partial")).unwrap();
        ppo.step().await.unwrap();
        ppo.step().await.unwrap();
        let error = ppo.step().await.unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }));
        assert!(error.to_string().starts_with("no space left on the disk for "), "{error}");
        assert_eq!(ppo.step().await.unwrap(), None, "the last iteration counts");
        assert_eq!(fs::read_to_string(run.join("metrics.csv")).unwrap().lines().count(), 4);
        ppo.save(root.path().join("elsewhere")).await.unwrap();
        let error = ppo.save(run.join("metrics.csv").join("a")).await.unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
    });
}

/// The names of the checkpoints in a run folder.
fn checkpoints(run: &std::path::Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_last_checkpoint_is_tried_again() {
    with_runtime(async {
        let root = tempfile::tempdir().unwrap();
        let mut ppo = short(2).out(root.path()).build().await.unwrap();
        let run = ppo.run_folder().unwrap().to_owned();
        // Where the folder of checkpoints is to be.
        fs::write(run.join("checkpoints"), "").unwrap();
        ppo.step().await.unwrap();
        let error = ppo.step().await.unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
        assert!(run.join("curve.svg").exists(), "it is drawn all the same");
        assert_eq!(ppo.step().await.unwrap_err().to_string(), error.to_string());
        fs::remove_file(run.join("checkpoints")).unwrap();
        assert_eq!(ppo.step().await.unwrap(), None);
        assert_eq!(checkpoints(&run), ["step_000000512"]);
        fs::remove_dir_all(run.join("checkpoints")).unwrap();
        assert_eq!(ppo.step().await.unwrap(), None);
        assert!(checkpoints(&run).is_empty(), "it was saved once");
    });
}

#[test]
fn a_training_that_fails_leaves_its_last_good_state() {
    with_runtime(async {
        let root = tempfile::tempdir().unwrap();
        let rate = Schedule::piecewise(vec![(0, 0.001), (256, 0.001), (512, 1e30)]).unwrap();
        let mut ppo = short(40).learning_rate(rate).out(root.path()).build().await.unwrap();
        let run = ppo.run_folder().unwrap().to_owned();
        let error = ppo.train(|_| ()).await.unwrap_err();
        assert!(matches!(error, Error::Diverged { .. }), "{error}");
        assert!(run.join("curve.svg").exists());
        let [last] = &checkpoints(&run)[..] else { panic!("{:?}", checkpoints(&run)) };
        assert_eq!(*last, format!("step_{:09}", ppo.env_steps()));
        Policy::load(run.join("checkpoints").join(last)).unwrap();
    });
}

#[test]
fn loading_into_a_live_run_begins_a_new_folder() {
    with_runtime(async {
        let root = tempfile::tempdir().unwrap();
        let mut ppo = short(3).out(root.path().join("runs")).build().await.unwrap();
        let first = ppo.run_folder().unwrap().to_owned();
        let saved = root.path().join("saved");
        ppo.step().await.unwrap();
        ppo.save(&saved).await.unwrap();
        ppo.load(root.path().join("none")).await.unwrap_err();
        assert_eq!(ppo.run_folder().unwrap(), first);
        ppo.step().await.unwrap();
        let rows = || fs::read_to_string(first.join("metrics.csv")).unwrap().lines().count();
        ppo.load(&saved).await.unwrap();
        let second = ppo.run_folder().unwrap().to_owned();
        assert_ne!(second, first);
        assert!(first.join("curve.svg").exists());
        let outcome = ppo.train(|_| ()).await.unwrap();
        assert_eq!((outcome.env_steps, outcome.iterations), (768, 3));
        assert_eq!(rows(), 3);
        assert_eq!((checkpoints(&first).len(), checkpoints(&second).len()), (0, 1));
        let again = ppo.train(|_| ()).await.unwrap();
        assert_eq!((again.env_steps, again.iterations, again.training_s), (768, 3, 0.0));
    });
}

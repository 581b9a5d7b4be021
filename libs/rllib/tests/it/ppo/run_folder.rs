//! What a run leaves behind.

use super::*;
use raytree_rllib::{Error, Policy};
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

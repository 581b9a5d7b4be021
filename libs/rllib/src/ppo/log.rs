//! What a training leaves in its run folder while it goes on.

use super::config::PpoConfig;
use super::evaluator::Evaluation;
use crate::clock::unix_s;
use crate::env::find;
use crate::error::Result;
use crate::metrics::Report;
use crate::run::{Curve, EventWriter, MetricsCsv, RunFolder, RunName, cpu_feature_level};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A run folder with its open files.
#[derive(Debug)]
pub(super) struct RunLog {
    folder: RunFolder,
    metrics: MetricsCsv,
    events: EventWriter,
    curve: Curve,
}

/// What `config.json` holds.
#[derive(Serialize)]
struct Resolved<'a> {
    algorithm: &'a str,
    version: &'a str,
    cpu: &'a str,
    config: &'a PpoConfig,
}

impl RunLog {
    pub(super) fn create(root: &Path, config: &PpoConfig) -> Result<Self> {
        let now = unix_s();
        let (env, seed) = (config.env.as_str(), config.seed);
        let name = RunName { algorithm: "ppo", env, seed, unix_s: now as u64 };
        let folder = RunFolder::create(root, name)?;
        folder.write_config(&Resolved {
            algorithm: "ppo",
            version: env!("CARGO_PKG_VERSION"),
            cpu: cpu_feature_level(),
            config,
        })?;
        let mut curve = Curve::new(format!("ppo on {env}, seed {seed}"));
        curve.threshold = find(env)?.spec.reward_threshold.map(f64::from);
        Ok(Self {
            metrics: MetricsCsv::create(&folder.path().join("metrics.csv"))?,
            events: EventWriter::create(folder.path(), now)?,
            folder,
            curve,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn checkpoint_path(&self, env_steps: u64) -> PathBuf {
        self.folder.checkpoint_path(env_steps)
    }

    pub(super) fn report(
        &mut self,
        report: &Report,
        evaluation: Option<&Evaluation>,
    ) -> Result<()> {
        let steps = report.env_steps as f64;
        if let Some(mean) = report.episode_return_mean {
            self.curve.returns.push((steps, mean));
        }
        if let Some(evaluation) = evaluation {
            self.curve.evaluations.push((steps, evaluation.mean()));
        }
        // One file that cannot be written does not cost the other its row.
        let metrics = self.metrics.append(report);
        let events = self.events.report(unix_s(), report);
        metrics.and(events)
    }

    pub(super) fn draw(&self) -> Result<()> {
        self.folder.write_curve(&self.curve)
    }
}

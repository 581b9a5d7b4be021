//! What a training reports: fixed names, units and formulas.

use crate::env::EpisodeEnd;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// One column of `metrics.csv`, one tag of the TensorBoard events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name, which does not change between versions.
    pub name: &'static str,
    /// The unit; `1` for a bare number.
    pub unit: &'static str,
    /// How it is computed.
    pub formula: &'static str,
}

macro_rules! report {
    ($($(#[$attr:meta])* $name:ident: $type:ty, $unit:literal, $formula:literal;)*) => {
        /// What one training iteration brought. Each field is a metric of [`METRICS`].
        ///
        /// `None` stands for *not known yet*: an empty cell in `metrics.csv`, no point in TensorBoard.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Report {
            $(
                #[doc = concat!($formula, " Unit: ", $unit, ".")]
                $(#[$attr])*
                pub $name: $type,
            )*
        }

        /// Every metric, in the order of columns.
        pub const METRICS: &[Metric] = &[
            $(Metric { name: stringify!($name), unit: $unit, formula: $formula },)*
        ];

        impl Report {
            /// The values, in the order of [`METRICS`].
            #[must_use]
            pub fn values(&self) -> Vec<Option<f64>> {
                vec![$(self.$name.number(),)*]
            }
        }
    };
}

report! {
    iteration: u64, "1", "Training iterations so far.";
    env_steps: u64, "steps", "Environment steps sampled so far, over all environments.";
    episodes: u64, "1", "Episodes completed so far.";
    episode_return_mean: Option<f64>, "reward",
        "Mean undiscounted return of the last 100 completed episodes; none before the first.";
    episode_length_mean: Option<f64>, "steps",
        "Mean length of the last 100 completed episodes; none before the first.";
    evaluation_return_mean: Option<f64>, "reward",
        "Mean return of the greedy evaluation episodes of this iteration, if there were any.";
    total_loss: Option<f64>, "1",
        "policy_loss + value_coef * value_loss - entropy_coef * entropy, mean over the minibatches.";
    policy_loss: Option<f64>, "1",
        "-mean(min(ratio * A, clip(ratio, 1 - c, 1 + c) * A)) with A as normalised, mean over the minibatches.";
    value_loss: Option<f64>, "1", "mean((value - target)^2) / 2, the larger of that and the clipped one with value_clip, mean over the minibatches.";
    entropy: Option<f64>, "nat", "Mean entropy of the policy, mean over the minibatches.";
    approx_kl: Option<f64>, "nat", "mean(ratio - 1 - log(ratio)), mean over the minibatches of the last epoch.";
    clip_fraction: Option<f64>, "1", "Share of rows with |ratio - 1| > clip, mean over the minibatches.";
    explained_variance: Option<f64>, "1",
        "1 - var(target - value) / var(target), with values from before the update.";
    grad_norm: Option<f64>, "1",
        "Euclidean norm of the gradient before clipping, mean over the minibatches.";
    learning_rate: Option<f64>, "1", "Learning rate of this iteration.";
    clip: Option<f64>, "1", "Clip range of this iteration.";
    env_steps_per_s: Option<f64>, "steps/s",
        "Environment steps of this iteration / (sampling time + update time), evaluation apart.";
    sample_s: Option<f64>, "s", "Time this iteration spent sampling.";
    update_s: Option<f64>, "s", "Time this iteration spent updating.";
    elapsed_s: f64, "s", "Time spent in iterations since the training began, earlier sessions included.";
}

trait Number {
    fn number(&self) -> Option<f64>;
}

impl Number for u64 {
    fn number(&self) -> Option<f64> {
        Some(*self as f64)
    }
}

impl Number for f64 {
    fn number(&self) -> Option<f64> {
        Some(*self)
    }
}

impl Number for Option<f64> {
    fn number(&self) -> Option<f64> {
        *self
    }
}

/// The last completed episodes of a training, for the `episode_*` metrics.
///
/// Feed it in a fixed order (step, then environment), and its means do not depend on the number of env runners.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpisodeWindow {
    recent: VecDeque<(f64, u32)>,
    completed: u64,
}

impl EpisodeWindow {
    /// How many episodes the means are taken over.
    pub const EPISODES: usize = 100;

    /// No episodes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a completed episode.
    pub fn push(&mut self, episode: &EpisodeEnd) {
        if self.recent.len() == Self::EPISODES {
            self.recent.pop_front();
        }
        self.recent.push_back((episode.episode_return, episode.length));
        self.completed += 1;
    }

    /// Episodes completed so far.
    #[must_use]
    pub const fn completed(&self) -> u64 {
        self.completed
    }

    /// `episode_return_mean`; `None` before the first episode.
    #[must_use]
    pub fn return_mean(&self) -> Option<f64> {
        self.mean(|(episode_return, _)| *episode_return)
    }

    /// `episode_length_mean`, in steps; `None` before the first episode.
    #[must_use]
    pub fn length_mean(&self) -> Option<f64> {
        self.mean(|(_, length)| f64::from(*length))
    }

    fn mean(&self, number: impl Fn(&(f64, u32)) -> f64) -> Option<f64> {
        let count = self.recent.len();
        (count > 0).then(|| self.recent.iter().map(number).sum::<f64>() / count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_holds_the_last_hundred() {
        let mut window = EpisodeWindow::new();
        assert_eq!((window.return_mean(), window.length_mean()), (None, None));
        for at in 0..150u32 {
            window.push(&EpisodeEnd {
                env: 0,
                episode_return: f64::from(at),
                length: 2 * at,
                terminated: true,
            });
        }
        assert_eq!((window.return_mean(), window.length_mean()), (Some(99.5), Some(199.0)));
        assert_eq!(window.completed(), 150);
        let text = serde_json::to_string(&window).unwrap();
        assert_eq!(serde_json::from_str::<EpisodeWindow>(&text).unwrap(), window);
    }

    /// Names are a promise to whoever reads the files.
    #[test]
    fn names_are_fixed() {
        let names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        expect_test::expect![[r#"
            iteration
            env_steps
            episodes
            episode_return_mean
            episode_length_mean
            evaluation_return_mean
            total_loss
            policy_loss
            value_loss
            entropy
            approx_kl
            clip_fraction
            explained_variance
            grad_norm
            learning_rate
            clip
            env_steps_per_s
            sample_s
            update_s
            elapsed_s"#]]
        .assert_eq(&names.join("\n"));
        assert_eq!(Report::default().values().len(), METRICS.len());
    }
}

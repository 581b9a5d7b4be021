//! What an experiment with PPO is: one flat value.

use super::networks;
use crate::env;
use crate::error::{Error, Result};
use crate::schedule::Schedule;
use raytree_nn::Activation;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The settings of an experiment with PPO.
///
/// [`new`](Self::new) has the paper's defaults, [`tuned`](Self::tuned) a preset that is known to learn its task. A TOML
/// file lies between those and what a program sets itself: [`with_file`](Self::with_file).
///
/// Names are cleanrl's. `envs` environments belong to the experiment and decide its learning curve; `env_runners` only
/// divide them.
///
/// ```
/// use raytree_rllib::{PpoConfig, Schedule};
///
/// let config = PpoConfig::new("CartPole-v1")
///     .envs(32)
///     .env_runners(4)
///     .rollout_steps(128)
///     .learning_rate(Schedule::linear(2.5e-4, 0.0))
///     .clip(0.2)
///     .seed(1);
/// config.validate()?;
/// assert_eq!(config.batch_rows(), 4096);
/// # Ok::<(), raytree_rllib::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct PpoConfig {
    /// Id of a registered environment; required.
    pub env: String,
    /// Seed of every random stream of the experiment; any number. Default 0.
    pub seed: u64,
    /// Number of environments of the experiment; 1 to 65,536. Default 1.
    pub envs: usize,
    /// Number of actors that the environments are divided among; 1 to `envs`. Does not change the curve. Default 1.
    pub env_runners: usize,
    /// Steps of each environment per iteration; 1 to 1,048,576. Default 2048.
    pub rollout_steps: usize,
    /// Environment steps after which training ends, over all environments; at least 1. Default 1,000,000.
    pub total_env_steps: u64,
    /// Discount per step; 0 to 1. Default 0.99.
    pub gamma: f64,
    /// Mixing weight of advantage estimation; 0 to 1. Default 0.95.
    pub gae_lambda: f64,
    /// Learning rate of Adam over environment steps; at least 0. Default 3e-4.
    pub learning_rate: Schedule,
    /// Passes over the steps of each iteration; 1 to 1,000. Default 10.
    pub epochs: usize,
    /// Number of parts that each pass is cut into, as even as possible; 1 to the steps of an iteration. Default 32.
    pub minibatches: usize,
    /// How far the probability ratio may move from 1, over environment steps; at least 0. Default 0.2.
    pub clip: Schedule,
    /// How far a value may move from the old one, in units of return; above 0, none for any distance. Default none.
    pub value_clip: Option<f64>,
    /// Whether advantages are brought to mean 0 and deviation 1 in each minibatch (a switch). Default true.
    pub normalize_advantages: bool,
    /// Weight of the value loss; at least 0. Default 0.5.
    pub value_coef: f64,
    /// Weight of the entropy bonus; at least 0. Default 0.
    pub entropy_coef: f64,
    /// Largest Euclidean norm of a gradient, which is scaled down to it; above 0. Default 0.5.
    pub max_grad_norm: f64,
    /// What Adam adds to its denominator; above 0. Default 1e-5.
    pub adam_eps: f64,
    /// Id of a registered network ([`register_network!`](crate::register_network)). Default `mlp`, the one that the
    /// settings below describe by themselves.
    #[serde(default = "default_network")]
    pub network: String,
    /// Widths of the hidden layers; each 1 to 65,536, up to 64 layers. Default 64 and 64.
    pub hidden: Vec<usize>,
    /// What follows each hidden layer (a name). Default `tanh`.
    pub activation: Activation,
    /// Whether policy and value share the hidden layers (a switch). Default false.
    pub shared_network: bool,
    /// Logarithm of the standard deviation that Gaussian policies begin with; -20 to 2. Default 0.
    pub log_std_init: f64,
    /// Environment steps between evaluations; 0 for none. Default 0.
    pub evaluation_every: u64,
    /// Fresh greedy episodes per evaluation; 1 to 65,536. Default 20.
    pub evaluation_episodes: usize,
    /// Environments that evaluation episodes run in side by side; 1 to 65,536. Does not change results. Default 20.
    pub evaluation_envs: usize,
    /// Training ends once the mean return of an evaluation is at least this; any finite number, none to go on to the end.
    /// Needs `evaluation_every`. Default none.
    pub stop_at_return: Option<f64>,
    /// Environment steps between checkpoints in the run folder, beside the one at the end; 0 for none. Default 0.
    pub checkpoint_every: u64,
    /// Whether the environment's contract is checked before training begins, over 100 random steps (a switch). Default
    /// true.
    pub check_env: bool,
    /// Folder in which each run gets a folder of its own; none for a run that leaves nothing. Default `runs`.
    pub out: Option<PathBuf>,
}

/// How many environments an experiment may have; a vector of them must fit in memory.
const ENVS_MAX: usize = 1 << 16;
/// Steps per environment and iteration: bounds the memory of a rollout.
const ROLLOUT_STEPS_MAX: usize = 1 << 20;
/// Rows of one iteration: bounds the memory of a batch.
const BATCH_ROWS_MAX: usize = 1 << 28;

impl PpoConfig {
    /// The defaults of the paper's continuous control experiments (Schulman et al. 2017, table 3), with what its authors'
    /// code adds: gradient clipping and orthogonal starting values.
    pub fn new(env: impl Into<String>) -> Self {
        Self {
            env: env.into(),
            seed: 0,
            envs: 1,
            env_runners: 1,
            rollout_steps: 2048,
            total_env_steps: 1_000_000,
            gamma: 0.99,
            gae_lambda: 0.95,
            learning_rate: Schedule::constant(3e-4),
            epochs: 10,
            minibatches: 32,
            clip: Schedule::constant(0.2),
            value_clip: None,
            normalize_advantages: true,
            value_coef: 0.5,
            entropy_coef: 0.0,
            max_grad_norm: 0.5,
            adam_eps: 1e-5,
            network: default_network(),
            hidden: vec![64, 64],
            activation: Activation::Tanh,
            shared_network: false,
            log_std_init: 0.0,
            evaluation_every: 0,
            evaluation_episodes: 20,
            evaluation_envs: 20,
            stop_at_return: None,
            checkpoint_every: 0,
            check_env: true,
            out: Some(PathBuf::from("runs")),
        }
    }

    /// Environment steps of one iteration, over all environments.
    #[must_use]
    pub fn batch_rows(&self) -> usize {
        self.envs.saturating_mul(self.rollout_steps)
    }

    /// Which environments runner `runner` holds: as even as possible, in order, the first ones get one more.
    #[must_use]
    pub fn runner_range(&self, runner: usize) -> std::ops::Range<usize> {
        let (each, more) = (self.envs / self.env_runners, self.envs % self.env_runners);
        let first = runner * each + runner.min(more);
        first..first + each + usize::from(runner < more)
    }

    /// Checks every setting, and that environment and network exist.
    ///
    /// # Errors
    /// [`Error::Config`] for the first setting out of its range, [`Error::UnknownEnv`], [`Error::DuplicateEnv`],
    /// [`Error::UnknownNetwork`] or [`Error::DuplicateNetwork`].
    pub fn validate(&self) -> Result<()> {
        env::find(&self.env)?;
        networks::find(&self.network)?;
        self.check_counts()?;
        self.check_numbers()
    }

    fn check_counts(&self) -> Result<()> {
        count("envs", self.envs, ENVS_MAX)?;
        count("rollout_steps", self.rollout_steps, ROLLOUT_STEPS_MAX)?;
        if self.batch_rows() > BATCH_ROWS_MAX {
            let allowed = format!("at most {BATCH_ROWS_MAX} after multiplying by `envs`");
            return Err(refuse("rollout_steps", self.rollout_steps, allowed));
        }
        if self.env_runners == 0 || self.env_runners > self.envs {
            let allowed = format!("1 to {}, the number of `envs` they divide", self.envs);
            return Err(refuse("env_runners", self.env_runners, allowed));
        }
        if self.total_env_steps == 0 {
            return Err(refuse("total_env_steps", 0, "at least 1"));
        }
        count("epochs", self.epochs, 1_000)?;
        if self.minibatches == 0 || self.minibatches > self.batch_rows() {
            let allowed = format!("1 to {}, the steps of an iteration", self.batch_rows());
            return Err(refuse("minibatches", self.minibatches, allowed));
        }
        if self.hidden.len() > 64 || self.hidden.iter().any(|width| !(1..=1 << 16).contains(width))
        {
            let allowed = "at most 64 widths of 1 to 65536";
            return Err(refuse("hidden", format!("{:?}", self.hidden), allowed));
        }
        count("evaluation_episodes", self.evaluation_episodes, 1 << 16)?;
        count("evaluation_envs", self.evaluation_envs, 1 << 16)
    }

    fn check_numbers(&self) -> Result<()> {
        number("gamma", self.gamma, (0.0..=1.0).contains(&self.gamma), "0 to 1")?;
        number("gae_lambda", self.gae_lambda, (0.0..=1.0).contains(&self.gae_lambda), "0 to 1")?;
        for (field, schedule) in [("learning_rate", &self.learning_rate), ("clip", &self.clip)] {
            let (least, most) = schedule.bounds();
            number(field, most, true, "a number in single precision all the time")?;
            number(field, least, least >= 0.0, "at least 0 all the time")?;
        }
        if let Some(clip) = self.value_clip {
            number("value_clip", clip, clip > 0.0, "above 0")?;
        }
        number("value_coef", self.value_coef, self.value_coef >= 0.0, "at least 0")?;
        number("entropy_coef", self.entropy_coef, self.entropy_coef >= 0.0, "at least 0")?;
        number("max_grad_norm", self.max_grad_norm, self.max_grad_norm as f32 > 0.0, "above 0")?;
        number(
            "adam_eps",
            self.adam_eps,
            self.adam_eps as f32 > 0.0,
            "above 0 in single precision",
        )?;
        let log_std = self.log_std_init;
        number("log_std_init", log_std, (-20.0..=2.0).contains(&log_std), "-20 to 2")?;
        let Some(goal) = self.stop_at_return else { return Ok(()) };
        number("stop_at_return", goal, true, "a number")?;
        let allowed =
            "a number with `evaluation_every` above 0: without evaluations it is never reached";
        number("stop_at_return", goal, self.evaluation_every > 0, allowed)
    }
}

fn default_network() -> String {
    networks::DEFAULT.to_owned()
}

fn refuse(field: &'static str, value: impl ToString, allowed: impl Into<String>) -> Error {
    Error::Config { field, value: value.to_string(), allowed: allowed.into() }
}

fn count(field: &'static str, value: usize, most: usize) -> Result<()> {
    let fits = (1..=most).contains(&value);
    if fits { Ok(()) } else { Err(refuse(field, value, format!("1 to {most}"))) }
}

fn number(field: &'static str, value: f64, fits: bool, allowed: &str) -> Result<()> {
    // It is used in single precision.
    let fits = fits && (value as f32).is_finite();
    if fits { Ok(()) } else { Err(refuse(field, value, allowed)) }
}

macro_rules! setters {
    ($($field:ident: $type:ty, $value:ident => $kept:expr;)*) => {
        /// One setter per field; the fields say what they mean.
        impl PpoConfig {
            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](Self#structfield.", stringify!($field), ").")]
                pub fn $field(mut self, $value: $type) -> Self {
                    self.$field = $kept;
                    self
                }
            )*

            /// Leaves nothing on disk: sets [`out`](Self#structfield.out) to none.
            pub fn without_run_folder(mut self) -> Self {
                self.out = None;
                self
            }
        }
    };
}

setters! {
    seed: u64, seed => seed;
    envs: usize, count => count;
    env_runners: usize, count => count;
    rollout_steps: usize, steps => steps;
    total_env_steps: u64, steps => steps;
    gamma: f64, gamma => gamma;
    gae_lambda: f64, lambda => lambda;
    learning_rate: impl Into<Schedule>, rate => rate.into();
    epochs: usize, count => count;
    minibatches: usize, count => count;
    clip: impl Into<Schedule>, clip => clip.into();
    value_clip: impl Into<Option<f64>>, clip => clip.into();
    normalize_advantages: bool, on => on;
    value_coef: f64, weight => weight;
    entropy_coef: f64, weight => weight;
    max_grad_norm: f64, norm => norm;
    adam_eps: f64, eps => eps;
    network: impl Into<String>, id => id.into();
    hidden: impl Into<Vec<usize>>, widths => widths.into();
    activation: Activation, activation => activation;
    shared_network: bool, on => on;
    log_std_init: f64, log_std => log_std;
    evaluation_every: u64, steps => steps;
    evaluation_episodes: usize, count => count;
    evaluation_envs: usize, count => count;
    stop_at_return: impl Into<Option<f64>>, mean => mean.into();
    checkpoint_every: u64, steps => steps;
    check_env: bool, on => on;
    out: impl Into<PathBuf>, folder => Some(folder.into());
}

//! Proximal policy optimisation (Schulman et al. 2017, <https://arxiv.org/abs/1707.06347>) on supervised actors.
//!
//! ```text
//! Algorithm            the course of a training: sample, update, evaluate
//! ├─ EnvRunnerGroup    joins what runners bring, in the order of environments
//! │  ├─ EnvRunner      steps its range of environments
//! │  └─ …
//! ├─ Learner           the update
//! └─ Evaluator         greedy episodes, apart from training
//! ```
//!
//! Every message between them carries all that its answer depends on, so whoever panics is restarted and asked again, and
//! the learning curve is the undisturbed one, bit for bit.
//!
//! # A network of one's own
//!
//! Anything behind [`Model`] whose output rows are `[policy outputs | value]`:
//!
//! ```
//! use raytree_nn::{Activation, Beside, Init, Linear, Mlp, Net};
//! use raytree_rllib::PpoConfig;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # raytree::run(async {
//! let config = PpoConfig::tuned("CartPole-v1")?.without_run_folder().total_env_steps(512);
//! let mut ppo = config
//!     .build_with(|spec| {
//!         // A linear policy beside a small value network.
//!         let policy = Linear::new(spec.inputs, spec.policy_outputs).init(Init::Zeros);
//!         let value = Mlp::new(&[spec.inputs, 32, 1], Activation::Relu);
//!         let both = Beside::new(("policy", policy), ("value", value));
//!         Box::new(Net::new(both, &mut spec.rng()))
//!     })
//!     .await?;
//! while let Some(report) = ppo.step().await? {
//!     assert!(report.value_loss.is_some());
//! }
//! ppo.shutdown().await?;
//! # Ok::<(), raytree_rllib::Error>(())
//! # })??;
//! # Ok(())
//! # }
//! ```

mod algorithm;
mod alone;
mod config;
mod env_runner;
mod env_runner_group;
mod evaluator;
mod head;
mod learner;
mod log;
mod network;
mod policy;
mod presets;
mod retry;
mod rollout;
mod sampler;
mod training;
mod update;

pub use config::PpoConfig;
pub use evaluator::Evaluation;
pub use network::NetworkSpec;
pub use policy::Policy;

use crate::clock::Moment;
use crate::env::{self, Env, check_env_for};
use crate::error::Result;
use crate::metrics::Report;
use algorithm::{Algorithm, Load, RunEvaluation, Save, Step, Stepped, Weights};
use env_runner::Walk;
use env_runner_group::GroupArgs;
use log::RunLog;
use network::{BuildNetwork, NetworkFactory};
use raytree::{ActorHandle, ActorOptions};
use raytree_nn::Model;
use sampler::Walked;
use std::path::Path;
use std::sync::Arc;

/// A training with PPO.
///
/// ```
/// use raytree_rllib::PpoConfig;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # raytree::run(async {
/// let config = PpoConfig::tuned("CartPole-v1")?.without_run_folder().total_env_steps(1024).seed(1);
/// let mut ppo = config.build().await?;
/// while let Some(report) = ppo.step().await? {
///     println!("step {:>6}  return {:?}", report.env_steps, report.episode_return_mean);
/// }
/// let evaluation = ppo.evaluate(5).await?;
/// assert_eq!(evaluation.returns.len(), 5);
/// ppo.shutdown().await?;
/// # Ok::<(), raytree_rllib::Error>(())
/// # })??;
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// What was asked goes on when the future of a method is dropped; the next call waits for it.
#[derive(Debug)]
pub struct Ppo {
    algorithm: ActorHandle<Algorithm>,
    config: Arc<PpoConfig>,
    log: Option<RunLog>,
    evaluation: Option<Evaluation>,
    env_steps: u64,
}

/// What a whole training brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Environment steps sampled.
    pub env_steps: u64,
    /// Iterations done.
    pub iterations: u64,
    /// Seconds spent sampling and updating, evaluation apart.
    pub training_s: f64,
    /// The last evaluation, if there was any.
    pub evaluation: Option<Evaluation>,
}

/// What random actions bring: what a learning curve is to be compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Baseline {
    /// Environment steps taken, over all environments.
    pub env_steps: u64,
    /// Episodes completed.
    pub episodes: u64,
    /// Mean return of those; none if there were none.
    pub return_mean: Option<f64>,
    /// Seconds it took.
    pub elapsed_s: f64,
}

impl PpoConfig {
    /// Starts the algorithm in the current runtime, and a run folder if there is to be one ([`out`](Self#structfield.out)).
    ///
    /// # Errors
    /// What [`validate`](Self::validate) says; [`Error::ContractBroken`](crate::Error::ContractBroken) if the environment
    /// breaks its contract; [`Error::Runtime`](crate::Error::Runtime) without a runtime;
    /// [`Error::Io`](crate::Error::Io) or [`Error::DiskFull`](crate::Error::DiskFull).
    pub async fn build(self) -> Result<Ppo> {
        self.build_with(NetworkSpec::mlp).await
    }

    /// As [`build`](Self::build), with a network of one's own: see the [module documentation](self).
    ///
    /// # Errors
    /// As [`build`](Self::build); [`Error::BadNetwork`](crate::Error::BadNetwork).
    pub async fn build_with(
        self,
        network: impl Fn(&NetworkSpec) -> Box<dyn Model> + Send + Sync + 'static,
    ) -> Result<Ppo> {
        let (algorithm, config) = self.start(Arc::new(network)).await?;
        let log = config.out.as_deref().map(|out| RunLog::create(out, &config)).transpose()?;
        Ok(Ppo { algorithm, config, log, evaluation: None, env_steps: 0 })
    }

    /// Goes on from a checkpoint, with these settings: all but `env`, `envs` and `seed` may differ from the saved ones.
    /// With the saved settings ([`Ppo::restore`]) the curve goes on bit for bit.
    ///
    /// # Errors
    /// As [`build`](Self::build); [`Error::BadFile`](crate::Error::BadFile), naming file and field, if the checkpoint is
    /// damaged or does not fit.
    pub async fn restore(self, path: impl AsRef<Path>) -> Result<Ppo> {
        self.restore_with(path, NetworkSpec::mlp).await
    }

    /// As [`restore`](Self::restore), with a network of one's own.
    ///
    /// # Errors
    /// As [`restore`](Self::restore); [`Error::BadNetwork`](crate::Error::BadNetwork).
    pub async fn restore_with(
        self,
        path: impl AsRef<Path>,
        network: impl Fn(&NetworkSpec) -> Box<dyn Model> + Send + Sync + 'static,
    ) -> Result<Ppo> {
        let out = self.out.clone();
        let (algorithm, config) = self.start(Arc::new(network)).await?;
        let env_steps = algorithm.call(Load(path.as_ref().to_owned())).await??;
        // Only now: a checkpoint that does not fit leaves no empty run behind.
        let log = out.map(|out| RunLog::create(&out, &config)).transpose()?;
        Ok(Ppo { algorithm, config, log, evaluation: None, env_steps })
    }

    async fn start(
        self,
        network: Arc<BuildNetwork>,
    ) -> Result<(ActorHandle<Algorithm>, Arc<Self>)> {
        self.validate()?;
        let registration = env::find(&self.env)?;
        if self.check_env {
            check_env_for(|| registration.build(), 100, false)?;
        }
        let env = registration.build();
        let spec = NetworkSpec::new(&self, &env.observation_space(), &env.action_space())?;
        let factory = NetworkFactory::new(spec, network)?;
        let config = Arc::new(self);
        let args = GroupArgs { config: Arc::clone(&config), factory };
        let algorithm = raytree::spawn(args, ActorOptions::new().name("ppo"))?;
        algorithm.ready().await?;
        Ok((algorithm, config))
    }
}

impl Ppo {
    /// Goes on from a checkpoint with the settings saved in it, in a new run folder.
    ///
    /// # Errors
    /// As [`PpoConfig::restore`].
    pub async fn restore(path: impl AsRef<Path>) -> Result<Self> {
        let config = training::read(path.as_ref())?.spec.config;
        config.restore(path).await
    }

    /// The settings.
    pub fn config(&self) -> &PpoConfig {
        &self.config
    }

    /// The run folder, if there is one.
    #[must_use]
    pub fn run_folder(&self) -> Option<&Path> {
        self.log.as_ref().map(RunLog::path)
    }

    /// The evaluation of the last step that had one.
    #[must_use]
    pub fn last_evaluation(&self) -> Option<&Evaluation> {
        self.evaluation.as_ref()
    }

    /// Trains for one iteration: samples, updates, and evaluates and saves if that is due. `None` once the training has
    /// reached its end.
    ///
    /// # Errors
    /// [`Error::Diverged`](crate::Error::Diverged), [`Error::BrokenEnv`](crate::Error::BrokenEnv),
    /// [`Error::RunnerLost`](crate::Error::RunnerLost) or [`Error::PartLost`](crate::Error::PartLost): the training is
    /// then as it was before the iteration. [`Error::DiskFull`](crate::Error::DiskFull) or
    /// [`Error::Io`](crate::Error::Io) from the run folder: the iteration counts, and training may go on.
    pub async fn step(&mut self) -> Result<Option<Report>> {
        let Some(Stepped { report, evaluation, done }) = self.algorithm.call(Step).await?? else {
            return Ok(None);
        };
        let before = std::mem::replace(&mut self.env_steps, report.env_steps);
        if evaluation.is_some() {
            self.evaluation.clone_from(&evaluation);
        }
        if let Some(log) = &mut self.log {
            let logged = log.report(&report, evaluation.as_ref());
            let every = self.config.checkpoint_every;
            let due = every > 0 && report.env_steps / every > before / every;
            if due || done {
                let path = log.checkpoint_path(report.env_steps);
                self.algorithm.call(Save(path)).await??;
                log.draw()?;
            }
            logged?;
        }
        Ok(Some(report))
    }

    /// Trains to the end, telling `listen` of each iteration.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub async fn train(&mut self, mut listen: impl FnMut(&Report)) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        while let Some(report) = self.step().await? {
            outcome.env_steps = report.env_steps;
            outcome.iterations = report.iteration;
            outcome.training_s += report.sample_s.unwrap_or(0.0) + report.update_s.unwrap_or(0.0);
            listen(&report);
        }
        outcome.evaluation.clone_from(&self.evaluation);
        Ok(outcome)
    }

    /// Plays so many fresh greedy episodes. Training is not disturbed.
    ///
    /// # Errors
    /// [`Error::BrokenEnv`](crate::Error::BrokenEnv) or [`Error::PartLost`](crate::Error::PartLost).
    pub async fn evaluate(&self, episodes: usize) -> Result<Evaluation> {
        self.algorithm.call(RunEvaluation(episodes)).await?
    }

    /// Steps each environment `steps` times with random actions, divided among the env runners as in training, which is
    /// not disturbed. The same for any number of runners.
    ///
    /// # Errors
    /// [`Error::BrokenEnv`](crate::Error::BrokenEnv) or [`Error::RunnerLost`](crate::Error::RunnerLost).
    pub async fn random_baseline(&self, steps: usize) -> Result<Baseline> {
        let began = Moment::now();
        let Walked { env_steps, episodes, returns } = self.algorithm.call(Walk(steps)).await??;
        let return_mean = (episodes > 0).then(|| returns.iter().sum::<f64>() / episodes as f64);
        Ok(Baseline { env_steps, episodes, return_mean, elapsed_s: began.seconds() })
    }

    /// Writes a checkpoint: a folder with `model.safetensors` and `spec.json`, from which the curve goes on bit for bit.
    /// One at the same path is replaced once the new one is whole.
    ///
    /// # Errors
    /// [`Error::DiskFull`](crate::Error::DiskFull) or [`Error::Io`](crate::Error::Io); one at the same path is untouched.
    pub async fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.algorithm.call(Save(path.as_ref().to_owned())).await?
    }

    /// Goes on from a checkpoint of the same experiment.
    ///
    /// # Errors
    /// [`Error::BadFile`](crate::Error::BadFile), naming file and field; the training then stays as it was.
    pub async fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.env_steps = self.algorithm.call(Load(path.as_ref().to_owned())).await??;
        self.evaluation = None;
        Ok(())
    }

    /// What was learned so far: the network's parameters, then its buffers.
    ///
    /// # Errors
    /// [`Error::Runtime`](crate::Error::Runtime) if the algorithm is gone.
    pub async fn weights(&self) -> Result<Vec<f32>> {
        Ok(self.algorithm.call(Weights).await?)
    }

    /// Ends the algorithm and its parts in order, and draws the learning curve.
    ///
    /// # Errors
    /// As [`step`](Self::step) for the run folder; [`Error::Runtime`](crate::Error::Runtime) if the runtime ends first.
    pub async fn shutdown(self) -> Result<()> {
        let drawn = self.log.as_ref().map_or(Ok(()), RunLog::draw);
        self.algorithm.stop().await?;
        drawn
    }
}

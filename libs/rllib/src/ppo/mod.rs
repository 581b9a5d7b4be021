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
use algorithm::{Algorithm, Iterate, Iterated, part_lost};
use env_runner::Walk;
use env_runner_group::GroupArgs;
use log::RunLog;
use network::{BuildNetwork, NetworkFactory};
use raytree::{ActorHandle, ActorOptions};
use raytree_nn::Model;
use retry::{RESTARTS_MAX, ask_again};
use sampler::Walked;
use std::path::Path;
use std::sync::Arc;
use training::Training;

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
/// Dropping the future of [`step`](Self::step) abandons the iteration: the training stays as it was before it, and the next
/// step redoes it.
#[derive(Debug)]
pub struct Ppo {
    algorithm: ActorHandle<Algorithm>,
    config: Arc<PpoConfig>,
    factory: NetworkFactory,
    training: Training,
    /// Raised when the course of the training was broken: see [`env_runner::Position`].
    history: u64,
    log: Option<RunLog>,
    evaluation: Option<Evaluation>,
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
        let mut ppo = self.start(Arc::new(network)).await?;
        ppo.open_log()?;
        Ok(ppo)
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
        let mut ppo = self.start(Arc::new(network)).await?;
        ppo.load(path).await?;
        // Only now: a checkpoint that does not fit leaves no empty run behind.
        ppo.open_log()?;
        Ok(ppo)
    }

    async fn start(self, network: Arc<BuildNetwork>) -> Result<Ppo> {
        self.validate()?;
        let registration = env::find(&self.env)?;
        if self.check_env {
            check_env_for(|| registration.build(), 100, false)?;
        }
        let env = registration.build();
        let spec = NetworkSpec::new(&self, &env.observation_space(), &env.action_space())?;
        let factory = NetworkFactory::new(spec, network)?;
        let training = Training::new(&self, &factory)?;
        let config = Arc::new(self);
        let args = GroupArgs { config: Arc::clone(&config), factory: factory.clone() };
        let options = ActorOptions::new().name("ppo").restarts(RESTARTS_MAX);
        let algorithm = raytree::spawn(args, options)?;
        algorithm.ready().await?;
        Ok(Ppo { algorithm, config, factory, training, history: 0, log: None, evaluation: None })
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
        if self.training.done(&self.config) {
            return Ok(None);
        }
        let iterate = || Iterate { history: self.history, training: self.training.clone() };
        let answer = ask_again(self.algorithm.call(iterate()), || self.algorithm.call(iterate()));
        let answer = answer.await.unwrap_or_else(|lost| Err(part_lost("algorithm", lost)));
        if answer.is_err() {
            // Whoever got ahead goes back.
            self.history += 1;
        }
        let Iterated { training, report, evaluation } = answer?;
        self.training = training;
        if evaluation.is_some() {
            self.evaluation.clone_from(&evaluation);
        }
        self.log(&report, evaluation.as_ref())?;
        Ok(Some(report))
    }

    /// Writes down what an iteration brought. The iteration counts also if that fails.
    fn log(&mut self, report: &Report, evaluation: Option<&Evaluation>) -> Result<()> {
        let done = self.training.done(&self.config);
        let Some(log) = &mut self.log else { return Ok(()) };
        let logged = log.report(report, evaluation);
        let (every, rows) = (self.config.checkpoint_every, self.config.batch_rows() as u64);
        let due = |now: u64| every > 0 && now / every > now.saturating_sub(rows) / every;
        if done || due(report.env_steps) {
            let path = log.checkpoint_path(report.env_steps);
            self.training.save(&path, &self.config, &self.factory)?;
            log.draw()?;
        }
        logged
    }

    fn open_log(&mut self) -> Result<()> {
        if let Some(out) = &self.config.out {
            self.log = Some(RunLog::create(out, &self.config)?);
        }
        Ok(())
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
    pub async fn evaluate(&mut self, episodes: usize) -> Result<Evaluation> {
        let run = self.training.next_evaluation(episodes);
        let call = || self.algorithm.call(run.clone());
        ask_again(call(), call).await.unwrap_or_else(|lost| Err(part_lost("algorithm", lost)))
    }

    /// Steps each environment `steps` times with random actions, divided among the env runners as in training, which is
    /// not disturbed. The same for any number of runners.
    ///
    /// # Errors
    /// [`Error::BrokenEnv`](crate::Error::BrokenEnv) or [`Error::RunnerLost`](crate::Error::RunnerLost).
    pub async fn random_baseline(&self, steps: usize) -> Result<Baseline> {
        let began = Moment::now();
        let call = || self.algorithm.call(Walk(steps));
        let answer = ask_again(call(), call).await;
        let Walked { env_steps, episodes, returns } =
            answer.unwrap_or_else(|lost| Err(part_lost("algorithm", lost)))?;
        let return_mean = (episodes > 0).then(|| returns.iter().sum::<f64>() / episodes as f64);
        Ok(Baseline { env_steps, episodes, return_mean, elapsed_s: began.seconds() })
    }

    /// Writes a checkpoint: a folder with `model.safetensors` and `spec.json`, from which the curve goes on bit for bit.
    /// One at the same path is replaced once the new one is whole.
    ///
    /// # Errors
    /// [`Error::DiskFull`](crate::Error::DiskFull) or [`Error::Io`](crate::Error::Io); one at the same path is untouched.
    pub async fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.training.save(path.as_ref(), &self.config, &self.factory)
    }

    /// Goes on from a checkpoint of the same experiment.
    ///
    /// # Errors
    /// [`Error::BadFile`](crate::Error::BadFile), naming file and field; the training then stays as it was.
    pub async fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.training = Training::load(path.as_ref(), &self.config, &self.factory)?;
        self.history += 1;
        self.evaluation = None;
        Ok(())
    }

    /// What was learned so far: the network's parameters, then its buffers.
    #[must_use]
    pub fn weights(&self) -> &[f32] {
        &self.training.learner.weights
    }

    /// Environment steps sampled so far.
    #[must_use]
    pub fn env_steps(&self) -> u64 {
        self.training.progress.env_steps
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

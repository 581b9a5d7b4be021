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
//! Each is an actor of the facade: an `impl` block marked `#[remote]`, called through its typed handle, so that all that
//! passes between them are values and references to values. What every runner reads (the weights, the training) is stored
//! once and lent. Environments and networks travel by the id that they are registered under.
//!
//! Every call carries, or refers to, all that its answer depends on, so whoever panics is restarted and the call is made
//! again, and the learning curve is the undisturbed one, bit for bit.
//!
//! # A network of one's own
//!
//! Anything behind [`Model`](raytree_nn::Model) whose output rows are `[policy outputs | value]`, registered by an id:
//!
//! ```
//! use raytree_nn::{Activation, Beside, Init, Linear, Mlp, Net};
//! use raytree_rllib::{PpoConfig, register_network};
//!
//! // A linear policy beside a small value network.
//! register_network!("linear-policy", |spec| {
//!     let policy = Linear::new(spec.inputs, spec.policy_outputs).init(Init::Zeros);
//!     let value = Mlp::new(&[spec.inputs, 32, 1], Activation::Relu);
//!     let both = Beside::new(("policy", policy), ("value", value));
//!     Box::new(Net::new(both, &mut spec.rng()))
//! });
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # raytree::run(async {
//! let config = PpoConfig::tuned("CartPole-v1")?.without_run_folder().total_env_steps(512);
//! let mut ppo = config.network("linear-policy").build().await?;
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
mod answer;
mod config;
mod env_runner;
mod env_runner_group;
mod evaluator;
mod head;
mod learner;
mod log;
mod network;
mod networks;
mod policy;
mod presets;
mod rollout;
mod sampler;
mod training;
mod update;

pub use config::PpoConfig;
pub use evaluator::Evaluation;
pub use network::NetworkSpec;
pub use networks::NetworkRegistration;
pub use policy::Policy;

use crate::clock::Moment;
use crate::env::{self, Env, check_env_for};
use crate::error::{Error, Result};
use crate::metrics::Report;
use algorithm::{Algorithm, AlgorithmHandle, Iterated};
use answer::failed;
use evaluator::EVALUATIONS_MAX;
use log::RunLog;
use network::NetworkFactory;
use raytree::{Handle, Shared};
use sampler::Walked;
use std::ops::RangeInclusive;
use std::path::Path;
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
    algorithm: AlgorithmHandle,
    config: Shared<PpoConfig>,
    factory: Shared<NetworkFactory>,
    training: Training,
    /// Raised when the course of the training was broken: see [`env_runner::Position`].
    history: u64,
    log: Option<RunLog>,
    /// Whether iterations were done since the last checkpoint in the run folder.
    unsaved: bool,
    evaluation: Option<Evaluation>,
    /// Calls of [`evaluate`](Self::evaluate) so far.
    asked_evaluations: u64,
}

/// Number of the first evaluation that was asked for: scheduled ones have the lower half of the numbers.
const ASKED_EVALUATIONS: u64 = EVALUATIONS_MAX / 2;
/// How many episodes may be asked for.
const EPISODES: RangeInclusive<usize> = 1..=1 << 16;

/// What a whole training brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Environment steps sampled, those before a checkpoint included.
    pub env_steps: u64,
    /// Iterations done, those before a checkpoint included.
    pub iterations: u64,
    /// Seconds that this call spent sampling and updating: without evaluations, checkpoints, and earlier steps.
    pub training_s: f64,
    /// The last scheduled evaluation since the training was built or went on from a checkpoint, if there was any.
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
    /// What [`validate`](Self::validate) says; [`Error::ContractBroken`] if the environment
    /// breaks its contract; [`Error::BadNetwork`] if the network does not fit it; [`Error::Runtime`] without a runtime;
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub async fn build(self) -> Result<Ppo> {
        let mut ppo = self.start().await?;
        ppo.open_log()?;
        Ok(ppo)
    }

    /// Goes on from a checkpoint, with these settings: all may differ from the saved ones but `env`, `envs`, `seed` and those of the network.
    /// With the saved settings ([`Ppo::restore`]) the curve goes on bit for bit.
    ///
    /// # Errors
    /// As [`build`](Self::build); [`Error::BadFile`], naming file and field, if the checkpoint is
    /// damaged or does not fit.
    pub async fn restore(self, path: impl AsRef<Path>) -> Result<Ppo> {
        let mut ppo = self.start().await?;
        ppo.load(path).await?;
        // Only now: a checkpoint that does not fit leaves no empty run behind.
        ppo.open_log()?;
        Ok(ppo)
    }

    /// The settings saved in a checkpoint: what to change before [`restore`](Self::restore).
    ///
    /// # Errors
    /// [`Error::BadFile`], naming file and field, if the checkpoint is damaged or foreign;
    /// [`Error::Io`].
    pub fn of_checkpoint(path: impl AsRef<Path>) -> Result<Self> {
        Ok(training::read(path.as_ref())?.spec.config)
    }

    async fn start(self) -> Result<Ppo> {
        self.validate()?;
        let registration = env::find(&self.env)?;
        if self.check_env {
            check_env_for(|| registration.build(), 100, false)?;
        }
        let env = registration.build();
        let factory = NetworkFactory::new(&self, &env.observation_space(), &env.action_space())?;
        let training = Training::new(&self, &factory)?;
        let (config, factory) = (Shared::new(self), Shared::new(factory));
        let algorithm = Algorithm::remote(config.clone(), factory.clone());
        algorithm.ready().await?;
        Ok(Ppo {
            algorithm,
            config,
            factory,
            training,
            history: 0,
            log: None,
            unsaved: false,
            evaluation: None,
            asked_evaluations: 0,
        })
    }
}

impl Ppo {
    /// Goes on from a checkpoint with the settings saved in it, in a new run folder.
    ///
    /// # Errors
    /// As [`PpoConfig::restore`].
    pub async fn restore(path: impl AsRef<Path>) -> Result<Self> {
        PpoConfig::of_checkpoint(path.as_ref())?.restore(path).await
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
    /// [`Error::Diverged`], [`Error::BrokenEnv`],
    /// [`Error::RunnerLost`] or [`Error::PartLost`]: the training is
    /// then as it was before the iteration, and saved in the run folder if that is possible.
    /// [`Error::DiskFull`] or [`Error::Io`] from the run folder: the iteration
    /// counts, and training may go on. If it is over, the next call tries again to save it.
    pub async fn step(&mut self) -> Result<Option<Report>> {
        if self.training.done(&self.config) {
            if self.unsaved {
                self.save_run()?;
            }
            return Ok(None);
        }
        let training = raytree::put(self.training.clone()).await?;
        let answer = self.algorithm.iterate(self.history, training).await;
        let answer = answer.map_err(|error| failed("algorithm", error));
        if answer.is_err() {
            // Whoever got ahead goes back.
            self.history += 1;
            // The error of the iteration is the one to tell.
            _ = self.save_run();
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
        let Some(log) = &mut self.log else { return Ok(()) };
        self.unsaved = true;
        let logged = log.report(report, evaluation);
        let done = self.training.done(&self.config);
        let (every, rows) = (self.config.checkpoint_every, self.config.batch_rows() as u64);
        let due = |now: u64| every > 0 && now / every > now.saturating_sub(rows) / every;
        // After a failed write, whoever is in charge may give up.
        if !done && !due(report.env_steps) && logged.is_ok() {
            return Ok(());
        }
        let saved = self.save_run();
        logged.and(saved)
    }

    /// Saves the training in the run folder, unless that was done, and draws its curve there.
    fn save_run(&mut self) -> Result<()> {
        let Some(log) = &self.log else { return Ok(()) };
        let mut saved = Ok(());
        if self.unsaved {
            let path = log.checkpoint_path(self.training.progress.env_steps);
            saved = self.training.save(&path, &self.config, &self.factory);
            self.unsaved = saved.is_err();
        }
        // One that fails does not cost the other.
        let drawn = log.draw();
        saved.and(drawn)
    }

    fn open_log(&mut self) -> Result<()> {
        if let Some(out) = &self.config.out {
            self.log = Some(RunLog::create(out, &self.config)?);
            self.unsaved = false;
        }
        Ok(())
    }

    /// Trains to the end, telling `listen` of each iteration.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub async fn train(&mut self, mut listen: impl FnMut(&Report)) -> Result<Outcome> {
        let mut training_s = 0.0;
        while let Some(report) = self.step().await? {
            training_s += report.sample_s.unwrap_or(0.0) + report.update_s.unwrap_or(0.0);
            listen(&report);
        }
        Ok(Outcome {
            env_steps: self.training.progress.env_steps,
            iterations: self.training.progress.iteration,
            training_s,
            evaluation: self.evaluation.clone(),
        })
    }

    /// Plays so many greedy episodes (1 to 65,536), other ones in each call. Training is not disturbed: its curve is the
    /// same, evaluations included, as without the call.
    ///
    /// # Errors
    /// [`Error::Config`] for a number out of range, [`Error::BrokenEnv`] or [`Error::PartLost`].
    pub async fn evaluate(&mut self, episodes: usize) -> Result<Evaluation> {
        if !EPISODES.contains(&episodes) {
            let allowed = format!("{} to {}", EPISODES.start(), EPISODES.end());
            return Err(Error::Config { field: "episodes", value: episodes.to_string(), allowed });
        }
        let number = ASKED_EVALUATIONS + self.asked_evaluations;
        self.asked_evaluations += 1;
        let weights = self.training.learner.weights.clone();
        let evaluation = self.algorithm.evaluate(raytree::put(weights).await?, number, episodes);
        evaluation.await.map_err(|error| failed("algorithm", error))
    }

    /// Steps each environment `steps` times with random actions, divided among the env runners as in training, which is
    /// not disturbed. The same for any number of runners.
    ///
    /// # Errors
    /// [`Error::BrokenEnv`] or [`Error::RunnerLost`].
    pub async fn random_baseline(&self, steps: usize) -> Result<Baseline> {
        let began = Moment::now();
        let walked = self.algorithm.walk(steps).await;
        let Walked { env_steps, episodes, returns } =
            walked.map_err(|error| failed("algorithm", error))?;
        let return_mean = (episodes > 0).then(|| returns.iter().sum::<f64>() / episodes as f64);
        Ok(Baseline { env_steps, episodes, return_mean, elapsed_s: began.seconds() })
    }

    /// Writes a checkpoint: a folder with `model.safetensors` and `spec.json`, from which the curve goes on bit for bit.
    /// One at the same path is replaced once the new one is whole.
    ///
    /// # Errors
    /// [`Error::DiskFull`] or [`Error::Io`]; one at the same path is untouched.
    pub async fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.training.save(path.as_ref(), &self.config, &self.factory)
    }

    /// Goes on from a checkpoint of the same experiment, in a new run folder if there was one: what the course so far
    /// left in the old one stays.
    ///
    /// # Errors
    /// [`Error::BadFile`], naming file and field; [`Error::Io`] or
    /// [`Error::DiskFull`]. The training then stays as it was.
    pub async fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let training = Training::load(path.as_ref(), &self.config, &self.factory)?;
        if let Some(log) = &self.log {
            // Best effort: the course that it shows is given up.
            _ = log.draw();
            self.open_log()?;
        }
        self.training = training;
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
    /// As [`step`](Self::step) for the run folder; [`Error::Runtime`] if the runtime ends first.
    pub async fn shutdown(self) -> Result<()> {
        let drawn = self.log.as_ref().map_or(Ok(()), RunLog::draw);
        self.algorithm.stop().await?;
        drawn
    }
}

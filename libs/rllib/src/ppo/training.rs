//! How far a training has come: what is between two iterations, and how it is saved.

use super::config::PpoConfig;
use super::env_runner_group::Collected;
use super::head::Head;
use super::network::{NetworkFactory, read_memory, read_weights, write_memory, write_weights};
use super::rollout::EnvState;
use super::update::{LearnerState, Rates, UpdateStats, Updater};
use crate::env::{VectorOptions, make_vector};
use crate::error::{Error, Result};
use crate::metrics::{EpisodeWindow, Report};
use crate::rng::Rng;
use crate::run::{self, Checkpoint};
use crate::space::Space;
use raytree::Shared;
use raytree_nn::{Adam, Model, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Everything a training would have to be told to go on bit for bit. Clones share what is large.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Training {
    pub(super) progress: Progress,
    pub(super) learner: LearnerState,
    /// The environments between two rollouts; `None` before the first one, or if they cannot be saved.
    pub(super) envs: Option<Shared<Vec<EnvState>>>,
}

/// The small part of a [`Training`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    pub(super) iteration: u64,
    pub(super) env_steps: u64,
    /// Evaluations so far: the number of the next one.
    pub(super) evaluations: u64,
    /// Mean return of the last scheduled evaluation: whether that was enough is for the present settings to say.
    pub(super) last_evaluation: Option<f64>,
    /// Seconds spent in iterations, earlier sessions included.
    pub(super) elapsed_s: f64,
    pub(super) episodes: EpisodeWindow,
}

/// What `spec.json` says about a training.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrainingSpec {
    pub(super) algorithm: String,
    pub(super) config: PpoConfig,
    /// Curves are bit-equal only among machines of one level.
    pub(super) cpu: String,
    pub(super) observation_space: Space,
    pub(super) action_space: Space,
    /// Numbers that describe the policy in a row of the network's outputs; the value follows.
    pub(super) policy_outputs: usize,
    pub(super) progress: Progress,
    pub(super) minibatch_rng: Rng,
    pub(super) envs: Option<Vec<EnvState>>,
}

/// What a checkpoint of this algorithm says it is.
const ALGORITHM: &str = "ppo";

impl Training {
    /// Before the first iteration.
    pub(super) fn new(config: &PpoConfig, factory: &NetworkFactory) -> Result<Self> {
        let learner = Updater::new(config, factory)?.state();
        Ok(Self { progress: Progress::default(), learner, envs: None })
    }

    /// Whether the end was reached.
    pub(super) fn done(&self, config: &PpoConfig) -> bool {
        let reached = |goal| self.progress.last_evaluation.is_some_and(|mean| mean >= goal);
        let solved = config.stop_at_return.is_some_and(reached);
        solved || self.progress.env_steps >= config.total_env_steps
    }

    /// The number of an evaluation, with streams that no other evaluation of this training draws from.
    pub(super) fn next_evaluation(&mut self) -> u64 {
        let number = self.progress.evaluations;
        self.progress.evaluations += 1;
        number
    }

    /// Learning rate and clip range of the next iteration.
    pub(super) fn rates(&self, config: &PpoConfig) -> Rates {
        let (at, total) = (self.progress.env_steps, config.total_env_steps);
        Rates {
            learning_rate: config.learning_rate.value(at, total),
            clip: config.clip.value(at, total),
        }
    }

    /// Takes in one iteration.
    pub(super) fn advance(&mut self, collected: Collected, learner: LearnerState) {
        self.progress.iteration += 1;
        self.progress.env_steps += collected.rows as u64;
        for (_, episode) in &collected.aside.episodes {
            self.progress.episodes.push(episode);
        }
        self.learner = learner;
        self.envs = collected.aside.after.map(Shared::new);
    }

    /// What the iteration brought, but for its times.
    pub(super) fn report(&self, stats: &UpdateStats, rates: Rates) -> Report {
        let Progress { iteration, env_steps, episodes, .. } = &self.progress;
        Report {
            iteration: *iteration,
            env_steps: *env_steps,
            episodes: episodes.completed(),
            episode_return_mean: episodes.return_mean(),
            episode_length_mean: episodes.length_mean(),
            total_loss: Some(stats.total_loss),
            policy_loss: Some(stats.policy_loss),
            value_loss: Some(stats.value_loss),
            entropy: Some(stats.entropy),
            approx_kl: Some(stats.approx_kl),
            clip_fraction: Some(stats.clip_fraction),
            explained_variance: stats.explained_variance,
            grad_norm: Some(stats.grad_norm),
            learning_rate: Some(rates.learning_rate),
            clip: Some(rates.clip),
            ..Report::default()
        }
    }

    /// Writes a checkpoint.
    pub(super) fn save(
        &self,
        path: &Path,
        config: &PpoConfig,
        factory: &NetworkFactory,
    ) -> Result<()> {
        let mut model = factory.model()?;
        let mut adam = Adam::default();
        write_weights(&mut *model, &self.learner.weights);
        write_memory(&mut adam, &self.learner.memory);
        let notes = BTreeMap::from([("algorithm".to_owned(), ALGORITHM.to_owned())]);
        let tensors = State::new()
            .model("", &mut *model)
            .optimizer("adam", &mut adam)
            .to_bytes(&notes)
            .map_err(|error| bad(path, "model.safetensors", error))?;
        let spec = TrainingSpec {
            algorithm: ALGORITHM.to_owned(),
            config: config.clone(),
            cpu: run::cpu_feature_level().to_owned(),
            observation_space: factory.spec().observation_space.clone(),
            action_space: factory.spec().action_space.clone(),
            policy_outputs: factory.spec().policy_outputs,
            progress: self.progress.clone(),
            minibatch_rng: self.learner.rng.clone(),
            envs: self.envs.as_ref().map(|envs| (**envs).clone()),
        };
        run::write_checkpoint(path, &spec, &tensors)
    }

    /// Reads a checkpoint back and checks that `config` can go on from it.
    pub(super) fn load(path: &Path, config: &PpoConfig, factory: &NetworkFactory) -> Result<Self> {
        let Checkpoint { spec, tensors } = read(path)?;
        let bad_spec = |reason: String| bad(path, "spec.json", reason);
        check_same(&spec.config, config).map_err(bad_spec)?;
        check_spaces(&spec, factory).map_err(bad_spec)?;
        let mut model = factory.model()?;
        // A network of the same shapes only: the file must have each tensor.
        let mut adam = Adam::default();
        State::new()
            .model("", &mut *model)
            .optimizer("adam", &mut adam)
            .load(&tensors)
            .map_err(|error| bad(path, "model.safetensors", error))?;
        if let Some(states) = &spec.envs {
            check_envs(states, config).map_err(|error| bad_spec(format!("`envs`: {error}")))?;
        } else if spec.progress.iteration > 0 && supports_snapshots(config)? {
            return Err(bad_spec("`envs` is missing".to_owned()));
        }
        let learner = LearnerState {
            iteration: spec.progress.iteration,
            weights: read_weights(&mut *model),
            memory: read_memory(&mut adam),
            rng: spec.minibatch_rng,
        };
        let envs = spec.envs.map(Shared::new);
        Ok(Self { progress: spec.progress, learner, envs })
    }
}

/// Reads a checkpoint of this algorithm.
pub(super) fn read(path: &Path) -> Result<Checkpoint<TrainingSpec>> {
    let checkpoint: Checkpoint<TrainingSpec> = run::read_checkpoint(path)?;
    let spec = &checkpoint.spec;
    let bad_spec = |reason: String| bad(path, "spec.json", reason);
    if spec.algorithm != ALGORITHM {
        return Err(bad_spec(format!("`algorithm` is `{}`, not `{ALGORITHM}`", spec.algorithm)));
    }
    let outputs = Head::of(&spec.action_space)?.outputs();
    if spec.policy_outputs != outputs {
        let (got, space) = (spec.policy_outputs, &spec.action_space);
        return Err(bad_spec(format!("`policy_outputs` is {got}, but {space} takes {outputs}")));
    }
    Ok(checkpoint)
}

/// Takes over the weights alone.
pub(super) fn load_weights(path: &Path, tensors: &[u8], model: &mut dyn Model) -> Result<()> {
    let loaded = State::new().model("", model).load(tensors);
    loaded.map(drop).map_err(|error| bad(path, "model.safetensors", error))
}

/// What must not differ between a checkpoint and the training that goes on from it.
fn check_same(saved: &PpoConfig, asked: &PpoConfig) -> Result<(), String> {
    let same = |field: &str, got: String, want: String| match got == want {
        true => Ok(()),
        false => Err(format!("`config.{field}` is {got}, but {want} was asked for")),
    };
    same("env", saved.env.clone(), asked.env.clone())?;
    same("envs", saved.envs.to_string(), asked.envs.to_string())?;
    same("seed", saved.seed.to_string(), asked.seed.to_string())?;
    same("network", saved.network.clone(), asked.network.clone())?;
    same("hidden", format!("{:?}", saved.hidden), format!("{:?}", asked.hidden))?;
    same("activation", format!("{:?}", saved.activation), format!("{:?}", asked.activation))?;
    let shared = |config: &PpoConfig| config.shared_network.to_string();
    same("shared_network", shared(saved), shared(asked))
}

/// The environment must be the one that was trained on, not only of the same name.
fn check_spaces(saved: &TrainingSpec, factory: &NetworkFactory) -> Result<(), String> {
    let here = factory.spec();
    for (field, was, is) in [
        ("observation_space", &saved.observation_space, &here.observation_space),
        ("action_space", &saved.action_space, &here.action_space),
    ] {
        if was != is {
            return Err(format!("`{field}` is {was}, but that of `{}` is {is}", saved.config.env));
        }
    }
    Ok(())
}

/// Tries the states on environments that nobody else uses.
fn check_envs(states: &[EnvState], config: &PpoConfig) -> Result<()> {
    let options = VectorOptions::new(config.envs).seed(config.seed);
    let envs: Vec<_> = states.iter().map(|state| state.env.clone()).collect();
    if envs.len() != config.envs {
        let reason = format!("it has {} environments, not {}", envs.len(), config.envs);
        return Err(Error::SnapshotMismatch { reason });
    }
    // Each part of the training finds its environments by position.
    if let Some((at, env)) = envs.iter().enumerate().find(|(at, env)| env.index != *at) {
        let reason = format!("environment {} stands at position {at}", env.index);
        return Err(Error::SnapshotMismatch { reason });
    }
    make_vector(&config.env, options)?.restore(&envs)
}

fn supports_snapshots(config: &PpoConfig) -> Result<bool> {
    let mut envs = make_vector(&config.env, VectorOptions::new(1).seed(config.seed))?;
    envs.reset()?;
    Ok(!matches!(envs.snapshot(), Err(Error::SnapshotUnsupported { .. })))
}

fn bad(folder: &Path, file: &str, reason: impl ToString) -> Error {
    Error::BadFile { path: folder.join(file), reason: reason.to_string() }
}

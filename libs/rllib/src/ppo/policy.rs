//! What was learned, to be used without a runtime.

use super::head::Head;
use super::network::NetworkFactory;
use super::training::{self, TrainingSpec};
use crate::error::{Error, Result};
use crate::rng::Rng;
use crate::run::Checkpoint;
use crate::space::{ActionValue, Space};
use raytree_nn::Model;
use std::path::Path;

/// A learned policy: observation in, action out. Needs no runtime.
///
/// ```no_run
/// use raytree_rllib::{Policy, make};
///
/// let mut policy = Policy::load("runs/cartpole/checkpoints/step_000051200")?;
/// let mut env = make(policy.env())?;
/// env.reset()?;
/// loop {
///     let action = policy.act(env.obs())?;
///     let step = env.step(action.as_action())?;
///     if step.terminated || step.truncated {
///         break;
///     }
/// }
/// # Ok::<(), raytree_rllib::Error>(())
/// ```
#[derive(Debug)]
pub struct Policy {
    spec: TrainingSpec,
    model: Box<dyn Model>,
    head: Head,
    outputs: Vec<f32>,
}

impl Policy {
    /// Reads the policy of a checkpoint.
    ///
    /// # Errors
    /// [`Error::BadFile`], naming file and field, if the checkpoint is damaged or foreign; [`Error::Io`];
    /// [`Error::UnknownNetwork`] if its network is none of this program.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let Checkpoint { spec, tensors } = training::read(path.as_ref())?;
        let (observations, actions) = (&spec.observation_space, &spec.action_space);
        let mut model = NetworkFactory::new(&spec.config, observations, actions)?.model()?;
        training::load_weights(path.as_ref(), &tensors, &mut *model)?;
        let head = Head::of(&spec.action_space)?;
        let outputs = vec![0.0; model.outputs()];
        Ok(Self { spec, model, head, outputs })
    }

    /// Id of the environment it was trained in.
    #[must_use]
    pub fn env(&self) -> &str {
        &self.spec.config.env
    }

    /// Environment steps it was trained for.
    #[must_use]
    pub fn env_steps(&self) -> u64 {
        self.spec.progress.env_steps
    }

    /// What observations look like.
    #[must_use]
    pub fn observation_space(&self) -> &Space {
        &self.spec.observation_space
    }

    /// What actions look like.
    #[must_use]
    pub fn action_space(&self) -> &Space {
        &self.spec.action_space
    }

    /// The most likely action.
    ///
    /// # Errors
    /// [`Error::Length`] if the observation does not have as many numbers as its space.
    pub fn act(&mut self, obs: &[f32]) -> Result<ActionValue> {
        self.decide(obs)?;
        let mut action = self.head.buffer(1);
        self.head.greedy(self.policy_outputs(), &mut action, 0);
        self.head.confine(&mut action);
        Ok(action.first())
    }

    /// An action drawn from the policy's distribution.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub fn sample(&mut self, obs: &[f32], rng: &mut Rng) -> Result<ActionValue> {
        self.decide(obs)?;
        let mut action = self.head.buffer(1);
        self.head.sample(self.policy_outputs(), rng, &mut action, 0);
        self.head.confine(&mut action);
        Ok(action.first())
    }

    /// What the network expects to gain from here, discounted.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub fn value(&mut self, obs: &[f32]) -> Result<f32> {
        self.decide(obs)?;
        Ok(self.outputs[self.outputs.len() - 1])
    }

    fn decide(&mut self, obs: &[f32]) -> Result<()> {
        Error::check_len("obs", obs.len(), self.model.inputs())?;
        self.model.forward(obs, 1, &mut self.outputs);
        Ok(())
    }

    fn policy_outputs(&self) -> &[f32] {
        &self.outputs[..self.outputs.len() - 1]
    }
}

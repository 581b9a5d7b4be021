//! One environment with everything it needs to be played by hand.

use super::{ContractViolation, Env, Frame, Step};
use crate::error::{Error, Result};
use crate::rng::{Rng, Stream};
use crate::space::{Action, Space};
use std::fmt;

/// One environment with its random stream, its step limit and its last observation.
///
/// ```
/// use raytree_rllib::{Action, make};
///
/// let mut env = make("CartPole-v1")?;
/// env.reset()?;
/// while !env.step(Action::Discrete(1))?.terminated {}
/// assert!(env.episode_return() < 15.0);
/// # Ok::<(), raytree_rllib::Error>(())
/// ```
pub struct SingleEnv {
    env: Box<dyn Env>,
    observation_space: Space,
    action_space: Space,
    rng: Rng,
    max_episode_steps: Option<u32>,
    obs: Vec<f32>,
    steps: u32,
    total: f64,
    running: bool,
}

impl SingleEnv {
    /// Wraps an environment, without a step limit.
    #[must_use]
    pub fn new(env: Box<dyn Env>) -> Self {
        let observation_space = env.observation_space();
        Self {
            action_space: env.action_space(),
            obs: vec![0.0; observation_space.flat_len()],
            observation_space,
            env,
            rng: Rng::stream(0, Stream::Evaluation(0)),
            max_episode_steps: None,
            steps: 0,
            total: 0.0,
            running: false,
        }
    }

    /// Steps after which an episode is truncated; `None` (the default) for no limit.
    #[must_use]
    pub fn max_episode_steps(mut self, steps: Option<u32>) -> Self {
        self.max_episode_steps = steps;
        self
    }

    /// The stream that resets and noise are drawn from; default [`Stream::Evaluation`]`(0)` of seed 0.
    #[must_use]
    pub fn stream(mut self, seed: u64, stream: Stream) -> Self {
        self.rng = Rng::stream(seed, stream);
        self
    }

    /// What observations look like.
    #[must_use]
    pub fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    /// What actions look like.
    #[must_use]
    pub fn action_space(&self) -> &Space {
        &self.action_space
    }

    /// The last observation.
    #[must_use]
    pub fn obs(&self) -> &[f32] {
        &self.obs
    }

    /// Sum of the rewards of the current or last episode.
    #[must_use]
    pub fn episode_return(&self) -> f64 {
        self.total
    }

    /// Steps of the current or last episode.
    #[must_use]
    pub fn episode_steps(&self) -> u32 {
        self.steps
    }

    /// Begins a new episode and returns its first observation.
    ///
    /// # Errors
    /// [`Error::ContractBroken`] if the observation is not finite.
    pub fn reset(&mut self) -> Result<&[f32]> {
        self.env.reset(&mut self.rng, &mut self.obs);
        (self.steps, self.total, self.running) = (0, 0.0, true);
        ContractViolation::check_obs(&self.obs, true)?;
        Ok(&self.obs)
    }

    /// Acts once.
    ///
    /// # Errors
    /// [`Error::NeedsReset`] after the end of an episode, [`Error::InvalidAction`], or [`Error::ContractBroken`].
    pub fn step(&mut self, action: Action<'_>) -> Result<Step> {
        if !self.running {
            return Err(Error::NeedsReset { index: 0 });
        }
        if !self.action_space.contains_action(action) {
            return Err(Error::InvalidAction { index: 0, space: self.action_space.to_string() });
        }
        let mut step = self.env.step(action, &mut self.rng, &mut self.obs);
        ContractViolation::check_obs(&self.obs, false)?;
        ContractViolation::check_reward(step.reward)?;
        self.steps += 1;
        self.total += f64::from(step.reward);
        let late = self.max_episode_steps.is_some_and(|limit| self.steps >= limit);
        step.truncated |= late && !step.terminated;
        self.running = !(step.terminated || step.truncated);
        Ok(step)
    }

    /// A picture of the current state, if the environment draws one.
    #[must_use]
    pub fn render(&self) -> Option<Frame> {
        self.env.render()
    }

    /// The current state as text, if the environment writes one.
    #[must_use]
    pub fn render_text(&self) -> Option<String> {
        self.env.render_text()
    }
}

impl fmt::Debug for SingleEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleEnv")
            .field("observation_space", &self.observation_space)
            .field("action_space", &self.action_space)
            .field("episode_steps", &self.steps)
            .field("episode_return", &self.total)
            .finish_non_exhaustive()
    }
}

//! Environments: the trait a researcher fills in, and what is built on it.

mod check;
mod registry;
mod render;
mod single;
mod vector;
mod vectorized;

pub use check::{ContractViolation, EnvReport, check_env, check_env_for};
pub use registry::{EnvSpec, Registration, find, is_valid_env_id, make, make_vector, registered};
pub use render::{Frame, Rgb};
pub use single::SingleEnv;
pub use vector::{EnvSnapshot, EpisodeEnd, StepView, VectorEnv, VectorOptions, VectorSnapshot};
pub use vectorized::Vectorized;

use crate::rng::Rng;
use crate::space::{Action, Space};

/// What one step brought.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// The reward; finite.
    pub reward: f32,
    /// The episode reached an end that belongs to the task: nothing more is to be gained.
    pub terminated: bool,
    /// The episode was cut short from outside: more could have been gained. A step limit given at registration sets it
    /// for you.
    pub truncated: bool,
}

impl Step {
    /// A step that goes on.
    #[must_use]
    pub const fn reward(reward: f32) -> Self {
        Self { reward, terminated: false, truncated: false }
    }
}

/// A problem to learn.
///
/// Four methods suffice; the [crate documentation](crate) has a whole one in 25 lines. The contract, which
/// [`check_env`] checks rule by rule ([`ContractViolation`]):
///
/// - the spaces never change, and admit at least one value;
/// - `reset` and `step` write **every** number of `obs`, inside the observation space; rewards are finite;
/// - all randomness comes from the `rng` passed in, so that the same stream and actions give the same episode, and
///   `reset` forgets the episode before;
/// - `restore(snapshot())` continues bit for bit (if there are snapshots at all);
/// - after a `terminated` or `truncated` step the caller resets before it steps again.
pub trait Env: Send + 'static {
    /// What observations look like. [`Space::flat_len`] numbers are passed as `obs`.
    fn observation_space(&self) -> Space;

    /// What actions look like.
    fn action_space(&self) -> Space;

    /// Begins a new episode and writes its first observation into `obs`.
    fn reset(&mut self, rng: &mut Rng, obs: &mut [f32]);

    /// Acts once and writes the observation that follows into `obs`.
    fn step(&mut self, action: Action<'_>, rng: &mut Rng, obs: &mut [f32]) -> Step;

    /// Everything that decides how the episode goes on, as bytes; `None` (the default) if this environment cannot be
    /// saved, in which case a lost rollout cannot be redone bit for bit.
    fn snapshot(&self) -> Option<Vec<u8>> {
        None
    }

    /// Continues from what [`snapshot`](Self::snapshot) returned.
    ///
    /// # Errors
    /// What is wrong with the bytes, in words; the environment is then unchanged.
    fn restore(&mut self, _snapshot: &[u8]) -> Result<(), String> {
        Err("this environment has no snapshots".to_owned())
    }

    /// A picture of the current state; `None` (the default) if there is none.
    fn render(&self) -> Option<Frame> {
        None
    }

    /// The current state in a few lines of text for a terminal; `None` (the default) if there is none.
    fn render_text(&self) -> Option<String> {
        None
    }
}

impl<E: Env + ?Sized> Env for Box<E> {
    fn observation_space(&self) -> Space {
        (**self).observation_space()
    }

    fn action_space(&self) -> Space {
        (**self).action_space()
    }

    fn reset(&mut self, rng: &mut Rng, obs: &mut [f32]) {
        (**self).reset(rng, obs);
    }

    fn step(&mut self, action: Action<'_>, rng: &mut Rng, obs: &mut [f32]) -> Step {
        (**self).step(action, rng, obs)
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        (**self).snapshot()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), String> {
        (**self).restore(snapshot)
    }

    fn render(&self) -> Option<Frame> {
        (**self).render()
    }

    fn render_text(&self) -> Option<String> {
        (**self).render_text()
    }
}

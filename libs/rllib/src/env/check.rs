//! Does an environment keep its contract? Each rule has a name.

use super::{Env, Step};
use crate::error::Result;
use crate::rng::{Rng, Stream};
use crate::space::Space;
use crate::word::{self, Word};
use serde::{Deserialize, Serialize};

/// A rule of the [`Env`] contract that an environment breaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum ContractViolation {
    /// The action space admits no action.
    #[error("the action space {space} admits no action: {reason}")]
    EmptyActionSpace {
        /// The space.
        space: String,
        /// Why.
        #[serde(deserialize_with = "word::read")]
        reason: Word,
    },
    /// The observation space admits no observation.
    #[error("the observation space {space} admits no observation: {reason}")]
    EmptyObservationSpace {
        /// The space.
        space: String,
        /// Why.
        #[serde(deserialize_with = "word::read")]
        reason: Word,
    },
    /// A space is not the same as before.
    #[error("the {which} space changed from {before} to {after}")]
    SpaceChanged {
        /// `observation` or `action`.
        #[serde(deserialize_with = "word::read")]
        which: Word,
        /// The space at first.
        before: String,
        /// The space later.
        after: String,
    },
    /// A number of the observation was left as it was.
    #[error("{method} did not write number {at} of the observation")]
    ObservationNotWritten {
        /// `reset` or `step`.
        #[serde(deserialize_with = "word::read")]
        method: Word,
        /// Which number of the observation.
        at: usize,
    },
    /// A number of the observation is infinite or NaN.
    #[error("number {at} of the observation after {method} is {value}, which is not finite")]
    ObservationNotFinite {
        /// `reset` or `step`.
        #[serde(deserialize_with = "word::read")]
        method: Word,
        /// Which number of the observation.
        at: usize,
        /// Its value.
        value: f32,
    },
    /// An observation lies outside the observation space.
    #[error("number {at} of the observation after {method} is {value}, outside {space}")]
    ObservationOutsideSpace {
        /// `reset` or `step`.
        #[serde(deserialize_with = "word::read")]
        method: Word,
        /// Which number of the observation.
        at: usize,
        /// Its value.
        value: f32,
        /// The space.
        space: String,
    },
    /// A reward is infinite or NaN.
    #[error("the reward is {reward}, which is not finite")]
    RewardNotFinite {
        /// The reward.
        reward: f32,
    },
    /// The same stream and actions gave another episode: something random does not come from `rng`.
    #[error(
        "two environments with the same stream and actions differ after {steps} steps: \
         all randomness must come from `rng`"
    )]
    NotDeterministic {
        /// Steps until they differed; 0 for the reset.
        steps: u32,
    },
    /// An episode after a reset depends on the episode before.
    #[error(
        "an episode after others differs after {steps} steps from the same episode in a new environment: \
         `reset` must forget everything"
    )]
    ResetRemembers {
        /// Steps until they differed; 0 for the reset.
        steps: u32,
    },
    /// There are snapshots, but they cannot be restored.
    #[error("`restore` refuses what `snapshot` returned: {reason}")]
    RestoreFailed {
        /// What it said.
        reason: String,
    },
    /// An episode continued from a snapshot is not the same episode.
    #[error(
        "an episode continued from a snapshot differs after {steps} more steps: \
         `snapshot` must hold everything that decides how it goes on"
    )]
    RestoreDiffers {
        /// Steps until it differed; 0 when the snapshot itself does.
        steps: u32,
    },
    /// No episode ended under random actions.
    #[error(
        "no episode ended within {steps} random steps: \
         end it, or give `max_episode_steps` at registration"
    )]
    NeverEnds {
        /// How many steps were tried.
        steps: u32,
    },
}

impl ContractViolation {
    /// Checks that an observation is finite.
    pub(crate) fn check_obs(obs: &[f32], after_reset: bool) -> Result<(), Self> {
        let method = method(after_reset);
        match obs.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(Self::ObservationNotFinite { method, at, value: obs[at] }),
            None => Ok(()),
        }
    }

    /// Checks that a reward is finite.
    pub(crate) fn check_reward(reward: f32) -> Result<(), Self> {
        if reward.is_finite() { Ok(()) } else { Err(Self::RewardNotFinite { reward }) }
    }
}

const fn method(after_reset: bool) -> &'static str {
    if after_reset { "reset" } else { "step" }
}

/// What [`check_env`] saw of an environment that keeps its contract.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EnvReport {
    /// What observations look like.
    pub observation_space: Space,
    /// What actions look like.
    pub action_space: Space,
    /// Whether it can be saved and continued.
    pub snapshots: bool,
    /// Episodes that ended during the check.
    pub episodes: u32,
}

/// Random steps that an environment without a step limit may take until one episode must have ended.
const STEPS_UNTIL_END: u32 = 100_000;
/// Steps compared, by default.
const STEPS_COMPARED: u32 = 500;

/// Runs an environment with random actions and checks its contract.
///
/// An environment whose episodes need not end by themselves is checked with
/// [`check_env_for`]`(build, 500, false)`.
///
/// # Errors
/// The first rule that it breaks.
///
/// ```
/// use raytree_rllib::{check_env, envs::CartPole};
///
/// assert!(check_env(CartPole::new)?.snapshots);
/// # Ok::<(), raytree_rllib::ContractViolation>(())
/// ```
pub fn check_env<E: Env>(build: impl Fn() -> E) -> Result<EnvReport, ContractViolation> {
    check_env_for(build, STEPS_COMPARED, true)
}

/// [`check_env`] over a given number of `steps`; whether episodes end by themselves is checked on wish (`must_end`).
///
/// # Errors
/// The first rule that it breaks.
pub fn check_env_for<E: Env>(
    build: impl Fn() -> E,
    steps: u32,
    must_end: bool,
) -> Result<EnvReport, ContractViolation> {
    let env = build();
    let (observation_space, action_space) = (env.observation_space(), env.action_space());
    if let Some(reason) = action_space.flaw() {
        return Err(ContractViolation::EmptyActionSpace {
            space: action_space.to_string(),
            reason,
        });
    }
    if let Some(reason) = observation_space.flaw() {
        let space = observation_space.to_string();
        return Err(ContractViolation::EmptyObservationSpace { space, reason });
    }
    let mut first = Walk::new(env, 1);
    let episodes = check_values(&mut first, steps)?;
    check_same(&mut Walk::new(build(), 2), &mut Walk::new(build(), 2), steps)
        .map_err(|steps| ContractViolation::NotDeterministic { steps })?;
    first.restart(2);
    check_same(&mut first, &mut Walk::new(build(), 2), steps)
        .map_err(|steps| ContractViolation::ResetRemembers { steps })?;
    let snapshots = check_snapshots(&build, steps)?;
    if must_end && episodes == 0 {
        check_ends(&build)?;
    }
    Ok(EnvReport { observation_space, action_space, snapshots, episodes })
}

/// An environment, its observation and two streams: one for the environment, one for random actions.
struct Walk<E> {
    env: E,
    obs: Vec<f32>,
    rng: Rng,
    actions: Rng,
    space: Space,
}

impl<E: Env> Walk<E> {
    fn new(env: E, seed: u64) -> Self {
        let obs = vec![UNWRITTEN; env.observation_space().flat_len()];
        let space = env.action_space();
        let mut walk = Self { env, obs, space, rng: stream(seed, 0), actions: stream(seed, 1) };
        walk.reset();
        walk
    }

    /// Takes new streams and begins an episode with them.
    fn restart(&mut self, seed: u64) {
        (self.rng, self.actions) = (stream(seed, 0), stream(seed, 1));
        self.reset();
    }

    fn reset(&mut self) {
        self.obs.fill(UNWRITTEN);
        self.env.reset(&mut self.rng, &mut self.obs);
    }

    fn step(&mut self) -> Step {
        let action = self.space.sample(&mut self.actions);
        self.env.step(action.as_action(), &mut self.rng, &mut self.obs)
    }

    fn bits(&self) -> impl Iterator<Item = u32> {
        self.obs.iter().map(|value| value.to_bits())
    }
}

/// A NaN that no computation yields.
const UNWRITTEN: f32 = f32::from_bits(0x7fc5_a5a5);

fn stream(seed: u64, which: u64) -> Rng {
    Rng::stream(seed, Stream::Custom(0xc0_de00 + which))
}

/// Observations, rewards and spaces. Returns how many episodes ended.
fn check_values<E: Env>(walk: &mut Walk<E>, steps: u32) -> Result<u32, ContractViolation> {
    let (observations, actions) = (walk.env.observation_space(), walk.env.action_space());
    let mut episodes = 0;
    check_observation(&walk.obs, &observations, true)?;
    for _ in 0..steps {
        walk.obs.fill(UNWRITTEN);
        let step = walk.step();
        check_observation(&walk.obs, &observations, false)?;
        ContractViolation::check_reward(step.reward)?;
        if step.terminated || step.truncated {
            episodes += 1;
            walk.reset();
            check_observation(&walk.obs, &observations, true)?;
        }
    }
    let spaces = [
        ("observation", observations, walk.env.observation_space()),
        ("action", actions, walk.env.action_space()),
    ];
    for (which, before, after) in spaces {
        if before != after {
            let (before, after) = (before.to_string(), after.to_string());
            return Err(ContractViolation::SpaceChanged { which, before, after });
        }
    }
    Ok(episodes)
}

fn check_observation(obs: &[f32], space: &Space, reset: bool) -> Result<(), ContractViolation> {
    if let Some(at) = obs.iter().position(|value| value.to_bits() == UNWRITTEN.to_bits()) {
        return Err(ContractViolation::ObservationNotWritten { method: method(reset), at });
    }
    ContractViolation::check_obs(obs, reset)?;
    match space.first_outside(obs) {
        None => Ok(()),
        Some(at) => Err(ContractViolation::ObservationOutsideSpace {
            method: method(reset),
            at,
            value: obs[at],
            space: space.to_string(),
        }),
    }
}

/// Steps both alike; the error is the number of steps after which they differ.
fn check_same<A: Env, B: Env>(
    one: &mut Walk<A>,
    other: &mut Walk<B>,
    steps: u32,
) -> Result<(), u32> {
    let differ =
        |one: &Walk<A>, other: &Walk<B>| !one.bits().eq(other.bits()) || one.rng != other.rng;
    if differ(one, other) {
        return Err(0);
    }
    for count in 1..=steps {
        let (a, b) = (one.step(), other.step());
        let same = a.reward.to_bits() == b.reward.to_bits()
            && (a.terminated, a.truncated) == (b.terminated, b.truncated);
        if !same || differ(one, other) {
            return Err(count);
        }
        if a.terminated || a.truncated {
            one.reset();
            other.reset();
        }
    }
    Ok(())
}

/// Saves in the middle of episodes, restores into a used environment, and compares. Returns whether there are snapshots.
fn check_snapshots<E: Env>(build: &impl Fn() -> E, steps: u32) -> Result<bool, ContractViolation> {
    let mut walk = Walk::new(build(), 3);
    let mut other = Walk::new(build(), 4);
    for lead in [0, 1, 7, 23] {
        for _ in 0..lead {
            for each in [&mut walk, &mut other] {
                let step = each.step();
                if step.terminated || step.truncated {
                    each.reset();
                }
            }
        }
        let Some(bytes) = walk.env.snapshot() else { return Ok(false) };
        let restored = other.env.restore(&bytes);
        restored.map_err(|reason| ContractViolation::RestoreFailed { reason })?;
        if other.env.snapshot().as_deref() != Some(&bytes[..]) {
            return Err(ContractViolation::RestoreDiffers { steps: 0 });
        }
        other.obs.clone_from(&walk.obs);
        (other.rng, other.actions) = (walk.rng.clone(), walk.actions.clone());
        check_same(&mut walk, &mut other, steps / 4)
            .map_err(|steps| ContractViolation::RestoreDiffers { steps })?;
    }
    Ok(true)
}

fn check_ends<E: Env>(build: &impl Fn() -> E) -> Result<(), ContractViolation> {
    let mut walk = Walk::new(build(), 5);
    for _ in 0..STEPS_UNTIL_END {
        let step = walk.step();
        if step.terminated || step.truncated {
            return Ok(());
        }
    }
    Err(ContractViolation::NeverEnds { steps: STEPS_UNTIL_END })
}

//! The one implementation of [`VectorEnv`]: environments of one type, side by side.

use super::vector::{EnvSnapshot, EpisodeEnd, StepView, VectorEnv, VectorOptions, VectorSnapshot};
use super::{ContractViolation, Env, Frame, Step};
use crate::error::{Error, Result};
use crate::rng::Rng;
use crate::space::{Action, Actions, Space};
use std::fmt;

/// The [`VectorEnv`] of environments of type `E`: the loop over them is compiled for `E`.
pub struct Vectorized<E> {
    slots: Vec<Slot<E>>,
    options: VectorOptions,
    observation_space: Space,
    action_space: Space,
    obs_len: usize,
    started: bool,
    obs: Vec<f32>,
    rewards: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    final_obs: Vec<f32>,
    episodes: Vec<EpisodeEnd>,
}

/// One environment and what is counted for it.
struct Slot<E> {
    env: E,
    rng: Rng,
    episode_return: f64,
    episode_steps: u32,
}

impl<E: Env> Vectorized<E> {
    /// Builds `options.count` environments. They need a [`reset`](VectorEnv::reset) before the first step.
    #[must_use]
    pub fn new(build: impl Fn() -> E, options: VectorOptions) -> Self {
        let slots: Vec<_> = (options.first..options.first + options.count)
            .map(|index| Slot {
                env: build(),
                rng: options.rng(index),
                episode_return: 0.0,
                episode_steps: 0,
            })
            .collect();
        let (observation_space, action_space) = match slots.first() {
            Some(slot) => (slot.env.observation_space(), slot.env.action_space()),
            None => {
                let env = build();
                (env.observation_space(), env.action_space())
            }
        };
        let (count, obs_len) = (slots.len(), observation_space.flat_len());
        Self {
            slots,
            options,
            observation_space,
            action_space,
            obs_len,
            started: false,
            obs: vec![0.0; count * obs_len],
            rewards: vec![0.0; count],
            terminated: vec![false; count],
            truncated: vec![false; count],
            final_obs: vec![0.0; count * obs_len],
            episodes: Vec::with_capacity(count),
        }
    }

    /// The inner loop. `action_of` is inlined for each kind of action.
    #[inline]
    fn step_all<'a>(&mut self, action_of: impl Fn(usize) -> Action<'a>) {
        let limit = self.options.max_episode_steps.unwrap_or(u32::MAX);
        let rows = self.obs.chunks_exact_mut(self.obs_len.max(1));
        let flags = self.terminated.iter_mut().zip(&mut self.truncated);
        let outputs = rows.zip(&mut self.rewards).zip(flags);
        for (position, (slot, ((obs, reward), flag))) in
            self.slots.iter_mut().zip(outputs).enumerate()
        {
            let step = slot.env.step(action_of(position), &mut slot.rng, obs);
            slot.episode_steps += 1;
            slot.episode_return += f64::from(step.reward);
            let truncated = step.truncated | (slot.episode_steps >= limit && !step.terminated);
            *reward = step.reward;
            (*flag.0, *flag.1) = (step.terminated, truncated);
            if step.terminated | truncated {
                let start = position * self.obs_len;
                self.final_obs[start..start + self.obs_len].copy_from_slice(obs);
                let index = self.options.first + position;
                self.episodes.push(slot.end_episode(index, step, obs));
            }
        }
    }

    /// Looks for numbers that are not finite in what the last step wrote.
    fn check_finite(&self) -> Result<()> {
        if all_finite(&self.obs) && all_finite(&self.rewards) && self.final_obs_finite() {
            return Ok(());
        }
        Err(self.find_not_finite())
    }

    fn final_obs_finite(&self) -> bool {
        self.episodes.is_empty() || all_finite(&self.final_obs)
    }

    #[cold]
    fn find_not_finite(&self) -> Error {
        for position in 0..self.slots.len() {
            let row = position * self.obs_len..(position + 1) * self.obs_len;
            let done = self.terminated[position] || self.truncated[position];
            let last = if done { &self.final_obs } else { &self.obs };
            let verdict = ContractViolation::check_obs(&last[row.clone()], false)
                .and_then(|()| ContractViolation::check_reward(self.rewards[position]))
                .and_then(|()| ContractViolation::check_obs(&self.obs[row], true));
            if let Err(violation) = verdict {
                return Error::BrokenEnv { index: self.options.first + position, violation };
            }
        }
        let violation = ContractViolation::RewardNotFinite { reward: f32::NAN };
        Error::BrokenEnv { index: self.options.first, violation }
    }

    /// Refuses actions that do not fit before anything moves.
    fn check_actions(&self, actions: Actions<'_>) -> Result<()> {
        let per_env = self.action_space.action_len();
        let (got, expected) = match actions {
            Actions::Discrete(choices) => (choices.len(), self.slots.len() * per_env),
            Actions::Continuous(values) => (values.len(), self.slots.len() * per_env),
        };
        if got != expected {
            return Err(Error::ActionCount { got, expected, environments: self.slots.len() });
        }
        let wrong = match (&self.action_space, actions) {
            (Space::Discrete { n }, Actions::Discrete(choices)) => first_not_below(choices, |_| *n),
            (Space::MultiDiscrete { n }, Actions::Discrete(choices)) => {
                first_not_below(choices, |at| n[at % per_env])
            }
            (Space::MultiBinary { .. }, Actions::Discrete(switches)) => {
                first_not_below(switches, |_| 2)
            }
            (Space::Box { .. }, Actions::Continuous(values)) if all_finite(values) => None,
            (Space::Box { .. }, Actions::Continuous(values)) => {
                values.iter().position(|value| !value.is_finite())
            }
            _ => Some(0),
        };
        match wrong {
            None => Ok(()),
            Some(at) => Err(Error::InvalidAction {
                index: self.options.first + at / per_env.max(1),
                space: self.action_space.to_string(),
            }),
        }
    }

    /// The snapshots of this range, in order, each of which fits.
    fn own_range<'a>(&self, snapshot: &'a [EnvSnapshot]) -> Result<Vec<&'a EnvSnapshot>> {
        let range = self.options.first..self.options.first + self.slots.len();
        let find = |index| {
            let state = snapshot.iter().find(|state| state.index == index);
            let state = state.ok_or_else(|| mismatch(format!("it has no environment {index}")))?;
            self.check_fits(state)?;
            Ok(state)
        };
        range.map(find).collect()
    }

    fn check_fits(&self, state: &EnvSnapshot) -> Result<()> {
        let (index, got, want) = (state.index, state.obs.len(), self.obs_len);
        if got == want {
            return Ok(());
        }
        let reason =
            format!("the observation of environment {index} has {got} numbers, not {want}");
        Err(mismatch(reason))
    }

    fn clear_step(&mut self) {
        self.rewards.fill(0.0);
        self.terminated.fill(false);
        self.truncated.fill(false);
        self.final_obs.fill(0.0);
        self.episodes.clear();
    }
}

impl<E: Env> Slot<E> {
    /// Continues from a snapshot; unchanged if it does not fit.
    fn restore(&mut self, state: &EnvSnapshot) -> Result<()> {
        let restored = self.env.restore(&state.env);
        restored.map_err(|reason| mismatch(format!("environment {}: {reason}", state.index)))?;
        self.rng = state.rng.clone();
        self.episode_return = state.episode_return;
        self.episode_steps = state.episode_steps;
        Ok(())
    }

    /// Closes the books of an episode and begins the next one.
    #[inline]
    fn end_episode(&mut self, index: usize, step: Step, obs: &mut [f32]) -> EpisodeEnd {
        let end = EpisodeEnd {
            env: index,
            episode_return: self.episode_return,
            length: self.episode_steps,
            terminated: step.terminated,
        };
        (self.episode_return, self.episode_steps) = (0.0, 0);
        self.env.reset(&mut self.rng, obs);
        end
    }
}

impl<E: Env> VectorEnv for Vectorized<E> {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn options(&self) -> &VectorOptions {
        &self.options
    }

    fn reset(&mut self) -> Result<StepView<'_>> {
        self.clear_step();
        let rows = self.obs.chunks_exact_mut(self.obs_len.max(1));
        for (slot, obs) in self.slots.iter_mut().zip(rows) {
            (slot.episode_return, slot.episode_steps) = (0.0, 0);
            slot.env.reset(&mut slot.rng, obs);
        }
        self.started = true;
        for (position, row) in self.obs.chunks_exact(self.obs_len.max(1)).enumerate() {
            ContractViolation::check_obs(row, true).map_err(|violation| Error::BrokenEnv {
                index: self.options.first + position,
                violation,
            })?;
        }
        Ok(self.view())
    }

    fn step(&mut self, actions: Actions<'_>) -> Result<StepView<'_>> {
        if !self.started {
            return Err(Error::NeedsReset { index: self.options.first });
        }
        self.check_actions(actions)?;
        self.episodes.clear();
        let per_env = self.action_space.action_len();
        let range = |position: usize| position * per_env..(position + 1) * per_env;
        match (actions, &self.action_space) {
            (Actions::Discrete(choices), Space::Discrete { .. }) => {
                self.step_all(|position| Action::Discrete(choices[position]));
            }
            (Actions::Discrete(choices), _) => {
                self.step_all(|position| Action::Multi(&choices[range(position)]));
            }
            (Actions::Continuous(values), _) => {
                self.step_all(|position| Action::Continuous(&values[range(position)]));
            }
        }
        self.check_finite()?;
        Ok(self.view())
    }

    fn view(&self) -> StepView<'_> {
        StepView {
            obs: &self.obs,
            rewards: &self.rewards,
            terminated: &self.terminated,
            truncated: &self.truncated,
            final_obs: &self.final_obs,
            episodes: &self.episodes,
        }
    }

    fn snapshot(&self) -> Result<VectorSnapshot> {
        (0..self.slots.len()).map(|position| self.snapshot_one(position)).collect()
    }

    fn restore(&mut self, snapshot: &[EnvSnapshot]) -> Result<()> {
        let states = self.own_range(snapshot)?;
        let before = self.snapshot().unwrap_or_default();
        let mut slots = self.slots.iter_mut().zip(&states);
        if let Err(error) = slots.try_for_each(|(slot, state)| slot.restore(state)) {
            for (slot, state) in self.slots.iter_mut().zip(&before) {
                slot.restore(state)?;
            }
            return Err(error);
        }
        for (row, state) in self.obs.chunks_exact_mut(self.obs_len.max(1)).zip(states) {
            row.copy_from_slice(&state.obs);
        }
        self.started = true;
        self.clear_step();
        Ok(())
    }

    fn snapshot_one(&self, position: usize) -> Result<EnvSnapshot> {
        let index = self.options.first + position;
        let slot = self.slots.get(position);
        let slot = slot.ok_or_else(|| mismatch(format!("there is no position {position}")))?;
        if !self.started {
            return Err(Error::NeedsReset { index });
        }
        Ok(EnvSnapshot {
            index,
            env: slot.env.snapshot().ok_or(Error::SnapshotUnsupported { index })?,
            rng: slot.rng.clone(),
            episode_return: slot.episode_return,
            episode_steps: slot.episode_steps,
            obs: self.obs[position * self.obs_len..(position + 1) * self.obs_len].to_vec(),
        })
    }

    fn restore_one(&mut self, snapshot: &EnvSnapshot) -> Result<()> {
        let index = snapshot.index;
        if !self.started {
            return Err(Error::NeedsReset { index });
        }
        self.check_fits(snapshot)?;
        let position = index.wrapping_sub(self.options.first);
        let slot = self.slots.get_mut(position);
        let slot = slot.ok_or_else(|| mismatch(format!("environment {index} is not held here")))?;
        slot.restore(snapshot)?;
        let start = position * self.obs_len;
        self.obs[start..start + self.obs_len].copy_from_slice(&snapshot.obs);
        Ok(())
    }

    fn render(&self, position: usize) -> Option<Frame> {
        self.slots.get(position)?.env.render()
    }
}

impl<E> fmt::Debug for Vectorized<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vectorized")
            .field("options", &self.options)
            .field("observation_space", &self.observation_space)
            .field("action_space", &self.action_space)
            .finish_non_exhaustive()
    }
}

fn mismatch(reason: String) -> Error {
    Error::SnapshotMismatch { reason }
}

/// Whether no number is infinite or NaN. Written over bits so that it runs many numbers at a time.
#[inline]
fn all_finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    const CARRY: u32 = 0x0080_0000;
    let overflow = values.iter().fold(0, |acc, x| acc | ((x.to_bits() & EXPONENT) + CARRY));
    overflow >> 31 == 0
}

fn first_not_below(choices: &[u32], bound: impl Fn(usize) -> u32) -> Option<usize> {
    let wrong = choices.iter().enumerate().fold(false, |acc, (at, &x)| acc | (x >= bound(at)));
    if wrong { choices.iter().enumerate().position(|(at, &x)| x >= bound(at)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finiteness_over_bits() {
        assert!(all_finite(&[0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45]));
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = vec![1.0; 37];
            values[36] = bad;
            assert!(!all_finite(&values), "{bad}");
        }
    }
}

//! Stepping a range of environments by a policy: what an env runner does, without the actor around it.

use super::config::PpoConfig;
use super::head::{ActionBuffer, Head, copy_rows};
use super::network::{NetworkFactory, write_weights};
use super::rollout::{Aside, EnvState, Rollout, RolloutBuffer, Shape};
use crate::env::{EpisodeEnd, VectorEnv, VectorOptions, make_vector};
use crate::error::{Error, Result};
use crate::rng::{Rng, Stream};
use raytree_nn::Model;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The environments `first..first + n` of an experiment, and a copy of its network.
#[derive(Debug)]
pub(super) struct Sampler {
    envs: Box<dyn VectorEnv>,
    model: Box<dyn Model>,
    head: Head,
    policy_rngs: Vec<Rng>,
    shape: Shape,
    /// Output rows of the network.
    outputs: Vec<f32>,
    /// The actions of one step, as drawn and as carried out.
    drawn: ActionBuffer,
    carried_out: ActionBuffer,
    started: bool,
}

/// What random actions brought.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Walked {
    pub(super) env_steps: u64,
    pub(super) episodes: u64,
    /// Sum over episodes, per environment, so that adding them up does not depend on their division.
    pub(super) returns: Vec<f64>,
}

impl Walked {
    /// Adds the environments that follow.
    pub(super) fn join(mut self, mut next: Self) -> Self {
        self.env_steps += next.env_steps;
        self.episodes += next.episodes;
        self.returns.append(&mut next.returns);
        self
    }
}

impl Sampler {
    pub(super) fn new(
        config: &PpoConfig,
        factory: &NetworkFactory,
        range: Range<usize>,
    ) -> Result<Self> {
        let count = range.len();
        let options = VectorOptions::new(count).first(range.start).seed(config.seed);
        let envs = make_vector(&config.env, options)?;
        let head = Head::of(envs.action_space())?;
        let spec = factory.spec();
        let rng = |index: usize| Rng::stream(config.seed, Stream::Policy(index as u64));
        Ok(Self {
            envs,
            model: factory.model()?,
            policy_rngs: range.map(rng).collect(),
            shape: Shape { steps: config.rollout_steps, envs: count, obs_len: spec.inputs },
            outputs: vec![0.0; count * spec.outputs()],
            drawn: head.buffer(count),
            carried_out: head.buffer(count),
            head,
            started: false,
        })
    }

    /// Continues from these states, one per environment, in order.
    pub(super) fn restore(&mut self, states: &[EnvState]) -> Result<()> {
        let first = self.envs.options().first;
        let own = states.get(first..first + self.shape.envs).ok_or_else(|| {
            let reason = format!("it has {} environments, too few", states.len());
            Error::SnapshotMismatch { reason }
        })?;
        let envs: Vec<_> = own.iter().map(|state| state.env.clone()).collect();
        self.envs.restore(&envs)?;
        self.policy_rngs = own.iter().map(|state| state.policy_rng.clone()).collect();
        self.started = true;
        Ok(())
    }

    /// Samples one rollout with these weights. Allocates nothing per step but for the episodes that end.
    pub(super) fn sample(&mut self, weights: &[f32]) -> Result<(Rollout, Aside)> {
        write_weights(&mut *self.model, weights);
        if !self.started {
            self.envs.reset()?;
            self.started = true;
        }
        let mut to = RolloutBuffer::new(self.shape, &self.head);
        let mut episodes = Vec::with_capacity(self.shape.envs);
        for step in 0..self.shape.steps {
            self.step(step, &mut to, &mut episodes)?;
        }
        let Self { envs, model, outputs, .. } = self;
        model.forward(envs.view().obs, self.shape.envs, outputs);
        let rows = outputs.chunks_exact(model.outputs());
        for (value, row) in to.last_values.iter_mut().zip(rows) {
            *value = row[row.len() - 1];
        }
        Ok((to.finish(), Aside { episodes, after: self.states()? }))
    }

    /// One step of every environment into row block `step`.
    fn step(
        &mut self,
        step: usize,
        to: &mut RolloutBuffer,
        episodes: &mut Vec<(usize, EpisodeEnd)>,
    ) -> Result<()> {
        let Shape { envs: count, obs_len, .. } = self.shape;
        let (first, width) = (step * count, self.model.outputs());
        let obs = self.envs.view().obs;
        copy_rows(&mut to.obs, first, obs, 0..count, obs_len);
        self.model.forward(obs, count, &mut self.outputs);
        let rows = self.outputs.chunks_exact(width).zip(&mut self.policy_rngs);
        let mut sound = 0.0;
        for (position, (row, rng)) in rows.enumerate() {
            let (policy, value) = (&row[..width - 1], row[width - 1]);
            let log_prob = self.head.sample(policy, rng, &mut self.drawn, position);
            to.log_probs[first + position] = log_prob;
            to.values[first + position] = value;
            // Stays 0 as long as both are finite.
            sound += 0.0 * log_prob + 0.0 * value;
        }
        if sound.is_nan() {
            return Err(Error::Diverged {
                iteration: 0,
                cause: format!("the network's outputs in step {step} of a rollout are not finite"),
            });
        }
        let action_len = self.head.action_len();
        to.actions.copy_rows(first, self.drawn.lend(), 0..count, action_len);
        self.carried_out.copy_rows(0, self.drawn.lend(), 0..count, action_len);
        self.head.confine(&mut self.carried_out);
        let view = self.envs.step(self.carried_out.lend())?;
        copy_rows(&mut to.rewards, first, view.rewards, 0..count, 1);
        mark_rows(&mut to.terminated[first..first + count], view.terminated);
        mark_rows(&mut to.truncated[first..first + count], view.truncated);
        episodes.extend(view.episodes.iter().map(|episode| (step, *episode)));
        for (position, _) in view.truncated.iter().enumerate().filter(|(_, cut)| **cut) {
            let last = &view.final_obs[position * obs_len..(position + 1) * obs_len];
            // Row-stable inference: a row alone has the bits it has in a batch.
            self.model.forward(last, 1, &mut self.outputs[..width]);
            to.truncation_values[first + position] = self.outputs[width - 1];
        }
        Ok(())
    }

    /// Steps every environment so often with random actions, from where its streams are.
    pub(super) fn walk(&mut self, steps: usize) -> Result<Walked> {
        self.envs.reset()?;
        self.started = true;
        let mut walked = Walked { returns: vec![0.0; self.shape.envs], ..Walked::default() };
        let first = self.envs.options().first;
        let space = self.envs.action_space().clone();
        let mut bits = vec![0; self.shape.envs];
        for step in 0..steps {
            self.drawn.set_random(&space, step, &mut self.policy_rngs, &mut bits);
            for episode in self.envs.step(self.drawn.lend())?.episodes {
                walked.episodes += 1;
                walked.returns[episode.env - first] += episode.episode_return;
            }
        }
        walked.env_steps = (steps * self.shape.envs) as u64;
        Ok(walked)
    }

    /// The environments now; `None` if they cannot be saved.
    fn states(&self) -> Result<Option<Vec<EnvState>>> {
        let envs = match self.envs.snapshot() {
            Ok(envs) => envs,
            Err(Error::SnapshotUnsupported { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let rngs = self.policy_rngs.iter().cloned();
        let states = envs.into_iter().zip(rngs);
        Ok(Some(states.map(|(env, policy_rng)| EnvState { env, policy_rng }).collect()))
    }
}

fn mark_rows(marks: &mut [u8], flags: &[bool]) {
    for (mark, flag) in marks.iter_mut().zip(flags) {
        *mark = u8::from(*flag);
    }
}

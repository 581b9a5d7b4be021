//! What env runners bring home: the steps of a range of environments, and how ranges are joined.

use super::head::{ActionBuffer, Head, copy_rows};
use crate::env::{EnvSnapshot, EpisodeEnd};
use crate::gae;
use crate::rng::Rng;
use serde::{Deserialize, Serialize};

/// One environment between two rollouts, with the stream its actions are drawn from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EnvState {
    pub(super) env: EnvSnapshot,
    pub(super) policy_rng: Rng,
}

/// How large a rollout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) steps: usize,
    pub(super) envs: usize,
    pub(super) obs_len: usize,
}

/// `steps` x `envs` steps, step-major.
#[derive(Clone, Debug)]
pub(super) struct Rollout {
    pub(super) shape: Shape,
    pub(super) obs: Vec<f32>,
    pub(super) actions: ActionBuffer,
    action_len: usize,
    pub(super) log_probs: Vec<f32>,
    pub(super) values: Vec<f32>,
    pub(super) rewards: Vec<f32>,
    pub(super) terminated: Vec<bool>,
    pub(super) truncated: Vec<bool>,
    /// Values of final observations, where truncated.
    pub(super) truncation_values: Vec<f32>,
    pub(super) last_values: Vec<f32>,
    /// Episodes that ended, with their step, in the order of steps, then environments.
    pub(super) episodes: Vec<(usize, EpisodeEnd)>,
    /// The environments after the last step; `None` if they cannot be saved.
    pub(super) after: Option<Vec<EnvState>>,
}

impl Rollout {
    /// Room for a rollout; everything is zero.
    pub(super) fn new(shape: Shape, head: &Head) -> Self {
        let rows = shape.steps * shape.envs;
        Self {
            shape,
            obs: vec![0.0; rows * shape.obs_len],
            actions: head.buffer(rows),
            action_len: head.action_len(),
            log_probs: vec![0.0; rows],
            values: vec![0.0; rows],
            rewards: vec![0.0; rows],
            terminated: vec![false; rows],
            truncated: vec![false; rows],
            truncation_values: vec![0.0; rows],
            last_values: vec![0.0; shape.envs],
            episodes: Vec::with_capacity(shape.envs),
            after: None,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rewards.len()
    }

    /// Takes over the rollout of the environments `first..first + part.shape.envs`.
    ///
    /// Called for each part in the order of environments; then [`finish_join`](Self::finish_join).
    pub(super) fn join(&mut self, part: &mut Self, first: usize) {
        let (all, some) = (self.shape.envs, part.shape.envs);
        for step in 0..self.shape.steps {
            let (to, rows) = (step * all + first, step * some..(step + 1) * some);
            copy_rows(&mut self.obs, to, &part.obs, rows.clone(), self.shape.obs_len);
            self.actions.copy_rows(to, &part.actions, rows.clone(), self.action_len);
            copy_rows(&mut self.log_probs, to, &part.log_probs, rows.clone(), 1);
            copy_rows(&mut self.values, to, &part.values, rows.clone(), 1);
            copy_rows(&mut self.rewards, to, &part.rewards, rows.clone(), 1);
            copy_rows(&mut self.terminated, to, &part.terminated, rows.clone(), 1);
            copy_rows(&mut self.truncated, to, &part.truncated, rows.clone(), 1);
            copy_rows(&mut self.truncation_values, to, &part.truncation_values, rows, 1);
        }
        copy_rows(&mut self.last_values, first, &part.last_values, 0..some, 1);
        if first == 0 {
            self.episodes.clear();
            self.after = Some(Vec::with_capacity(all));
        }
        self.episodes.append(&mut part.episodes);
        match (&mut self.after, part.after.take()) {
            (Some(after), Some(mut states)) => after.append(&mut states),
            _ => self.after = None,
        }
    }

    /// Brings episodes into their order after the last part was joined.
    pub(super) fn finish_join(&mut self) {
        self.episodes.sort_by_key(|(step, episode)| (*step, episode.env));
    }

    /// What advantage estimation reads.
    pub(super) fn for_gae(&self) -> gae::Rollout<'_> {
        gae::Rollout {
            rewards: &self.rewards,
            values: &self.values,
            terminated: &self.terminated,
            truncated: &self.truncated,
            truncation_values: &self.truncation_values,
            last_values: &self.last_values,
        }
    }
}

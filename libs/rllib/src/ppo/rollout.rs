//! What env runners bring home: the steps of a range of environments, and how ranges are joined.

use super::head::{ActionBuffer, Head, SentActions, copy_rows};
use crate::env::{EnvSnapshot, EpisodeEnd};
use crate::gae;
use crate::rng::Rng;
use raytree::Array;
use serde::{Deserialize, Serialize};

/// One environment between two rollouts, with the stream its actions are drawn from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EnvState {
    pub(super) env: EnvSnapshot,
    pub(super) policy_rng: Rng,
}

/// How large a rollout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) steps: usize,
    pub(super) envs: usize,
    pub(super) obs_len: usize,
}

/// `steps` x `envs` steps, step-major: what a learner learns from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Rollout {
    pub(super) shape: Shape,
    pub(super) obs: Array<f32>,
    pub(super) actions: SentActions,
    pub(super) log_probs: Array<f32>,
    pub(super) values: Array<f32>,
    pub(super) rewards: Array<f32>,
    /// 1 where an episode ended by itself.
    pub(super) terminated: Array<u8>,
    /// 1 where it was cut.
    pub(super) truncated: Array<u8>,
    /// Values of final observations, where truncated.
    pub(super) truncation_values: Array<f32>,
    pub(super) last_values: Array<f32>,
}

/// What happened beside the steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Aside {
    /// Episodes that ended, with their step, in the order of steps, then environments.
    pub(super) episodes: Vec<(usize, EpisodeEnd)>,
    /// The environments after the last step; `None` if they cannot be saved.
    pub(super) after: Option<Vec<EnvState>>,
}

/// A rollout that is being written, or joined from parts.
#[derive(Debug)]
pub(super) struct RolloutBuffer {
    pub(super) shape: Shape,
    pub(super) obs: Vec<f32>,
    pub(super) actions: ActionBuffer,
    action_len: usize,
    pub(super) log_probs: Vec<f32>,
    pub(super) values: Vec<f32>,
    pub(super) rewards: Vec<f32>,
    pub(super) terminated: Vec<u8>,
    pub(super) truncated: Vec<u8>,
    pub(super) truncation_values: Vec<f32>,
    pub(super) last_values: Vec<f32>,
}

/// Where episodes ended, and how.
pub(super) struct Ends {
    terminated: Vec<bool>,
    truncated: Vec<bool>,
}

impl RolloutBuffer {
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
            terminated: vec![0; rows],
            truncated: vec![0; rows],
            truncation_values: vec![0.0; rows],
            last_values: vec![0.0; shape.envs],
        }
    }

    /// Copies the rollout of the environments from `first` on.
    pub(super) fn join(&mut self, part: &Rollout, first: usize) {
        let (all, some) = (self.shape.envs, part.shape.envs);
        let Rollout { obs, log_probs, values, rewards, .. } = part;
        let Rollout { terminated, truncated, truncation_values, last_values, .. } = part;
        for step in 0..self.shape.steps {
            let (to, rows) = (step * all + first, step * some..(step + 1) * some);
            copy_rows(&mut self.obs, to, obs, rows.clone(), self.shape.obs_len);
            self.actions.copy_rows(to, part.actions.lend(), rows.clone(), self.action_len);
            copy_rows(&mut self.log_probs, to, log_probs, rows.clone(), 1);
            copy_rows(&mut self.values, to, values, rows.clone(), 1);
            copy_rows(&mut self.rewards, to, rewards, rows.clone(), 1);
            copy_rows(&mut self.terminated, to, terminated, rows.clone(), 1);
            copy_rows(&mut self.truncated, to, truncated, rows.clone(), 1);
            copy_rows(&mut self.truncation_values, to, truncation_values, rows, 1);
        }
        copy_rows(&mut self.last_values, first, last_values, 0..some, 1);
    }

    /// The rollout, in the same memory.
    pub(super) fn finish(self) -> Rollout {
        Rollout {
            shape: self.shape,
            obs: self.obs.into(),
            actions: self.actions.into(),
            log_probs: self.log_probs.into(),
            values: self.values.into(),
            rewards: self.rewards.into(),
            terminated: self.terminated.into(),
            truncated: self.truncated.into(),
            truncation_values: self.truncation_values.into(),
            last_values: self.last_values.into(),
        }
    }
}

impl Aside {
    /// Before the first part is joined.
    pub(super) fn new() -> Self {
        Self { episodes: Vec::new(), after: Some(Vec::new()) }
    }

    /// Adds the environments that follow.
    pub(super) fn join(&mut self, mut next: Self) {
        self.episodes.append(&mut next.episodes);
        match (&mut self.after, next.after) {
            (Some(after), Some(mut states)) => after.append(&mut states),
            _ => self.after = None,
        }
    }

    /// Brings episodes into their order after the last part was joined.
    pub(super) fn finish_join(&mut self) {
        self.episodes.sort_by_key(|(step, episode)| (*step, episode.env));
    }
}

impl Rollout {
    pub(super) fn rows(&self) -> usize {
        self.rewards.len()
    }

    pub(super) fn ends(&self) -> Ends {
        let flags = |marks: &[u8]| marks.iter().map(|mark| *mark != 0).collect();
        Ends { terminated: flags(&self.terminated), truncated: flags(&self.truncated) }
    }

    /// What advantage estimation reads.
    pub(super) fn for_gae<'a>(&'a self, ends: &'a Ends) -> gae::Rollout<'a> {
        gae::Rollout {
            rewards: &self.rewards,
            values: &self.values,
            terminated: &ends.terminated,
            truncated: &ends.truncated,
            truncation_values: &self.truncation_values,
            last_values: &self.last_values,
        }
    }
}

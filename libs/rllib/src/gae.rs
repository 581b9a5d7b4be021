//! Generalised advantage estimation (Schulman et al. 2015, <https://arxiv.org/abs/1506.02438>).
//!
//! With `delta_t = r_t + gamma V(s_{t+1}) - V(s_t)`, the advantage is `A_t = delta_t + gamma lambda A_{t+1}`. An
//! episode's end cuts the recursion: after a terminated step nothing follows (`V(s_{t+1})` counts 0), after a truncated
//! one the value of the observation that was cut off stands in (`truncation_values`).

use crate::error::{Error, Result};

/// A rollout of `steps` x `envs`, step-major (`[t][env]`).
#[derive(Clone, Copy, Debug)]
pub struct Rollout<'a> {
    /// Rewards.
    pub rewards: &'a [f32],
    /// Values of the observations acted on.
    pub values: &'a [f32],
    /// Whether the step ended its episode. Goes before `truncated` where both are set.
    pub terminated: &'a [bool],
    /// Whether the step was the last of an episode cut short.
    pub truncated: &'a [bool],
    /// Values of the final observations; read only where `truncated`.
    pub truncation_values: &'a [f32],
    /// Values of the observations after the last step, one per environment.
    pub last_values: &'a [f32],
}

/// Writes advantages and value targets (`advantage + value`) of a rollout.
///
/// `gamma` is the discount and `lambda` the mixing weight, both in `[0, 1]`. No allocation.
///
/// ```
/// use raytree_rllib::gae::{Rollout, gae};
///
/// // Two steps of one environment; the first ends its episode.
/// let rollout = Rollout {
///     rewards: &[1.0, 2.0],
///     values: &[0.5, 0.5],
///     terminated: &[true, false],
///     truncated: &[false, false],
///     truncation_values: &[0.0, 0.0],
///     last_values: &[1.0],
/// };
/// let (mut advantages, mut targets) = ([0.0; 2], [0.0; 2]);
/// gae(rollout, 0.5, 0.9, &mut advantages, &mut targets)?;
/// assert_eq!(advantages, [0.5, 2.0]);
/// assert_eq!(targets, [1.0, 2.5]);
/// # Ok::<(), raytree_rllib::Error>(())
/// ```
///
/// # Errors
/// [`Error::Length`] if the slices do not fit together; nothing is written then.
pub fn gae(
    rollout: Rollout<'_>,
    gamma: f32,
    lambda: f32,
    advantages: &mut [f32],
    targets: &mut [f32],
) -> Result<()> {
    check(&rollout, advantages, targets)?;
    let envs = rollout.last_values.len();
    if envs == 0 {
        return Ok(());
    }
    let steps = rollout.rewards.len() / envs;
    for step in (0..steps).rev() {
        for env in 0..envs {
            let at = step * envs + env;
            let (next_value, next_advantage) = if rollout.terminated[at] {
                (0.0, 0.0)
            } else if rollout.truncated[at] {
                (rollout.truncation_values[at], 0.0)
            } else if step + 1 == steps {
                (rollout.last_values[env], 0.0)
            } else {
                (rollout.values[at + envs], advantages[at + envs])
            };
            let delta = rollout.rewards[at] + gamma * next_value - rollout.values[at];
            let advantage = delta + gamma * lambda * next_advantage;
            advantages[at] = advantage;
            targets[at] = advantage + rollout.values[at];
        }
    }
    Ok(())
}

fn check(rollout: &Rollout<'_>, advantages: &[f32], targets: &[f32]) -> Result<()> {
    let (len, envs) = (rollout.rewards.len(), rollout.last_values.len());
    if len.checked_rem(envs) != Some(0) && len + envs > 0 {
        return Err(Error::Length { name: "last_values", got: envs, expected: len.min(1) });
    }
    Error::check_len("values", rollout.values.len(), len)?;
    Error::check_len("terminated", rollout.terminated.len(), len)?;
    Error::check_len("truncated", rollout.truncated.len(), len)?;
    Error::check_len("truncation_values", rollout.truncation_values.len(), len)?;
    Error::check_len("advantages", advantages.len(), len)?;
    Error::check_len("targets", targets.len(), len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked() {
        let rollout = Rollout {
            rewards: &[0.0; 6],
            values: &[0.0; 6],
            terminated: &[false; 6],
            truncated: &[false; 6],
            truncation_values: &[0.0; 6],
            last_values: &[0.0; 3],
        };
        let run = |rollout: Rollout<'_>, n: usize| {
            gae(rollout, 0.9, 0.9, &mut vec![0.0; n], &mut [0.0; 6])
        };
        assert!(run(rollout, 6).is_ok());
        assert!(matches!(run(rollout, 5), Err(Error::Length { name: "advantages", .. })));
        for bad in [
            Rollout { last_values: &[0.0; 4], ..rollout },
            Rollout { last_values: &[], ..rollout },
            Rollout { values: &[0.0; 5], ..rollout },
            Rollout { terminated: &[], ..rollout },
        ] {
            assert!(matches!(run(bad, 6), Err(Error::Length { .. })), "{bad:?}");
        }
    }
}

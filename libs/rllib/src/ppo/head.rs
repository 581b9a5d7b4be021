//! From the policy's outputs to actions: which distribution an action space asks for.

use crate::error::{Error, Result};
use crate::rng::Rng;
use crate::space::{ActionValue, Actions, Space};
use raytree::Array;
use raytree_nn::dist::{categorical, gaussian};
use serde::{Deserialize, Serialize};

/// The distribution over the actions of a space.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Head {
    /// One of so many choices, by their logits.
    Categorical(usize),
    /// Independent normal numbers between these bounds; what lies outside is moved to the bound when it is carried out.
    Gaussian { low: Vec<f32>, high: Vec<f32> },
}

/// The actions of several rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ActionBuffer {
    Choices(Vec<u32>),
    Reals(Vec<f32>),
}

/// The same, to be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum SentActions {
    Choices(Array<u32>),
    Reals(Array<f32>),
}

impl Head {
    pub(super) fn of(space: &Space) -> Result<Self> {
        match space {
            Space::Discrete { n } => Ok(Self::Categorical(*n as usize)),
            Space::Box { low, high, .. } => {
                Ok(Self::Gaussian { low: low.clone(), high: high.clone() })
            }
            _ => Err(Error::UnsupportedSpace { algorithm: "PPO", space: space.to_string() }),
        }
    }

    /// Numbers that describe the distribution of one row.
    pub(super) fn outputs(&self) -> usize {
        match self {
            Self::Categorical(choices) => *choices,
            Self::Gaussian { low, .. } => 2 * low.len(),
        }
    }

    /// Numbers per action.
    pub(super) fn action_len(&self) -> usize {
        match self {
            Self::Categorical(_) => 1,
            Self::Gaussian { low, .. } => low.len(),
        }
    }

    /// Room for the actions of `rows` rows.
    pub(super) fn buffer(&self, rows: usize) -> ActionBuffer {
        match self {
            Self::Categorical(_) => ActionBuffer::Choices(vec![0; rows]),
            Self::Gaussian { low, .. } => ActionBuffer::Reals(vec![0.0; rows * low.len()]),
        }
    }

    /// Draws the action of one row into row `at` of `actions`. Returns its log-probability.
    #[inline]
    pub(super) fn sample(
        &self,
        outputs: &[f32],
        rng: &mut Rng,
        actions: &mut ActionBuffer,
        at: usize,
    ) -> f32 {
        match (self, actions) {
            (Self::Categorical(_), ActionBuffer::Choices(choices)) => {
                let choice = categorical::sample(outputs, rng.uniform());
                choices[at] = choice as u32;
                categorical::log_prob(outputs, choice)
            }
            (Self::Gaussian { low, .. }, ActionBuffer::Reals(reals)) => {
                let (mean, log_std) = outputs.split_at(low.len());
                let action = &mut reals[at * low.len()..(at + 1) * low.len()];
                for (action, (mean, log_std)) in action.iter_mut().zip(mean.iter().zip(log_std)) {
                    *action = mean + log_std.exp() * rng.normal() as f32;
                }
                gaussian::log_prob(mean, log_std, action)
            }
            _ => f32::NAN,
        }
    }

    /// Writes the most likely action of one row into row `at` of `actions`.
    pub(super) fn greedy(&self, outputs: &[f32], actions: &mut ActionBuffer, at: usize) {
        match (self, actions) {
            (Self::Categorical(_), ActionBuffer::Choices(choices)) => {
                choices[at] = categorical::greedy(outputs) as u32;
            }
            (Self::Gaussian { low, .. }, ActionBuffer::Reals(reals)) => {
                reals[at * low.len()..(at + 1) * low.len()].copy_from_slice(&outputs[..low.len()]);
            }
            _ => {}
        }
    }

    /// Moves real numbers into the bounds of the space, as they are carried out.
    pub(super) fn confine(&self, actions: &mut ActionBuffer) {
        if let (Self::Gaussian { low, high }, ActionBuffer::Reals(reals)) = (self, actions) {
            for row in reals.chunks_exact_mut(low.len()) {
                for (value, (low, high)) in row.iter_mut().zip(low.iter().zip(high)) {
                    *value = value.max(*low).min(*high);
                }
            }
        }
    }
}

impl ActionBuffer {
    pub(super) fn lend(&self) -> Actions<'_> {
        match self {
            Self::Choices(choices) => Actions::Discrete(choices),
            Self::Reals(reals) => Actions::Continuous(reals),
        }
    }

    /// Draws each row of step number `step` from the whole space, by a stream of its own. A number of a stream lasts for
    /// as many steps as `bits` keeps of it.
    pub(super) fn set_random(
        &mut self,
        space: &Space,
        step: usize,
        rngs: &mut [Rng],
        bits: &mut [u64],
    ) {
        match (self, space) {
            (Self::Choices(choices), Space::Discrete { n }) => {
                // Few choices take 16 bits, four steps a number; many take 32. The high part of a product: its bias is
                // below 1 in 1,000, or n / 2^32.
                let width = if *n <= 64 { 16 } else { 32 };
                let fresh = step.is_multiple_of(64 / width);
                if fresh {
                    bits.iter_mut().zip(rngs).for_each(|(bits, rng)| *bits = rng.next_u64());
                }
                for (choice, bits) in choices.iter_mut().zip(bits) {
                    let part = *bits & ((1 << width) - 1);
                    *choice = ((part * u64::from(*n)) >> width) as u32;
                    *bits >>= width;
                }
            }
            (Self::Reals(reals), _) => {
                for (at, rng) in rngs.iter_mut().enumerate() {
                    if let ActionValue::Continuous(values) = space.sample(rng) {
                        copy_rows(reals, at, &values, 0..1, values.len());
                    }
                }
            }
            // A head has one kind of buffer, chosen by its space.
            (Self::Choices(_), _) => {}
        }
    }

    /// The first row as a value of its own.
    pub(super) fn first(&self) -> ActionValue {
        match self {
            Self::Choices(choices) => ActionValue::Discrete(choices.first().copied().unwrap_or(0)),
            Self::Reals(reals) => ActionValue::Continuous(reals.clone()),
        }
    }

    /// Copies rows of `len` numbers from `from[from_row..]` to `self[to_row..]`.
    pub(super) fn copy_rows(
        &mut self,
        to_row: usize,
        from: Actions<'_>,
        rows: std::ops::Range<usize>,
        len: usize,
    ) {
        match (self, from) {
            (Self::Choices(to), Actions::Discrete(from)) => copy_rows(to, to_row, from, rows, len),
            (Self::Reals(to), Actions::Continuous(from)) => copy_rows(to, to_row, from, rows, len),
            _ => {}
        }
    }
}

impl SentActions {
    pub(super) fn lend(&self) -> Actions<'_> {
        match self {
            Self::Choices(choices) => Actions::Discrete(choices),
            Self::Reals(reals) => Actions::Continuous(reals),
        }
    }
}

impl From<ActionBuffer> for SentActions {
    fn from(actions: ActionBuffer) -> Self {
        match actions {
            ActionBuffer::Choices(choices) => Self::Choices(choices.into()),
            ActionBuffer::Reals(reals) => Self::Reals(reals.into()),
        }
    }
}

/// Copies `rows` of `from`, each of `len` numbers, to `to` from its row `to_row` on.
#[inline]
pub(super) fn copy_rows<T: Copy>(
    to: &mut [T],
    to_row: usize,
    from: &[T],
    rows: std::ops::Range<usize>,
    len: usize,
) {
    let (count, start) = (rows.len() * len, to_row * len);
    to[start..start + count].copy_from_slice(&from[rows.start * len..rows.end * len]);
}

//! Numbers that change over a training.

use crate::error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number that changes over a training: a learning rate, a clip range, an exploration rate.
///
/// In a configuration file: `1e-3`, `{ from = 1e-3, to = 0.0 }`, or `{ points = [[0, 1e-3], [50000, 1e-4]] }`.
///
/// ```
/// use raytree_rllib::schedule::Schedule;
///
/// let rate = Schedule::linear(1e-3, 0.0);
/// assert_eq!(rate.value(25_000, 100_000), 7.5e-4);
/// assert_eq!(Schedule::from(0.2).value(25_000, 100_000), 0.2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule(Repr);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Repr {
    Constant(f64),
    Linear { from: f64, to: f64 },
    Piecewise { points: Vec<(u64, f64)> },
}

/// As a person writes it.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    remote = "Repr",
    expecting = "a schedule is a number, { from, to } or { points = [[steps, value], ..] }"
)]
enum Written {
    Constant(f64),
    Linear { from: f64, to: f64 },
    Piecewise { points: Vec<(u64, f64)> },
}

impl Schedule {
    /// Always the same value.
    #[must_use]
    pub const fn constant(value: f64) -> Self {
        Self(Repr::Constant(value))
    }

    /// From one value at the start to another at the end of training, in a straight line over environment steps.
    #[must_use]
    pub const fn linear(from: f64, to: f64) -> Self {
        Self(Repr::Linear { from, to })
    }

    /// Straight lines between `(environment steps, value)` points; constant before the first and after the last.
    ///
    /// # Errors
    /// [`Error::InvalidSchedule`] if there are no points, their steps do not increase, or a value is not finite.
    pub fn piecewise(points: Vec<(u64, f64)>) -> Result<Self> {
        Self::try_from(Repr::Piecewise { points })
    }

    /// The value after `env_steps` of a training of `total_env_steps`.
    #[must_use]
    pub fn value(&self, env_steps: u64, total_env_steps: u64) -> f64 {
        match &self.0 {
            Repr::Constant(value) => *value,
            Repr::Linear { from, to } => {
                let progress = env_steps as f64 / total_env_steps.max(1) as f64;
                let progress = progress.min(1.0);
                from + (to - from) * progress
            }
            Repr::Piecewise { points } => piecewise(points, env_steps),
        }
    }

    /// The smallest and the largest value it takes; NaN if one of them is not a number.
    #[must_use]
    pub fn bounds(&self) -> (f64, f64) {
        let over = |values: &[f64]| {
            let whole = if values.iter().any(|value| value.is_nan()) { f64::NAN } else { 0.0 };
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (low + whole, high + whole)
        };
        match &self.0 {
            Repr::Constant(value) => over(&[*value]),
            Repr::Linear { from, to } => over(&[*from, *to]),
            Repr::Piecewise { points } => {
                over(&points.iter().map(|(_, value)| *value).collect::<Vec<_>>())
            }
        }
    }
}

fn piecewise(points: &[(u64, f64)], at: u64) -> f64 {
    let after = points.partition_point(|(steps, _)| *steps <= at);
    match (after.checked_sub(1).and_then(|before| points.get(before)), points.get(after)) {
        (Some(&(start, from)), Some(&(end, to))) => {
            from + (to - from) * ((at - start) as f64 / (end - start) as f64)
        }
        (Some(&(_, value)), None) | (None, Some(&(_, value))) => value,
        (None, None) => 0.0,
    }
}

impl From<f64> for Schedule {
    fn from(value: f64) -> Self {
        Self::constant(value)
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { Written::serialize(&self.0, to) } else { self.0.serialize(to) }
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let repr = match from.is_human_readable() {
            true => Written::deserialize(from)?,
            false => Repr::deserialize(from)?,
        };
        Self::try_from(repr).map_err(de::Error::custom)
    }
}

impl TryFrom<Repr> for Schedule {
    type Error = Error;

    fn try_from(repr: Repr) -> Result<Self> {
        let invalid = |reason: String| Err(Error::InvalidSchedule { reason });
        let values: Vec<f64> = match &repr {
            Repr::Constant(value) => vec![*value],
            Repr::Linear { from, to } => vec![*from, *to],
            Repr::Piecewise { points } if points.is_empty() => {
                return invalid("it has no points".to_owned());
            }
            Repr::Piecewise { points } => {
                if let Some(pair) = points.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
                    let (first, second) = (pair[0].0, pair[1].0);
                    return invalid(format!("step {second} follows step {first}"));
                }
                points.iter().map(|(_, value)| *value).collect()
            }
        };
        match values.into_iter().find(|value| !value.is_finite()) {
            Some(value) => invalid(format!("the value {value} is not finite")),
            None => Ok(Self(repr)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let steps = [0, 50, 100, 150, 300];
        let values = |schedule: &Schedule| steps.map(|at| schedule.value(at, 200));
        assert_eq!(values(&Schedule::linear(1.0, 0.0)), [1.0, 0.75, 0.5, 0.25, 0.0]);
        let lines = Schedule::piecewise(vec![(50, 2.0), (150, 4.0)]).unwrap();
        assert_eq!(values(&lines), [2.0, 2.0, 3.0, 4.0, 4.0]);
        assert_eq!(Schedule::linear(1.0, 0.0).value(0, 0), 1.0);
    }

    #[test]
    fn bad_ones_are_refused_by_name() {
        let message = |points| Schedule::piecewise(points).unwrap_err().to_string();
        assert_eq!(message(vec![]), "invalid schedule: it has no points");
        assert_eq!(message(vec![(5, 1.0), (5, 2.0)]), "invalid schedule: step 5 follows step 5");
        assert_eq!(message(vec![(5, f64::NAN)]), "invalid schedule: the value NaN is not finite");
        let text = r#"{"points": [[9, 1.0], [2, 2.0]]}"#;
        let error = serde_json::from_str::<Schedule>(text).unwrap_err().to_string();
        assert!(error.contains("step 2 follows step 9"), "{error}");
    }

    #[test]
    fn serde() {
        for (schedule, text) in [
            (Schedule::constant(0.5), "0.5"),
            (Schedule::linear(1.0, 0.0), r#"{"from":1.0,"to":0.0}"#),
            (
                Schedule::piecewise(vec![(0, 1.0), (9, 0.5)]).unwrap(),
                r#"{"points":[[0,1.0],[9,0.5]]}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&schedule).unwrap(), text);
            assert_eq!(serde_json::from_str::<Schedule>(text).unwrap(), schedule);
        }
    }
}

//! Spaces: what an observation or an action may be, and how actions travel.

use crate::rng::Rng;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The set of values that an observation or an action may take.
///
/// ```
/// use raytree_rllib::Space;
///
/// assert_eq!(Space::discrete(2).to_string(), "Discrete(2)");
/// assert_eq!(Space::uniform_box(-1.0, 1.0, &[2, 3]).flat_len(), 6);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Space {
    /// One of `n` choices, `0..n`.
    Discrete {
        /// How many choices; at least 1.
        n: u32,
    },
    /// Real numbers, each between its own bounds (both included, infinities allowed).
    Box {
        /// Lower bound of each number, row-major.
        #[serde(with = "bounds")]
        low: Vec<f32>,
        /// Upper bound of each number, row-major.
        #[serde(with = "bounds")]
        high: Vec<f32>,
        /// Lengths of the axes; their product is the length of `low` and `high`.
        shape: Vec<usize>,
    },
    /// Several choices at once, the `i`-th one of `0..n[i]`.
    MultiDiscrete {
        /// How many choices each has; each at least 1.
        n: Vec<u32>,
    },
    /// `n` switches, each 0 or 1.
    MultiBinary {
        /// How many switches.
        n: usize,
    },
}

impl Space {
    /// One of `n` choices.
    #[must_use]
    pub const fn discrete(n: u32) -> Self {
        Self::Discrete { n }
    }

    /// Real numbers of this `shape`, all between `low` and `high`.
    #[must_use]
    pub fn uniform_box(low: f32, high: f32, shape: &[usize]) -> Self {
        let len = shape.iter().product();
        Self::Box { low: vec![low; len], high: vec![high; len], shape: shape.to_vec() }
    }

    /// A vector of real numbers with bounds of their own; the shorter slice decides the length.
    #[must_use]
    pub fn bounded_box(low: &[f32], high: &[f32]) -> Self {
        let len = low.len().min(high.len());
        Self::Box { low: low[..len].to_vec(), high: high[..len].to_vec(), shape: vec![len] }
    }

    /// How many `f32` an observation of this space takes: choices are one-hot, everything else one number each.
    #[must_use]
    pub fn flat_len(&self) -> usize {
        match self {
            Self::Discrete { n } => *n as usize,
            Self::Box { low, .. } => low.len(),
            Self::MultiDiscrete { n } => n.iter().map(|&n| n as usize).sum(),
            Self::MultiBinary { n } => *n,
        }
    }

    /// How many numbers an action of this space takes: 1 for [`Discrete`](Self::Discrete), one per choice, switch or
    /// real number otherwise.
    #[must_use]
    pub fn action_len(&self) -> usize {
        match self {
            Self::Discrete { .. } => 1,
            Self::Box { low, .. } => low.len(),
            Self::MultiDiscrete { n } => n.len(),
            Self::MultiBinary { n } => *n,
        }
    }

    /// Whether a flat observation ([`flat_len`](Self::flat_len) numbers) lies in the space. NaN lies in none.
    #[must_use]
    pub fn contains(&self, flat: &[f32]) -> bool {
        flat.len() == self.flat_len() && self.first_outside(flat).is_none()
    }

    /// The first number of a flat observation that breaks the space, by its index.
    pub(crate) fn first_outside(&self, flat: &[f32]) -> Option<usize> {
        match self {
            Self::Discrete { .. } => not_one_hot(flat),
            Self::Box { low, high, .. } => flat
                .iter()
                .zip(low.iter().zip(high))
                .position(|(x, (low, high))| !(low..=high).contains(&x)),
            Self::MultiDiscrete { n } => {
                let mut start = 0;
                n.iter().find_map(|&n| {
                    let range = start..(start + n as usize).min(flat.len());
                    start = range.end;
                    not_one_hot(&flat[range.clone()]).map(|index| range.start + index)
                })
            }
            Self::MultiBinary { .. } => flat.iter().position(|x| *x != 0.0 && *x != 1.0),
        }
    }

    /// Whether an action lies in the space.
    #[must_use]
    pub fn contains_action(&self, action: Action<'_>) -> bool {
        match (self, action) {
            (Self::Discrete { n }, Action::Discrete(choice)) => choice < *n,
            (Self::MultiDiscrete { n }, Action::Multi(choices)) => {
                n.len() == choices.len() && choices.iter().zip(n).all(|(choice, n)| choice < n)
            }
            (Self::MultiBinary { n }, Action::Multi(switches)) => {
                *n == switches.len() && switches.iter().all(|switch| *switch <= 1)
            }
            (Self::Box { low, .. }, Action::Continuous(values)) => {
                values.len() == low.len() && self.contains(values)
            }
            _ => false,
        }
    }

    /// A random action. Choices are uniform; a real number is uniform between finite bounds, exponential above or below
    /// a single finite bound, and standard normal without bounds.
    #[must_use]
    pub fn sample(&self, rng: &mut Rng) -> ActionValue {
        match self {
            Self::Discrete { n } => ActionValue::Discrete(rng.below(u64::from(*n)) as u32),
            Self::Box { low, high, .. } => ActionValue::Continuous(
                low.iter().zip(high).map(|(&low, &high)| sample_real(low, high, rng)).collect(),
            ),
            Self::MultiDiscrete { n } => {
                ActionValue::Multi(n.iter().map(|&n| rng.below(u64::from(n)) as u32).collect())
            }
            Self::MultiBinary { n } => {
                ActionValue::Multi((0..*n).map(|_| rng.below(2) as u32).collect())
            }
        }
    }

    /// Why the space admits no value, if so.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        match self {
            Self::Discrete { n: 0 } => Some("it has no choices"),
            Self::MultiDiscrete { n } if n.is_empty() => Some("it has no choices"),
            Self::MultiDiscrete { n } if n.contains(&0) => Some("one of its choices is empty"),
            Self::MultiBinary { n: 0 } => Some("it has no switches"),
            Self::Box { low, .. } if low.is_empty() => Some("it has no numbers"),
            Self::Box { low, high, shape } => {
                if low.len() != high.len() || low.len() != shape.iter().product::<usize>() {
                    Some("its bounds and its shape differ in length")
                } else if low.iter().zip(high).any(|(low, high)| low > high) {
                    Some("a lower bound lies above its upper bound")
                } else if low.iter().chain(high).any(|bound| bound.is_nan()) {
                    Some("a bound is NaN")
                } else {
                    None
                }
            }
            _ => None,
        }
    }
}

fn not_one_hot(flat: &[f32]) -> Option<usize> {
    let mut seen = false;
    let stray = flat.iter().position(|&x| {
        let second = x == 1.0 && seen;
        seen |= x == 1.0;
        second || (x != 0.0 && x != 1.0)
    });
    stray.or_else(|| (!seen).then_some(0))
}

fn sample_real(low: f32, high: f32, rng: &mut Rng) -> f32 {
    let exponential = |rng: &mut Rng| -(1.0 - rng.uniform()).ln() as f32;
    match (low.is_finite(), high.is_finite()) {
        (true, true) => (rng.range(f64::from(low), f64::from(high)) as f32).clamp(low, high),
        (true, false) => low + exponential(rng),
        (false, true) => high - exponential(rng),
        (false, false) => rng.normal() as f32,
    }
}

/// JSON knows no infinities: for people, an infinite bound is written as the text `inf` or `-inf`.
mod bounds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Bound {
        Number(f32),
        Text(String),
    }

    pub(super) fn serialize<S: Serializer>(bounds: &[f32], to: S) -> Result<S::Ok, S::Error> {
        if !to.is_human_readable() {
            return bounds.serialize(to);
        }
        let bound = |x: &f32| {
            if x.is_finite() { Bound::Number(*x) } else { Bound::Text(x.to_string()) }
        };
        bounds.iter().map(bound).collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f32>, D::Error> {
        if !from.is_human_readable() {
            return Vec::deserialize(from);
        }
        let number = |bound| match bound {
            Bound::Number(x) => Ok(x),
            Bound::Text(text) => text.parse().map_err(|_| {
                D::Error::custom(format!("a bound is a number or `inf`, not `{text}`"))
            }),
        };
        Vec::<Bound>::deserialize(from)?.into_iter().map(number).collect()
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discrete { n } => write!(f, "Discrete({n})"),
            Self::Box { low, high, shape } => {
                let least = low.iter().copied().fold(f32::INFINITY, f32::min);
                let most = high.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                write!(f, "Box({least}, {most}, {shape:?})")
            }
            Self::MultiDiscrete { n } => write!(f, "MultiDiscrete({n:?})"),
            Self::MultiBinary { n } => write!(f, "MultiBinary({n})"),
        }
    }
}

/// One action, lent to an environment.
///
/// [`discrete`](Self::discrete), [`multi`](Self::multi) and [`continuous`](Self::continuous) read it as what the action
/// space says it is. The caller has checked that already: [`VectorEnv`](crate::VectorEnv) refuses other kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action<'a> {
    /// For [`Space::Discrete`].
    Discrete(u32),
    /// For [`Space::MultiDiscrete`] and [`Space::MultiBinary`].
    Multi(&'a [u32]),
    /// For [`Space::Box`].
    Continuous(&'a [f32]),
}

impl<'a> Action<'a> {
    /// The choice; 0 if the action is of another kind.
    #[inline]
    #[must_use]
    pub fn discrete(self) -> u32 {
        match self {
            Self::Discrete(choice) => choice,
            _ => 0,
        }
    }

    /// The choices or switches; empty if the action is of another kind.
    #[inline]
    #[must_use]
    pub fn multi(self) -> &'a [u32] {
        match self {
            Self::Multi(choices) => choices,
            _ => &[],
        }
    }

    /// The real numbers; empty if the action is of another kind.
    #[inline]
    #[must_use]
    pub fn continuous(self) -> &'a [f32] {
        match self {
            Self::Continuous(values) => values,
            _ => &[],
        }
    }
}

/// One action, owned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ActionValue {
    /// For [`Space::Discrete`].
    Discrete(u32),
    /// For [`Space::MultiDiscrete`] and [`Space::MultiBinary`].
    Multi(Vec<u32>),
    /// For [`Space::Box`].
    Continuous(Vec<f32>),
}

impl ActionValue {
    /// The action, lent.
    #[must_use]
    pub fn as_action(&self) -> Action<'_> {
        match self {
            Self::Discrete(choice) => Action::Discrete(*choice),
            Self::Multi(choices) => Action::Multi(choices),
            Self::Continuous(values) => Action::Continuous(values),
        }
    }
}

/// The actions of `n` environments, lent to [`VectorEnv::step`](crate::VectorEnv::step): `n` times
/// [`Space::action_len`] numbers, environment by environment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Actions<'a> {
    /// For [`Space::Discrete`], [`Space::MultiDiscrete`] and [`Space::MultiBinary`].
    Discrete(&'a [u32]),
    /// For [`Space::Box`].
    Continuous(&'a [f32]),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    fn spaces() -> Vec<Space> {
        vec![
            Space::discrete(5),
            Space::uniform_box(-2.0, 3.0, &[2, 2]),
            Space::bounded_box(
                &[0.0, f32::NEG_INFINITY, f32::NEG_INFINITY],
                &[f32::INFINITY, 1.0, f32::INFINITY],
            ),
            Space::MultiDiscrete { n: vec![2, 3] },
            Space::MultiBinary { n: 3 },
        ]
    }

    #[test]
    fn samples_lie_in_their_space_and_in_no_other_kind() {
        let mut rng = Rng::stream(1, Stream::Custom(0));
        for space in spaces() {
            assert_eq!(space.flaw(), None);
            for _ in 0..200 {
                let value = space.sample(&mut rng);
                assert!(space.contains_action(value.as_action()), "{space}: {value:?}");
            }
            assert!(!space.contains_action(Action::Discrete(99)));
            assert!(!space.contains_action(Action::Continuous(&[f32::NAN])));
            assert!(!space.contains_action(Action::Multi(&[9, 9, 9])));
        }
    }

    #[test]
    fn flat_observations() {
        let [discrete, plane, half, multi, binary] = <[Space; 5]>::try_from(spaces()).unwrap();
        assert!(discrete.contains(&[0.0, 0.0, 1.0, 0.0, 0.0]));
        assert!(!discrete.contains(&[0.0; 5]) && !discrete.contains(&[1.0, 1.0, 0.0, 0.0, 0.0]));
        assert!(plane.contains(&[-2.0, 3.0, 0.0, 0.0]) && !plane.contains(&[0.0; 3]));
        assert_eq!(plane.first_outside(&[0.0, 0.0, 3.5, f32::NAN]), Some(2));
        assert!(half.contains(&[1e30, -1e30, 0.0]) && !half.contains(&[-0.1, 0.0, 0.0]));
        assert_eq!(multi.flat_len(), 5);
        assert!(multi.contains(&[0.0, 1.0, 1.0, 0.0, 0.0]));
        assert_eq!(multi.first_outside(&[0.0, 1.0, 0.0, 0.0, 2.0]), Some(4));
        assert!(binary.contains(&[0.0, 1.0, 1.0]) && !binary.contains(&[0.0, 0.5, 1.0]));
    }

    #[test]
    fn flaws_are_named() {
        for space in [
            Space::discrete(0),
            Space::MultiDiscrete { n: vec![2, 0] },
            Space::MultiDiscrete { n: vec![] },
            Space::MultiBinary { n: 0 },
            Space::uniform_box(0.0, 1.0, &[0]),
            Space::uniform_box(1.0, 0.0, &[2]),
            Space::uniform_box(f32::NAN, 0.0, &[2]),
            Space::Box { low: vec![0.0], high: vec![1.0], shape: vec![2] },
        ] {
            assert!(space.flaw().is_some(), "{space}");
        }
    }

    #[test]
    fn serde_and_display() {
        let text: Vec<String> = spaces().iter().map(Space::to_string).collect();
        expect_test::expect![[r#"
            [
                "Discrete(5)",
                "Box(-2, 3, [2, 2])",
                "Box(-inf, inf, [3])",
                "MultiDiscrete([2, 3])",
                "MultiBinary(3)",
            ]
        "#]]
        .assert_debug_eq(&text);
        for space in spaces() {
            let text = serde_json::to_string(&space).unwrap();
            assert_eq!(serde_json::from_str::<Space>(&text).unwrap(), space, "{text}");
        }
    }
}

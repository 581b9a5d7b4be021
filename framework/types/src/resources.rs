//! Resources, counted in thousandths: CPUs, GPUs and anything with a name.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::limits::RESOURCE_MAX;

/// The resource every machine has.
pub const CPU: &str = "CPU";
/// Graphics processors, shared in fractions.
pub const GPU: &str = "GPU";

/// An amount of each of some resources, exact to a thousandth.
///
/// ```
/// use raytree_types::Resources;
/// let half = Resources::cpus(2.0).gpus(0.5).custom("special_hardware", 1.0);
/// assert_eq!(half.to_string(), "2 CPU, 0.5 GPU, 1 special_hardware");
/// ```
///
/// A bad number (negative, not finite, finer than a thousandth, above `1e12`) is kept as such with the caller's line,
/// and refused with [`Error::BadOption`] where the resources are used.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Resources {
    /// Thousandths by name; never zero.
    amounts: BTreeMap<String, u64>,
    #[serde(skip)]
    bad: Option<Box<BadAmount>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct BadAmount {
    name: String,
    value: String,
    place: String,
}

impl Resources {
    /// Nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// So many CPUs and nothing else.
    #[must_use]
    #[track_caller]
    pub fn cpus(amount: f64) -> Self {
        Self::none().custom(CPU, amount)
    }

    /// With so many GPUs; fractions share one.
    #[must_use]
    #[track_caller]
    pub fn gpus(self, amount: f64) -> Self {
        self.custom(GPU, amount)
    }

    /// With so much of a resource of any name. A second mention replaces the first.
    #[must_use]
    #[track_caller]
    pub fn custom(mut self, name: &str, amount: f64) -> Self {
        match thousandths(amount) {
            Some(0) => _ = self.amounts.remove(name),
            Some(units) => _ = self.amounts.insert(name.to_owned(), units),
            None => {
                self.bad.get_or_insert_with(|| {
                    Box::new(BadAmount {
                        name: name.to_owned(),
                        value: amount.to_string(),
                        place: Location::caller().to_string(),
                    })
                });
            }
        }
        self
    }

    /// With so many thousandths of `name`; replaces what was there.
    #[must_use]
    pub fn with_thousandths(mut self, name: &str, amount: u64) -> Self {
        if amount == 0 {
            self.amounts.remove(name);
        } else {
            self.amounts.insert(name.to_owned(), amount);
        }
        self
    }

    /// The resources themselves, or the first bad number among them.
    ///
    /// # Errors
    /// [`Error::BadOption`] names the resource, the number and the line that gave it.
    pub fn checked(&self) -> Result<&Self, Error> {
        match &self.bad {
            None => Ok(self),
            Some(bad) => Err(Error::BadOption {
                option: bad.name.clone(),
                value: bad.value.clone(),
                reason: format!(
                    "an amount is between 0 and {RESOURCE_MAX:e}, in steps of 0.001 ({})",
                    bad.place
                ),
            }),
        }
    }

    /// How many thousandths of `name`.
    #[must_use]
    pub fn thousandths(&self, name: &str) -> u64 {
        self.amounts.get(name).copied().unwrap_or(0)
    }

    /// Every resource that is not zero, by name, in thousandths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.amounts.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    /// True when nothing is asked.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.amounts.is_empty()
    }

    /// True when this covers all of `demand`.
    #[must_use]
    pub fn covers(&self, demand: &Self) -> bool {
        demand.iter().all(|(name, amount)| self.thousandths(name) >= amount)
    }

    /// Adds `other` to this.
    pub fn add(&mut self, other: &Self) {
        for (name, amount) in other.iter() {
            *self.amounts.entry(name.to_owned()).or_insert(0) += amount;
        }
    }

    /// Takes `other` away; whatever is not there stays at zero, and the result says whether all of it was there.
    pub fn subtract(&mut self, other: &Self) -> bool {
        let whole = self.covers(other);
        for (name, amount) in other.iter() {
            if let Some(have) = self.amounts.get_mut(name) {
                *have = have.saturating_sub(amount);
            }
        }
        self.amounts.retain(|_, amount| *amount > 0);
        whole
    }

    /// What `self` has more than `other`, resource by resource.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.subtract(other);
        rest
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.amounts.is_empty() {
            return f.write_str("nothing");
        }
        for (index, (name, amount)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let (whole, rest) = (amount / 1000, amount % 1000);
            if rest == 0 {
                write!(f, "{comma}{whole} {name}")?;
            } else {
                let digits = format!("{rest:03}");
                write!(f, "{comma}{whole}.{} {name}", digits.trim_end_matches('0'))?;
            }
        }
        Ok(())
    }
}

/// What an actor needs: to be placed (held while its constructor runs) and to live.
///
/// As in Ray, an actor that says nothing takes 1 CPU to be placed and 0 to run; one that names resources holds them
/// for its whole life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Held from placement until the constructor has returned.
    pub placing: Resources,
    /// Held from placement until the end.
    pub running: Resources,
}

impl Default for Demand {
    fn default() -> Self {
        Self { placing: Resources::cpus(1.0), running: Resources::none() }
    }
}

impl Demand {
    /// The same amount to be placed and to run.
    #[must_use]
    pub fn always(resources: Resources) -> Self {
        Self { placing: resources.clone(), running: resources }
    }

    /// What must be free for a placement: the larger of the two, resource by resource.
    #[must_use]
    pub fn needed(&self) -> Resources {
        let mut need = self.running.clone();
        need.add(&self.placing.beyond(&self.running));
        need
    }
}

fn thousandths(amount: f64) -> Option<u64> {
    if !(0.0..=RESOURCE_MAX).contains(&amount) {
        return None;
    }
    let scaled = amount * 1000.0;
    let units = scaled.round();
    // 0.1 * 1000 is not exactly 100: allow the rounding of the multiplication, not a finer fraction.
    ((scaled - units).abs() < 1e-6 * units.max(1.0)).then_some(units as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_thousandths() {
        let tenths = Resources::cpus(0.1);
        let mut sum = Resources::none();
        (0..10).for_each(|_| sum.add(&tenths));
        assert_eq!(sum, Resources::cpus(1.0));
        assert!(sum.subtract(&Resources::cpus(1.0)));
        assert!(sum.is_none());
    }

    #[test]
    fn a_bad_number_is_refused_where_it_is_used_and_points_at_its_line() {
        for bad in [-1.0, f64::NAN, f64::INFINITY, 0.0001, 2e12] {
            let error = Resources::cpus(bad).checked().unwrap_err().to_string();
            assert!(error.contains("CPU") && error.contains("resources.rs:"), "{error}");
        }
        assert!(Resources::cpus(0.001).checked().is_ok());
    }

    #[test]
    fn covering_is_per_resource() {
        let node = Resources::cpus(4.0).gpus(1.0);
        assert!(node.covers(&Resources::cpus(4.0)));
        assert!(!node.covers(&Resources::cpus(1.0).custom("special_hardware", 1.0)));
        assert_eq!(node.beyond(&Resources::cpus(1.0)).to_string(), "3 CPU, 1 GPU");
        assert_eq!(Resources::none().to_string(), "nothing");
    }
}

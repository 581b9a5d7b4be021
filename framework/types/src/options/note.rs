//! What options are made of: amounts by name, and the first bad value with its line.

use std::collections::BTreeMap;
use std::panic::Location;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::resources::Resources;

/// The first bad value, kept until the options are used.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bad {
    option: &'static str,
    value: String,
    reason: String,
}

impl Bad {
    /// Notes a bad value with the caller's line, unless an earlier one is noted already.
    #[track_caller]
    pub(super) fn note(
        slot: &mut Option<Box<Self>>,
        option: &'static str,
        value: String,
        reason: &str,
    ) {
        let reason = format!("{reason} ({})", Location::caller());
        slot.get_or_insert_with(|| Box::new(Self { option, value, reason }));
    }

    pub(super) fn check(slot: Option<&Self>) -> Result<()> {
        match slot {
            None => Ok(()),
            Some(Self { option, value, reason }) => Err(Error::BadOption {
                option: (*option).to_owned(),
                value: value.clone(),
                reason: reason.clone(),
            }),
        }
    }
}

/// Amounts that were named, in thousandths; a zero that was named counts as named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Wants(BTreeMap<String, u64>);

impl Wants {
    /// Names an amount; false when it is not one.
    pub(super) fn set(&mut self, name: &str, amount: f64) -> bool {
        let asked = Resources::none().custom(name, amount);
        let good = asked.checked().is_ok();
        if good {
            self.0.insert(name.to_owned(), asked.thousandths(name));
        }
        good
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These, and what only `base` names.
    pub(super) fn over(self, base: &Self) -> Self {
        let mut both = base.clone();
        both.0.extend(self.0);
        both
    }

    /// The amounts, with `default` thousandths of CPU where CPUs are not named.
    pub(super) fn resources(&self, default_cpu: u64) -> Resources {
        let mut all = Resources::none().with_thousandths(crate::resources::CPU, default_cpu);
        for (name, amount) in &self.0 {
            all = all.with_thousandths(name, *amount);
        }
        all
    }
}

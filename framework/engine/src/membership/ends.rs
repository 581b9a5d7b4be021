//! The ends that a judge remembers, and the floor below which it need not.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use raytree_types::{ProcessIncarnation, limits};

use super::{DeathCause, Name};

/// How the newest dead life of a name ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Which life.
    pub incarnation: ProcessIncarnation,
    /// [`super::Origin::process`] of it.
    pub process: u64,
    /// Why.
    pub cause: DeathCause,
    /// When it was declared, by the judge's clock.
    pub at: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Ends {
    newest: BTreeMap<Name, End>,
    /// Names in the order of their ends; an entry whose incarnation is not the newest is void.
    order: VecDeque<(Name, ProcessIncarnation)>,
    /// No forgotten life is newer.
    floor: ProcessIncarnation,
}

impl Ends {
    pub(super) fn above(floor: ProcessIncarnation) -> Self {
        Self { floor, ..Self::default() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&End> {
        self.newest.get(name)
    }

    pub(super) fn floor(&self) -> ProcessIncarnation {
        self.floor
    }

    pub(super) fn len(&self) -> usize {
        self.newest.len()
    }

    /// The newest life of a name that may ever have been.
    pub(super) fn last(&self, name: &str) -> ProcessIncarnation {
        self.get(name).map_or(self.floor, |end| end.incarnation)
    }

    pub(super) fn add(&mut self, name: Name, end: End) {
        self.order.push_back((name.clone(), end.incarnation));
        self.newest.insert(name, end);
        while self.newest.len() > limits::MEMBER_ENDS_MAX
            || self.order.len() > 2 * limits::MEMBER_ENDS_MAX
        {
            let Some((name, incarnation)) = self.order.pop_front() else { break };
            if self.newest.get(&name).is_some_and(|end| end.incarnation == incarnation) {
                self.newest.remove(&name);
                self.floor = self.floor.max(incarnation);
            }
        }
    }
}

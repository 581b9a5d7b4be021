//! The arguments of a task that are references.

use std::collections::BTreeMap;
use std::sync::Arc;

use raytree_types::Error;

use super::{Held, TaskCell};
use crate::object::cell::{Maker, Standing};
use crate::object::waiter::{Dependent, Needs};
use crate::task::args::{Awaited, Settled, Subscriber};
use crate::task::cell::Job;

impl<J: Job> TaskCell<J> {
    pub(super) fn ask_for_arguments(self: Arc<Self>) {
        let needs = Needs::of_arguments(self.life.runtime().as_deref());
        let mut references = Vec::new();
        // Under the lock: nobody takes the job before all are asked, since one too many is missing.
        self.each_argument(&mut |settled| {
            let task = Arc::clone(&self) as Arc<dyn Dependent>;
            references.push(settled.subscribe(Subscriber(task, needs)));
        });
        for asked in references {
            let standing = asked.wanted();
            if standing != Standing::Pending {
                Arc::clone(&self).argument(standing == Standing::Ready);
            }
        }
        self.argument(true);
    }

    /// Every reference among its arguments, as long as it may be begun.
    pub(super) fn each_argument(&self, visit: &mut dyn FnMut(&dyn Settled)) {
        match &*self.job.lock() {
            Held::Once(job) => job.each(visit),
            Held::Often(job) => job.each(visit),
            Held::Nothing => {}
        }
    }

    pub(super) fn argument_error(&self) -> Error {
        let mut error = None;
        let mut look = |settled: &dyn Settled| {
            if error.is_none() {
                error = settled.error();
            }
        };
        self.each_argument(&mut look);
        error.unwrap_or_else(|| Error::Cancelled { task: self.plan.name.clone() })
    }

    /// Those that are not there yet, and who makes them.
    pub(super) fn missing_arguments(&self) -> Vec<(&'static str, Option<Maker>)> {
        let mut missing = Vec::new();
        let mut look = |settled: &dyn Settled| {
            missing.extend(settled.awaits().map(|Awaited(label, maker)| (label, maker)));
        };
        self.each_argument(&mut look);
        missing
    }

    /// The door of the store in which most bytes of them are.
    pub(super) fn home_of_arguments(&self) -> Option<String> {
        let mut bytes = BTreeMap::<String, u64>::new();
        self.each_argument(&mut |settled: &dyn Settled| {
            if let Some(place) = settled.lies(true).map(|lies| lies.0.seen()) {
                *bytes.entry(place.door).or_default() += place.bytes;
            }
        });
        Some(bytes.into_iter().max_by_key(|(_, bytes)| *bytes)?.0)
    }
}

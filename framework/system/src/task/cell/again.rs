//! A task as one that runs again: for a result that is lost, or because an argument of its own is.

use std::sync::Arc;

use raytree_engine::task::{Effect, Event, Task};

use super::TaskCell;
use super::starter::Starter;
use crate::object::cell::ObjectCell;
use crate::object::waiter::Needs;
use crate::runtime::Shared;
use crate::task::again::Lineage;
use crate::task::args::{self, Pinned};
use crate::task::job::{Held, Job};
use crate::task::run::Runnable as _;
use crate::task::submit::Room;

impl<J: Job> TaskCell<J> {
    /// The task of `lineage` runs again, for this object: the same task with one run more, which has its place in the table.
    pub(in crate::task) fn runs_again(
        runtime: &Arc<Shared>,
        (lineage, ended): (&Lineage<J>, Task),
        job: J,
        out: &Arc<ObjectCell<J::Out>>,
    ) {
        let plan = lineage.plan.clone();
        if let Err(error) = runtime.may_submit(&plan, Room::Reserved) {
            return out.settle(Err(error));
        }
        let who =
            (lineage.id, Starter::of(lineage.parent, None), plan, lineage.trace.map(Box::new));
        let task = Self::enters(runtime, who, (job, |missing| ended.rebuilt(missing)), out);
        if let Some(task) = task {
            task.asks(runtime);
        }
    }

    /// Its value lies in a store: what it takes to run it again is kept.
    pub(super) fn is_kept(&self, job: &Held<J>, out: &Arc<ObjectCell<J::Out>>) {
        let Some(runtime) = self.life.runtime() else { return };
        let job = match job {
            Held::Often(job) => Some(&**job),
            Held::Once(_) | Held::Nothing => None,
        };
        let task = (self.id, self.parent(), &self.plan, self.trace());
        Lineage::keep(&runtime, task, (job, self.state()), out);
    }

    /// Its result was there, and was lost.
    pub(crate) fn is_made_again(&self) -> bool {
        self.out().is_some_and(|out| out.lost_before().is_some())
    }

    /// Its arguments, where they lie. None where one of them is lost and made again: it waits for that, and is in no line.
    pub(super) fn pinned(self: &Arc<Self>, needs: Needs) -> Option<Pinned> {
        let pinned = args::pinned(needs, |visit| self.each_argument(visit));
        if pinned.is_none() {
            let mut missing = 1;
            self.each_argument(&mut |_| missing += 1);
            if self.step(Event::ArgumentsLost { missing }) == Effect::Ask {
                Arc::clone(self).ask_for_arguments();
            }
        }
        pinned
    }
}

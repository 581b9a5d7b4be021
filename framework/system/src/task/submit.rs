//! What a runtime does with tasks: admits them, finds them resources, ends them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use raytree_engine::placement::{Loan, Verdict};
use raytree_engine::task::Event;
use raytree_types::{Demand, Error, Resources, Result};
use tokio::task::AbortHandle;

use super::cell::{Job, TaskCell};
use super::plan::Plan;
use super::run::Runnable;
use crate::node::ledger::Claimant;
use crate::runtime::Shared;
use crate::worker::compute::Work;

impl Shared {
    /// Whether a task like this can be taken; there is room for it then.
    pub(crate) fn may_submit(&self, plan: &Plan) -> Result<()> {
        if self.is_closing() {
            return Err(self.gone());
        }
        if let Some(error) = &plan.bad {
            return Err(error.clone());
        }
        if !(plan.is_plain && self.has_one_cpu) {
            let exists = self.ledger.total();
            if !exists.covers(&plan.demand.running) {
                let (name, asked) = (plan.name.clone(), plan.demand.running.clone());
                return Err(Error::Infeasible { name, asked, exists });
            }
        }
        self.tasks.admit(&plan.name)
    }

    /// A task whose arguments are there asks for its resources.
    pub(crate) fn enqueue<J: Job>(self: &Arc<Self>, task: Arc<TaskCell<J>>) {
        if task.plan().is_plain {
            self.compute.lane.push(task);
            self.serve_lane();
            return;
        }
        let claimant = Claimant::Task(task.id());
        match self.ledger.request(claimant, &task.plan().demand, Loan::May) {
            Verdict::Granted => {
                self.compute.start(Work::One(task), &self.here);
                self.serve_lane();
            }
            // It stands behind others who may wait for something else.
            Verdict::Waiting => self.settle(),
            Verdict::Infeasible => {
                let (name, asked) = (task.plan().name.clone(), task.plan().demand.running.clone());
                let error = Error::Infeasible { name, asked, exists: self.ledger.total() };
                task.end(Event::Cancel, error);
            }
        }
    }

    /// One who waited for resources does so no more.
    pub(crate) fn leave_line(self: &Arc<Self>, who: Claimant) {
        if self.ledger.withdraw(who) {
            self.settle();
        }
    }

    /// Resources may be free: whoever waits for them starts.
    pub(crate) fn settle(self: &Arc<Self>) {
        while self.ledger.has_lines() {
            let Some((who, need)) = self.ledger.grant_next() else { break };
            match who {
                Claimant::Actor(id) => self.launch(id),
                Claimant::Task(number) => match self.tasks.get(number) {
                    Some(task) => self.compute.start(Work::One(task), &self.here),
                    None => self.ledger.returned(need),
                },
                Claimant::Lane(_) => {
                    self.lane_claims.fetch_sub(1, Ordering::AcqRel);
                    self.compute.start(Work::Lane, &self.here);
                }
            }
        }
        self.serve_lane();
    }

    /// A CPU may be free: a thread takes it to the lane, if there is anything in it.
    pub(crate) fn serve_lane(self: &Arc<Self>) {
        if self.compute.lane.is_empty() {
            return;
        }
        if self.ledger.try_cpu(crate::worker::ONE_CPU) {
            self.compute.start(Work::Lane, &self.here);
        } else if self.ledger.has_lines() {
            self.stand_in_line_for_the_lane();
        }
    }

    /// While others wait for resources, the lane waits with them, in turn.
    fn stand_in_line_for_the_lane(self: &Arc<Self>) {
        let one_more = |claims| (claims < self.lane_width).then_some(claims + 1);
        let claims = self.lane_claims.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        if claims.is_err() {
            return;
        }
        let who = Claimant::Lane(self.tasks.next_id());
        let demand = Demand::always(Resources::cpus(1.0));
        match self.ledger.request(who, &demand, Loan::May) {
            Verdict::Waiting => self.settle(),
            Verdict::Granted => {
                self.lane_claims.fetch_sub(1, Ordering::AcqRel);
                self.compute.start(Work::Lane, &self.here);
            }
            Verdict::Infeasible => _ = self.lane_claims.fetch_sub(1, Ordering::AcqRel),
        }
    }

    /// Ends a task after `limit`, if it still waits or runs then.
    pub(crate) fn end_later<J: Job>(
        &self,
        limit: Duration,
        task: &Arc<TaskCell<J>>,
        event: Event,
        error: Error,
    ) -> AbortHandle {
        let task = Arc::downgrade(task);
        let over = async move {
            tokio::time::sleep(limit).await;
            if let Some(task) = task.upgrade() {
                task.end(event, error);
            }
        };
        self.system.spawn(over).abort_handle()
    }

    /// The runtime has ended: no task will have a result.
    pub(crate) fn end_tasks(&self) {
        for task in self.tasks.close() {
            task.end(Event::Cancel, self.gone());
        }
        self.compute.end();
    }
}

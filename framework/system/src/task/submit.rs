//! What a runtime does with tasks: admits them, finds them resources, ends them.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use raytree_engine::placement::{Loan, Verdict};
use raytree_engine::task::Event;
use raytree_types::{Error, Result};
use tokio::task::AbortHandle;

use super::cell::{Job, TaskCell};
use super::plan::Plan;
use super::run::Runnable;
use crate::node::ledger::Claimant;
use crate::runtime::{Shared, burst};
use crate::worker::compute::Work;
use crate::worker::lane::Call;

/// Whether a task has its place in the table already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// It asks for one, and is refused at the bound.
    Ask,
    /// It has waited for one.
    Reserved,
}

impl Shared {
    /// Whether a task like this can be taken; there is room for it then.
    pub(crate) fn may_submit(&self, plan: &Plan, room: Room) -> Result<()> {
        let may = self.is_possible(plan);
        match (room, &may) {
            (Room::Ask, Ok(())) => self.tasks.admit(&plan.name),
            (Room::Reserved, Err(_)) => {
                self.tasks.leave();
                may
            }
            _ => may,
        }
    }

    fn is_possible(&self, plan: &Plan) -> Result<()> {
        if self.is_closing() {
            return Err(self.gone());
        }
        if let Some(error) = &plan.bad {
            return Err(error.clone());
        }
        if !(plan.is_plain && self.has_one_cpu) {
            let mut exists = self.ledger.total();
            if self.is_clustered && !exists.covers(&plan.demand.running) {
                exists = self.exists_elsewhere(&plan.demand.running);
            }
            if !exists.covers(&plan.demand.running) {
                let (name, asked) = (plan.name.clone(), plan.demand.running.clone());
                return Err(Error::Infeasible { name, asked, exists });
            }
        }
        Ok(())
    }

    /// A task whose arguments are there asks for its resources.
    pub(crate) fn enqueue<J: Job>(self: &Arc<Self>, task: Arc<TaskCell<J>>) {
        if self.is_clustered && self.goes_elsewhere(&task) {
            return;
        }
        if task.plan().is_plain {
            self.lane.push(task);
            burst::serve_lane(self);
            return;
        }
        let claimant = Claimant::Task(task.id());
        match self.ledger.request(claimant, &task.plan().demand, Loan::May) {
            Verdict::Granted => {
                self.compute.start(Work::One(task), &self.here);
                self.serve_lane(1);
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
        self.ledger.withdraw(who);
        self.settle();
    }

    /// Resources may be free: whoever waits for them starts.
    pub(crate) fn settle(self: &Arc<Self>) {
        let mut again = true;
        while std::mem::take(&mut again) {
            self.grant_all();
            again = self.call_workers(self.lane.len());
        }
    }

    /// Sends workers to the lane, no more than there are tasks in it; whether the lane stands in line for one.
    fn call_workers(&self, tasks: usize) -> bool {
        let mut stands = false;
        for _ in 0..tasks {
            match self.lane.call(&self.ledger) {
                Call::Nothing => break,
                Call::Worker => self.compute.start(Work::Lane, &self.here),
                Call::Settle => stands = true,
            }
        }
        stands
    }

    fn grant_all(self: &Arc<Self>) {
        while self.ledger.has_lines() {
            let Some((who, need)) = self.ledger.grant_next() else { break };
            match who {
                Claimant::Actor(id) => self.launch(id),
                Claimant::Task(number) => match self.tasks.get(number) {
                    Some(task) => self.compute.start(Work::One(task), &self.here),
                    None => self.ledger.returned(need),
                },
                Claimant::Lane(_) => {
                    self.lane.granted();
                    self.compute.start(Work::Lane, &self.here);
                }
            }
        }
    }

    /// So many tasks have come, or CPUs may be free: threads take them to the lane, if there is anything in it.
    pub(crate) fn serve_lane(self: &Arc<Self>, many: usize) {
        if self.call_workers(many) {
            self.settle();
        }
    }

    /// The work of a thread with one CPU in hand.
    pub(crate) fn work_lane(self: &Arc<Self>) {
        // The end of one task is the begin of the next: one look at the clock is enough for both.
        let stamp = Cell::new(None);
        self.lane.work(&self.ledger, |task| task.run_in_lane(self, &stamp), || self.settle());
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
        while self.lane.pop().is_some() {}
        self.peers.clear();
    }
}

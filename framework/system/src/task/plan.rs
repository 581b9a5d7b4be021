//! Options of a task, worked out once for all its submissions.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use raytree_engine::task::Retries;
use raytree_types::codec::Codec;
use raytree_types::resources::CPU;
use raytree_types::{Demand, Error, Isolation, Resources, TaskOptions};

use super::definition::Info;
use crate::node::ledger::signed;
use crate::worker::lane::ONE_CPU;

/// How a task is to be run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// How it is called in messages.
    pub(crate) name: String,
    pub(crate) codec: Codec,
    pub(crate) demand: Demand,
    /// Thousandths of CPU in it.
    pub(crate) cpu: i64,
    /// One CPU and nothing else: it may stand in the lane.
    pub(crate) is_plain: bool,
    pub(crate) retries: Retries,
    pub(crate) run_limit: Option<Duration>,
    pub(crate) queue_limit: Option<Duration>,
    pub(crate) window: usize,
    /// Another process has submitted it.
    pub(crate) is_served: bool,
    /// It may be run again when its process ends, here or by whoever has submitted it.
    pub(crate) is_retriable: bool,
    /// It runs in a process of its own.
    pub(crate) isolation: Option<Arc<Isolation>>,
    options: TaskOptions,
    /// Why nothing can be run like this.
    pub(crate) bad: Option<Error>,
}

impl Plan {
    pub(crate) fn new(info: &Info, options: &TaskOptions) -> Self {
        let demand = options.demand();
        let cpu = signed(demand.thousandths(CPU));
        let is_plain = cpu == ONE_CPU && demand == Resources::cpus(1.0);
        let name = options
            .given_name()
            .unwrap_or_else(|| info.name.rsplit("::").next().unwrap_or(info.name));
        Self {
            name: name.to_owned(),
            codec: info.codec,
            demand: Demand::always(demand),
            cpu,
            is_plain,
            retries: Retries { lost: options.retries_max(), errors: options.retry_errors_max() },
            run_limit: options.run_limit(),
            queue_limit: options.queue_limit(),
            window: options.stream_window(),
            is_served: false,
            is_retriable: options.retries_max() > 0,
            isolation: options.isolation().cloned().map(Arc::new),
            bad: options.check().err(),
            options: options.clone(),
        }
    }

    /// How it runs for another process, which tries again by itself.
    pub(crate) fn served(info: &Info, options: TaskOptions) -> Self {
        let is_retriable = options.retries_max() > 0;
        let own = Self::new(info, &options.retries(0).retry_errors(0));
        // It has waited in the line of whoever submitted it.
        Self { is_served: true, is_retriable, queue_limit: None, ..own }
    }

    pub(crate) fn options(&self) -> &TaskOptions {
        &self.options
    }

    pub(crate) fn is_worth_a_retry(&self, error: &str) -> bool {
        self.retries.errors > 0 && self.options.is_worth_a_retry(error)
    }

    /// Whether the body may be run a second time.
    pub(crate) fn may_repeat(&self) -> bool {
        self.retries.errors > 0 || (self.isolation.is_some() && self.retries.lost > 0)
    }
}

/// The plan of a definition, or one of its own.
#[derive(Clone, Debug)]
pub(crate) enum PlanRef {
    Own(&'static Plan),
    Given(Arc<Plan>),
}

impl Deref for PlanRef {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        match self {
            Self::Own(plan) => plan,
            Self::Given(plan) => plan,
        }
    }
}

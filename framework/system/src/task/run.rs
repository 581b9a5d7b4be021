//! Tasks of any type, as the table, the lane and the compute threads see them.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use raytree_engine::task::{Event, Task};
use raytree_types::{Error, RuntimeId, TaskId};

use super::context::{Awaits, By};
use super::history::Times;
use super::plan::Plan;
use crate::cluster::peer::Seat;
use crate::object::cell::Maker;
use crate::object::seen::Seen;
use crate::runtime::Shared;
use crate::runtime::life::Life;
use crate::worker::lane::ONE_CPU;

/// A task of any type.
pub(crate) trait Runnable: Send + Sync {
    fn id(&self) -> u64;
    fn parent(&self) -> Option<u64>;
    /// As what the process knows it that has submitted it, where that is another one.
    fn served_as(&self) -> Option<TaskId>;
    fn life(&self) -> &'static Life;
    fn plan(&self) -> &Plan;
    fn state(&self) -> Task;
    /// When it was submitted, and began.
    fn times(&self) -> &Times;
    /// The process that runs it, if that is another one.
    fn host(&self) -> Option<Arc<str>>;
    /// The door of the store in which most bytes of its arguments are; none where nothing of them is in one.
    fn at_home(&self) -> Option<String> {
        None
    }
    /// The arguments that are not there yet, and who makes them.
    fn missing(&self) -> Vec<(&'static str, Option<Maker>)>;
    /// The arguments that are there, and not in memory so far.
    fn coming(&self) -> Vec<(&'static str, &'static str)>;
    /// The objects among its arguments, by where they are in memory, as long as it may be begun.
    fn arguments(&self) -> Vec<usize>;
    /// How its result stands; nothing once it is settled.
    fn result(&self) -> Option<Seen>;
    /// What was found when its result was lost, if it runs again for that.
    fn lost(&self) -> Option<String>;
    /// Waits of its async body that are under way.
    fn waits(&self) -> &AtomicU32;
    /// Counts how often its body was gone on with, and what that awaits.
    fn awaits(&self) -> &Awaits;
    /// Whose code waits for its result now.
    fn awaited_by(&self) -> Vec<By>;

    /// Runs it with one CPU that is the lane's; false when the CPU went with it. `stamp`: the time, if somebody has just looked at
    /// the clock on this thread.
    fn run_in_lane(self: Arc<Self>, runtime: &Arc<Shared>, stamp: &Cell<Option<Duration>>) -> bool;

    /// Runs it with all it needs, which was taken for it.
    fn run_granted(self: Arc<Self>, runtime: &Arc<Shared>);

    /// Has it run by the process that `seat` is a place in.
    fn ship(self: Arc<Self>, seat: Seat, runtime: &Arc<Shared>);

    /// Ends it from outside, with `error`; false when it has ended already.
    fn end(&self, event: Event, error: Error) -> bool;

    /// As what it is known in all processes, from the one that is `own`.
    fn known_as(&self, own: RuntimeId) -> TaskId {
        self.served_as().unwrap_or_else(|| TaskId::new(own, self.id()))
    }

    /// Its async body waits for objects.
    fn is_waiting(&self) -> bool {
        self.waits().load(Ordering::Relaxed) > 0
    }

    /// Nobody wants its result any more, though its body may still run.
    fn is_given_up(&self) -> bool {
        self.state().phase() == raytree_engine::task::Phase::Done
    }
}

/// What a body holds of the node while it runs, and whose it is afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lease {
    /// One CPU: the thread that works the lane goes on with it.
    OfLane,
    /// One CPU that has left the lane with an async body.
    One,
    /// All that the plan asks, out of the books.
    Granted,
    /// What the task holds whose wait this fills.
    OfWaiter,
}

impl Lease {
    /// CPU that may be lent while the body waits.
    pub(crate) fn cpu(self, plan: &Plan) -> i64 {
        match self {
            Self::OfLane | Self::One => ONE_CPU,
            Self::Granted => plan.cpu,
            Self::OfWaiter => 0,
        }
    }

    /// Gives it back.
    pub(crate) fn give_back(self, runtime: &Arc<Shared>, plan: &Plan) {
        match self {
            Self::OfLane | Self::OfWaiter => return,
            Self::One => runtime.ledger.give_cpu(ONE_CPU),
            Self::Granted => runtime.ledger.ended(&plan.demand),
        }
        runtime.settle();
    }
}

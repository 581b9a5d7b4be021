//! A task that another process runs.

use std::sync::Arc;

use raytree_supervise::clock;
use raytree_types::codec::Codec;

use super::away::{self, Results};
use super::cell::{Job, TaskCell};
use super::driven::Driven;
use super::failure::Failure;
use super::job::End;
use super::plan::PlanRef;
use super::run::Runnable as _;
use crate::cluster::peer::Seat;
use crate::link::{Answer, Ask, Landing, Terms};
use crate::object::part::Part;
use crate::runtime::Shared;

/// Sends it over the link of its seat. It is begun then: what becomes of it comes back over the link.
pub(super) fn ship<J: Job>(task: Arc<TaskCell<J>>, seat: Seat, runtime: &Arc<Shared>) {
    // Its time runs where it runs, once it does.
    let Some(pinned) = task.begins(runtime, (false, clock::now())) else { return };
    let order = match task.order() {
        Ok(order) => order,
        Err(failure) => {
            drop(seat);
            task.ended_there(runtime, Err(failure));
            return;
        }
    };
    drop(pinned);
    let link = Arc::clone(seat.link());
    let what = Ask::Run {
        function: order.info.name.to_owned(),
        signature: order.info.signature.to_owned(),
        terms: terms(&task, runtime),
    };
    match order.results {
        Results::One(read) => {
            let codec = order.info.codec;
            let landing = Landed { task: Some(Arc::clone(&task)), seat: Some(seat), read, codec };
            let arguments = order.arguments;
            let waits = !link.reaches_far() && arguments.iter().any(Part::is_far);
            let asks = move || {
                let call = link.ask(what, arguments, Box::new(landing));
                // It may have landed already: then there is nothing to withdraw.
                task.ends_with(End::There(link, call));
            };
            // Others wait for this thread.
            if waits { _ = runtime.user.spawn_blocking(asks) } else { asks() }
        }
        Results::Many { window, put, end } => {
            let body = async move {
                let poured =
                    away::pour(link, what, order.arguments, (window, put, Box::new(|_| ()))).await;
                drop(seat);
                poured.map(|()| end())
            };
            Driven::away(task, Box::pin(body), runtime);
        }
    }
}

fn terms<J: Job>(task: &TaskCell<J>, runtime: &Shared) -> Terms {
    let options = match task.plan_ref() {
        PlanRef::Own(_) => None,
        PlanRef::Given(plan) => Some(Box::new(plan.options().clone())),
    };
    Terms { options, trace: task.trace(), task: Some(task.known_as(runtime.id)) }
}

struct Landed<J: Job> {
    /// There until it has landed.
    task: Option<Arc<TaskCell<J>>>,
    seat: Option<Seat>,
    read: fn(Part, Codec) -> Result<J::Out, Failure>,
    codec: Codec,
}

impl<J: Job> Landing for Landed<J> {
    fn land(mut self: Box<Self>, answer: Answer) {
        if let Some(seat) = self.seat.take() {
            seat.leave();
        }
        let Some(task) = self.task.take() else { return };
        let Some(runtime) = task.life().runtime() else { return };
        let answer = match answer {
            Answer::Value(part) if part.is_far() => return task.ended_far(&runtime, part),
            answer => answer,
        };
        let read = |part| match task.out() {
            Some(out) => out.reads(part, self.read),
            None => (self.read)(part, self.codec),
        };
        let result = answer.of_body().and_then(read);
        task.ended_there(&runtime, result);
    }
}

/// Nobody wants it any more: the run is over as far as this process goes.
impl<J: Job> Drop for Landed<J> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.dropped();
        }
    }
}

//! A task whose run in another process has ended.

use std::sync::Arc;

use raytree_engine::abandoned::Who;
use raytree_engine::task::{Effect, Event};
use raytree_supervise::clock;
use raytree_types::{Cause, Error, Unrebuilt};

use super::TaskCell;
use crate::object::lineage::unless_again;
use crate::object::lying::ARGUMENT;
use crate::object::part::Part;
use crate::runtime::Shared;
use crate::task::args::Lies;
use crate::task::failure::Failure;
use crate::task::history::How;
use crate::task::job::Job;
use crate::task::run::Runnable as _;

impl<J: Job> TaskCell<J> {
    /// A body has ended in another process, and its result is in a store there.
    pub(in crate::task) fn ended_far(self: &Arc<Self>, runtime: &Arc<Shared>, part: Part) {
        match self.step(Event::Returned) {
            Effect::Resolve => {
                if let Some(out) = self.out() {
                    out.arrived();
                }
                if let Some(out) = self.is_over(How::Finished, clock::now()) {
                    out.settle_far(part);
                }
            }
            Effect::Discard => runtime.given_up_ended(Who::Task(self.id)),
            Effect::None | Effect::Ask | Effect::Queue | Effect::Run | Effect::Abandon => {}
        }
    }

    /// A run over there has ended. Where it could not read an argument it is over as one that has lost its worker: that argument is here
    /// then, or is made again if that can be, and there is another run.
    pub(in crate::task) fn ended_there(
        self: &Arc<Self>,
        runtime: &Arc<Shared>,
        result: Result<J::Out, Failure>,
    ) {
        let lost = match &result {
            Err(Failure::System(error)) => Missed::of(error),
            _ => None,
        };
        let Some(lost) = lost.filter(|_| self.state().may_be_rebuilt(self.retries())) else {
            self.ended(runtime, result);
            return;
        };
        let (task, own) = (Arc::clone(self), Arc::clone(runtime));
        // Which one it is, is known when all were looked at.
        runtime.user.spawn_blocking(move || {
            let result = match result {
                Err(failure) if task.may_have_arguments(lost) => {
                    let why = failure.into_error(&task.plan.name).to_string();
                    Err(Failure::Lost(Box::new(Cause::message(why))))
                }
                result => result,
            };
            task.ended(&own, result);
        });
    }

    /// Whether each of its arguments can be read or is made again. Waits for those that are elsewhere.
    fn may_have_arguments(&self, lost: Missed) -> bool {
        if lost == Missed::NotThere {
            // Nothing is lost: there was no room for it where it was needed.
            return true;
        }
        let (mut lying, mut may) = (Vec::new(), lost == Missed::Argument);
        self.each_argument(&mut |settled| {
            may |= settled.awaits().is_some();
            lying.extend(settled.lies(true));
        });
        may |= !lying.is_empty();
        let is_there = |lies: &Lies| !matches!(unless_again(lies.0.pin()), Some(Err(_)));
        // All of them, so that all that are lost are made again at once.
        may && lying.iter().filter(|lies| !is_there(lies)).count() == 0
    }
}

/// What a run could not read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missed {
    /// An argument, as it was sent: this process has it, in the store of a node that is no more as well.
    Argument,
    /// An argument that could not come to where it was needed.
    NotThere,
    /// An object, which may be one of its arguments.
    Object,
}

impl Missed {
    fn of(error: &Error) -> Option<Self> {
        match error {
            Error::ObjectLost { object, why: Unrebuilt::NotLost, .. } if object == ARGUMENT => {
                Some(Self::NotThere)
            }
            Error::ObjectLost { object, .. } if object == ARGUMENT => Some(Self::Argument),
            Error::ObjectLost { why: Unrebuilt::NotLost, .. } => None,
            Error::ObjectLost { .. } => Some(Self::Object),
            _ => None,
        }
    }
}

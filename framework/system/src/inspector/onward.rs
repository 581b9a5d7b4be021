//! Where a wait goes on that is known elsewhere: an actor, in the tree or in another process; a task, in the process that runs it.

use std::sync::Arc;

use raytree_types::inspect::{Story, StoryStep};
use raytree_types::{ActorId, TaskId};

use super::waits;
use crate::runtime::Shared;
use crate::state::look;
use crate::task::run::Runnable;

/// How an actor is that is waited for, and why, what is nearest first.
pub(super) fn actor(runtime: &Arc<Shared>, id: ActorId) -> Vec<StoryStep> {
    let Ok(Story { about, now, steps, .. }) = look::why(runtime, id.to_string()) else {
        return Vec::new();
    };
    let what = now.strip_prefix("it ").unwrap_or(&now).to_owned();
    let own = StoryStep { who: about, what, age: None, goes_on: true, place: None };
    std::iter::once(own).chain(steps.into_iter().rev()).collect()
}

/// How a task is where it was sent, as the process tells that has it.
pub(super) fn served(runtime: &Arc<Shared>, task: &dyn Runnable) -> Option<Story> {
    let which = Served(task.known_as(runtime.id), waits::job(runtime)).called();
    look::why(runtime, which).ok()
}

/// A task as the process is asked about it that runs it for another one. It has no name that an operator would type.
struct Served(TaskId, Option<raytree_types::JobId>);

impl Served {
    fn called(&self) -> String {
        match self.1 {
            Some(job) => format!("{} as served for {job}", self.0),
            None => format!("{} as served", self.0),
        }
    }
}

/// Whether it is the one that is asked about so.
pub(super) fn is_served(runtime: &Shared, task: &dyn Runnable, which: &str) -> bool {
    let served = task.served_as();
    served.is_some_and(|id| Served(id, waits::job(runtime)).called() == which)
}

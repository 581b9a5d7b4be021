//! A task as that of which others wait for something: of its arguments it is told, its result it makes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use raytree_engine::task::{Effect, Event};
use raytree_supervise::clock;
use raytree_types::Error;

use super::{Ran, TaskCell};
use crate::object::cell::{Maker, Producer};
use crate::object::waiter::Dependent;
use crate::runtime::Shared;
use crate::task::context;
use crate::task::driven::Driven;
use crate::task::job::Job;
use crate::task::run::{Lease, Runnable};
use crate::trace;

impl<J: Job> Dependent for TaskCell<J> {
    fn argument(self: Arc<Self>, ok: bool) {
        let event = if ok { Event::ArgumentReady } else { Event::ArgumentFailed };
        match self.step(event) {
            Effect::Queue => {
                if let Some(runtime) = self.life.runtime() {
                    runtime.enqueue(self);
                }
            }
            Effect::Resolve => self.resolve(Err(self.argument_error()), clock::now()),
            _ => {}
        }
    }
}

impl<J: Job> Producer for TaskCell<J> {
    fn needs_thread(&self) -> bool {
        true
    }

    fn cancel(&self, recursive: bool) {
        let Some(runtime) = self.life.runtime() else { return };
        let cancel = |task: &dyn Runnable| {
            task.end(Event::Cancel, Error::Cancelled { task: task.plan().name.clone() })
        };
        if !recursive {
            self.spares.store(true, Ordering::Release);
        }
        // First itself, so that it starts nothing more that goes on.
        cancel(self);
        if recursive {
            // Until nobody is found who was born meanwhile: what one that is given up starts does not run.
            let mut family = HashSet::from([self.id]);
            loop {
                let found = runtime.tasks.descendants(&mut family);
                if found.is_empty() {
                    break;
                }
                found.iter().for_each(|task| _ = cancel(&**task));
            }
        }
    }

    fn maker(&self) -> Option<Maker> {
        Some(Maker::Task(self.id))
    }

    fn run_in_wait(self: Arc<Self>, runtime: &Arc<Shared>) {
        let room = context::task().is_some_and(|waiter| waiter.plan().cpu >= self.plan.cpu);
        if !self.plan.is_plain || !room {
            return;
        }
        // What waits on this stack has a context of its own.
        let _outside = trace::enter(None);
        if let Ran::Async(body) = self.run(runtime, clock::now()) {
            Driven::start(self, body, Lease::OfWaiter, runtime);
        }
    }
}

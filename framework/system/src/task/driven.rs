//! An async body while it is polled: its task is the current one, and its CPU is lent while it waits for objects.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use raytree_supervise::panics;

use super::cell::{Job, TaskCell};
use super::context::{self, Mode};
use super::definition::BodyFuture;
use super::failure::Failure;
use super::job::End;
use super::run::{Lease, Runnable};
use crate::runtime::Shared;
use crate::worker::lane::ONE_CPU;

pub(super) struct Driven<J: Job> {
    task: Arc<TaskCell<J>>,
    body: Option<BodyFuture<'static, J::Out>>,
    lease: Lease,
    lent: bool,
}

impl<J: Job> Driven<J> {
    /// A body that waits for another process, and holds nothing here.
    pub(super) fn away(
        task: Arc<TaskCell<J>>,
        body: BodyFuture<'static, J::Out>,
        runtime: &Arc<Shared>,
    ) {
        let driven =
            Self { task: Arc::clone(&task), body: Some(body), lease: Lease::OfWaiter, lent: false };
        task.ends_with(End::Here(runtime.user.spawn(driven).abort_handle()));
    }

    /// Takes the first step here; if that is not the last one, the rest is driven by the user runtime. True when the
    /// body is over, and its lease is still the caller's.
    pub(super) fn start(
        task: Arc<TaskCell<J>>,
        body: BodyFuture<'static, J::Out>,
        lease: Lease,
        runtime: &Arc<Shared>,
    ) -> bool {
        let _user = runtime.user.enter();
        let mut driven = Self { task, body: Some(body), lease, lent: false };
        // Woken or not, it is polled again when it is spawned.
        let mut cx = Context::from_waker(Waker::noop());
        if driven.step(&mut cx, runtime).is_ready() {
            driven.lease = Lease::OfWaiter;
            return true;
        }
        driven.lease = match lease {
            Lease::OfLane => Lease::One,
            // On its own it cannot use what its waiter holds: it has one CPU like others, at once.
            Lease::OfWaiter => {
                runtime.ledger.take(ONE_CPU);
                Lease::One
            }
            other => other,
        };
        driven.lend(runtime);
        let task = Arc::clone(&driven.task);
        task.ends_with(End::Here(runtime.user.spawn(driven).abort_handle()));
        false
    }

    /// Polls the body once; the task has been told when it is over.
    fn step(&mut self, cx: &mut Context<'_>, runtime: &Arc<Shared>) -> Poll<()> {
        let Some(body) = &mut self.body else { return Poll::Ready(()) };
        let polled = {
            let task = Arc::clone(&self.task) as Arc<dyn Runnable>;
            let _entered = context::enter(task, Mode::Async);
            panics::catch(|| body.as_mut().poll(cx))
        };
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result,
            Err(cause) => Err(Failure::User(Box::new(cause))),
        };
        self.drop_body();
        self.task.ended(runtime, result);
        Poll::Ready(())
    }

    /// The body's remains are the user's: dropping them is part of the run.
    fn drop_body(&mut self) {
        let body = self.body.take();
        let task = Arc::clone(&self.task) as Arc<dyn Runnable>;
        let _entered = context::enter(task, Mode::Async);
        // Its result is known; a panic in a drop changes nothing.
        _ = panics::catch(|| drop(body));
    }

    /// While it waits for objects, others may have its CPU.
    fn lend(&mut self, runtime: &Arc<Shared>) {
        if self.task.waits().load(Ordering::Acquire) > 0 {
            self.lent = true;
            runtime.ledger.lend(self.lease.cpu(self.task.plan()));
            runtime.settle();
        }
    }

    fn take_back(&mut self, runtime: &Arc<Shared>) {
        if mem::take(&mut self.lent) {
            runtime.ledger.take_back(self.lease.cpu(self.task.plan()));
        }
    }
}

impl<J: Job> Future for Driven<J> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(runtime) = self.task.life().runtime() else { return Poll::Ready(()) };
        self.take_back(&runtime);
        if self.step(cx, &runtime).is_pending() {
            self.lend(&runtime);
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl<J: Job> Drop for Driven<J> {
    fn drop(&mut self) {
        if self.body.is_some() {
            self.drop_body();
            self.task.dropped();
        }
        if let Some(runtime) = self.task.life().runtime() {
            self.take_back(&runtime);
            self.lease.give_back(&runtime, self.task.plan());
        }
    }
}

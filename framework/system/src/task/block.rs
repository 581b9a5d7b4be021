//! Blocking waits, for synchronous code.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use raytree_types::{Error, Result, limits};

use super::context::{self, Mode};
use crate::object::cell::ObjectCell;
use crate::runtime::life::Life;
use crate::runtime::{Shared, ambient};

/// Blocks until the object is settled.
#[inline]
pub(crate) fn settled<T>(cell: &ObjectCell<T>) -> Result<()> {
    // Refused whether it would wait or not: else it works until the day the value comes late.
    let mode = context::may_block("get()", ".await")?;
    if cell.is_at_hand() { Ok(()) } else { waits(cell, mode) }
}

/// What is not there yet.
fn waits<T>(cell: &ObjectCell<T>, mode: Mode) -> Result<()> {
    run_here(cell);
    if cell.is_at_hand() {
        return Ok(());
    }
    let needs_thread = cell.producer().is_some_and(|producer| producer.needs_thread());
    park(mode, needs_thread, poll_fn(|cx| cell.poll_settled(cx)))
}

/// Blocks until `future` is ready.
pub(crate) fn on<F: Future + Unpin>(
    what: &str,
    instead: &str,
    future: &mut F,
) -> Result<F::Output> {
    let mode = context::may_block(what, instead)?;
    park(mode, true, future)
}

/// A task that waits in line is run by the one who waits for it, on his CPU.
pub(crate) fn run_here<T>(cell: &ObjectCell<T>) {
    if context::mode() != Some(Mode::Sync) || context::depth() >= limits::INLINE_DEPTH_MAX {
        return;
    }
    if let (Some(producer), Some(runtime)) = (cell.producer(), cell.life.runtime()) {
        producer.run_in_wait(&runtime);
    }
}

/// `future` within `limit`, on the timer of the runtime.
pub(crate) async fn timeout<F: Future>(
    life: &'static Life,
    limit: Duration,
    future: F,
) -> Option<F::Output> {
    let sleep = life.runtime().map(|runtime| {
        let _entered = runtime.user.enter();
        tokio::time::sleep(limit)
    });
    // Without a runtime there is nothing left to wait for.
    let Some(sleep) = sleep else { return Some(future.await) };
    let (mut future, mut sleep) = (pin!(future), pin!(sleep));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
    })
    .await
}

struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }
}

fn park<F: Future>(mode: Mode, needs_thread: bool, future: F) -> Result<F::Output> {
    let _parks = context::Parks::begin();
    let mut future = pin!(future);
    let parker = Arc::new(Parker { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&parker));
    let mut cx = Context::from_waker(&waker);
    if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
        return Ok(value);
    }
    let _lent = Lent::begin(needs_thread)?;
    let mut wait = || loop {
        while !parker.woken.swap(false, Ordering::AcqRel) {
            thread::park();
        }
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    };
    // Other work of this thread moves to another one.
    Ok(if mode == Mode::SyncOnUserThread { tokio::task::block_in_place(wait) } else { wait() })
}

/// While a task blocks, its CPU is lent, and its thread counts as blocked. One of an actor's methods counts too.
pub(crate) struct Lent {
    runtime: Arc<Shared>,
    cpu: i64,
}

impl Lent {
    /// For a wait of what runs here. When too many threads are blocked already a task keeps its CPU, so that no further
    /// one begins; an error if what it waits for may be such a task.
    pub(crate) fn begin(needs_thread: bool) -> Result<Option<Self>> {
        let task = context::task();
        let runtime = match &task {
            Some(task) => task.life().runtime(),
            None => ambient::of_thread(),
        };
        let Some(runtime) = runtime else { return Ok(None) };
        if !runtime.compute.block() {
            let error = Error::TooManyThreads { limit: limits::COMPUTE_THREADS_MAX };
            return if needs_thread { Err(error) } else { Ok(None) };
        }
        let cpu = task.map_or(0, |task| task.plan().cpu);
        if cpu > 0 {
            runtime.ledger.lend(cpu);
            runtime.settle();
        }
        Ok(Some(Self { runtime, cpu }))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.runtime.ledger.take_back(self.cpu);
        self.runtime.compute.unblock();
    }
}

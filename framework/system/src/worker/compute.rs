//! Compute threads: where synchronous tasks run, and async ones take their first step.
//!
//! Most tasks stand in the [lane](super::lane); a thread that holds one CPU takes one after the other out of it, so a CPU
//! is taken and given back once for many tasks. All others come with what they need already taken. Threads beyond those
//! at work are idle or blocked in waits; idle ones end after a while.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, Thread};

use parking_lot::Mutex;
use raytree_supervise::{clock, panics};
use raytree_types::limits;

use crate::runtime::{Here, ambient};
use crate::task::run::Runnable;

/// What a thread is woken for.
pub(crate) enum Work {
    /// With one CPU: tasks from the lane.
    Lane,
    /// This task, with all it needs.
    One(Arc<dyn Runnable>),
}

#[derive(Default)]
pub(crate) struct Compute {
    threads: Mutex<Threads>,
    /// Threads blocked in waits.
    blocked: AtomicUsize,
    ended: AtomicBool,
}

#[derive(Default)]
struct Threads {
    idle: Vec<Arc<Seat>>,
    alive: usize,
    /// Work for the next thread that is free, when there can be no more threads.
    line: VecDeque<Work>,
}

/// Where an idle thread waits for work.
#[derive(Default)]
struct Seat {
    work: Mutex<Option<Work>>,
    given: AtomicBool,
    thread: OnceLock<Thread>,
}

/// Rounds in which an idle thread looks for work before it parks. The next task of a program that waits for each one
/// comes within microseconds.
const SPINS: u32 = 200;

impl Compute {
    /// A thread begins to block; false when too many do.
    pub(crate) fn block(&self) -> bool {
        let room = |blocked| (blocked + 1 < limits::COMPUTE_THREADS_MAX).then_some(blocked + 1);
        self.blocked.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_ok()
    }

    pub(crate) fn unblock(&self) {
        self.blocked.fetch_sub(1, Ordering::AcqRel);
    }

    /// Gives work to an idle thread, or to a new one.
    pub(crate) fn start(self: &Arc<Self>, work: Work, here: &Here) {
        let seat = {
            let mut threads = self.threads.lock();
            match threads.idle.pop() {
                Some(seat) => seat,
                None if threads.alive < limits::COMPUTE_THREADS_MAX => {
                    threads.alive += 1;
                    drop(threads);
                    return self.spawn(work, here);
                }
                None => return threads.line.push_back(work),
            }
        };
        seat.give(work);
    }

    fn spawn(self: &Arc<Self>, work: Work, here: &Here) {
        let seat = Arc::new(Seat { work: Mutex::new(Some(work)), ..Seat::default() });
        seat.given.store(true, Ordering::Release);
        let (compute, here, its) = (Arc::clone(self), Arc::clone(here), Arc::clone(&seat));
        let builder = thread::Builder::new()
            .name("raytree-compute".to_owned())
            .stack_size(limits::COMPUTE_STACK_BYTES);
        let started = builder.spawn(move || compute.serve(&its, &here));
        if let Err(error) = started {
            tracing::error!("no thread for a task: {error}; it waits for a thread that is free");
            let mut threads = self.threads.lock();
            threads.alive -= 1;
            let work = seat.work.lock().take();
            threads.line.extend(work);
        }
    }

    /// The life of one thread.
    fn serve(&self, seat: &Arc<Seat>, here: &Here) {
        ambient::bind_thread(Arc::clone(here), true);
        yield_to_the_system();
        _ = seat.thread.set(thread::current());
        while let Some(work) = self.take(seat) {
            let Some(runtime) = here.get().and_then(Weak::upgrade) else { break };
            let worked = panics::catch(|| match work {
                Work::Lane => runtime.work_lane(),
                Work::One(task) => task.run_granted(&runtime),
            });
            if let Err(cause) = worked {
                // User code is caught where it runs: this is a fault of the system's own.
                tracing::error!("a compute thread went on after a panic: {cause}");
            }
        }
        self.threads.lock().alive -= 1;
    }

    /// The next work of this thread; none when it is to end.
    fn take(&self, seat: &Arc<Seat>) -> Option<Work> {
        if !seat.given.load(Ordering::Acquire) {
            let mut threads = self.threads.lock();
            if let Some(work) = threads.line.pop_front() {
                return Some(work);
            }
            if self.ended.load(Ordering::Acquire) {
                return None;
            }
            threads.idle.push(Arc::clone(seat));
        }
        for round in 0..SPINS {
            if seat.given.load(Ordering::Acquire) {
                break;
            }
            if round % 16 == 15 { thread::yield_now() } else { std::hint::spin_loop() }
        }
        let idle_until = clock::now() + limits::COMPUTE_THREAD_IDLE;
        while !seat.given.load(Ordering::Acquire) {
            // It may return early: an unpark that came before the last work was taken is still owed.
            let left = idle_until.saturating_sub(clock::now());
            thread::park_timeout(left);
            let over = left.is_zero();
            if over && !seat.given.load(Ordering::Acquire) && self.retire(seat) {
                return None;
            }
        }
        seat.given.store(false, Ordering::Release);
        seat.work.lock().take()
    }

    /// An idle thread ends, unless work was given to it meanwhile.
    fn retire(&self, seat: &Arc<Seat>) -> bool {
        let mut threads = self.threads.lock();
        let place = threads.idle.iter().position(|other| Arc::ptr_eq(other, seat));
        place.map(|place| threads.idle.remove(place)).is_some()
    }

    /// No more work is given; idle threads end.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        let (idle, line) = {
            let mut threads = self.threads.lock();
            (std::mem::take(&mut threads.idle), std::mem::take(&mut threads.line))
        };
        drop(line);
        for seat in idle {
            seat.given.store(true, Ordering::Release);
            seat.wake();
        }
    }
}

impl Seat {
    fn give(&self, work: Work) {
        *self.work.lock() = Some(work);
        self.given.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// Supervision comes before computing: compute threads are a little nicer than the system's, however nice the program
/// was started.
fn yield_to_the_system() {
    const NICER: i32 = 1;
    let this = Some(rustix::thread::gettid());
    if let Ok(nice) = rustix::process::getpriority_process(this) {
        // Refused only where threads have no priorities of their own; then all are equal.
        _ = rustix::process::setpriority_process(this, nice + NICER);
    }
}

impl std::fmt::Debug for Compute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compute").field("blocked", &self.blocked).finish_non_exhaustive()
    }
}

//! The lane: tasks that need one CPU and nothing else, worked off by threads that hold one CPU each.
//!
//! Invariants:
//! - **LN-1 (no-idle-lane):** while the lane has tasks, every free CPU has a worker on its way to it.
//! - **LN-2 (in-turn):** while others wait for resources, the lane waits with them, and takes no CPU out of turn.

use raytree_engine::placement::{Loan, Verdict};
use raytree_types::{Demand, Resources};

use crate::node::ledger::{Claimant, Ledger};
use crate::sync::{AtomicU64, AtomicUsize, Ordering, Queue};

/// What most tasks need, in thousandths.
pub(crate) const ONE_CPU: i64 = 1000;

/// See the [module documentation](self).
pub(crate) struct Lane<T> {
    queue: Queue<T>,
    /// CPUs the lane may stand in line for at once, and those it does.
    width: usize,
    claims: AtomicUsize,
    numbers: AtomicU64,
}

/// What whoever may have freed a CPU has to do for the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Nothing.
    Nothing,
    /// Send a worker: one CPU was taken for it.
    Worker,
    /// Look who is next in the books: the lane stands in line there.
    Settle,
}

impl<T> Lane<T> {
    /// For a node with so many whole CPUs.
    pub(crate) fn new(width: usize) -> Self {
        let (claims, numbers) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self { queue: Queue::default(), width, claims, numbers }
    }

    pub(crate) fn push(&self, task: T) {
        self.queue.push(task);
    }

    /// Takes a task out without running it.
    pub(crate) fn pop(&self) -> Option<T> {
        self.queue.pop()
    }

    /// A CPU may be free, or a task has come.
    pub(crate) fn call(&self, ledger: &Ledger) -> Call {
        if self.queue.is_empty() {
            return Call::Nothing;
        }
        match ledger.try_cpu_or_ask(ONE_CPU) {
            Some(true) => Call::Worker,
            // Whoever has a CPU looks here when he gives it back.
            Some(false) => Call::Nothing,
            None => self.stand_in_line(ledger),
        }
    }

    /// Whole CPUs of its node.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many tasks it has.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    fn stand_in_line(&self, ledger: &Ledger) -> Call {
        // No more claims than tasks.
        let most = self.width.min(self.queue.len());
        let one_more = |claims| (claims < most).then_some(claims + 1);
        if self.claims.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_err() {
            return Call::Nothing;
        }
        let who = Claimant::Lane(self.numbers.fetch_add(1, Ordering::Relaxed));
        match ledger.request(who, &Demand::always(Resources::cpus(1.0)), Loan::May) {
            Verdict::Waiting => Call::Settle,
            Verdict::Granted => {
                self.granted();
                Call::Worker
            }
            Verdict::Infeasible => {
                self.granted();
                Call::Nothing
            }
        }
    }

    /// It stands in line for one CPU less.
    pub(crate) fn granted(&self) {
        self.claims.fetch_sub(1, Ordering::SeqCst);
    }

    /// The work of one worker, with one CPU in hand: `run` says whether it still has the CPU afterwards. Ends when there
    /// is nothing to do, or somebody else needs the CPU more; `settle` is called whenever the CPU was given back.
    pub(crate) fn work(&self, ledger: &Ledger, run: impl Fn(T) -> bool, settle: impl Fn()) {
        loop {
            while let Some(task) = self.queue.pop() {
                if !run(task) {
                    return;
                }
                if ledger.has_lines() || ledger.is_overdrawn() {
                    ledger.give_cpu(ONE_CPU);
                    return settle();
                }
            }
            ledger.give_cpu(ONE_CPU);
            if ledger.has_lines() {
                settle();
            }
            // Somebody may have come between the last look and the giving back (LN-1).
            if self.queue.is_empty() || !ledger.try_cpu(ONE_CPU) {
                return;
            }
        }
    }
}

impl<T> std::fmt::Debug for Lane<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").field("claims", &self.claims).finish_non_exhaustive()
    }
}

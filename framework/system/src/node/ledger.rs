//! The node's resources: who has what, who waits. Tasks and actors draw from one ledger.
//!
//! CPUs that nobody waits for lie in a purse, an atomic: a task that needs only CPUs takes and gives them with one
//! operation. As soon as anybody waits in the books, the CPUs lie there, and everything goes through the engine's rules.
//!
//! Invariants:
//! - **NL-1 (no-idle-cpu):** when somebody waits in the books, the purse is empty or is about to be poured into them.
//!   So it is while they grant nothing.
//! - **NL-2 (debts-first):** a task that takes back the CPU it lent may overdraw the purse; whatever is given next pays
//!   that first.

use raytree_engine::placement::{Loan, Placement, Verdict};
use raytree_types::resources::CPU;
use raytree_types::{ActorId, Demand, Resources};

use crate::sync::{AtomicBool, AtomicI64, AtomicU64, Mutex, Ordering};

/// Who asks for resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Claimant {
    /// An actor.
    Actor(ActorId),
    /// A task that needs more than the one CPU most tasks need, by its number.
    Task(u64),
    /// One CPU for whatever is next in the lane. Numbered, so that several may wait.
    Lane(u64),
}

#[derive(Debug)]
pub(crate) struct Ledger {
    /// Free CPU, in thousandths; below zero after a loan was taken back early.
    purse: AtomicI64,
    /// CPU that waiting tasks have lent.
    lent: AtomicI64,
    /// Somebody waits in the books, or nothing is granted.
    lines: AtomicBool,
    /// Odd while the books are worked on: the purse is empty then, whoever waits.
    epoch: AtomicU64,
    books: Mutex<Placement<Claimant>>,
}

impl Ledger {
    pub(crate) fn new(total: Resources) -> Self {
        let mut books = Placement::new(total);
        let cpu = books.drain_cpu();
        Self {
            purse: AtomicI64::new(signed(cpu)),
            lent: AtomicI64::new(0),
            lines: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            books: Mutex::new(books),
        }
    }

    /// Takes so many thousandths of CPU if nobody waits and they are free.
    pub(crate) fn try_cpu(&self, amount: i64) -> bool {
        let enough = |free: i64| (free >= amount).then_some(free - amount);
        self.purse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, enough).is_ok()
    }

    /// Takes CPU whether there is any or not (NL-2).
    pub(crate) fn take(&self, amount: i64) {
        self.purse.fetch_sub(amount, Ordering::SeqCst);
    }

    /// As [`Self::try_cpu`], for one who stands in line where others wait: none if the purse may have been empty only
    /// because the books were being worked on.
    pub(crate) fn try_cpu_or_ask(&self, amount: i64) -> Option<bool> {
        let before = self.epoch.load(Ordering::SeqCst);
        if self.has_lines() {
            return None;
        }
        if self.try_cpu(amount) {
            return Some(true);
        }
        let quiet = before.is_multiple_of(2) && self.epoch.load(Ordering::SeqCst) == before;
        (quiet && !self.has_lines()).then_some(false)
    }

    /// Gives CPU back to the purse. Whoever does looks then who may have it: see [`Self::has_lines`].
    pub(crate) fn give_cpu(&self, amount: i64) {
        self.purse.fetch_add(amount, Ordering::SeqCst);
    }

    /// Somebody waits in the books (NL-1).
    pub(crate) fn has_lines(&self) -> bool {
        self.lines.load(Ordering::SeqCst)
    }

    /// More CPUs are in use than there are (NL-2).
    pub(crate) fn is_overdrawn(&self) -> bool {
        self.purse.load(Ordering::Relaxed) < 0
    }

    /// A task that waits lends its CPU.
    pub(crate) fn lend(&self, amount: i64) {
        self.lent.fetch_add(amount, Ordering::SeqCst);
        self.give_cpu(amount);
    }

    /// It goes on, and has its CPU back whoever has it now.
    pub(crate) fn take_back(&self, amount: i64) {
        self.purse.fetch_sub(amount, Ordering::SeqCst);
        self.lent.fetch_sub(amount, Ordering::SeqCst);
    }

    pub(crate) fn request(&self, who: Claimant, demand: &Demand, loan: Loan) -> Verdict {
        self.with(|books| books.request(who, demand, loan))
    }

    /// Whoever may start now, with what was taken for it.
    pub(crate) fn grant_next(&self) -> Option<(Claimant, Resources)> {
        self.with(Placement::grant_next)
    }

    /// Whoever it was taken for is gone.
    pub(crate) fn returned(&self, need: Resources) {
        self.ended(&Demand::always(need));
    }

    pub(crate) fn placed(&self, demand: &Demand) {
        self.with(|books| books.placed(demand));
    }

    pub(crate) fn ended(&self, demand: &Demand) {
        self.with(|books| books.ended(demand));
    }

    pub(crate) fn failed(&self, demand: &Demand) {
        self.with(|books| books.failed(demand));
    }

    /// Grants nothing until it goes on (PL-4): all free CPUs lie in the books meanwhile. Whoever lets it go on looks then who may start.
    pub(crate) fn pause(&self, is_paused: bool) {
        self.with(|books| books.pause(is_paused));
    }

    /// One that waits may start although it is paused.
    pub(crate) fn let_one_through(&self) {
        self.with(Placement::let_one_through);
    }

    pub(crate) fn withdraw(&self, who: Claimant) -> bool {
        self.with(|books| books.withdraw(who))
    }

    /// All there is.
    pub(crate) fn total(&self) -> Resources {
        self.books.lock().total().clone()
    }

    /// What nobody holds.
    pub(crate) fn free(&self) -> Resources {
        let books = self.books.lock();
        let purse = self.purse.load(Ordering::SeqCst).max(0).unsigned_abs();
        let cpu = books.free().thousandths(CPU) + purse;
        books.free().clone().with_thousandths(CPU, cpu)
    }

    /// Works on the books with all free CPUs in them.
    fn with<T>(&self, work: impl FnOnce(&mut Placement<Claimant>) -> T) -> T {
        let mut books = self.books.lock();
        self.epoch.fetch_add(1, Ordering::SeqCst);
        // Said before the purse is emptied, so that whoever gives something afterwards knows to look here.
        self.lines.store(true, Ordering::SeqCst);
        let mut free = signed(books.drain_cpu());
        let pour = |purse: i64| {
            // What is free in the books pays debts, too (NL-2).
            Some(purse.saturating_add(free).min(0))
        };
        if let Ok(purse) = self.purse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, pour) {
            free = free.saturating_add(purse).max(0);
        }
        books.pour_cpu(free.unsigned_abs());
        books.set_lent(self.lent.load(Ordering::SeqCst).max(0).unsigned_abs());
        let result = work(&mut books);
        if books.waiting() == 0 && !books.is_paused() {
            self.lines.store(false, Ordering::SeqCst);
            self.purse.fetch_add(signed(books.drain_cpu()), Ordering::SeqCst);
        }
        self.epoch.fetch_add(1, Ordering::SeqCst);
        result
    }
}

/// Amounts are bounded by `RESOURCE_MAX`, far below what overflows.
pub(crate) fn signed(thousandths: u64) -> i64 {
    i64::try_from(thousandths).unwrap_or(i64::MAX)
}

//! The life that fills a probe now, and how to reach it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use ractor::ActorCell;
use raytree_types::{Cause, ExitKind};

use crate::life::{self, LifeEnd, Part};
use crate::ping::Ping;

/// Sends what the adapter answers, a ping where there is one.
type Wake = Box<dyn Fn(Option<Box<Ping>>) + Send + Sync>;

/// The life that fills a probe now.
#[derive(Default)]
pub(crate) struct Body {
    cell: Mutex<Option<ActorCell>>,
    end: Mutex<Option<Arc<LifeEnd>>>,
    /// Its supervisor hears of its end: ractor links an actor some time after it was spawned.
    linked: AtomicBool,
    /// It was told to end at once.
    killed: AtomicBool,
    panic_now: AtomicBool,
    /// Work that it piped has panicked: looked at before each message.
    work_failed: AtomicBool,
    work_cause: Mutex<Option<Cause>>,
    wake: OnceLock<Wake>,
    /// When the ping that waits in the mailbox was sent, in nanoseconds of the clock and never 0; 0 when none does.
    pinged: AtomicU64,
    close: OnceLock<Box<dyn Fn(ExitKind) + Send + Sync>>,
    /// How the life failed, where it said so itself.
    failure: Mutex<Option<ExitKind>>,
}

impl Body {
    /// How to reach the mailbox and how to close it. Set once, with the address, which outlives every life.
    pub(crate) fn connect(
        &self,
        wake: impl Fn(Option<Box<Ping>>) + Send + Sync + 'static,
        close: impl Fn(ExitKind) + Send + Sync + 'static,
    ) {
        _ = self.wake.set(Box::new(wake));
        _ = self.close.set(Box::new(close));
    }

    /// The end of the life that fills the place now, or filled it last.
    pub(super) fn end(&self) -> Option<Arc<LifeEnd>> {
        self.end.lock().clone()
    }

    /// There will be no further life.
    pub(super) fn close(&self, last: &ExitKind) {
        if let Some(close) = self.close.get() {
            close(last.clone());
        }
    }

    /// Asks for a panic before the next message, and sees to it that there is one.
    pub(super) fn panic_now(&self) {
        self.panic_now.store(true, Ordering::SeqCst);
        if let Some(wake) = self.wake.get() {
            wake(None);
        }
    }

    /// True for the one who may ping now: no other ping waits there.
    pub(crate) fn may_ping(&self, now: Duration) -> bool {
        let now = super::nanoseconds(now).max(1);
        self.pinged.compare_exchange(0, now, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Sends the ping of the one who may.
    pub(crate) fn ping(&self, ping: Box<Ping>) {
        if let Some(wake) = self.wake.get() {
            wake(Some(ping));
        }
    }

    /// It was answered, or its mailbox is gone.
    pub(crate) fn ping_is_over(&self) {
        self.pinged.store(0, Ordering::Release);
    }

    /// Since when a ping waits there.
    pub(crate) fn pinged_at(&self) -> Option<Duration> {
        let at = self.pinged.load(Ordering::Acquire);
        (at > 0).then_some(Duration::from_nanos(at))
    }

    pub(crate) fn failed(&self, kind: &ExitKind) {
        *self.failure.lock() = Some(kind.clone());
    }

    pub(crate) fn failure(&self) -> Option<ExitKind> {
        self.failure.lock().clone()
    }

    /// A new life is about to be spawned; its first part.
    pub(crate) fn before_spawn(&self) -> Part {
        self.linked.store(false, Ordering::SeqCst);
        self.killed.store(false, Ordering::SeqCst);
        self.work_failed.store(false, Ordering::SeqCst);
        let (part, end) = life::begin();
        *self.end.lock() = Some(end);
        part
    }

    pub(crate) fn spawned(&self, cell: ActorCell) {
        *self.cell.lock() = Some(cell);
    }

    /// The life is linked to its supervisor; false when it was killed before that.
    pub(crate) fn is_linked_now(&self) -> bool {
        self.linked.store(true, Ordering::SeqCst);
        !self.was_killed()
    }

    /// Kills the life; one that is not linked yet is killed as soon as it is, so that its supervisor hears of it.
    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::SeqCst);
        if self.linked.load(Ordering::SeqCst)
            && let Some(cell) = self.cell()
        {
            cell.kill();
        }
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.killed.load(Ordering::SeqCst)
    }

    pub(crate) fn cell(&self) -> Option<ActorCell> {
        self.cell.lock().clone()
    }

    pub(crate) fn takes_panic(&self) -> bool {
        // One relaxed load per message in the common case.
        self.panic_now.load(Ordering::Relaxed) && self.panic_now.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn work_failed(&self, cause: Cause) {
        *self.work_cause.lock() = Some(cause);
        self.work_failed.store(true, Ordering::SeqCst);
        if let Some(wake) = self.wake.get() {
            wake(None);
        }
    }

    pub(crate) fn takes_failed_work(&self) -> Option<Cause> {
        if !self.work_failed.load(Ordering::Relaxed) {
            return None;
        }
        self.work_failed.store(false, Ordering::SeqCst);
        self.work_cause.lock().take()
    }
}

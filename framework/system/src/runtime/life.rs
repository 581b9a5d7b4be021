//! What outlives a runtime: the word that it has ended, for references that are still held.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use raytree_types::{Error, Result};

use super::Shared;

/// One runtime's entry among all that ever ran in this process. Never freed: a reference to an object is 8 bytes
/// smaller and costs no count for it, and a process starts few runtimes (an entry is under 100 bytes).
pub(crate) struct Life {
    ended: AtomicBool,
    /// This process ends as soon as it has.
    with_process: AtomicBool,
    shared: OnceLock<Weak<Shared>>,
    lost_errors: AtomicU64,
    /// Every value is sent through the codec and back, as between processes.
    pub(crate) strict: bool,
}

impl Life {
    pub(crate) fn new(strict: bool) -> &'static Self {
        let lost_errors = AtomicU64::new(0);
        let (ended, with_process) = Default::default();
        let shared = OnceLock::new();
        Box::leak(Box::new(Self { ended, with_process, shared, lost_errors, strict }))
    }

    /// Called once, when the runtime is up.
    pub(crate) fn begin(&self, shared: Weak<Shared>) {
        // Set once, by the one who made it.
        _ = self.shared.set(shared);
    }

    pub(crate) fn runtime(&self) -> Option<Arc<Shared>> {
        self.shared.get()?.upgrade()
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// When it ends, so does this process.
    pub(crate) fn process_ends(&self) {
        self.with_process.store(true, Ordering::Release);
    }

    /// It has ended, and this process is about to.
    pub(crate) fn ends_with_process(&self) -> bool {
        self.has_ended() && self.with_process.load(Ordering::Acquire)
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.has_ended() { Err(self.gone()) } else { Ok(()) }
    }

    pub(crate) fn gone(&self) -> Error {
        match self.runtime() {
            Some(shared) => shared.gone(),
            None => Error::RuntimeGone { reason: "it was dropped".to_owned() },
        }
    }

    /// An error that nobody will ever read: logged once, and counted.
    pub(crate) fn lost(&self, error: &Error) {
        if matches!(
            error,
            Error::RuntimeGone { .. } | Error::HeadLost { .. } | Error::Cancelled { .. }
        ) {
            return;
        }
        self.lost_errors.fetch_add(1, Ordering::Relaxed);
        tracing::error!(code = error.code(), "nobody waits for this error: {error}");
    }

    pub(crate) fn lost_errors(&self) -> u64 {
        self.lost_errors.load(Ordering::Relaxed)
    }
}

/// The life of no runtime, for what could not be submitted to one.
pub(crate) fn nowhere() -> &'static Life {
    static NOWHERE: OnceLock<&'static Life> = OnceLock::new();
    NOWHERE.get_or_init(|| Life::new(false))
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Life").field("ended", &self.ended).finish_non_exhaustive()
    }
}

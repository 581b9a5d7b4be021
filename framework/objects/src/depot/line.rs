//! The socket of a process that uses the store.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::net::Shutdown;

use crate::protocol::{self, Told};

/// The socket of a process.
pub(super) struct Line {
    pub(super) stream: UnixStream,
    /// Whether it is told anything: not when it did not take something in time, and has half of it, or has said nonsense.
    hears: Mutex<bool>,
}

/// What is to be said to whom, once nothing is locked any more.
pub(super) type Words = Vec<(Arc<Line>, Told)>;

impl Line {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, hears: Mutex::new(true) }
    }

    /// Whether it is told anything, as far as that is known without waiting for one who tells it something.
    pub(super) fn hears(&self) -> bool {
        self.hears.try_lock().is_none_or(|hears| *hears)
    }

    pub(super) fn tell(&self, told: &Told) {
        let mut hears = self.hears.lock();
        if *hears && protocol::write(&mut &self.stream, told).is_err() {
            *hears = false;
            self.hangs_up();
        }
    }

    /// It is told nothing more from now on.
    pub(super) fn is_told_nothing(&self) {
        *self.hears.lock() = false;
        self.hangs_up();
    }

    /// It sees that: what it says of its end is heard all the same (DP-1).
    fn hangs_up(&self) {
        _ = rustix::net::shutdown(&self.stream, Shutdown::Write);
    }
}

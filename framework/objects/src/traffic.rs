//! What goes through a session.

use std::sync::atomic::{AtomicU64, Ordering};

/// What has gone through a session, since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Objects that this process has written.
    pub written: u64,
    /// Their bytes.
    pub written_bytes: u64,
    /// Objects of others that it was told of, and holds or held.
    pub taken: u64,
    /// Their bytes, none of which was copied.
    pub taken_bytes: u64,
    /// What it wanted to write, and did not fit.
    pub refused: u64,
    /// Round trips to the store for room: one for many small objects together, one for each of the others.
    pub leases: u64,
    /// Round trips for objects that are not where they were: on disk, or in the store of another node.
    pub asks: u64,
}

impl Traffic {
    /// Of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            written: self.written + other.written,
            written_bytes: self.written_bytes + other.written_bytes,
            taken: self.taken + other.taken,
            taken_bytes: self.taken_bytes + other.taken_bytes,
            refused: self.refused + other.refused,
            leases: self.leases + other.leases,
            asks: self.asks + other.asks,
        }
    }
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) written: AtomicU64,
    pub(crate) written_bytes: AtomicU64,
    pub(crate) taken: AtomicU64,
    pub(crate) taken_bytes: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) leases: AtomicU64,
    pub(crate) asks: AtomicU64,
}

impl Counts {
    /// What they are.
    pub(crate) fn now(&self) -> Traffic {
        let Counts { written, written_bytes, taken, taken_bytes, refused, leases, asks } = self;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Traffic {
            written: read(written),
            written_bytes: read(written_bytes),
            taken: read(taken),
            taken_bytes: read(taken_bytes),
            refused: read(refused),
            leases: read(leases),
            asks: read(asks),
        }
    }
}

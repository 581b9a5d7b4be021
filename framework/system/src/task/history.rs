//! What tasks have been: attempts that are over, and the times of those that are not.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use raytree_supervise::clock;
use raytree_types::state::TaskState;
use raytree_types::{Error, Result, limits};

use super::plan::PlanRef;

/// When a task was submitted and its present run began, by the clock of the process.
#[derive(Debug)]
pub(crate) struct Times {
    /// To a few milliseconds.
    submitted: u64,
    /// 0 before the first run.
    began: AtomicU64,
}

impl Times {
    /// Of one that is submitted now.
    pub(super) fn begin() -> Self {
        Self { submitted: nanoseconds(clock::roughly_now()), began: AtomicU64::new(0) }
    }

    pub(super) fn runs_since(&self, now: Duration) {
        self.began.store(nanoseconds(now), Ordering::Relaxed);
    }

    pub(crate) fn submitted(&self) -> Duration {
        Duration::from_nanos(self.submitted)
    }

    /// Nothing before the first run.
    pub(crate) fn began(&self) -> Option<Duration> {
        let began = self.began.load(Ordering::Relaxed);
        (began > 0).then(|| Duration::from_nanos(began))
    }
}

/// 584 years fit.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// An attempt that is over.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    pub(crate) id: u64,
    pub(crate) parent: Option<u64>,
    pub(crate) plan: PlanRef,
    pub(crate) attempt: u32,
    pub(crate) how: How,
    pub(crate) submitted: Duration,
    pub(crate) began: Option<Duration>,
    pub(crate) ended: Duration,
    /// Where it ran, if that was in another process.
    pub(crate) host: Option<Arc<str>>,
}

/// How an attempt has ended.
#[derive(Clone, Debug)]
pub(crate) enum How {
    Finished,
    /// And why, in one line.
    Failed(Box<str>),
    Cancelled,
}

impl How {
    pub(super) fn of<T>(result: &Result<T>) -> Self {
        match result {
            Ok(_) => Self::Finished,
            Err(Error::Cancelled { .. }) => Self::Cancelled,
            Err(error) => Self::failed(error.to_string()),
        }
    }

    pub(super) fn failed(why: String) -> Self {
        let line = why.lines().next().unwrap_or_default();
        Self::Failed(line.chars().take(limits::INSPECT_CAUSE_CHARS_MAX).collect())
    }

    pub(crate) fn state(&self) -> TaskState {
        match self {
            Self::Finished => TaskState::Finished,
            Self::Failed(_) => TaskState::Failed,
            Self::Cancelled => TaskState::Cancelled,
        }
    }
}

/// The last attempts that are over, and how many were forgotten.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The newest last.
    kept: VecDeque<Past>,
    dropped: u64,
}

impl History {
    /// One more; the one that makes room for it, to be dropped elsewhere.
    pub(super) fn push(&mut self, past: Past, most: usize) -> Option<Past> {
        let oldest = (self.kept.len() >= most).then(|| self.kept.pop_front()).flatten();
        self.dropped += u64::from(oldest.is_some());
        self.kept.push_back(past);
        oldest
    }

    pub(super) fn read(&self) -> (impl Iterator<Item = &Past>, u64) {
        (self.kept.iter(), self.dropped)
    }
}

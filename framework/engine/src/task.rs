//! One task's existence as a state machine: one word of state, a pure transition, an effect for the shell to carry out.
//!
//! The shell keeps the word in an atomic and calls [`Task::step`] in a compare-and-swap loop, so whoever comes first
//! decides, and everybody sees the same story.
//!
//! ```text
//! Waiting ──last argument──▶ Queued ──Begin──▶ Running ──▶ Done
//!    │                          ▲                 │ lost, or an error worth a retry
//!    └────────▶ Done ◀──────────┴─────────────────┘
//! ```
//!
//! Invariants:
//! - **TK-1 (resolved-once):** of all effects of a task exactly one resolves it: [`Effect::Resolve`] or
//!   [`Effect::Abandon`].
//! - **TK-2 (one-body):** a body begins only when no earlier one of the task may still run.
//! - **TK-3 (retries-are-bounded):** there are at most as many further runs as the policy allows, of each kind.
//! - **TK-4 (cancelled-is-final):** a cancelled task is never run again.

#[cfg(test)]
mod tests;

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Some arguments are not there yet.
    Waiting,
    /// Waits for its resources.
    Queued,
    /// A body runs.
    Running,
    /// It has a result, or never will.
    Done,
}

/// What happens to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// One more argument is there.
    ArgumentReady,
    /// An argument will never be there.
    ArgumentFailed,
    /// Arguments that were there are lost, and so many are waited for anew. Counts only before a run.
    ArgumentsLost {
        /// At least one, at most [`MISSING_MAX`].
        missing: u32,
    },
    /// It has its resources and a place to run.
    Begin,
    /// The body returned a value.
    Returned,
    /// The body returned an error or panicked; whether its kind is worth another run.
    Failed {
        /// The policy names this kind of error, or names none.
        worth_a_retry: bool,
    },
    /// The worker that ran the body is gone, and the body with it.
    WorkerLost,
    /// Somebody no longer wants it.
    Cancel,
    /// It has waited for too long. Counts only before its first run.
    QueueExpired,
    /// Run number `run` takes too long.
    RunExpired {
        /// The run that the timer was set for; the first is 0.
        run: u32,
    },
}

/// What the shell has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Ask for its arguments, once more.
    Ask,
    /// Ask for its resources.
    Queue,
    /// Run the body, now.
    Run,
    /// Tell everybody who waits; the event says what.
    Resolve,
    /// Tell everybody who waits, and end the body if it can be ended. What it still returns is discarded.
    Abandon,
    /// The body of an abandoned task has ended.
    Discard,
}

/// How often a task may be run again. `u32::MAX` is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    /// After the loss of its worker.
    pub lost: u32,
    /// After an error of its own.
    pub errors: u32,
}

/// A task's state in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    phase: Phase,
    /// Arguments that are not there yet.
    missing: u32,
    /// Runs after the first, by reason. They stop counting at [`RUNS_COUNTED`].
    lost: u16,
    errors: u16,
}

/// Runs are counted up to here; a policy of more is for ever.
const RUNS_COUNTED: u16 = u16::MAX;

/// The most arguments that may be missing at once.
pub const MISSING_MAX: u32 = (1 << 28) - 1;

impl Task {
    /// A task of which `missing` arguments are not there yet, at most [`MISSING_MAX`].
    #[must_use]
    pub fn new(missing: u32) -> Self {
        let phase = if missing == 0 { Phase::Queued } else { Phase::Waiting };
        Self { phase, missing: missing.min(MISSING_MAX), lost: 0, errors: 0 }
    }

    /// Where it is.
    #[must_use]
    pub fn phase(self) -> Phase {
        self.phase
    }

    /// Which run is the present or next one; the first is 0.
    #[must_use]
    pub fn run(self) -> u32 {
        u32::from(self.lost) + u32::from(self.errors)
    }

    /// Whether a further run may follow this one.
    #[must_use]
    pub fn may_run_again(self, retries: Retries) -> bool {
        allows(retries.lost, self.lost) || allows(retries.errors, self.errors)
    }

    /// Whether one that is over may run again, since what it gave is lost.
    #[must_use]
    pub fn may_be_rebuilt(self, retries: Retries) -> bool {
        allows(retries.lost, self.lost)
    }

    /// The task that runs again for one that is over, since what that gave is lost: `missing` arguments are not there yet. It costs a retry.
    #[must_use]
    pub fn rebuilt(self, missing: u32) -> Self {
        Self { lost: self.lost.saturating_add(1), errors: self.errors, ..Self::new(missing) }
    }

    /// What `event` makes of it, and what is to be done.
    #[must_use]
    pub fn step(self, event: Event, retries: Retries) -> (Self, Effect) {
        let done = Self { phase: Phase::Done, missing: 0, ..self };
        let queued = Self { phase: Phase::Queued, missing: 0, ..self };
        match (self.phase, event) {
            (Phase::Waiting, Event::ArgumentReady) if self.missing > 1 => {
                (Self { missing: self.missing - 1, ..self }, Effect::None)
            }
            (Phase::Waiting, Event::ArgumentReady) => (queued, Effect::Queue),
            (Phase::Waiting, Event::ArgumentFailed) => (done, Effect::Resolve),
            (Phase::Queued, Event::ArgumentsLost { missing }) => {
                let missing = missing.clamp(1, MISSING_MAX);
                (Self { phase: Phase::Waiting, missing, ..self }, Effect::Ask)
            }
            (Phase::Queued, Event::Begin) => (Self { phase: Phase::Running, ..self }, Effect::Run),
            (Phase::Waiting | Phase::Queued, Event::Cancel) => (done, Effect::Resolve),
            (Phase::Waiting | Phase::Queued, Event::QueueExpired) if self.run() == 0 => {
                (done, Effect::Resolve)
            }
            (Phase::Running, Event::Returned) => (done, Effect::Resolve),
            (Phase::Running, Event::Failed { worth_a_retry })
                if worth_a_retry && allows(retries.errors, self.errors) =>
            {
                (Self { errors: self.errors.saturating_add(1), ..queued }, Effect::Queue)
            }
            (Phase::Running, Event::Failed { .. }) => (done, Effect::Resolve),
            (Phase::Running, Event::WorkerLost) if allows(retries.lost, self.lost) => {
                (Self { lost: self.lost.saturating_add(1), ..queued }, Effect::Queue)
            }
            (Phase::Running, Event::WorkerLost) => (done, Effect::Resolve),
            (Phase::Running, Event::Cancel) => (done, Effect::Abandon),
            (Phase::Running, Event::RunExpired { run }) if run == self.run() => {
                (done, Effect::Abandon)
            }
            (Phase::Done, Event::Returned | Event::Failed { .. } | Event::WorkerLost) => {
                (self, Effect::Discard)
            }
            // Late or repeated news.
            _ => (self, Effect::None),
        }
    }

    /// The word that an atomic keeps.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        let phase = match self.phase {
            Phase::Waiting => 0,
            Phase::Queued => 1,
            Phase::Running => 2,
            Phase::Done => 3,
        };
        phase
            | u64::from(self.missing) << 2
            | u64::from(self.lost) << 32
            | u64::from(self.errors) << 48
    }

    /// The task that [`Task::to_bits`] wrote.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        let phase = match bits & 3 {
            0 => Phase::Waiting,
            1 => Phase::Queued,
            2 => Phase::Running,
            _ => Phase::Done,
        };
        Self {
            phase,
            missing: (bits >> 2) as u32 & MISSING_MAX,
            lost: (bits >> 32) as u16,
            errors: (bits >> 48) as u16,
        }
    }
}

/// Whether one more is within the bound.
fn allows(bound: u32, used: u16) -> bool {
    bound > u32::from(RUNS_COUNTED) || u32::from(used) < bound
}

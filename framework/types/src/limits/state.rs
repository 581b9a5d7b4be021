//! The bounds of lists and histories: what is under way, and what has been.

use std::time::Duration;

/// Rows of a list unless more are asked for: what fits on a few screens. Ray's is the same.
pub const STATE_ROWS: usize = 100;

/// Rows of a list at most: about 5 MiB on their way. Who needs more asks with conditions, or for a summary.
pub const STATE_ROWS_MAX: usize = 10_000;

/// Attempts of tasks that are over and that each process remembers, about 16 MiB when there were so many, and the
/// texts of errors. Older ones make room, and are counted. Ray keeps as many for a whole cluster.
pub const TASK_HISTORY: usize = 100_000;

/// Messages of actors and moves of objects that each process remembers for the timeline, about 1.5 MiB: a sixteenth of them for each of its threads, or for
/// each sixteenth of its threads. Older ones make room, and are counted.
pub const SPANS_KEPT: usize = 16_384;

/// Messages that took less are not in the timeline: nobody would see them, and they would push out those that count.
pub const SPAN_MIN: Duration = Duration::from_micros(10);

/// Spans of a timeline unless more are asked for: a viewer opens as many with ease.
pub const TIMELINE_SPANS: usize = 100_000;

/// Spans of a timeline at most: about 50 MiB on their way, below what one answer may have.
pub const TIMELINE_SPANS_MAX: usize = 200_000;

/// So often a program sees whether calls of actors take long: a call that is there at two ticks is worth a look for deadlocks.
pub const DEADLOCK_TICK: Duration = Duration::from_secs(2);

/// The time between two looks for deadlocks, as long as calls take long for whatever reason: a look asks all processes.
pub const DEADLOCK_LOOK_AT_MOST: Duration = Duration::from_secs(10);

/// From a change of the workers of a program to the look whether something waits for what none of them has: nodes that come or go
/// together are seen together, and there is time left of the second within which whoever waits in vain is to be told.
pub const HOPELESS_AFTER: Duration = Duration::from_millis(500);

//! The bounds of the system, each with the reason for its size. What reaches one gets a typed error, not growth.

use std::time::Duration;

/// Messages a system actor accepts before senders are refused. Far above any healthy queue (they drain in
/// microseconds), far below what would hurt: 64 Ki messages of at most 1 KiB are 64 MiB.
pub const SYSTEM_MAILBOX_MAX: usize = 65_536;

/// Calls a user actor accepts by default before callers get `Overloaded`. A caller 10 k calls ahead of an actor is
/// not served better by queueing more; Ray warns at half of it.
pub const ACTOR_MAILBOX_DEFAULT: usize = 10_000;

/// The most an actor may ask for as its mailbox bound: one GiB of one-KiB calls.
pub const ACTOR_MAILBOX_MAX: usize = 1 << 20;

/// `&self` handlers of one actor that may overlap. Ray's async actors default to 1,000; beyond 10 k the tasks of one
/// actor crowd out everybody else's.
pub const MAX_CONCURRENCY_MAX: usize = 10_000;

/// Actors alive in one runtime. An idle one costs about 13 KiB, so this is about 13 GiB: a leak, not a program.
pub const ACTORS_MAX: usize = 1_000_000;

/// Entries of a system actor's flight recorder.
pub const FLIGHT_RECORDER_SYSTEM: usize = 64;

/// Entries of a user actor's flight recorder: there may be a hundred thousand of them.
pub const FLIGHT_RECORDER_USER: usize = 8;

/// Causes a supervisor remembers of each child, newest last.
pub const LAST_CAUSES: usize = 8;

/// How long after a kill a shutdown waits before it goes on without the child: synchronous code cannot be killed.
pub const KILL_GRACE: Duration = Duration::from_secs(5);

/// Names are shown in columns and typed by hand.
pub const NAME_BYTES_MAX: usize = 128;

/// The largest amount of one resource: keeps every sum of thousandths far from overflow.
pub const RESOURCE_MAX: f64 = 1e12;

/// How long an ordered shutdown of a runtime may take before everything left is killed: twice the longest a single
/// actor may take by default.
pub const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(60);

/// How long a graceful stop of a user actor may take by default, its queued calls included. Ray's figure.
pub const ACTOR_STOP_WITHIN: Duration = Duration::from_secs(30);

/// How often the end of an actor is asked for again: the one who was asked may have died of something else. Far above
/// the microseconds it takes, far below what a person notices.
pub const END_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How long a runtime may take to come up; it takes a fraction of a millisecond.
pub const START_WITHIN: Duration = Duration::from_secs(10);

/// Threads for user code of one runtime.
pub const USER_THREADS_MAX: usize = 1024;

//! Bounds of what processes write to their standard output and error: kept in files, shown by the driver, read again.

use std::time::Duration;

/// Bytes of one line on its way to the driver. A longer one goes in pieces; its file has it as it was written.
pub const LOG_LINE_BYTES_MAX: usize = 16 << 10;

/// Bytes that are taken from one output at once: what a pipe holds.
pub const LOG_READ_BYTES: usize = 64 << 10;

/// Reads of an output whose process has ended: a pipe holds one of them, and what a process of another group still writes into
/// it is not waited for.
pub const LOG_LAST_READS: usize = 32;

/// Bytes a second of one process that go to its driver. A terminal shows a tenth of it, and a flood of a hundred processes
/// stays far below what a link carries. What is beyond stays in the files, and is counted.
pub const LOG_FORWARD_BYTES_PER_SECOND: u64 = 1 << 20;

/// So many seconds of it may come at once.
pub const LOG_FORWARD_BURST_SECONDS: u64 = 2;

/// The same for all workers of one node of a cluster together: it goes over the control plane.
pub const LOG_NODE_BYTES_PER_SECOND: u64 = 1 << 20;

/// Messages with lines that a node has handed over to its session and that were not said yet: of at most 64 KiB each.
pub const LOG_UNDER_WAY_MAX: usize = 64;

/// Bytes of lines that wait to be printed: a terminal that is stopped costs so much memory, and then lines.
pub const LOG_PRINT_BYTES_MAX: usize = 4 << 20;

/// Equal lines of several processes within this time become one. Ray's figure.
pub const LOG_REPEATS_WITHIN: Duration = Duration::from_secs(5);

/// Different lines that are remembered for that. Beyond it lines are printed as they come.
pub const LOG_REPEATS_MAX: usize = 4096;

/// Bytes of the lines that are remembered for that.
pub const LOG_REPEATS_BYTES_MAX: usize = 4 << 20;

/// How long an end in order waits for what processes wrote last.
pub const LOG_SETTLES_WITHIN: Duration = Duration::from_secs(1);

/// Sessions whose files stay, besides those of programs that run. Each may hold what the settings `logs.rotate_bytes` and
/// `logs.rotate_files` allow for each process; few hold a megabyte.
pub const LOG_SESSIONS_KEPT: usize = 16;

/// Processes that have ended and whose files stay, for each that starts processes: a program may run a million isolated tasks.
pub const LOG_ENDED_KEPT: usize = 1000;

/// Lines that are read of a log when nobody says how many. Ray's figure.
pub const LOG_TAIL_LINES: usize = 1000;

/// Lines of one answer.
pub const LOG_TAIL_LINES_MAX: usize = 100_000;

/// Bytes of one answer: below [`INSPECT_REPLY_BYTES_MAX`](super::INSPECT_REPLY_BYTES_MAX) also when each is written as six.
pub const LOG_TAIL_BYTES_MAX: usize = 8 << 20;

/// How often a log is asked again by who follows it.
pub const LOG_FOLLOW_EVERY: Duration = Duration::from_millis(500);

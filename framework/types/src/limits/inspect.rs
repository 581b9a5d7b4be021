//! Bounds of looking at a tree from outside.

use std::time::Duration;

/// Bytes of one request to the inspector: a path and a few switches. What is longer is not a request.
pub const INSPECT_REQUEST_BYTES_MAX: usize = 4096;

/// Bytes of one answer of the inspector. A row is about 300 bytes, so this is a tree of 200 k actors; what does not fit
/// is counted.
pub const INSPECT_REPLY_BYTES_MAX: usize = 64 << 20;

/// Clients that one inspector answers at once; the others wait in the line of the socket. Each may hold one answer in
/// memory, and nobody watches a runtime through more windows.
pub const INSPECT_CONNECTIONS_MAX: usize = 8;

/// How long a client may take to send a request, and how long it may be silent between two: a live view asks once a
/// second.
pub const INSPECT_READ_WITHIN: Duration = Duration::from_secs(5);

/// How long a client may take to read an answer of the largest size: 64 MiB in this time are 7 MB/s.
pub const INSPECT_WRITE_WITHIN: Duration = Duration::from_secs(10);

/// How long a client waits for an answer: a tree of a million actors is read in about a second.
pub const INSPECT_ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long the inspector waits when the system gives it no connection (no file descriptors left, say).
pub const INSPECT_ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Files that a runtime looks at when it clears away the sockets of dead ones; the next runtime finds the rest.
pub const INSPECT_SWEEP_MAX: usize = 256;

/// Characters of a cause in one row of a tree: a screen shows less, a panic may have said a megabyte.
pub const INSPECT_CAUSE_CHARS_MAX: usize = 512;

/// Those that a cause names on its way through the tree: supervisors and processes stand ten deep, and of a longer way the
/// first and the last are what counts.
pub const CAUSE_WAY_MAX: usize = 16;

/// Bytes in which a process says what its tree has failed of, before it ends: its line takes them at once.
pub const CAUSE_BYTES_MAX: usize = 16 << 10;

/// How long a connection between machines over which nobody asks stays open: longer than the longest interval of a live view,
/// since dialing again takes a handshake.
pub const INSPECT_STREAM_IDLE: Duration = Duration::from_secs(30);

/// Of the time that a client waits, the part that those get whom the one it asks has to ask in turn: what is left is for the
/// way back. Four processes below each other leave a fifth to the last.
pub const INSPECT_PASS_ON: (u32, u32) = (3, 4);

/// Who did not answer in time gets only this part of it from then on, until it answers: one frozen process must not make
/// every look at all the others slow.
pub const INSPECT_SILENT_PART: u32 = 10;

/// Processes that are asked at once by one that shows what is below them.
pub const INSPECT_ASK_AT_ONCE: usize = 64;

/// Names that are offered for one that is not there.
pub const INSPECT_NEAR_MAX: usize = 5;

/// How many rows ahead two lists of rows are searched for where they go on alike: more have seldom come or gone within one
/// second, and then the rows are sent again.
pub const INSPECT_REALIGN_ROWS: usize = 256;

/// How often the supervision log is asked again by who follows it.
pub const EVENTS_FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// A wait that takes so long is shown: most take microseconds.
pub const WAIT_IS_LONG: Duration = Duration::from_secs(1);

/// Waits that one process shows; with more of them than that nobody reads them.
pub const INSPECT_WAITS_MAX: usize = 100_000;

/// Chains of waits that are told, besides deadlocks.
pub const INSPECT_CHAINS_MAX: usize = 100;

/// Entries of the supervision log that a live view asks for with each look: those that it has it knows.
pub const TOP_EVENTS: usize = 200;

/// How long a live view waits for one answer: what is silent for so long is shown as it was.
pub const TOP_ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Entries of the supervision log in one answer.
pub const INSPECT_EVENTS_MAX: usize = 10_000;

/// Entries of the supervision log that each process keeps: about 1 MiB, and an hour of one failure a second. Older ones make
/// room, and are counted.
pub const EVENTS_KEPT: usize = 4096;

/// Characters of what an entry of the supervision log says: one sentence, and with it the names of what is lost with a process.
pub const EVENT_CHARS_MAX: usize = 2048;

/// Bytes of the names that are listed of each kind of thing that is lost with a process: some forty names. How many more there are is said.
pub const LOST_NAMES_BYTES_MAX: usize = 700;

/// Bytes of the texts that they have together, a text being cut after [`INSPECT_CAUSE_CHARS_MAX`] characters: what
/// fails with long messages drops older entries sooner, which are counted as well.
pub const EVENTS_BYTES_MAX: usize = 4 << 20;

/// Errors below the first that an entry of the supervision log keeps of a cause.
pub const EVENT_CHAIN_MAX: usize = 8;

/// How long a system actor may take to answer a ping when it is examined: it handles messages in microseconds, so one that does not
/// answer in this time is stuck.
pub const PING_WITHIN: Duration = Duration::from_secs(2);

/// How often a ping is tried again while another one waits in the same mailbox.
pub const PING_AGAIN: Duration = Duration::from_millis(10);

/// A system actor whose mailbox is further behind than this is slow: a message to it takes as long as a beat.
pub const PING_SLOW: Duration = Duration::from_millis(100);

/// Clocks of two machines that are further apart than this are a finding: events of several machines are shown in the order of
/// their times, and nobody would see cause and effect in theirs.
pub const CLOCKS_APART_MAX: Duration = Duration::from_secs(1);

/// Rows of a list that a command shows if nobody says more, as many as Ray's: what is longer nobody reads to its end.
pub const LIST_ROWS: usize = 100;

/// Restarts of one inspector over its whole existence. It has a budget of its own, so that whatever ails it ends nobody
/// else; with the longest back-off this is more than an hour.
pub const INSPECT_RESTARTS_MAX: u32 = 1000;

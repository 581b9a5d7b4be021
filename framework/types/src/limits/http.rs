//! Bounds of the dashboard and of the metrics: what is served over HTTP.

use std::time::Duration;

/// Connections that one HTTP server has at once: sixteen viewers with the few that a browser opens for each page. Whoever comes
/// then waits in the line of the socket.
pub const HTTP_CONNECTIONS_MAX: usize = 64;

/// Bytes of the head of a request: browsers send 1 to 4 KiB, cookies of other programs on this host included.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 << 10;

/// How long a client may take to send the head of a request, also of the next one on a connection that it keeps.
pub const HTTP_HEAD_WITHIN: Duration = Duration::from_secs(30);

/// How long a client may take nothing of what is written for it. A browser in the background still reads.
pub const HTTP_STALL_MAX: Duration = Duration::from_secs(10);

/// Bytes of the body of a request. Nothing that is asked has one.
pub const HTTP_BODY_BYTES_MAX: u64 = 1024;

/// How long an HTTP server waits when the system gives it no connection (no file descriptors left, say).
pub const HTTP_ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Restarts of one HTTP server over its whole existence. It has a budget of its own, so that whatever ails it ends nobody else.
pub const HTTP_RESTARTS_MAX: u32 = 1000;

/// Ports that are tried from the default one on, when nobody has said which: more heads than that have no place on one machine.
pub const DASHBOARD_PORTS_TRIED: u16 = 32;

/// Questions of the dashboard that are being answered at once, each on a thread of its own; the others wait.
pub const DASHBOARD_ASKS_MAX: usize = 8;

/// How long a question of the dashboard waits for its turn, and then for its answer: a person has given up by then.
pub const DASHBOARD_ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Pages that are told of changes at once. Each may hold two moments of a tree in memory.
pub const DASHBOARD_VIEWERS_MAX: usize = 16;

/// How often those are told: what a person can follow. All of them share one look.
pub const DASHBOARD_LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a one-time code holds: time to switch to a browser, and none to be found in a log a day later.
pub const DASHBOARD_CODE_HOLDS: Duration = Duration::from_secs(600);

/// Codes that were used and hold still. With more of them than that somebody tries something: no further one is taken until
/// the first has run out.
pub const DASHBOARD_CODES_MAX: usize = 1024;

/// How long a browser stays let in: a working day.
pub const DASHBOARD_SESSION_HOLDS: Duration = Duration::from_secs(12 * 3600);

/// Browsers that are let in at once; the one that came first makes room.
pub const DASHBOARD_SESSIONS_MAX: usize = 64;

/// Scrapes of one process's numbers at once: one Prometheus, and its replica.
pub const METRICS_SCRAPES_MAX: usize = 2;

/// Ports that are tried from the one in the settings on: a head and nodes of one machine may have the same settings.
pub const METRICS_PORTS_TRIED: u16 = 32;

/// Rows of one answer when nobody says how many, as in Ray.
pub const API_ROWS_DEFAULT: usize = 100;

/// Rows of one answer at most, as in Ray.
pub const API_ROWS_MAX: usize = 10_000;

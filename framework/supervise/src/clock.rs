//! The one place that reads the clock. Everything else is told the time.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time since the first call in this process; never goes back.
#[must_use]
pub fn now() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let now = instant();
    now.saturating_duration_since(*START.get_or_init(|| now))
}

/// The monotonic clock, for measuring.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the shell's one reader of the monotonic clock")]
pub fn instant() -> Instant {
    Instant::now()
}

/// Time since 1970, for names of files and records read by people.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the shell's one reader of the calendar")]
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

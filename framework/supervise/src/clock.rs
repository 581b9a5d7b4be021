//! The one place that reads the clock. Everything else is told the time.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time since the first call in this process; never goes back.
#[must_use]
pub fn now() -> Duration {
    let now = instant();
    now.saturating_duration_since(start(now).0)
}

/// As [`now`], a few milliseconds late, and several times as cheap: for what is done a million times a second and read by people.
#[must_use]
pub fn roughly_now() -> Duration {
    coarse().saturating_sub(start(instant_once()).1)
}

/// When this clock began, as both clocks would say it.
fn start(now: Instant) -> (Instant, Duration) {
    static START: OnceLock<(Instant, Duration)> = OnceLock::new();
    *START.get_or_init(|| (now, precise()))
}

/// The moment of the first call of it.
fn instant_once() -> Instant {
    static ONCE: OnceLock<Instant> = OnceLock::new();
    *ONCE.get_or_init(instant)
}

/// The monotonic clock of the system, which begins with the machine and is never negative.
fn precise() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::try_from(time).unwrap_or_default()
}

/// As [`now`], and goes on while the machine sleeps. It begins with the machine.
#[cfg(target_os = "linux")]
pub(crate) fn through_sleep() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
}

/// Where there is no such clock.
#[cfg(not(target_os = "linux"))]
pub(crate) use precise as through_sleep;

/// The same at its last tick.
#[cfg(target_os = "linux")]
fn coarse() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    Duration::try_from(time).unwrap_or_default()
}

/// Where there is no cheaper one.
#[cfg(not(target_os = "linux"))]
use precise as coarse;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheap_clock_is_late_and_never_early() {
        let before = roughly_now();
        for _ in 0..1000 {
            let (rough, precise) = (roughly_now(), now());
            assert!(before <= rough && rough <= precise, "{before:?} {rough:?} {precise:?}");
        }
    }
}

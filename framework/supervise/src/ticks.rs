//! A clock for what is noted of every message: a counter of the processor, where the system itself keeps time by it.
//!
//! A look at it costs 9 ns where one at the system's clock costs 23. Its unit is not known, and does not have to be before somebody
//! reads what was noted: then both clocks are looked at, and the ratio of what has passed on them since they were first looked at
//! together is the unit. That clock is one that goes on while the machine sleeps, as the counter does. Elsewhere a tick is a nanosecond
//! of the system's clock.
//!
//! A counter that is set back (a virtual machine that is restored may do that) makes what is read of it wrong until it is where it was,
//! and nothing worse: these are times for people.
#![expect(unsafe_code, reason = "the intrinsic that reads the counter is an unsafe function")]

use std::sync::OnceLock;
use std::time::Duration;

use crate::clock;

/// A moment, or a time between two, in units of the counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticks(pub(crate) u64);

impl Ticks {
    /// This moment.
    pub(crate) fn now() -> Self {
        let origin = origin();
        Self(if origin.is_counter { counter() } else { nanoseconds(clock::now()) })
    }

    /// What has passed since; nothing when the counters of two processors differ by more.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// How long so many are.
    pub(crate) fn to_time(self) -> Duration {
        let origin = origin();
        if !origin.is_counter {
            return Duration::from_nanos(self.0);
        }
        let (now, time) = (Self::now(), clock::through_sleep());
        scaled(self, now.since(origin.ticks), time.saturating_sub(origin.through_sleep))
    }

    /// When it was, by the clock of the process.
    pub(crate) fn to_clock(self) -> Duration {
        let (now, time) = (Self::now(), clock::now());
        time.saturating_sub(now.since(self).to_time())
    }
}

/// `ticks`, where `passed` of them took `time`; where none has passed, a nanosecond each.
fn scaled(ticks: Ticks, passed: Ticks, time: Duration) -> Duration {
    let (time, passed) = if passed.0 == 0 { (1, 1) } else { (time.as_nanos(), passed.0) };
    let nanos = u128::from(ticks.0) * time / u128::from(passed);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// When both clocks were first looked at.
struct Origin {
    is_counter: bool,
    ticks: Ticks,
    through_sleep: Duration,
}

fn origin() -> &'static Origin {
    static ORIGIN: OnceLock<Origin> = OnceLock::new();
    ORIGIN.get_or_init(|| {
        let (is_counter, through_sleep) = (is_trusted(), clock::through_sleep());
        let ticks = if is_counter { counter() } else { nanoseconds(clock::now()) };
        Origin { is_counter, ticks: Ticks(ticks), through_sleep }
    })
}

/// The system keeps its own time by the counter, as this process begins to: it is steady, and the same on all processors.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn is_trusted() -> bool {
    let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    std::fs::read(source).is_ok_and(|name| name.trim_ascii() == b"tsc")
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn is_trusted() -> bool {
    false
}

#[cfg(target_arch = "x86_64")]
fn counter() -> u64 {
    // SAFETY: it reads a register, which every processor of this kind has.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn counter() -> u64 {
    nanoseconds(clock::now())
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_in_ticks_is_read_as_the_clock_has_it() {
        for _ in 0..1000 {
            let before = clock::now();
            let noted = Ticks::now();
            let after = clock::now();
            let read = noted.to_clock();
            // Two looks at two clocks are never of one moment: whoever is interrupted between them errs by as much.
            let late = clock::now().saturating_sub(before);
            assert!(before <= read + late && read <= after + late, "{before:?} {read:?} {after:?}");
        }
        assert_eq!(Ticks(1).since(Ticks(2)), Ticks(0));
    }

    #[test]
    fn a_tick_is_as_long_as_the_clock_says() {
        let two_a_nanosecond = |ticks| scaled(Ticks(ticks), Ticks(2_000), Duration::from_micros(1));
        assert_eq!(two_a_nanosecond(10), Duration::from_nanos(5));
        assert_eq!(two_a_nanosecond(u64::MAX), Duration::from_nanos(u64::MAX / 2));
        let was_set_back = scaled(Ticks(7), Ticks(0), Duration::from_secs(1000));
        assert_eq!(was_set_back, Duration::from_nanos(7));
    }
}

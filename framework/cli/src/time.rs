//! Times as a person reads and writes them, and as logs have them.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Now, since 1970.
pub(crate) fn now() -> Duration {
    let now = clock_gettime(ClockId::Realtime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// Time that never goes back, from a moment of its own.
pub(crate) fn steady() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// A moment since 1970 as `2026-11-22T12:04:07.113Z`, as in the logs of all processes.
pub(crate) fn moment(at: Duration) -> String {
    let (days, second) = (at.as_secs() / 86_400, at.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let millis = at.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month and day of a number of days since 1970 (H. Hinnant, *chrono-compatible low-level date algorithms*).
fn date(days: u64) -> (u64, u64, u64) {
    // Years begin in March here, so that a leap day is the last of its year; 1970 is in the fifth era of 400 years.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// A time that somebody wrote: `500ms`, `30s`, `5m`, `2h`, `1d`.
///
/// # Errors
/// A sentence.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{text}` is no time: write it as 500ms, 30s, 5m, 2h or 1d");
    let end = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| bad())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(bad()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(bad)
}

/// A time that has passed, in one unit: `340 ms`, `4.2 s`, `12 min`, `3 h`, `2 d`.
pub(crate) fn ago(time: Duration) -> String {
    match time.as_secs_f64() {
        short if short < 1.0 => format!("{:.0} ms", short * 1e3),
        short if short < 60.0 => format!("{short:.1} s"),
        long if long < 3600.0 => format!("{:.0} min", long / 60.0),
        long if long < 86_400.0 => format!("{:.0} h", long / 3600.0),
        long => format!("{:.0} d", long / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        let of = |seconds: u64| moment(Duration::from_millis(seconds * 1000 + 113));
        assert_eq!(of(0), "1970-01-01T00:00:00.113Z");
        assert_eq!(of(951_782_399), "2000-02-28T23:59:59.113Z");
        assert_eq!(of(951_782_400), "2000-02-29T00:00:00.113Z");
        assert_eq!(of(1_795_435_447), "2026-11-23T12:04:07.113Z");
        assert_eq!(of(4_107_542_400), "2100-03-01T00:00:00.113Z");
    }

    #[test]
    fn a_time_is_a_number_with_its_unit() {
        assert_eq!(span("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(span("5m"), Ok(Duration::from_secs(300)));
        for bad in ["", "5", "m", "-5m", "5 m", "5y", "99999999999999999999d"] {
            let why = format!("`{bad}` is no time: write it as 500ms, 30s, 5m, 2h or 1d");
            assert_eq!(span(bad), Err(why));
        }
        let of = |millis| ago(Duration::from_millis(millis));
        assert_eq!([of(340), of(4200), of(720_000)], ["340 ms", "4.2 s", "12 min"]);
    }
}

//! Supervision policies, in Erlang's words: what a supervisor does when a child ends.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which children are restarted when one of them fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// Only the one that failed.
    #[default]
    OneForOne,
    /// All of them: stopped in reverse start order, started again in start order.
    OneForAll,
    /// The one that failed and those started after it.
    RestForOne,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneForOne => "one-for-one",
            Self::OneForAll => "one-for-all",
            Self::RestForOne => "rest-for-one",
        })
    }
}

/// Which ends of a child lead to a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restart {
    /// Every end, also an ordered one.
    #[default]
    Permanent,
    /// Only a failure; after an ordered end it stays down.
    Transient,
    /// None: it is forgotten when it ends.
    Temporary,
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permanent => "permanent",
            Self::Transient => "transient",
            Self::Temporary => "temporary",
        })
    }
}

/// Restart intensity: more than `max` restarts within `within`, and the one who counts gives up.
///
/// For a supervisor's limit that means: it stops its children and fails itself, so that its own supervisor decides.
/// The default, 5 in 30 s, lets a child stumble over a passing fault and still stops a hot crash loop within seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartLimit {
    /// Restarts allowed in the window; 0 allows none.
    pub max: u32,
    /// Length of the window.
    pub within: Duration,
}

impl Default for RestartLimit {
    fn default() -> Self {
        Self { max: 5, within: Duration::from_secs(30) }
    }
}

/// Exponential backoff between restarts: the first is immediate, the k-th waits `base * 2^(k-2)`, at most `max`.
///
/// The count falls back to zero when a child has run for the supervisor's [`RestartLimit::within`]. There is no jitter:
/// restarts are local, nobody is stampeded, and a seeded simulation stays exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// Wait before the second restart in a row. Default 50 ms.
    pub base: Duration,
    /// Longest wait. Default 5 s.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_millis(50), max: Duration::from_secs(5) }
    }
}

impl Backoff {
    /// No waiting at all.
    pub const NONE: Self = Self { base: Duration::ZERO, max: Duration::ZERO };

    /// The wait before restart number `in_a_row` (1 is the first).
    #[must_use]
    pub fn delay(&self, in_a_row: u32) -> Duration {
        match in_a_row {
            0 | 1 => Duration::ZERO,
            // 2^31 saturates long before: `max` caps it.
            k => self.base.saturating_mul(1 << (k - 2).min(30)).min(self.max),
        }
    }
}

/// How a child is ended in an ordered shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shutdown {
    /// Asked to stop after its current message, killed when it has not ended after this long. Default: 5 s.
    Stop(Duration),
    /// Asked to finish everything queued first, killed when it has not ended after this long.
    Drain(Duration),
    /// Asked to stop, and waited for: what it waits for in turn has bounds of its own. For supervisors.
    Wait,
    /// Killed at once.
    Kill,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::Stop(Duration::from_secs(5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_from_the_second_restart_and_is_capped() {
        let backoff = Backoff { base: Duration::from_millis(50), max: Duration::from_millis(300) };
        let delays: Vec<u128> = (0..7).map(|k| backoff.delay(k).as_millis()).collect();
        assert_eq!(delays, [0, 0, 50, 100, 200, 300, 300]);
        assert_eq!(backoff.delay(u32::MAX).as_millis(), 300);
        assert_eq!(Backoff::NONE.delay(9), Duration::ZERO);
    }
}

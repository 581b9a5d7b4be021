//! How many lines may go to the driver: a flood is cut at its source, and counted.
//!
//! Invariants:
//! - **LA-1 (bounded):** within any time no more bytes pass than come with that time, and those that may come at once.
//! - **LA-2 (counted):** each line passes, or is counted once in the lines that pass next.

use std::time::Duration;

use raytree_types::{LogLines, limits};

/// Bytes that may pass, which grow with time.
#[derive(Clone, Debug)]
pub struct Allowance {
    per_second: u64,
    most: u64,
    left: u64,
    /// Until when what came with the time was counted.
    since: Duration,
    dropped: u64,
}

/// What became of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// Those that may go, with the number of those before them that did not.
    Pass(LogLines),
    /// None of them.
    Nothing,
}

impl Allowance {
    /// All that may come at once is there.
    #[must_use]
    pub fn new(per_second: u64, now: Duration) -> Self {
        let most = per_second.saturating_mul(limits::LOG_FORWARD_BURST_SECONDS);
        Self { per_second, most, left: most, since: now, dropped: 0 }
    }

    /// Which of these may pass now: the first ones, as many as there is room for.
    #[must_use]
    pub fn take(&mut self, mut lines: LogLines, now: Duration) -> Passed {
        self.grows(now);
        self.dropped += lines.dropped;
        let mut passing = 0;
        for line in &lines.lines {
            let bytes = line.text.len() as u64 + 1;
            if bytes > self.left {
                break;
            }
            self.left -= bytes;
            passing += 1;
        }
        let kept_back = (lines.lines.len() - passing) as u64;
        lines.lines.truncate(passing);
        if passing == 0 {
            self.dropped += kept_back;
            return Passed::Nothing;
        }
        lines.dropped = std::mem::replace(&mut self.dropped, kept_back);
        Passed::Pass(lines)
    }

    /// These were to pass, and did not arrive.
    pub fn lost(&mut self, lines: &LogLines) {
        self.dropped += lines.dropped + lines.lines.len() as u64;
    }

    /// Lines that were dropped and that nobody was told of, once: nothing more comes.
    #[must_use]
    pub fn dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn grows(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.since);
        let grown = passed.as_nanos().saturating_mul(u128::from(self.per_second)) / 1_000_000_000;
        // Less than a byte waits for its time.
        if grown > 0 {
            self.left =
                self.most.min(self.left.saturating_add(u64::try_from(grown).unwrap_or(u64::MAX)));
            self.since = now;
        }
    }
}

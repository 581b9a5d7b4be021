//! What becomes of lines that processes write: cut from what they wrote ([`Cutter`]), as many as may go to the driver
//! ([`Allowance`]), and there printed, those once that several processes write alike ([`Repeats`]).
//!
//! A line that several processes of a cluster write means the same each time: which of them it was says little, and a thousand
//! copies hide everything else. The first one is printed at once; others that come within [`LOG_REPEATS_WITHIN`] are counted, and
//! then stand in one line. What one process alone writes again and again is printed as it comes: there the repetition is what is
//! said.
//!
//! [`LOG_REPEATS_WITHIN`]: limits::LOG_REPEATS_WITHIN
//!
//! Invariants:
//! - **LR-1 (none-lost):** each line that is heard is printed by itself, or counted in one line that is printed.
//! - **LR-2 (first-at-once):** the first of equal lines is printed when it is heard, and no line of one process alone waits.
//! - **LR-3 (bounded):** the lines that are remembered are bounded in number and in bytes; one beyond that is printed.
//! - **LR-4 (in-time):** what was counted is printed when the window of its line is over, at the latest.

mod allowance;
mod cut;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use raytree_types::{LogSource, Output, limits};

pub use allowance::{Allowance, Passed};
pub use cut::Cutter;

/// A line to be printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Print {
    /// Whose it is; of several, the last.
    pub source: LogSource,
    /// Where it was written, and is to be printed.
    pub output: Output,
    /// What it says.
    pub text: String,
    /// How many lines it stands for besides those that were printed; 0 for one that stands for itself.
    pub repeated: u64,
}

impl std::fmt::Display for Print {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({}) {}", self.source, self.text)?;
        match self.repeated {
            0 => Ok(()),
            times => write!(f, " [repeated {times}x across cluster]"),
        }
    }
}

/// The bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For so long after it was printed a line counts those like it.
    pub within: Duration,
    /// Lines that are remembered.
    pub lines_max: usize,
    /// Their bytes.
    pub bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            within: limits::LOG_REPEATS_WITHIN,
            lines_max: limits::LOG_REPEATS_MAX,
            bytes_max: limits::LOG_REPEATS_BYTES_MAX,
        }
    }
}

/// Prints each line once that several processes write within a while.
#[derive(Debug, Default)]
pub struct Repeats {
    settings: Settings,
    recent: HashMap<(Output, String), Recent>,
    /// When the window of each is over; the number keeps those apart that end at once.
    due: BTreeMap<(Duration, u64), (Output, String)>,
    bytes: usize,
    windows: u64,
}

#[derive(Debug)]
struct Recent {
    first: LogSource,
    /// Others have written it, too.
    is_shared: bool,
    last: LogSource,
    counted: u64,
}

impl Repeats {
    /// Nothing was heard yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// A line was heard: it is printed now, or counted.
    #[must_use]
    pub fn heard(
        &mut self,
        source: &LogSource,
        output: Output,
        text: String,
        now: Duration,
    ) -> Option<Print> {
        let print = |text| Some(Print { source: source.clone(), output, text, repeated: 0 });
        if text.trim().is_empty() {
            return print(text);
        }
        let key = (output, text);
        if let Some(recent) = self.recent.get_mut(&key) {
            recent.is_shared |= recent.first != *source;
            if !recent.is_shared {
                return print(key.1);
            }
            recent.counted += 1;
            recent.last = source.clone();
            return None;
        }
        let is_full = self.recent.len() >= self.settings.lines_max
            || self.bytes + key.1.len() > self.settings.bytes_max;
        if !is_full {
            let (first, last) = (source.clone(), source.clone());
            self.bytes += key.1.len();
            self.opens_window(key.clone(), now);
            let recent = Recent { first, is_shared: false, last, counted: 0 };
            self.recent.insert(key.clone(), recent);
        }
        print(key.1)
    }

    /// When there is something to be done at the latest.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.due.first_key_value().map(|((due, _), _)| *due)
    }

    /// What was counted in windows that are over by now. A line that was counted often enough goes on counting.
    #[must_use]
    pub fn pass(&mut self, now: Duration) -> Vec<Print> {
        let mut prints = Vec::new();
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let key = entry.remove();
            let Some(recent) = self.recent.get_mut(&key) else { continue };
            let counted = std::mem::take(&mut recent.counted);
            if counted > 0 {
                prints.push(print(&key, recent.last.clone(), counted));
            }
            if counted > 1 {
                self.opens_window(key, now);
            } else {
                self.bytes -= key.1.len();
                self.recent.remove(&key);
            }
        }
        prints
    }

    /// What was counted and is not printed yet: nothing more is heard.
    #[must_use]
    pub fn finish(&mut self) -> Vec<Print> {
        let mut prints = Vec::new();
        for key in std::mem::take(&mut self.due).into_values() {
            let Some(recent) = self.recent.remove(&key).filter(|recent| recent.counted > 0) else {
                continue;
            };
            prints.push(print(&key, recent.last, recent.counted));
        }
        *self = Self::new(self.settings);
        prints
    }

    fn opens_window(&mut self, key: (Output, String), now: Duration) {
        self.windows += 1;
        self.due.insert((now.saturating_add(self.settings.within), self.windows), key);
    }
}

/// One that was counted once is printed as itself.
fn print((output, text): &(Output, String), source: LogSource, counted: u64) -> Print {
    let repeated = if counted > 1 { counted } else { 0 };
    Print { source, output: *output, text: text.clone(), repeated }
}

#[cfg(test)]
mod tests;

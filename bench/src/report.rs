//! Timing and printing: repeats, medians, rows.

use std::time::{Duration, Instant};

use anyhow::Result;

/// A row and how it is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Report) -> Result<()>,
}

/// The lines of one row.
#[derive(Debug)]
pub(crate) struct Report {
    quick: bool,
    lines: Vec<String>,
}

impl Report {
    pub(crate) fn new(quick: bool) -> Self {
        Self { quick, lines: Vec::new() }
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// How often to repeat: `full`, or as few as make a median.
    pub(crate) fn repeats(&self, full: usize) -> usize {
        if self.quick { full.clamp(1, 3) } else { full }
    }

    /// How much work in one repeat.
    pub(crate) fn size(&self, full: usize) -> usize {
        if self.quick { (full / 20).max(1) } else { full }
    }

    /// Writes `name value unit`.
    pub(crate) fn row(&mut self, name: &str, value: f64, unit: &str) {
        let digits = match value.abs() {
            v if v >= 1000.0 => 0,
            v if v >= 100.0 => 1,
            v if v >= 10.0 => 2,
            _ => 3,
        };
        self.lines.push(format!("{name} {value:.digits$} {unit}"));
    }
}

/// Does nothing for a while: what is measured is what others do meanwhile.
#[expect(clippy::disallowed_methods, reason = "a benchmark lets time pass")]
pub(crate) fn idle(long: Duration) {
    std::thread::sleep(long);
}

/// The monotonic clock.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// How long `work` takes.
pub(crate) fn time<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = now();
    let value = work();
    (start.elapsed(), value)
}

/// What one sample in a hundred is beyond; 0 of none.
pub(crate) fn p99(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() * 99 / 100).copied().unwrap_or(0.0)
}

/// The middle of the samples; 0 of none.
pub(crate) fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(0.0)
}

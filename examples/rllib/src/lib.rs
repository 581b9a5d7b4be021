//! What the example programs share: how progress is shown.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "showing progress is what this module is for"
)]

use raytree_rllib::Report;
use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;

/// How a program ends: with its own code, or with 2 and one sentence on standard error.
#[must_use]
pub fn end(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        eprintln!("Error: {error}");
        ExitCode::from(2)
    })
}

/// Shows progress: one live line on a terminal, plain lines on a pipe, nothing when quiet.
#[derive(Debug)]
pub struct Reporter {
    mode: Mode,
    open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Live,
    Lines,
    Quiet,
}

impl Reporter {
    /// Looks at where the output goes, unless `quiet`.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let mode = match (quiet, stdout().is_terminal()) {
            (true, _) => Mode::Quiet,
            (false, true) => Mode::Live,
            (false, false) => Mode::Lines,
        };
        Self { mode, open: false }
    }

    /// Shows what an iteration brought.
    pub fn report(&mut self, report: &Report) {
        match self.mode {
            Mode::Quiet => {}
            Mode::Lines => println!("{}", line(report)),
            Mode::Live => {
                print!("\r{}\x1b[K", line(report));
                self.open = true;
                if report.evaluation_return_mean.is_some() {
                    self.close();
                }
                // A terminal that is gone needs no progress.
                _ = stdout().flush();
            }
        }
    }

    /// Says something that is to stay.
    pub fn note(&mut self, text: &str) {
        self.close();
        if self.mode != Mode::Quiet {
            println!("{text}");
        }
    }

    /// Ends the live line.
    pub fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            println!();
        }
    }
}

fn line(report: &Report) -> String {
    let number = |value: Option<f64>, digits: usize| match value {
        Some(value) => format!("{value:.digits$}"),
        None => "-".to_owned(),
    };
    let mut line = format!(
        "iteration {:>4}  steps {:>7}  return {:>6}  entropy {:>6}  {:>7} steps/s",
        report.iteration,
        report.env_steps,
        number(report.episode_return_mean, 1),
        number(report.entropy, 3),
        number(report.env_steps_per_s, 0),
    );
    if let Some(mean) = report.evaluation_return_mean {
        line.push_str(&format!("  evaluation {mean:.1}"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_dash_for_what_is_not_known_yet() {
        let report = Report { iteration: 1, env_steps: 256, ..Report::default() };
        assert_eq!(
            line(&report),
            "iteration    1  steps     256  return      -  entropy      -        - steps/s"
        );
    }
}

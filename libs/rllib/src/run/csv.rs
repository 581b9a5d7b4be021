//! `metrics.csv`: one row per iteration.

use super::append::AppendOnly;
use crate::error::{Error, Result};
use crate::metrics::{METRICS, Report};
use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;

/// Writes reports as rows of a table whose columns are [`METRICS`], in their order. A cell without a value is empty.
///
/// Each row reaches the operating system at once, so a table can be watched while it grows and survives a crash.
#[derive(Debug)]
pub struct MetricsCsv {
    file: AppendOnly<File>,
}

impl MetricsCsv {
    /// Creates the file with its header.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(Error::io("create", path))?;
        let mut file = AppendOnly::new(file, path);
        file.append(header().as_bytes())?;
        Ok(Self { file })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`Error::DiskFull`] or [`Error::Io`]; earlier rows stay, and no part of this one.
    pub fn append(&mut self, report: &Report) -> Result<()> {
        let mut row = String::new();
        for (column, value) in report.values().into_iter().enumerate() {
            if column > 0 {
                row.push(',');
            }
            if let Some(value) = value {
                // Writing to a string cannot fail.
                _ = write!(row, "{value}");
            }
        }
        row.push('\n');
        self.file.append(row.as_bytes())
    }
}

fn header() -> String {
    let names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
    names.join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(iteration: u64) -> Report {
        let entropy = (iteration > 1).then_some(0.1);
        Report { iteration, env_steps: 256 * iteration, entropy, ..Report::default() }
    }

    #[test]
    fn rows_can_be_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        let mut csv = MetricsCsv::create(&path).unwrap();
        for iteration in 1..=3 {
            csv.append(&report(iteration)).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert!(rows.iter().all(|row| row.len() == METRICS.len()));
        let entropy = rows[0].iter().position(|name| *name == "entropy").unwrap();
        let column = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<_>>();
        assert_eq!(column(0), ["iteration", "1", "2", "3"]);
        assert_eq!(column(entropy), ["entropy", "", "0.1", "0.1"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_one_clear_sentence() {
        let error = MetricsCsv::create(Path::new("/dev/full")).unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }));
        assert_eq!(error.to_string(), "no space left on the disk for /dev/full");
    }
}

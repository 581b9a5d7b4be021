//! `metrics.csv`: one row per iteration.

use crate::error::{Error, Result};
use crate::metrics::{METRICS, Report};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Writes reports as rows of a table whose columns are [`METRICS`], in their order. A cell without a value is empty.
///
/// Each row reaches the operating system at once, so a table can be watched while it grows and survives a crash.
#[derive(Debug)]
pub struct MetricsCsv {
    file: File,
    path: PathBuf,
}

impl MetricsCsv {
    /// Creates the file with its header.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(Error::io("create", path))?;
        let mut csv = Self { file, path: path.to_owned() };
        csv.write(&header())?;
        Ok(csv)
    }

    /// Goes on with a file after its first `rows` rows; what follows them (rows of iterations that were lost with a
    /// crash) is cut off.
    ///
    /// # Errors
    /// [`Error::BadFile`] if its columns are others or it has fewer rows, [`Error::Io`] or [`Error::DiskFull`].
    pub fn resume(path: &Path, rows: u64) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
        let bad = |reason: String| Error::BadFile { path: path.to_owned(), reason };
        if !text.starts_with(&header()) {
            return Err(bad("its columns are not those of this version".to_owned()));
        }
        let ends = text.match_indices('\n').map(|(at, _)| at as u64 + 1);
        let lines = usize::try_from(rows).unwrap_or(usize::MAX);
        let end = ends.clone().nth(lines).ok_or_else(|| {
            bad(format!("it has {} rows, not {rows}", ends.count().saturating_sub(1)))
        })?;
        let file = File::options().append(true).open(path).map_err(Error::io("open", path))?;
        file.set_len(end).map_err(Error::io("shorten", path))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`Error::DiskFull`] or [`Error::Io`]; earlier rows stay.
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
        self.write(&row)
    }

    fn write(&mut self, text: &str) -> Result<()> {
        self.file.write_all(text.as_bytes()).map_err(Error::io("write", &self.path))
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
    fn rows_can_be_read_back_and_resumed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        let mut csv = MetricsCsv::create(&path).unwrap();
        for iteration in 1..=3 {
            csv.append(&report(iteration)).unwrap();
        }
        let mut resumed = MetricsCsv::resume(&path, 2).unwrap();
        resumed.append(&report(9)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert!(rows.iter().all(|row| row.len() == METRICS.len()));
        let entropy = rows[0].iter().position(|name| *name == "entropy").unwrap();
        let column = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<_>>();
        assert_eq!(column(0), ["iteration", "1", "2", "9"]);
        assert_eq!(column(entropy), ["entropy", "", "0.1", "0.1"]);

        let error = MetricsCsv::resume(&path, 7).unwrap_err().to_string();
        assert!(error.ends_with("it has 3 rows, not 7"), "{error}");
        fs::write(&path, "other\n").unwrap();
        assert!(matches!(MetricsCsv::resume(&path, 0), Err(Error::BadFile { .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_one_clear_sentence() {
        let error = MetricsCsv::create(Path::new("/dev/full")).unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }));
        assert_eq!(error.to_string(), "no space left on the disk for /dev/full");
    }
}

//! What a run leaves behind: a folder with its configuration, metrics, learning curve and checkpoints.
//!
//! ```text
//! runs/ppo_CartPole-v1_1_20261121-103800/
//!   config.json                    the resolved configuration
//!   metrics.csv                    one row per iteration, columns as in `metrics::METRICS`
//!   events.out.tfevents.…          the same for TensorBoard
//!   curve.svg                      return over environment steps
//!   checkpoints/step_000012288/    model.safetensors, spec.json
//! ```

mod append;
mod checkpoint;
mod csv;
mod curve;
mod tensorboard;

pub use checkpoint::{Checkpoint, read_checkpoint, write_checkpoint};
pub use csv::MetricsCsv;
pub use curve::Curve;
pub use tensorboard::EventWriter;

use crate::error::{Error, Result};
use serde::Serialize;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A folder of its own for one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

/// What a run folder is named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunName<'a> {
    /// The algorithm, such as `ppo`.
    pub algorithm: &'a str,
    /// The environment's id.
    pub env: &'a str,
    /// The experiment's seed.
    pub seed: u64,
    /// When the run began, in seconds since 1970 (UTC).
    pub unix_s: u64,
}

/// How many runs of one name may begin in the same second.
const SAME_NAME_MAX: u32 = 1_000;

impl RunFolder {
    /// Creates `<root>/<algorithm>_<env>_<seed>_<time>`. If that exists, `-2` is appended, then `-3` and so on: two runs
    /// never share a folder, even if they begin at the same moment in two processes.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn create(root: &Path, name: RunName<'_>) -> Result<Self> {
        fs::create_dir_all(root).map_err(Error::io("create", root))?;
        let stem = name.to_string();
        for attempt in 1..=SAME_NAME_MAX {
            let suffix = if attempt == 1 { String::new() } else { format!("-{attempt}") };
            let path = root.join(format!("{stem}{suffix}"));
            // Creating is the test: it fails if the folder exists.
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", &path)(error)),
            }
        }
        Err(Error::io("create", &root.join(stem))(io::ErrorKind::AlreadyExists.into()))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the resolved configuration to `config.json`.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn write_config(&self, config: &impl Serialize) -> Result<()> {
        write_json(&self.path.join("config.json"), config)
    }

    /// Draws the learning curve to `curve.svg`.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn write_curve(&self, curve: &Curve) -> Result<()> {
        write_atomically(&self.path.join("curve.svg"), curve.to_svg().as_bytes())
    }

    /// Where the checkpoint after this many environment steps belongs.
    #[must_use]
    pub fn checkpoint_path(&self, env_steps: u64) -> PathBuf {
        self.path.join("checkpoints").join(format!("step_{env_steps:09}"))
    }
}

impl std::fmt::Display for RunName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = |text: &str| -> String {
            let keep = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
            text.chars().map(|c| if keep(c) { c } else { '-' }).collect()
        };
        let (algorithm, env) = (plain(self.algorithm), plain(self.env));
        write!(f, "{algorithm}_{env}_{}_{}", self.seed, timestamp(self.unix_s))
    }
}

/// `20261121-103800` for seconds since 1970, UTC.
fn timestamp(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    // Days since 1 March of year 0, in eras of 400 years; months counted from March.
    let day = days + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

/// The instructions of this machine that decide how numbers are rounded: curves are bit-equal only among machines that
/// give the same answer.
#[must_use]
pub fn cpu_feature_level() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx512f") {
            "x86-64 avx512f"
        } else if std::is_x86_feature_detected!("fma") {
            "x86-64 fma"
        } else {
            "x86-64"
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        std::env::consts::ARCH
    }
}

/// Writes a whole file so that it is either the old one or the new one, never half of it: to a neighbour first, which
/// then takes its name.
///
/// # Errors
/// [`Error::Io`] or [`Error::DiskFull`]; the old file is untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = with_suffix(path, ".partial");
    let written = write_synced(&partial, bytes)
        .and_then(|()| fs::rename(&partial, path).map_err(Error::io("rename", &partial)));
    if written.is_err() {
        // The first error is the one to tell.
        _ = fs::remove_file(&partial);
    }
    written
}

/// Writes a file and waits until the disk has it.
fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = fs::File::create(path).map_err(Error::io("create", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(Error::io("write", path))
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::io("write", path)(io::Error::other(error)))?;
    text.push(b'\n');
    write_atomically(path, &text)
}

/// The path with something appended to its last part.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: RunName<'_> =
        RunName { algorithm: "ppo", env: "ALE/Pong-v5", seed: 7, unix_s: 1_795_257_480 };

    #[test]
    fn times() {
        for (unix_s, text) in [
            (0, "19700101-000000"),
            (951_782_399, "20000228-235959"),
            (951_868_800, "20000301-000000"),
            (1_709_164_800, "20240229-000000"),
            (4_107_542_399, "21000228-235959"),
            (4_107_542_400, "21000301-000000"),
        ] {
            assert_eq!(timestamp(unix_s), text);
        }
    }

    #[test]
    fn a_run_never_takes_the_folder_of_another() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("runs");
        let names: Vec<String> = (0..3)
            .map(|_| RunFolder::create(&root, NAME).unwrap())
            .map(|folder| folder.path().file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        let stem = NAME.to_string();
        assert!(stem.starts_with("ppo_ALE-Pong-v5_7_2026"), "{stem}");
        assert_eq!(names, [stem.clone(), format!("{stem}-2"), format!("{stem}-3")]);
    }

    #[test]
    fn files_are_whole_or_absent() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(root.path(), NAME).unwrap();
        folder.write_config(&serde_json::json!({"seed": 1})).unwrap();
        folder.write_config(&serde_json::json!({"seed": 2})).unwrap();
        let text = fs::read_to_string(folder.path().join("config.json")).unwrap();
        assert_eq!(text, "{\n  \"seed\": 2\n}\n");
        let entries = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(entries, 1, "nothing half-written stays");
    }

    #[test]
    fn a_file_in_place_of_the_root_is_named() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("runs");
        fs::write(&file, "").unwrap();
        let error = RunFolder::create(&file, NAME).unwrap_err();
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    }
}

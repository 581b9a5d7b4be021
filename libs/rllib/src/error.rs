//! What can go wrong, one sentence each.

use crate::env::ContractViolation;
use crate::word::{self, Word};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// The result of this library's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in this library.
///
/// A failed method of one of its actors gives its error back:
/// [`raytree::Error::downcast`](raytree::Error::downcast). The errors of files stay where the files are.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No environment is registered under this id.
    #[error("unknown environment `{id}`{}", near_hint(near))]
    UnknownEnv {
        /// The id asked for.
        id: String,
        /// Registered ids that look like it, nearest first.
        near: Vec<String>,
    },
    /// Two registrations claim one id.
    #[error("environment `{id}` is registered twice: at {first} and at {second}")]
    DuplicateEnv {
        /// The id.
        id: String,
        /// `file:line` of one registration.
        first: String,
        /// `file:line` of the other.
        second: String,
    },
    /// An environment breaks its contract.
    #[error("the environment breaks its contract: {violation}")]
    ContractBroken {
        /// The broken rule.
        #[source]
        violation: ContractViolation,
    },
    /// One of an experiment's environments broke its contract at run time.
    #[error("environment {index} broke its contract: {violation}")]
    BrokenEnv {
        /// Its index in the experiment.
        index: usize,
        /// The broken rule.
        #[source]
        violation: ContractViolation,
    },
    /// An environment has no snapshots, so it cannot be saved or moved.
    #[error("environment {index} cannot be saved: it does not implement `snapshot` and `restore`")]
    SnapshotUnsupported {
        /// Its index in the experiment.
        index: usize,
    },
    /// A snapshot does not fit the environments it is given to.
    #[error("the snapshot does not fit: {reason}")]
    SnapshotMismatch {
        /// What differs.
        reason: String,
    },
    /// An action does not fit the action space.
    #[error("the action of environment {index} lies outside its space {space}")]
    InvalidAction {
        /// The environment's index in the experiment.
        index: usize,
        /// The action space.
        space: String,
    },
    /// A number of actions that is not one per environment.
    #[error("{got} action numbers given where {environments} environments take {expected}")]
    ActionCount {
        /// How many numbers were given.
        got: usize,
        /// How many are needed.
        expected: usize,
        /// How many environments there are.
        environments: usize,
    },
    /// A call that must follow a reset came without one.
    #[error(
        "environment {index} was stepped without a reset: its episode has ended or never began"
    )]
    NeedsReset {
        /// Its index in the experiment.
        index: usize,
    },
    /// Slices that must agree in length do not.
    #[error("`{name}` has {got} numbers where {expected} are needed")]
    Length {
        /// Which argument.
        #[serde(deserialize_with = "word::read")]
        name: Word,
        /// Its length.
        got: usize,
        /// The length it must have.
        expected: usize,
    },
    /// A schedule that gives no value at some time.
    #[error("invalid schedule: {reason}")]
    InvalidSchedule {
        /// What is wrong with it.
        reason: String,
    },
    /// A setting lies outside its range.
    #[error("`{field}` is {value}, but must be {allowed}")]
    Config {
        /// The setting.
        #[serde(deserialize_with = "word::read")]
        field: Word,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// A configuration file has a key that no setting has.
    #[error("{} has the unknown key `{key}`{}", path.display(), near_hint(near))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Settings that look like it, nearest first.
        near: Vec<String>,
    },
    /// There is no preset for this environment.
    #[error("there is no preset for `{env}`, only for {}", known.join(", "))]
    UnknownPreset {
        /// The environment asked for.
        env: String,
        /// The environments that have one.
        known: Vec<String>,
    },
    /// The algorithm cannot act in such a space.
    #[error("{algorithm} does not act in {space}: it takes Discrete or Box actions")]
    UnsupportedSpace {
        /// The algorithm.
        #[serde(deserialize_with = "word::read")]
        algorithm: Word,
        /// The action space.
        space: String,
    },
    /// No network is registered under this id.
    #[error("unknown network `{id}`: there are {}", known.join(", "))]
    UnknownNetwork {
        /// The id asked for.
        id: String,
        /// All registered ids.
        known: Vec<String>,
    },
    /// Two networks claim one id.
    #[error("network `{id}` is registered twice: at {first} and at {second}")]
    DuplicateNetwork {
        /// The id.
        id: String,
        /// `file:line` of one registration.
        first: String,
        /// `file:line` of the other.
        second: String,
    },
    /// A custom network does not have the inputs or outputs that were asked for.
    #[error("the custom network has {got} {what} where {expected} are needed")]
    BadNetwork {
        /// `inputs` or `outputs`.
        #[serde(deserialize_with = "word::read")]
        what: Word,
        /// How many it has.
        got: usize,
        /// How many it must have.
        expected: usize,
    },
    /// Learning ran into numbers that are not finite. Parameters stay as they were before the step.
    #[error("training diverged in iteration {iteration}: {cause}")]
    Diverged {
        /// The iteration, counted from 1.
        iteration: u64,
        /// What was not finite, and where.
        cause: String,
    },
    /// An env runner kept failing, or is gone for good.
    #[error(
        "env runner {runner} (environments {first} to {last}) failed {attempts} times in one rollout: {source}"
    )]
    RunnerLost {
        /// Its number, from 0.
        runner: usize,
        /// Its first environment.
        first: usize,
        /// Its last environment.
        last: usize,
        /// How often the rollout was tried.
        attempts: u32,
        /// The end of the last try.
        #[source]
        source: raytree::Error,
    },
    /// A part of the algorithm kept failing, or is gone for good.
    #[error("the {part} failed {attempts} times in one iteration: {source}")]
    PartLost {
        /// Which part.
        #[serde(deserialize_with = "word::read")]
        part: Word,
        /// How often it was asked.
        attempts: u32,
        /// The end of the last try.
        #[source]
        source: raytree::Error,
    },
    /// The runtime refused or lost a call.
    #[error(transparent)]
    Runtime(#[from] raytree::Error),
    /// The disk is full; what was written before stays.
    #[error("no space left on the disk for {}", path.display())]
    #[serde(skip)]
    DiskFull {
        /// The file being written.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file or folder could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    #[serde(skip)]
    Io {
        /// What was tried, as a verb.
        action: Word,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} is damaged or foreign: {reason}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// Which field, and what is wrong with it.
        reason: String,
    },
}

impl Error {
    /// Maps an input-output failure to [`DiskFull`](Self::DiskFull) or [`Io`](Self::Io), naming the file; for
    /// `map_err`.
    pub fn io(action: Word, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Self::DiskFull { path, source }
                }
                _ => Self::Io { action, path, source },
            }
        }
    }

    /// Checks the length of a slice argument.
    pub(crate) fn check_len(name: &'static str, got: usize, expected: usize) -> Result<()> {
        if got == expected { Ok(()) } else { Err(Self::Length { name, got, expected }) }
    }
}

impl From<ContractViolation> for Error {
    fn from(violation: ContractViolation) -> Self {
        Self::ContractBroken { violation }
    }
}

fn near_hint(near: &[String]) -> String {
    match near {
        [] => String::new(),
        [one] => format!(": did you mean `{one}`?"),
        [first, rest @ ..] => {
            let rest: Vec<String> = rest.iter().map(|id| format!("`{id}`")).collect();
            format!(": did you mean `{first}`, or {}?", rest.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_value_but_for_those_of_files() {
        let violation = ContractViolation::ObservationNotWritten { method: "step", at: 1 };
        let error = Error::BrokenEnv { index: 3, violation };
        let text = serde_json::to_string(&error).unwrap();
        let back: Error = serde_json::from_str(&text).unwrap();
        assert_eq!(back.to_string(), error.to_string());
        let Error::BrokenEnv { violation, .. } = back else { panic!("{back}") };
        assert!(matches!(
            violation,
            ContractViolation::ObservationNotWritten { method: "step", .. }
        ));
        let file = Error::io("read", Path::new("a"))(io::ErrorKind::NotFound.into());
        assert!(serde_json::to_string(&file).is_err(), "it stays where the file is");
    }
}

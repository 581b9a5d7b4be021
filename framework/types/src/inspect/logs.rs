//! Reading what processes have written.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::logs::{LogLine, LogSource, Output};

/// Whose lines, and which of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogQuery {
    /// Who lives in the process that is meant: a path of the tree, a name or an id of an actor, a node; or the number of the
    /// process. Empty for the process that is asked.
    pub which: String,
    /// At most so many lines of each output, the last ones.
    pub tail: usize,
    /// One output; none for both.
    pub output: Option<Output>,
    /// What came after an earlier answer, instead of the last lines.
    pub since: Option<LogMark>,
}

impl Default for LogQuery {
    fn default() -> Self {
        Self { which: String::new(), tail: limits::LOG_TAIL_LINES, output: None, since: None }
    }
}

impl LogQuery {
    /// The last lines of the process of somebody.
    #[must_use]
    pub fn of(which: impl Into<String>) -> Self {
        Self { which: which.into(), ..Self::default() }
    }
}

/// How far the outputs of a process were read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogMark {
    /// Which process: how its files are called.
    pub files: String,
    /// In standard output: the turn of the file, and the bytes of it.
    pub out: (u64, u64),
    /// In standard error.
    pub err: (u64, u64),
}

/// What a process has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogText {
    /// The process.
    pub source: LogSource,
    /// Its files are in this folder, on the machine that it runs on.
    pub folder: String,
    /// The lines: those of standard output first, each output in its order.
    pub lines: Vec<LogLine>,
    /// There are older lines that are not here.
    pub is_cut: bool,
    /// Where the next answer goes on.
    pub next: LogMark,
}

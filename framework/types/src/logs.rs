//! What processes write to their standard output and error, on its way to whoever shows it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which of the two outputs of a process.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Standard output.
    #[default]
    Out,
    /// Standard error.
    Err,
}

impl Output {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Out, Self::Err];
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Out => "out",
            Self::Err => "err",
        })
    }
}

/// Whose lines they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogSource {
    /// What the process is called by the one that has started it: a node, a job's worker, the task or the actor that it is of.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// The node it runs on; none where that is the program itself, or where the name says it.
    pub node: Option<String>,
}

impl fmt::Display for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pid={}", self.name, self.pid)?;
        match &self.node {
            Some(node) => write!(f, ", node={node}"),
            None => Ok(()),
        }
    }
}

/// One line, without its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Where it was written.
    pub output: Output,
    /// What was written; what is no UTF-8 is replaced.
    pub text: String,
}

/// Lines of one process, in the order in which they were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLines {
    /// Whose they are.
    pub source: LogSource,
    /// The lines.
    pub lines: Vec<LogLine>,
    /// Lines of it before these that were dropped on the way; they are in its files.
    pub dropped: u64,
}

impl LogLines {
    /// What they take in memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lines.iter().map(|line| line.text.len() + size_of::<LogLine>()).sum::<usize>()
            + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_says_its_node_where_there_is_one() {
        let mut source = LogSource { name: "ppo#1".to_owned(), pid: 42, node: None };
        assert_eq!(source.to_string(), "ppo#1 pid=42");
        source.node = Some("node-1".to_owned());
        assert_eq!(source.to_string(), "ppo#1 pid=42, node=node-1");
    }
}

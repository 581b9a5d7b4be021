//! The rules of the house: each a pure function from the text of the tree to what breaks it.
//!
//! `tests/tidy.rs` and `tests/parity.rs` apply them to this repository. The unit tests here feed each of them a bad
//! sample, so that no rule can pass because it never looks.

pub mod lexed;
pub mod parity;
pub mod rules;
pub mod tree;

use std::fmt;

/// One place that breaks one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, relative to the root.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The rule's name.
    pub rule: &'static str,
    /// What is wrong there.
    pub what: String,
}

impl Finding {
    /// A finding at a line, from 1.
    pub fn new(file: &str, line: usize, rule: &'static str, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, rule, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: [{}] {}", self.file, self.line, self.rule, self.what)
    }
}

/// All findings as text, one per line; empty when there is none.
#[must_use]
pub fn report(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}

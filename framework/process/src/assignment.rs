//! What a process is told of itself when its parent starts it, in one environment variable.

use std::time::Duration;

use raytree_types::Incarnation;
use rustix::net::sockopt::{socket_domain, socket_type};
use rustix::net::{AddressFamily, SocketType};
use serde::{Deserialize, Serialize};

/// The environment variable that holds an [`Assignment`], as JSON.
pub const ROLE_VARIABLE: &str = "RAYTREE_ROLE";

/// The version of the assignment's fields.
const VERSION: u32 = 1;

/// Who a process is, in the words of its parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    version: u32,
    /// The parent's process id.
    parent: u32,
    /// What it is to do, e.g. `worker`.
    pub role: String,
    /// Its name in the tree, the same over all its lives.
    pub name: String,
    /// Which life it is.
    pub incarnation: Incarnation,
    /// Milliseconds between two beats.
    beat_every: u64,
    /// What the role needs to know besides, as the role's own code wrote it.
    pub details: String,
}

/// The variable is there, and is no assignment.
#[derive(Debug, thiserror::Error)]
pub enum BadAssignment {
    /// It cannot be read.
    #[error("{ROLE_VARIABLE} is not what a parent writes: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// This process is a child, and its standard input is no longer the line to its parent.
    #[error("standard input was replaced before the line to the parent was taken up")]
    NoLine,
    /// The parent is another version of this program.
    #[error("{ROLE_VARIABLE} has version {0}, and this program reads version {VERSION}")]
    Version(u32),
}

impl Assignment {
    pub(crate) fn new(
        (role, name, details): (&str, &str, &str),
        incarnation: Incarnation,
        beat_every: Duration,
    ) -> Self {
        Self {
            version: VERSION,
            parent: std::process::id(),
            role: role.to_owned(),
            name: name.to_owned(),
            incarnation,
            beat_every: u64::try_from(beat_every.as_millis()).unwrap_or(u64::MAX).max(1),
            details: details.to_owned(),
        }
    }

    /// The one of this process; none for a program that was started by hand, or by a child: that inherits the variable,
    /// and not the line.
    ///
    /// # Errors
    /// [`BadAssignment`] when the variable is there and is no assignment.
    pub fn of_this_process() -> Result<Option<Self>, BadAssignment> {
        let Ok(text) = std::env::var(ROLE_VARIABLE) else { return Ok(None) };
        if has_line() {
            return Self::read(&text).map(Some);
        }
        match Self::read(&text) {
            // Its own code has put something else in the place of the line. As the program it would do it all again.
            Ok(assignment) if assignment.is_by_parent() => Err(BadAssignment::NoLine),
            _ => Ok(None),
        }
    }

    fn read(text: &str) -> Result<Self, BadAssignment> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_str(text)?;
        if version != VERSION {
            return Err(BadAssignment::Version(version));
        }
        Ok(serde_json::from_str(text)?)
    }

    pub(crate) fn written(&self) -> String {
        // It holds strings and numbers: it can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whoever wrote it is still the parent.
    pub(crate) fn is_by_parent(&self) -> bool {
        let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
        parent.is_some_and(|parent| i64::from(parent) == i64::from(self.parent))
    }

    /// The time between two beats.
    #[must_use]
    pub fn beat_every(&self) -> Duration {
        Duration::from_millis(self.beat_every)
    }
}

/// Standard input is a line to a parent.
fn has_line() -> bool {
    let input = std::io::stdin();
    socket_type(&input).is_ok_and(|kind| kind == SocketType::SEQPACKET)
        && socket_domain(&input).is_ok_and(|domain| domain == AddressFamily::UNIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Assignment {
        let incarnation = Incarnation { placement: 3, restart: 1 };
        Assignment::new(("worker", "worker-1", "{}"), incarnation, Duration::from_millis(100))
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Assignment::read(&one().written()).expect("an assignment"), one());
    }

    #[test]
    fn another_version_and_other_text_are_told_apart() {
        let newer = one().written().replace("\"version\":1", "\"version\":2,\"colour\":\"red\"");
        assert!(matches!(Assignment::read(&newer), Err(BadAssignment::Version(2))));
        let unknown = one().written().replace("\"role\"", "\"rule\"");
        assert!(matches!(Assignment::read(&unknown), Err(BadAssignment::Unreadable(_))));
        assert!(matches!(Assignment::read("worker"), Err(BadAssignment::Unreadable(_))));
    }

    #[test]
    fn who_inherits_the_variable_is_no_child() {
        // This process's parent did not write it, and gave it no line.
        assert!(!one().is_by_parent());
        assert!(!has_line());
    }
}

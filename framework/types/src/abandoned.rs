//! Threads of code that nobody waits for any more.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The abandoned threads of one process: synchronous code that was cancelled, killed or took too long, and runs on. A node
/// that has too many is replaced; this is then the [`Cause::value`](crate::Cause::value) of what was lost with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbandonedThreads {
    /// How many there are.
    pub count: usize,
    /// Names of tasks and actors, each with how many are of it: those with the most first, at most
    /// [`ABANDONED_NAMES_MAX`](crate::limits::ABANDONED_NAMES_MAX).
    pub bodies: Vec<(String, usize)>,
}

impl std::error::Error for AbandonedThreads {}

impl fmt::Display for AbandonedThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} abandoned thread{plural}", self.count)?;
        for (index, (name, count)) in self.bodies.iter().enumerate() {
            f.write_str(if index == 0 { ": " } else { ", " })?;
            f.write_str(name)?;
            if *count > 1 {
                write!(f, " ({count})")?;
            }
        }
        let named: usize = self.bodies.iter().map(|(_, count)| count).sum();
        if named < self.count { f.write_str(" and others") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_told_in_one_line() {
        let told = |count, bodies: &[(&str, usize)]| {
            let bodies = bodies.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
            AbandonedThreads { count, bodies }.to_string()
        };
        assert_eq!(told(1, &[("spin", 1)]), "1 abandoned thread: spin");
        assert_eq!(told(4, &[("spin", 3), ("park", 1)]), "4 abandoned threads: spin (3), park");
        assert_eq!(told(9, &[("spin", 3)]), "9 abandoned threads: spin (3) and others");
        assert_eq!(told(0, &[]), "0 abandoned threads");
    }
}

//! The memory of processes: how much they have, and which of them the operating system ends first where nobody else does.

use std::fs;
use std::time::Duration;

/// So long a child believes that its machine is short of memory, without another word of it: the word that it is over may be lost.
/// Three times as long as there may be between two of them.
pub const SHORT_FOR: Duration = Duration::from_secs(30);

/// Which processes the operating system ends first when there is no memory left at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndsFirst {
    /// One with a single task or actor: before all others.
    Isolated,
    /// One that tasks and actors share: after those, and before the node that has started it.
    Shared,
}

impl EndsFirst {
    /// As the system counts it, from -1000 to 1000: a thousandth of all memory each. A shared one is taken before a node that has half
    /// of the memory more.
    fn score(self) -> i32 {
        match self {
            Self::Isolated => 1000,
            Self::Shared => 500,
        }
    }

    /// From now on this process is such a one, unless it ends sooner anyway.
    pub fn take(self) {
        const FILE: &str = "/proc/self/oom_score_adj";
        let now = fs::read_to_string(FILE).ok().and_then(|text| text.trim().parse::<i32>().ok());
        if now.is_some_and(|now| now < self.score()) {
            // Nobody is refused who wants to end sooner. Where there is no such file nobody chooses.
            _ = fs::write(FILE, self.score().to_string());
        }
    }
}

/// Bytes of memory that are a process's own (`RssAnon`), by its number; none when it has ended.
#[must_use]
pub fn memory_of(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

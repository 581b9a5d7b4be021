//! What the operating system says of this process.

use std::time::Duration;
use std::{env, fs};

use raytree_types::inspect::{ProcessRow, Role};
use rustix::param::{clock_ticks_per_second, page_size};

/// This process as it is now. What the system does not say is 0.
pub(crate) fn of_this(role: Role, program: String, uptime: Duration) -> ProcessRow {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let used = Used::read(&stat, clock_ticks_per_second(), page_size() as u64);
    let Used { cpu, memory, threads } = used.unwrap_or_default();
    let (pid, store, stale) = (std::process::id(), None, None);
    ProcessRow { pid, role, program, uptime, cpu, memory, threads, store, stale }
}

/// The file name of this program.
#[must_use]
pub fn program() -> String {
    let file = env::current_exe().ok();
    let file = file.as_deref().and_then(|path| path.file_name());
    file.map_or_else(|| "?".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Used {
    cpu: Duration,
    memory: u64,
    threads: u32,
}

impl Used {
    /// From the line of `/proc/<pid>/stat` (`man 5 proc_pid_stat`).
    fn read(stat: &str, ticks_per_second: u64, page_bytes: u64) -> Option<Self> {
        // The name of the program stands in parentheses and may hold anything, parentheses too.
        let (_, fields) = stat.rsplit_once(')')?;
        // The first one here is the third of the line.
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let number = |place: usize| fields.get(place - 3)?.parse::<u64>().ok();
        let ticks = number(14)? + number(15)?;
        let per_tick = Duration::from_secs(1) / u32::try_from(ticks_per_second.max(1)).ok()?;
        Some(Self {
            cpu: per_tick * u32::try_from(ticks).unwrap_or(u32::MAX),
            memory: number(24)? * page_bytes,
            threads: u32::try_from(number(20)?).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_system_is_read_whatever_the_program_is_called() {
        let line =
            "7 (a ) b) S 1 7 7 0 -1 4194560 9 0 0 0 150 50 0 0 20 0 6 0 100 4096 25 18446744";
        let used = Used { cpu: Duration::from_secs(2), memory: 25 * 4096, threads: 6 };
        assert_eq!(Used::read(line, 100, 4096), Some(used));
        assert_eq!(Used::read("", 100, 4096), None);
    }

    #[test]
    fn this_process_has_memory_and_threads() {
        let row = of_this(Role::Head, "a".to_owned(), Duration::ZERO);
        assert!(row.memory > 0 && row.threads > 0, "{row:?}");
    }
}

//! How much memory this process may use, and how much of that is in use: by the machine, and by the control groups it is in.

use std::fs;
use std::path::{Path, PathBuf};

/// Memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What cannot be had any more without taking it from somebody. What the system could give up at once, such as the pages of
    /// files that nobody has written to, does not count.
    pub used: u64,
    /// All there is.
    pub total: u64,
}

impl Memory {
    /// What the machine has, or the control group of this process where less of that is left for its size; none where nobody says.
    #[must_use]
    pub fn now() -> Option<Self> {
        let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| of_machine(&text));
        let groups = groups(Path::new("/sys/fs/cgroup"));
        // What is bounded by the whole machine is not bounded.
        let all = machine.map_or(u64::MAX, |machine| machine.total);
        let groups = groups.iter().filter_map(Group::now).filter(|group| group.total < all);
        groups.chain(machine).max_by(|one, other| {
            let share = |of: &Self, by: &Self| u128::from(of.used) * u128::from(by.total);
            share(one, other).cmp(&share(other, one))
        })
    }
}

/// In bytes: what the machine has, or less where the control group of the process has a bound; 0 where nobody says.
pub(crate) fn usable() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.and_then(|text| line(&text, "MemTotal:"));
    let groups = groups(Path::new("/sys/fs/cgroup"));
    groups.iter().filter_map(Group::bound).chain(machine).min().unwrap_or_default()
}

/// `MemTotal:       24684084 kB`, in bytes.
fn line(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

fn of_machine(text: &str) -> Option<Memory> {
    let (total, free) = (line(text, "MemTotal:")?, line(text, "MemAvailable:")?);
    Some(Memory { used: total.saturating_sub(free), total })
}

/// A control group that may bound this process, and where it says what: its folder, and the names of its files.
struct Group {
    folder: PathBuf,
    files: &'static Files,
}

struct Files {
    bound: &'static str,
    used: &'static str,
    /// The line of `memory.stat` with what the system could give up at once.
    spare: &'static str,
}

const UNIFIED: Files =
    Files { bound: "memory.max", used: "memory.current", spare: "inactive_file " };

const OLDER: Files = Files {
    bound: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    spare: "total_inactive_file ",
};

/// All that this process is in.
fn groups(root: &Path) -> Vec<Group> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    text.lines().flat_map(|line| groups_of(root, line)).collect()
}

/// `0::/user.slice`, or of the older kind `9:memory:/user.slice`. A container sees its own group as the root of all.
fn groups_of(root: &Path, line: &str) -> Vec<Group> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (root, files) = match controllers {
        "" => (root.to_owned(), &UNIFIED),
        own if own.split(',').any(|one| one == "memory") => (root.join("memory"), &OLDER),
        _ => return Vec::new(),
    };
    // What stands above it bounds it, too.
    let group = root.join(group.trim_start_matches('/'));
    let above = group.ancestors().take_while(|folder| folder.starts_with(&root));
    above.map(|folder| Group { folder: folder.to_owned(), files }).collect()
}

impl Group {
    fn read(&self, file: &str) -> Option<u64> {
        fs::read_to_string(self.folder.join(file)).ok()?.trim().parse().ok()
    }

    /// None where there is none: `max`.
    fn bound(&self) -> Option<u64> {
        self.read(self.files.bound)
    }

    fn now(&self) -> Option<Memory> {
        let (total, used) = (self.bound()?, self.read(self.files.used)?);
        let stat = fs::read_to_string(self.folder.join("memory.stat")).unwrap_or_default();
        let spare = stat.lines().find_map(|line| line.strip_prefix(self.files.spare));
        let spare: u64 = spare.and_then(|spare| spare.trim().parse().ok()).unwrap_or_default();
        Some(Memory { used: used.saturating_sub(spare), total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(root: &Path, line: &str) -> Option<u64> {
        groups_of(root, line).iter().filter_map(Group::bound).min()
    }

    #[test]
    fn the_least_of_machine_and_group_counts() {
        let total = |text| line(text, "MemTotal:");
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       24684084 kB\n"), Some(25_276_502_016));
        assert_eq!((total("MemTotal: much"), total("")), (None, None));
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a/memory.max", "max\n");
        assert_eq!(bound(root.path(), "0::/a"), None);
        write("a/memory.max", "1000\n");
        write("a/b/memory.max", "2000\n");
        assert_eq!(bound(root.path(), "0::/a/b"), Some(1000));
        write("memory/c/memory.limit_in_bytes", "3000\n");
        assert_eq!(bound(root.path(), "9:cpu,memory:/c"), Some(3000));
        assert_eq!((bound(root.path(), "3:cpu:/c"), bound(root.path(), "nonsense")), (None, None));
        assert!(usable() > 1 << 20);
    }

    #[test]
    fn what_the_system_could_give_up_is_not_in_use() {
        let text = "MemTotal:  1000 kB\nMemFree: 10 kB\nMemAvailable:     400 kB\n";
        assert_eq!(of_machine(text), Some(Memory { used: 600 << 10, total: 1000 << 10 }));
        assert_eq!(of_machine("MemTotal:  1000 kB\n"), None);
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| fs::write(root.path().join(file), text).unwrap();
        let now = || groups_of(root.path(), "0::/").first().and_then(Group::now);
        assert_eq!(now(), None);
        write("memory.max", "max\n");
        write("memory.current", "900\n");
        assert_eq!(now(), None);
        write("memory.max", "1000\n");
        assert_eq!(now(), Some(Memory { used: 900, total: 1000 }));
        write("memory.stat", "anon 500\ninactive_file 300\nactive_file 100\n");
        assert_eq!(now(), Some(Memory { used: 600, total: 1000 }));
        let own = Memory::now().unwrap();
        assert!(0 < own.used && own.used < own.total, "{own:?}");
    }
}

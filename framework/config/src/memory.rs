//! How much memory this process may use.

use std::fs;
use std::path::Path;

/// In bytes: what the machine has, or less where the control group of the process has a bound; 0 where nobody says.
pub(crate) fn usable() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let bounds = groups.lines().filter_map(|line| bound(Path::new("/sys/fs/cgroup"), line));
    bounds.chain(machine).min().unwrap_or_default()
}

/// `MemTotal:       24684084 kB`
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// `0::/user.slice`, or of the older kind `9:memory:/user.slice`. A container sees its own group as the root of all.
fn bound(root: &Path, line: &str) -> Option<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, group) = (parts.next()?, parts.next()?.trim_start_matches('/'));
    let (root, file) = match controllers {
        "" => (root.to_owned(), "memory.max"),
        own if own.split(',').any(|one| one == "memory") => {
            (root.join("memory"), "memory.limit_in_bytes")
        }
        _ => return None,
    };
    let read = |folder: &Path| fs::read_to_string(folder.join(file)).ok();
    // What stands above it bounds it, too.
    let group = root.join(group);
    let above = group.ancestors().take_while(|folder| folder.starts_with(&root));
    above.filter_map(|folder| read(folder)?.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_machine_and_group_counts() {
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
}

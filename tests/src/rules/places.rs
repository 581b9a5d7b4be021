//! The repository stands alone: nothing in it names a place on somebody's machine or network.

use crate::Finding;
use crate::tree::Tree;

/// Folders at the root of a file system that only one machine has.
const FOLDERS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/")];

/// Where Cargo.lock may say that a package comes from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Ends of host names that only one network knows.
const PRIVATE_ENDS: [&str; 6] = [".internal", ".local", ".lan", ".corp", ".intranet", ".private"];

/// Schemes of object stores: what follows is a bucket, and no host.
const BUCKETS: [&str; 4] = ["s3", "s3a", "gs", "az"];

/// Names that hosts of package mirrors carry.
const MIRRORS: [&str; 4] = ["artifactory", "nexus", "mirror", "proxy"];

/// Absolute paths, private hosts and package sources other than crates.io.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        for (at, line) in source.text.lines().enumerate() {
            let mut find = |rule, what: String| {
                findings.push(Finding::new(&source.path, at + 1, rule, what));
            };
            if let Some(folder) = absolute_path(line) {
                find("no-absolute-path", format!("names a folder of one machine, `{folder}..`"));
            }
            if let Some(host) = hosts(line).find(|host| is_private(host)) {
                find("no-private-host", format!("names a host of one network, `{host}`"));
            }
            let lock = source.path.ends_with("Cargo.lock") && line.starts_with("source = ");
            if lock && !line.contains(REGISTRY) {
                find("no-private-host", "a package that does not come from crates.io".to_owned());
            }
        }
    }
    findings
}

fn absolute_path(line: &str) -> Option<&'static str> {
    FOLDERS.into_iter().find(|folder| {
        line.match_indices(folder).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            before.is_none_or(|c| !c.is_alphanumeric() && !".-_}/".contains(c))
        })
    })
}

/// The hosts of the addresses in a line.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    let is_bucket = |at: usize| {
        let scheme = line[..at].rsplit(|c: char| !c.is_ascii_alphanumeric()).next();
        let scheme = scheme.unwrap_or_default();
        BUCKETS.iter().any(|bucket| bucket.eq_ignore_ascii_case(scheme))
    };
    line.match_indices("://").filter(move |(at, _)| !is_bucket(*at)).map(|(at, _)| {
        let rest = &line[at + 3..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !".-_@".contains(c));
        let host = &rest[..end.unwrap_or(rest.len())];
        host.rsplit('@').next().unwrap_or(host)
    })
}

fn is_private(host: &str) -> bool {
    let bare = !host.is_empty() && !host.contains('.') && host != "localhost";
    bare || PRIVATE_ENDS.iter().any(|end| host.ends_with(end))
        || host.split('.').any(|part| MIRRORS.iter().any(|mirror| part.starts_with(mirror)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<&'static str> {
        check(&Tree::of(&[(path, text)])).iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn a_folder_of_one_machine_is_found() {
        for folder in FOLDERS {
            assert_eq!(found("a.md", &format!("see {folder}b")), vec!["no-absolute-path"]);
            assert_eq!(found("a.toml", &format!("a = \"{folder}b\"")), vec!["no-absolute-path"]);
            assert_eq!(
                found("a.md", &format!("see a{folder}b and ${{A}}{folder}c")),
                vec![] as Vec<&str>
            );
        }
    }

    #[test]
    fn a_host_of_one_network_is_found() {
        let address = |host: &str| format!("see https:{}{host}/b", "//");
        for host in
            ["registry", "crates.corp", "a.lan:80", "user@build.internal", "nexus.example.org"]
        {
            assert_eq!(found("a.md", &address(host)), vec!["no-private-host"], "{host}");
        }
        for host in ["crates.io", "127.0.0.1", "localhost:0", "github.com", "{host}"] {
            assert_eq!(found("a.md", &address(host)), vec![] as Vec<&str>, "{host}");
        }
    }

    #[test]
    fn a_bucket_is_no_host() {
        let address = |scheme: &str| format!("see {scheme}:{}a/b", "//");
        for scheme in BUCKETS {
            assert_eq!(found("a.md", &address(scheme)), vec![] as Vec<&str>, "{scheme}");
        }
        assert_eq!(found("a.md", &address("xs3")), vec!["no-private-host"]);
    }

    #[test]
    fn a_foreign_package_source_is_found() {
        let lock = |source: &str| found("Cargo.lock", &format!("source = \"{source}\"\n"));
        assert_eq!(lock(REGISTRY), vec![] as Vec<&str>);
        assert_eq!(lock("git+https://example.org/a"), vec!["no-private-host"]);
    }
}

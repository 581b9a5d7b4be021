//! What a `Cargo.toml` says, as far as the rules care.

use crate::Finding;
use crate::tree::{Source, Tree};

/// One dependency of a crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The package, whatever name it is given here.
    pub package: String,
    /// Only its tests and benchmarks see it.
    pub dev: bool,
    /// The line, from 1.
    pub line: usize,
}

/// One crate's manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The package.
    pub package: String,
    /// What it depends on.
    pub dependencies: Vec<Dependency>,
    /// It takes the workspace's lints.
    pub workspace_lints: bool,
}

impl Manifest {
    /// Reads the text of a `Cargo.toml`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut manifest = Self::default();
        let mut section = String::new();
        for (at, line) in text.lines().enumerate() {
            let line = without_comment(line).trim();
            if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = header.trim_matches(['[', ']']).to_owned();
                if let Some((table, name)) = in_dependency_table(&section) {
                    manifest.depend(name, table, at + 1);
                }
            } else if let Some((key, value)) = line.split_once('=') {
                manifest.entry(&section, key.trim(), value.trim(), at + 1);
            }
        }
        manifest
    }

    fn entry(&mut self, section: &str, key: &str, value: &str, line: usize) {
        let package = value.split_once("package").and_then(|(_, rest)| rest.split('"').nth(1));
        let name = key.split('.').next().unwrap_or(key).trim_matches('"');
        match section {
            "package" if key == "name" => self.package = value.trim_matches('"').to_owned(),
            "lints" if key == "workspace" => self.workspace_lints = value == "true",
            _ if is_dependency_table(section) => {
                self.depend(package.unwrap_or(name), section, line);
            }
            _ => {}
        }
    }

    fn depend(&mut self, package: &str, table: &str, line: usize) {
        let dev = table.ends_with("dev-dependencies");
        self.dependencies.push(Dependency { package: package.to_owned(), dev, line });
    }
}

fn is_dependency_table(section: &str) -> bool {
    let last = section.rsplit('.').next().unwrap_or(section);
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    kinds.contains(&last) && !section.starts_with("workspace")
}

/// `dependencies.tokio` as (`dependencies`, `tokio`).
fn in_dependency_table(section: &str) -> Option<(&str, &str)> {
    section.rsplit_once('.').filter(|(table, _)| is_dependency_table(table))
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let end = line.find(|c| {
        quoted ^= c == '"';
        c == '#' && !quoted
    });
    &line[..end.unwrap_or(line.len())]
}

/// The manifests of the tree.
pub fn all(tree: &Tree) -> impl Iterator<Item = (&Source, Manifest)> {
    let files = tree.sources.iter();
    let manifests = files.filter(|source| source.path.split('/').next_back() == Some("Cargo.toml"));
    manifests.map(|source| (source, Manifest::parse(&source.text)))
}

/// Manifests that name async-trait: as a feature of ractor it switches the trait for the whole build.
#[must_use]
pub fn check_async_trait(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (source, _) in all(tree) {
        for (at, line) in source.text.lines().enumerate() {
            if without_comment(line).contains("async-trait") {
                let what = "async-trait switches ractor's trait for the whole build";
                findings.push(Finding::new(&source.path, at + 1, "no-async-trait", what));
            }
        }
    }
    findings
}

/// Crates that do not take the workspace's lints.
#[must_use]
pub fn check_lints(tree: &Tree) -> Vec<Finding> {
    let crates = all(tree).filter(|(_, manifest)| !manifest.package.is_empty());
    let lax = crates.filter(|(_, manifest)| !manifest.workspace_lints);
    let what = "does not take the workspace's lints: `[lints] workspace = true`";
    lax.map(|(source, _)| Finding::new(&source.path, 1, "workspace-lints", what)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_dependency_is_read() {
        let text = "[package]\nname = \"a\"\n[dependencies]\nb = { workspace = true } # c = 1\n\
                    d.workspace = true\ne = { package = \"f\", version = \"1\" }\n\
                    [dev-dependencies]\ng = \"1\"\n[target.'cfg(unix)'.dependencies]\nh = \"1\"\n\
                    [dependencies.i]\nversion = \"1\"\n[features]\nj = []\n";
        let manifest = Manifest::parse(text);
        assert_eq!(manifest.package, "a");
        let names: Vec<_> = manifest.dependencies.iter().map(|d| (&*d.package, d.dev)).collect();
        let expected = [("b", false), ("d", false), ("f", false), ("g", true), ("h", false)];
        assert_eq!(names, [&expected[..], &[("i", false)]].concat());
        assert_eq!(manifest.dependencies[0].line, 4);
    }

    #[test]
    fn async_trait_is_refused_and_its_mention_in_a_comment_is_not() {
        let found = |text| check_async_trait(&Tree::of(&[("a/Cargo.toml", text)])).len();
        assert_eq!(found("[features]\na = [\"ractor/async-trait\"]\n"), 1);
        assert_eq!(found("[dependencies]\nractor = { features = [\n \"async-trait\",\n] }\n"), 1);
        assert_eq!(found("# never ractor/async-trait\n"), 0);
    }

    #[test]
    fn a_crate_without_the_lints_is_found() {
        let found = |text| check_lints(&Tree::of(&[("a/Cargo.toml", text)])).len();
        assert_eq!(found("[package]\nname = \"a\"\n"), 1);
        assert_eq!(found("[package]\nname = \"a\"\n[lints]\nworkspace = true\n"), 0);
        assert_eq!(found("[workspace]\nmembers = []\n"), 0);
    }
}

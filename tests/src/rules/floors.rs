//! Crates are floors: what is above uses what is below, never the other way round.

use crate::Finding;
use crate::rules::manifest::{self, Dependency, Manifest};
use crate::tree::Tree;

/// The floor of each crate of the framework.
pub const FRAMEWORK: [(&str, u8); 20] = [
    ("raytree-types", 0),
    ("raytree-arrow", 1),
    ("raytree-config", 1),
    ("raytree-engine", 1),
    ("raytree-store", 1),
    ("raytree-wire", 1),
    ("raytree-nn", 1),
    ("raytree-supervise", 2),
    ("raytree-objects", 2),
    ("raytree-process", 2),
    ("raytree-memory", 2),
    ("raytree-inspector", 2),
    ("raytree-system", 3),
    ("raytree-daemon", 3),
    ("raytree-dashboard", 3),
    ("raytree-top", 3),
    ("raytree", 4),
    ("raytree-macros", 4),
    ("raytree-cli", 4),
    ("raytree-tests", 6),
];

/// The floor of the libraries, known by their folder.
const LIBRARIES: u8 = 5;

/// The floor of examples, tests and benchmarks, known by their folder.
const TOP: u8 = 6;

/// The only edges within one floor.
const SAME_FLOOR: [(&str, &str); 11] = [
    ("raytree-daemon", "raytree-dashboard"),
    ("raytree-inspector", "raytree-supervise"),
    ("raytree-memory", "raytree-process"),
    ("raytree-memory", "raytree-supervise"),
    ("raytree-objects", "raytree-supervise"),
    ("raytree-process", "raytree-supervise"),
    ("raytree", "raytree-macros"),
    ("raytree-cli", "raytree"),
    ("raytree-train", "raytree-data"),
    ("raytree-rllib", "raytree-data"),
    ("raytree-rllib", "raytree-train"),
];

/// What a library may use of the framework.
const FOR_LIBRARIES: [&str; 2] = ["raytree", "raytree-nn"];

/// Foreign crates that the lowest floors and the live view do not know.
const FOREIGN: [(&str, &[&str]); 2] = [
    (
        "ractor",
        &[
            "raytree-types",
            "raytree-arrow",
            "raytree-config",
            "raytree-engine",
            "raytree-store",
            "raytree-wire",
            "raytree-nn",
            "raytree-top",
        ],
    ),
    (
        "tokio",
        &[
            "raytree-types",
            "raytree-arrow",
            "raytree-config",
            "raytree-engine",
            "raytree-wire",
            "raytree-nn",
            "raytree-top",
        ],
    ),
];

/// Edges that go up, and crates without a floor.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let manifests: Vec<_> = manifest::all(tree).collect();
    let crates = manifests.iter().map(|(source, manifest)| (&*source.path, &*manifest.package));
    let floors: Vec<(&str, Option<u8>)> =
        crates.map(|(path, package)| (package, floor(path, package))).collect();
    for (source, manifest) in &manifests {
        if manifest.package.is_empty() {
            continue;
        }
        let Some(own) = floor(&source.path, &manifest.package) else {
            let what = format!("`{}` has no floor: add it to the table", manifest.package);
            findings.push(Finding::new(&source.path, 1, "floors", what));
            continue;
        };
        for dependency in &manifest.dependencies {
            let below = floors.iter().find(|(package, _)| *package == dependency.package);
            let below = below.and_then(|(_, floor)| *floor);
            if let Some(what) = objection(manifest, own, dependency, below) {
                findings.push(Finding::new(&source.path, dependency.line, "floors", what));
            }
        }
    }
    findings
}

fn objection(
    manifest: &Manifest,
    own: u8,
    dependency: &Dependency,
    below: Option<u8>,
) -> Option<String> {
    let (from, to) = (&*manifest.package, &*dependency.package);
    if FOREIGN.iter().any(|(foreign, who)| *foreign == to && who.contains(&from) && !dependency.dev)
    {
        return Some(format!("`{from}` does not know `{to}`"));
    }
    let below = below?;
    if SAME_FLOOR.contains(&(from, to)) || is_own_macro_crate(from, to) {
        return None;
    }
    if below >= own {
        return Some(format!(
            "`{from}` (floor {own}) uses `{to}` (floor {below}): arrows only go down"
        ));
    }
    let bypass = own == LIBRARIES && !FOR_LIBRARIES.contains(&to) && !dependency.dev;
    bypass.then(|| format!("`{from}` is a library and uses `{to}`: only the facade and nn"))
}

/// `raytree-serve` and `raytree-serve-macros`.
fn is_own_macro_crate(from: &str, to: &str) -> bool {
    to.strip_suffix("-macros") == Some(from)
}

fn floor(path: &str, package: &str) -> Option<u8> {
    if let Some((_, floor)) = FRAMEWORK.iter().find(|(name, _)| *name == package) {
        return Some(*floor);
    }
    match path.split('/').next() {
        Some("libs") => Some(LIBRARIES),
        Some("examples" | "bench" | "tests") => Some(TOP),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(package: &str, dependencies: &str) -> String {
        format!("[package]\nname = \"{package}\"\n[dependencies]\n{dependencies}\n")
    }

    fn found(path: &str, package: &str, dependencies: &str) -> Vec<(usize, String)> {
        let others = [
            ("framework/types/Cargo.toml", manifest("raytree-types", "")),
            ("framework/nn/Cargo.toml", manifest("raytree-nn", "")),
            ("framework/system/Cargo.toml", manifest("raytree-system", "")),
            ("framework/raytree/Cargo.toml", manifest("raytree", "")),
            ("libs/data/Cargo.toml", manifest("raytree-data", "")),
            ("libs/tune/Cargo.toml", manifest("raytree-tune", "")),
            ("libs/tune/macros/Cargo.toml", manifest("raytree-tune-macros", "")),
        ];
        let own = manifest(package, dependencies);
        let mut files: Vec<_> = others.iter().map(|(path, text)| (*path, &**text)).collect();
        files.retain(|(other, _)| *other != path);
        files.push((path, &own));
        let findings = check(&Tree::of(&files));
        findings.into_iter().map(|finding| (finding.line, finding.what)).collect()
    }

    #[test]
    fn arrows_only_go_down() {
        let path = "framework/engine/Cargo.toml";
        assert_eq!(found(path, "raytree-engine", "raytree-types.workspace = true"), vec![]);
        let up = found(path, "raytree-engine", "raytree-system = { workspace = true }");
        assert_eq!(up.len(), 1);
        assert_eq!(up[0].0, 4);
        assert_eq!(found(path, "raytree-engine", "raytree-nn = { workspace = true }").len(), 1);
        assert_eq!(
            found(path, "raytree-engine", "raytree-rllib = \"1\"\nraytree = \"1\"").len(),
            1
        );
    }

    #[test]
    fn a_library_uses_the_facade_and_nn_alone() {
        let path = "libs/rllib/Cargo.toml";
        assert_eq!(found(path, "raytree-rllib", "raytree = \"1\"\nraytree-nn = \"1\""), vec![]);
        assert_eq!(found(path, "raytree-rllib", "raytree-system = \"1\"").len(), 1);
        assert_eq!(found(path, "raytree-rllib", "raytree-types = \"1\"").len(), 1);
    }

    #[test]
    fn libraries_have_few_edges_among_them() {
        assert_eq!(found("libs/rllib/Cargo.toml", "raytree-rllib", "raytree-data = \"1\""), vec![]);
        assert_eq!(
            found("libs/rllib/Cargo.toml", "raytree-rllib", "raytree-tune = \"1\"").len(),
            1
        );
        let macros = "raytree-tune-macros = \"1\"";
        assert_eq!(found("libs/tune/Cargo.toml", "raytree-tune", macros), vec![]);
    }

    #[test]
    fn low_floors_know_neither_actors_nor_a_runtime() {
        assert_eq!(found("framework/nn/Cargo.toml", "raytree-nn", "ractor = \"1\"").len(), 1);
        assert_eq!(
            found("framework/engine/Cargo.toml", "raytree-engine", "tokio = \"1\"").len(),
            1
        );
    }

    #[test]
    fn a_crate_without_a_floor_is_found() {
        assert_eq!(found("framework/new/Cargo.toml", "raytree-new", "").len(), 1);
    }
}

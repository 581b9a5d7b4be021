//! One actor, one file, one paragraph of policy.

use crate::Finding;
use crate::tree::{Source, Tree};

/// The lines of policy in the module documentation of an actor's file.
pub const POLICY: [&str; 4] =
    ["**Parent:**", "**Children:**", "**After a restart:**", "**Tells:**"];

/// Actors of the framework and the libraries without their policy, and files with more than one actor.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let ours = tree
        .rust()
        .filter(|source| source.path.starts_with("framework/") || source.path.starts_with("libs/"));
    ours.flat_map(check_file).collect()
}

fn check_file(source: &Source) -> Vec<Finding> {
    let mut marked = false;
    let mut actors = source.code_lines(false).filter(|(_, line)| {
        let is_one = implements_actor(line) || marked && line.starts_with("impl ");
        marked = marks_actor(line) || marked && !is_one && line.starts_with(['#', ' ', ')']);
        is_one
    });
    let Some((first, _)) = actors.next() else { return Vec::new() };
    let missing =
        POLICY.iter().filter(|line| !source.module_docs().any(|(_, doc)| doc.contains(*line)));
    let policy = missing.map(|line| {
        let what = format!("an actor's file whose module documentation lacks the line `{line}`");
        Finding::new(&source.path, first, "actor-policy", what)
    });
    let more = actors.map(|(line, _)| {
        Finding::new(&source.path, line, "one-actor-per-file", "a second actor in the file")
    });
    policy.chain(more).collect()
}

/// Whether a line of code implements our `Actor` (or the facade's), not ractor's own trait.
fn implements_actor(line: &str) -> bool {
    let Some((before, _)) = line.split_once("Actor for ") else { return false };
    let foreign = before.ends_with("ractor::");
    let whole = before.ends_with([' ', ':', '>']);
    before.trim_start().starts_with("impl") && whole && !foreign
}

/// Whether a line begins the attribute that makes an actor of the `impl` block below it.
fn marks_actor(line: &str) -> bool {
    ["#[remote", "#[raytree::remote"]
        .iter()
        .any(|start| line.strip_prefix(start).is_some_and(|rest| rest.starts_with([']', '('])))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: &str = "//! A.\n//!\n//! - **Parent:** a.\n//! - **Children:** b.\n\
                        //! - **After a restart:** c.\n//! - **Tells:** d.\n";

    fn found(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let findings = check(&Tree::of(&[(path, text)]));
        findings.into_iter().map(|finding| (finding.line, finding.rule)).collect()
    }

    #[test]
    fn an_actor_states_its_policy() {
        let bare = "//! A.\nimpl Actor for A {}\n";
        assert_eq!(found("framework/a/src/a.rs", bare), vec![(2, "actor-policy"); 4]);
        assert_eq!(found("libs/a/src/a.rs", bare).len(), 4);
        assert_eq!(found("bench/src/a.rs", bare), vec![]);
        let full = format!("{DOCS}impl Actor for A {{}}\n");
        assert_eq!(found("framework/a/src/a.rs", &full), vec![]);
        let one_short = full.replace("**Tells:**", "Tells");
        assert_eq!(found("framework/a/src/a.rs", &one_short), vec![(7, "actor-policy")]);
    }

    #[test]
    fn a_policy_outside_the_module_documentation_does_not_count() {
        let text = format!("{}impl<T> raytree::Actor for A<T> {{}}\n", DOCS.replace("//!", "///"));
        assert_eq!(found("libs/a/src/a.rs", &text).len(), 4);
    }

    #[test]
    fn a_block_marked_remote_is_an_actor_and_a_function_is_not() {
        for marked in [
            "#[remote]\nimpl A {\n",
            "#[remote(restarts = 2)]\n#[allow(dead_code)]\nimpl A {\n",
            "#[raytree::remote(\n    restarts = 2,\n)]\nimpl A {\n",
        ] {
            assert_eq!(found("libs/a/src/a.rs", marked).len(), 4, "{marked}");
            assert_eq!(found("libs/a/src/a.rs", &format!("{DOCS}{marked}")), vec![], "{marked}");
        }
        let function = "#[remote]\nfn f() {}\nimpl A {\n";
        assert_eq!(found("libs/a/src/a.rs", function), vec![]);
        let text = format!("{DOCS}impl Actor for A {{}}\n#[remote]\nimpl B {{}}\n");
        assert_eq!(found("libs/a/src/a.rs", &text), vec![(9, "one-actor-per-file")]);
    }

    #[test]
    fn a_file_has_one_actor() {
        let text = format!("{DOCS}impl Actor for A {{}}\nimpl Actor for B {{}}\n");
        assert_eq!(found("framework/a/src/a.rs", &text), vec![(8, "one-actor-per-file")]);
    }

    #[test]
    fn documentation_tests_and_foreign_traits_are_not_actors() {
        for line in [
            "/// impl Actor for A {}",
            "impl ractor::Actor for A {}",
            "impl NoActor for A {}",
            "#[cfg(test)]\nmod t {\nimpl Actor for A {}\n}",
        ] {
            assert_eq!(found("framework/a/src/a.rs", line), vec![], "{line}");
        }
    }
}

//! Named invariants: declared once, cited by a test.

use std::collections::HashMap;

use crate::Finding;
use crate::lexed::words;
use crate::tree::{Source, Tree};

/// The rules' own samples are not citations.
const SAMPLES: &str = "tests/src/";

/// Where an invariant is declared.
struct Declared<'t> {
    id: &'t str,
    name: &'t str,
    source: &'t Source,
    line: usize,
}

/// Invariants declared twice, and those that no test cites.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: HashMap<&str, String> = HashMap::new();
    for one in tree.rust().flat_map(declarations) {
        let mut find = |rule, what| {
            findings.push(Finding::new(&one.source.path, one.line, rule, what));
        };
        if let Some(before) = seen.get(one.id) {
            find("invariant-unique", format!("{} is declared at {before} already", one.id));
            continue;
        }
        seen.insert(one.id, format!("{}:{}", one.source.path, one.line));
        if !tree.rust().any(|source| cites(source, one.id)) {
            let what = format!("no test cites {} ({})", one.id, one.name);
            find("invariant-tested", what);
        }
    }
    findings
}

/// The lines `**NR-1 (one-verdict):** ..` of a module's documentation.
fn declarations(source: &Source) -> impl Iterator<Item = Declared<'_>> {
    let samples = source.path.starts_with(SAMPLES);
    source.module_docs().filter(move |_| !samples).filter_map(move |(line, doc)| {
        let (_, rest) = doc.split_once("**")?;
        let (id, rest) = rest.split_once(" (")?;
        let (name, _) = rest.split_once("):**")?;
        is_id(id).then_some(Declared { id, name, source, line })
    })
}

fn is_id(text: &str) -> bool {
    let Some((letters, digits)) = text.split_once('-') else { return false };
    (2..=4).contains(&letters.len())
        && letters.bytes().all(|b| b.is_ascii_uppercase())
        && !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Whether test code names the id: `SE-1` in a comment or text, or `se_1_..` as part of a name.
fn cites(source: &Source, id: &str) -> bool {
    let snake = id.to_lowercase().replace('-', "_");
    !source.path.starts_with(SAMPLES)
        && source
            .lines(&source.text, true)
            .any(|(_, line)| words(line, id).next().is_some() || in_a_name(line, &snake))
}

fn in_a_name(line: &str, snake: &str) -> bool {
    line.match_indices(snake).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + snake.len()..].chars().next();
        before.is_none_or(|c| !c.is_ascii_alphanumeric())
            && after.is_none_or(|c| !c.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: &str = "//! - **ZZ-1 (one):** a.\n//! - **ZZ-2 (two):** b.\n";

    fn found(files: &[(&str, &str)]) -> Vec<(&'static str, usize)> {
        let findings = check(&Tree::of(files));
        findings.into_iter().map(|finding| (finding.rule, finding.line)).collect()
    }

    #[test]
    fn an_invariant_without_a_test_is_found() {
        let cited = "#[cfg(test)]\nmod tests {\n// ZZ-1\nfn zz_2_holds() {}\n}\n";
        assert_eq!(found(&[("a.rs", &format!("{DECLARED}{cited}"))]), vec![]);
        let untested = [("invariant-tested", 1), ("invariant-tested", 2)];
        assert_eq!(found(&[("a.rs", &format!("{DECLARED}// ZZ-1 zz_2_\n"))]), untested);
        let nearly = "fn zz_11() {} fn fizz_1() {} // ZZ-12";
        assert_eq!(found(&[("a.rs", DECLARED), ("a/tests/b.rs", nearly)]), untested);
    }

    #[test]
    fn an_invariant_declared_twice_is_found() {
        let files = [
            ("a.rs", DECLARED),
            ("b.rs", "//! **ZZ-2 (other):** c.\n"),
            ("tests/c.rs", "// ZZ-1 ZZ-2\n"),
        ];
        assert_eq!(found(&files), vec![("invariant-unique", 1)]);
    }

    #[test]
    fn a_mention_is_not_a_declaration() {
        assert_eq!(found(&[("a.rs", "//! Row **CO-14** and SE-1 (no).\n")]), vec![]);
    }
}

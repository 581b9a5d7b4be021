//! A field of a configuration states its default, and a bare number its unit or range too.

use crate::Finding;
use crate::lexed::{closing, line_of, words};
use crate::tree::{Source, Tree};

/// Words of which one tells the unit or the range of a bare number, unless it says `1 to 10`.
const UNITS_AND_RANGES: [&str; 10] = [
    "above",
    "any number",
    "at least",
    "at most",
    "below",
    "between",
    "bytes",
    "or more",
    "seconds",
    "milliseconds",
];

const NUMBERS: [&str; 12] =
    ["u8", "u16", "u32", "u64", "usize", "i32", "i64", "isize", "f32", "f64", "u128", "i128"];

/// Public fields of public `..Config` structs, in files named `config.rs`, that say too little.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let files =
        tree.rust().filter(|source| source.path.split('/').next_back() == Some("config.rs"));
    files.flat_map(check_file).collect()
}

fn check_file(source: &Source) -> Vec<Finding> {
    let code = &source.lexed.code;
    let mut findings = Vec::new();
    for (start, _) in code.match_indices("pub struct ") {
        let Some(stop) = code[start..].find(['{', ';', '(']).map(|at| start + at) else { continue };
        let name = code[start..stop].trim_start_matches("pub struct ");
        let name = name.split(['<', ' ']).next().unwrap_or(name);
        if name.ends_with("Config") && code.as_bytes()[stop] == b'{' {
            let lines = line_of(code, stop)..line_of(code, closing(code, stop));
            findings.extend(lines.filter_map(|line| check_field(source, line)));
        }
    }
    findings
}

/// `line`, from 0, may hold a field.
fn check_field(source: &Source, line: usize) -> Option<Finding> {
    let code = source.lexed.code.lines().nth(line)?.trim();
    let (name, kind) = code.strip_prefix("pub ")?.split_once(':')?;
    let docs = docs_above(source, line);
    let find = |what: &str| {
        Some(Finding::new(&source.path, line + 1, "config-documented", format!("`{name}` {what}")))
    };
    if !["default", "defaults", "required"].iter().any(|word| words(&docs, word).next().is_some()) {
        return find("states neither its default nor that it is required");
    }
    let bare = NUMBERS.iter().any(|number| words(kind, number).next().is_some());
    let told = UNITS_AND_RANGES.iter().any(|word| docs.contains(word)) || from_to(&docs);
    if bare && !told {
        return find("is a bare number and states neither unit nor range");
    }
    None
}

/// Whether a text says `1 to 10` or the like.
fn from_to(docs: &str) -> bool {
    docs.match_indices(" to ").any(|(at, _)| docs[..at].ends_with(|c: char| c.is_ascii_digit()))
}

fn docs_above(source: &Source, line: usize) -> String {
    let above: Vec<&str> = source.text.lines().take(line).map(str::trim).collect();
    let mine = above.iter().rev().take_while(|l| l.starts_with("///") || l.starts_with("#["));
    let docs: Vec<&str> = mine.filter(|line| line.starts_with("///")).copied().collect();
    docs.into_iter().rev().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, fields: &str) -> Vec<usize> {
        let text = format!("/// A.\n#[derive(Debug)]\npub struct AConfig {{\n{fields}}}\n");
        check(&Tree::of(&[(path, &text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_field_states_its_default() {
        assert_eq!(found("a/config.rs", "/// B.\npub b: String,\n"), vec![5]);
        assert_eq!(found("a/config.rs", "/// B. Default: none.\npub b: Option<String>,\n"), vec![]);
        assert_eq!(found("a/config.rs", "/// B. Required.\npub b: String,\n"), vec![]);
        assert_eq!(found("a/other.rs", "/// B.\npub b: String,\n"), vec![]);
    }

    #[test]
    fn a_bare_number_states_its_unit_or_range() {
        assert_eq!(found("a/config.rs", "/// B. Default 3.\npub b: Option<u32>,\n"), vec![5]);
        assert_eq!(
            found("a/config.rs", "/// B, in seconds.\n/// Default 3.\npub b: u32,\n"),
            vec![]
        );
        assert_eq!(found("a/config.rs", "/// B; -20 to 2. Default 0.\npub b: f64,\n"), vec![]);
        assert_eq!(
            found("a/config.rs", "/// B, none to go on. Default 0.\npub b: f64,\n"),
            vec![5]
        );
        let inner = "/// B, at most 9, by default 3.\n#[serde(default)]\npub b: u32,\n\n/// C.\npub c: f32,\n";
        assert_eq!(found("a/config.rs", inner), vec![9]);
    }
}

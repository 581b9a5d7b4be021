//! The parity table: every claim names the tests that prove it.

use std::collections::HashMap;

use crate::Finding;
use crate::lexed::{line_of, words};
use crate::tree::{Source, Tree};

/// Where the table stands.
pub const FILE: &str = "docs/parity.md";

/// Rows of the table when it was drawn up. Rows are added, never lost.
pub const ROWS_AT_LEAST: usize = 560;

const RULE: &str = "parity";

/// How far a feature exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It works, and tests prove it.
    Have,
    /// A part works, and tests prove that part.
    Partial,
    /// Nothing to rely on.
    NotYet,
}

impl State {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "have" => Some(Self::Have),
            "partial" => Some(Self::Partial),
            "not yet" => Some(Self::NotYet),
            _ => None,
        }
    }
}

/// A named test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Its file, from the root.
    pub file: String,
    /// Its function, or `doctest:` and the item it stands on.
    pub test: String,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line, from 1.
    pub line: usize,
    /// The feature's id.
    pub id: String,
    /// How far it exists.
    pub state: State,
    /// The tests that prove it.
    pub proofs: Vec<Proof>,
    /// What the last column says apart from what stands in backticks.
    pub reason: String,
}

/// Reads the page: its rows, and what is malformed.
#[must_use]
pub fn parse(text: &str) -> (Vec<Row>, Vec<Finding>) {
    let (mut rows, mut findings) = (Vec::new(), Vec::new());
    let mut table: Option<Vec<String>> = None;
    for (at, line) in text.lines().enumerate() {
        if !line.starts_with('|') {
            table = None;
            continue;
        }
        let cells = cells(line);
        match &table {
            None => table = Some(cells),
            Some(_) if cells.iter().all(|cell| cell.chars().all(|c| "-: ".contains(c))) => {}
            Some(header) if header.first().is_some_and(|first| first == "id") => {
                match row(at + 1, &cells) {
                    Ok(row) => rows.push(row),
                    Err(what) => findings.push(Finding::new(FILE, at + 1, RULE, what)),
                }
            }
            Some(_) => {}
        }
    }
    (rows, findings)
}

fn row(line: usize, cells: &[String]) -> Result<Row, String> {
    let [id, feature, state, last] = cells else {
        return Err(format!("a row has 4 cells, this one {}", cells.len()));
    };
    if !is_id(id) {
        return Err(format!("`{id}` is not an id"));
    }
    if feature.is_empty() {
        return Err(format!("{id} names no feature"));
    }
    let Some(state) = State::parse(state) else {
        return Err(format!("{id}: `{state}` is not a state: have, partial or not yet"));
    };
    let (proofs, reason) = proofs(last);
    match state {
        State::Have | State::Partial if proofs.is_empty() => {
            Err(format!("{id} names no test: `folder/file.rs::test_name`"))
        }
        State::Partial | State::NotYet if reason.is_empty() => {
            Err(format!("{id} does not say what is missing"))
        }
        _ => Ok(Row { line, id: id.clone(), state, proofs, reason }),
    }
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|');
    let inner = inner.strip_suffix('|').unwrap_or(inner).replace("\\|", "\0");
    inner.split('|').map(|cell| cell.trim().replace('\0', "|")).collect()
}

fn is_id(text: &str) -> bool {
    let Some((letters, number)) = text.split_once('-') else { return false };
    let number = number.trim_start_matches(|c: char| c.is_ascii_uppercase());
    !letters.is_empty()
        && letters.bytes().all(|b| b.is_ascii_uppercase())
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// The tests in backticks, and the words around them.
fn proofs(cell: &str) -> (Vec<Proof>, String) {
    let (mut proofs, mut reason) = (Vec::new(), String::new());
    for (at, part) in cell.split('`').enumerate() {
        match part.split_once(".rs::") {
            Some((file, test)) if at % 2 == 1 => {
                proofs.push(Proof { file: format!("{file}.rs"), test: test.to_owned() });
            }
            _ => reason.push_str(part),
        }
    }
    (proofs, reason.trim_matches([' ', ',', ';', '.', ':']).to_owned())
}

/// Malformed rows, ids that stand twice, lost rows, and claims whose tests do not exist.
#[must_use]
pub fn check(text: &str, tree: &Tree, rows_at_least: usize) -> Vec<Finding> {
    let (rows, mut findings) = parse(text);
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for row in &rows {
        let mut find = |what| findings.push(Finding::new(FILE, row.line, RULE, what));
        if let Some(before) = seen.insert(&row.id, row.line) {
            find(format!("{} stands in line {before} already", row.id));
        }
        for Proof { file, test } in &row.proofs {
            if let Some(what) = missing(tree, file, test) {
                find(format!("{}: {what}", row.id));
            }
        }
    }
    if rows.len() < rows_at_least {
        let what = format!("{} rows; there have been {rows_at_least}", rows.len());
        findings.push(Finding::new(FILE, 1, RULE, what));
    }
    findings
}

fn missing(tree: &Tree, file: &str, test: &str) -> Option<String> {
    let Some(source) = tree.file(file) else { return Some(format!("there is no file `{file}`")) };
    let exists = match test.strip_prefix("doctest:") {
        Some(item) => has_doctest(source, item),
        None => has_test(source, test),
    };
    (!exists).then(|| format!("`{file}` has no test `{test}` that runs"))
}

/// Whether a file has a function of that name under a test attribute, and not ignored.
fn has_test(source: &Source, name: &str) -> bool {
    let code = &source.lexed.code;
    items(code, name, &["fn "]).any(|line| {
        let lines: Vec<&str> = code.lines().collect();
        let attributes = above(&lines, line).join(" ");
        is_test_attribute(&attributes) && !attributes.contains("#[ignore")
    })
}

fn is_test_attribute(attributes: &str) -> bool {
    ["#[test]", "::test]", "::test("].iter().any(|mark| attributes.contains(mark))
}

/// Whether the documentation of an item (or of the module, as `self`) holds an example that runs.
fn has_doctest(source: &Source, item: &str) -> bool {
    let lines: Vec<&str> = source.text.lines().collect();
    if item == "self" {
        return has_example(source.module_docs().map(|(_, doc)| doc));
    }
    let kinds = ["fn ", "struct ", "enum ", "trait ", "macro_rules! ", "type ", "mod ", "const "];
    items(&source.lexed.code, item, &kinds)
        .any(|line| has_example(above(&lines, line).into_iter().rev()))
}

/// The lines, from 1, that declare a name.
fn items<'a>(
    code: &'a str,
    name: &'a str,
    kinds: &'a [&'a str],
) -> impl Iterator<Item = usize> + 'a {
    let declared = move |at: &usize| kinds.iter().any(|kind| code[..*at].ends_with(kind));
    words(code, name).filter(declared).map(|at| line_of(code, at))
}

/// The attributes and documentation directly above a line (from 1), the nearest first.
fn above<'a>(lines: &[&'a str], line: usize) -> Vec<&'a str> {
    let before = lines[..line - 1].iter().rev();
    before.take_while(|line| !line.trim_end().ends_with([';', '{', '}'])).copied().collect()
}

/// Whether lines of documentation hold an example that is compiled and run.
fn has_example<'a>(docs: impl Iterator<Item = &'a str>) -> bool {
    let text = docs.map(|line| line.trim().trim_start_matches(['/', '!']).trim());
    let mut fences = text.filter_map(|line| line.strip_prefix("```"));
    while let Some(opening) = fences.next() {
        if ["", "rust", "should_panic"].contains(&opening) {
            return true;
        }
        let _closing = fences.next();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "| id | feature | state | proof or reason |\n|---|---|---|---|\n";
    const FILE_OF_TESTS: &str = "#[test]\nfn a() {}\n\n#[tokio::test(\n    flavor = \"x\"\n)]\n\
        async fn b() {}\nfn helper() {}\n#[test]\n#[ignore = \"slow\"]\nfn slow() {}\n";
    const DOCUMENTED: &str = "/// Adds.\n/// ```\n/// assert!(true);\n/// ```\n#[must_use]\n\
        pub fn add() {}\n/// None.\npub fn bare() {}\n/// ```text\n/// x\n/// ```\npub struct Drawn;\n";

    fn found(rows: &str) -> Vec<String> {
        let tree = Tree::of(&[("x/tests/t.rs", FILE_OF_TESTS), ("x/src/d.rs", DOCUMENTED)]);
        let findings = check(&format!("{HEAD}{rows}"), &tree, 0);
        findings.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn good_rows_pass() {
        assert_eq!(
            found("| CA-1 | a \\| b | have | `x/tests/t.rs::a`, `x/tests/t.rs::b` |\n"),
            [""; 0]
        );
        assert_eq!(found("| T-P1 | a | partial | `x/tests/t.rs::a`; no `kill` yet |\n"), [""; 0]);
        assert_eq!(found("| CA-1 | a | not yet | comes later |\n"), [""; 0]);
        assert_eq!(found("| CA-1 | a | have | `x/src/d.rs::doctest:add` |\n"), [""; 0]);
    }

    #[test]
    fn a_claim_without_an_existing_test_is_found() {
        for proof in [
            "",
            "it works",
            "`helper`",
            "x/tests/t.rs::a",
            "`x/tests/t.rs::helper`",
            "`x/tests/t.rs::slow`",
            "`x/tests/t.rs::absent`",
            "`x/tests/absent.rs::a`",
            "`x/tests/t.rs::a`, `x/tests/t.rs::absent`",
            "`x/src/d.rs::doctest:bare`",
            "`x/src/d.rs::doctest:Drawn`",
            "`x/src/d.rs::doctest:self`",
        ] {
            assert_eq!(found(&format!("| CA-1 | a | have | {proof} |\n")).len(), 1, "{proof}");
        }
        assert_eq!(found("| CA-1 | a | partial | a part |\n").len(), 1);
    }

    #[test]
    fn a_malformed_row_is_found() {
        for row in [
            "| CA-1 | a | not yet |",
            "| CA-1 | a | not yet | b | c |",
            "| CA1 | a | not yet | b |",
            "| ca-1 | a | not yet | b |",
            "| CA-1 |  | not yet | b |",
            "| CA-1 | a | done | b |",
            "| CA-1 | a | Have | b |",
            "| CA-1 | a | not yet |  |",
            "| CA-1 | a | partial | `x/tests/t.rs::a` |",
        ] {
            let found = found(&format!("{row}\n"));
            assert_eq!(found.len(), 1, "{row}: {found:?}");
        }
    }

    #[test]
    fn an_id_that_repeats_is_found_and_so_is_a_lost_row() {
        let row = "| CA-1 | a | not yet | b |\n";
        assert_eq!(
            found(&format!("{row}\ntext\n\n{HEAD}{row}")),
            ["CA-1 stands in line 3 already"]
        );
        assert_eq!(check(HEAD, &Tree::of(&[]), 1).len(), 1);
    }

    #[test]
    fn other_tables_are_left_alone() {
        let text = format!("| state | means |\n|---|---|\n| have | it works |\n\n{HEAD}");
        assert_eq!(parse(&text), (vec![], vec![]));
    }
}

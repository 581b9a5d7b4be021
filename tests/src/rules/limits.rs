//! A bound states the reason for its size.

use crate::Finding;
use crate::tree::{Source, Tree};

/// Where the bounds live.
pub const FILE: &str = "framework/types/src/limits.rs";

/// Where those of one part live that has many.
pub const FOLDER: &str = "framework/types/src/limits/";

/// Bounds without documentation, and a file of bounds that is not where it should be.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    match tree.file(FILE) {
        Some(source) => {
            let parts = tree.rust().filter(|part| part.path.starts_with(FOLDER));
            std::iter::once(source).chain(parts).flat_map(undocumented).collect()
        }
        None => vec![Finding::new(FILE, 1, "limits-documented", "the file of bounds is missing")],
    }
}

fn undocumented(source: &Source) -> Vec<Finding> {
    let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
    let bounds = lines.iter().enumerate().filter(|(_, line)| line.starts_with("pub const "));
    let bare = bounds.filter(|(at, _)| {
        let above = lines[..*at].iter().rev().find(|line| !line.starts_with("#["));
        !above.is_some_and(|line| line.starts_with("///"))
    });
    let what = "a bound without the reason for its size";
    bare.map(|(at, _)| Finding::new(&source.path, at + 1, "limits-documented", what)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_bound_is_found() {
        let lines = |text: &str| -> Vec<usize> {
            check(&Tree::of(&[(FILE, text)])).iter().map(|finding| finding.line).collect()
        };
        let text =
            "/// Why.\npub const A: u8 = 1;\npub const B: u8 = 2;\n\n// c\npub const C: u8 = 3;\n";
        assert_eq!(lines(text), vec![3, 6]);
        assert_eq!(lines("/// Why.\n#[doc(hidden)]\npub const A: u8 = 1;\n"), vec![]);
        assert_eq!(check(&Tree::of(&[])).len(), 1);
        let part = format!("{FOLDER}a.rs");
        assert_eq!(check(&Tree::of(&[(FILE, ""), (&part, text)])).len(), 2);
    }
}

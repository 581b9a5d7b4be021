//! A file is short enough to be read in one sitting.

use crate::Finding;
use crate::tree::Tree;

/// A Rust file has fewer lines than this.
pub const LINES_BELOW: usize = 500;

/// Rust files of [`LINES_BELOW`] lines or more.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let long = tree.rust().map(|source| (source, source.text.lines().count()));
    long.filter(|(_, lines)| *lines >= LINES_BELOW)
        .map(|(source, lines)| {
            let what = format!("{lines} lines; a file has fewer than {LINES_BELOW}");
            Finding::new(&source.path, lines, "short-file", what)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_500th_line_is_one_too_many() {
        let of_lines = |lines: usize| check(&Tree::of(&[("a.rs", &"\n".repeat(lines))])).len();
        assert_eq!((of_lines(499), of_lines(500)), (0, 1));
        assert_eq!(check(&Tree::of(&[("a.json", &"\n".repeat(600))])), vec![]);
    }
}

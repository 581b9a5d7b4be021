//! `unsafe` lives in few files, each known by name.

use crate::Finding;
use crate::lexed::{line_of, words};
use crate::tree::Tree;

/// The files that may hold `unsafe`, each with the reason. An entry whose file no longer needs it has to go.
pub const ALLOWED: [(&str, &str); 7] = [
    ("framework/nn/src/gemm.rs", "wraps the matrix product, which takes pointers"),
    ("framework/store/src/client.rs", "borrows bytes of an arena while they are lent or pinned"),
    ("framework/store/src/copy.rs", "stores past the caches by intrinsics"),
    ("framework/store/src/memory.rs", "makes mappings, and reads them by pointers"),
    ("framework/supervise/src/ticks.rs", "reads a counter of the processor"),
    (
        "framework/nn/tests/allocation.rs",
        "counts allocations: a global allocator is an unsafe trait",
    ),
    ("libs/rllib/tests/alloc.rs", "counts allocations: a global allocator is an unsafe trait"),
];

/// `unsafe` outside the listed files, listed files that do not open with the expectation, and stale entries.
#[must_use]
pub fn check(tree: &Tree, allowed: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.rust() {
        let code = &source.lexed.code;
        let listed = allowed.iter().any(|(path, _)| *path == source.path);
        let places: Vec<usize> = words(code, "unsafe").map(|at| line_of(code, at)).collect();
        let mut find = |line, what: &str| {
            findings.push(Finding::new(&source.path, line, "unsafe-files", what));
        };
        if !listed {
            places
                .iter()
                .for_each(|line| find(*line, "`unsafe` in a file that is not listed for it"));
        } else if places.is_empty() {
            find(1, "listed for `unsafe` but has none: take it off the list");
        } else if !code.contains("#![expect(unsafe_code, reason") {
            find(1, "does not open with `#![expect(unsafe_code, reason = ..)]`");
        }
    }
    let gone = allowed.iter().filter(|(path, _)| tree.file(path).is_none());
    let stale = "listed for `unsafe` but there is no such file";
    findings.extend(gone.map(|(path, _)| Finding::new(path, 1, "unsafe-files", stale)));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, allowed: &[(&str, &str)]) -> Vec<usize> {
        check(&Tree::of(&[("a.rs", text)]), allowed).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn unsafe_is_found_in_code_alone() {
        assert_eq!(found("fn a() {\n unsafe { b() }\n}\nunsafe fn c() {}\n", &[]), vec![2, 4]);
        assert_eq!(found("#![deny(unsafe_code)] // unsafe\nlet a = \"unsafe\";\n", &[]), vec![]);
    }

    #[test]
    fn a_listed_file_says_so_itself() {
        let listed = [("a.rs", "why")];
        let expects = "#![expect(unsafe_code, reason = \"b\")]\n";
        assert_eq!(found("unsafe fn a() {}\n", &listed), vec![1]);
        assert_eq!(found(&format!("{expects}unsafe fn a() {{}}\n"), &listed), vec![]);
    }

    #[test]
    fn a_stale_entry_is_found() {
        assert_eq!(found("fn a() {}\n", &[("a.rs", "why")]), vec![1]);
        assert_eq!(found("fn a() {}\n", &[("b.rs", "why")]), vec![1]);
    }
}

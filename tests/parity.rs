//! The parity table against this repository: a row that claims something names tests that exist.

use raytree_tests::parity::{FILE, ROWS_AT_LEAST, check};
use raytree_tests::report;
use raytree_tests::tree::Tree;

#[test]
fn every_claim_names_tests_that_exist() {
    let tree = Tree::load().expect("the repository around this test can be read");
    let table = tree.file(FILE).expect("the parity table");
    let findings = check(&table.text, &tree, ROWS_AT_LEAST);
    assert!(findings.is_empty(), "\n{}", report(&findings));
}

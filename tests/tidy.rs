//! The rules of the house, applied to this repository. Each rule and the proof that it can fail: `tests/src`.

use std::io;

use raytree_tests::rules::{
    actors, configs, floors, invariants, limits, manifest, places, size, test_manners, unsafe_code,
};
use raytree_tests::tree::Tree;
use raytree_tests::{Finding, report};

#[track_caller]
fn clean(rule: impl Fn(&Tree) -> Vec<Finding>) -> io::Result<()> {
    let findings = rule(&Tree::load()?);
    assert!(findings.is_empty(), "\n{}", report(&findings));
    Ok(())
}

#[test]
fn files_are_short() -> io::Result<()> {
    clean(size::check)
}

#[test]
fn actors_state_their_policy() -> io::Result<()> {
    clean(actors::check)
}

#[test]
fn unsafe_lives_in_listed_files() -> io::Result<()> {
    clean(|tree| unsafe_code::check(tree, &unsafe_code::ALLOWED))
}

#[test]
fn crates_use_lower_floors_only() -> io::Result<()> {
    clean(floors::check)
}

#[test]
fn invariants_are_unique_and_tested() -> io::Result<()> {
    clean(invariants::check)
}

#[test]
fn tests_neither_sleep_nor_hide_nor_fix_ports() -> io::Result<()> {
    clean(test_manners::check)
}

#[test]
fn nothing_names_a_machine_or_a_private_network() -> io::Result<()> {
    clean(places::check)
}

#[test]
fn bounds_state_their_reason() -> io::Result<()> {
    clean(limits::check)
}

#[test]
fn configurations_state_defaults_units_and_ranges() -> io::Result<()> {
    clean(configs::check)
}

#[test]
fn ractor_never_gets_async_trait() -> io::Result<()> {
    clean(manifest::check_async_trait)
}

#[test]
fn every_crate_takes_the_lints() -> io::Result<()> {
    clean(manifest::check_lints)
}

//! Processes that agree on a token.

use std::env;
use std::process::{Command, Stdio};

use raytree_wire::Token;

/// Where a child of these tests loads its token.
const PATH: &str = "RAYTREE_WIRE_TEST_TOKEN";

/// Does nothing in a run of the tests. Started as a child, it creates a token.
#[test]
fn as_a_child() {
    let Ok(path) = env::var(PATH) else { return };
    assert!(Token::load_or_create(path).is_ok());
}

#[test]
fn wt_1_processes_that_create_it_at_once_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raytree").join("token");
    let start = || {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", "tokens::as_a_child"]).env(PATH, &path);
        child.stdout(Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = (0..4).map(|_| start()).collect();
    let own = Token::load_or_create(&path).unwrap();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    // Nobody has replaced what another may have read already.
    assert!(Token::load(&path).unwrap() == own);
}

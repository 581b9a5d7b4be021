//! Lists of more than is fetched at once.

use raytree::Result;
use raytree::prelude::*;

use crate::support::*;

#[remote(retries = 0, retry_errors = 1)]
fn first(ctx: &TaskContext) -> Result<(), std::fmt::Error> {
    if ctx.run() == 0 { Err(std::fmt::Error) } else { Ok(()) }
}

#[remote]
fn one_of_many(_number: u32) {}

#[test]
fn tb_1_conditions_on_numbers_and_the_order_hold_for_rows_beyond_what_is_fetched() {
    let place = Place::new();
    let runtime = place.start();
    runtime.block_on(async {
        first::remote().await.expect("the second run succeeds");
        let many = 0..raytree::limits::STATE_ROWS_MAX as u32;
        raytree::get_all(many.map(one_of_many::remote)).await.expect("all of them");
    });
    let names = |arguments: &[&str]| {
        let (out, _, code) = place.raytree(&[&["tasks", "--json"], arguments].concat());
        assert_eq!(code, 0, "{out}");
        let listed: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        let rows = listed["rows"].as_array().expect("rows").iter();
        rows.map(|row| row["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    // The newest come first, so those are not among the ten thousand.
    assert_eq!(names(&["--limit", "1"]), ["one_of_many"]);
    assert_eq!(names(&["--where", "attempt=1"]), ["first"]);
    assert_eq!(names(&["--sort", "name", "--limit", "3"]), ["first", "first", "one_of_many"]);
    assert_eq!(names(&["--sort", "-attempt", "--limit", "1"]), ["first"]);
    let (_, err, code) = place.raytree(&["tasks", "--where", "ran=3d"]);
    assert_eq!(code, 0);
    assert!(
        err.starts_with("raytree: 10,000 rows were looked at for ran=3d, and 2 more were not"),
        "{err}"
    );
    runtime.shutdown();
}

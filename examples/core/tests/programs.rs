//! The programs as a user meets them: what they print on a pipe, and how they end.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

use std::process::{Command, Output};

const QUICKSTART: &str = env!("CARGO_BIN_EXE_quickstart");
const ACTORS: &str = env!("CARGO_BIN_EXE_actors");
const OBJECTS: &str = env!("CARGO_BIN_EXE_objects");
const PIPELINE: &str = env!("CARGO_BIN_EXE_pipeline");
const PHILOSOPHERS: &str = env!("CARGO_BIN_EXE_philosophers");

fn run(program: &str, args: &[&str]) -> Output {
    Command::new(program).args(args).env("RAYTREE_INSPECTOR", "off").output().unwrap()
}

/// What a program prints that ends well.
fn said(program: &str, args: &[&str]) -> Vec<String> {
    let output = run(program, args);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// What the same program prints where its tasks and actors live on three nodes.
fn said_on_nodes(program: &str, args: &[&str]) -> Vec<String> {
    let mut command = Command::new(program);
    command.args(args).env("RAYTREE_INSPECTOR", "off").env("RAYTREE_ADDRESS", "nodes:3");
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The lines below a heading, without their indentation.
fn below<'a>(said: &'a [String], heading: &str) -> Vec<&'a str> {
    let Some(at) = said.iter().position(|line| line.starts_with(heading)) else {
        panic!("no {heading} in {said:?}")
    };
    said[at + 1..].iter().take_while(|line| line.starts_with(' ')).map(|line| line.trim()).collect()
}

#[test]
fn s_1_four_squares() {
    assert_eq!(below(&said(QUICKSTART, &[]), "S-1 "), ["[0, 1, 4, 9]"]);
}

#[test]
fn s_2_a_counter_counts_to_ten() {
    assert_eq!(below(&said(QUICKSTART, &[]), "S-2 "), ["10"]);
}

#[test]
fn s_4_a_matrix_by_value_and_by_reference() {
    assert_eq!(below(&said(QUICKSTART, &[]), "S-4 "), ["10000.0", "1000000.0"]);
}

#[test]
fn s_5_with_and_without_init() {
    let expected = ["[0, 1, 4, 9] on 2 CPU", "[0, 1, 4, 9] without init"];
    assert_eq!(below(&said(QUICKSTART, &[]), "S-5 "), expected);
}

#[test]
fn s_9_naps_one_at_a_time_or_side_by_side() {
    let said = said(QUICKSTART, &[]);
    let naps = below(&said, "S-9 ");
    let [alone, together] = &naps[..] else { panic!("{naps:?}") };
    let times = |line: &str| line.split(' ').next().unwrap().parse::<f64>().unwrap();
    assert!(alone.ends_with(" max_concurrency = 1") && times(alone) >= 10.0, "{alone}");
    assert!(together.ends_with(" max_concurrency = 10") && times(together) >= 1.0, "{together}");
}

#[test]
fn s_8_more_than_there_is_memory_and_disk_for() {
    let said = said(OBJECTS, &[]);
    let expected =
        ["64 MiB in a store of 32 MiB, 64 of 64 as they were", "some of them on disk: true"];
    assert_eq!(below(&said, "S-8 more than memory"), expected);
    let expected = [
        "RT0036: no room for 1048576 bytes, of 16777216 in memory",
        "all that was stored before is there: true",
    ];
    assert_eq!(below(&said, "S-8 more than disk"), expected);
    let expected = ["its maker's: RT0032", "handed over: the program's"];
    assert_eq!(below(&said, "owners"), expected);
}

#[test]
fn s_28_a_large_object_has_one_copy() {
    let expected = ["1000000.0, the same copy for two tasks: true"];
    assert_eq!(below(&said(QUICKSTART, &[]), "S-28 "), expected);
}

#[test]
fn s_29_an_error_keeps_its_type() {
    let expected = ["RT0010 may_fail failed: -1 is negative", "Some(Negative(-1))"];
    assert_eq!(below(&said(QUICKSTART, &[]), "S-29 "), expected);
}

#[test]
fn s_31_a_special_resource_bounds_what_runs() {
    assert_eq!(below(&said(QUICKSTART, &[]), "S-31 "), ["at most 4 at a time"]);
}

#[test]
fn actors_and_all_they_can_do() {
    let said = said(ACTORS, &[]);
    let below = |heading| below(&said, heading);
    assert_eq!(below("named"), ["scores are 7"]);
    assert_eq!(below("get_if_exists"), ["the other one counts 2, the same actor: true"]);
    let expected = ["the clerk: RT0020 stopped: its parent ended", "the ghost counts 2"];
    assert_eq!(below("detached"), expected);
    let expected = [
        "the caller is told RT0020",
        "the next life finds Moby-Dick",
        "the parent heard: Shelf: index out of bounds: the len is 1 but the index is 7",
        "restarts so far 0, another follows: true",
    ];
    assert_eq!(below("restarts"), expected);
    assert_eq!(below("retries"), ["the third life finds Moby-Dick"]);
    assert_eq!(below("max_concurrency"), ["3 calls have met in one actor, 1 came last"]);
    assert_eq!(below("generator"), ["step 1", "step 4", "step 9", "step 16"]);
    assert_eq!(below("a handle is a value"), ["the sum is 66"]);
}

#[test]
fn a_pipeline_shows_progress_and_its_result() {
    let said = said(PIPELINE, &["--below", "1000", "--parts", "4"]);
    let [parts @ .., last] = &said[..] else { panic!("{said:?}") };
    assert_eq!(last, "168 primes below 1000, the largest is 997");
    // Whatever was done first.
    let (numbers, mut found): (Vec<_>, Vec<_>) = parts
        .iter()
        .filter_map(|line| line.split_once(" of 4 "))
        .map(|(number, what)| (number.trim(), what.trim()))
        .unzip();
    assert_eq!(numbers, ["1", "2", "3", "4"]);
    found.sort_unstable_by(|one, other| other.cmp(one));
    let expected = [
        "53 primes from 0 to before 250",
        "42 primes from 250 to before 500",
        "37 primes from 500 to before 750",
        "36 primes from 750 to before 1000",
    ];
    assert_eq!(found, expected);
}

#[test]
fn philosophers_eat_their_meals_whoever_chokes() {
    let said = said(PHILOSOPHERS, &["--meals", "10", "--guests", "5", "--tree"]);
    assert!(said[0].starts_with("5 philosophers dine; to watch them: raytree tree --pid "));
    assert_eq!(said[1], "name        meals  restarts  last cause");
    let mut causes: Vec<_> = said[2..7]
        .iter()
        .map(|line| {
            assert_eq!(line.split_whitespace().nth(1), Some("10"), "{line}");
            line.split_once("choked on ").map(|(_, what)| what)
        })
        .collect();
    causes.sort_unstable();
    // The one with the first bone may have had the second one, too.
    assert_eq!(causes.last(), Some(&Some("serving 46")));
    assert_eq!(said[7], "50 meals, 2 restarts");
    assert!(said[8].starts_with("raytree "), "{}", said[8]);
    for (name, number) in [("fork-", 5), ("Table#", 1), ("Kitchen#", 1), ("Aristotle#", 1)] {
        let rows = said.iter().filter(|line| line.trim_start().starts_with(name));
        assert_eq!(rows.count(), number, "{said:?}");
    }
}

#[test]
fn philosophers_dine_until_the_kitchen_closes() {
    let said = said(PHILOSOPHERS, &["--seconds", "0", "--guests", "2"]);
    assert!(said[2].starts_with("Aristotle ") && said[3].starts_with("Confucius "), "{said:?}");
    assert!(said[4].ends_with(" restarts"), "{said:?}");
    assert_eq!(said.len(), 5);
}

#[test]
fn bad_flags_are_told_with_code_2() {
    let refusal = |program, args: &[&str]| {
        let output = run(program, args);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let text = String::from_utf8(output.stderr).unwrap();
        text.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        refusal(PHILOSOPHERS, &["--guests", "1"]),
        "error: invalid value '1' for '--guests <N>': 1 is not in 2..=9"
    );
    assert_eq!(
        refusal(PHILOSOPHERS, &["--meals", "1", "--seconds", "1"]),
        "error: the argument '--meals <N>' cannot be used with '--seconds <N>'"
    );
    assert_eq!(
        refusal(PIPELINE, &["--parts", "0"]),
        "error: invalid value '0' for '--parts <N>': 0 is not in 1..=10000"
    );
}

#[test]
fn s_40_the_same_program_runs_on_three_nodes() {
    let (here, there) = (said(QUICKSTART, &[]), said_on_nodes(QUICKSTART, &[]));
    for heading in ["S-1 ", "S-2 ", "S-4 ", "S-28 ", "S-29 "] {
        assert_eq!(below(&here, heading), below(&there, heading), "{heading}");
    }
    // Each node has what one process has.
    assert_eq!(below(&there, "S-5 ")[0], "[0, 1, 4, 9] on 6 CPU");
    assert_eq!(said(PIPELINE, &[]).last(), said_on_nodes(PIPELINE, &[]).last());
    assert_eq!(said(ACTORS, &[]), said_on_nodes(ACTORS, &[]));
}

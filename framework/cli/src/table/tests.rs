//! What is asked of a list, and what it prints.

use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde::Serialize;

use super::select::select;
use super::*;

#[derive(Clone, Debug, Serialize)]
struct Pet {
    name: &'static str,
    legs: Option<u64>,
    weight: u64,
    age: Duration,
    memory: u64,
}

impl Row for Pet {
    const COLUMNS: &'static [Column] = &[
        Column::text("name"),
        Column::number("legs"),
        Column::number("weight"),
        Column::number("age"),
        Column::number("memory"),
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Text(self.name.to_owned()),
            self.legs.map_or(Cell::None, Cell::Number),
            Cell::Amount(self.weight),
            Cell::Span(self.age),
            Cell::Bytes(self.memory),
        ]
    }
}

fn pets() -> Vec<Pet> {
    let pet = |name, legs, weight, age| Pet {
        name,
        legs,
        weight,
        age: Duration::from_secs(age),
        memory: weight * 1024,
    };
    vec![
        pet("dog-10", Some(4), 12_500, 300),
        pet("a  cat\n\u{1b}[31m", Some(4), 4000, 30),
        pet("dog-2", Some(4), 9000, 86_400),
        pet("", None, 2, 1),
        pet("ant of a very long name", Some(1_000_006), 1, 3600),
    ]
}

fn view(line: &[&str]) -> View {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        view: View,
    }
    let line = [&["line"], line].concat();
    <Line as clap::Parser>::try_parse_from(line).expect("a view").view
}

fn told(pets: &[Pet], line: &[&str], style: Style) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = list(pets, 0, &view(line), ("no pets", style), &mut out, &mut err).expect("memory");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    format!("{}{}code {}\n", text(out), text(err), code as u8)
}

const PIPE: Style = Style { columns: 20, lines: false, colour: false };
const TERMINAL: Style = Style { columns: 20, lines: true, colour: false };

#[track_caller]
fn check(line: &[&str], expected: Expect) {
    expected.assert_eq(&told(&pets(), line, PIPE));
}

#[test]
fn tb_1_on_a_pipe_nothing_is_cut_and_columns_can_be_told_apart() {
    check(
        &[],
        expect![[r#"
            NAME                          LEGS  WEIGHT     AGE    MEMORY
            dog-10                           4    12.5   5 min  12500KiB
            a cat [31m                       4       4  30.0 s   4000KiB
            dog-2                            4       9     1 d   9000KiB
            -                                -   0.002   1.0 s      2KiB
            ant of a very long name  1,000,006   0.001     1 h      1KiB
            code 0
        "#]],
    );
    let text = told(&pets(), &[], PIPE);
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("code")).collect();
    let cells = |line: &str| line.split("  ").filter(|cell| !cell.is_empty()).count();
    assert!(lines.iter().all(|line| cells(line) == Pet::COLUMNS.len()), "{text}");
}

#[test]
fn on_a_terminal_lines_are_cut_and_nothing_is_said_in_words() {
    let text = told(&pets(), &[], TERMINAL);
    assert!(text.lines().all(|line| width(line) <= 20), "{text}");
    assert_eq!(told(&[], &[], TERMINAL), "no pets\ncode 0\n");
    assert_eq!(told(&pets(), &["--where", "name=cow"], TERMINAL), "no row is so\ncode 0\n");
    check(
        &["--where", "name=cow"],
        expect![[r#"
            NAME  LEGS  WEIGHT  AGE  MEMORY
            code 0
        "#]],
    );
}

#[test]
fn conditions_all_hold() {
    let names = |line: &[&str]| {
        let (pets, view) = (pets(), view(line));
        let rows: Vec<_> = pets.iter().map(Row::cells).collect();
        let selected = select(Pet::COLUMNS, &rows, &view).expect("a good view");
        selected.rows.iter().map(|at| pets[*at].name).collect::<Vec<_>>()
    };
    assert_eq!(names(&["--where", "name=dog-2"]), ["dog-2"]);
    assert_eq!(names(&["--where", "LEGS=4", "--where", "name!=dog-2"])[0], "dog-10");
    assert_eq!(names(&["--where", "legs=4", "--where", "name!=dog-2"]).len(), 2);
    assert_eq!(names(&["--where", "legs=1,000,006"]), ["ant of a very long name"]);
    assert_eq!(names(&["--where", "legs="]), [""]);
    assert_eq!(names(&["--where", "legs!=-"]).len(), 4);
    assert_eq!(names(&["--where", "weight=9"]), ["dog-2"]);
    assert_eq!(names(&["--where", "weight=12.50"]), ["dog-10"]);
    assert_eq!(names(&["--where", "age=5m"]), ["dog-10"]);
    assert_eq!(names(&["--where", "memory=2KiB"]), [""]);
}

#[test]
fn the_order_is_that_of_a_column_and_what_is_empty_comes_last() {
    check(
        &["--sort", "name", "--where", "legs=4"],
        expect![[r#"
        NAME        LEGS  WEIGHT     AGE    MEMORY
        a cat [31m     4       4  30.0 s   4000KiB
        dog-2          4       9     1 d   9000KiB
        dog-10         4    12.5   5 min  12500KiB
        code 0
    "#]],
    );
    check(
        &["--sort", "-legs", "--limit", "3"],
        expect![[r#"
        NAME                          LEGS  WEIGHT     AGE    MEMORY
        ant of a very long name  1,000,006   0.001     1 h      1KiB
        dog-10                           4    12.5   5 min  12500KiB
        a cat [31m                       4       4  30.0 s   4000KiB
        raytree: 2 more are not shown: see --limit
        code 0
    "#]],
    );
    check(
        &["--sort", "legs"],
        expect![[r#"
        NAME                          LEGS  WEIGHT     AGE    MEMORY
        dog-10                           4    12.5   5 min  12500KiB
        a cat [31m                       4       4  30.0 s   4000KiB
        dog-2                            4       9     1 d   9000KiB
        ant of a very long name  1,000,006   0.001     1 h      1KiB
        -                                -   0.002   1.0 s      2KiB
        code 0
    "#]],
    );
}

#[test]
fn what_cannot_be_asked_is_one_sentence_and_code_2() {
    for (line, why) in [
        (
            ["--where", "leg=4"],
            "there is no column `leg`, did you mean `legs`?: there are name, legs, weight, age, memory",
        ),
        (["--sort", "x"], "there is no column `x`: there are name, legs, weight, age, memory"),
        (["--where", "legs"], "`legs` is no condition: write COLUMN=VALUE or COLUMN!=VALUE"),
        (["--where", "legs=four"], "`four` is no value of the column `legs`: it is a whole number"),
        (
            ["--where", "weight=1.2345"],
            "`1.2345` is no value of the column `weight`: it is a number",
        ),
        (
            ["--where", "age!=5"],
            "`5` is no value of the column `age`: it is a time such as 30s or 5m",
        ),
        (
            ["--where", "memory=x"],
            "`x` is no value of the column `memory`: it is bytes such as 64KiB",
        ),
    ] {
        assert_eq!(told(&pets(), &line, PIPE), format!("raytree: {why}\ncode 2\n"));
    }
}

#[test]
fn as_json_it_is_the_records_that_were_asked_for() {
    check(
        &["--json", "--sort", "name", "--limit", "1"],
        expect![[r#"
            {
              "version": 1,
              "rows": [
                {
                  "name": "a  cat\n\u001b[31m",
                  "legs": 4,
                  "weight": 4000,
                  "age": {
                    "secs": 30,
                    "nanos": 0
                  },
                  "memory": 4096000
                }
              ],
              "more": 4
            }
            code 0
        "#]],
    );
}

#[test]
fn what_the_sender_kept_back_counts_too() {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let view = view(&["--limit", "4"]);
    list(&pets(), 2000, &view, ("", PIPE), &mut out, &mut err).expect("memory");
    assert_eq!(err, b"raytree: 2,001 more are not shown: see --limit\n");
}

proptest! {
    #[test]
    fn sorting_is_an_order_and_loses_nothing(
        numbers in prop::collection::vec(prop::option::of(0..50_u64), 0..60),
        names in prop::collection::vec("[a-b0-1]{0,6}", 60),
        by_name: bool,
        is_down: bool,
    ) {
        let rows: Vec<_> = numbers.iter().zip(&names).map(|(number, name)| vec![
            Cell::Text(name.clone()),
            number.map_or(Cell::None, Cell::Number),
        ]).collect();
        let columns = [Column::text("name"), Column::number("number")];
        let column = usize::from(!by_name);
        let sort = format!("{}{}", if is_down { "-" } else { "" }, columns[column].name);
        let view = View { sort: Some(sort), ..View::default() };
        let selected = select(&columns, &rows, &view).expect("a good view");
        let mut seen = selected.rows.clone();
        for pair in selected.rows.windows(2) {
            let (one, next) = (&rows[pair[0]][column], &rows[pair[1]][column]);
            let order = if is_down { next.order(one) } else { one.order(next) };
            prop_assert!(next.is_empty() || order.is_le(), "{one:?} before {next:?}");
            prop_assert!(!one.is_empty() || next.is_empty());
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..rows.len()).collect::<Vec<_>>());
    }
}

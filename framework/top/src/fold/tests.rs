use std::time::Duration;

use proptest::prelude::*;
use raytree_types::inspect::{ActorState, ProcessRow, Role, TreeRow};
use raytree_types::limits;

use super::{Fold, Rates};

fn rows(names: &[(u32, &str)]) -> Vec<TreeRow> {
    names.iter().map(|(depth, name)| TreeRow::named(*depth, *name)).collect()
}

fn process(pid: u32, cpu: u64) -> Option<Box<ProcessRow>> {
    Some(Box::new(ProcessRow {
        pid,
        role: Role::Program,
        program: "p".to_owned(),
        uptime: Duration::ZERO,
        cpu: Duration::from_secs(cpu),
        memory: 0,
        threads: 1,
        store: None,
        stale: None,
    }))
}

/// Every line as `depth name`, with `†` where it is gone.
fn lines(fold: &Fold) -> Vec<String> {
    let of = |at: usize| {
        let line = &fold.lines()[at];
        let gone = if line.is_gone() { "†" } else { "" };
        format!("{}{gone}{}", line.depth, fold.row(at).name)
    };
    (0..fold.lines().len()).map(of).collect()
}

fn take(fold: &mut Fold, names: &[(u32, &str)], second: u64) {
    fold.take(rows(names), 0, Duration::from_secs(second));
}

#[test]
fn rates_are_differences_over_the_real_time_between_two_looks() {
    let mut fold = Fold::default();
    let row = |handled, busy, busy_for: Option<u64>, cpu| TreeRow {
        handled,
        busy: Duration::from_secs(busy),
        busy_for: busy_for.map(Duration::from_secs),
        process: process(1, cpu),
        ..TreeRow::named(0, "a")
    };
    fold.take(vec![row(100, 10, None, 5)], 0, Duration::from_secs(10));
    assert_eq!(fold.lines()[0].rates, None, "there was nothing before");
    fold.take(vec![row(150, 10, Some(2), 13)], 0, Duration::from_secs(14));
    let expected = Rates { messages: 12.5, busy: 0.5, cpu: Some(2.0) };
    assert_eq!(fold.lines()[0].rates, Some(expected), "what it does now counts");
    fold.take(vec![row(150, 13, None, 13)], 0, Duration::from_secs(16));
    let expected = Rates { messages: 0.0, busy: 0.5, cpu: Some(0.0) };
    assert_eq!(fold.lines()[0].rates, Some(expected), "and does not count twice");
    assert_eq!(fold.totals().messages, 0.0);
}

#[test]
fn who_counts_anew_has_no_rates() {
    let mut fold = Fold::default();
    let row =
        |handled, pid| TreeRow { handled, process: process(pid, 1), ..TreeRow::named(0, "a") };
    fold.take(vec![row(100, 1)], 0, Duration::from_secs(1));
    fold.take(vec![row(5, 1)], 0, Duration::from_secs(2));
    assert_eq!(fold.lines()[0].rates, None);
    fold.take(vec![row(6, 2)], 0, Duration::from_secs(3));
    assert_eq!(fold.lines()[0].rates.map(|rates| rates.cpu), Some(None), "another process");
    fold.take(vec![row(7, 2)], 0, Duration::from_secs(3));
    assert_eq!(fold.lines()[0].rates, None, "no time has passed");
}

#[test]
fn who_is_gone_stays_where_it_was_for_ten_seconds() {
    let mut fold = Fold::default();
    let all = [(0, "top"), (1, "a"), (2, "x"), (1, "b"), (2, "y"), (3, "z"), (1, "c")];
    take(&mut fold, &all, 1);
    take(&mut fold, &[(0, "top"), (1, "a"), (2, "x"), (1, "c")], 2);
    assert_eq!(lines(&fold), ["0top", "1a", "2x", "1†b", "2†y", "3†z", "1c"]);
    assert_eq!(fold.lines()[0].end, 7, "graves are below their parents");
    take(&mut fold, &[(0, "top"), (1, "c")], 11);
    assert_eq!(lines(&fold), ["0top", "1†a", "2†x", "1†b", "2†y", "3†z", "1c"]);
    take(&mut fold, &[(0, "top"), (1, "c"), (1, "b")], 12);
    assert_eq!(lines(&fold), ["0top", "1†a", "2†x", "1c", "1b"], "one came back");
    assert_eq!(fold.gone_for(1), Some(Duration::from_secs(1)));
    take(&mut fold, &[(0, "top"), (1, "c"), (1, "b")], 21);
    assert_eq!(lines(&fold), ["0top", "1c", "1b"]);
}

#[test]
fn the_last_child_that_is_gone_stays_before_its_parents_sibling() {
    let mut fold = Fold::default();
    take(&mut fold, &[(0, "top"), (1, "a"), (2, "x"), (2, "y"), (1, "b"), (1, "c")], 1);
    take(&mut fold, &[(0, "top"), (1, "a"), (2, "x"), (1, "c")], 2);
    assert_eq!(lines(&fold), ["0top", "1a", "2x", "2†y", "1†b", "1c"]);
    take(&mut fold, &[], 3);
    assert_eq!(lines(&fold), ["0†top", "1†a", "2†x", "2†y", "1†b", "1†c"]);
}

#[test]
fn what_did_not_fit_is_not_gone_and_graves_are_bounded() {
    let mut fold = Fold::default();
    take(&mut fold, &[(0, "a"), (0, "b")], 1);
    fold.take(rows(&[(0, "a")]), 1, Duration::from_secs(2));
    assert_eq!(lines(&fold), ["0a"]);
    assert_eq!(fold.totals().actors, 2);
    let many: Vec<TreeRow> =
        (0..limits::TOP_GRAVES_MAX + 50).map(|at| TreeRow::named(0, at.to_string())).collect();
    fold.take(many, 0, Duration::from_secs(3));
    fold.take(Vec::new(), 0, Duration::from_secs(4));
    assert_eq!(fold.lines().len(), limits::TOP_GRAVES_MAX);
}

#[test]
fn trouble_is_known_all_the_way_up_and_old_rows_are_marked() {
    let mut fold = Fold::default();
    let mut all = rows(&[(0, "top"), (1, "a"), (2, "x"), (1, "b"), (2, "y"), (3, "z")]);
    all[2].state = ActorState::Restarting;
    all[3].process = process(2, 1);
    all[5].process = process(3, 1);
    if let Some(process) = &mut all[3].process {
        process.stale = Some(Duration::from_secs(4));
    }
    fold.take(all, 0, Duration::from_secs(1));
    let down: Vec<bool> = fold.lines().iter().map(|line| line.down_below).collect();
    assert_eq!(down, [true, true, false, false, false, false]);
    let stale: Vec<bool> = fold.lines().iter().map(|line| line.is_stale).collect();
    assert_eq!(stale, [false, false, false, true, true, false], "z is in another process");
    assert_eq!(fold.process_of(4), Some(3));
    assert_eq!(fold.process_of(2), None);
}

#[test]
fn paths_are_those_of_the_source() {
    let mut fold = Fold::default();
    take(&mut fold, &[(0, "top"), (1, "a"), (2, "x")], 1);
    let paths: Vec<String> = (0..3).map(|line| fold.path(line)).collect();
    assert_eq!(paths, ["top", "a", "a/x"]);
    assert_eq!((fold.at_path("top/a"), fold.at_path("a/x")), (Some(1), Some(2)));
    assert_eq!((fold.at_path(""), fold.at_path("b")), (None, None));
    let mut forest = Fold::default();
    take(&mut forest, &[(0, "top"), (1, "a"), (0, "other")], 1);
    assert_eq!((forest.path(1), forest.path(2)), ("top/a".to_owned(), "other".to_owned()));
    assert_eq!(forest.at_path("other"), Some(2));
}

proptest! {
    #[test]
    fn lv_1_every_line_is_found_by_its_key(
        moments in prop::collection::vec(
            prop::collection::vec((0..5_u32, 0..4_u8), 0..40), 1..8)
    ) {
        let mut fold = Fold::default();
        for (moment, second) in moments.into_iter().zip(0..) {
            let names = moment.iter().map(|(depth, name)| TreeRow::named(*depth, name.to_string()));
            let live = moment.len();
            fold.take(names.collect(), 0, Duration::from_secs(second * 3));
            let lines = fold.lines();
            for (at, line) in lines.iter().enumerate() {
                prop_assert_eq!(fold.find(line.key), Some(at));
                let parent = line.parent.map(|parent| &lines[parent as usize]);
                prop_assert_eq!(parent.map_or(0, |parent| parent.depth + 1), line.depth);
                prop_assert!(line.end as usize > at && line.end as usize <= lines.len());
                prop_assert!(parent.is_none_or(|parent| line.end <= parent.end));
                prop_assert!(parent.is_none_or(|parent| !parent.is_gone() || line.is_gone()));
            }
            prop_assert_eq!(lines.iter().filter(|line| !line.is_gone()).count(), live);
        }
    }
}

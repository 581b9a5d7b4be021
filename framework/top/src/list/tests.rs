use std::time::Duration;

use raytree_types::inspect::{ActorState, ProcessRow, Role, TreeRow};

use super::{List, Order, contains};
use crate::fold::Fold;

fn fold(names: &[(u32, &str)]) -> Fold {
    let mut fold = Fold::default();
    let rows = names.iter().map(|(depth, name)| TreeRow {
        queued: name.len() as u64,
        ..TreeRow::named(*depth, *name)
    });
    fold.take(rows.collect(), 0, Duration::from_secs(1));
    fold
}

fn list(fold: &Fold) -> List {
    let mut list = List::default();
    list.resize(10);
    list.refresh(fold);
    list
}

fn names<'a>(list: &List, fold: &'a Fold) -> Vec<&'a str> {
    let (_, shown) = list.on_screen();
    shown.iter().map(|shown| &*fold.row(shown.line as usize).name).collect()
}

#[test]
fn matches_stay_with_those_above_them() {
    let fold = fold(&[(0, "top"), (1, "a"), (2, "Scores#1"), (1, "b"), (2, "y")]);
    let mut list = list(&fold);
    list.set_filter(&fold, "sCoRe");
    assert_eq!(names(&list, &fold), ["top", "a", "Scores#1"]);
    list.set_filter(&fold, "");
    assert_eq!(list.len(), 5);
}

#[test]
fn lv_2_the_selection_climbs_to_what_is_still_shown() {
    let fold = fold(&[(0, "top"), (1, "a"), (2, "x"), (1, "b")]);
    let mut list = list(&fold);
    list.go(&fold, 2);
    list.fold_all(&fold, true);
    assert_eq!(list.line(), Some(1), "x is folded away, below a");
    list.set_filter(&fold, "nothing of this name");
    assert_eq!((list.line(), list.len()), (None, 0));
    list.set_filter(&fold, "");
    assert!(list.line().is_some());
}

#[test]
fn left_folds_then_goes_up_and_right_unfolds_then_goes_down() {
    let fold = fold(&[(0, "top"), (1, "a"), (2, "x")]);
    let mut list = list(&fold);
    list.go(&fold, 1);
    list.fold(&fold, Some(true));
    assert_eq!((list.line(), list.len()), (Some(1), 2));
    list.fold(&fold, Some(true));
    assert_eq!(list.line(), Some(0));
    list.go(&fold, 1);
    list.fold(&fold, Some(false));
    assert_eq!((list.line(), list.len()), (Some(1), 3));
    list.fold(&fold, Some(false));
    assert_eq!(list.line(), Some(2));
    list.fold(&fold, None);
    assert_eq!(list.len(), 3, "a leaf has nothing to fold");
}

#[test]
fn other_orders_are_flat_and_begin_at_the_top() {
    let fold = fold(&[(0, "aa"), (1, "a"), (2, "aaaa"), (1, "aaa")]);
    let mut list = list(&fold);
    list.go(&fold, isize::MAX);
    list.next_order(&fold);
    assert_eq!(list.order(), Order::Queue);
    assert_eq!(names(&list, &fold), ["aaaa", "aaa", "aa", "a"]);
    assert_eq!(list.line(), Some(2));
    list.fold(&fold, Some(true));
    assert_eq!(list.len(), 4, "nothing is folded in a flat list");
}

#[test]
fn a_row_keeps_its_place_on_the_screen_when_others_come_above_it() {
    let many: Vec<String> = (0..100).map(|at| format!("row{at}")).collect();
    let mut all: Vec<(u32, &str)> = many.iter().map(|name| (0, name.as_str())).collect();
    let before = fold(&all);
    let mut list = list(&before);
    list.go(&before, 50);
    list.go(&before, -3);
    let place = |list: &List| list.at() - list.on_screen().0;
    assert_eq!((list.at(), place(&list)), (47, 6));
    all.splice(0..0, [(0, "new1"), (0, "new2")]);
    let after = fold(&all);
    list.refresh(&after);
    assert_eq!((list.at(), place(&list)), (49, 6));
    list.resize(3);
    assert!(list.at() - list.on_screen().0 < 3);
    list.resize(0);
    list.go(&after, isize::MAX);
    assert_eq!(list.at(), 101);
}

/// A process that begins with `top`, an actor that has failed and one that works; and, a second before, one that is gone since.
fn troubled() -> Fold {
    let process = ProcessRow {
        pid: 1,
        role: Role::Program,
        program: "it".to_owned(),
        uptime: Duration::ZERO,
        cpu: Duration::ZERO,
        memory: 1 << 20,
        threads: 1,
        store: None,
        stale: None,
    };
    let rows = [
        TreeRow { process: Some(Box::new(process)), ..TreeRow::named(0, "top") },
        TreeRow { queued: 7, handled: 5, ..TreeRow::named(1, "works") },
        TreeRow { state: ActorState::Failed, restarts: 3, ..TreeRow::named(1, "failed") },
        TreeRow { queued: 9, restarts: 1, ..TreeRow::named(1, "gone") },
    ];
    let mut later = rows[..3].to_vec();
    later[1].busy = Duration::from_millis(500);
    let mut fold = Fold::default();
    fold.take(rows.to_vec(), 0, Duration::from_secs(1));
    fold.take(later, 0, Duration::from_secs(2));
    fold
}

#[test]
fn lv_3_no_order_hides_what_has_failed_nor_what_has_just_gone() {
    let fold = troubled();
    for (order, names_in_it) in [
        (Order::Tree, &["top", "works", "failed", "gone"][..]),
        (Order::Queue, &["gone", "works", "top", "failed"]),
        (Order::Busy, &["works", "top", "failed", "gone"]),
        (Order::Memory, &["top", "failed"]),
        (Order::Restarts, &["failed", "gone", "top", "works"]),
    ] {
        let mut list = List::ordered(order);
        list.resize(10);
        list.refresh(&fold);
        assert_eq!(names(&list, &fold), names_in_it, "{order:?}");
    }
}

#[test]
fn lv_3_no_filter_hides_what_has_failed() {
    let fold = troubled();
    for (order, names_in_it) in [
        (Order::Tree, &["top", "works", "failed"][..]),
        (Order::Queue, &["works", "failed"]),
        (Order::Busy, &["works", "failed"]),
        (Order::Memory, &["failed"]),
        (Order::Restarts, &["failed", "works"]),
    ] {
        let mut list = List::ordered(order);
        list.resize(10);
        list.set_filter(&fold, "works");
        assert_eq!(names(&list, &fold), names_in_it, "{order:?}");
    }
}

#[test]
fn case_does_not_matter() {
    assert!(contains("Scores", "scor") && contains("ÄRGER", "ärg") && contains("x", ""));
    assert!(!contains("ab", "abc") && !contains("", "a"));
}

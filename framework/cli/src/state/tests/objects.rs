//! Objects as they are listed, and those that nobody seems to use.

use std::time::Duration;

use expect_test::expect;
use raytree_types::state::{Listing, ObjectPlace, ObjectRecord, ObjectState, What};

use super::super::leaks::{group, rows_of};
use super::super::{LeakArgs, ObjectsArgs, StateArgs, far, of_summary, show};
use super::PIPE;
use crate::table::View;
use crate::tree::Style;

const NOW: Duration = Duration::from_secs(100_000);
const MIB: u64 = 1 << 20;

/// One that was laid into a store so many seconds ago.
fn kept(name: &str, mebibytes: u64, age: u64) -> ObjectRecord {
    ObjectRecord {
        owner: "train".to_owned(),
        size: Some(mebibytes * MIB),
        place: Some(ObjectPlace::Store),
        references: 1,
        since: Some(NOW - Duration::from_secs(age)),
        call_site: Some("src/main.rs:42".to_owned()),
        ..ObjectRecord::new(name, ObjectState::Ready, 7)
    }
}

fn objects() -> Vec<ObjectRecord> {
    let to_come = ObjectRecord {
        owner: "train".to_owned(),
        waiters: 2,
        references: 3,
        since: Some(NOW - Duration::from_secs(3)),
        call_site: Some("src/main.rs:40".to_owned()),
        made_by: Some("task-1-2a".to_owned()),
        ..ObjectRecord::new("load", ObjectState::Pending, 7)
    };
    let held = ObjectRecord {
        held_by: vec!["job-1 on node-2".to_owned()],
        holders: 1,
        size: None,
        place: Some(ObjectPlace::Heap),
        ..kept("put", 0, 90)
    };
    let on_disk = ObjectRecord {
        owner: "job-1 on node-1".to_owned(),
        place: Some(ObjectPlace::Disk),
        store: Some("node-1".to_owned()),
        references: 2,
        used_by: 1,
        call_site: None,
        ..kept("an object of another process", 5, 7200)
    };
    vec![to_come, held, on_disk, ObjectRecord { pins: 1, ..kept("put", 64, 5) }]
}

fn told(view: View, style: Style) -> String {
    let args = StateArgs { view, ..StateArgs::default() };
    let listing = Listing { rows: objects(), total: 4, ..Listing::default() };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let summed = of_summary(&args.view, What::Objects);
    show(listing, (&args, &summed, NOW, "no objects"), style, &mut out, &mut err).expect("memory");
    assert!(err.is_empty());
    String::from_utf8(out).expect("text")
}

#[test]
fn tb_1_objects_have_stable_columns() {
    expect![[r#"
        NAME                          STATE    HELD_BY          WAITERS  PID  HOLDERS   SIZE  PLACE  STORE   OWNER            REFERENCES  PINS  USED_BY    AGE  CALL_SITE       MADE_BY
        load                          pending  -                      2    7        0      -  -      -       train                     3     0        0  3.0 s  src/main.rs:40  task-1-2a
        put                           ready    job-1 on node-2        0    7        1      -  heap   -       train                     1     0        0  2 min  src/main.rs:42  -
        an object of another process  ready    -                      0    7        0   5MiB  disk   node-1  job-1 on node-1           2     0        1    2 h  -               -
        put                           ready    -                      0    7        0  64MiB  store  -       train                     1     1        0  5.0 s  src/main.rs:42  -
    "#]].assert_eq(&told(View::default(), PIPE));
    let sorted = View { sort: Some("-size".to_owned()), limit: 1, ..View::default() };
    expect![[r#"
        {
          "version": 1,
          "rows": [
            {
              "name": "put",
              "state": "ready",
              "holders": 0,
              "waiters": 0,
              "pid": 7,
              "owner": "train",
              "size": 67108864,
              "place": "store",
              "references": 1,
              "pins": 1,
              "used_by": 0,
              "since": {
                "secs": 99995,
                "nanos": 0
              },
              "call_site": "src/main.rs:42"
            }
          ],
          "more": 3
        }
    "#]]
    .assert_eq(&told(View { json: true, ..sorted }, PIPE));
    let of = |condition: &str| {
        let conditions = vec![condition.to_owned()];
        told(View { conditions, ..View::default() }, PIPE).lines().count() - 1
    };
    assert_eq!(
        (of("place=disk"), of("size=64MiB"), of("owner!=train"), of("age=5s")),
        (1, 1, 1, 1)
    );
    assert_eq!((of("call_site=src/main.rs:42"), of("pins=1"), of("used_by=1")), (2, 1, 1));
}

#[test]
fn a_narrow_terminal_has_the_most_useful_columns() {
    let narrow = Style { columns: 80, lines: true, colour: false };
    expect![[r#"
         SIZE  PLACE    AGE  NAME                          CALL_SITE       STATE    OWN…
            -  -      3.0 s  load                          src/main.rs:40  pending  tra…
            -  heap   2 min  put                           src/main.rs:42  ready    tra…
         5MiB  disk     2 h  an object of another process  -               ready    job…
        64MiB  store  5.0 s  put                           src/main.rs:42  ready    tra…
    "#]]
    .assert_eq(&told(View::default(), narrow));
    let wide = Style { columns: 300, ..narrow };
    assert_eq!(told(View::default(), wide), told(View::default(), PIPE));
}

#[test]
fn sizes_go_with_the_question_in_bytes() {
    let conditions = ["size=64KiB", "size=much", "size=", "place=disk", "age=5m"];
    let view = View { conditions: conditions.map(str::to_owned).to_vec(), ..View::default() };
    let sent: Vec<String> = far(&view, What::Objects).iter().map(ToString::to_string).collect();
    assert_eq!(sent, ["size=65536", "size=", "place=disk"]);
}

fn old() -> Vec<ObjectRecord> {
    let at = |line: u32, object: ObjectRecord| ObjectRecord {
        call_site: Some(format!("src/main.rs:{line}")),
        ..object
    };
    let held = ObjectRecord {
        held_by: vec!["node-1".to_owned(), "node-2".to_owned()],
        size: None,
        ..kept("put", 0, 300)
    };
    let mut all = objects();
    all.extend((0..3).map(|age| at(50, kept("cache", 2, 60 + age))));
    all.push(at(50, ObjectRecord { owner: "other".to_owned(), ..kept("cache", 1, 600) }));
    all.push(at(51, kept("batch", 100, 59)));
    all.push(at(52, kept("batch", 1, 61)));
    all.push(at(60, held.clone()));
    all.push(at(60, held));
    all
}

#[test]
fn what_nobody_seems_to_use_is_grouped_by_the_line_that_made_it_what_takes_most_first() {
    let leaks = group(&old(), NOW, Duration::from_secs(60));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    rows_of(&leaks, &View::default(), PIPE, &mut out, &mut err).expect("memory");
    expect![[r#"
        SIZE  COUNT     AGE  NAME   CALL_SITE       OWNER         HELD_BY
        7MiB      4  10 min  cache  src/main.rs:50  train, other  -
        1MiB      1   1 min  batch  src/main.rs:52  train         -
           -      2   5 min  put    src/main.rs:60  train         node-1, node-2
           -      1   2 min  put    src/main.rs:42  train         job-1 on node-2
    "#]]
    .assert_eq(&String::from_utf8(out).expect("text"));
    let mut out = Vec::new();
    let view = View { json: true, limit: 1, ..View::default() };
    rows_of(&leaks, &view, PIPE, &mut out, &mut err).expect("memory");
    expect![[r#"
        {
          "version": 1,
          "rows": [
            {
              "call_site": "src/main.rs:50",
              "name": "cache",
              "count": 4,
              "size": 7340032,
              "age": {
                "secs": 600,
                "nanos": 0
              },
              "owners": [
                "train",
                "other"
              ],
              "held_by": []
            }
          ],
          "more": 3
        }
    "#]]
    .assert_eq(&String::from_utf8(out).expect("text"));
}

#[test]
fn what_is_used_in_any_way_is_not_suspected() {
    let suspected = |object: ObjectRecord| group(&[object], NOW, Duration::from_secs(60)).len();
    let plain = || kept("put", 1, 60);
    assert_eq!(suspected(plain()), 1);
    for used in [
        ObjectRecord { state: ObjectState::Pending, ..plain() },
        ObjectRecord { state: ObjectState::Failed, ..plain() },
        ObjectRecord { waiters: 1, ..plain() },
        ObjectRecord { used_by: 1, ..plain() },
        ObjectRecord { pins: 1, ..plain() },
        ObjectRecord { since: None, ..plain() },
        ObjectRecord { since: Some(NOW - Duration::from_secs(59)), ..plain() },
    ] {
        assert_eq!(suspected(used.clone()), 0, "{used:?}");
    }
    let held = ObjectRecord { holders: 2, references: 9, ..plain() };
    assert_eq!(suspected(held), 1, "that it is held is what makes it a leak");
}

#[test]
fn each_process_is_asked_for_what_may_be_suspected_alone() {
    let conditions = ["name=put", "size=64KiB", "count=2", "place=disk", "age=5m"];
    let view = View { conditions: conditions.map(str::to_owned).to_vec(), ..View::default() };
    let state = StateArgs { view, ..StateArgs::default() };
    let args = ObjectsArgs { state, leaks: LeakArgs::default() };
    let query = super::super::leaks::query(&args);
    assert_eq!(query.check(), Ok(()));
    let sent: Vec<String> = query.filters.iter().map(ToString::to_string).collect();
    let expected = ["state=ready", "waiters=0", "used_by=0", "pins=0", "name=put", "place=disk"];
    assert_eq!(sent, expected);
}

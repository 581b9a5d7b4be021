//! What is printed, as it is printed.

use std::time::Duration;

use expect_test::{Expect, expect};
use raytree_types::inspect::{ActorState, ProcessRow, TreeRow};
use raytree_types::{RuntimeId, inspect::INSPECT_VERSION};

use super::*;

fn row(depth: u32, name: &str, strategy: Option<&str>) -> TreeRow {
    TreeRow {
        type_name: "Thing".to_owned(),
        strategy: strategy.map(str::to_owned),
        queue_limit: 100,
        handled: 3,
        ..TreeRow::named(depth, name)
    }
}

fn sample() -> Vec<TreeRow> {
    let one = Some("one-for-one");
    let crashed = TreeRow {
        state: ActorState::Restarting,
        queued: 37,
        handled: 18_204,
        restarts: 3,
        last_cause: Some("panicked: index out of bounds:\n the len is 3 but the index is 7".into()),
        ..row(4, "scores#1", None)
    };
    vec![
        row(0, "raytree", one),
        row(1, "inspector", None),
        row(1, "gcs", one),
        row(2, "actor_directory", None),
        row(1, "node", one),
        row(2, "local_scheduler", None),
        row(2, "worker", one),
        row(3, "actor_host", one),
        crashed,
        TreeRow { handled: 1_234_567, hidden: 12_345, ..row(4, "pool#2", None) },
    ]
}

/// A head, a node, and a program whose actor lives on that node.
fn cluster() -> Vec<TreeRow> {
    let process = |pid, role, stale| ProcessRow {
        pid,
        role,
        program: "raytree".to_owned(),
        uptime: Duration::from_secs(60),
        cpu: Duration::from_secs(2),
        memory: 30 << 20,
        threads: 9,
        store: None,
        stale,
    };
    let silent = Some(Duration::from_millis(3400));
    let mut rows = vec![
        row(0, "raytree", Some("one-for-one")),
        row(1, "node-1", Some("one-for-one")),
        row(2, "scores#1", None),
        row(1, "train", Some("one-for-one")),
        row(2, "scores#1", None),
    ];
    rows[0].process = Some(Box::new(process(7, Role::Head, None)));
    rows[1].process = Some(Box::new(process(8, Role::Node { name: "node-1".to_owned() }, silent)));
    rows[1].remark = Some("as it was 3.4 s ago: it did not answer within 750ms".to_owned());
    rows[3].process = Some(Box::new(process(9, Role::Program, None)));
    rows[4].host = Some("node-1".to_owned());
    rows
}

#[test]
fn a_tree_of_several_processes_says_which_and_where() {
    check(
        cluster(),
        0,
        SCREEN,
        expect![[r#"
        raytree pid 1234 ppo_cartpole runtime-1 up 2m 3s
        NAME            HOST    STRATEGY     STATE      QUEUE  HANDLED  RST  PID  LAST CAUSE
        raytree                 one-for-one  ● running      0        3    0    7
        ├─ node-1               one-for-one  ● running      0        3    0    8  as it was 3.4 s ago: it d…
        │  └─ scores#1                       ● running      0        3    0
        └─ train                one-for-one  ● running      0        3    0    9
           └─ scores#1  node-1               ● running      0        3    0
    "#]],
    );
    check(
        cluster(),
        0,
        PIPE,
        expect![[r#"
        raytree pid 1234 ppo_cartpole runtime-1 up 2m 3s
        NAME          HOST    STRATEGY     STATE      QUEUE  HANDLED  RST  PID  LAST CAUSE
        raytree       -       one-for-one  ● running      0        3    0    7  -
          node-1      -       one-for-one  ● running      0        3    0    8  as it was 3.4 s ago: it did…
            scores#1  -       -            ● running      0        3    0    -  -
          train       -       one-for-one  ● running      0        3    0    9  -
            scores#1  node-1  -            ● running      0        3    0    -  -
    "#]],
    );
}

fn reply(rows: Vec<TreeRow>, more: u64) -> Reply {
    // Ids are given out by the process: print the one that every process has.
    let runtime = serde_json::from_str::<RuntimeId>("1").expect("a number");
    Reply {
        version: INSPECT_VERSION,
        pid: 1234,
        runtime,
        program: "ppo_cartpole".to_owned(),
        role: Role::Program,
        uptime: Duration::from_secs(123),
        captured_at: Duration::ZERO,
        cluster: None,
        answer: Answer::Tree(TreeRows { seq: 1, rows, more, missing: Vec::new() }),
    }
}

fn printed(rows: Vec<TreeRow>, more: u64, style: Style) -> String {
    let mut out = Vec::new();
    write(&reply(rows, more), "nothing here", style, &mut out).expect("memory");
    String::from_utf8(out).expect("text")
}

const PIPE: Style = Style { columns: 100, lines: false, colour: false };
const SCREEN: Style = Style { columns: 100, lines: true, colour: false };

#[track_caller]
fn check(rows: Vec<TreeRow>, more: u64, style: Style, expected: Expect) {
    let text = printed(rows, more, style);
    for line in text.lines() {
        assert!(width(line) <= style.columns, "{line}");
        assert_eq!(line, line.trim_end(), "no spaces at the end");
    }
    expected.assert_eq(&text);
}

#[test]
fn a_head_and_a_node_are_called_so() {
    let of = |role| {
        let mut out = Vec::new();
        let reply = Reply { role, ..reply(vec![row(0, "raytree", None)], 0) };
        write(&reply, "nothing here", PIPE, &mut out).expect("memory");
        let text = String::from_utf8(out).expect("text");
        text.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(of(Role::Head), "raytree pid 1234 head up 2m 3s");
    let name = "node-1\n".to_owned();
    assert_eq!(of(Role::Node { name }), "raytree pid 1234 node node-1 up 2m 3s");
}

#[test]
fn a_tree_on_a_screen() {
    check(
        sample(),
        0,
        SCREEN,
        expect![[r#"
        raytree pid 1234 ppo_cartpole runtime-1 up 2m 3s
        NAME                        STRATEGY     STATE         QUEUE    HANDLED  RST  LAST CAUSE
        raytree                     one-for-one  ◐ child down      0          3    0
        ├─ inspector                             ● running         0          3    0
        ├─ gcs                      one-for-one  ● running         0          3    0
        │  └─ actor_directory                    ● running         0          3    0
        └─ node                     one-for-one  ◐ child down      0          3    0
           ├─ local_scheduler                    ● running         0          3    0
           └─ worker                one-for-one  ◐ child down      0          3    0
              └─ actor_host         one-for-one  ◐ child down      0          3    0
                 ├─ scores#1                     ◌ restarting     37     18,204    3  panicked: index out o…
                 └─ pool#2 +12,345               ● running         0  1,234,567    0
    "#]],
    );
}

#[test]
fn a_tree_on_a_pipe() {
    check(
        sample(),
        12_345,
        PIPE,
        expect![[r#"
            raytree pid 1234 ppo_cartpole runtime-1 up 2m 3s
            NAME                    HOST  STATE         QUEUE    HANDLED  RST  PID  LAST CAUSE
            raytree                 -     ◐ child-down      0          3    0    -  -
              inspector             -     ● running         0          3    0    -  -
              gcs                   -     ● running         0          3    0    -  -
                actor_directory     -     ● running         0          3    0    -  -
              node                  -     ◐ child-down      0          3    0    -  -
                local_scheduler     -     ● running         0          3    0    -  -
                worker              -     ◐ child-down      0          3    0    -  -
                  actor_host        -     ◐ child-down      0          3    0    -  -
                    scores#1        -     ◌ restarting     37     18,204    3    -  panicked: index out of boun…
                    pool#2 +12,345  -     ● running         0  1,234,567    0    -  -
            … and 12,345 more
        "#]],
    );
}

#[test]
fn what_is_to_be_said_of_a_place_stands_before_how_it_ended_last() {
    let said = |text: &str| Some(text.to_owned());
    let worker =
        TreeRow { remark: said("2 abandoned threads: spin (2)"), ..row(1, "worker", None) };
    let node = TreeRow {
        restarts: 1,
        remark: said("drains: 9 abandoned threads: park (9)"),
        last_cause: said("failed: node-1 died"),
        ..row(1, "node-1", None)
    };
    check(
        vec![row(0, "raytree", None), worker, node],
        0,
        Style { columns: 120, ..SCREEN },
        expect![[r#"
            raytree pid 1234 ppo_cartpole runtime-1 up 2m 3s
            NAME       STRATEGY  STATE      QUEUE  HANDLED  RST  LAST CAUSE
            raytree              ● running      0        3    0
            ├─ worker            ● running      0        3    0  2 abandoned threads: spin (2)
            └─ node-1            ● running      0        3    1  drains: 9 abandoned threads: park (9); failed: node-1 died
        "#]],
    );
}

#[test]
fn a_narrow_screen_shows_causes_rather_than_strategies() {
    check(
        sample(),
        0,
        Style { columns: 84, ..SCREEN },
        expect![[r#"
        raytree pid 1234 ppo_cartpole runtime-1 up 2m 3s
        NAME                        STATE         QUEUE    HANDLED  RST  LAST CAUSE
        raytree                     ◐ child down      0          3    0
        ├─ inspector                ● running         0          3    0
        ├─ gcs                      ● running         0          3    0
        │  └─ actor_directory       ● running         0          3    0
        └─ node                     ◐ child down      0          3    0
           ├─ local_scheduler       ● running         0          3    0
           └─ worker                ◐ child down      0          3    0
              └─ actor_host         ◐ child down      0          3    0
                 ├─ scores#1        ◌ restarting     37     18,204    3  panicked: index ou…
                 └─ pool#2 +12,345  ● running         0  1,234,567    0
    "#]],
    );
}

#[test]
fn a_narrow_screen_loses_the_columns_on_the_right() {
    check(
        sample(),
        0,
        Style { columns: 60, ..SCREEN },
        expect![[r#"
        raytree pid 1234 ppo_cartpole runtime-1 up 2m 3s
        NAME                        STRATEGY     STATE         QUEUE
        raytree                     one-for-one  ◐ child down      0
        ├─ inspector                             ● running         0
        ├─ gcs                      one-for-one  ● running         0
        │  └─ actor_directory                    ● running         0
        └─ node                     one-for-one  ◐ child down      0
           ├─ local_scheduler                    ● running         0
           └─ worker                one-for-one  ◐ child down      0
              └─ actor_host         one-for-one  ◐ child down      0
                 ├─ scores#1                     ◌ restarting     37
                 └─ pool#2 +12,345               ● running         0
    "#]],
    );
    check(
        sample(),
        0,
        Style { columns: 30, ..SCREEN },
        expect![[r#"
        raytree pid 1234 ppo_cartpole…
        NAME
        raytree
        ├─ inspector
        ├─ gcs
        │  └─ actor_directory
        └─ node
           ├─ local_scheduler
           └─ worker
              └─ actor_host
                 ├─ scores#1
                 └─ pool#2 +12,345
    "#]],
    );
}

#[test]
fn a_long_name_leaves_room_for_the_cause() {
    let long = TreeRow {
        last_cause: Some("panicked: told to".to_owned()),
        hidden: 7,
        ..row(1, &"name_".repeat(30), None)
    };
    check(
        vec![row(0, "raytree", None), long],
        0,
        SCREEN,
        expect![[r#"
            raytree pid 1234 ppo_cartpole runtime-1 up 2m 3s
            NAME                                               STATE      QUEUE  HANDLED  RST  LAST CAUSE
            raytree                                            ● running      0        3    0
            └─ name_name_name_name_name_name_name_name_na… +7  ● running      0        3    0  panicked: told to
        "#]],
    );
}

#[test]
fn a_deep_row_shows_its_nearest_levels() {
    let rows = (0..2000).map(|depth| row(depth, "chain", None)).collect();
    let text = printed(rows, 0, SCREEN);
    let last = text.lines().last().unwrap_or_default();
    expect![
        "…                                    └─ chain             ● running      0        3    0"
    ]
    .assert_eq(last);
    assert!(text.lines().all(|line| width(line) <= 100));
}

#[test]
fn no_rows_are_a_sentence() {
    check(
        Vec::new(),
        0,
        PIPE,
        expect![[r#"
        raytree pid 1234 ppo_cartpole runtime-1 up 2m 3s
        nothing here
    "#]],
    );
}

#[test]
fn states_have_a_sign_a_word_and_a_colour() {
    let states = [
        ActorState::Starting,
        ActorState::Running,
        ActorState::Restarting,
        ActorState::Stopping,
        ActorState::Stopped,
        ActorState::Failed,
        ActorState::Pending,
    ];
    let rows = states.map(|state| TreeRow { state, queued: 90, ..row(0, "a", None) }).to_vec();
    check(
        rows.clone(),
        0,
        SCREEN,
        expect![[r#"
        raytree pid 1234 ppo_cartpole runtime-1 up 2m 3s
        NAME  STRATEGY  STATE         QUEUE  HANDLED  RST  LAST CAUSE
        a               ○ starting       90        3    0
        a               ● running        90        3    0
        a               ◌ restarting     90        3    0
        a               ◑ stopping       90        3    0
        a               □ stopped        90        3    0
        a               ✗ failed         90        3    0
        a               ◇ pending        90        3    0
    "#]],
    );
    let text = printed(rows, 0, Style { colour: true, ..SCREEN });
    expect![[r#"
        ~[1mraytree pid 1234 ppo_cartpole runtime-1 up 2m 3s~[0m
        ~[2mNAME~[0m  ~[2mSTRATEGY~[0m  ~[2mSTATE~[0m         ~[2mQUEUE~[0m  ~[2mHANDLED~[0m  ~[2mRST~[0m  ~[2mLAST CAUSE~[0m
        a               ○ starting       ~[31m90~[0m        3    0
        a               ~[32m● running~[0m        ~[31m90~[0m        3    0
        a               ~[33m◌ restarting~[0m     ~[31m90~[0m        3    0
        a               ◑ stopping       ~[31m90~[0m        3    0
        a               □ stopped        ~[31m90~[0m        3    0
        a               ~[31m✗ failed~[0m         ~[31m90~[0m        3    0
        a               ◇ pending        ~[31m90~[0m        3    0
    "#]].assert_eq(&text.replace('\x1b', "~"));
}

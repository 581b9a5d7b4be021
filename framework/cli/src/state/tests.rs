//! What is printed of records, and what is asked for.

use expect_test::expect;
use raytree_types::state::TaskState;
use raytree_types::{Resources, RuntimeId, TaskId};

use super::*;

mod actors;
mod objects;
mod timeline;

const PIPE: Style = Style { columns: 40, lines: false, colour: false };

fn task(number: u64, state: TaskState) -> TaskRecord {
    let over = state.is_over();
    TaskRecord {
        id: Some(TaskId::new(RuntimeId::given(1), number)),
        kind: TaskKind::Task,
        name: "load".to_owned(),
        state,
        attempt: 0,
        parent: None,
        actor: None,
        job: None,
        pid: 7,
        host: (state == TaskState::Sent).then(|| "node-1".to_owned()),
        submitted: Some(Duration::from_secs(100)),
        began: Some(Duration::from_secs(130)),
        ended: over.then(|| Duration::from_secs(131)),
        wants: Resources::cpus(1.0),
        error: (state == TaskState::Failed).then(|| "no such file".to_owned()),
    }
}

fn told(args: &StateArgs) -> (String, String) {
    let rows = [task(1, TaskState::Sent), task(2, TaskState::Failed)];
    let listing = Listing { rows: rows.to_vec(), total: 5, dropped: 4000, ..Listing::default() };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let now = Duration::from_secs(160);
    let shown = show(
        listing,
        (args, &of_summary(&args.view, What::Tasks), now, "none"),
        PIPE,
        &mut out,
        &mut err,
    )
    .expect("memory");
    assert_eq!((shown.code, shown.is_whole), (Code::Good, true));
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (text(out), text(err))
}

#[test]
fn tb_1_tasks_have_stable_columns() {
    let (out, err) = told(&StateArgs::default());
    expect![[r#"
        ID        KIND  NAME  STATE   ATTEMPT    AGE     RAN  WANTS  ACTOR  JOB  PID  HOST    ERROR
        task-1-1  task  load  sent          0  1 min  30.0 s  1 CPU  -      -      7  node-1  -
        task-1-2  task  load  failed        0  1 min   1.0 s  1 CPU  -      -      7  -       no such file
    "#]].assert_eq(&out);
    expect![[r#"
        raytree: 3 more are not shown: see --limit
        raytree: 4,000 older ones were forgotten
    "#]]
    .assert_eq(&err);
    let failed =
        View { json: true, conditions: vec!["state=failed".to_owned()], ..View::default() };
    let (out, _) = told(&StateArgs { view: failed, ..StateArgs::default() });
    expect![[r#"
        {
          "version": 1,
          "rows": [
            {
              "id": {
                "runtime": 1,
                "number": 2
              },
              "kind": "task",
              "name": "load",
              "state": "failed",
              "attempt": 0,
              "pid": 7,
              "submitted": {
                "secs": 100,
                "nanos": 0
              },
              "began": {
                "secs": 130,
                "nanos": 0
              },
              "ended": {
                "secs": 131,
                "nanos": 0
              },
              "wants": {
                "amounts": {
                  "CPU": 1000
                }
              },
              "error": "no such file"
            }
          ],
          "more": 3
        }
    "#]]
    .assert_eq(&out);
}

#[test]
fn conditions_on_words_and_numbers_go_with_the_question_and_so_does_the_order() {
    let conditions = [
        "state=failed",
        "pid=7",
        "Attempt=1,000",
        "attempt=-",
        "attempt=many",
        "name!=load",
        "age=5m",
        "colour=red",
        "nonsense",
    ];
    let view = View { conditions: conditions.map(str::to_owned).to_vec(), ..View::default() };
    let sent: Vec<String> = far(&view, What::Tasks).iter().map(ToString::to_string).collect();
    assert_eq!(sent, ["state=failed", "pid=7", "attempt=1000", "attempt=", "name!=load"]);
    assert_eq!(late(&view), ["age=5m"]);
    let sorted = |by: &str, what| {
        let view = View { sort: Some(by.to_owned()), ..View::default() };
        sort(&view, what).map(|sort| (sort.column, sort.is_down))
    };
    assert_eq!(sorted("-Age", What::Tasks), Some(("age".to_owned(), true)));
    assert_eq!(sorted("age", What::Actors), None);
    assert_eq!(sorted("-size", What::Objects), Some(("size".to_owned(), true)));
    assert_eq!(sorted("age", What::Objects), Some(("age".to_owned(), false)));
    assert_eq!(sorted("queued", What::Actors), Some(("queued".to_owned(), false)));
}

#[test]
fn a_time_that_was_looked_for_in_a_part_alone_is_told() {
    let view = View { conditions: vec!["ran=1s".to_owned()], ..View::default() };
    let (_, err) = told(&StateArgs { view, ..StateArgs::default() });
    expect![[r#"
        raytree: 2 rows were looked at for ran=1s, and 3 more were not
        raytree: 3 more are not shown: see --limit
        raytree: 4,000 older ones were forgotten
    "#]]
    .assert_eq(&err);
}

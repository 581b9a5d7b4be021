//! Actors as they are listed, and counts of what is listed.

use std::time::Duration;

use expect_test::expect;
use raytree_types::inspect::{ActorState, Missing};
use raytree_types::state::{ActorRecord, Count, Listing, TaskRecord, What};
use raytree_types::{ActorIds, JobId, Resources, RuntimeId};

use super::super::{StateArgs, of_summary, show};
use super::PIPE;
use crate::Code;
use crate::table::View;

const NOW: Duration = Duration::from_secs(160);

fn actors() -> Vec<ActorRecord> {
    let ids = ActorIds::new(RuntimeId::given(1));
    let scores = ActorRecord {
        id: ids.next(),
        name: "scores".to_owned(),
        class: "Scores".to_owned(),
        state: ActorState::Running,
        owner: None,
        job: None,
        pid: 7,
        host: None,
        restarts: 0,
        queued: 3,
        handled: 1204,
        wants: Resources::cpus(1.0),
        cause: None,
    };
    let shard = ActorRecord {
        id: ids.next(),
        name: "shard#2".to_owned(),
        class: "Shard".to_owned(),
        state: ActorState::Restarting,
        owner: Some(scores.id),
        job: Some(JobId(3)),
        pid: 7,
        host: Some("job-3 on node-1".to_owned()),
        restarts: 2,
        queued: 0,
        handled: 17,
        wants: Resources::none(),
        cause: Some("panicked: no such shard".to_owned()),
    };
    vec![scores, shard]
}

#[test]
fn tb_1_actors_have_stable_columns_and_who_gave_no_answer_is_told() {
    let silent = Missing {
        path: "raytree/node_pool/node-2".to_owned(),
        why: "it gave no answer within 5s".to_owned(),
    };
    let listing = Listing { rows: actors(), total: 2, missing: vec![silent], ..Listing::default() };
    let (args, mut out, mut err) = (StateArgs::default(), Vec::new(), Vec::new());
    let shown = show(listing, (&args, &args.view, NOW, "no actors"), PIPE, &mut out, &mut err);
    let shown = shown.expect("memory");
    assert_eq!((shown.code, shown.is_whole), (Code::Good, false));
    expect![[r#"
        ID         NAME     CLASS   STATE       RESTARTS  QUEUED  HANDLED  WANTS  OWNER      JOB    PID  HOST             CAUSE
        actor-1-1  scores   Scores  running            0       3    1,204  1 CPU  -          -        7  -                -
        actor-1-2  shard#2  Shard   restarting         2       0       17  -      actor-1-1  job-3    7  job-3 on node-1  panicked: no such shard
    "#]]
    .assert_eq(&String::from_utf8(out).expect("text"));
    expect![[r#"
        raytree: raytree/node_pool/node-2 is missing: it gave no answer within 5s
    "#]]
    .assert_eq(&String::from_utf8(err).expect("text"));
}

/// What is printed of the counts of tasks.
fn summed(view: View) -> String {
    let count = |name: &str, state: &str, count| Count {
        name: name.to_owned(),
        state: state.to_owned(),
        count,
    };
    let counts =
        vec![count("load", "running", 1200), count("load", "failed", 3), count("fit", "failed", 7)];
    let listing: Listing<TaskRecord> = Listing { counts, total: 1210, ..Listing::default() };
    let args = StateArgs { summary: true, view, ..StateArgs::default() };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let of_counts = of_summary(&args.view, What::Tasks);
    let shown = show(listing, (&args, &of_counts, NOW, "no tasks"), PIPE, &mut out, &mut err);
    assert_eq!(shown.expect("memory").code, Code::Good);
    assert!(err.is_empty(), "{}", String::from_utf8_lossy(&err));
    String::from_utf8(out).expect("text")
}

#[test]
fn tb_1_a_summary_has_stable_columns() {
    expect![[r#"
        NAME  STATE    COUNT
        load  running  1,200
        load  failed       3
        fit   failed       7
    "#]]
    .assert_eq(&summed(View::default()));
    let conditions = vec!["state=failed".to_owned()];
    let failed = View { conditions, sort: Some("-count".to_owned()), ..View::default() };
    expect![[r#"
        NAME  STATE   COUNT
        fit   failed      7
        load  failed      3
    "#]]
    .assert_eq(&summed(failed.clone()));
    let conditions = vec!["name=load".to_owned(), "state=failed".to_owned()];
    expect![[r#"
        {
          "version": 1,
          "rows": [
            {
              "name": "load",
              "state": "failed",
              "count": 3
            }
          ],
          "more": 0
        }
    "#]]
    .assert_eq(&summed(View { json: true, conditions, ..failed }));
}

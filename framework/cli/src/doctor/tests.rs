//! What is a finding and what is none, and how it is told.

use std::time::Duration;

use expect_test::{Expect, expect};
use raytree_types::Resources;
use raytree_types::inspect::{
    ActorCheck, ActorState, Ahead, ClusterStatus, Lag, Missing, NodePhase, NodeStatus, ProcessCheck,
};

use super::findings::graded;
use super::*;

const MILLI: Duration = Duration::from_millis(1);

fn process(path: &str, role: Role) -> ProcessCheck {
    ProcessCheck {
        path: path.to_owned(),
        pid: 7,
        role,
        program: "train".to_owned(),
        version: "1.0.0".to_owned(),
        heard_at: Duration::ZERO,
        answered_at: Duration::ZERO,
        ahead: None,
        abandoned: None,
        abandoned_max: None,
        actors: vec![check("gcs", Lag::Answered(Duration::from_micros(40)))],
    }
}

fn check(path: &str, lag: Lag) -> ActorCheck {
    ActorCheck { path: format!("raytree/{path}"), lag }
}

fn node(name: &str, phase: NodePhase, version: &str) -> NodeStatus {
    NodeStatus {
        name: name.to_owned(),
        life: 1,
        phase,
        address: "b pid 1".to_owned(),
        total: Resources::none(),
        free: Resources::none(),
        version: version.to_owned(),
        metrics: None,
    }
}

fn cluster(nodes: Vec<NodeStatus>) -> ClusterStatus {
    ClusterStatus {
        version: 1,
        pid: 1,
        address: "a:1".to_owned(),
        uptime: MILLI,
        nodes,
        jobs: Vec::new(),
        detached: Vec::new(),
        detached_count: 0,
        dashboard: None,
        metrics: None,
    }
}

/// Nothing is wrong.
fn well<'a>() -> Facts<'a> {
    Facts {
        checkups: &[],
        clusters: &[],
        silent: &[],
        leftovers: 0,
        places: &[],
        user: 1000,
        version: "1.0.0",
    }
}

#[track_caller]
fn check_that(facts: Facts<'_>, expected: Expect) {
    let found = findings(&facts);
    assert!(found.iter().all(|one| !one.advice.is_empty() && !one.what.ends_with('.')));
    let lines = found.iter().map(|one| format!("{} {}: {}\n", one.grade, one.about, one.what));
    expected.assert_eq(&lines.collect::<String>());
}

fn of(process: ProcessCheck) -> Vec<Checkup> {
    vec![Checkup { processes: vec![process], missing: Vec::new() }]
}

#[test]
fn where_all_is_well_nothing_is_found() {
    let ahead = Some(Ahead { millis: 900, unsure: MILLI });
    let process = ProcessCheck { ahead, ..process("raytree", Role::Head) };
    let clusters = [Ok(cluster(vec![node("a", NodePhase::Up, "1.0.0")]))];
    let place = Place { what: "the folder", path: "/a".to_owned(), owner: 1000, mode: 0o700 };
    let facts = Facts { checkups: &of(process), clusters: &clusters, places: &[place], ..well() };
    check_that(facts, expect![[r#""#]]);
}

#[test]
fn a_mailbox_that_is_behind_is_slow_and_one_that_is_silent_has_failed() {
    let answered = |millis| Lag::Answered(Duration::from_millis(millis));
    let grades = [
        answered(100),
        answered(101),
        answered(1999),
        Lag::Silent { waited: MILLI, current: None, busy_for: None },
        Lag::NotUp(ActorState::Starting),
        Lag::NotUp(ActorState::Restarting),
        Lag::NotUp(ActorState::Stopping),
        Lag::NotUp(ActorState::Stopped),
        Lag::NotUp(ActorState::Failed),
    ];
    use Grade::{Fail, Pass, Slow};
    let expected = [Pass, Slow, Slow, Fail, Slow, Slow, Pass, Pass, Fail];
    assert_eq!(grades.each_ref().map(|lag| graded(lag).0), expected);
    let silent = Lag::Silent {
        waited: Duration::from_secs(2),
        current: Some("Expire".to_owned()),
        busy_for: Some(Duration::from_secs(75)),
    };
    let mut process = process("raytree", Role::Head);
    process.actors.extend([
        check("gcs/membership", silent),
        check("uplink", answered(340)),
        check("node", Lag::NotUp(ActorState::Restarting)),
        check("sessions", Lag::NotUp(ActorState::Failed)),
    ]);
    check_that(
        Facts { checkups: &of(process), ..well() },
        expect![[r#"
        fail raytree/gcs/membership: it has not answered for 2.0 s, it handles Expire for 1 min
        fail raytree/sessions: it has failed for good
        slow raytree/uplink: its mailbox is 340 ms behind
        slow raytree/node: it is restarting, and no life of it is up
    "#]],
    );
}

#[test]
fn clocks_are_a_finding_only_where_they_are_surely_apart() {
    let ahead = |role, millis, unsure| {
        let ahead = Some(Ahead { millis, unsure: MILLI * unsure });
        of(ProcessCheck { ahead, ..process("raytree/node_pool/b", role) })
    };
    let name = || Role::Node { name: "b".to_owned() };
    check_that(Facts { checkups: &ahead(name(), 1000, 0), ..well() }, expect![[r#""#]]);
    check_that(Facts { checkups: &ahead(name(), 3000, 2000), ..well() }, expect![[r#""#]]);
    check_that(
        Facts { checkups: &ahead(name(), 3001, 2000), ..well() },
        expect![[r#"
        slow raytree/node_pool/b: its clock is 3.0 s ahead of that of whoever asked
    "#]],
    );
    check_that(
        Facts { checkups: &ahead(name(), -90_000, 5), ..well() },
        expect![[r#"
        slow raytree/node_pool/b: its clock is 2 min behind that of whoever asked
    "#]],
    );
    let driver = ahead(Role::Program, -90_000, 5);
    check_that(Facts { checkups: &driver, ..well() }, expect![[r#""#]]);
}

#[test]
fn abandoned_threads_are_a_finding_from_half_of_the_bound_on() {
    let with = |count, max| {
        let (abandoned, abandoned_max) = (Some(count), Some(max));
        of(ProcessCheck { abandoned, abandoned_max, ..process("raytree", Role::Program) })
    };
    for (count, max) in [(0, 8), (3, 8), (0, 0)] {
        check_that(Facts { checkups: &with(count, max), ..well() }, expect![[r#""#]]);
    }
    check_that(
        Facts { checkups: &with(4, 8), ..well() },
        expect![[r#"
        slow raytree: it has 4 abandoned threads, and more than 8 are too many
    "#]],
    );
    check_that(
        Facts { checkups: &with(1, 1), ..well() },
        expect![[r#"
            slow raytree: it has 1 abandoned thread, and more than 1 are too many
        "#]],
    );
}

#[test]
fn other_versions_are_said_once_each() {
    let other = ProcessCheck { version: "0.9.0".to_owned(), ..process("raytree", Role::Head) };
    let nodes = ["0.9.0", "1.0.0", "1.1.0", "1.1.0", ""];
    let nodes = nodes.map(|version| node(&format!("n-{version}"), NodePhase::Up, version));
    let clusters = [Ok(cluster(nodes.to_vec()))];
    check_that(
        Facts { checkups: &of(other), clusters: &clusters, ..well() },
        expect![[r#"
        slow raytree: it is of version 0.9.0, and this `raytree` of 1.0.0
        slow n-1.1.0: it is of version 1.1.0, and this `raytree` of 1.0.0
    "#]],
    );
}

#[test]
fn every_node_that_is_not_up_is_a_finding() {
    let phases = [
        NodePhase::Starting,
        NodePhase::Up,
        NodePhase::Degraded,
        NodePhase::Suspect,
        NodePhase::Stopping,
        NodePhase::Fenced,
    ];
    let nodes = phases.map(|phase| node(&phase.to_string(), phase, "1.0.0")).to_vec();
    let clusters =
        [Ok(cluster(nodes)), Ok(cluster(Vec::new())), Err("it did not answer".to_owned())];
    check_that(
        Facts { clusters: &clusters, ..well() },
        expect![[r#"
        fail node suspect: it is silent, and gets no new work
        fail node fenced: it counts as dead, and may still run
        fail the head: it did not answer
        slow node starting: it has not beaten yet
        slow node degraded: it beats and gets nothing done
        slow node stopping: it is leaving, and gets no new work
        slow the cluster of a:1: it has no node, so nothing can run
    "#]],
    );
}

#[test]
fn what_others_may_enter_and_who_cannot_be_asked_is_a_finding() {
    let place = |owner, mode| Place { what: "the token", path: "/t".to_owned(), owner, mode };
    let places = [place(1000, 0o600), place(1000, 0o640), place(0, 0o600)];
    let missing = Missing { path: "raytree/node_pool/a".to_owned(), why: "it hung up".to_owned() };
    let checkups = [Checkup { processes: Vec::new(), missing: vec![missing] }];
    let silent = ["runtime-1 of pid 9: it did not answer within 2s".to_owned()];
    let facts =
        Facts { checkups: &checkups, silent: &silent, places: &places, leftovers: 2, ..well() };
    check_that(
        facts,
        expect![[r#"
        fail a process: runtime-1 of pid 9: it did not answer within 2s
        fail raytree/node_pool/a: its process cannot be examined: it hung up
        fail /t: others may use the token: its mode is 640
        fail /t: the token belongs to user 0
        pass sockets: 2 were left by processes that are gone
    "#]],
    );
}

/// A head of which one actor is 340 ms behind.
fn one_behind() -> ProcessCheck {
    let mut process = process("raytree", Role::Head);
    process.actors.push(check("uplink", Lag::Answered(MILLI * 340)));
    process
}

#[test]
fn it_is_told_with_what_to_do() {
    let checkups = of(one_behind());
    let found = findings(&Facts { checkups: &checkups, ..well() });
    let told = |verbose| {
        let mut out = Vec::new();
        let style = Style { columns: 100, lines: false, colour: false };
        print(&checkups, &found, verbose, style, &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    };
    expect![[r#"
        slow  raytree/uplink: its mailbox is 340 ms behind
              see whether its machine has CPUs left, and what it handles: `raytree actor PATH`
        1 of 2 system actors in 1 process passed, the slowest in 340 ms
    "#]]
    .assert_eq(&told(false));
    expect![[r#"
        STATE  TIME    PID  ACTOR
        pass   40 us   7    raytree/gcs
        slow   340 ms  7    raytree/uplink

        slow  raytree/uplink: its mailbox is 340 ms behind
              see whether its machine has CPUs left, and what it handles: `raytree actor PATH`
        1 of 2 system actors in 1 process passed, the slowest in 340 ms
    "#]]
    .assert_eq(&told(true));
}

#[test]
fn it_is_told_to_programs_with_a_version() {
    let checkups = of(one_behind());
    let found = findings(&Facts { checkups: &checkups, ..well() });
    let said = Said { version: VERSION, grade: Grade::Slow, findings: &found, checkups: &checkups };
    let json = serde_json::to_string_pretty(&said).expect("JSON");
    expect![[r#"
        {
          "version": 1,
          "grade": "slow",
          "findings": [
            {
              "grade": "slow",
              "about": "raytree/uplink",
              "what": "its mailbox is 340 ms behind",
              "advice": "see whether its machine has CPUs left, and what it handles: `raytree actor PATH`"
            }
          ],
          "checkups": [
            {
              "processes": [
                {
                  "path": "raytree",
                  "pid": 7,
                  "role": "head",
                  "program": "train",
                  "version": "1.0.0",
                  "heard_at": {
                    "secs": 0,
                    "nanos": 0
                  },
                  "answered_at": {
                    "secs": 0,
                    "nanos": 0
                  },
                  "actors": [
                    {
                      "path": "raytree/gcs",
                      "lag": {
                        "answered": {
                          "secs": 0,
                          "nanos": 40000
                        }
                      }
                    },
                    {
                      "path": "raytree/uplink",
                      "lag": {
                        "answered": {
                          "secs": 0,
                          "nanos": 340000000
                        }
                      }
                    }
                  ]
                }
              ]
            }
          ]
        }"#]].assert_eq(&json);
}

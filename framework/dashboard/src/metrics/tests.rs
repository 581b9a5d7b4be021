use std::collections::BTreeSet;
use std::time::Duration;

use expect_test::{expect, expect_file};
use raytree_types::inspect::{
    ActorState, DetachedStatus, JobStatus, NodePhase, NodeStatus, ProcessRow, Role, StoreRow,
};
use raytree_types::{ActorIds, JobId, Resources, RuntimeId};

use super::*;

const STORE: StoreRow = StoreRow {
    capacity: 1000,
    sealed: 300,
    lent: 20,
    dying: 1,
    objects: 3,
    clients: 2,
    spilled: 500,
    spilled_objects: 4,
    spilled_ever: 900,
    restored_ever: 70,
    pulled_ever: 80,
    pushed_ever: 90,
    waiting: 1,
};

fn process(role: Role, pid: u32, stale: Option<Duration>) -> Option<Box<ProcessRow>> {
    Some(Box::new(ProcessRow {
        pid,
        role: role.clone(),
        program: "train".to_owned(),
        uptime: Duration::from_secs(60),
        cpu: Duration::from_millis(1500),
        memory: 4096,
        threads: 3,
        store: matches!(role, Role::Node { .. }).then_some(STORE),
        stale,
    }))
}

/// A node with a worker that has two actors, one of them elsewhere.
fn rows() -> Vec<TreeRow> {
    let ids = ActorIds::new(RuntimeId::given(7));
    let node = Role::Node { name: "node-1".to_owned() };
    let worker = Role::Part { name: "job-1 on node-1".to_owned() };
    let silent = Some(Duration::from_secs(4));
    vec![
        TreeRow { process: process(node, 1, None), ..TreeRow::named(0, "raytree") },
        TreeRow { process: process(worker, 2, silent), ..TreeRow::named(1, "job-1") },
        TreeRow {
            id: Some(ids.next()),
            queued: 5,
            queue_limit: 10,
            handled: 7,
            refused: 2,
            restarts: 1,
            busy: Duration::from_millis(250),
            busy_for: Some(Duration::from_millis(500)),
            state: ActorState::Restarting,
            ..TreeRow::named(2, "scores")
        },
        TreeRow {
            id: Some(ids.next()),
            host: Some("node-2".to_owned()),
            handled: 99,
            restarts: 2,
            ..TreeRow::named(2, "far")
        },
        TreeRow {
            id: Some(ids.next()),
            host: Some("node-2".to_owned()),
            state: ActorState::Restarting,
            ..TreeRow::named(2, "farther")
        },
    ]
}

fn status() -> ClusterStatus {
    ClusterStatus {
        version: 1,
        pid: 9,
        address: "10.0.0.1:1".to_owned(),
        uptime: Duration::from_secs(90),
        nodes: vec![NodeStatus {
            name: "node \"1\"".to_owned(),
            life: 1,
            phase: NodePhase::Up,
            address: String::new(),
            total: Resources::cpus(4.0),
            free: Resources::cpus(1.5),
            version: String::new(),
            metrics: None,
        }],
        jobs: vec![JobStatus {
            job: JobId(3),
            program: "train".to_owned(),
            age: Duration::ZERO,
            workers: 2,
        }],
        detached: vec![DetachedStatus {
            id: ActorIds::new(RuntimeId::given(8)).next(),
            namespace: "default".to_owned(),
            name: None,
            label: "scores".to_owned(),
            node: None,
            restarts: 2,
            wants: Resources::none(),
        }],
        detached_count: 1,
        dashboard: None,
        metrics: None,
    }
}

/// Everything that is ever exported.
fn exported() -> String {
    write(samples()).expect("text")
}

fn samples() -> Vec<Sample> {
    let mut samples = Samples::default();
    samples.own(12);
    samples.memory((750, 1000));
    samples.trees(&rows(), &mut Tally::default());
    samples.cluster(&status());
    let count =
        |state: &str, count| Count { name: "load".to_owned(), state: state.to_owned(), count };
    samples.lists(&[count("running", 3), count("finished", 9)], &[count("ready", 1)]);
    samples.of()
}

/// The lines with this name.
fn lines(text: &str, name: &str) -> String {
    let lines = text.lines().filter(|line| line.contains(name)).collect::<Vec<_>>();
    lines.join("\n") + "\n"
}

#[test]
fn what_is_exported_is_text_for_prometheus() {
    let text = exported();
    let of = |name: &str| lines(&text, name);
    expect![[r##"
        # HELP raytree_process_cpu_seconds CPU time that a process has used, in user and in system mode, in seconds
        # TYPE raytree_process_cpu_seconds counter
        raytree_process_cpu_seconds_total{process="node-1",role="node",pid="1"} 1.5
        raytree_process_cpu_seconds_total{process="job-1 on node-1",role="worker",pid="2"} 1.5
    "##]].assert_eq(&of("raytree_process_cpu"));
    expect![[r##"
        # HELP raytree_actors Actors, by state
        # TYPE raytree_actors gauge
        raytree_actors{process="job-1 on node-1",kind="system",state="running"} 1.0
        raytree_actors{process="job-1 on node-1",kind="user",state="restarting"} 2.0
        raytree_actors{process="node-1",kind="system",state="running"} 1.0
        # HELP raytree_actor_queued_messages Messages in the mailboxes of all its actors
        # TYPE raytree_actor_queued_messages gauge
        raytree_actor_queued_messages{process="job-1 on node-1",kind="system"} 0.0
        raytree_actor_queued_messages{process="job-1 on node-1",kind="user"} 5.0
        raytree_actor_queued_messages{process="node-1",kind="system"} 0.0
        # HELP raytree_actor_queue_fullness_ratio How full the fullest mailbox is, from 0 to 1: at 1 senders are refused
        # TYPE raytree_actor_queue_fullness_ratio gauge
        raytree_actor_queue_fullness_ratio{process="job-1 on node-1",kind="system"} 0.0
        raytree_actor_queue_fullness_ratio{process="job-1 on node-1",kind="user"} 0.5
        raytree_actor_queue_fullness_ratio{process="node-1",kind="system"} 0.0
        # HELP raytree_actor_lag_seconds How long the actor that has been at its present message for longest has been at it, of those in whose mailbox others wait, in seconds
        # TYPE raytree_actor_lag_seconds gauge
        raytree_actor_lag_seconds{process="job-1 on node-1",kind="system"} 0.0
        raytree_actor_lag_seconds{process="job-1 on node-1",kind="user"} 0.5
        raytree_actor_lag_seconds{process="node-1",kind="system"} 0.0
        # HELP raytree_actor_messages_handled Messages that actors have handled
        # TYPE raytree_actor_messages_handled counter
        raytree_actor_messages_handled_total{process="job-1 on node-1",kind="system"} 0.0
        raytree_actor_messages_handled_total{process="job-1 on node-1",kind="user"} 7.0
        raytree_actor_messages_handled_total{process="node-1",kind="system"} 0.0
        # HELP raytree_actor_messages_refused Messages that were refused, because a mailbox was full
        # TYPE raytree_actor_messages_refused counter
        raytree_actor_messages_refused_total{process="job-1 on node-1",kind="system"} 0.0
        raytree_actor_messages_refused_total{process="job-1 on node-1",kind="user"} 2.0
        raytree_actor_messages_refused_total{process="node-1",kind="system"} 0.0
        # HELP raytree_actor_busy_seconds Time that actors have spent on messages, in seconds
        # TYPE raytree_actor_busy_seconds counter
        raytree_actor_busy_seconds_total{process="job-1 on node-1",kind="system"} 0.0
        raytree_actor_busy_seconds_total{process="job-1 on node-1",kind="user"} 0.25
        raytree_actor_busy_seconds_total{process="node-1",kind="system"} 0.0
        # HELP raytree_actor_restarts Restarts of actors by their supervisors
        # TYPE raytree_actor_restarts counter
        raytree_actor_restarts_total{process="job-1 on node-1",kind="system"} 0.0
        raytree_actor_restarts_total{process="job-1 on node-1",kind="user"} 3.0
        raytree_actor_restarts_total{process="node-1",kind="system"} 0.0
    "##]].assert_eq(&of("raytree_actor"));
    expect![[r##"
        # HELP raytree_node_resources What a node offers of a resource: CPU and GPU in pieces, others in their own unit
        # TYPE raytree_node_resources gauge
        raytree_node_resources{node="node \"1\"",resource="CPU"} 4.0
        # HELP raytree_node_resources_available What no job was granted of it
        # TYPE raytree_node_resources_available gauge
        raytree_node_resources_available{node="node \"1\"",resource="CPU"} 1.5
    "##]].assert_eq(&of("raytree_node_resources"));
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn who_does_not_ask_for_openmetrics_is_told_in_the_text_format() {
    let all = text::plain(&samples());
    expect![[r##"
        # HELP raytree_process_cpu_seconds_total CPU time that a process has used, in user and in system mode, in seconds
        # TYPE raytree_process_cpu_seconds_total counter
        raytree_process_cpu_seconds_total{process="node-1",role="node",pid="1"} 1.5
        raytree_process_cpu_seconds_total{process="job-1 on node-1",role="worker",pid="2"} 1.5
    "##]].assert_eq(&lines(&all, "raytree_process_cpu"));
    expect![[r##"
        # HELP raytree_events_dropped_total Entries of the supervision logs that have made room for newer ones, of this process and of those below it
        # TYPE raytree_events_dropped_total counter
        raytree_events_dropped_total 12
    "##]].assert_eq(&lines(&all, "raytree_events_dropped"));
    expect![[r##"
        # HELP raytree_node_resources_available What no job was granted of it
        # TYPE raytree_node_resources_available gauge
        raytree_node_resources_available{node="node \"1\"",resource="CPU"} 1.5
    "##]]
    .assert_eq(&lines(&all, "raytree_node_resources_available"));
    // The same numbers in both: only names and help differ, and how a whole number is written.
    let numbers = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let split = lines.map(|line| line.rsplit_once(' ').expect("a number"));
        let read =
            split.map(|(name, number)| (name.replace("{}", ""), number.parse().expect("a number")));
        read.collect::<Vec<(String, f64)>>()
    };
    assert_eq!(numbers(&all), numbers(&exported()));
    assert!(!all.contains("# EOF"), "that is a comment there");
    let names = all.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    assert_eq!(names.count(), table::TABLE.len());
}

#[test]
fn openmetrics_is_for_who_accepts_it() {
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
        text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for accept in [prometheus, "text/plain, Application/OpenMetrics-Text ; q=0.3"] {
        assert!(text::reads_open_metrics(accept), "{accept}");
    }
    for accept in
        ["", "*/*", "text/plain", "application/openmetrics-text;q=0", "x/openmetrics-text"]
    {
        assert!(!text::reads_open_metrics(accept), "{accept}");
    }
}

#[test]
fn tasks_count_while_they_are_not_over() {
    let text = exported();
    expect![[r##"
        # HELP raytree_cluster_tasks Tasks that are not over and calls that have no answer yet, by state
        # TYPE raytree_cluster_tasks gauge
        raytree_cluster_tasks{state="running"} 3.0
        raytree_cluster_tasks{state="waiting"} 0.0
        raytree_cluster_tasks{state="sent"} 0.0
        raytree_cluster_tasks{state="queued"} 0.0
        raytree_cluster_tasks{state="pending_arguments"} 0.0
    "##]].assert_eq(&lines(&text, "raytree_cluster_tasks"));
}

#[test]
fn exactly_what_the_table_has_is_exported() {
    let text = exported();
    let names: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let table: BTreeSet<String> =
        table::TABLE.iter().map(|(metric, _)| metric.exported()).collect();
    assert_eq!(names, table.iter().map(String::as_str).collect::<BTreeSet<_>>());
    for (metric, _) in table::TABLE {
        let name = metric.exported();
        let unit = ["_seconds", "_bytes", "_ratio"].iter().any(|unit| metric.name.ends_with(unit));
        let says_unit =
            ["in seconds", "in bytes", "from 0 to 1"].iter().any(|own| metric.help.contains(own));
        assert_eq!(unit, says_unit, "{name}: the unit is in the name and in the help");
        assert!(!metric.name.ends_with("_total"), "{name}: it is added");
        assert!(!metric.help.ends_with('.'), "{name}: the writer adds the full stop");
    }
}

#[test]
fn programs_are_told_of_without_the_heads_own_rows() {
    let rows = vec![
        TreeRow::named(0, "drivers"),
        TreeRow { process: process(Role::Program, 5, None), ..TreeRow::named(1, "train") },
        TreeRow::named(2, "gcs"),
        TreeRow::named(1, "gone"),
        TreeRow { process: process(Role::Program, 6, None), ..TreeRow::named(1, "train") },
    ];
    let kept: Vec<_> = programs(rows).into_iter().map(|row| (row.depth, row.name)).collect();
    let of = |depth: u32, name: &str| (depth, name.to_owned());
    assert_eq!(kept, [of(1, "train"), of(2, "gcs"), of(1, "train")]);
}

#[test]
fn two_processes_of_one_name_are_told_apart() {
    let rows = vec![
        TreeRow { process: process(Role::Program, 5, None), ..TreeRow::named(0, "a") },
        TreeRow { process: process(Role::Program, 6, None), ..TreeRow::named(0, "b") },
    ];
    let mut samples = Samples::default();
    samples.trees(&rows, &mut Tally::default());
    let text = write(samples.of()).expect("text");
    for process in ["train", "train (6)"] {
        let line = format!("raytree_process_threads{{process=\"{process}\",");
        assert_eq!(text.matches(&line).count(), 1, "{text}");
    }
}

#[test]
fn the_page_lists_all_metrics() {
    expect_file!["../../../../docs/metrics.md"].assert_eq(&page());
}

#[test]
fn every_query_of_the_grafana_file_names_metrics_that_exist() {
    let file = include_str!("../../../../docs/grafana/raytree.json");
    let json: serde_json::Value = serde_json::from_str(file).expect("JSON");
    let table: BTreeSet<String> =
        table::TABLE.iter().map(|(metric, _)| metric.exported()).collect();
    let mut queries = Vec::new();
    let mut open = vec![&json];
    while let Some(value) = open.pop() {
        match value {
            serde_json::Value::Object(fields) => {
                queries.extend(fields.get("expr").and_then(serde_json::Value::as_str));
                open.extend(fields.values());
            }
            serde_json::Value::Array(values) => open.extend(values),
            _ => {}
        }
    }
    assert!(queries.len() >= 12, "{}", queries.len());
    let mut used = BTreeSet::new();
    for query in queries {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_metric = |word: &&str| word.starts_with("raytree_") && !TARGET_LABELS.contains(word);
        let names: Vec<&str> = query.split(|c| !is_name(c)).filter(is_metric).collect();
        assert!(!names.is_empty(), "{query}");
        for name in names {
            assert!(table.contains(name), "{name} in {query}");
            used.insert(name.to_owned());
        }
    }
    assert!(used.len() >= 12, "it shows {used:?} alone");
}

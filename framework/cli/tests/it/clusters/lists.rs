//! `nodes`, `jobs` and `groups`, of a cluster that runs.

use super::square;
use super::support::of;

#[test]
fn tb_1_nodes_and_jobs_are_tables() {
    let cluster = of(tb_1_nodes_and_jobs_are_tables).nodes(2).start();
    let (out, err, code) = cluster.raytree(&["nodes", "--sort", "-node", "--where", "state=up"]);
    assert_eq!((&*err, code), ("", 0));
    let rows: Vec<Vec<_>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    let heads = ["NODE", "STATE", "LIFE", "CPUS", "FREE", "RESOURCES", "ADDRESS", "VERSION"];
    assert_eq!(rows[0], heads);
    let names: Vec<_> = rows[1..].iter().map(|row| row[0]).collect();
    assert_eq!(names, ["node-2", "node-1", "head"]);
    let (out, err, code) = cluster.raytree(&["nodes", "--limit", "1", "--json"]);
    assert_eq!((&*err, code), ("", 0));
    let listed: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((listed["version"].as_u64(), listed["more"].as_u64()), (Some(1), Some(2)));
    assert_eq!(listed["rows"].as_array().map(Vec::len), Some(1));

    let (out, _, code) = cluster.raytree(&["jobs"]);
    assert_eq!((&*out, code), ("JOB  PROGRAM  WORKERS  AGE\n", 0));
    let driver = cluster.driver();
    assert_eq!(driver.run(async { square::remote(3).await }), 9);
    let (out, err, code) = cluster.raytree(&["jobs"]);
    assert_eq!((&*err, code), ("", 0));
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(out.lines().nth(1).is_some_and(|row| row.starts_with("job-")), "{out}");

    let (out, err, code) = cluster.raytree(&["nodes", "--where", "stat=up"]);
    assert_eq!((&*out, code), ("", 2));
    assert!(err.starts_with("raytree: there is no column `stat`, did you mean `state`?"), "{err}");
    let (out, err, code) = cluster.raytree(&["groups"]);
    assert_eq!((&*out, code, err.lines().count()), ("", 2, 1));
    assert!(err.starts_with("raytree: there are no placement groups yet"), "{err}");
    assert_eq!(cluster.raytree(&["stop"]).2, 0);
    let (out, err, code) = cluster.raytree(&["nodes"]);
    assert_eq!((&*out, code), ("", 2));
    assert!(err.contains("no cluster is known here"), "{err}");
}

//! `doctor`: every system actor of every process is asked by a message, and what is wrong is said with what to do.

use serde_json::Value;

use super::square;
use super::support::{Cluster, freeze, of, thaw, until};

/// Grade, paths of all actors that were asked, and what was found.
fn examined(cluster: &Cluster) -> (String, Vec<String>, Vec<Value>) {
    let (out, err, code) = cluster.raytree(&["doctor", "--json"]);
    assert_eq!(err, "");
    let said: Value = serde_json::from_str(&out).expect("JSON");
    let grade = said["grade"].as_str().expect("a grade").to_owned();
    assert_eq!(code, i32::from(grade != "pass"), "{out}");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let below = |above: Vec<Value>, key: &str| -> Vec<Value> {
        above.iter().flat_map(|one| list(&one[key])).collect()
    };
    let actors = below(below(list(&said["checkups"]), "processes"), "actors");
    let path = |actor: &Value| actor["path"].as_str().expect("a path").to_owned();
    (grade, actors.iter().map(path).collect(), list(&said["findings"]))
}

#[test]
fn pg_1_every_system_actor_of_every_process_answers() {
    let cluster = of(pg_1_every_system_actor_of_every_process_answers).nodes(1).start();
    let driver = cluster.driver();
    assert_eq!(driver.run(async { square::remote(3).await }), 9);
    // A busy machine may make anybody slow for a moment.
    until("a cluster that is well", || examined(&cluster).0 == "pass");
    let (_, actors, findings) = examined(&cluster);
    assert!(findings.iter().all(|one| one["grade"] != "fail"), "{findings:?}");
    // Of each process at least one that others have not: the head, its node, one that joined, the driver, a worker.
    for own in ["membership", "uplink", "actor_directory", "sessions", "local_scheduler"] {
        let end = format!("/{own}");
        assert!(actors.iter().any(|path| path.ends_with(&end)), "{own} is not in {actors:?}");
    }
    for process in ["node_pool/head/", "node_pool/node-1/", "drivers/", "/workers/"] {
        assert!(actors.iter().any(|path| path.contains(process)), "{process}: {actors:?}");
    }
    let (out, err, code) = cluster.raytree(&["doctor"]);
    assert_eq!(err, "");
    assert!(code < 2 && out.lines().last().is_some_and(|line| line.contains(" passed, ")), "{out}");
    let (out, _, _) = cluster.raytree(&["doctor", "--verbose"]);
    assert!(out.starts_with("STATE  TIME"), "{out}");
}

#[test]
fn a_process_that_is_frozen_is_found_within_bounds_and_without_a_head_it_is_code_2() {
    let plan = of(a_process_that_is_frozen_is_found_within_bounds_and_without_a_head_it_is_code_2);
    let plan = plan.set("liveness.dead_after_local=40s").set("liveness.dead_after_remote=50s");
    let mut cluster = plan.nodes(1).start();
    let node = cluster.node("node-1").pid();
    freeze(node);
    until("a silent node", || cluster.raytree(&["status"]).2 == 1);
    let (grade, actors, findings) = examined(&cluster);
    assert_eq!(grade, "fail");
    let about =
        |who: &str| findings.iter().any(|one| one["about"] == who && one["grade"] == "fail");
    assert!(about("node node-1"), "{findings:?}");
    assert!(
        findings.iter().any(|one| {
            let path = one["about"].as_str().unwrap_or_default();
            path.ends_with("node_pool/node-1") && one["grade"] == "fail"
        }),
        "{findings:?}"
    );
    assert!(actors.iter().any(|path| path.ends_with("/membership")), "others are examined");
    thaw(node);
    until("a cluster that is well", || cluster.raytree(&["doctor"]).2 == 0);
    let address = cluster.address.to_string();
    cluster.head.kill();
    let (out, err, code) = cluster.raytree(&["doctor", "--address", &address]);
    assert_eq!((&*out, code), ("", 2));
    assert!(err.starts_with("raytree: ") && err.contains(&address), "{err}");
}

#[test]
fn who_is_frozen_is_missing_from_what_the_others_say() {
    let plan = of(who_is_frozen_is_missing_from_what_the_others_say);
    let plan = plan.set("liveness.dead_after_local=40s").set("liveness.dead_after_remote=50s");
    let mut cluster = plan.nodes(1).start();
    let owners = || cluster.raytree(&["tree", "--owners"]);
    until("a whole answer", || owners().2 == 0);
    let node = cluster.nodes[0].pid();
    freeze(node);
    let (out, err, code) = owners();
    assert_eq!(code, 1, "{out}{err}");
    assert!(err.contains("raytree: raytree/node_pool/node-1 is missing: "), "{err}");
    let (out, err, code) = cluster.raytree(&["why", "task-1-7"]);
    assert_eq!((&*out, code), ("", 1));
    assert!(err.contains("`task-1-7` may be where nobody answers: "), "{err}");
    thaw(node);
    until("a whole answer", || cluster.raytree(&["tree", "--owners"]).2 == 0);
    cluster.head.kill();
}

//! The timeline of a cluster: what has run where, and what was fetched for that.

use std::net::SocketAddr;

use serde_json::Value;

use super::moved::{LONG, made_left, made_right, read_left, read_right, two};
use super::support::{Cluster, children, of, until};

/// What a person has who asks for it; none when a process was not heard.
fn timeline(cluster: &Cluster) -> Option<Value> {
    let file = cluster.folder.path().join("timeline.json");
    let path = file.display().to_string();
    let (_, _, code) = cluster.raytree(&["timeline", "-o", &path]);
    (code == 0).then(|| {
        let text = std::fs::read_to_string(&file).expect("a file");
        serde_json::from_str(&text).expect("JSON")
    })
}

/// The spans of that name that are over, each with the process that it was in.
fn spans<'a>(trace: &'a Value, name: &str) -> Vec<(u32, &'a Value)> {
    let events = trace["traceEvents"].as_array().expect("events");
    let process = |number: &Value| {
        let mut names = events.iter().filter(|event| event["name"] == "process_name");
        let named = names.find(|event| event["pid"] == *number).expect("its process has a name");
        let name = named["args"]["name"].as_str().expect("a name");
        let pid = name.rsplit_once("(pid ").and_then(|(_, pid)| pid.strip_suffix(')'));
        pid.and_then(|pid| pid.parse::<u32>().ok()).expect("a process")
    };
    let own = events.iter().filter(|event| event["ph"] == "X" && event["name"] == name);
    let over = own.filter(|event| event["args"]["outcome"] != "running");
    over.map(|event| (process(&event["pid"]), event)).collect()
}

/// Those are runs of tasks, in workers of that node.
fn ran_on(spans: &[(u32, &Value)], node: u32) {
    let workers = children(node);
    for (pid, event) in spans {
        let outcome = &event["args"]["outcome"];
        assert_eq!((&event["cat"], outcome), (&"task".into(), &"finished".into()), "{event}");
        assert!(workers.contains(pid), "{event} was in {pid}, and not in one of {workers:?}");
    }
}

/// Of what that node fetched: whence.
fn fetched_by(spans: &[(u32, &Value)], node: u32) -> Vec<SocketAddr> {
    let own = spans.iter().filter(|(pid, _)| *pid == node);
    own.map(|(_, event)| {
        assert_eq!(event["cat"], "transfer", "{event}");
        assert_eq!(event["args"]["bytes"], LONG, "{event}");
        assert!(event["dur"].as_f64().is_some_and(|took| took > 0.0), "{event}");
        let from = event["args"]["from"].as_str().expect("whence");
        from.parse().expect("an address")
    })
    .collect()
}

#[test]
fn what_is_fetched_from_another_node_is_in_the_timeline() {
    let cluster = two(of(what_is_fetched_from_another_node_is_in_the_timeline));
    let pid = |name: &str| {
        let node = cluster.nodes.iter().find(|node| node.name == name);
        node.expect("a node of that name").pid()
    };
    let (left, right) = (pid("left"), pid("right"));
    let driver = cluster.driver();
    driver.run(async {
        for byte in [3, 5] {
            let object = made_left::remote(byte);
            assert!(read_right::remote(&object, byte).await?);
        }
        let object = made_right::remote(7);
        assert!(read_left::remote(&object, 7).await?);
        Ok(())
    });
    let mut trace = Value::Null;
    // Whoever has an answer may be quicker than the one who notes it.
    until("all that has run and was fetched", || {
        trace = timeline(&cluster).unwrap_or_else(|| serde_json::json!({ "traceEvents": [] }));
        let wanted = [("made_left", 2), ("read_right", 2), ("made_right", 1), ("read_left", 1)];
        let are_there = |(name, count): &(&str, usize)| spans(&trace, name).len() >= *count;
        wanted.iter().all(are_there) && spans(&trace, "pull").len() >= 3
    });
    ran_on(&spans(&trace, "made_left"), left);
    ran_on(&spans(&trace, "read_left"), left);
    ran_on(&spans(&trace, "made_right"), right);
    ran_on(&spans(&trace, "read_right"), right);
    let pulls = spans(&trace, "pull");
    assert_eq!(pulls.len(), 3, "{pulls:?}");
    let (by_right, by_left) = (fetched_by(&pulls, right), fetched_by(&pulls, left));
    // Each node gives its objects at an address of its own.
    let ([first, second], [other]) = (&by_right[..], &by_left[..]) else {
        panic!("two and one: {by_right:?} and {by_left:?}")
    };
    assert!(first == second && first != other, "{first}, {second} and {other}");
    drop(driver);
    cluster.until_free();
}

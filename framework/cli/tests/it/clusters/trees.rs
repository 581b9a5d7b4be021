//! Heads and nodes, looked at from outside.

use raytree::inspect::{Answer, Reply, Role};

use super::support::{Cluster, of, until};

fn shown(cluster: &Cluster, more: &[&str]) -> Vec<Reply> {
    let (out, err, code) = cluster.raytree(&[&["tree", "--json"], more].concat());
    assert_eq!((&*err, code), ("", 0));
    serde_json::from_str(&out).expect("an array")
}

fn names(reply: &Reply) -> Vec<String> {
    let Answer::Tree(tree) = &reply.answer else { panic!("a tree: {reply:?}") };
    tree.rows.iter().map(|row| format!("{}{}", "  ".repeat(row.depth as usize), row.name)).collect()
}

#[test]
fn a_head_and_its_nodes_are_shown_beside_the_programs() {
    let plan = of(a_head_and_its_nodes_are_shown_beside_the_programs);
    let cluster = plan.nodes(1).start();
    let init = cluster.init().inspector(true).inspect_dir(cluster.sockets());
    let driver = cluster.driver_with(init);
    cluster.socket(cluster.head.pid());
    cluster.socket(cluster.own_node());
    cluster.socket(cluster.nodes[0].pid());
    until("all of them", || shown(&cluster, &[]).len() == 4);
    let all = shown(&cluster, &[]);
    let of = |role: &Role| all.iter().filter(move |reply| reply.role == *role).collect::<Vec<_>>();
    let [head] = of(&Role::Head)[..] else { panic!("one head: {all:?}") };
    assert_eq!(head.pid, cluster.head.pid());
    let mut lines = names(head);
    // Who came first is called first, and a program as its file.
    lines[6..8].sort();
    lines[9] = "    PROGRAM".to_owned();
    assert_eq!(
        lines,
        [
            "raytree",
            "  sessions",
            "  gcs",
            "    membership",
            "    neighbours",
            "  node_pool",
            "    head",
            "    node-1",
            "  drivers",
            "    PROGRAM",
            "  door",
            "  own_node",
            "  inspector",
        ]
    );
    for (name, pid) in [("head", cluster.own_node()), ("node-1", cluster.nodes[0].pid())] {
        let [node] = of(&Role::Node { name: name.to_owned() })[..] else { panic!("{name}") };
        assert_eq!(node.pid, pid);
        let job = format!("    job-{}", cluster.status().jobs[0].job.0);
        let tree = ["raytree", "  sessions", "  workers", &job, "  uplink", "  inspector"];
        assert_eq!(names(node), tree);
    }
    let [program] = of(&Role::Program)[..] else { panic!("one program: {all:?}") };
    assert_eq!(program.pid, std::process::id());

    let (out, err, code) = cluster.raytree(&["tree", "gcs/membership"]);
    assert_eq!((&*err, code), ("", 0));
    let first = format!("raytree pid {} head up ", cluster.head.pid());
    assert!(out.starts_with(&first) && out.contains("\nmembership "), "{out}");
    let (out, err, code) = cluster.raytree(&["tree", "uplink"]);
    assert_eq!((&*err, code), ("", 0));
    let node = format!("raytree pid {} node node-1 up ", cluster.nodes[0].pid());
    assert!(out.contains(&node) && !out.contains(&first), "{out}");
    // Who spawned whom is shown of those who know it.
    let owners = shown(&cluster, &["--owners"]);
    assert!(owners.len() == 1 && owners[0].role == Role::Program, "{owners:?}");
    let pid = cluster.head.pid().to_string();
    let (out, err, code) = cluster.raytree(&["tree", "--owners", "--pid", &pid]);
    assert_eq!((&*out, code), ("", 1));
    assert_eq!(err, "raytree: the head has no actors of its users, so nobody owns anybody there\n");
    drop(driver);
    let (head, sockets) = (cluster.socket(cluster.head.pid()), cluster.sockets());
    assert_eq!(cluster.raytree(&["stop"]).2, 0);
    assert!(!head.exists(), "it took its socket along");
    let left = std::fs::read_dir(sockets).expect("a folder").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_head_and_a_node_that_are_not_to_be_looked_at_have_no_socket() {
    let plan = of(a_head_and_a_node_that_are_not_to_be_looked_at_have_no_socket);
    let mut cluster = plan.set("inspector.enabled=false").start();
    let address = cluster.address.to_string();
    let join = ["start", "--block", "--join", &address, "--name", "node-1", "--cpus", "1"];
    let mut node = cluster.command(&join);
    node.env("RAYTREE_INSPECTOR", "off");
    cluster.join_by("node-1", node);
    // It comes later than one of the others would.
    cluster.join("node-2", &[]);
    cluster.socket(cluster.nodes[1].pid());
    let pids: Vec<u32> = shown(&cluster, &[]).iter().map(|reply| reply.pid).collect();
    assert_eq!(pids, [cluster.nodes[1].pid()]);
}

//! What workers write reaches the driver, and stays in files of their node.

#![expect(clippy::print_stdout, reason = "what is written is what is tested")]

use raytree::prelude::*;

use super::support::{of, until};

/// Writes a line on both outputs.
#[remote]
fn writes(line: String) -> u32 {
    println!("{line}");
    eprintln!("{line} again");
    std::process::id()
}

/// A program whose task writes; it ends with its input. Nothing when it is run as a test.
#[test]
fn has_a_worker_that_writes() {
    let is_program = std::env::var_os("RAYTREE_TEST_PROGRAM").is_some();
    if std::env::var_os("RAYTREE_ROLE").is_none() && !is_program {
        return;
    }
    let runtime = raytree::init().threads(2).start().expect("a runtime");
    let pid = runtime.block_on(async { writes::remote("from far away".to_owned()).await });
    pid.expect("a task");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("an input");
    runtime.shutdown();
}

#[test]
fn what_a_worker_writes_is_printed_by_its_driver_and_kept_by_its_node() {
    let plan = of(what_a_worker_writes_is_printed_by_its_driver_and_kept_by_its_node);
    let cluster = plan.no_own_node().nodes(1).start();
    let mut program = cluster.program(has_a_worker_that_writes, 1);
    let printed = program.line(|line| line.ends_with("from far away"));
    let said = printed.strip_prefix("(job-1 pid=").and_then(|rest| rest.split_once(','));
    let (pid, rest) = said.unwrap_or_else(|| panic!("{printed}"));
    assert_eq!(rest, " node=node-1) from far away");
    let (tasks, _, _) = cluster.raytree(&["tasks", "--where", "host=job-1 on node-1"]);
    let row = tasks.lines().nth(1).unwrap_or_else(|| panic!("no task: {tasks}"));
    let task = row.split_whitespace().next().expect("an id");
    let (out, err, code) = cluster.raytree(&["logs", task, "--err", "--tail", "1"]);
    assert_eq!((&*out, code), ("from far away again\n", 0), "{task}: {err}");
    let unknown = cluster.raytree(&["logs", "task-1-ffffff"]);
    assert!(unknown.1.contains("task-1-ffffff") && unknown.2 == 1, "{unknown:?}");
    program.ends();
    let kept = walk(&cluster.folder.path().join("logs"));
    let name = format!("job-1_on_node-1-{pid}.err");
    let file = kept.iter().find(|path| path.file_name().is_some_and(|own| *own == *name));
    let file = file.unwrap_or_else(|| panic!("no {name} in {kept:?}"));
    let text = std::fs::read_to_string(file).expect("a file");
    assert!(text.lines().any(|line| line == "from far away again"), "{text}");
}

#[test]
fn what_a_head_and_a_node_say_is_one_json_object_a_line_where_that_is_asked_for() {
    let plan = of(what_a_head_and_a_node_say_is_one_json_object_a_line_where_that_is_asked_for);
    let mut cluster = plan.set("logs.format=json").start();
    cluster.join("node-1", &["--set", "logs.format=json"]);
    let told = std::fs::read(format!("/proc/{}/environ", cluster.own_node())).expect("it lives");
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(told.split('\0').any(|own| own == "RAYTREE_LOGS__FORMAT=json"), "{told:?}");
    cluster.head.kill();
    until("what the node says of that", || cluster.node("node-1").log().ends_with('\n'));
    for said in [cluster.head.log(), cluster.node("node-1").log()] {
        assert!(!said.is_empty());
        for line in said.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let record: serde_json::Value = serde_json::from_str(line).expect(line);
            for field in ["time", "level", "target", "message"] {
                assert!(record[field].is_string(), "{field} of {line}");
            }
        }
    }
}

/// All files below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let below = |path: std::path::PathBuf| if path.is_dir() { walk(&path) } else { vec![path] };
    entries.flat_map(|entry| below(entry.path())).collect()
}

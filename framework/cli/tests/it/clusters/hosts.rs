//! Nodes that do not see the programs of the driver's machine, and links between machines that break. What stands for
//! other machines are namespaces of this one, so these tests skip where those are not allowed.

use std::fs;
use std::process::Command;

use raytree::get_all;

use super::support::{children, of, until};
use super::{process, square};

/// Whether this command can be run with these arguments and does well.
fn can(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}

/// As this command, in a namespace in which no process of this machine is seen.
fn apart(cluster: &super::support::Cluster, args: &[&str]) -> Command {
    let own = cluster.command(args);
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    command.arg(own.get_program()).args(own.get_args());
    for (name, value) in own.get_envs() {
        match value {
            Some(value) => _ = command.env(name, value),
            None => _ = command.env_remove(name),
        }
    }
    command.env("XDG_CACHE_HOME", cluster.folder.path().join("apart"));
    command.current_dir(cluster.folder.path()).stdin(std::process::Stdio::null());
    command
}

#[test]
fn a_node_that_does_not_see_the_driver_runs_the_same_program_by_its_hash() {
    let plan = of(a_node_that_does_not_see_the_driver_runs_the_same_program_by_its_hash);
    let Some(_) = can("unshare", &["--pid", "--fork", "--mount-proc", "true"]).then_some(()) else {
        eprintln!("SKIPPED: this machine allows no namespaces");
        return;
    };
    let mut cluster = plan.no_own_node().start();
    let address = cluster.address.to_string();
    let args = ["start", "--block", "--join", &address, "--name", "apart", "--cpus", "1"];
    let command = apart(&cluster, &args);
    cluster.join_by("apart", command);
    let driver = cluster.driver();
    let squares = driver.run(async { get_all((0..50).map(square::remote)).await });
    assert_eq!(squares[49], 49 * 49);
    let told = driver.run(async { process::remote().await });
    assert!(told < 1000, "a number of that namespace: {told}");
    // The node is below what made its namespace; the worker is below the node.
    let node = children(cluster.nodes[0].pid())[0];
    let worker = children(node)[0];
    let runs = fs::read_link(format!("/proc/{worker}/exe")).expect("it runs");
    let cache = cluster.folder.path().join("apart");
    assert!(runs.starts_with(&cache), "{runs:?} and not in place");
    let own = fs::read(std::env::current_exe().expect("a path")).expect("a file");
    assert!(fs::read(runs).expect("a file") == own, "the same bytes");
    drop(driver);
    cluster.until_free();
    // The second time it is there.
    let driver = cluster.driver();
    assert_eq!(driver.run(async { square::remote(9).await }), 81);
    drop(driver);
    until("the end of the worker", || children(node).is_empty());
}

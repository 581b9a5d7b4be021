//! The programs as they are, on a cluster: a head and a node, which are threads of this test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread::{JoinHandle, spawn, yield_now};
use std::time::Duration;

use raytree_config::{Config, LoadFrom};
use raytree_daemon::{Ending, inspect, run_head, run_node, stop};
use raytree_inspector::client::Client;
use raytree_types::inspect::{Answer, Request, Story};
use tempfile::TempDir;

struct Cluster {
    address: SocketAddr,
    config: Config,
    head: JoinHandle<()>,
    nodes: Vec<JoinHandle<Ending>>,
    home: TempDir,
}

fn config(home: &Path, more: &[(&str, &str)]) -> Config {
    let own = |path: &str| home.join(path).display().to_string();
    let from = LoadFrom::default();
    let from = from.argument("cluster.token_file", own("config/raytree/token"));
    let from = from.argument("node.cache_dir", own("cache"));
    let from = from.argument("inspector.folder", own("sockets"));
    // No fixed port in a test.
    let from = from.argument("dashboard.enabled", "false");
    Config::load(more.iter().fold(from, |from, (key, value)| from.argument(*key, *value))).unwrap()
}

impl Cluster {
    fn start(nodes: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        let own = config(home.path(), &[]);
        let (tell, told) = sync_channel(1);
        let config_of_head = own.clone();
        let run =
            move || run_head(&config_of_head, false, |at| tell.send(at.address).unwrap()).unwrap();
        let head = spawn(run);
        let address = told.recv().unwrap();
        let nodes = (1..=nodes).map(|number| {
            let name = format!("node-{number}");
            let has = [
                ("node.cpus", "4"),
                ("node.resources", "special_hardware=4"),
                ("cluster.name", &name),
            ];
            let of_node = config(home.path(), &has);
            let (tell, told) = sync_channel(1);
            let run = move || run_node(&of_node, address, || tell.send(()).unwrap()).unwrap();
            let node = spawn(run);
            told.recv().unwrap();
            node
        });
        let nodes = nodes.collect();
        Self { address, config: own, head, nodes, home }
    }

    /// A program that uses it, about to be run.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("RAYTREE_ADDRESS", self.address.to_string());
        command.env("XDG_CONFIG_HOME", self.home.path().join("config"));
        command.env("RAYTREE_INSPECT_DIR", self.home.path().join("sockets"));
        command
    }

    /// Somebody who looks at all of it.
    fn looker(&self) -> Client {
        Client::new(Box::new(inspect(&self.config, self.address).unwrap()))
    }

    /// What a program prints that ends well.
    fn says(&self, program: &str) -> Vec<String> {
        let output = self.command(program).env("RAYTREE_INSPECTOR", "off").output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    fn end(self) {
        stop(&self.config, self.address).unwrap();
        for node in self.nodes {
            assert_eq!(node.join().unwrap(), Ending::InOrder);
        }
        self.head.join().unwrap();
    }
}

/// As they are printed, but for times.
fn lines<'a>(said: &'a [String], but: &[&str]) -> Vec<&'a str> {
    let lines = said.iter().map(String::as_str);
    lines.filter(|line| !but.iter().any(|word| line.contains(word))).collect()
}

#[test]
fn programs_say_on_a_cluster_what_they_say_anywhere() {
    let cluster = Cluster::start(1);
    let quickstart = env!("CARGO_BIN_EXE_quickstart");
    let alone = Command::new(quickstart).env("RAYTREE_INSPECTOR", "off").output().unwrap();
    let alone = String::from_utf8(alone.stdout).unwrap();
    let alone: Vec<String> = alone.lines().map(str::to_owned).collect();
    let times = ["x the time of one"];
    assert_eq!(lines(&cluster.says(quickstart), &times), lines(&alone, &times));
    cluster.end();
}

const PATIENCE: Duration = Duration::from_secs(10);

/// What is waited for on the cluster, once somebody waits for ever.
fn deadlocks(looker: &mut Client) -> Vec<Story> {
    loop {
        let reply = looker.ask(Request::Waits, PATIENCE).unwrap();
        let Answer::Waits(waits) = reply.answer else { panic!("waits") };
        let deadlocks: Vec<Story> =
            waits.stories.into_iter().filter(|story| story.is_cycle).collect();
        if !deadlocks.is_empty() {
            return deadlocks;
        }
        yield_now();
    }
}

#[test]
fn a_deadlock_over_three_nodes_is_named() {
    let cluster = Cluster::start(3);
    let mut command = cluster.command(env!("CARGO_BIN_EXE_philosophers"));
    command.args(["--left-first", "--guests", "5"]).stdout(Stdio::null());
    command.env("RAYTREE_CALLS__FAIL_DEADLOCKS", "false");
    let mut philosophers = command.spawn().unwrap();
    let mut looker = cluster.looker();
    let told = deadlocks(&mut looker);
    let [circle] = &told[..] else { panic!("one circle: {told:?}") };
    let mut names: Vec<&str> =
        circle.steps.iter().filter_map(|step| step.who.split(' ').next()).collect();
    let first = names.first().copied();
    assert_eq!(first, Some("fork-1"), "{circle:?}");
    assert_eq!(names, ["fork-1", "fork-2", "fork-3", "fork-4", "fork-5"]);
    names.rotate_left(1);
    for (step, next) in circle.steps.iter().zip(names) {
        assert!(step.what.contains(&format!("dine_with of {next} (")), "{step:?}");
    }
    // Whoever asks about one of them is told of the circle, by its name as by its id.
    let asked = circle.steps.iter().find(|step| step.who.starts_with("fork-3 (")).unwrap();
    let id = asked.who.trim_start_matches("fork-3 (").trim_end_matches(')').to_owned();
    for which in ["fork-3".to_owned(), id] {
        let reply = looker.ask(Request::Why { which }, PATIENCE).unwrap();
        let Answer::Why(story) = reply.answer else { panic!("a story") };
        assert!(story.is_cycle && story.steps.len() == 5, "{story:?}");
        assert!(story.now.starts_with("it is in a deadlock"), "{story:?}");
    }
    philosophers.kill().unwrap();
    philosophers.wait().unwrap();
    cluster.end();
}

#[test]
fn a_deadlock_over_three_nodes_is_an_error_to_one_who_waits() {
    let cluster = Cluster::start(3);
    let mut command = cluster.command(env!("CARGO_BIN_EXE_philosophers"));
    let ended = command.args(["--left-first", "--guests", "5"]).output().unwrap();
    assert!(!ended.status.success());
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("a deadlock, each waits for the next: fork-1 ("), "{said}");
    for fork in 2..=5 {
        assert!(said.contains(&format!("\u{2192} fork-{fork} (")), "{said}");
    }
    cluster.end();
}

//! The programs as they are, on a cluster: a head and a node, which are threads of this test.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::sync_channel;
use std::thread::{JoinHandle, spawn};

use raytree_config::{Config, LoadFrom};
use raytree_daemon::{Ending, run_head, run_node, stop};
use tempfile::TempDir;

struct Cluster {
    address: SocketAddr,
    config: Config,
    head: JoinHandle<()>,
    node: JoinHandle<Ending>,
    home: TempDir,
}

fn config(home: &Path, more: &[(&str, &str)]) -> Config {
    let own = |path: &str| home.join(path).display().to_string();
    let from = LoadFrom::default();
    let from = from.argument("cluster.token_file", own("config/raytree/token"));
    let from = from.argument("node.cache_dir", own("cache")).argument("cluster.name", "only");
    Config::load(more.iter().fold(from, |from, (key, value)| from.argument(*key, *value))).unwrap()
}

impl Cluster {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let has = [("node.cpus", "4"), ("node.resources", "special_hardware=4")];
        let (config, of_node) = (config(home.path(), &[]), config(home.path(), &has));
        let (tell, told) = sync_channel(1);
        let own = config.clone();
        let head = spawn(move || run_head(&own, false, |at| tell.send(at).unwrap()).unwrap());
        let address = told.recv().unwrap();
        let (tell, told) = sync_channel(1);
        let node = spawn(move || run_node(&of_node, address, || tell.send(()).unwrap()).unwrap());
        told.recv().unwrap();
        Self { address, config, head, node, home }
    }

    /// What a program prints that ends well.
    fn says(&self, program: &str) -> Vec<String> {
        let mut command = Command::new(program);
        command.env("RAYTREE_INSPECTOR", "off").env("RAYTREE_ADDRESS", self.address.to_string());
        command.env("XDG_CONFIG_HOME", self.home.path().join("config"));
        let output = command.output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    fn end(self) {
        stop(&self.config, self.address).unwrap();
        assert_eq!(self.node.join().unwrap(), Ending::InOrder);
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
    let cluster = Cluster::start();
    let quickstart = env!("CARGO_BIN_EXE_quickstart");
    let alone = Command::new(quickstart).env("RAYTREE_INSPECTOR", "off").output().unwrap();
    let alone = String::from_utf8(alone.stdout).unwrap();
    let alone: Vec<String> = alone.lines().map(str::to_owned).collect();
    let times = ["x the time of one"];
    assert_eq!(lines(&cluster.says(quickstart), &times), lines(&alone, &times));
    cluster.end();
}

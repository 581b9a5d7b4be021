//! A cluster of this machine: a head and nodes as a person starts them, in folders of their own; and drivers, which are
//! this very test.

use std::any::type_name;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::{panicking, park_timeout};
use std::time::Duration;

use raytree::inspect::{ClusterStatus, NodePhase};
use raytree::prelude::*;
use raytree::{Init, Result};
use raytree_config::{Config, LoadFrom};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

/// How often something is looked at, and how often at most.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LOOKS: usize = 6000;

/// What is to be started, and by which test.
pub(crate) struct Plan {
    again: Vec<OsString>,
    head: Vec<String>,
    nodes: Vec<(String, Vec<String>)>,
    has_own_node: bool,
}

/// A cluster that runs. All of it ends with this.
pub(crate) struct Cluster {
    pub(crate) address: SocketAddr,
    pub(crate) head: Daemon,
    pub(crate) nodes: Vec<Daemon>,
    again: Vec<OsString>,
    pub(crate) folder: TempDir,
}

/// A process that was started here.
pub(crate) struct Daemon {
    pub(crate) name: String,
    child: Child,
    log: PathBuf,
}

/// The first statement of a test whose tasks run on a cluster: workers are this test, started again.
pub(crate) fn of<F: Fn()>(test: F) -> Plan {
    _ = test;
    if std::env::var_os("RAYTREE_ROLE").is_some() {
        let never = raytree::init().start();
        panic!("a worker is served until it ends: {never:?}");
    }
    let path = type_name::<F>();
    let path = path.split_once("::").map_or(path, |(_, own)| own);
    let again = ["--exact", path, "--nocapture", "--include-ignored"].map(Into::into).into();
    Plan { again, head: Vec::new(), nodes: Vec::new(), has_own_node: true }
}

impl Plan {
    /// The head without a node of its own.
    pub(crate) fn no_own_node(mut self) -> Self {
        self.has_own_node = false;
        self
    }

    /// So many nodes, `node-1` and so on.
    pub(crate) fn nodes(mut self, count: usize) -> Self {
        self.nodes = (1..=count).map(|at| (format!("node-{at}"), Vec::new())).collect();
        self
    }

    /// A setting of the head, and with it of its own node.
    pub(crate) fn set(mut self, setting: &str) -> Self {
        self.head.extend(["--set".to_owned(), setting.to_owned()]);
        self
    }

    /// The head listens there.
    pub(crate) fn host(mut self, host: &str) -> Self {
        self.head.extend(["--host".to_owned(), host.to_owned()]);
        self
    }

    /// Starts it, and waits until every node is up.
    pub(crate) fn start(self) -> Cluster {
        let folder = tempfile::tempdir().expect("a folder");
        let mut args = vec!["start", "--head", "--block", "--port", "0", "--name", "head"];
        args.extend(["--cpus", "1"]);
        if !self.has_own_node {
            args.push("--no-node");
        }
        args.extend(self.head.iter().map(String::as_str));
        let (head, said) = Daemon::start(&folder, "head", raytree(&folder, &args));
        let said = said.unwrap_or_else(|| panic!("no head: {}", head.log()));
        let address = said.rsplit(' ').next().and_then(|at| at.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {said:?}"));
        let mut cluster = Cluster { address, head, nodes: Vec::new(), again: self.again, folder };
        for (name, args) in self.nodes {
            let args: Vec<_> = args.iter().map(String::as_str).collect();
            cluster.join(&name, &args);
        }
        let count = cluster.nodes.len() + usize::from(self.has_own_node);
        cluster.until_up(count);
        cluster
    }
}

/// The command, with folders of its own.
fn raytree(folder: &TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raytree"));
    command.args(args);
    at_home(&mut command, folder);
    command
}

fn at_home(command: &mut Command, folder: &TempDir) {
    let own = |name: &str| folder.path().join(name);
    command.current_dir(folder.path()).stdin(Stdio::null());
    command.env("XDG_CONFIG_HOME", own("config")).env("XDG_CACHE_HOME", own("cache"));
    command.env("RAYTREE_INSPECT_DIR", own("inspect")).env("HOME", folder.path());
    command.env("RAYTREE_LOGS__FOLDER", own("logs"));
    command.env_remove("RAYTREE_ADDRESS").env_remove("COLUMNS");
    // No fixed port in a test, unless it says one.
    command.env("RAYTREE_DASHBOARD__PORT", "0");
}

impl Daemon {
    /// And the first line that it says; none when it ends before.
    fn start(folder: &TempDir, name: &str, mut command: Command) -> (Self, Option<String>) {
        let own = |what: &str| folder.path().join(format!("{name}.{what}"));
        let file = |what: &str| File::options().create(true).append(true).open(own(what));
        let (out, err) = (file("out").expect("a file"), file("log").expect("a file"));
        // A file and no pipe, because its workers have it after this was read.
        let before = out.metadata().expect("a file").len();
        let mut child = command.stdout(out).stderr(err).spawn().expect("it starts");
        let mut said = None;
        until(&format!("a word of {name}"), || {
            let has_ended = child.try_wait().expect("it is ours").is_some();
            let all = fs::read(own("out")).expect("a file").split_off(before as usize);
            let line = all.split_inclusive(|byte| *byte == b'\n').next();
            let line = line.and_then(|line| line.strip_suffix(b"\n"));
            said = line.map(|line| String::from_utf8_lossy(line).into_owned());
            has_ended || said.is_some()
        });
        let log = own("log");
        (Self { name: name.to_owned(), child, log }, said)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.log.clone()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// Waits for its end.
    pub(crate) fn ends(&mut self) -> ExitStatus {
        let mut status = None;
        until(&format!("the end of {}", self.name), || {
            status = self.child.try_wait().expect("it is ours");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Gone already in many tests.
        _ = self.child.kill();
        _ = self.child.wait();
        if panicking() {
            eprintln!("---- {} ----\n{}", self.name, self.log());
        }
    }
}

impl Cluster {
    /// The command on this cluster's machine.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        raytree(&self.folder, args)
    }

    /// What the command prints, what it says, how it ends.
    pub(crate) fn raytree(&self, args: &[&str]) -> (String, String, i32) {
        told(self.command(args).output().expect("it runs"))
    }

    /// A node that joins, and has joined.
    pub(crate) fn join(&mut self, name: &str, args: &[&str]) {
        let address = self.address.to_string();
        self.join_at(&address, name, args);
    }

    /// A node that reaches the head by another address.
    pub(crate) fn join_at(&mut self, address: &str, name: &str, args: &[&str]) {
        let mut all = vec!["start", "--block", "--join", address, "--name", name, "--cpus", "1"];
        all.extend(args);
        let command = self.command(&all);
        self.join_by(name, command);
    }

    /// A node that is started by this command.
    pub(crate) fn join_by(&mut self, name: &str, command: Command) {
        let (node, said) = Daemon::start(&self.folder, name, command);
        let said = said.unwrap_or_else(|| panic!("{name} did not join: {}", node.log()));
        assert!(said.starts_with(&format!("{name} has joined the cluster of ")), "{said}");
        self.nodes.push(node);
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.folder.path().join("config/raytree/token")
    }

    /// How it is, as its head sees it.
    pub(crate) fn status(&self) -> ClusterStatus {
        let from = LoadFrom::default();
        let from = from.argument("cluster.token_file", self.token_file().display().to_string());
        let from = from.argument("cluster.bind", self.address.ip().to_string());
        let config = Config::load(from).expect("settings");
        raytree_daemon::status(&config, self.address).expect("an answer")
    }

    pub(crate) fn phase(&self, node: &str) -> Option<NodePhase> {
        let status = self.status();
        status.nodes.iter().find(|own| own.name == node).map(|own| own.phase)
    }

    /// Waits until so many nodes are up, and nobody else is known.
    pub(crate) fn until_up(&self, nodes: usize) {
        until(&format!("{nodes} nodes that are up"), || {
            let status = self.status();
            status.nodes.len() == nodes && (nodes == 0 || status.is_healthy())
        });
    }

    /// Waits until nobody has anything of it.
    pub(crate) fn until_free(&self) {
        until("a cluster that is free", || {
            let status = self.status();
            status.jobs.is_empty() && status.nodes.iter().all(|node| node.free == node.total)
        });
    }

    /// The folder of its sockets.
    pub(crate) fn sockets(&self) -> PathBuf {
        self.folder.path().join("inspect")
    }

    /// The socket of a head or a node, once it is there.
    pub(crate) fn socket(&self, of: u32) -> PathBuf {
        let path = self.sockets().join(format!("{of}-1.sock"));
        until("a socket", || path.exists());
        path
    }

    /// The process of the head's own node.
    pub(crate) fn own_node(&self) -> u32 {
        let children = children(self.head.pid());
        assert_eq!(children.len(), 1, "{children:?}");
        children[0]
    }

    pub(crate) fn node(&mut self, name: &str) -> &mut Daemon {
        self.nodes.iter_mut().find(|node| node.name == name).expect("a node of that name")
    }

    /// What this test is as a program of this cluster.
    pub(crate) fn init(&self) -> Init {
        self.init_at(&self.address.to_string())
    }

    pub(crate) fn init_at(&self, address: &str) -> Init {
        self.init_with(address, &self.token_file())
    }

    pub(crate) fn init_with(&self, address: &str, token_file: &Path) -> Init {
        let init = raytree::init().address(address).threads(2).inspector(false);
        let token_file = token_file.display().to_string();
        init.setting("cluster.token_file", token_file).again(self.again.clone())
    }

    /// This test as a driver that has a worker on every node.
    pub(crate) fn driver(&self) -> Driver {
        self.driver_with(self.init())
    }

    pub(crate) fn driver_with(&self, init: Init) -> Driver {
        let driver = Driver(init.start().expect("the cluster takes it in"));
        until("a worker on every node", || driver.0.available_resources() == self.resources());
        driver
    }

    /// All that its nodes have.
    pub(crate) fn resources(&self) -> Resources {
        let mut sum = Resources::none();
        self.status().nodes.iter().for_each(|node| sum.add(&node.total));
        sum
    }

    /// Another program of this cluster: this very binary, as which it does what that test does there.
    pub(crate) fn program<F: Fn()>(&self, test: F, cpus: usize) -> Program {
        _ = test;
        let path = type_name::<F>();
        let path = path.split_once("::").map_or(path, |(_, own)| own);
        let mut command = Command::new(std::env::current_exe().expect("a path"));
        at_home(&mut command, &self.folder);
        command.args(["--exact", path, "--nocapture", "--include-ignored"]);
        command
            .env("RAYTREE_TEST_PROGRAM", cpus.to_string())
            .env("RAYTREE_ADDRESS", self.address.to_string());
        command.stdin(Stdio::piped());
        Program::start(command)
    }
}

/// A driver in a process of its own.
pub(crate) struct Program {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

/// What a program says begins with this: the harness of tests has much to say, too.
pub(crate) const SAYS: &str = "program: ";

impl Program {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, out }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it says next.
    pub(crate) fn says(&mut self) -> String {
        let line = self.line(|line| line.contains(SAYS));
        line.split_once(SAYS).map(|(_, said)| said.to_owned()).expect("it was asked for")
    }

    /// The next line of this kind that it prints.
    pub(crate) fn line(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            let mut line = String::new();
            let read = self.out.read_line(&mut line).expect("text");
            assert!(read > 0, "it ended and said nothing");
            if is_it(line.trim_end()) {
                return line.trim_end().to_owned();
            }
        }
    }

    /// Lets it end, and waits for that.
    pub(crate) fn ends(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().expect("it is ours").success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// This test as a driver, until this is dropped.
pub(crate) struct Driver(pub(crate) Runtime);

impl Driver {
    /// Nothing may hang.
    pub(crate) fn run<T>(&self, body: impl Future<Output = Result<T>>) -> T {
        let _here = self.0.enter();
        let limit = LOOK_EVERY * u32::try_from(LOOKS).expect("not many");
        let ended = self.0.block_on(async { tokio::time::timeout(limit, body).await });
        ended.expect("it ends in time").expect("it succeeds")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.clone().shutdown();
    }
}

/// Waits until a condition holds that is brought about elsewhere.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if condition() {
            return;
        }
        park_timeout(LOOK_EVERY);
    }
    panic!("there never was {what}");
}

pub(crate) fn told(output: Output) -> (String, String, i32) {
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (text(output.stdout), text(output.stderr), output.status.code().expect("no signal"))
}

/// The processes that one has started.
pub(crate) fn children(of: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").expect("processes").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| parent(*pid) == Some(of)).collect()
}

/// Who has started it; none for one that has ended.
pub(crate) fn parent(of: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{of}/stat")).ok()?;
    let mut rest = stat.rsplit_once(") ")?.1.split(' ');
    let state = rest.next()?;
    rest.next()?.parse().ok().filter(|_| state != "Z")
}

fn pid(of: u32) -> Pid {
    Pid::from_raw(i32::try_from(of).expect("a pid")).expect("a pid")
}

pub(crate) fn lives(of: u32) -> bool {
    parent(of).is_some() && test_kill_process(pid(of)).is_ok()
}

pub(crate) fn send(to: u32, signal: Signal) {
    kill_process(pid(to), signal).expect("it lives");
}

/// Stops a process, as the operating system may do: until all its threads have.
pub(crate) fn freeze(of: u32) {
    send(of, Signal::STOP);
    until("a process that stands still", || {
        let threads = fs::read_dir(format!("/proc/{of}/task")).expect("it lives");
        threads.flatten().all(|thread| {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
        })
    });
}

pub(crate) fn thaw(of: u32) {
    send(of, Signal::CONT);
}

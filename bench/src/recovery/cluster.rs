//! A cluster of this machine for measurements: this program, started again as a head and as a node.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{park_timeout, spawn};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use raytree::inspect::{ClusterStatus, NodePhase};
use raytree::{Init, Runtime};
use raytree_config::{Config, LoadFrom};
use raytree_daemon::{HeadPlaces, resolve, run_head, run_node};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::child::Role;
use crate::report::now;

/// How often something is looked at that nobody tells of: the grain of those figures.
const LOOK_EVERY: Duration = Duration::from_micros(500);
/// Nothing takes as long as this.
const PATIENCE: Duration = Duration::from_secs(90);

/// A process that ends with this.
pub(crate) struct Process {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Process {
    fn start(mut command: Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let out = BufReader::new(child.stdout.take().context("a child without output")?);
        Ok(Self { child, out })
    }

    pub(crate) fn says(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.out.read_line(&mut line)? > 0, "a child ended and said nothing");
        Ok(line.trim_end().to_owned())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already in most cases.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A head with a node of its own, `head`, and a node that has joined it, `far`.
pub(crate) struct Cluster {
    pub(crate) head: Process,
    pub(crate) far: Process,
    /// By which `far` has come, if it did not come directly.
    pub(crate) way: Way,
    address: SocketAddr,
    config: Config,
    folder: TempDir,
}

/// What a child does as a head.
pub(crate) fn head() -> Result<()> {
    let ready = |places: HeadPlaces| _ = writeln!(std::io::stdout(), "{}", places.address);
    let from = LoadFrom::process().argument("dashboard.enabled", "false");
    Ok(run_head(&Config::load(from)?, true, ready)?)
}

/// What a child does as a node.
pub(crate) fn node() -> Result<()> {
    let config = Config::load(LoadFrom::process())?;
    let head = config.cluster().address.as_ref().context("RAYTREE_ADDRESS says which head")?;
    let ending = run_node(&config, resolve(head)?, || _ = writeln!(std::io::stdout(), "joined"))?;
    bail!("{ending}")
}

#[raytree::prelude::remote]
fn process() -> u32 {
    std::process::id()
}

/// What a child does as a driver; as a worker of that driver it does not get far.
pub(crate) fn driver() -> Result<()> {
    let runtime = raytree::init().threads(1).start()?;
    let _here = runtime.enter();
    until("both workers", || Ok(runtime.available_resources().to_string() == "2 CPU"))?;
    let ran = runtime.block_on(raytree::get_all((0..500).map(|_| process::remote())))?;
    let ran: BTreeSet<String> = ran.into_iter().map(|pid| pid.to_string()).collect();
    writeln!(std::io::stdout(), "{}", ran.into_iter().collect::<Vec<_>>().join(" "))?;
    // Until it is killed, or nobody is there any more.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

impl Cluster {
    /// Its node is beside its head, which may kill it.
    pub(crate) fn start() -> Result<Self> {
        Self::begin(false)
    }

    /// Its node comes by a way that can be cut, and is to its head as one on another machine.
    pub(crate) fn with_way() -> Result<Self> {
        Self::begin(true)
    }

    fn begin(by_way: bool) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let named = |role: Role, name: &str| -> Result<Command> {
            let mut command = role.command()?;
            command.env("RAYTREE_CLUSTER__NAME", name).env("RAYTREE_NODE__CPUS", "1");
            at_home(&mut command, &folder);
            Ok(command)
        };
        let mut head = Process::start(named(Role::Head, "head")?)?;
        let address: SocketAddr = head.says()?.parse()?;
        let way = Way::to(address)?;
        let mut command = named(Role::Join, "far")?;
        let dials = if by_way { way.address } else { address };
        command.env("RAYTREE_ADDRESS", dials.to_string());
        let mut far = Process::start(command)?;
        ensure!(far.says()? == "joined");
        let token_file = folder.path().join("config/raytree/token").display().to_string();
        let config = LoadFrom::default().argument("cluster.token_file", token_file);
        let config = Config::load(config)?;
        let cluster = Self { head, far, way, address, config, folder };
        until("two nodes that are up", || {
            let status = cluster.status()?;
            Ok(status.nodes.len() == 2 && status.is_healthy())
        })?;
        Ok(cluster)
    }

    pub(crate) fn status(&self) -> Result<ClusterStatus> {
        Ok(raytree_daemon::status(&self.config, self.address)?)
    }

    pub(crate) fn is_up(&self, node: &str) -> Result<bool> {
        let is_it = |own: &&raytree::inspect::NodeStatus| own.name == node;
        Ok(self.status()?.nodes.iter().find(is_it).is_some_and(|own| own.phase == NodePhase::Up))
    }

    fn init(&self) -> Init {
        let token_file = self.folder.path().join("config/raytree/token").display().to_string();
        let again = vec!["--child".into(), "node".into()];
        let init = raytree::init().address(self.address.to_string()).threads(1).again(again);
        init.setting("cluster.token_file", token_file).inspector(false)
    }

    /// This process as a driver, with a worker on both nodes.
    pub(crate) fn driver(&self) -> Result<Runtime> {
        let runtime = self.init().start()?;
        until("both workers", || Ok(runtime.available_resources().to_string() == "2 CPU"))?;
        Ok(runtime)
    }

    /// A driver in a process of its own, and its workers.
    pub(crate) fn program(&self) -> Result<(Process, Vec<u32>)> {
        let mut command = Role::Driver.command()?;
        at_home(&mut command, &self.folder);
        command.env("RAYTREE_ADDRESS", self.address.to_string());
        let mut program = Process::start(command)?;
        let said = program.says()?;
        let pids = said.split(' ').map(str::parse).collect::<std::result::Result<_, _>>()?;
        Ok((program, pids))
    }

    /// The process of the head's own node.
    pub(crate) fn own_node(&self) -> Result<u32> {
        children(self.head.pid())?.first().copied().context("the head has no node of its own")
    }
}

fn at_home(command: &mut Command, folder: &TempDir) {
    let own = |name: &str| folder.path().join(name);
    command.current_dir(folder.path()).env("HOME", folder.path());
    command.env("XDG_CONFIG_HOME", own("config")).env("XDG_CACHE_HOME", own("cache"));
    command.env("RAYTREE_INSPECTOR", "off");
}

/// A way to an address that can be cut.
pub(crate) struct Way {
    address: SocketAddr,
    is_cut: Arc<AtomicBool>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Way {
    fn to(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let own = listener.local_addr()?;
        let (is_cut, ends) =
            (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<TcpStream>>>::default());
        let (cut, kept) = (Arc::clone(&is_cut), Arc::clone(&ends));
        // It ends with this process.
        spawn(move || {
            for from in listener.incoming().flatten() {
                if !cut.load(Ordering::SeqCst) {
                    // A connection that fails is one that is cut.
                    _ = carry_both(from, address, &kept);
                }
            }
        });
        Ok(Self { address: own, is_cut, ends })
    }

    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.drain(..).for_each(|end| _ = end.shutdown(Shutdown::Both));
    }

    pub(crate) fn heal(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

fn carry_both(from: TcpStream, to: SocketAddr, kept: &Mutex<Vec<TcpStream>>) -> Result<()> {
    let to = TcpStream::connect(to)?;
    _ = (from.set_nodelay(true), to.set_nodelay(true));
    let ends = [from.try_clone()?, to.try_clone()?];
    kept.lock().unwrap_or_else(PoisonError::into_inner).extend(ends);
    let back = (to.try_clone()?, from.try_clone()?);
    spawn(move || carry(from, to));
    spawn(move || carry(back.0, back.1));
    Ok(())
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 << 10];
    while let Ok(read) = from.read(&mut bytes) {
        if read == 0 || to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    _ = to.shutdown(Shutdown::Write);
}

/// Waits until something is so that nobody tells of.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = now();
    while !is_so()? {
        ensure!(began.elapsed() < PATIENCE, "there never was {what}");
        park_timeout(LOOK_EVERY);
    }
    Ok(())
}

pub(crate) fn children(of: u32) -> Result<Vec<u32>> {
    let all = fs::read_dir("/proc")?.flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    Ok(pids.filter(|pid| parent(*pid) == Some(of)).collect())
}

/// Who has started it; none for one that has ended.
pub(crate) fn parent(of: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{of}/stat")).ok()?;
    let mut rest = stat.rsplit_once(") ")?.1.split(' ');
    let state = rest.next()?;
    rest.next()?.parse().ok().filter(|_| state != "Z")
}

pub(crate) fn send(to: u32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(to)?).context("no process")?;
    Ok(kill_process(pid, signal)?)
}

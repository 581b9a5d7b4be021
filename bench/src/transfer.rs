//! Rows of objects that several have: fetched by another node, and read by many processes of one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use raytree_objects::{
    Depot, Exchange, Location, ObjectStore, Place, Puller, Pusher, Reach, Session,
};
use raytree_supervise::{Addr, ChildSpec, Root, SupervisorSpec};
use raytree_types::{Strategy, limits};
use raytree_wire::{BindTo, Token};
use serde::{Deserialize, Serialize};

use crate::child::Role;
use crate::core::Sides;
use crate::report::{Report, Row, time};

/// All rows, in the order in which they are printed.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "transfer_1GB_loopback", run: transfer },
    Row { name: "readers_8_of_1GB", run: readers },
];

const LARGE: usize = 1_000_000_000;
const READERS: usize = 8;

/// A node that fetches objects from others, and gives them its own.
struct Node {
    depot: Arc<Depot>,
    exchange: Arc<Exchange>,
    session: Session,
    root: Root,
}

impl Node {
    fn new(token: &Token, capacity: usize) -> Result<Self> {
        let store = Addr::system::<ObjectStore>("object_store");
        let (puller, pusher) = (Addr::system::<Puller>("puller"), Addr::system::<Pusher>("pusher"));
        let depot = Depot::open(capacity as u64, None, store.clone())?;
        let reach = Reach { token: token.clone(), tls: None, name: "bench".to_owned() };
        let actors = (puller.clone(), pusher.clone());
        let exchange = Exchange::open(&depot, BindTo::loopback(token.clone()), reach, actors)?;
        let (own, [pulls, pushes]) = (Arc::clone(&depot), [(); 2].map(|()| Arc::clone(&exchange)));
        let spec = SupervisorSpec::new(Strategy::OneForOne)
            .child(ChildSpec::actor::<ObjectStore>(&store, move || Arc::clone(&own)))
            .child(ChildSpec::actor::<Puller>(&puller, move || Arc::clone(&pulls)))
            .child(ChildSpec::actor::<Pusher>(&pusher, move || Arc::clone(&pushes)));
        let root = Root::start("raytree", spec).ok().context("a tree")?;
        let session = Session::join(depot.door())?;
        Ok(Self { depot, exchange, session, root })
    }

    /// Waits until what was let go of is free.
    fn is_empty(&self) {
        loop {
            let used = self.depot.used();
            if used.sealed + used.dying == 0 {
                return;
            }
            std::thread::yield_now();
        }
    }

    fn end(self, tokio: &tokio::runtime::Runtime) {
        let Self { session, root, .. } = self;
        drop(session);
        tokio.block_on(root.shutdown(std::time::Duration::from_secs(5)));
    }
}

/// An object of 1 GB, from the store of one node into that of another, over the loopback device; both are this process, and their memory is
/// warm. The floor is a socket: as many bytes, from warm memory into warm memory, written and read in parts of as many bytes.
fn transfer(report: &mut Report) -> Result<()> {
    let len = report.size(LARGE);
    let mut tokio = tokio::runtime::Builder::new_multi_thread();
    let tokio = tokio.worker_threads(2).enable_all().build()?;
    let entered = tokio.enter();
    let token = Token::random()?;
    let (home, here) = (Node::new(&token, len + (16 << 20))?, Node::new(&token, len + (16 << 20))?);
    drop(entered);
    let (bytes, mut warm) = (vec![7_u8; len], vec![1_u8; len]);
    let stored = home.session.write(&bytes)?;
    let object = stored.location().context("a place")?;
    let place = Place { origin: home.exchange.origin().clone(), object };
    let fetch = || -> Result<()> {
        let far = here.session.far(place.clone(), Box::new(()));
        ensure!(far.bytes()?.last() == Some(&7), "it did not come");
        Ok(())
    };
    let (mut sender, mut receiver) = sockets()?;
    let mut sides = Sides::default();
    fetch()?;
    for _ in 0..report.repeats(9) {
        here.is_empty();
        let (took, fetched) = time(fetch);
        fetched?;
        sides.ours.push(len as f64 / took.as_secs_f64() / 1e9);
        let (took, came) = time(|| -> Result<()> {
            std::thread::scope(|both| {
                let sends = both.spawn(|| {
                    let mut parts = bytes.chunks(limits::PULL_PIECE as usize);
                    parts.try_for_each(|part| sender.write_all(part))
                });
                for part in warm.chunks_mut(limits::PULL_PIECE as usize) {
                    receiver.read_exact(part)?;
                }
                sends.join().ok().context("it panicked")??;
                Ok(())
            })
        });
        came?;
        ensure!(warm.last() == Some(&7), "it did not come");
        sides.bare.push(len as f64 / took.as_secs_f64() / 1e9);
    }
    ensure!(here.depot.row().pulled_ever > 0, "nothing was fetched");
    drop(stored);
    here.end(&tokio);
    home.end(&tokio);
    sides.report(report, "transfer_1GB_loopback", "GB/s");
    Ok(())
}

fn sockets() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let sender = TcpStream::connect(listener.local_addr()?)?;
    Ok((sender, listener.accept()?.0))
}

/// What a reader is told.
#[derive(Serialize, Deserialize)]
struct Told {
    door: String,
    object: Location,
}

/// A process that has read the object, and looks at it.
struct Reader {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Reader {
    fn start(told: &Told) -> Result<Self> {
        let mut command = Role::Reader.command()?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut to = child.stdin.take().context("a pipe")?;
        let from = BufReader::new(child.stdout.take().context("a pipe")?);
        writeln!(to, "{}", serde_json::to_string(told)?)?;
        Ok(Self { child, to, from })
    }

    /// The number that it says.
    fn says(&mut self) -> Result<f64> {
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        line.trim().parse().with_context(|| format!("a reader says {line:?}"))
    }

    fn asked(&mut self) -> Result<f64> {
        writeln!(self.to)?;
        self.says()
    }

    fn end(self) -> Result<()> {
        let Self { mut child, to, .. } = self;
        drop(to);
        ensure!(child.wait()?.success(), "a reader has failed");
        Ok(())
    }
}

/// Eight processes read every byte of an object of 1 GB, and look at it at once: the memory of all of them and of the node together, what is
/// shared counted once. The floor is the object.
fn readers(report: &mut Report) -> Result<()> {
    let len = report.size(LARGE);
    let mut tokio = tokio::runtime::Builder::new_multi_thread();
    let tokio = tokio.worker_threads(1).enable_all().build()?;
    let entered = tokio.enter();
    let node = Node::new(&Token::random()?, len + (16 << 20))?;
    drop(entered);
    let stored = node.session.write(&vec![7; len])?;
    let object = stored.location().context("a place")?;
    let told = Told { door: node.depot.door().to_owned(), object };
    let mut all = (0..READERS).map(|_| Reader::start(&told)).collect::<Result<Vec<_>>>()?;
    for reader in &mut all {
        ensure!(reader.says()? == (len * 7) as f64, "it is not whole");
    }
    let mut sum = pss()?;
    for reader in &mut all {
        sum += reader.asked()?;
    }
    all.into_iter().try_for_each(Reader::end)?;
    drop(stored);
    node.end(&tokio);
    report.row("readers_8_of_1GB", sum / 1e9, "GB");
    report.row("readers_8_of_1GB.floor", len as f64 / 1e9, "GB");
    Ok(())
}

/// The child's side: says the sum of all bytes, and how much memory it has when it is asked.
pub(crate) fn reader() -> Result<()> {
    let mut lines = std::io::stdin().lines();
    let told: Told = serde_json::from_str(&lines.next().context("a line")??)?;
    let session = Session::join(&told.door)?;
    let bytes = session.take(told.object, Box::new(()))?.bytes()?;
    report_line(bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>() as f64);
    if lines.next().is_some() {
        report_line(pss()?);
    }
    // Until everybody has said it.
    _ = lines.next();
    drop(bytes);
    Ok(())
}

fn report_line(number: f64) {
    println!("{number}");
}

/// Memory of this process in bytes, of what it shares its part.
fn pss() -> Result<f64> {
    let all = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = all.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
    Ok(kib.context("no Pss in /proc/self/smaps_rollup")?.trim().parse::<f64>()? * 1024.0)
}

//! The processes of a cluster that belong to it and not to its users: its head, its nodes, and what they say to each other.
//!
//! - [`run_head`], [`run_node`]: what `raytree start` does.
//! - [`take_role`]: what a program does first that starts heads: their own nodes are that program, started again.
//! - [`status`], [`stop`]: for whoever asks from outside.
//! - [`session`]: the control plane, messages in both directions between the head and one node.
//!
//! Applications do not link this: their drivers and workers speak to it over connections
//! (`raytree_process::cluster`). So what heads and nodes need is built for them alone.
//!
//! Programs that log should filter `ractor_cluster=warn` (or `info`): at `debug` it formats every message byte by byte.

mod ask;
mod head;
mod measured;
mod names;
mod node;
mod place;
mod ports;
mod programs;
pub mod session;
mod shown;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use raytree_config::{Config, LoadFrom};
pub use raytree_process::ROLE_VARIABLE;
use raytree_process::{Assignment, Heard, Mark};
use raytree_types::{Error, limits};
use raytree_wire::{SecretError, TlsError};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

pub use ask::{AskError, Entrance, entrance, inspect, resolve, status, stop};
use head::Head;
use node::{Node, Summons};

/// Why a head or a node was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is not as it has to be.
    #[error(transparent)]
    Setting(#[from] Error),
    /// The token of the cluster cannot be used.
    #[error("the token of the cluster cannot be used: {0}")]
    Token(#[from] SecretError),
    /// Certificate or key cannot be used.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// No folder is known for what has to be kept.
    #[error("no folder is known: set cluster.token_file and node.cache_dir, or HOME")]
    NoFolder,
    /// Workers of this node could not be dialed from where its head is.
    #[error(
        "the head is at {head}, and this node listens on {bind}, which only this machine reaches: say --host and an \
         address of this machine that the others reach"
    )]
    Unreachable {
        /// Where it listens.
        bind: IpAddr,
        /// Where its head is.
        head: IpAddr,
    },
    /// The port of the dashboard cannot be opened.
    #[error(
        "the dashboard cannot listen on {address}: {source}; say another --dashboard-port, or off"
    )]
    Dashboard {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system would not.
    #[error("the operating system refused it: {0}")]
    System(#[from] io::Error),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// How a node has ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ending {
    /// It was asked to, and all its workers had ended.
    #[error("it was asked to end")]
    InOrder,
    /// Its head has declared it dead, or has another one in its place.
    #[error("its head has declared it dead: it was silent, or another node has its place")]
    Replaced,
    /// Another living node has its name.
    #[error(
        "another node has its name: the one at {holder} (this one is {asker}); set cluster.name"
    )]
    NameTaken {
        /// Where the other is.
        holder: String,
        /// Where this one is.
        asker: String,
    },
    /// Its head did not answer for a whole grace.
    #[error("its head has not answered for {grace:?}, which is liveness.isolation_grace")]
    HeadLost {
        /// That grace.
        grace: Duration,
    },
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// Where a head listens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadPlaces {
    /// For nodes and programs.
    pub address: SocketAddr,
    /// A link that opens its dashboard once; none when it has none.
    pub dashboard: Option<String>,
}

/// Runs a head until it is asked to end, by a signal or over its port, or has failed. `ready` hears where it listens.
///
/// With a node, this program is started again for it: its `main` begins with [`take_role`].
///
/// # Errors
/// [`StartError`].
pub fn run_head(
    config: &Config,
    with_node: bool,
    ready: impl FnOnce(HeadPlaces),
) -> Result<(), StartError> {
    on_runtime(async {
        let mut signals = Signals::new()?;
        let mut head = Head::start(config, with_node).await?;
        if let Some(address) = head.address() {
            tracing::info!(%address, "the head listens");
            let dashboard = head.dashboard().map(str::to_owned);
            ready(HeadPlaces { address, dashboard });
        }
        let why = tokio::select! {
            why = head.wanted() => why,
            () = signals.next() => Ok("it was told to by a signal"),
        };
        match &why {
            Ok(why) => tracing::info!("the head ends: {why}"),
            Err(failed) => tracing::error!("the head ends: {failed}"),
        }
        tokio::select! {
            () = head.end() => {}
            () = signals.next() => tracing::warn!("the head ends at once: it was told twice"),
        }
        why.map(drop)
    })
}

/// What tells a process to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Runs a node until it ends: asked by a signal or its head, or because it lost its head. `ready` is called when it has
/// joined.
///
/// # Errors
/// [`StartError`].
pub fn run_node(
    config: &Config,
    head: SocketAddr,
    ready: impl FnOnce(),
) -> Result<Ending, StartError> {
    on_runtime(async {
        let mut signals = Signals::new()?;
        let process = number()?;
        // Without one it is judged as if it were far away.
        let mark = Mark::new(process).ok();
        let node = Node::start(config, head, process, mark)?;
        Ok(live(node, async || signals.next().await, ready).await)
    })
}

/// Until it ends by itself, or is told to. Told twice, it ends at once.
async fn live(mut node: Node, mut asked: impl AsyncFnMut(), ready: impl FnOnce()) -> Ending {
    let by_itself = async {
        if let Err(ending) = node.joined().await {
            return ending;
        }
        ready();
        node.over().await
    };
    let ending = tokio::select! {
        ending = by_itself => Some(ending),
        () = asked() => None,
    };
    let ending = match ending {
        Some(ending) => ending,
        None => {
            node.ask_to_end();
            let within = node.ends_within();
            tokio::select! {
                ending = node.over() => ending,
                () = tokio::time::sleep(within) => {
                    Ending::Failed(format!("it was asked to end and did not within {within:?}"))
                }
                () = asked() => return Ending::Failed("it was told twice to end".to_owned()),
            }
        }
    };
    tokio::select! {
        () = node.end() => ending,
        () = asked() => Ending::Failed("it was told to end while it ended".to_owned()),
    }
}

/// In a process that a head has started for its own node: is that node, and gives its exit code. Anywhere else nothing
/// happens. To be called before anything else.
///
/// # Errors
/// [`StartError`], also when the process was given a role that is not this one.
pub fn take_role() -> Result<Option<ExitCode>, StartError> {
    let failed = |why: &dyn std::fmt::Display| StartError::Failed(why.to_string());
    let assignment = Assignment::of_this_process().map_err(|bad| failed(&bad))?;
    let Some(assignment) = assignment else { return Ok(None) };
    if assignment.role != node::ROLE {
        return Err(StartError::Failed(format!("there is no role {:?}", assignment.role)));
    }
    let summons: Summons =
        serde_json::from_str(&assignment.details).map_err(|error| failed(&error))?;
    let mut from = LoadFrom::process();
    from.arguments.extend(summons.settings);
    let config = Config::load(from)?;
    let ending = on_runtime(async {
        let (tell, mut told) = mpsc::channel(1);
        let line = assignment.connect(move |heard| match heard {
            // Full when it was told so already.
            Heard::Stop { .. } => _ = tell.try_send(()),
            Heard::Gone => gone(),
            // It looks after its memory itself.
            Heard::Short { .. } | Heard::Eased | Heard::Sacrifice { .. } => {}
            Heard::Stream(_) | Heard::Sent { .. } | Heard::Answered { .. } => {}
        })?;
        let progress = line.progress();
        let moves = async move {
            let mut ticks = tokio::time::interval(limits::BEAT_EVERY);
            loop {
                ticks.tick().await;
                progress.tick();
            }
        };
        let asked = async || {
            if told.recv().await.is_none() {
                // Its line is gone, and so is this process, in a moment.
                std::future::pending::<()>().await;
            }
        };
        let node = Node::start(&config, summons.head, summons.process, None)?;
        let root = node.root().clone();
        let ending = tokio::select! {
            ending = live(node, asked, || line.up()) => ending,
            never = moves => never,
        };
        if let Some(cause) = root.failure() {
            line.fails(cause);
        }
        Ok::<_, StartError>(ending)
    })?;
    Ok(Some(if ending == Ending::InOrder { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

/// The head is gone, and its own node with it, at once: its workers hear of it from the operating system.
#[expect(clippy::exit, reason = "there is nobody left to return to")]
fn gone() {
    std::process::exit(71);
}

/// Does this, and does not wait for what blocks a thread of the runtime then: the process is about to end.
fn on_runtime<T>(work: impl Future<Output = Result<T, StartError>>) -> Result<T, StartError> {
    let runtime = runtime()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

/// The number of a process, which no other one has.
fn number() -> io::Result<u64> {
    let mut number = [0; 8];
    random(&mut number)?;
    Ok(u64::from_le_bytes(number))
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).thread_name("raytree-system").enable_all().build()
}

/// Random bytes of the operating system.
fn random(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        let flags = rustix::rand::GetRandomFlags::empty();
        filled += rustix::rand::getrandom(&mut bytes[filled..], flags)?;
    }
    Ok(())
}

//! The memory watch of a runtime: what it looks after, and how it is carried out.
//!
//! A program that runs its tasks itself, or has nodes of its own, decides for its machine: it has a
//! [`MemoryMonitor`]. A node or a worker does as it is told over its line: it has a [`MemoryRelay`]. A driver of a cluster and a
//! process of somebody's own have neither.
//!
//! What belongs to the runtime and survives these actors: the book of its isolated processes ([`book`]), and what is held back.

pub(crate) mod book;
mod household;
pub(crate) mod lost;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_config::Config;
use raytree_engine::memory::Settings;
use raytree_memory::{
    Machine, MemoryMonitor, MemoryRelay, MonitorArgs, MonitorMsg, RelayArgs, RelayMsg,
};
use raytree_process::{Heard, Link as Line, Offer};
use raytree_supervise::{Addr, ChildSpec, clock};

pub use raytree_engine::memory::Reading;
pub use raytree_memory::Meter;

use crate::cluster::node::Node;
use crate::runtime::Shared;
use book::Book;
use household::Own;

/// So often one that waits is let through, whatever is held: it may be what everybody else waits for, who cannot end before. Ending
/// processes has had its time by then.
const LET_THROUGH_EVERY: Duration = Duration::from_secs(5);

/// Belongs to the runtime.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) processes: Book,
    nodes: OnceLock<Vec<Arc<Node>>>,
    role: OnceLock<Role>,
    short: Mutex<Option<Short>>,
}

/// What there is in the tree.
enum Role {
    Monitor { addr: Addr<MonitorMsg>, meter: Arc<dyn Meter>, settings: Settings, every: Duration },
    Relay { addr: Addr<RelayMsg>, line: Arc<OnceLock<Line>> },
}

/// Why nothing begins.
struct Short {
    reading: Reading,
    /// When one was let through last, or the first could have begun.
    let_through: Duration,
}

/// By what memory is measured: a test has its own figures.
#[derive(Clone)]
pub(crate) struct By(pub(crate) Arc<dyn Meter>);

impl Default for By {
    fn default() -> Self {
        Self(Arc::new(Machine))
    }
}

impl fmt::Debug for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("By")
    }
}

impl Memory {
    /// It decides for its machine, if the settings want it to. Said once, before the tree is there.
    pub(crate) fn decides(&self, config: &Config, By(meter): By) {
        let node = config.node();
        if !node.memory_watch {
            return;
        }
        let settings = Settings { refuse_at: node.memory_refuse_at.thousandths() };
        let (addr, every) =
            (Addr::system::<MemoryMonitor>("memory_monitor"), node.memory_watch_every);
        // Said once.
        _ = self.role.set(Role::Monitor { addr, meter, settings, every });
    }

    /// It does as it is told. Said once, before the tree is there.
    pub(crate) fn obeys(&self) {
        let addr = Addr::system::<MemoryRelay>("memory_relay");
        // Said once.
        _ = self.role.set(Role::Relay { addr, line: Arc::default() });
    }

    /// It has these nodes.
    pub(crate) fn has_nodes(&self, nodes: Vec<Arc<Node>>) {
        // Said once.
        _ = self.nodes.set(nodes);
    }

    /// It is told what to do over this line.
    pub(crate) fn is_on(&self, line: &Line) {
        if let Some(Role::Relay { line: own, .. }) = self.role.get() {
            // Said once.
            _ = own.set(line.clone());
        }
    }

    /// What the parent has said, if that was about memory.
    pub(crate) fn hears(&self, heard: &Heard) {
        let Some(Role::Relay { addr, .. }) = self.role.get() else { return };
        let said = match *heard {
            Heard::Short { used, total } => RelayMsg::Short { used, total },
            Heard::Eased => RelayMsg::Eased,
            Heard::Sacrifice { process, limit } => RelayMsg::Sacrifice { process, limit },
            _ => return,
        };
        // Refused when the whole tree has ended.
        _ = addr.cast(said);
    }

    /// How much is in use, while the node is short of it.
    pub(crate) fn short(&self) -> Option<Reading> {
        self.short.lock().as_ref().map(|short| short.reading)
    }

    fn nodes(&self) -> &[Arc<Node>] {
        self.nodes.get().map(Vec::as_slice).unwrap_or_default()
    }
}

/// The actor of the watch, if there is one.
pub(crate) fn spec(shared: &Arc<Shared>) -> Option<ChildSpec> {
    let household = || Arc::new(Own(Arc::downgrade(shared)));
    match shared.memory.role.get()? {
        Role::Monitor { addr, meter, settings, every } => {
            let (meter, settings, every) = (Arc::clone(meter), *settings, *every);
            let args = MonitorArgs { household: household(), meter, settings, every };
            Some(ChildSpec::actor::<MemoryMonitor>(addr, move || args.clone()))
        }
        Role::Relay { addr, line } => {
            let line = Arc::clone(line);
            let offer = Arc::new(move |offer: Offer| {
                // One that is told of a shortage has a line.
                if let Some(line) = line.get() {
                    line.offers(offer);
                }
            });
            let args = RelayArgs { household: household(), offer };
            Some(ChildSpec::actor::<MemoryRelay>(addr, move || args.clone()))
        }
    }
}

impl Shared {
    /// Nothing begins here from now on, or it goes on.
    fn holds_back(self: &Arc<Self>, reading: Option<Reading>) {
        let now = clock::now();
        let mut short = self.memory.short.lock();
        let let_through = match (&*short, reading) {
            (None, None) => return,
            (Some(_), None) => None,
            (None, Some(_)) => Some(now),
            (Some(own), Some(_)) => Some(own.let_through),
        };
        let is_new = short.is_none();
        let is_due = let_through.is_some_and(|at| now.saturating_sub(at) >= LET_THROUGH_EVERY);
        let let_through = if is_due { Some(now) } else { let_through };
        *short =
            reading.zip(let_through).map(|(reading, let_through)| Short { reading, let_through });
        drop(short);
        match reading {
            None => self.ledger.pause(false),
            Some(_) if is_new => self.ledger.pause(true),
            Some(_) if is_due => self.ledger.let_one_through(),
            Some(_) => return,
        }
        self.settle();
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

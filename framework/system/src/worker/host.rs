//! The actor host: the supervisor of all user actors of a worker, and what it tells the rest of the system.
//!
//! - **Parent:** `worker` (one-for-one; permanent; 5 restarts in 30 s).
//! - **Children:** the hosted user actors, one-for-one, each with its own restart budget: a crash loop of one actor
//!   ends that actor and nobody else.
//! - **After a restart:** its actors have died with it; those with restarts left are placed again by the directory,
//!   behind the same address; the others are reported dead.
//! - **Tells:** through [`HostObserver`]: the status of each actor, its parent, the node's books, the directory.
//!
//! Invariants:
//! - **AH-1 (children-first):** an actor is restarted or reported dead only after its own children have ended.
//! - **AH-2 (books-balance):** what an actor holds is given back exactly once, however it ends.

use std::sync::{Arc, Weak};
use std::time::Duration;

use raytree_engine::supervision::EndReason;
use raytree_supervise::{BeforeRestart, Observer, SupervisorSpec};
use raytree_types::{ExitKind, Strategy};

use crate::gcs::directory::{DirectoryMsg, end_children};
use crate::gcs::table::Held;
use crate::runtime::Shared;
use crate::user::status::{Cell, Lifecycle};

/// The host, without actors yet.
pub(crate) fn spec(_shared: &Weak<Shared>) -> SupervisorSpec {
    SupervisorSpec::new(Strategy::OneForOne).independent()
}

/// Carries what the host decides about one actor to everybody else.
pub(crate) struct HostObserver {
    cell: Arc<Cell>,
    runtime: Weak<Shared>,
    /// The end whose consequence is not decided yet.
    exit: Option<ExitKind>,
    restarts: u32,
}

impl HostObserver {
    pub(crate) fn new(cell: Arc<Cell>, runtime: Weak<Shared>, restarts: u32) -> Self {
        Self { cell, runtime, exit: None, restarts }
    }

    fn restarts_left(&self) -> bool {
        self.restarts < self.cell.options.restarts_max()
    }

    fn publish(&self, kind: ExitKind, will_restart: bool) {
        announce(&self.runtime, &self.cell, kind, self.restarts, will_restart);
    }
}

/// Tells the callers of an actor, and its parent if it asked, that a life of it has ended.
pub(crate) fn announce(
    runtime: &Weak<Shared>,
    cell: &Cell,
    kind: ExitKind,
    restarts: u32,
    will_restart: bool,
) {
    let exit = cell.exited(kind, restarts, will_restart);
    let Some(runtime) = runtime.upgrade() else { return };
    if let (Some(owner), true) = (cell.owner, cell.options.tells_parent()) {
        runtime.table.tell(owner, &exit);
    }
}

impl Observer for HostObserver {
    fn started(&mut self, _life: u32) {
        self.cell.set(Lifecycle::Alive);
        let Some(runtime) = self.runtime.upgrade() else { return };
        if runtime.table.hold(self.cell.id, Held::Running) == Some(Held::Placing) {
            runtime.freed(|books| books.placed(&self.cell.options.demand()));
        }
    }

    fn exited(&mut self, _life: u32, kind: &ExitKind) -> Option<BeforeRestart> {
        self.exit = Some(kind.clone());
        let runtime = self.runtime.upgrade()?;
        let children = runtime.table.children(self.cell.id);
        if children.is_empty() {
            return None;
        }
        let kill = matches!(kind, ExitKind::Killed { .. });
        Some(end_children(runtime, children, kill))
    }

    fn restarting(&mut self, restarts: u32, _after: Duration) {
        let kind = self.exit.take().unwrap_or(ExitKind::Stopped { reason: String::new() });
        self.publish(kind, true);
        self.restarts += 1;
        debug_assert!(self.restarts >= restarts, "the host counts from this placement on");
    }

    fn orphaned(&mut self) -> bool {
        let Some(runtime) = self.runtime.upgrade() else { return false };
        if !self.restarts_left() || runtime.is_closing() {
            return false;
        }
        // The directory announces this end once the old body is gone, and not before: see `Pending`.
        runtime.table.orphaned(self.cell.id, self.restarts + 1);
        runtime.give_back(&self.cell);
        runtime.addrs.directory.cast(DirectoryMsg::Replace(self.cell.id)).is_ok()
    }

    fn ended(&mut self, _reason: EndReason, last: &ExitKind) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        // Whoever hears of the end finds everything given back.
        runtime.give_back(&self.cell);
        runtime.bury(self.cell.id);
        self.publish(last.clone(), false);
    }
}

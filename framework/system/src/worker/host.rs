//! The actor host: the supervisor of all user actors of a worker, and what it tells the rest of the system.
//!
//! - **Parent:** `worker` (one-for-one; permanent; 5 restarts in 30 s).
//! - **Children:** the hosted user actors, one-for-one, each with its own restart budget: a crash loop of one actor
//!   ends that actor and nobody else.
//! - **After a restart:** its actors have died with it; those with restarts left are placed again by the directory,
//!   behind the same address; the others are reported dead. An actor that had not begun to live loses no restart.
//! - **Tells:** through [`HostObserver`]: the status of each actor, its parent, the node's books, the directory.
//!
//! Invariants:
//! - **AH-1 (children-first):** an actor is restarted or reported dead only after its own children have ended.
//! - **AH-2 (books-balance):** what an actor holds is given back exactly once, however it ends; with an abandoned thread,
//!   when that returns.

use std::sync::{Arc, Weak};
use std::time::Duration;

use raytree_engine::supervision::EndReason;
use raytree_supervise::{BeforeRestart, Observer, SupervisorSpec};
use raytree_types::{ExitKind, Strategy};

use crate::gcs::directory::{DirectoryMsg, end_children};
use crate::runtime::Shared;
use crate::user::status::{Cell, Lifecycle};

/// The host, without actors yet.
pub(crate) fn spec() -> SupervisorSpec {
    SupervisorSpec::new(Strategy::OneForOne).independent()
}

/// Carries what the host decides about one placement of one actor to everybody else.
pub(crate) struct HostObserver {
    cell: Arc<Cell>,
    runtime: Weak<Shared>,
    placement: u32,
    /// Restarts used up, over all placements.
    restarts: u32,
    /// Another process decides on its lives, of which this is one.
    is_given: bool,
    /// The end whose consequence is not decided yet.
    exit: Option<ExitKind>,
}

impl HostObserver {
    pub(crate) fn new(
        cell: Arc<Cell>,
        runtime: Weak<Shared>,
        (placement, restarts): (u32, u32),
        is_given: bool,
    ) -> Self {
        Self { cell, runtime, placement, restarts, is_given, exit: None }
    }

    /// Some life of this placement has begun.
    fn has_begun(&self) -> bool {
        let status = self.cell.status();
        status.lifecycle != Lifecycle::Pending && status.incarnation.placement == self.placement
    }
}

impl Observer for HostObserver {
    fn started(&mut self, _life: u32) {
        self.cell.set(Lifecycle::Alive);
        if let Some(runtime) = self.runtime.upgrade() {
            runtime.placed(&self.cell);
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

    fn restarting(&mut self, _restarts: u32, _after: Duration) {
        let kind = self.exit.take().unwrap_or(ExitKind::Stopped { reason: String::new() });
        if let Some(runtime) = self.runtime.upgrade() {
            runtime.announce(&self.cell, kind, self.restarts, true);
            // A constructor that keeps failing must not keep the place that it takes only to be placed.
            runtime.placed(&self.cell);
        }
        self.restarts += 1;
    }

    fn orphaned(&mut self) -> bool {
        let Some(runtime) = self.runtime.upgrade() else { return false };
        let restarts = self.restarts + u32::from(self.has_begun());
        let was_over = self.exit.as_ref().is_some_and(ExitKind::is_normal);
        let last = self.is_given || was_over || restarts > self.cell.options.restarts_max();
        if last || runtime.is_closing() || !runtime.table.orphaned(self.cell.id, restarts) {
            return false;
        }
        // The directory announces this end once the old body is gone, and not before: see `Pending`.
        runtime.give_back(&self.cell);
        // Lost with a dying directory, it is found again in the table.
        runtime.addrs.directory.cast(DirectoryMsg::Replace(self.cell.id)).is_ok()
    }

    fn ended(&mut self, reason: EndReason, last: &ExitKind) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        if reason == EndReason::Abandoned {
            runtime.abandons(&self.cell);
        }
        // Whoever hears of the end finds everything given back that nobody has any more.
        runtime.give_back(&self.cell);
        runtime.bury(self.cell.id);
        runtime.announce(&self.cell, last.clone(), self.restarts, false);
    }
}

/// The rest of a runtime hears that a part of its tree is up.
pub(crate) struct PartUp(pub(crate) Weak<Shared>);

impl Observer for PartUp {
    fn started(&mut self, _life: u32) {
        if let Some(runtime) = self.0.upgrade() {
            runtime.part_is_up();
        }
    }
}

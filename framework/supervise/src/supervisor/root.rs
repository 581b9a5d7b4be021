//! The root of a tree: the one supervisor without a supervisor.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRuntime;
use raytree_types::{Cause, ExitKind};

use super::{Supervisor, SupervisorMsg, SupervisorSpec};
use crate::actor::Failure;
use crate::addr::Addr;
use crate::instrumented::Instrumented;
use crate::panics;
use crate::probe::{Kind, Probe};

/// A running tree. Dropping it does not end the tree; [`Root::shutdown`] does.
#[derive(Clone, Debug)]
pub struct Root {
    addr: Addr<SupervisorMsg>,
}

impl Root {
    /// Starts a tree on the tokio runtime that is entered.
    ///
    /// # Errors
    /// When ractor cannot spawn.
    pub fn start(name: &str, spec: SupervisorSpec) -> Result<Self, Failure> {
        panics::install_hook();
        let limit = raytree_types::limits::SYSTEM_MAILBOX_MAX;
        let addr = Addr::new(name, "Supervisor", limit, Kind::System);
        addr.probe().keeps(Arc::default(), Arc::default());
        let part = addr.probe().body.before_spawn();
        let (actor, _started) = ActorRuntime::<Instrumented<Supervisor>>::spawn_instant(
            None,
            Instrumented::new(0),
            (addr.clone(), part, spec),
        )?;
        addr.probe().body.spawned(actor.get_cell());
        Ok(Self { addr })
    }

    /// The address of the root supervisor.
    #[must_use]
    pub fn addr(&self) -> &Addr<SupervisorMsg> {
        &self.addr
    }

    /// The root of the probes.
    #[must_use]
    pub fn probe(&self) -> &Arc<Probe> {
        self.addr.probe()
    }

    /// Waits until the tree has ended, however it did; every address in it is closed then. Says how it ended.
    pub async fn ended(&self) -> ExitKind {
        if let Some(cell) = self.probe().body.cell() {
            // Without a timeout the wait cannot fail.
            _ = cell.wait(None).await;
        }
        let failure = self.probe().body.failure();
        let kind = failure.unwrap_or(ExitKind::Stopped { reason: "shut down".to_owned() });
        self.addr.close(kind.clone());
        self.probe().close_below(&kind);
        kind
    }

    /// What the tree has failed of, the origin first; none while it lives, and after an end in order.
    #[must_use]
    pub fn failure(&self) -> Option<Cause> {
        let kind = self.probe().body.failure().filter(|kind| !kind.is_normal())?;
        Some(Cause::begins(&self.probe().path(), &kind))
    }

    /// Ends the tree in order; what has not ended after `deadline` is killed.
    pub async fn shutdown(&self, deadline: Duration) -> ExitKind {
        // Refused only when it has ended already.
        _ = self.addr.cast(SupervisorMsg::Shutdown);
        if let Ok(kind) = tokio::time::timeout(deadline, self.ended()).await {
            return kind;
        }
        self.probe().body.kill();
        let reason = format!("the tree did not end within {deadline:?}");
        let kind = ExitKind::HostDied(Cause::message(reason));
        self.addr.close(kind.clone());
        self.probe().close_below(&kind);
        kind
    }
}

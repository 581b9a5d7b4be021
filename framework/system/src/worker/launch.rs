//! How a user actor is started, with its type erased: kept by the directory for as long as the actor may live again.

use std::sync::{Arc, Weak};

use raytree_supervise::{Addr, ChildSpec};
use raytree_types::{Exit, ExitKind, Incarnation, Restart};

use crate::runtime::Shared;
use crate::user::actor::Actor;
use crate::user::job::HostedMsg;
use crate::user::status::Cell;
use crate::worker::host::HostObserver;
use crate::worker::hosted::{Hosted, HostedArgs};

/// One user actor, whatever its type.
pub(crate) trait Launch: Send + Sync {
    /// The child spec of placement number `placement`, with `restarts` used up already.
    fn spec(&self, runtime: &Arc<Shared>, placement: u32, restarts: u32) -> ChildSpec;
    /// Tells it of the end of a child of its own.
    fn child_exited(&self, exit: &Exit);
    /// There will be no further life.
    fn close(&self, last: ExitKind);
}

pub(crate) struct Launcher<A: Actor> {
    pub(crate) addr: Addr<HostedMsg<A>>,
    pub(crate) args: Arc<A::Args>,
    pub(crate) cell: Arc<Cell>,
}

impl<A: Actor> Launch for Launcher<A> {
    fn spec(&self, runtime: &Arc<Shared>, placement: u32, restarts: u32) -> ChildSpec {
        let options = &self.cell.options;
        let (cell, args) = (Arc::clone(&self.cell), Arc::clone(&self.args));
        let weak: Weak<Shared> = Arc::downgrade(runtime);
        ChildSpec::actor::<Hosted<A>>(&self.addr, move || HostedArgs {
            cell: Arc::clone(&cell),
            args: Arc::clone(&args),
            first: Incarnation { placement, restart: 0 },
        })
        .restart(Restart::Transient)
        .own_restarts(options.restarts_max().saturating_sub(restarts))
        .backoff(options.restart_backoff())
        .shutdown(options.shutdown())
        .tag(self.cell.id.number())
        .observer(HostObserver::new(Arc::clone(&self.cell), weak, placement, restarts))
        .on(runtime.user.clone())
    }

    fn child_exited(&self, exit: &Exit) {
        // Refused only when the parent has ended itself, and then it no longer cares.
        _ = self.addr.cast(HostedMsg::ChildExited(Box::new(exit.clone())));
    }

    fn close(&self, last: ExitKind) {
        self.addr.close(last);
    }
}

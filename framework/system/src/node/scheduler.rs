//! The local scheduler: starts those who had to wait for resources.
//!
//! - **Parent:** `node` (one-for-one; permanent; 5 restarts in 30 s).
//! - **Children:** none.
//! - **After a restart:** the node's books belong to the runtime and are whole; whoever fits now is started.
//! - **Tells:** the actor host (start this one).
//!
//! Invariants:
//! - **LS-1 (no-idle-resources):** after every message nobody waits who could start.

use std::sync::Weak;

use raytree_supervise::{Actor, Context, Failure};

use crate::runtime::Shared;

/// What the scheduler can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum SchedulerMsg {
    /// Something was given back while somebody waits.
    Freed,
}

// A message is under 1 KiB or it is a reference.
const _: () = assert!(size_of::<SchedulerMsg>() <= 64);

/// See the [module documentation](self).
pub(crate) struct LocalScheduler {
    runtime: Weak<Shared>,
}

impl Actor for LocalScheduler {
    type Msg = SchedulerMsg;
    type Args = Weak<Shared>;

    async fn start(_ctx: &Context<SchedulerMsg>, runtime: Weak<Shared>) -> Result<Self, Failure> {
        let scheduler = Self { runtime };
        scheduler.grant();
        Ok(scheduler)
    }

    async fn handle(
        &mut self,
        _ctx: &Context<SchedulerMsg>,
        message: SchedulerMsg,
    ) -> Result<(), Failure> {
        match message {
            SchedulerMsg::Freed => self.grant(),
        }
        Ok(())
    }
}

impl LocalScheduler {
    fn grant(&self) {
        if let Some(runtime) = self.runtime.upgrade() {
            runtime.settle();
        }
    }
}

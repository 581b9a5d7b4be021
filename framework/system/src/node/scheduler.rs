//! The local scheduler: starts those who had to wait for resources, and looks after those who will not let go of theirs.
//!
//! - **Parent:** `node` (one-for-one; permanent; 5 restarts in 30 s).
//! - **Children:** none.
//! - **After a restart:** the node's books belong to the runtime and are whole; whoever fits now is started, and abandoned
//!   threads are looked at.
//! - **Tells:** the actor host (start this one); the program, in a node, that it leaves.
//!
//! Invariants:
//! - **LS-1 (no-idle-resources):** after every message nobody waits who could start.

use std::sync::Weak;

use raytree_supervise::{Actor, Context, Failure};

use tokio::task::AbortHandle;

use crate::runtime::Shared;

/// What the scheduler can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum SchedulerMsg {
    /// Something was given back while somebody waits.
    Freed,
    /// Timer, or something has changed: are there abandoned threads, and too many?
    Look,
}

// A message is under 1 KiB or it is a reference.
const _: () = assert!(size_of::<SchedulerMsg>() <= 64);

/// See the [module documentation](self).
pub(crate) struct LocalScheduler {
    runtime: Weak<Shared>,
    /// The next look.
    timer: Option<AbortHandle>,
}

impl Actor for LocalScheduler {
    type Msg = SchedulerMsg;
    type Args = Weak<Shared>;

    async fn start(ctx: &Context<SchedulerMsg>, runtime: Weak<Shared>) -> Result<Self, Failure> {
        let mut scheduler = Self { runtime, timer: None };
        scheduler.grant();
        scheduler.look(ctx);
        Ok(scheduler)
    }

    async fn handle(
        &mut self,
        ctx: &Context<SchedulerMsg>,
        message: SchedulerMsg,
    ) -> Result<(), Failure> {
        match message {
            SchedulerMsg::Freed => self.grant(),
            SchedulerMsg::Look => self.look(ctx),
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

    fn look(&mut self, ctx: &Context<SchedulerMsg>) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
        let after = self.runtime.upgrade().and_then(|runtime| runtime.look_for_abandoned());
        self.timer = after.map(|after| ctx.send_after(after, SchedulerMsg::Look));
    }
}

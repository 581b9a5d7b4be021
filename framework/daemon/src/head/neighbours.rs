//! Neighbours: the processes of nodes that have joined from the head's own host. The head sees them end, as it does with a
//! child.
//!
//! - **Parent:** `gcs` (one-for-one; permanent; 5 restarts in 30 s).
//! - **Children:** none; a thread that waits for their ends, and ends with this.
//! - **After a restart:** all that are members are watched again: their handles belong to the [`Cluster`].
//! - **Tells:** the cluster, that a process has surely ended.
//!
//! Who is killed is the judge's word, and is carried out by the cluster at once. Without this actor a convict is down when its
//! lease is over and `kill_grace` has passed.

use std::sync::Arc;

use raytree_engine::membership::ExitStatus;
use raytree_process::Watch;
use raytree_supervise::{Actor, Context, Failure};

use super::cluster::Cluster;

/// What this can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum NeighboursMsg {
    /// The process with this number was let in: it is to be seen when it ends.
    Watch(u64),
    /// It has ended.
    Ended(u64),
}

/// See the [module documentation](self).
pub(crate) struct Neighbours {
    cluster: Arc<Cluster>,
    watch: Watch,
}

impl Actor for Neighbours {
    type Msg = NeighboursMsg;
    type Args = Arc<Cluster>;

    async fn start(ctx: &Context<NeighboursMsg>, cluster: Arc<Cluster>) -> Result<Self, Failure> {
        let addr = ctx.addr().clone();
        // Refused when this has ended.
        let watch = Watch::start(move |process| _ = addr.cast(NeighboursMsg::Ended(process)))?;
        let own = Self { cluster, watch };
        own.cluster.processes_beside().into_iter().for_each(|process| own.watch(process));
        Ok(own)
    }

    async fn handle(
        &mut self,
        _ctx: &Context<NeighboursMsg>,
        message: NeighboursMsg,
    ) -> Result<(), Failure> {
        match message {
            NeighboursMsg::Watch(process) => self.watch(process),
            // How is known to whose child it is.
            NeighboursMsg::Ended(process) => {
                self.cluster.process_ended(process, ExitStatus::Unknown);
            }
        }
        Ok(())
    }
}

impl Neighbours {
    fn watch(&self, process: u64) {
        // It may have ended, and been declared down, since this was said.
        let Some(neighbour) = self.cluster.beside(process) else { return };
        if let Err(error) = self.watch.add(&neighbour, process) {
            tracing::warn!(%error, "a node beside the head is not seen when it ends");
        }
    }
}

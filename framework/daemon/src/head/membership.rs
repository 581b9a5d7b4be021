//! Membership: lets time pass for the books of the head.
//!
//! - **Parent:** `gcs` (one-for-one; permanent; 5 restarts in 30 s).
//! - **Children:** none.
//! - **After a restart:** nothing is lost: the books belong to the head. A judge that was late extends every deadline by as
//!   much, so time without this actor convicts nobody.
//! - **Tells:** through the books, the mirrors of nodes and the drivers.

use std::sync::Arc;
use std::time::Duration;

use raytree_supervise::{Actor, Context, Failure, clock};

use super::cluster::Cluster;

/// What membership can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum MembershipMsg {
    /// Timer: time has passed.
    Tick,
}

/// See the [module documentation](self).
pub(crate) struct Membership {
    cluster: Arc<Cluster>,
    looked: Duration,
}

impl Actor for Membership {
    type Msg = MembershipMsg;
    type Args = Arc<Cluster>;

    async fn start(ctx: &Context<MembershipMsg>, cluster: Arc<Cluster>) -> Result<Self, Failure> {
        ctx.send_after(cluster.settings.beat_every, MembershipMsg::Tick);
        Ok(Self { cluster, looked: clock::now() })
    }

    async fn handle(
        &mut self,
        ctx: &Context<MembershipMsg>,
        message: MembershipMsg,
    ) -> Result<(), Failure> {
        match message {
            MembershipMsg::Tick => {
                ctx.send_after(self.cluster.settings.beat_every, MembershipMsg::Tick);
                let now = clock::now();
                let since = now.saturating_sub(std::mem::replace(&mut self.looked, now));
                self.cluster.passes(since);
            }
        }
        Ok(())
    }
}

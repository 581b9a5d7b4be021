//! Dials the other workers of this worker's job when one of its stand-ins wants to call there directly.
//!
//! - **Parent:** `cluster` (one-for-one; permanent; 5 restarts in 30 s), which is added when the driver has dialed the worker.
//!   Its restarts count against a budget of its own, so that it ends nobody else.
//! - **Children:** none.
//! - **After a restart:** nothing is lost: the links, and who is to be dialed, belong to the runtime ([`Neighbours`]). Whoever
//!   was being dialed is dialed again. Without this actor calls go through the driver.
//! - **Tells:** whoever waits for a link. The worker goes on without any of its neighbours: it ends with its driver's link alone.
//!
//! Invariants: WN-1 and WN-2 of [`Neighbours`].

use std::sync::Arc;

use raytree_process::cluster::Worker;
use raytree_supervise::{Actor, Addr, ChildSpec, Context, Failure, SupervisorMsg, SupervisorSpec};
use raytree_types::{Strategy, limits};
use raytree_wire::Stream;

use super::neighbours::Neighbours;
use crate::runtime::Shared;

/// What the actor can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum DialerMsg {
    /// A link with this neighbour is wanted.
    Dial(Box<Worker>),
    /// A neighbour was dialed.
    Dialed(Box<(Worker, Result<Stream, String>)>),
}

const _: () = assert!(size_of::<DialerMsg>() <= 64);

/// See the [module documentation](self).
pub(crate) struct Dialer {
    neighbours: Arc<Neighbours>,
}

impl Actor for Dialer {
    type Msg = DialerMsg;
    type Args = Arc<Neighbours>;

    async fn start(ctx: &Context<DialerMsg>, neighbours: Arc<Neighbours>) -> Result<Self, Failure> {
        let dialer = Self { neighbours };
        dialer.neighbours.wanted().into_iter().for_each(|who| dialer.dial(ctx, who));
        Ok(dialer)
    }

    async fn handle(
        &mut self,
        ctx: &Context<DialerMsg>,
        message: DialerMsg,
    ) -> Result<(), Failure> {
        match message {
            DialerMsg::Dial(who) => self.dial(ctx, *who),
            DialerMsg::Dialed(dialed) => {
                let (who, stream) = *dialed;
                self.neighbours.dialed(&who, stream);
            }
        }
        Ok(())
    }
}

impl Dialer {
    fn dial(&self, ctx: &Context<DialerMsg>, who: Worker) {
        let neighbours = Arc::clone(&self.neighbours);
        ctx.pipe(async move {
            let dialed = who.clone();
            let stream = tokio::task::spawn_blocking(move || neighbours.dial(&dialed)).await;
            let stream = stream.unwrap_or_else(|error| Err(error.to_string()));
            Some(DialerMsg::Dialed(Box::new((who, stream))))
        });
    }
}

/// Adds the part of the tree that a worker has of its cluster.
pub(super) fn start(shared: &Arc<Shared>, neighbours: &Arc<Neighbours>) {
    let Some(root) = shared.root.get() else { return };
    let own = Arc::clone(neighbours);
    let spec = move || {
        let own = Arc::clone(&own);
        let dialer = ChildSpec::actor::<Dialer>(&own.addr.clone(), move || Arc::clone(&own));
        SupervisorSpec::new(Strategy::OneForOne).child(dialer)
    };
    let spec = ChildSpec::supervisor(&shared.addrs.cluster, spec)
        .own_restarts(limits::DIALER_RESTARTS_MAX);
    let addr: Addr<SupervisorMsg> = root.addr().clone();
    // Refused only when the whole tree has ended already.
    _ = addr.cast(SupervisorMsg::StartChild(Box::new(spec)));
}

//! The actor that has objects of other nodes fetched.
//!
//! - **Parent:** `objects` in a node of a cluster (one-for-one; permanent).
//! - **Children:** none. Each object is fetched on a thread of its own, at most [`PULLS_AT_ONCE`](raytree_types::limits::PULLS_AT_ONCE) at once.
//! - **After a restart:** what is wanted, and how much is under way, is known by the store; threads that are at work go on, and what nobody
//!   has begun is begun.
//! - **Tells:** nobody; the store tells those who want an object.

use std::sync::Arc;

use raytree_supervise::{Actor, Context, Failure, Moved, clock};
use raytree_types::state::SpanKind;

use crate::transfer::Exchange;

/// What it can be told.
#[derive(Debug, strum::IntoStaticStr)]
pub enum PullerMsg {
    /// Something is wanted.
    Wanted,
    /// Something was fetched, or was not.
    Done,
}

/// The actor that has objects of other nodes fetched, each on a thread of its own, into the store of this one: see [`Exchange`].
#[derive(Debug)]
pub struct Puller {
    exchange: Arc<Exchange>,
}

impl Actor for Puller {
    type Msg = PullerMsg;
    type Args = Arc<Exchange>;

    async fn start(ctx: &Context<PullerMsg>, exchange: Arc<Exchange>) -> Result<Self, Failure> {
        let own = Self { exchange };
        own.begins(ctx);
        Ok(own)
    }

    async fn handle(
        &mut self,
        ctx: &Context<PullerMsg>,
        message: PullerMsg,
    ) -> Result<(), Failure> {
        match message {
            PullerMsg::Wanted | PullerMsg::Done => self.begins(ctx),
        }
        Ok(())
    }
}

impl Puller {
    fn begins(&self, ctx: &Context<PullerMsg>) {
        while let Some((place, room)) = self.exchange.next() {
            let (exchange, probe) = (Arc::clone(&self.exchange), Arc::clone(ctx.addr().probe()));
            // It is fetched, or is not, whatever becomes of this actor.
            let fetched = tokio::task::spawn_blocking(move || {
                let began = clock::now();
                let given = exchange.fetches(&place, room);
                let bytes = given.map(|_| place.object.len);
                let from = Some(given.unwrap_or(place.origin.at));
                probe.has_moved("pull", Moved { kind: SpanKind::Transfer, bytes, from }, began);
            });
            ctx.pipe(async move {
                _ = fetched.await;
                Some(PullerMsg::Done)
            });
        }
    }
}

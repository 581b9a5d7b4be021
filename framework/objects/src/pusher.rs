//! The actor that has objects given to other nodes.
//!
//! - **Parent:** `objects` in a node of a cluster (one-for-one; permanent).
//! - **Children:** none. Each connection has a thread of its own, at most [`PUSH_CONNECTIONS_MAX`](raytree_types::limits::PUSH_CONNECTIONS_MAX).
//! - **After a restart:** the port and who is served of what belong to the process; connections that had not begun are lost, and those who
//!   fetch dial again.
//! - **Tells:** nobody.

use std::sync::Arc;
use std::thread;

use raytree_supervise::{Actor, Context, Failure};
use raytree_wire::Stream;

use crate::transfer::Exchange;

/// What it can be told.
#[derive(Debug, strum::IntoStaticStr)]
pub enum PusherMsg {
    /// Somebody has come who fetches objects.
    Came(Box<Stream>),
}

/// The actor that has objects of this node's store given to others, over each connection on a thread of its own: see [`Exchange`].
#[derive(Debug)]
pub struct Pusher {
    exchange: Arc<Exchange>,
}

impl Actor for Pusher {
    type Msg = PusherMsg;
    type Args = Arc<Exchange>;

    async fn start(_ctx: &Context<PusherMsg>, exchange: Arc<Exchange>) -> Result<Self, Failure> {
        Ok(Self { exchange })
    }

    async fn handle(
        &mut self,
        _ctx: &Context<PusherMsg>,
        message: PusherMsg,
    ) -> Result<(), Failure> {
        let PusherMsg::Came(stream) = message;
        let Some(serving) = self.exchange.place() else {
            tracing::warn!("too many fetch objects from this node: one more is not let in");
            return Ok(());
        };
        let serves = move || {
            if let Err(error) = serving.0.serves(*stream) {
                tracing::debug!(%error, "one who fetched objects is gone");
            }
        };
        if let Err(error) = thread::Builder::new().name("raytree-pushes".to_owned()).spawn(serves) {
            tracing::error!(%error, "no thread for one who fetches objects");
        }
        Ok(())
    }
}

//! The inspector: answers those who look at a tree from outside.
//!
//! - **Parent:** the root (one-for-one; permanent; a restart budget of its own, so that it can end nobody else). Added
//!   when the tree is up, so that no start waits for it.
//! - **Children:** none.
//! - **After a restart:** the socket belongs to whoever is inspected and is still open: who was being answered has to connect
//!   again, who was waiting in line is answered. A socket whose opening was cut short is opened anew.
//! - **Tells:** nobody but its clients. It reads probes and asks no actor anything.
//!
//! Invariants:
//! - **IN-1 (off-the-start-path):** a tree is up before its inspector has done anything.
//! - **IN-2 (door-survives):** a restart of the inspector neither closes nor reopens the socket.
//! - **IN-3 (harmless):** a socket that cannot be opened is a warning, never a failure of the tree.

use std::sync::{Arc, Weak};

use raytree_supervise::{Actor, Context, Failure};
use raytree_types::limits;
use tokio::net::{UnixListener, UnixStream};

use crate::door::Now;
use crate::socket::OpenError;
use crate::{Inspected, session};

/// What the inspector can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum InspectorMsg {
    /// Opening the socket was tried.
    Opened,
    /// A client has connected.
    Arrived(UnixStream),
    /// A client is gone.
    Left,
}

// A message is under 1 KiB or it is a reference.
const _: () = assert!(size_of::<InspectorMsg>() <= 64);

/// See the [module documentation](self).
pub(crate) struct Inspector {
    inspected: Weak<dyn Inspected>,
    accepting: bool,
    /// Clients being answered, at most [`limits::INSPECT_CONNECTIONS_MAX`].
    clients: usize,
}

impl Actor for Inspector {
    type Msg = InspectorMsg;
    type Args = Weak<dyn Inspected>;

    async fn start(
        ctx: &Context<InspectorMsg>,
        inspected: Weak<dyn Inspected>,
    ) -> Result<Self, Failure> {
        let mut inspector = Self { inspected, accepting: false, clients: 0 };
        inspector.go_on(ctx);
        Ok(inspector)
    }

    async fn handle(
        &mut self,
        ctx: &Context<InspectorMsg>,
        message: InspectorMsg,
    ) -> Result<(), Failure> {
        match message {
            InspectorMsg::Opened => self.go_on(ctx),
            InspectorMsg::Arrived(client) => self.arrived(ctx, client),
            InspectorMsg::Left => self.left(ctx),
        }
        Ok(())
    }
}

impl Inspector {
    /// Does what the door's state asks for.
    fn go_on(&mut self, ctx: &Context<InspectorMsg>) {
        let Some(inspected) = self.inspected.upgrade() else { return };
        match inspected.door().now() {
            Now::Shut => {}
            Now::ToOpen => self.open(ctx),
            Now::Open(listener) => self.accept(ctx, listener),
        }
    }

    fn open(&self, ctx: &Context<InspectorMsg>) {
        let Some(inspected) = self.inspected.upgrade() else { return };
        let (door, id) = (Arc::clone(inspected.door()), inspected.id());
        let addr = ctx.addr().clone();
        ctx.pipe(async move {
            tokio::time::sleep(limits::INSPECT_OPEN_AFTER).await;
            // Folders may be slow; nobody else waits for this one.
            let opened = tokio::task::spawn_blocking(move || door.open()).await;
            if let Err(error) = opened.unwrap_or_else(|panic| Err(OpenError::of_panic(&panic))) {
                addr.probe().note(format!("closed: {error}"));
                tracing::warn!(runtime = %id, "no inspector socket: {error}");
            }
            Some(InspectorMsg::Opened)
        });
    }

    /// Waits for the next client, unless enough are being answered: the others wait in the line of the socket.
    fn accept(&mut self, ctx: &Context<InspectorMsg>, listener: Arc<UnixListener>) {
        if self.accepting || self.clients >= limits::INSPECT_CONNECTIONS_MAX {
            return;
        }
        self.accepting = true;
        let addr = ctx.addr().clone();
        ctx.pipe(async move {
            loop {
                match listener.accept().await {
                    Ok((client, _)) => return Some(InspectorMsg::Arrived(client)),
                    Err(error) => {
                        addr.probe().note(format!("no connection: {error}"));
                        tokio::time::sleep(limits::INSPECT_ACCEPT_AGAIN).await;
                    }
                }
            }
        });
    }

    fn arrived(&mut self, ctx: &Context<InspectorMsg>, client: UnixStream) {
        self.accepting = false;
        self.clients += 1;
        let inspected = self.inspected.clone();
        ctx.pipe(async move {
            session::serve(client, inspected).await;
            Some(InspectorMsg::Left)
        });
        self.go_on(ctx);
    }

    fn left(&mut self, ctx: &Context<InspectorMsg>) {
        self.clients -= 1;
        self.go_on(ctx);
    }
}

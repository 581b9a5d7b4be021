//! The actor that looks after the store of a node.
//!
//! - **Parent:** `node` in a program that has nodes of its own, `objects` in a node of a cluster (one-for-one; permanent).
//! - **Children:** none.
//! - **After a restart:** the store belongs to the runtime and is whole, and those who use it do not notice; what is freed is looked at
//!   again.
//! - **Tells:** nobody.
//!
//! Invariants:
//! - **OJ-1 (freed-is-free):** what was freed, and nobody looks at any more, is free within two looks.

use std::sync::Arc;

use raytree_supervise::{Actor, Context, Failure};
use raytree_types::limits;
use tokio::task::AbortHandle;

use crate::Depot;

/// What it can be told.
#[derive(Debug, strum::IntoStaticStr)]
pub enum ObjectStoreMsg {
    /// Something was freed, or the store has grown.
    Changed,
    /// Timer: some of that was still looked at.
    Look,
    /// A process has ended that held what nobody else does.
    Died,
    /// Timer: nobody can ask for that any more.
    Bury,
    /// Memory that is written to next is there.
    Touched,
}

// A message is under 1 KiB or it is a reference.
const _: () = assert!(size_of::<ObjectStoreMsg>() <= 64);

/// The actor that looks after a [`Depot`]: gives away again what is freed, and has memory made ahead of need.
#[derive(Debug)]
pub struct ObjectStore {
    depot: Arc<Depot>,
    /// The next look.
    timer: Option<AbortHandle>,
    is_touching: bool,
    /// Up to where memory was made.
    touched: u64,
}

impl Actor for ObjectStore {
    type Msg = ObjectStoreMsg;
    type Args = Arc<Depot>;

    async fn start(ctx: &Context<ObjectStoreMsg>, depot: Arc<Depot>) -> Result<Self, Failure> {
        let mut own = Self { depot, timer: None, is_touching: false, touched: 0 };
        own.look(ctx);
        for _ in 0..own.depot.estates() {
            ctx.send_after(own.depot.keeps_orphans_for(), ObjectStoreMsg::Bury);
        }
        Ok(own)
    }

    async fn handle(
        &mut self,
        ctx: &Context<ObjectStoreMsg>,
        message: ObjectStoreMsg,
    ) -> Result<(), Failure> {
        match message {
            ObjectStoreMsg::Changed | ObjectStoreMsg::Look => self.look(ctx),
            ObjectStoreMsg::Died => {
                ctx.send_after(self.depot.keeps_orphans_for(), ObjectStoreMsg::Bury);
            }
            ObjectStoreMsg::Bury => {
                self.depot.bury();
                self.look(ctx);
            }
            ObjectStoreMsg::Touched => self.is_touching = false,
        }
        Ok(())
    }
}

impl ObjectStore {
    fn look(&mut self, ctx: &Context<ObjectStoreMsg>) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
        if self.depot.sweep() {
            self.timer = Some(ctx.send_after(limits::STORE_SWEEP_EVERY, ObjectStoreMsg::Look));
        }
        self.touch_ahead(ctx);
    }

    /// Memory that nobody has written to costs eight times what writing to it does: it is made beside the work.
    fn touch_ahead(&mut self, ctx: &Context<ObjectStoreMsg>) {
        let used = self.depot.used().touched;
        // The first pages are made when there is use for them.
        if self.is_touching || used == 0 || used + limits::STORE_AHEAD / 2 < self.touched {
            return;
        }
        self.is_touching = true;
        self.touched = used + limits::STORE_AHEAD;
        let (depot, part) = (Arc::clone(&self.depot), ctx.part());
        ctx.pipe(async move {
            let touched = tokio::task::spawn_blocking(move || {
                let touched = depot.touch_ahead();
                drop(part);
                touched
            });
            if let Ok(Err(error)) = touched.await {
                tracing::warn!(%error, "no memory could be made ahead for the store");
            }
            Some(ObjectStoreMsg::Touched)
        });
    }
}

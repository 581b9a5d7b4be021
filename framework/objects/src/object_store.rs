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
//! - **OJ-2 (made-ahead):** what counts as made ahead was made: what was not for want of memory is made later.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use raytree_supervise::{Actor, Context, Failure, clock};
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
    /// Memory that is written to next is there, up to here; none of it while the node is short of memory.
    Touched(io::Result<Option<u64>>),
}

// A message is under 1 KiB or it is a reference.
const _: () = assert!(size_of::<ObjectStoreMsg>() <= 64);

/// The actor that looks after a [`Depot`]: gives away again what is freed, and has memory made ahead of need.
#[derive(Debug)]
pub struct ObjectStore {
    depot: Arc<Depot>,
    /// The next look.
    timer: Option<AbortHandle>,
    ahead: Ahead,
}

/// What of the memory was made ahead of need.
#[derive(Debug, Default)]
struct Ahead {
    is_touching: bool,
    /// Up to where memory was made.
    touched: u64,
    /// The system could not: until then it is left alone.
    not_before: Duration,
}

impl Ahead {
    /// Whether more is to be made, of a store that has used so much. That begins then.
    fn begins(&mut self, used: u64, now: Duration) -> bool {
        // The first pages are made when there is use for them.
        let is_enough = used == 0 || used + limits::STORE_AHEAD / 2 < self.touched;
        if self.is_touching || is_enough || now < self.not_before {
            return false;
        }
        self.is_touching = true;
        true
    }

    /// It has ended (OJ-2).
    fn ends(&mut self, touched: &io::Result<Option<u64>>, now: Duration) {
        self.is_touching = false;
        match touched {
            Ok(Some(end)) => self.touched = *end,
            Ok(None) => {}
            Err(_) => self.not_before = now + limits::STORE_AHEAD_AGAIN,
        }
    }
}

impl Actor for ObjectStore {
    type Msg = ObjectStoreMsg;
    type Args = Arc<Depot>;

    async fn start(ctx: &Context<ObjectStoreMsg>, depot: Arc<Depot>) -> Result<Self, Failure> {
        let mut own = Self { depot, timer: None, ahead: Ahead::default() };
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
            ObjectStoreMsg::Touched(touched) => self.is_touched(&touched),
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
        if !self.ahead.begins(self.depot.used().touched, clock::now()) {
            return;
        }
        let (depot, part) = (Arc::clone(&self.depot), ctx.part());
        ctx.pipe(async move {
            let touched = tokio::task::spawn_blocking(move || {
                let touched = depot.touch_ahead();
                drop(part);
                touched
            });
            Some(ObjectStoreMsg::Touched(touched.await.unwrap_or(Ok(None))))
        });
    }

    fn is_touched(&mut self, touched: &io::Result<Option<u64>>) {
        if let Err(error) = touched {
            tracing::warn!(%error, "no memory could be made ahead for the store");
        }
        self.ahead.ends(touched, clock::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(9);
    const MIB: u64 = 1 << 20;

    #[test]
    fn oj_2_what_was_not_made_ahead_is_made_later() {
        let mut ahead = Ahead::default();
        assert!(!ahead.begins(0, NOW), "nothing is used");
        assert!(ahead.begins(MIB, NOW));
        assert!(!ahead.begins(MIB, NOW), "one at once");
        ahead.ends(&Ok(None), NOW);
        assert!(ahead.begins(MIB, NOW), "the node was short of memory");
        ahead.ends(&Err(io::ErrorKind::OutOfMemory.into()), NOW);
        assert!(!ahead.begins(MIB, NOW), "not at once again");
        let later = NOW + limits::STORE_AHEAD_AGAIN;
        assert!(ahead.begins(MIB, later));
        ahead.ends(&Ok(Some(MIB + limits::STORE_AHEAD)), later);
        assert!(!ahead.begins(MIB, later), "it is there");
        assert!(ahead.begins(MIB + limits::STORE_AHEAD / 2, later));
    }
}

//! The actor directory: ends actors in the order of ownership, and places those again whose host died.
//!
//! - **Parent:** `gcs` (one-for-one; permanent; 5 restarts in 30 s).
//! - **Children:** none.
//! - **After a restart:** the actor table belongs to the runtime and is whole; ends that were under way are begun again.
//! - **Tells:** the actor host (end this child), the node's books (place this one again).
//!
//! Invariants:
//! - **DI-1 (owner-last):** in an ordered end every actor ends after the actors it owns.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use futures_util::future::join_all;
use raytree_supervise::{Actor, Context, Failure, Reply, SupervisorMsg};
use raytree_types::{ActorId, Cause, ExitKind};

use crate::gcs::table::Ending;
use crate::runtime::Shared;
use crate::user::status::Lifecycle;
use crate::worker::host::announce;

/// What the directory can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum DirectoryMsg {
    /// The last handle of an actor is gone.
    Released(ActorId),
    /// End an actor and what it owns.
    End { id: ActorId, kill: bool, reason: String },
    /// An actor's host died; it has a life left.
    Replace(ActorId),
    /// End all actors in order; answer when none is left.
    EndAll(Reply<()>),
}

/// See the [module documentation](self).
pub(crate) struct ActorDirectory {
    runtime: Weak<Shared>,
}

impl Actor for ActorDirectory {
    type Msg = DirectoryMsg;
    type Args = Weak<Shared>;

    async fn start(ctx: &Context<DirectoryMsg>, runtime: Weak<Shared>) -> Result<Self, Failure> {
        let directory = Self { runtime };
        let under_way = directory.runtime.upgrade().map(|r| r.table.endings()).unwrap_or_default();
        for (id, ending) in under_way {
            directory.begin(ctx, id, ending);
        }
        Ok(directory)
    }

    async fn handle(
        &mut self,
        ctx: &Context<DirectoryMsg>,
        message: DirectoryMsg,
    ) -> Result<(), Failure> {
        match message {
            DirectoryMsg::Released(id) => self.end(ctx, id, false, "its last handle was dropped"),
            DirectoryMsg::End { id, kill, reason } => self.end(ctx, id, kill, &reason),
            DirectoryMsg::Replace(id) => self.replace(ctx, id),
            DirectoryMsg::EndAll(reply) => self.end_all(ctx, reply),
        }
        Ok(())
    }
}

impl ActorDirectory {
    fn end(&self, ctx: &Context<DirectoryMsg>, id: ActorId, kill: bool, reason: &str) {
        let ending = Ending { kill, reason: reason.to_owned() };
        let Some(runtime) = self.runtime.upgrade() else { return };
        if runtime.table.ending(id, ending.clone()) {
            self.begin(ctx, id, ending);
        }
    }

    fn begin(&self, ctx: &Context<DirectoryMsg>, id: ActorId, ending: Ending) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        ctx.pipe(async move {
            end_tree(runtime, id, ending).await;
            None
        });
    }

    fn replace(&self, ctx: &Context<DirectoryMsg>, id: ActorId) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        let Some(cell) = runtime.table.cell(id) else { return };
        ctx.pipe(async move {
            // One incarnation at a time: the old body must be gone.
            cell.probe.body_ended().await;
            let children = runtime.table.children(id);
            end_children(Arc::clone(&runtime), children, false).await;
            let restarts = runtime.table.launch(id).map_or(0, |(_, _, restarts)| restarts);
            let kind = ExitKind::HostDied(Cause::message("its host ended"));
            announce(&Arc::downgrade(&runtime), &cell, kind, restarts.saturating_sub(1), true);
            runtime.place(&cell);
            None
        });
    }

    fn end_all(&self, ctx: &Context<DirectoryMsg>, reply: Reply<()>) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        ctx.pipe(async move {
            let ending = Ending { kill: false, reason: "the runtime is shutting down".to_owned() };
            let roots = runtime.table.roots().into_iter();
            join_all(roots.map(|id| end_tree(Arc::clone(&runtime), id, ending.clone()))).await;
            reply.send(());
            None
        });
    }
}

type Ends = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Ends what `id` owns, youngest first, then `id` itself; ready when it is dead (DI-1).
fn end_tree(runtime: Arc<Shared>, id: ActorId, ending: Ending) -> Ends {
    Box::pin(async move {
        let Some(cell) = runtime.table.cell(id) else { return };
        if !ending.kill {
            let children = runtime.table.children(id);
            end_children(Arc::clone(&runtime), children, false).await;
        }
        if runtime.withdraw(id) {
            let kind = ExitKind::Stopped { reason: ending.reason };
            cell.exited(kind.clone(), 0, false);
            runtime.close(id, kind);
            return;
        }
        let Ending { kill, reason } = ending;
        let end = SupervisorMsg::EndChild { tag: id.number(), kill, reason };
        // Refused only when the whole tree has ended, and then everybody has been told.
        _ = runtime.addrs.host.cast(end);
        drop(runtime);
        // The host kills what does not end in time, and reports what it has to leave behind.
        _ = cell.watch().wait_for(|status| status.lifecycle == Lifecycle::Dead).await;
    })
}

/// Ends the actors in `children` and what they own, youngest first.
pub(crate) fn end_children(runtime: Arc<Shared>, children: Vec<ActorId>, kill: bool) -> Ends {
    Box::pin(async move {
        for child in children.into_iter().rev() {
            let ending = Ending { kill, reason: "its parent ended".to_owned() };
            end_tree(Arc::clone(&runtime), child, ending).await;
        }
    })
}

//! The actor directory: ends actors in the order of ownership, and places those again whose host died.
//!
//! - **Parent:** `gcs` (one-for-one; permanent; 5 restarts in 30 s).
//! - **Children:** none.
//! - **After a restart:** nothing is lost. What is to be done is written into the actor table, which belongs to the
//!   runtime, before the directory is told; it begins anew whatever it finds there.
//! - **Tells:** the actor host (end this child), the node's books (place this one again).
//!
//! Invariants:
//! - **DI-1 (owner-last):** in an ordered end every actor ends after the actors it owns.
//! - **DI-2 (ends-are-final):** an actor that was told to end is dead in the end, whoever dies on the way.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use raytree_supervise::{Actor, Context, Failure, Reply, SupervisorMsg, clock};
use raytree_types::{ActorId, Cause, ExitKind, limits};

use crate::gcs::deadlocks::Deadlocks;
use crate::gcs::table::Ending;
use crate::runtime::Shared;
use crate::user::status::{Cell, Lifecycle};

/// What the directory can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum DirectoryMsg {
    /// An actor and what it owns are to end, as the table says.
    End(ActorId),
    /// That was done.
    Ended(ActorId, bool),
    /// An actor's host died; it has a life left.
    Replace(ActorId),
    /// That was done.
    Replaced(ActorId),
    /// End all actors in order; answer when none is left.
    EndAll(Reply<()>),
    /// It is time to see whether calls take long.
    Tick,
}

// A message is under 1 KiB or it is a reference.
const _: () = assert!(size_of::<DirectoryMsg>() <= 64);

/// See the [module documentation](self).
pub(crate) struct ActorDirectory {
    runtime: Weak<Shared>,
    /// Ends under way, with whether they are kills.
    ending: HashSet<(ActorId, bool)>,
    replacing: HashSet<ActorId>,
    deadlocks: Arc<Deadlocks>,
}

impl Actor for ActorDirectory {
    type Msg = DirectoryMsg;
    type Args = Weak<Shared>;

    async fn start(ctx: &Context<DirectoryMsg>, runtime: Weak<Shared>) -> Result<Self, Failure> {
        let (ending, replacing) = (HashSet::new(), HashSet::new());
        let deadlocks = Arc::new(Deadlocks::new());
        let mut directory = Self { runtime, ending, replacing, deadlocks };
        if let Some(runtime) = directory.runtime.upgrade() {
            for id in runtime.table.orphans() {
                directory.replace(ctx, id);
            }
            for (id, ending) in runtime.table.endings() {
                directory.end(ctx, id, ending);
            }
        }
        if directory.runtime.upgrade().is_some_and(|runtime| Deadlocks::are_looked_for(&runtime)) {
            ctx.send_after(limits::DEADLOCK_TICK, DirectoryMsg::Tick);
        }
        Ok(directory)
    }

    async fn handle(
        &mut self,
        ctx: &Context<DirectoryMsg>,
        message: DirectoryMsg,
    ) -> Result<(), Failure> {
        match message {
            DirectoryMsg::End(id) => self.end_as_written(ctx, id),
            DirectoryMsg::Ended(id, kill) => {
                self.ending.remove(&(id, kill));
                // One that another process has begun again under this id meanwhile may be to end, too.
                self.end_as_written(ctx, id);
            }
            DirectoryMsg::Replace(id) => self.replace(ctx, id),
            DirectoryMsg::Replaced(id) => _ = self.replacing.remove(&id),
            DirectoryMsg::EndAll(reply) => self.end_all(ctx, reply),
            DirectoryMsg::Tick => self.looks_for_deadlocks(ctx),
        }
        Ok(())
    }
}

impl ActorDirectory {
    fn end_as_written(&mut self, ctx: &Context<DirectoryMsg>, id: ActorId) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        if let Some(ending) = runtime.table.placing(id).and_then(|placing| placing.ending) {
            self.end(ctx, id, ending);
        }
    }

    fn end(&mut self, ctx: &Context<DirectoryMsg>, id: ActorId, ending: Ending) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        if !self.ending.insert((id, ending.kill)) {
            return;
        }
        ctx.pipe(async move {
            let kill = ending.kill;
            end_tree(runtime, id, ending).await;
            Some(DirectoryMsg::Ended(id, kill))
        });
    }

    fn replace(&mut self, ctx: &Context<DirectoryMsg>, id: ActorId) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        let Some(placing) = runtime.table.placing(id) else { return };
        if !self.replacing.insert(id) {
            return;
        }
        ctx.pipe(async move {
            // One incarnation at a time: the old life must be over, and what it owned with it.
            placing.cell.probe.life_over().await;
            end_children(Arc::clone(&runtime), runtime.table.children(id), false).await;
            let kind = ExitKind::HostDied(Cause::message("its host ended"));
            let before = placing.restarts.saturating_sub(1);
            runtime.table.replaced(id);
            match runtime.table.placing(id) {
                // Its old body took so long that it was given up.
                None => {}
                Some(now) if now.ending.is_some() => runtime.finish(id, kind),
                Some(_) => {
                    runtime.announce(&placing.cell, kind, before, true);
                    runtime.place(&placing.cell);
                }
            }
            Some(DirectoryMsg::Replaced(id))
        });
    }

    /// Beside everything else: others may have to be asked, and they may be slow.
    fn looks_for_deadlocks(&self, ctx: &Context<DirectoryMsg>) {
        let (runtime, deadlocks) = (self.runtime.clone(), Arc::clone(&self.deadlocks));
        ctx.pipe(async move {
            deadlocks.end(runtime).await;
            tokio::time::sleep(limits::DEADLOCK_TICK).await;
            Some(DirectoryMsg::Tick)
        });
    }

    fn end_all(&self, ctx: &Context<DirectoryMsg>, reply: Reply<()>) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        ctx.pipe(async move {
            let reason = "the runtime is shutting down".to_owned();
            let ending = Ending { kill: false, released: false, reason };
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
        runtime.table.ending(id, ending.clone());
        if !ending.kill {
            end_children(Arc::clone(&runtime), runtime.table.children(id), false).await;
        }
        let mut status = cell.watch();
        let Ending { kill, released, reason } = ending;
        let patience =
            limits::KILL_GRACE + if kill { Duration::ZERO } else { cell.options.stops_within() };
        let (began, mut again) = (clock::now(), limits::END_AGAIN_AFTER);
        while !cell.is_dead() {
            if runtime.table.is_orphan(id) && clock::now() - began > patience {
                // Its host died, and a thread that hangs keeps its old body: nobody else can say that it is over.
                runtime.abandons(&cell);
                runtime.finish(id, abandoned(&cell));
                return;
            }
            // One whose last handle is gone finishes its queue, and for that it has to be placed first.
            let has_work = released && cell.probe.queued() > 0;
            if !has_work && (runtime.withdraw(id) || runtime.table.take_unplaced(id)) {
                runtime.finish(id, ended_in_line(kill, &reason));
                return;
            }
            let end = SupervisorMsg::EndChild { tag: cell.tag, kill, reason: reason.clone() };
            // Refused only when the whole tree has ended, and then everybody has been told. Asked again, because the
            // host may die of something else before it reads this (DI-2).
            _ = runtime.addrs.host.cast(end);
            let dead = status.wait_for(|status| status.lifecycle == Lifecycle::Dead);
            _ = tokio::time::timeout(again, dead).await;
            // Of tens of thousands who end at once each waits for the others: asking more often only makes that longer.
            again = (2 * again).min(limits::END_AGAIN_MOST);
        }
    })
}

fn abandoned(cell: &Cell) -> ExitKind {
    cell.note("its thread is abandoned");
    let reason = "its host died, and it did not end in time: its thread is abandoned".to_owned();
    ExitKind::Killed { reason }
}

fn ended_in_line(kill: bool, reason: &str) -> ExitKind {
    let reason = reason.to_owned();
    if kill { ExitKind::Killed { reason } } else { ExitKind::Stopped { reason } }
}

/// Ends the actors in `children` and what they own, youngest first.
pub(crate) fn end_children(runtime: Arc<Shared>, children: Vec<ActorId>, kill: bool) -> Ends {
    Box::pin(async move {
        for child in children.into_iter().rev() {
            let reason = "its parent ended".to_owned();
            let ending = Ending { kill, released: false, reason };
            end_tree(Arc::clone(&runtime), child, ending).await;
        }
    })
}

//! Ends deadlocks of actors and tasks: whoever is at the top of a program looks for circles of waits, in all processes that work for
//! it, as long as calls take long, and has one wait of each circle fail.
//!
//! Nothing is done while all calls are answered within a few seconds, and where tasks run in other processes, all tasks: what those
//! call is not known here. A wait is ended when it has been the same for a tick at least, and its code awaited nothing besides that is
//! known here: objects, streams and timed waits are, a timer or a channel of the user's own is not: `calls.fail_deadlocks` switches
//! this off.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use raytree_engine::looks::Looks;
use raytree_inspector::to_give_up;
use raytree_supervise::clock;
use raytree_types::inspect::{Answer, Request, Role, Wait};
use raytree_types::{ActorId, Result, limits};

use crate::runtime::Shared;
use crate::state::look::ask;

/// When it was looked for deadlocks, and what was not over then.
pub(super) struct Deadlocks(Mutex<Looks<Open>>);

/// What takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Open {
    /// A call of this actor, by the number of its arrival.
    Call(ActorId, u64),
    /// The task with this number.
    Task(u64),
}

impl Deadlocks {
    pub(super) fn new() -> Self {
        let (every, at_most) = (limits::DEADLOCK_TICK, limits::DEADLOCK_LOOK_AT_MOST);
        Self(Mutex::new(Looks::new(every, at_most)))
    }

    /// This process is one that looks.
    pub(super) fn are_looked_for(runtime: &Shared) -> bool {
        runtime.fails_deadlocks && runtime.door.role() == Role::Program
    }

    /// Whether it is worth a look.
    fn may_be(&self, runtime: &Shared) -> bool {
        let ids = runtime.table.ids();
        let cells = ids.chunks(1024).flat_map(|some| runtime.table.cells(some));
        let calls = cells.filter_map(|cell| Some(Open::Call(cell.id, cell.open.oldest()?)));
        let goes_elsewhere = runtime.peers.any();
        let task = goes_elsewhere.then(|| runtime.tasks.oldest_running()).flatten();
        let open: HashSet<Open> = calls.chain(task.map(Open::Task)).collect();
        self.0.lock().tick(clock::now(), open)
    }

    /// Has a wait of each circle fail that is there at two looks, one tick apart: whoever has another way to get on has taken it by
    /// then.
    pub(super) async fn end(self: Arc<Self>, runtime: Weak<Shared>) {
        let first = apart(&runtime, move |runtime| {
            let waits = if self.may_be(runtime) { edges(runtime)? } else { Vec::new() };
            Ok(waits.into_iter().filter(|wait| wait.is_alone).collect::<Vec<_>>())
        });
        let Some(first) = first.await.filter(|first| !first.is_empty()) else { return };
        tokio::time::sleep(limits::DEADLOCK_TICK).await;
        _ = apart(&runtime, move |runtime| give_up(runtime, &first)).await;
    }
}

/// Does something on a thread that may block.
async fn apart<T: Send + 'static>(
    runtime: &Weak<Shared>,
    look: impl FnOnce(&Arc<Shared>) -> Result<T> + Send + 'static,
) -> Option<T> {
    let runtime = runtime.upgrade()?;
    match tokio::task::spawn_blocking(move || look(&runtime)).await {
        Ok(Ok(found)) => return Some(found),
        // It is tried again, as long as calls take long.
        Ok(Err(error)) => tracing::debug!(%error, "it could not be looked for deadlocks"),
        Err(error) => tracing::error!(%error, "the look for deadlocks was broken off"),
    }
    None
}

fn give_up(runtime: &Arc<Shared>, first: &[Wait]) -> Result<()> {
    let then = edges(runtime)?;
    let job = runtime.driver.get().and_then(|driver| driver.job());
    for circle in to_give_up(first, then, job) {
        let named = circle.members.join(" \u{2192} ");
        if let Answer::GaveUp(1..) = ask(runtime, Request::GiveUp(circle))? {
            tracing::error!("a deadlock: each waits for the next: {named}; the first gives up");
        }
    }
    Ok(())
}

fn edges(runtime: &Arc<Shared>) -> Result<Vec<Wait>> {
    Ok(match ask(runtime, Request::Edges)? {
        Answer::Edges(edges) => edges.waits,
        _ => Vec::new(),
    })
}

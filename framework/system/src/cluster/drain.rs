//! How a node, or a worker of a cluster, leaves that has too many abandoned threads: in order, and with a status by which its
//! mirror knows why.
//!
//! 1. It says over its link that it leaves, and why: it gets nothing new. It says so over its line: it is gone in time.
//! 2. What runs is finished, for as long as [`limits::NODE_DRAIN_WITHIN`].
//! 3. It ends. What has not begun, and its actors, go as with a lost node: they are run again elsewhere, and begin another
//!    life, where they may.
//!
//! Invariants:
//! - **DR-1 (nothing-new):** after its word it is given no work, also when its beats are in order.
//! - **DR-2 (finished-first):** an answer that is there before the deadline has gone out before the process ends.

use std::any::type_name;
use std::process::exit;
use std::sync::Arc;

use raytree_engine::task::Phase;
use raytree_process::{DRAINED, Link as Line};
use raytree_types::{AbandonedThreads, Cause, limits};
use tokio::time::{interval, timeout};

use crate::link::Link;
use crate::runtime::Shared;
use crate::user::status::Lifecycle;

/// From now on this process leaves when it has too many.
pub(super) fn when_asked(line: &Line, runtime: &Arc<Shared>, link: &Arc<Link>) {
    let (line, link) = (line.clone(), Arc::clone(link));
    let own = Arc::downgrade(runtime);
    runtime.abandoned.replaced_by(move |threads| {
        if let Some(runtime) = own.upgrade() {
            drain(&line, &runtime, Arc::clone(&link), threads);
        }
    });
}

/// What is said in the tree of whoever is at the other end of a link.
pub(super) fn remark(link: &Link) -> Option<String> {
    let threads = link.abandoned();
    let leaves = if link.leaves() { "drains: " } else { "" };
    (threads.count > 0).then(|| format!("{leaves}{threads}"))
}

/// Why one has ended: if it has left of its own will, with the threads for which it did.
pub(crate) fn because(cause: Cause, link: Option<&Link>) -> Cause {
    let Some(link) = link.filter(|link| link.leaves()) else { return cause };
    let threads = link.abandoned();
    let of = Cause::of_error(&threads, type_name::<AbandonedThreads>()).with_value(&threads);
    Cause { message: format!("{}: {threads}", cause.message), ..of }
}

/// Leaves. Its beats go on meanwhile.
fn drain(line: &Line, runtime: &Arc<Shared>, link: Arc<Link>, threads: &AbandonedThreads) {
    tracing::warn!("this process is to be replaced: {threads}");
    line.drains();
    if let Some(neighbours) = runtime.neighbours.get() {
        neighbours.leave(threads);
    }
    let own = Arc::clone(runtime);
    runtime.system.spawn(async move {
        // An error is that it took too long.
        _ = timeout(limits::NODE_DRAIN_WITHIN, finished(&own, &link)).await;
        ends();
    });
}

/// Nothing runs any more, and the answers have gone out.
async fn finished(runtime: &Shared, link: &Link) {
    let mut ticks = interval(limits::BEAT_EVERY);
    // Twice: what was sent before the word was heard may still be on its way.
    let mut idle = 0;
    while idle < 2 {
        ticks.tick().await;
        let neighbours = runtime.neighbours.get();
        let have_heard = neighbours.is_none_or(|all| all.have_heard_all());
        let is_idle = !is_at_work(runtime) && link.has_said_all() && have_heard;
        idle = if is_idle { idle + 1 } else { 0 };
    }
}

/// Something runs that somebody waits for. What waits for a CPU does not count: abandoned threads may hold them all.
fn is_at_work(runtime: &Shared) -> bool {
    let is_busy = |id| {
        let cell = runtime.table.cell(id);
        cell.is_some_and(|cell| {
            cell.status().lifecycle == Lifecycle::Starting || !cell.open.is_empty()
        })
    };
    runtime.tasks.count(Phase::Running) > 0 || runtime.table.ids().into_iter().any(is_busy)
}

#[expect(clippy::exit, reason = "the program as such never runs in this process")]
fn ends() -> ! {
    exit(DRAINED)
}

//! Abandoned threads of this process: the shell around [`raytree_engine::abandoned`].
//!
//! The book belongs to the runtime; the local scheduler looks at it when a look is due. What there is shows beside the
//! worker in the tree. Where there is too much, a node leaves and is replaced; a process that nobody replaces says so,
//! once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_engine::abandoned::{Abandoned, Body, Look, Settings, Told, Who};
use raytree_supervise::clock;
use raytree_types::resources::CPU;
use raytree_types::{AbandonedThreads, Resources, limits};

use crate::gcs::table::Held;
use crate::node::scheduler::SchedulerMsg;
use crate::runtime::{Runtime, Shared};
use crate::user::status::Cell;

/// See the [module documentation](self).
pub(crate) struct Watch {
    book: Mutex<Abandoned>,
    threads_max: usize,
    /// How a process leaves that another one replaces.
    leave: OnceLock<Leave>,
    /// The word of too many was said.
    is_said: AtomicBool,
}

type Leave = Box<dyn Fn(&AbandonedThreads) + Send + Sync>;

impl Watch {
    /// For a process with these resources, which more threads than that are too many for.
    pub(crate) fn new(total: &Resources, threads_max: usize) -> Self {
        let settings =
            Settings { grace: limits::ABANDONED_AFTER, threads_max, cpu: total.thousandths(CPU) };
        let book = Mutex::new(Abandoned::new(settings));
        Self { book, threads_max, leave: OnceLock::new(), is_said: AtomicBool::new(false) }
    }

    /// How many there are now, and with how many more than that it is replaced.
    pub(crate) fn count(&self) -> (u64, u64) {
        let count = self.book.lock().threads(clock::now()).count;
        (count as u64, self.threads_max as u64)
    }

    /// With too many this process is replaced: `leave` is called once then, and must hand on and return.
    pub(crate) fn replaced_by(&self, leave: impl Fn(&AbandonedThreads) + Send + Sync + 'static) {
        // Said once, when the process has been linked.
        _ = self.leave.set(Box::new(leave));
    }
}

impl Shared {
    /// A body that runs is given up, or was by then.
    pub(crate) fn gives_up(&self, who: Who, body: Body, since: Duration) {
        let told = self.abandoned.book.lock().given_up(who, body, since);
        self.look_if(told);
    }

    /// One that was given up has ended, or is about to be given up and has.
    pub(crate) fn given_up_ended(&self, who: Who) {
        let told = self.abandoned.book.lock().ended(who);
        self.look_if(told);
    }

    fn look_if(&self, told: Told) {
        if told == Told::Look {
            // Refused only when the whole tree has ended.
            _ = self.addrs.scheduler.cast(SchedulerMsg::Look);
        }
    }

    /// Looks at what there is; after how long to look again.
    pub(crate) fn look_for_abandoned(&self) -> Option<Duration> {
        let now = clock::now();
        let Look { threads, is_too_many, again } = self.abandoned.book.lock().look(now);
        let leave = self.abandoned.leave.get();
        let was_said = self.abandoned.is_said.fetch_or(is_too_many, Ordering::AcqRel);
        if let Some(link) = self.program.get().and_then(|program| program.link()) {
            link.tell_abandoned(&threads, leave.is_some() && (was_said || is_too_many));
        }
        if is_too_many && !was_said {
            match leave {
                Some(leave) => leave(&threads),
                None => self.warn_of(&threads),
            }
        }
        let remark = (threads.count > 0).then(|| threads.to_string());
        self.addrs.worker.probe().remark(remark);
        again.map(|again| again.saturating_sub(now))
    }

    fn warn_of(&self, threads: &AbandonedThreads) {
        self.addrs.worker.probe().note(format!("{threads}: this process cannot be replaced"));
        tracing::warn!(
            "{threads}. Nobody waits for them, and they cannot be ended from outside: each keeps what it has taken until it \
             returns. A node would be replaced, which this process cannot be. Let such code ask `ctx.check_cancelled()`, or \
             give it a process of its own with `isolated()`."
        );
    }

    /// The thread of an actor's last life was abandoned: what it has taken is given back when it returns.
    pub(crate) fn abandons(self: &Arc<Self>, cell: &Arc<Cell>) {
        let held = self.table.hold(cell.id, Held::Nothing).unwrap_or(Held::Nothing);
        let cpu = match held {
            Held::Nothing => 0,
            Held::Placing => cell.demand().placing.thousandths(CPU),
            Held::Running => cell.demand().running.thousandths(CPU),
        };
        let who = Who::Actor(cell.tag);
        // It has had the grace of its kill.
        let since = clock::now().saturating_sub(limits::ABANDONED_AFTER);
        self.gives_up(who, Body { name: cell.probe.name().to_owned(), cpu }, since);
        let (weak, cell): (Weak<Self>, _) = (Arc::downgrade(self), Arc::clone(cell));
        self.system.spawn(async move {
            cell.probe.life_over().await;
            let Some(runtime) = weak.upgrade() else { return };
            runtime.takes_back(held, &cell.demand());
            runtime.given_up_ended(who);
        });
    }
}

impl Runtime {
    /// Bodies of cancelled or timed-out tasks and of killed actors that still run: synchronous code cannot be ended from
    /// outside.
    #[must_use]
    pub fn abandoned_tasks(&self) -> usize {
        self.shared().abandoned.book.lock().running()
    }

    /// Those of them that have not ended within [`limits::ABANDONED_AFTER`], of this process. With more than
    /// [`limits::ABANDONED_THREADS_MAX`] a node is replaced.
    #[must_use]
    pub fn abandoned_threads(&self) -> AbandonedThreads {
        self.shared().abandoned.book.lock().threads(clock::now())
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("is_said", &self.is_said).finish_non_exhaustive()
    }
}

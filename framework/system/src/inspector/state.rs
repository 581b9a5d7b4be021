//! Tasks, actors and objects of this process, as records; and what has run in it.

use std::sync::Arc;
use std::time::Duration;

use raytree_engine::task::Phase;
use raytree_supervise::clock;
use raytree_types::inspect::ActorState;
use raytree_types::state::{
    ActorRecord, Listing, Rows, Span, SpanKind, StateQuery, TaskKind, TaskRecord, TaskState, What,
};
use raytree_types::{JobId, TaskId};

use super::waiting_task::last;
use super::{forest, waits};
use crate::runtime::Shared;
use crate::task::history::{How, Past};
use crate::task::run::Runnable;
use crate::user::status::{Cell, Lifecycle, Spawner};

/// What is listed of this process.
pub(super) fn rows(runtime: &Shared, query: &StateQuery) -> Rows {
    let of = Of::this(runtime);
    match query.what {
        What::Tasks => Rows::Tasks(of.tasks(query)),
        What::Actors => Rows::Actors(of.actors(query)),
        What::Objects => Rows::Objects(of.objects(query)),
    }
}

/// What all records of one process have in common.
pub(super) struct Of<'a> {
    pub(super) runtime: &'a Shared,
    job: Option<JobId>,
    pub(super) pid: u32,
    /// When the clock of the process began, since 1970.
    pub(super) zero: Duration,
}

impl<'a> Of<'a> {
    pub(super) fn this(runtime: &'a Shared) -> Self {
        let zero = clock::unix_time().saturating_sub(clock::now());
        Self { runtime, job: waits::job(runtime), pid: std::process::id(), zero }
    }

    /// Its calls were made in this process. Those that live here for others have their calls from them.
    pub(super) fn is_called(&self, cell: &Cell) -> bool {
        cell.id.runtime() == self.runtime.id
    }

    /// This process decides on its lives.
    fn is_own(&self, cell: &Cell) -> bool {
        let is_made_elsewhere = cell.is_stand_in() || cell.made().is_some();
        self.runtime.resident.get().is_some() || self.is_called(cell) && !is_made_elsewhere
    }

    fn task_id(&self, number: u64) -> TaskId {
        TaskId::new(self.runtime.id, number)
    }

    fn tasks(&self, query: &StateQuery) -> Listing<TaskRecord> {
        let (alive, past, dropped) = self.runtime.tasks.all();
        // Those that run for another process are listed there.
        let alive = alive.iter().filter(|task| !task.plan().is_served);
        let past = past.iter().filter(|past| !past.plan.is_served);
        let cells = forest::cells(&self.runtime.table);
        let calls =
            cells.iter().filter(|cell| self.is_called(cell)).flat_map(|cell| self.calls(cell));
        let tasks = alive.map(|task| self.task(&**task));
        Listing::of(tasks.chain(calls).chain(past.map(|past| self.past(past))), dropped, query)
    }

    fn task(&self, task: &dyn Runnable) -> TaskRecord {
        let (state, host) = (task.state(), task.host());
        let (plan, times) = (task.plan(), task.times());
        TaskRecord {
            id: Some(self.task_id(task.id())),
            kind: TaskKind::Task,
            name: plan.name.clone(),
            state: match state.phase() {
                Phase::Waiting => TaskState::PendingArguments,
                Phase::Queued => TaskState::Queued,
                Phase::Running if host.is_some() => TaskState::Sent,
                Phase::Running if task.is_waiting() => TaskState::Waiting,
                Phase::Running => TaskState::Running,
                // It is about to leave the table.
                Phase::Done => TaskState::Finished,
            },
            attempt: state.run(),
            parent: task.parent().map(|parent| self.task_id(parent)),
            actor: None,
            job: self.job,
            pid: self.pid,
            host: host.map(|host| host.to_string()),
            submitted: Some(self.zero + times.submitted()),
            began: times.began().map(|began| self.zero + began),
            ended: None,
            wants: plan.demand.running.clone(),
            error: None,
        }
    }

    fn past(&self, past: &Past) -> TaskRecord {
        TaskRecord {
            id: Some(self.task_id(past.id)),
            kind: TaskKind::Task,
            name: past.plan.name.clone(),
            state: past.how.state(),
            attempt: past.attempt,
            parent: past.parent.map(|parent| self.task_id(parent)),
            actor: None,
            job: self.job,
            pid: self.pid,
            host: past.host.as_ref().map(ToString::to_string),
            submitted: Some(self.zero + past.submitted),
            began: past.began.map(|began| self.zero + began),
            ended: Some(self.zero + past.ended),
            wants: past.plan.demand.running.clone(),
            error: match &past.how {
                How::Failed(why) => Some(why.to_string()),
                How::Finished | How::Cancelled => None,
            },
        }
    }

    /// The calls of an actor that have no answer yet, from this process.
    fn calls(&self, cell: &Arc<Cell>) -> Vec<TaskRecord> {
        let host = cell.probe.row(0).host;
        let call = |call: crate::user::open::Seen| TaskRecord {
            id: None,
            kind: TaskKind::Call,
            name: last(call.label, 2).to_owned(),
            state: call.state,
            attempt: 0,
            parent: None,
            actor: Some(cell.known_as()),
            job: self.job,
            pid: self.pid,
            host: host.clone(),
            submitted: None,
            began: None,
            ended: None,
            wants: raytree_types::Resources::none(),
            error: None,
        };
        cell.open.all().into_iter().map(call).collect()
    }

    fn actors(&self, query: &StateQuery) -> Listing<ActorRecord> {
        let cells = forest::cells(&self.runtime.table);
        // Another process decides on the others, and lists them.
        let own = cells.iter().filter(|cell| self.is_own(cell));
        Listing::of(own.map(|cell| self.actor(cell)), 0, query)
    }

    fn actor(&self, cell: &Cell) -> ActorRecord {
        let (status, row) = (cell.status(), cell.probe.row(0));
        let owner = cell.spawned_by().filter(|_| !cell.options.is_detached());
        let owner = owner.and_then(|owner| match owner {
            Spawner::Actor(id) => self.runtime.table.cell(id),
            Spawner::Task(_) => None,
        });
        ActorRecord {
            id: cell.known_as(),
            name: cell.name.clone(),
            class: row.type_name,
            state: match status.lifecycle {
                Lifecycle::Pending => ActorState::Pending,
                _ => row.state,
            },
            owner: owner.map(|owner| owner.known_as()),
            job: self.job,
            pid: self.pid,
            host: row.host,
            restarts: row.restarts,
            queued: row.queued,
            handled: row.handled,
            wants: cell.options.demand().running,
            cause: status.last_exit.map(|exit| one_line(&exit.kind.to_string())),
        }
    }
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The bodies of tasks that this process has run, or runs, and how many are forgotten. Those that it has sent elsewhere are told
/// there.
pub(super) fn ran(runtime: &Shared) -> (Vec<Span>, u64) {
    let of = Of::this(runtime);
    let (alive, past, dropped) = runtime.tasks.all();
    let now = clock::now();
    let span = |(id, attempt): (u64, u32), name: &str, (began, ended): (Duration, Duration)| Span {
        kind: SpanKind::Task,
        name: name.to_owned(),
        line: String::new(),
        began: of.zero + began,
        took: ended.saturating_sub(began),
        task: Some(of.task_id(id)),
        attempt,
        actor: None,
        outcome: None,
        bytes: None,
        from: None,
    };
    let over = past.iter().filter(|past| past.host.is_none()).filter_map(|past| {
        let times = (past.began?, past.ended);
        let outcome = Some(past.how.state());
        Some(Span { outcome, ..span((past.id, past.attempt), &past.plan.name, times) })
    });
    let runs = alive.iter().filter(|task| task.state().phase() == Phase::Running);
    let runs = runs.filter(|task| task.host().is_none()).filter_map(|task| {
        let which = (task.id(), task.state().run());
        Some(span(which, &task.plan().name, (task.times().began()?, now)))
    });
    (over.chain(runs).collect(), dropped)
}

//! Tasks, actors and objects of this process, as records; and what has run in it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use raytree_engine::task::Phase;
use raytree_supervise::clock;
use raytree_types::inspect::ActorState;
use raytree_types::state::{
    ActorRecord, Listing, ObjectRecord, ObjectState, Rows, Span, SpanKind, StateQuery, TaskKind,
    TaskRecord, TaskState, What,
};
use raytree_types::{JobId, TaskId};

use super::waiting_task::last;
use super::{forest, waits};
use crate::object::cell::Seen;
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
struct Of<'a> {
    runtime: &'a Shared,
    job: Option<JobId>,
    pid: u32,
    /// When the clock of the process began, since 1970.
    zero: Duration,
}

impl<'a> Of<'a> {
    fn this(runtime: &'a Shared) -> Self {
        let zero = clock::unix_time().saturating_sub(clock::now());
        Self { runtime, job: waits::job(runtime), pid: std::process::id(), zero }
    }

    /// Its calls were made in this process. Those that live here for others have their calls from them.
    fn is_called(&self, cell: &Cell) -> bool {
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

    fn objects(&self, query: &StateQuery) -> Listing<ObjectRecord> {
        let (tasks, ..) = self.runtime.tasks.all();
        let own = tasks.iter().filter(|task| !task.plan().is_served);
        let mut all = Objects { pid: self.pid, rows: Vec::new(), places: HashMap::new() };
        for task in own {
            let seen = task.result();
            let waiters = seen.map_or(0, |seen| seen.waiters);
            all.comes(seen.map(|seen| seen.at), task.plan().name.clone(), waiters);
        }
        let cells = forest::cells(&self.runtime.table);
        for cell in cells.iter().filter(|cell| self.is_called(cell)) {
            for call in cell.open.all() {
                all.comes(call.object, last(call.label, 2).to_owned(), call.waiters);
            }
        }
        for link in self.runtime.links.all() {
            let peer = link.peer.to_string();
            link.held_objects().into_iter().for_each(|seen| all.is_held(seen, &peer));
        }
        Listing::of(all.rows.into_iter(), 0, query)
    }
}

/// The objects of a process, each once.
struct Objects {
    pid: u32,
    rows: Vec<ObjectRecord>,
    /// The row of the one that is there in memory.
    places: HashMap<usize, usize>,
}

impl Objects {
    /// One that is still to come.
    fn comes(&mut self, at: Option<usize>, name: String, waiters: usize) {
        if let Some(at) = at {
            self.places.insert(at, self.rows.len());
        }
        self.rows.push(ObjectRecord {
            name,
            state: ObjectState::Pending,
            holders: 0,
            held_by: Vec::new(),
            waiters: waiters as u64,
            pid: self.pid,
        });
    }

    /// One that a process holds.
    fn is_held(&mut self, seen: Seen, by: &str) {
        let place = *self.places.entry(seen.at).or_insert(self.rows.len());
        if place == self.rows.len() {
            self.rows.push(ObjectRecord {
                name: last(seen.label, 2).to_owned(),
                state: seen.state,
                holders: 0,
                held_by: Vec::new(),
                waiters: seen.waiters as u64,
                pid: self.pid,
            });
        }
        let row = &mut self.rows[place];
        // It may hold several references.
        if !row.held_by.iter().any(|holder| holder == by) {
            row.held_by.push(by.to_owned());
            row.holders += 1;
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

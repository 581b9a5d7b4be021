//! Who waits for whom: actors and tasks for answers of actors and for results of tasks. Nothing is noted while nobody asks but who polled.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use raytree_engine::task::{Event, Phase};
use raytree_supervise::clock;
use raytree_types::inspect::{Circle, Party, Wait, Who};
use raytree_types::{ActorId, Error, JobId};

use super::forest;
use super::waiting_task::last;
use crate::object::cell::Maker;
use crate::runtime::Shared;
use crate::task::context::{Body, By};
use crate::task::run::Runnable;
use crate::user::status::Cell;

type Task = Arc<dyn Runnable>;

/// All of this process: from the calls that were made in it, and the tasks that were submitted in it or run in it.
pub(super) fn of(runtime: &Shared) -> Vec<Wait> {
    let look = Look { runtime, job: job(runtime), cells: forest::cells(&runtime.table) };
    let (mut awaited, mut waiting) = (look.awaited_calls(), Vec::new());
    for task in runtime.tasks.living() {
        let by = awaited_by(runtime, &task);
        if by.is_empty() {
            continue;
        }
        let target = look.awaited_task(&task);
        awaited.extend(by.into_iter().map(|by| (target.clone(), by)));
        waiting.push(task);
    }
    let mut many: HashMap<(Body, u64), usize> = HashMap::new();
    for (_, by) in &awaited {
        *many.entry((by.who, by.poll)).or_default() += 1;
    }
    let of_code = awaited.into_iter().filter_map(|(target, by)| {
        let (waiter, age, is_alone) = look.waiter(by, many.get(&(by.who, by.poll)).copied())?;
        let Awaited { party, what, has_begun } = target;
        Some(Wait { waiter, target: party, what, age, is_alone, has_begun, poll: by.poll })
    });
    let mut waits: Vec<Wait> = of_code.collect();
    look.arguments(waiting, &mut waits);
    waits
}

/// Whose code waits for a task: also whoever runs it meanwhile.
fn awaited_by(runtime: &Shared, task: &Task) -> Vec<By> {
    let waiter = task.awaits().inside().and_then(|number| runtime.tasks.get(number));
    let by = |waiter: Task| {
        let (who, poll) = (Body::Task(waiter.id()), waiter.awaits().polls());
        By { who, poll, others: 0 }
    };
    waiter.map(by).into_iter().chain(task.awaited_by()).collect()
}

/// What the code of a task waits for now, and who makes it, as far as that is known in this process.
pub(super) fn awaited(runtime: &Shared, task: &Task) -> Vec<(&'static str, Option<Maker>)> {
    let is_so = |by: &By| by.who == Body::Task(task.id()) && task.awaits().is_last(*by);
    let mut all = Vec::new();
    for one in runtime.tasks.living() {
        if awaited_by(runtime, &one).iter().any(is_so) {
            let label = one.result().map_or("its result", |seen| seen.source.label);
            all.push((label, Some(Maker::Task(one.id()))));
        }
    }
    for cell in forest::cells(&runtime.table) {
        let calls = cell.open.awaited().into_iter();
        let calls = calls.filter(|call| call.by.iter().any(is_so));
        all.extend(calls.map(|call| (call.what, Some(Maker::Call(cell.known_as())))));
    }
    all
}

/// Somebody who is waited for, and for what.
#[derive(Clone)]
struct Awaited {
    party: Party,
    what: String,
    has_begun: bool,
}

struct Look<'a> {
    runtime: &'a Shared,
    job: Option<JobId>,
    cells: Vec<Arc<Cell>>,
}

impl Look<'_> {
    /// The calls that somebody's code waits for.
    fn awaited_calls(&self) -> Vec<(Awaited, By)> {
        let mut all = Vec::new();
        for cell in &self.cells {
            for call in cell.open.awaited() {
                let (what, has_begun) = (call.what.to_owned(), call.has_begun);
                let target = Awaited { party: self.actor(cell), what, has_begun };
                all.extend(call.by.into_iter().map(|by| (target.clone(), by)));
            }
        }
        all
    }

    fn awaited_task(&self, task: &Task) -> Awaited {
        let what = "the result".to_owned();
        Awaited { party: self.task(task), what, has_begun: has_begun(task) }
    }

    /// Who waits, for how long at most, and whether for these many things alone, all of which are known.
    fn waiter(&self, by: By, many: Option<usize>) -> Option<(Party, Option<Duration>, bool)> {
        let many = many.unwrap_or_default();
        Some(match by.who {
            Body::Actor(id) => {
                let cell = self.runtime.table.cell(id)?;
                let busy = cell.probe.busy_for();
                let one_at_a_time = cell.options.concurrency() == 1 && busy.is_some();
                (self.actor(&cell), busy, one_at_a_time && cell.awaits.only(by, many))
            }
            Body::Task(number) => {
                let task = self.runtime.tasks.get(number)?;
                let runs_for = task.times().began().map(ago);
                // One whose time is limited does not wait for ever.
                let is_bound = has_begun(&task) && task.plan().run_limit.is_none();
                (self.task(&task), runs_for, is_bound && task.awaits().only(by, many))
            }
        })
    }

    /// What those tasks wait for that are waited for and have not begun, for want of their arguments; and so on.
    fn arguments(&self, mut open: Vec<Task>, waits: &mut Vec<Wait>) {
        let mut seen = HashSet::new();
        while let Some(task) = open.pop() {
            if task.state().phase() != Phase::Waiting || !seen.insert(task.id()) {
                continue;
            }
            let (missing, is_brought) = (task.missing(), !task.coming().is_empty());
            let made = missing.iter().filter_map(|(label, maker)| match (*maker)? {
                Maker::Task(number) => {
                    let task = self.runtime.tasks.get(number)?;
                    let target = self.awaited_task(&task);
                    open.push(task);
                    Some(target)
                }
                Maker::Call(id) => {
                    let cell = self.cells.iter().find(|cell| cell.known_as() == id)?;
                    let what = last(label, 1).to_owned();
                    Some(Awaited { party: self.actor(cell), what, has_begun: false })
                }
            });
            let made: Vec<Awaited> = made.collect();
            let is_bound = task.plan().queue_limit.is_none();
            let is_all = is_bound && made.len() == missing.len() && !is_brought;
            waits.extend(made.into_iter().map(|target| Wait {
                waiter: self.task(&task),
                target: target.party,
                what: target.what,
                age: Some(ago(task.times().submitted())),
                is_alone: is_all,
                has_begun: target.has_begun,
                poll: task.awaits().polls(),
            }));
        }
    }

    fn actor(&self, cell: &Cell) -> Party {
        Party { job: self.job, who: Who::Actor(cell.known_as()), label: cell.name.clone() }
    }

    fn task(&self, task: &Task) -> Party {
        Party { job: self.job, who: who(self.runtime, task), label: task.plan().name.clone() }
    }
}

fn who(runtime: &Shared, task: &Task) -> Who {
    Who::Task(task.known_as(runtime.id))
}

fn ago(then: Duration) -> Duration {
    clock::now().saturating_sub(then)
}

fn has_begun(task: &Task) -> bool {
    task.state().phase() == Phase::Running
}

/// The job that this process works for.
pub(super) fn job(runtime: &Shared) -> Option<JobId> {
    let as_driver = || runtime.driver.get().and_then(|driver| driver.job());
    runtime.neighbours.get().map(|own| own.job()).or_else(as_driver)
}

/// What is awaited so fails: calls, or a task. How many that were. Nobody waits for arguments there: of a circle the first wait is given up
/// for what has not begun, and who waits for arguments has not begun.
pub(super) fn give_up(runtime: &Shared, circle: &Circle) -> u64 {
    let Circle { wait, members } = circle;
    if wait.waiter.job != job(runtime) {
        return 0;
    }
    let is_waiter = |id: ActorId| {
        let cell = runtime.table.cell(id);
        cell.filter(|cell| Who::Actor(cell.known_as()) == wait.waiter.who)
    };
    let waits_so = |by: &By| {
        by.poll == wait.poll
            && match by.who {
                Body::Actor(id) => is_waiter(id).is_some_and(|cell| cell.awaits.is_last(*by)),
                Body::Task(number) => runtime.tasks.get(number).is_some_and(|task| {
                    who(runtime, &task) == wait.waiter.who && task.awaits().is_last(*by)
                }),
            }
    };
    let error = Error::Deadlock { circle: members.clone() };
    let is_so = |task: &&Task| {
        who(runtime, task) == wait.target.who && task.awaited_by().iter().any(waits_so)
    };
    let living = runtime.tasks.living();
    let tasks = living.iter().filter(is_so);
    let ended = tasks.filter(|task| task.end(Event::Cancel, error.clone())).count() as u64;
    let targets = forest::cells(&runtime.table).into_iter();
    let targets = targets.filter(|cell| Who::Actor(cell.known_as()) == wait.target.who);
    ended + targets.map(|target| target.open.fail(waits_so, &error)).sum::<u64>()
}

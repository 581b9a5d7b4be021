//! Why an actor has had no life yet: what it waits for, and who has that.

use std::sync::Arc;

use raytree_engine::task::Phase;
use raytree_types::inspect::{Story, StoryStep};
use raytree_types::{Resources, TaskId};

use super::forest;
use crate::cluster::hopeless;
use crate::runtime::Shared;
use crate::user::status::{Cell, Lifecycle};

/// Holders that are named; how many more there are is said.
const HOLDERS_MAX: usize = 5;

/// The story of an actor that waits for a place, by its id or its name; none where no such one waits.
pub(super) fn story(runtime: &Shared, which: &str) -> Option<Story> {
    let cells = forest::cells(&runtime.table);
    let is_it = |cell: &&Arc<Cell>| {
        let names = [cell.name.as_str(), cell.probe.name()];
        let is_called = names.contains(&which) || cell.known_as().to_string() == which;
        is_called && cell.status().lifecycle == Lifecycle::Pending
    };
    let cell = cells.iter().find(is_it)?;
    let wants = cell.options.demand().needed();
    let about = format!("{} ({})", cell.probe.name(), cell.known_as());
    if wants.is_none() {
        let now = "it waits for a process in which it can begin".to_owned();
        return Some(Story { about, id: Some(cell.id), now, ..Story::default() });
    }
    let now = format!("it waits for {wants}");
    let steps = short_of(runtime, &wants);
    Some(Story { about, id: Some(cell.id), now, steps, ..Story::default() })
}

/// What there is of something that is waited for, and who has it, those first.
pub(super) fn short_of(runtime: &Shared, wants: &Resources) -> Vec<StoryStep> {
    let cells = forest::cells(&runtime.table);
    let mut total = runtime.ledger.total();
    total.add(&runtime.peers.total());
    let mut free = runtime.ledger.free();
    free.add(&runtime.peers.free());
    let step = |who: &str, what: String| StoryStep {
        who: who.to_owned(),
        what,
        age: None,
        goes_on: true,
        place: None,
    };
    if let Some(reading) = runtime.memory.short() {
        // Whatever is free meanwhile.
        let what = format!("the node is short of it, and begins nothing new: {reading}");
        return vec![step("memory", what)];
    }
    if let Some(why) = hopeless::why(runtime, wants) {
        return vec![step("resources", format!("no node has {wants}: {why}"))];
    }
    let short = of_those(&free, wants);
    let mut steps =
        vec![step("resources", format!("free are {short} of {}", of_those(&total, wants)))];
    if let Some(held) = held(runtime, &cells, wants) {
        steps.insert(0, step("held by", held));
    }
    steps
}

/// The amounts of what is wanted.
fn of_those(all: &Resources, wants: &Resources) -> String {
    let some = wants.iter().fold(Resources::none(), |sum, (name, _)| {
        sum.with_thousandths(name, all.thousandths(name))
    });
    if some.is_none() {
        let names: Vec<&str> = wants.iter().map(|(name, _)| name).collect();
        return format!("0 {}", names.join(" and "));
    }
    some.to_string()
}

/// The part of what somebody holds that somebody else wants.
fn part_of(holds: &Resources, wants: &Resources) -> Resources {
    let some = wants.iter().filter(|(name, _)| holds.thousandths(name) > 0);
    some.fold(Resources::none(), |sum, (name, _)| {
        sum.with_thousandths(name, holds.thousandths(name))
    })
}

/// The actors and the running tasks that hold something of it.
fn held(runtime: &Shared, cells: &[Arc<Cell>], wants: &Resources) -> Option<String> {
    let holds = |cell: &Arc<Cell>| {
        let some = part_of(&cell.options.demand().running, wants);
        let lives = cell.status().lifecycle == Lifecycle::Alive;
        (lives && !some.is_none()).then(|| format!("{} ({some})", cell.probe.name()))
    };
    let tasks = runtime.tasks.living();
    let tasks = tasks.iter().filter(|task| task.state().phase() == Phase::Running);
    let tasks = tasks.filter_map(|task| {
        let plan = task.plan();
        let some = part_of(&plan.demand.running, wants);
        (!some.is_none()).then(|| {
            let id = TaskId::new(runtime.id, task.id());
            format!("{} ({id}, {some})", plan.name)
        })
    });
    let holders: Vec<String> = cells.iter().filter_map(holds).chain(tasks).collect();
    let more = match holders.len().saturating_sub(HOLDERS_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = holders.iter().take(HOLDERS_MAX).cloned().collect::<Vec<_>>().join(", ");
    (!holders.is_empty()).then(|| format!("{named}{more}"))
}

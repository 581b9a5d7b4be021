//! Why an actor has had no life yet: what it waits for, and who has that.

use std::sync::Arc;

use raytree_types::Resources;
use raytree_types::inspect::{Story, StoryStep};

use super::forest;
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
    let short = of_those(&free, &wants);
    let mut steps =
        vec![step("resources", format!("free are {short} of {}", of_those(&total, &wants)))];
    if let Some(held) = held(&cells, &wants) {
        steps.insert(0, step("held by", held));
    }
    let now = format!("it waits for {wants}");
    Some(Story { about, id: Some(cell.id), job: None, now, steps, is_cycle: false })
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

/// The actors that hold something of it, those with most to say first.
fn held(cells: &[Arc<Cell>], wants: &Resources) -> Option<String> {
    let holds = |cell: &Arc<Cell>| {
        let running = cell.options.demand().running;
        let some = wants.iter().filter(|(name, _)| running.thousandths(name) > 0);
        let some = some.fold(Resources::none(), |sum, (name, _)| {
            sum.with_thousandths(name, running.thousandths(name))
        });
        let lives = cell.status().lifecycle == Lifecycle::Alive;
        (lives && !some.is_none()).then(|| format!("{} ({some})", cell.probe.name()))
    };
    let holders: Vec<String> = cells.iter().filter_map(holds).collect();
    let more = match holders.len().saturating_sub(HOLDERS_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = holders.iter().take(HOLDERS_MAX).cloned().collect::<Vec<_>>().join(", ");
    (!holders.is_empty()).then(|| format!("{named}{more}"))
}

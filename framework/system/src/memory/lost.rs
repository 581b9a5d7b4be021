//! What is lost with a process that tasks and actors share, as far as it was sent there from here.

use std::collections::BTreeMap;

use crate::inspector::forest;
use crate::runtime::Shared;

/// Names that are said of each kind of thing; how many more there are is said. A line of the log has room for no more.
const NAMES_MAX: usize = 8;

/// The tasks and actors of this process that are hosted by the one of this name, each kind in a few words.
pub(crate) fn with(runtime: &Shared, host: &str) -> Vec<String> {
    let tasks = runtime.tasks.living();
    let tasks = tasks.iter().filter(|task| task.host().as_deref() == Some(host));
    let tasks = tasks.map(|task| task.plan().name.clone());
    let cells = forest::cells(&runtime.table);
    let actors = cells.iter().filter(|cell| cell.probe.host().as_deref() == Some(host));
    let actors = actors.map(|cell| cell.probe.name().to_owned());
    [said("task", tasks), said("actor", actors)].into_iter().flatten().collect()
}

/// `3 tasks (train 2, eval)`; none of none.
fn said(what: &str, names: impl Iterator<Item = String>) -> Option<String> {
    let mut counts = BTreeMap::<String, usize>::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    let all: usize = counts.values().sum();
    let mut named: Vec<(String, usize)> = counts.into_iter().collect();
    // Those of which there are equally many stay in order.
    named.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let more = named.len().saturating_sub(NAMES_MAX);
    let names = named.into_iter().take(NAMES_MAX).map(|(name, count)| match count {
        1 => name,
        count => format!("{name} {count}"),
    });
    let names = names.collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} other names") } else { String::new() };
    let plural = if all == 1 { "" } else { "s" };
    (all > 0).then(|| format!("{all} {what}{plural} ({names}{more})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_most_of_comes_first() {
        let said = |names: &[&str]| said("task", names.iter().map(|name| (*name).to_owned()));
        assert_eq!(said(&[]), None);
        assert_eq!(said(&["a"]).as_deref(), Some("1 task (a)"));
        assert_eq!(said(&["a", "b", "b"]).as_deref(), Some("3 tasks (b 2, a)"));
        let many: Vec<String> = (0..10).map(|number| format!("t{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let eight = "t0, t1, t2, t3, t4, t5, t6, t7";
        assert_eq!(said(&many), Some(format!("10 tasks ({eight} and 2 other names)")));
    }
}

//! What is lost with a process that tasks and actors share, as far as this process knows of it: whoever has sent it there does.

use std::collections::BTreeMap;

use raytree_types::limits;

use crate::inspector::forest;
use crate::link::Link;
use crate::runtime::Shared;

// An entry of the log has room for all of it, and for the sentence before.
const _: () = assert!(
    2 * limits::LOST_NAMES_BYTES_MAX + limits::INSPECT_CAUSE_CHARS_MAX < limits::EVENT_CHARS_MAX
);

/// The tasks and actors of this process that are hosted by the one of this name, and the objects that this one knows of over the link
/// with it: each kind in a few words. What lies in the store of its node stays there, and is not lost.
pub(crate) fn with(runtime: &Shared, host: &str, link: Option<&Link>) -> Vec<String> {
    let tasks = runtime.tasks.living();
    let tasks = tasks.iter().filter(|task| task.host().as_deref() == Some(host));
    let tasks = tasks.map(|task| task.plan().name.clone());
    let cells = forest::cells(&runtime.table);
    let actors = cells.iter().filter(|cell| cell.probe.host().as_deref() == Some(host));
    let actors = actors.map(|cell| cell.options.given_name().unwrap_or(&cell.name).to_owned());
    let objects = objects(link.map_or(0, Link::owed));
    [said("task", tasks), said("actor", actors), objects].into_iter().flatten().collect()
}

/// `3 tasks (train 2, eval)`; none of none. Of more names than there is room for: `40 tasks (train 30, eval 2 and 8 more)`.
fn said(what: &str, names: impl Iterator<Item = String>) -> Option<String> {
    let mut counts = BTreeMap::<String, usize>::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    let all: usize = counts.values().sum();
    let mut named: Vec<(String, usize)> = counts.into_iter().collect();
    // Those of which there are equally many stay in order.
    named.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let (mut listed, mut more) = (String::new(), all);
    for (name, count) in named {
        let before = if listed.is_empty() { "" } else { ", " };
        let one = match count {
            1 => format!("{before}{name}"),
            count => format!("{before}{name} {count}"),
        };
        if listed.len() + one.len() > limits::LOST_NAMES_BYTES_MAX {
            break;
        }
        listed += &one;
        more -= count;
    }
    let listed = match (&*listed, more) {
        ("", _) => String::new(),
        (names, 0) => format!(" ({names})"),
        (names, more) => format!(" ({names} and {more} more)"),
    };
    (all > 0).then(|| format!("{}{listed}", counted(all, what)))
}

fn objects(count: usize) -> Option<String> {
    (count > 0).then(|| format!("{} of its own", counted(count, "object")))
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Option<String> {
        said("task", names.into_iter().map(Into::into))
    }

    #[test]
    fn what_there_is_most_of_comes_first() {
        assert_eq!(tasks([""; 0]), None);
        assert_eq!(tasks(["a"]).as_deref(), Some("1 task (a)"));
        assert_eq!(tasks(["a", "b", "b"]).as_deref(), Some("3 tasks (b 2, a)"));
        let many = (0..40).map(|number| format!("t{number:02}"));
        let names = many.clone().collect::<Vec<_>>().join(", ");
        assert_eq!(tasks(many), Some(format!("40 tasks ({names})")));
    }

    #[test]
    fn where_there_is_no_room_for_a_name_it_is_said_how_many_more_there_are() {
        let long = |of: char| of.to_string().repeat(300);
        let (a, b) = (long('a'), long('b'));
        let all = ["c", "c", "c"].map(str::to_owned).into_iter();
        let all = all.chain([&a, &a, &b, &long('d'), &long('e')].map(String::clone));
        assert_eq!(tasks(all), Some(format!("8 tasks (c 3, {a} 2, {b} and 2 more)")));
        let most = (0..10_000).map(|number| format!("task {number}"));
        let said = tasks(most).expect("tasks");
        assert!(
            said.ends_with(" more)") && said.len() < limits::LOST_NAMES_BYTES_MAX + 64,
            "{said}"
        );
        assert_eq!(tasks(["x".repeat(5000)]).as_deref(), Some("1 task"));
    }

    #[test]
    fn objects_are_counted() {
        let said = [0, 1, 2].map(objects);
        let some = ["1 object of its own", "2 objects of its own"].map(|own| Some(own.to_owned()));
        assert_eq!(said, [None, some[0].clone(), some[1].clone()]);
    }
}

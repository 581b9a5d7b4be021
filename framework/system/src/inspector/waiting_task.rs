//! Why a task is as it is: from the task itself, along the arguments that are not there, to whatever the last of them waits for.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use raytree_engine::task::Phase;
use raytree_supervise::clock;
use raytree_types::TaskId;
use raytree_types::inspect::{Story, StoryStep};

use super::pending;
use crate::object::cell::Maker;
use crate::runtime::Shared;
use crate::task::history::{How, Past};
use crate::task::run::Runnable;

/// Arguments that are named; how many more are missing is said.
const NAMED_MAX: usize = 3;

/// The story of a task of this process; none where it knows no such one.
pub(super) fn story(runtime: &Shared, which: &str) -> Option<Story> {
    let is_it = |number: u64| TaskId::new(runtime.id, number).to_string() == which;
    let (alive, past, _) = runtime.tasks.all();
    if let Some(task) = alive.iter().find(|task| is_it(task.id())) {
        return Some(of_living(runtime, task));
    }
    // Its last attempt says how it is.
    let past = past.iter().filter(|past| is_it(past.id)).max_by_key(|past| past.ended)?;
    Some(of_past(runtime, past))
}

fn called(runtime: &Shared, name: &str, number: u64) -> String {
    format!("{name} ({})", TaskId::new(runtime.id, number))
}

/// The last parts of a path in the program, so many of them.
pub(super) fn last(path: &str, parts: usize) -> &str {
    let mut ends = path.rmatch_indices("::");
    ends.nth(parts - 1).map_or(path, |(at, sign)| &path[at + sign.len()..])
}

fn told(about: String, now: String, steps: Vec<StoryStep>) -> Story {
    Story { about, now, steps, ..Story::default() }
}

fn step(who: String, what: String, since: Option<Duration>) -> StoryStep {
    let age = since.map(|since| clock::now().saturating_sub(since));
    StoryStep { who, what, age, goes_on: true, place: None }
}

fn of_past(runtime: &Shared, past: &Past) -> Story {
    let about = called(runtime, &past.plan.name, past.id);
    let place = past.host.as_ref().map_or_else(String::new, |host| format!(" in {host}"));
    let ran = past.began.map(|began| past.ended.saturating_sub(began));
    let ran =
        ran.map_or_else(|| ", and never ran".to_owned(), |ran| format!(" after {ran:.1?}{place}"));
    let age = Some(clock::now().saturating_sub(past.ended));
    match &past.how {
        How::Finished => told(about, format!("it has returned{ran}"), Vec::new()),
        How::Cancelled => told(about, format!("it was cancelled{ran}"), Vec::new()),
        How::Failed(why) => {
            let step = StoryStep {
                who: about.clone(),
                what: why.to_string(),
                age,
                goes_on: false,
                place: None,
            };
            told(about, format!("it has failed{ran}"), vec![step])
        }
    }
}

fn of_living(runtime: &Shared, task: &Arc<dyn Runnable>) -> Story {
    let about = called(runtime, &task.plan().name, task.id());
    let (mut steps, mut seen) = (Vec::new(), HashSet::new());
    let mut next = Some(Arc::clone(task));
    while let Some(one) = next.take().filter(|one| seen.insert(one.id())) {
        let who = called(runtime, &one.plan().name, one.id());
        let (submitted, own) = (Some(one.times().submitted()), steps.len());
        match one.state().phase() {
            Phase::Waiting => {
                let missing = one.missing();
                let named = missing.iter().take(NAMED_MAX).map(|(label, maker)| match maker {
                    Some(Maker::Task(number)) => called(runtime, last(label, 1), *number),
                    Some(Maker::Call(actor)) => format!("{} of {actor}", last(label, 1)),
                    None => last(label, 1).to_owned(),
                });
                let coming = one.coming();
                let come =
                    coming.iter().map(|(label, from)| format!("{}, which {from}", last(label, 1)));
                let named = named.chain(come).take(NAMED_MAX).collect::<Vec<_>>().join(", ");
                let more = match (missing.len() + coming.len()).saturating_sub(NAMED_MAX) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                steps.push(step(who, format!("waits for its arguments: {named}{more}"), submitted));
                let first = missing.iter().find_map(|(_, maker)| match maker {
                    Some(Maker::Task(number)) => runtime.tasks.get(*number),
                    _ => None,
                });
                next = first;
            }
            Phase::Queued => {
                let wants = one.plan().demand.needed();
                steps.push(step(who, format!("waits for {wants}"), submitted));
                steps.extend(pending::short_of(runtime, &wants));
            }
            Phase::Running => {
                let began = one.times().began();
                let where_it_is = match one.host() {
                    Some(host) => format!("was sent to {host}, which runs it or will"),
                    None if one.is_waiting() => "runs, and waits for objects".to_owned(),
                    None => "runs".to_owned(),
                };
                steps.push(step(who, where_it_is, began));
            }
            Phase::Done => steps.push(step(who, "is over".to_owned(), None)),
        }
        if let (Some(lost), Some(step)) = (one.lost(), steps.get_mut(own)) {
            step.what += &format!("; it runs again, for its result is lost: {lost}");
        }
    }
    let now = steps.first().map_or_else(String::new, |own| format!("it {}", own.what));
    // What it does itself is no cause of anything; whatever all the others wait for comes first.
    let mut rest = steps;
    if rest.len() == 1 {
        rest.clear();
    }
    rest.reverse();
    told(about, now, rest)
}

#[cfg(test)]
mod tests {
    use super::last;

    #[test]
    fn paths_are_shown_by_their_ends() {
        assert_eq!((last("a::b::load", 1), last("a::b::load", 2)), ("load", "b::load"));
        assert_eq!((last("load", 1), last("a::load", 2), last("", 1)), ("load", "a::load", ""));
    }
}

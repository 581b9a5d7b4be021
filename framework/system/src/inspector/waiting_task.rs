//! Why a task is as it is: from the task itself, along what it waits for, its arguments first, to whatever the last of them waits for: in the
//! process that runs it, where that is another one, and to the actor whose answer it is.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use raytree_engine::task::Phase;
use raytree_supervise::clock;
use raytree_types::inspect::{Story, StoryStep};
use raytree_types::{ActorId, TaskId};

use super::{onward, pending, waits};
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
    let is_meant =
        |task: &&Arc<dyn Runnable>| is_it(task.id()) || onward::is_served(runtime, &***task, which);
    if let Some(task) = alive.iter().find(is_meant) {
        return Some(of_living(runtime, task));
    }
    // Its last attempt says how it is.
    let past = past.iter().filter(|past| is_it(past.id)).max_by_key(|past| past.ended)?;
    Some(of_past(runtime, past))
}

/// As whoever has submitted it knows it.
fn called(runtime: &Shared, name: &str, number: u64) -> String {
    let own = || TaskId::new(runtime.id, number);
    let id = runtime.tasks.get(number).map_or_else(own, |task| task.known_as(runtime.id));
    format!("{name} ({id})")
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

/// What a task waits for next.
enum Next {
    Task(Arc<dyn Runnable>),
    Call(ActorId),
}

impl Next {
    /// The first of what is not there yet of which it is known who makes it.
    fn of(runtime: &Shared, missing: &[(&'static str, Option<Maker>)]) -> Option<Self> {
        missing.iter().find_map(|(_, maker)| match (*maker)? {
            Maker::Task(number) => runtime.tasks.get(number).map(Self::Task),
            Maker::Call(actor) => Some(Self::Call(actor)),
        })
    }
}

fn of_living(runtime: &Shared, task: &Arc<dyn Runnable>) -> Story {
    let about = called(runtime, &task.plan().name, task.id());
    let (mut steps, mut seen) = (Vec::new(), HashSet::new());
    let mut next = Some(Next::Task(Arc::clone(task)));
    while let Some(waits_for) = next.take() {
        match waits_for {
            Next::Task(one) if seen.insert(one.id()) => next = goes_on(runtime, &one, &mut steps),
            Next::Task(_) => {}
            Next::Call(actor) => {
                let asks = runtime.life.runtime();
                steps.extend(asks.map(|own| onward::actor(&own, actor)).unwrap_or_default());
            }
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

/// How one of the tasks on the way is; what it waits for.
fn goes_on(runtime: &Shared, one: &Arc<dyn Runnable>, steps: &mut Vec<StoryStep>) -> Option<Next> {
    let who = called(runtime, &one.plan().name, one.id());
    let (submitted, own) = (Some(one.times().submitted()), steps.len());
    let mut next = None;
    match one.state().phase() {
        Phase::Waiting => {
            let (missing, coming) = (one.missing(), one.coming());
            let named = named(runtime, &missing, &coming);
            steps.push(step(who, format!("waits for its arguments: {named}"), submitted));
            next = Next::of(runtime, &missing);
        }
        Phase::Queued => {
            let wants = one.plan().demand.needed();
            steps.push(step(who, format!("waits for {wants}"), submitted));
            steps.extend(pending::short_of(runtime, &wants));
        }
        Phase::Running => {
            let began = one.times().began();
            match one.host() {
                Some(host) => steps.extend(away(runtime, one, (who, &host), began)),
                None => {
                    let awaited = waits::awaited(runtime, one);
                    next = Next::of(runtime, &awaited);
                    let what = match awaited.is_empty() {
                        false => format!("runs, and waits for {}", named(runtime, &awaited, &[])),
                        true if one.is_waiting() => "runs, and waits for objects".to_owned(),
                        true => "runs".to_owned(),
                    };
                    steps.push(step(who, what, began));
                }
            }
        }
        Phase::Done => steps.push(step(who, "is over".to_owned(), None)),
    }
    if let (Some(lost), Some(step)) = (one.lost(), steps.get_mut(own)) {
        step.what += &format!("; it runs again, for its result is lost: {lost}");
    }
    next
}

/// One that was sent to another process, and what that says of it.
fn away(
    runtime: &Shared,
    one: &Arc<dyn Runnable>,
    (who, host): (String, &str),
    began: Option<Duration>,
) -> Vec<StoryStep> {
    let there = runtime.life.runtime().and_then(|own| onward::served(&own, &**one));
    let Some(Story { now, steps, about, .. }) = there else {
        return vec![step(who, format!("was sent to {host}, which runs it or will"), began)];
    };
    let own = step(who, format!("was sent to {host}, where {now}"), began);
    // How it is there itself is said already.
    let before = steps.into_iter().rev().filter(|step| step.who != about);
    std::iter::once(own).chain(before).collect()
}

/// The first of what is not there, by name.
fn named(
    runtime: &Shared,
    missing: &[(&'static str, Option<Maker>)],
    coming: &[(&'static str, &'static str)],
) -> String {
    let made = missing.iter().take(NAMED_MAX).map(|(label, maker)| match maker {
        Some(Maker::Task(number)) => called(runtime, last(label, 1), *number),
        Some(Maker::Call(actor)) => format!("{} of {actor}", last(label, 1)),
        None => last(label, 1).to_owned(),
    });
    let come = coming.iter().map(|(label, from)| format!("{}, which {from}", last(label, 1)));
    let named = made.chain(come).take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    match (missing.len() + coming.len()).saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
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

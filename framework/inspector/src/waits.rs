//! Who waits for whom, over all processes, as stories: deadlocks first, then who has waited longest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Weak;
use std::time::Duration;

use raytree_engine::waits::{Edge, circles, stuck};
use raytree_types::inspect::{
    Answer, Circle, Edges, Missing, Party, Request, Story, StoryStep, Wait, Who,
};
use raytree_types::{JobId, limits};

use crate::Inspected;
use crate::whole::{Seam, ask_all, seams};

/// All of this process and of those below it, as each of them is when it is asked.
pub(crate) fn edges(inspected: &Weak<dyn Inspected>, within: Duration) -> Edges {
    let Some(held) = inspected.upgrade() else { return Edges::default() };
    let (own, root) = (held.waits(), held.root());
    drop(held);
    with_those_below(own, &seams(&root, None), within)
}

/// These, and those of the processes below. Of one that does not answer it is said that it is missing: who waits there is not
/// known.
fn with_those_below(own: Vec<Wait>, seams: &[Seam], within: Duration) -> Edges {
    let mut all = Edges { waits: own, missing: Vec::new() };
    let answers = ask_all(seams, |passage| passage.asks(&Request::Edges, within));
    for (seam, answer) in seams.iter().zip(answers) {
        let path = seam.mirror.path();
        match answer {
            Ok(Answer::Edges(edges)) => {
                all.waits.extend(edges.waits);
                all.missing.extend(edges.missing.into_iter().map(|one| one.seen_from(&path)));
            }
            Ok(_) => all.missing.push(Missing { path, why: "it makes no sense".to_owned() }),
            Err(why) if why.is_shut => {}
            Err(why) => all.missing.push(Missing { path, why: why.to_string() }),
        }
    }
    cut(&mut all.waits);
    all
}

/// Of one whose waits are not all shown it is not known what else it waits for.
fn cut(waits: &mut Vec<Wait>) {
    if waits.len() <= limits::INSPECT_WAITS_MAX {
        return;
    }
    let cut = waits.split_off(limits::INSPECT_WAITS_MAX);
    let cut: BTreeSet<Key> = cut.iter().map(|wait| key(&wait.waiter)).collect();
    waits.iter_mut().filter(|wait| cut.contains(&key(&wait.waiter))).for_each(|wait| {
        wait.is_alone = false;
    });
}

/// Those that hold at the same time. Processes are read one after the other, so all are read twice: one who has not been gone on
/// with between its two reads has waited for the same all the while.
pub(crate) fn at_once(inspected: &Weak<dyn Inspected>, within: Duration) -> Edges {
    let first = edges(inspected, within / 2);
    let Edges { waits, missing } = edges(inspected, within / 2);
    Edges { waits: together(&first.waits, waits), missing }
}

/// Those of the second time that already were so the first time.
fn together(first: &[Wait], mut then: Vec<Wait>) -> Vec<Wait> {
    let of = |wait: &Wait| (key(&wait.waiter), key(&wait.target), wait.poll);
    let before: BTreeSet<_> = first.iter().filter(|wait| wait.is_alone).map(of).collect();
    for wait in &mut then {
        wait.is_alone &= before.contains(&of(wait));
    }
    then
}

/// Of each circle among the waits of `job`, seen twice, the wait that is to be given up: the first one for something that has not
/// begun, so that nothing is broken off in the middle; else that of its smallest member.
#[must_use]
pub fn to_give_up(first: &[Wait], then: Vec<Wait>, job: Option<JobId>) -> Vec<Circle> {
    let mut waits = together(first, then);
    waits.retain(|wait| wait.waiter.job == job);
    let edges: Vec<Edge<Key>> = waits.iter().map(edge).collect();
    let circles = circles(&edges, &stuck(&edges));
    let given_up = circles.iter().filter_map(|circle| {
        let next = circle.iter().cycle().skip(1);
        let own = circle.iter().zip(next).filter_map(|(one, next)| wait_of(&waits, one, next));
        let mut own: Vec<&Wait> = own.collect();
        let gentle = own.iter().position(|wait| !wait.has_begun);
        own.rotate_left(gentle.unwrap_or_default());
        let mut members: Vec<String> =
            own.iter().map(|wait| format!("{} for {}", wait.waiter, wait.what)).collect();
        let wait = (*own.first()?).clone();
        members.push(wait.waiter.to_string());
        Some(Circle { wait, members })
    });
    given_up.collect()
}

type Key = (Option<JobId>, Who);

fn key(party: &Party) -> Key {
    (party.job, party.who)
}

/// One story for each deadlock, and one for each chain of those who have waited for a while; each begins with whoever waits, and each
/// step waits for the next one.
pub(crate) fn stories(waits: &[Wait]) -> Vec<Story> {
    let edges: Vec<Edge<Key>> = waits.iter().map(edge).collect();
    let stuck = stuck(&edges);
    let circles = circles(&edges, &stuck);
    let mut stories: Vec<Story> = circles.iter().map(|circle| deadlock(circle, waits)).collect();
    let in_circle: BTreeSet<Key> = circles.into_iter().flatten().collect();
    stories.extend(chains(waits, &in_circle));
    stories
}

/// What one waits for, whoever all the others wait for first, and whether it is part of a deadlock; nothing when it waits for
/// nobody.
pub(crate) fn of(waits: &[Wait], job: Option<JobId>, who: Who) -> Option<(Vec<StoryStep>, Fate)> {
    let begin = waits.iter().find(|wait| key(&wait.waiter) == (job, who))?;
    let edges: Vec<Edge<Key>> = waits.iter().map(edge).collect();
    let stuck = stuck(&edges);
    let own = key(&begin.waiter);
    let fate = match stuck.contains(&own) {
        true if circles(&edges, &stuck).iter().any(|circle| circle.contains(&own)) => Fate::Circle,
        true => Fate::Behind,
        false => Fate::Waits,
    };
    let (mut steps, mut seen, mut next) = (Vec::new(), BTreeSet::new(), Some(begin));
    while let Some(wait) = next.filter(|wait| seen.insert(key(&wait.waiter))) {
        steps.push(step(wait));
        let target = key(&wait.target);
        next = waits.iter().find(|wait| key(&wait.waiter) == target);
    }
    steps.reverse();
    Some((steps, fate))
}

/// What becomes of one who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It gets its answer, as far as is known.
    Waits,
    /// It waits for those of a circle.
    Behind,
    /// It is part of a circle.
    Circle,
}

fn edge(wait: &Wait) -> Edge<Key> {
    let (waiter, target) = (key(&wait.waiter), key(&wait.target));
    Edge { waiter, target, is_alone: wait.is_alone }
}

/// The wait of one for the next.
fn wait_of<'a>(waits: &'a [Wait], waiter: &Key, target: &Key) -> Option<&'a Wait> {
    waits.iter().find(|wait| key(&wait.waiter) == *waiter && key(&wait.target) == *target)
}

fn deadlock(circle: &[Key], waits: &[Wait]) -> Story {
    let next = circle.iter().cycle().skip(1);
    let own = circle.iter().zip(next).filter_map(|(one, next)| wait_of(waits, one, next));
    let steps: Vec<StoryStep> = own.map(step).collect();
    let names: Vec<&str> = steps.iter().map(|step| &*step.who).collect();
    let first = names.first().copied().unwrap_or_default();
    let about = format!("{} \u{2192} {first}", names.join(" \u{2192} "));
    let now = "each waits for an answer of the next, and none takes up anything else: this lasts until one of them gives up";
    Story { about, now: now.to_owned(), steps, is_cycle: true, ..Story::default() }
}

fn step(wait: &Wait) -> StoryStep {
    StoryStep {
        who: wait.waiter.to_string(),
        what: format!("waits for {} of {}", wait.what, wait.target),
        age: wait.age,
        goes_on: true,
        place: None,
    }
}

/// From each one for whom nobody waits, along the longest waits, to the one at the end, who waits for nobody.
fn chains(waits: &[Wait], in_circle: &BTreeSet<Key>) -> Vec<Story> {
    let long = |wait: &&Wait| wait.age.is_some_and(|age| age >= limits::WAIT_IS_LONG);
    let mut next: BTreeMap<Key, &Wait> = BTreeMap::new();
    for wait in waits.iter().filter(long) {
        let longest = next.entry(key(&wait.waiter)).or_insert(wait);
        if wait.age > longest.age {
            *longest = wait;
        }
    }
    let awaited: BTreeSet<Key> = next.values().map(|wait| key(&wait.target)).collect();
    let begins = next.keys().filter(|one| !awaited.contains(*one) && !in_circle.contains(*one));
    let chain = |begin: &Key| {
        let (mut steps, mut one, mut seen) = (Vec::new(), *begin, BTreeSet::new());
        while let Some(wait) = next.get(&one).filter(|_| seen.insert(one)) {
            steps.push(step(wait));
            one = key(&wait.target);
            if in_circle.contains(&one) {
                break;
            }
        }
        let about = next.get(begin).map(|wait| wait.waiter.to_string()).unwrap_or_default();
        let ends = if in_circle.contains(&one) { ", into a deadlock" } else { "" };
        let now = match steps.len() {
            1 => format!("waits{ends}"),
            many => format!("waits, over {many} steps{ends}"),
        };
        Story { about, now, steps, ..Story::default() }
    };
    let mut begins: Vec<&Key> = begins.collect();
    begins.sort_by_key(|one| std::cmp::Reverse(next.get(*one).and_then(|wait| wait.age)));
    begins.into_iter().take(limits::INSPECT_CHAINS_MAX).map(chain).collect()
}

#[cfg(test)]
mod tests {
    use raytree_types::{ActorIds, RuntimeId};

    use super::*;
    use crate::fakes::{seam, shut, silent};

    #[test]
    fn what_has_not_begun_is_given_up_and_only_what_is_there_twice() {
        let ids = ActorIds::new(RuntimeId::given(1));
        let all = ["one", "two"].map(|label| Party {
            job: None,
            who: Who::Actor(ids.next()),
            label: label.to_owned(),
        });
        let wait = |waiter: usize, has_begun, poll| Wait {
            waiter: all[waiter].clone(),
            target: all[1 - waiter].clone(),
            what: "ask".to_owned(),
            age: None,
            is_alone: true,
            has_begun,
            poll,
        };
        let first = [wait(0, true, 1), wait(1, false, 4)];
        let circles = to_give_up(&first, first.to_vec(), None);
        let [circle] = &circles[..] else { panic!("one circle: {circles:?}") };
        assert_eq!((&circle.wait, circle.members.len()), (&first[1], 3));
        assert!(circle.members[0].starts_with("two "), "{:?}", circle.members);
        let gone_on = vec![wait(0, true, 2), wait(1, false, 4)];
        assert_eq!(to_give_up(&first, gone_on, None), []);
        let other = Some(JobId(7));
        assert_eq!(to_give_up(&first, first.to_vec(), other), []);
    }

    #[test]
    fn a_chain_begins_with_whoever_waits_and_each_waits_for_the_next() {
        let ids = ActorIds::new(RuntimeId::given(1));
        let all = ["guest", "waiter", "cook", "oven"].map(|label| Party {
            job: None,
            who: Who::Actor(ids.next()),
            label: label.to_owned(),
        });
        let wait = |waiter: usize| Wait {
            waiter: all[waiter].clone(),
            target: all[waiter + 1].clone(),
            what: "soup".to_owned(),
            age: Some(Duration::from_secs(9)),
            is_alone: true,
            has_begun: true,
            poll: 1,
        };
        let [story] = &stories(&[wait(1), wait(2), wait(0)])[..] else { panic!("one chain") };
        assert_eq!((&*story.about, &*story.now), ("guest (actor-1-1)", "waits, over 3 steps"));
        let steps: Vec<_> = story.steps.iter().map(|step| (&*step.who, &*step.what)).collect();
        assert_eq!(
            steps,
            [
                ("guest (actor-1-1)", "waits for soup of waiter (actor-1-2)"),
                ("waiter (actor-1-2)", "waits for soup of cook (actor-1-3)"),
                ("cook (actor-1-3)", "waits for soup of oven (actor-1-4)"),
            ]
        );
    }

    #[test]
    fn who_gives_no_answer_is_missing_from_the_waits() {
        let below = Missing { path: "b/workers/job-1".to_owned(), why: "it hung up".to_owned() };
        let edges = Edges { waits: Vec::new(), missing: vec![below] };
        let seams = [
            seam("raytree/node_pool/a", |_| Err(silent())),
            seam("raytree/node_pool/b", move |_| Ok(Answer::Edges(edges.clone()))),
            seam("raytree/node_pool/c", |_| Err(shut())),
        ];
        let all = with_those_below(Vec::new(), &seams, Duration::from_secs(1));
        let missing: Vec<_> = all.missing.iter().map(|one| &*one.path).collect();
        assert_eq!(missing, ["raytree/node_pool/a", "raytree/node_pool/b/workers/job-1"]);
    }

    #[test]
    fn a_deadlock_is_named_before_those_who_wait_for_it() {
        let ids = ActorIds::new(RuntimeId::given(1));
        let all: Vec<Party> = ["fork-1", "fork-2", "guest", "cook", "salt"]
            .map(|label| Party { job: None, who: Who::Actor(ids.next()), label: label.to_owned() })
            .to_vec();
        let wait = |waiter: usize, target: usize, seconds| Wait {
            waiter: all[waiter].clone(),
            target: all[target].clone(),
            what: "take".to_owned(),
            age: Some(Duration::from_secs(seconds)),
            is_alone: true,
            has_begun: true,
            poll: 1,
        };
        let waits = [wait(1, 0, 9), wait(0, 1, 9), wait(2, 0, 8), wait(3, 4, 5), wait(4, 3, 0)];
        let told = stories(&waits[..4]);
        let lines: Vec<String> =
            told.iter().map(|story| format!("{} {}", story.about, story.is_cycle)).collect();
        assert_eq!(
            lines,
            [
                "fork-1 (actor-1-1) \u{2192} fork-2 (actor-1-2) \u{2192} fork-1 (actor-1-1) true",
                "guest (actor-1-3) false",
                "cook (actor-1-4) false",
            ]
        );
        assert_eq!(told[1].now, "waits, into a deadlock");
        assert_eq!(told[2].steps[0].what, "waits for take of salt (actor-1-5)");
        assert_eq!(stories(&waits).len(), 3, "a second circle, and the guest");
    }
}

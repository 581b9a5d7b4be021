//! Why an actor is as it is: from the log of its tree to the root cause, and from there to what became of it. Pure.
//!
//! A supervisor that gives up fails because a child of its failed too often; so the way to the root goes down, from each failure to
//! the last one below it that came before. Where that is in a process that has ended, or is too old to be kept, the cause itself
//! says where it came from. What was decided afterwards follows in the order of time.

use std::time::Duration;

use raytree_types::WayStep;
use raytree_types::inspect::{ActorDetail, ActorState, Event, EventKind, Story, StoryStep};

/// The story of one actor, from its details and the log of its process, at `now` since 1970.
pub(crate) fn of(detail: &ActorDetail, events: &[Event], now: Duration) -> Story {
    let about = detail.path.clone();
    let said = self::now(detail);
    let Some(root) = root(&about, events) else {
        return Story { about, id: detail.row.id, now: said, ..Story::default() };
    };
    let path = events[root].path.clone();
    // Whoever stands between the root cause and the one asked about, and above him.
    let concerns =
        |event: &&Event| is_at_or_below(&path, &event.path) || is_at_or_below(&about, &event.path);
    let first = begins(&path, events, root);
    let told = events[first..].iter().filter(concerns);
    let steps = [came(&events[root], now), steps(told, now)].concat();
    Story { about, id: detail.row.id, now: said, steps, ..Story::default() }
}

/// How it is, in one sentence.
fn now(detail: &ActorDetail) -> String {
    let row = &detail.row;
    let queue = match row.queued {
        0 => String::new(),
        queued if queued >= row.queue_limit => {
            format!(", and its mailbox is full: {queued} of {}", row.queue_limit)
        }
        queued => format!(", and {queued} of {} wait in its mailbox", row.queue_limit),
    };
    let does = match (row.state, &row.current, row.busy_for) {
        (ActorState::Running, Some(current), Some(since)) => {
            format!("it has been handling {current} for {}", seconds(since))
        }
        (ActorState::Running, ..) => "it runs, and has nothing to do".to_owned(),
        (ActorState::Restarting, ..) => restarting(detail),
        (state, ..) => format!("it is {state}"),
    };
    format!("{does}{queue}")
}

/// Which of its lives is to come when, and what the last one ended by.
fn restarting(detail: &ActorDetail) -> String {
    let own_restarts = detail.policy.as_ref().and_then(|policy| policy.own_restarts);
    let tried = own_restarts
        .map_or_else(String::new, |total| format!(", try {} of {total}", detail.row.restarts));
    let cause = detail.row.last_cause.as_ref();
    let cause = cause.map_or_else(String::new, |cause| format!(", after `{cause}`"));
    let begins = detail
        .next_life_in
        .map_or_else(String::new, |due| format!(": its next life begins in {}", seconds(due)));
    format!("it is restarting{tried}{cause}{begins}")
}

fn seconds(time: Duration) -> String {
    match time.as_secs_f64() {
        short if short < 1.0 => format!("{:.0} ms", short * 1e3),
        long => format!("{long:.1} s"),
    }
}

/// The place of the root cause in the log: the last failure of the one asked about, or of one above it that took it along, and
/// then the last one below that which came before.
fn root(about: &str, events: &[Event]) -> Option<usize> {
    let is_failure = |event: &Event| event.kind == EventKind::Failed;
    let mut at =
        events.iter().rposition(|event| is_failure(event) && is_at_or_below(about, &event.path))?;
    loop {
        // Failing because a child did is said right before.
        let gave_up = events[..at]
            .iter()
            .rposition(|event| event.path == events[at].path)
            .filter(|before| events[*before].kind == EventKind::GaveUp);
        let Some(gave_up) = gave_up else { return Some(at) };
        let path = &events[gave_up].path;
        let below = events[..gave_up].iter().rposition(|event| {
            is_failure(event) && event.path != *path && is_at_or_below(&event.path, path)
        });
        match below {
            Some(below) => at = below,
            None => return Some(at),
        }
    }
}

/// Where the row of failures begins that ends with this one: each after a restart that did not help.
fn begins(path: &str, events: &[Event], last: usize) -> usize {
    let mut first = last;
    let own = events[..last].iter().enumerate().rev().filter(|(_, event)| event.path == path);
    for (at, event) in own {
        match event.kind {
            EventKind::Failed => first = at,
            EventKind::Restart | EventKind::Up => {}
            EventKind::Ended | EventKind::GaveUp | EventKind::Warning => break,
        }
    }
    first
}

/// `path` is this place, or one below it.
fn is_at_or_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The way that a failure has come whose origin is in no log that is left.
fn came(event: &Event, now: Duration) -> Vec<StoryStep> {
    let Some(cause) = &event.cause else { return Vec::new() };
    let age = Some(now.saturating_sub(event.at));
    let step = |(number, step): (usize, &WayStep)| {
        let what = match step.left_out {
            0 => step.what.clone(),
            more => format!("{more} more gave up before it; {}", step.what),
        };
        let place = cause.place.clone().filter(|_| number == 0);
        StoryStep { who: step.who.clone(), what, age, goes_on: false, place }
    };
    // What the one itself did is in the log.
    let before = cause.way.iter().enumerate().filter(|(_, step)| step.who != event.path);
    before.map(step).collect()
}

/// What is said of one entry: where a failure came from is told before it.
fn what(event: &Event) -> String {
    match event.cause.as_ref().filter(|cause| !cause.way.is_empty()) {
        Some(cause) if event.kind == EventKind::Failed => {
            format!("failed with it: {}", cause.message)
        }
        _ => event.what.clone(),
    }
}

/// One step for each entry; failures and restarts of the same one that follow each other are one step.
fn steps<'a>(events: impl Iterator<Item = &'a Event>, now: Duration) -> Vec<StoryStep> {
    let mut steps: Vec<(StoryStep, Run)> = Vec::new();
    for event in events {
        let origin = event.cause.as_ref().filter(|cause| cause.way.is_empty());
        let place = origin.and_then(|cause| cause.place.clone());
        let age = Some(now.saturating_sub(event.at));
        match steps.last_mut().filter(|(step, _)| step.who == event.path) {
            Some((step, run)) if run.goes_on(event.kind) => {
                run.takes(event);
                // The last failure is what is shown of them all.
                if event.kind == EventKind::Failed {
                    step.what = what(event);
                    step.place = place;
                }
                step.age = age;
            }
            _ => {
                let mut run = Run::default();
                run.takes(event);
                let (who, what) = (event.path.clone(), what(event));
                steps.push((StoryStep { who, what, age, goes_on: false, place }, run));
            }
        }
    }
    let told = steps.into_iter().map(|(mut step, run)| {
        let Run { failed, restarts, up, .. } = run;
        step.what = match (failed, restarts) {
            (0, _) => return step,
            (1, 0) => step.what,
            (1, _) => format!("{}; restarted", step.what),
            (failed, 0) => format!("{}; the last of {failed} failures", step.what),
            (failed, 1) => format!("{}; the last of {failed} failures, restarted once", step.what),
            (failed, restarts) => {
                format!("{}; the last of {failed} failures, restarted {restarts} times", step.what)
            }
        };
        if let Some(life) = up {
            step.what = format!("{}: {life}", step.what);
        }
        step
    });
    told.collect()
}

/// Failures and restarts of one actor in a row.
#[derive(Default)]
struct Run {
    failed: u32,
    restarts: u32,
    is_other: bool,
    /// Which life has followed the last failure.
    up: Option<String>,
}

impl Run {
    fn goes_on(&self, kind: EventKind) -> bool {
        let fits = matches!(kind, EventKind::Failed | EventKind::Restart | EventKind::Up);
        !self.is_other && self.failed > 0 && fits
    }

    fn takes(&mut self, event: &Event) {
        match event.kind {
            EventKind::Failed => (self.failed, self.up) = (self.failed + 1, None),
            EventKind::Restart => self.restarts += 1,
            EventKind::Up => self.up = Some(event.what.clone()),
            EventKind::Ended | EventKind::GaveUp | EventKind::Warning => self.is_other = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use raytree_types::inspect::{PolicyDetail, TreeRow};
    use raytree_types::{Backoff, Cause, ExitKind, Shutdown};

    use super::*;

    fn log(entries: &[(&str, EventKind, &str)]) -> Vec<Event> {
        let event = |(number, (path, kind, what)): (usize, &(&str, EventKind, &str))| Event {
            at: Duration::from_secs(number as u64),
            pid: 1,
            number: number as u64,
            path: (*path).to_owned(),
            kind: *kind,
            what: (*what).to_owned(),
            cause: (*kind == EventKind::Failed)
                .then(|| Cause { place: Some("a.rs:1:2".to_owned()), ..Cause::message(*what) }),
        };
        entries.iter().enumerate().map(event).collect()
    }

    fn detail(path: &str, state: ActorState) -> ActorDetail {
        let name = path.rsplit('/').next().unwrap_or_default();
        ActorDetail {
            path: path.to_owned(),
            pid: 1,
            row: TreeRow { state, queue_limit: 256, ..TreeRow::named(0, name) },
            policy: None,
            intensity: None,
            next_life_in: None,
            children: 0,
            ends: Vec::new(),
            ends_dropped: 0,
            recorder: Vec::new(),
            recorder_dropped: 0,
        }
    }

    #[track_caller]
    fn check(about: &str, entries: &[(&str, EventKind, &str)], expected: Expect) {
        tells(about, &log(entries), expected);
    }

    #[track_caller]
    fn tells(about: &str, events: &[Event], expected: Expect) {
        let now = Duration::from_secs(events.len() as u64);
        let story = of(&detail(about, ActorState::Running), events, now);
        let age = |step: &StoryStep| step.age.unwrap_or_default().as_secs();
        let lines = story.steps.iter().map(|step| {
            format!("{} s  {}: {} ({:?})\n", age(step), step.who, step.what, step.place)
        });
        expected.assert_eq(&lines.collect::<String>());
    }

    use EventKind::{Ended, Failed, GaveUp, Restart, Up};

    #[test]
    fn one_that_failed_once_and_lives_again() {
        check(
            "r/w/a",
            &[
                ("r/w/b", Failed, "somebody else's"),
                ("r/w/a", Failed, "panicked: zero"),
                ("r/w/a", Restart, "restart 1, at once"),
                ("r/w/a", Up, "life 1 is up"),
            ],
            expect![[r#"
                1 s  r/w/a: panicked: zero; restarted: life 1 is up (Some("a.rs:1:2"))
            "#]],
        );
    }

    #[test]
    fn a_crash_loop_that_takes_two_supervisors_down_begins_with_its_first_cause() {
        check(
            "r/w",
            &[
                ("r/w/h/a", Failed, "panicked: zero"),
                ("r/w/h/a", Restart, "restart 1, at once"),
                ("r/w/h/a", Up, "life 1 is up"),
                ("r/w/h/a", Failed, "panicked: one"),
                ("r/w/h/a", Ended, "it is not restarted: its supervisor gives up"),
                ("r/w/h", GaveUp, "a failed more than 1 times within 30s"),
                ("r/w/h", Failed, "failed: a failed more than 1 times within 30s: panicked: one"),
                ("r/w/h", Ended, "it is not restarted: its supervisor gives up"),
                ("r/w", GaveUp, "h failed more than 0 times within 30s"),
                ("r/w", Failed, "failed: h failed more than 0 times within 30s"),
                ("r/w", Restart, "restart 1, at once"),
                ("r/x", Failed, "somebody else's"),
                ("r/w", Up, "life 1 is up"),
            ],
            expect![[r#"
                10 s  r/w/h/a: panicked: one; the last of 2 failures, restarted once (Some("a.rs:1:2"))
                9 s  r/w/h/a: it is not restarted: its supervisor gives up (None)
                8 s  r/w/h: a failed more than 1 times within 30s (None)
                7 s  r/w/h: failed: a failed more than 1 times within 30s: panicked: one (Some("a.rs:1:2"))
                6 s  r/w/h: it is not restarted: its supervisor gives up (None)
                5 s  r/w: h failed more than 0 times within 30s (None)
                1 s  r/w: failed: h failed more than 0 times within 30s; restarted: life 1 is up (Some("a.rs:1:2"))
            "#]],
        );
    }

    /// What supervisors note when one below all of them fails once, and none may fail at all.
    fn all_give_up(mut path: &str) -> (Vec<Event>, Cause) {
        let place = Some("a.rs:1:2".to_owned());
        let mut end = ExitKind::Panicked(Cause { place, ..Cause::message("zero") });
        let (mut events, mut cause) = (Vec::new(), Cause::begins(path, &end));
        let mut note = |path: &str, kind, what: String, cause: Option<&Cause>| {
            let number = events.len() as u64;
            let (at, path) = (Duration::from_secs(number), path.to_owned());
            events.push(Event { at, pid: 1, number, path, kind, what, cause: cause.cloned() });
        };
        loop {
            note(path, Failed, end.to_string(), end.cause());
            let Some((above, name)) = path.rsplit_once('/') else { return (events, cause) };
            let what = format!("{name} failed more than 0 times within 30s");
            cause.goes_on(above, &format!("it gives up: {what}"));
            note(path, Ended, "it is not restarted: its supervisor gives up".to_owned(), None);
            note(above, GaveUp, what, Some(&cause));
            end = ExitKind::Failed(cause.clone());
            path = above;
        }
    }

    #[test]
    fn a_failure_that_crossed_five_supervisors_begins_with_its_origin() {
        let (events, cause) = all_give_up("r/1/2/3/4/a");
        let all = expect![[r#"
            16 s  r/1/2/3/4/a: panicked: zero at a.rs:1:2 (Some("a.rs:1:2"))
            15 s  r/1/2/3/4/a: it is not restarted: its supervisor gives up (None)
            14 s  r/1/2/3/4: a failed more than 0 times within 30s (None)
            13 s  r/1/2/3/4: failed with it: zero (None)
            12 s  r/1/2/3/4: it is not restarted: its supervisor gives up (None)
            11 s  r/1/2/3: 4 failed more than 0 times within 30s (None)
            10 s  r/1/2/3: failed with it: zero (None)
            9 s  r/1/2/3: it is not restarted: its supervisor gives up (None)
            8 s  r/1/2: 3 failed more than 0 times within 30s (None)
            7 s  r/1/2: failed with it: zero (None)
            6 s  r/1/2: it is not restarted: its supervisor gives up (None)
            5 s  r/1: 2 failed more than 0 times within 30s (None)
            4 s  r/1: failed with it: zero (None)
            3 s  r/1: it is not restarted: its supervisor gives up (None)
            2 s  r: 1 failed more than 0 times within 30s (None)
            1 s  r: failed with it: zero (None)
        "#]];
        tells("r", &events, all);
        // Of its process nothing is left but what it has said of itself, and its mirror has a supervisor as well.
        let (mut gone, mirror) = (cause, "raytree/workers/w");
        gone.leaves("w on node-1");
        gone.goes_on("w on node-1", "its process ended with exit code 70");
        let ended = Event {
            path: mirror.to_owned(),
            what: ExitKind::Failed(gone.clone()).to_string(),
            cause: Some(gone),
            ..events[0].clone()
        };
        let way = expect![[r#"
            1 s  w on node-1/1/2/3/4/a: panicked: zero at a.rs:1:2 (Some("a.rs:1:2"))
            1 s  w on node-1/1/2/3/4: it gives up: a failed more than 0 times within 30s (None)
            1 s  w on node-1/1/2/3: it gives up: 4 failed more than 0 times within 30s (None)
            1 s  w on node-1/1/2: it gives up: 3 failed more than 0 times within 30s (None)
            1 s  w on node-1/1: it gives up: 2 failed more than 0 times within 30s (None)
            1 s  w on node-1: it gives up: 1 failed more than 0 times within 30s (None)
            1 s  w on node-1: its process ended with exit code 70 (None)
            1 s  raytree/workers/w: failed with it: zero (None)
        "#]];
        tells(mirror, &[ended], way);
    }

    #[test]
    fn what_took_its_supervisor_down_is_the_cause_of_its_own_end() {
        check(
            "r/w/b",
            &[
                ("r/w/a", Failed, "panicked: zero"),
                ("r/w", GaveUp, "a failed more than 0 times within 30s"),
                ("r/w", Failed, "failed: a failed more than 0 times within 30s"),
                ("r/w", Restart, "restart 1, at once"),
            ],
            expect![[r#"
                4 s  r/w/a: panicked: zero (Some("a.rs:1:2"))
                3 s  r/w: a failed more than 0 times within 30s (None)
                1 s  r/w: failed: a failed more than 0 times within 30s; restarted (Some("a.rs:1:2"))
            "#]],
        );
    }

    #[test]
    fn one_with_which_nothing_is_wrong_says_what_it_does() {
        let mut busy = detail("r/a", ActorState::Running);
        busy.row.current = Some("dine".to_owned());
        busy.row.busy_for = Some(Duration::from_millis(4200));
        busy.row.queued = 256;
        let story = of(&busy, &[], Duration::ZERO);
        assert!(story.steps.is_empty());
        let full = "it has been handling dine for 4.2 s, and its mailbox is full: 256 of 256";
        assert_eq!(story.now, full);
        let mut waits = detail("r/a", ActorState::Restarting);
        waits.next_life_in = Some(Duration::from_millis(800));
        waits.row.queued = 3;
        let said = "it is restarting: its next life begins in 800 ms, and 3 of 256 wait in its \
                    mailbox";
        assert_eq!(of(&waits, &[], Duration::ZERO).now, said);
        waits.policy = Some(PolicyDetail {
            restart: raytree_types::Restart::Permanent,
            shutdown: Shutdown::default(),
            backoff: Backoff::default(),
            own_restarts: Some(5),
        });
        (waits.row.restarts, waits.row.queued) = (3, 0);
        waits.row.last_cause = Some("panicked: zero".to_owned());
        let said = "it is restarting, try 3 of 5, after `panicked: zero`: its next life begins in \
                    800 ms";
        assert_eq!(of(&waits, &[], Duration::ZERO).now, said);
    }
}

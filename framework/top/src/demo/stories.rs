//! What the cluster tells of its actors.

use std::time::Duration;

use raytree_types::exit::{Cause, ExitKind};
use raytree_types::inspect::{ActorState, FlightEvent, Story, StoryStep, TreeRow};

use crate::text;

fn cause() -> Cause {
    Cause {
        place: Some("scores.rs:41:9".to_owned()),
        during: Some("add".to_owned()),
        ..Cause::message("index out of bounds: the len is 3 but the index is 7")
    }
}

/// The last ends of an actor, and its flight recorder.
pub(super) fn past(row: &TreeRow, now: Duration) -> (Vec<ExitKind>, Vec<FlightEvent>) {
    if row.last_cause.is_none() {
        return (Vec::new(), Vec::new());
    }
    let before = |millis, what: &str| FlightEvent {
        at: now.saturating_sub(Duration::from_millis(millis)),
        what: what.to_owned(),
    };
    let recorder = vec![
        before(1607, "add → panic"),
        before(1600, "restart decided"),
        before(1599, "back off 0.8 s"),
    ];
    (vec![ExitKind::Panicked(cause())], recorder)
}

/// Why a row is as it is.
pub(super) fn why(row: &TreeRow, path: &str) -> Story {
    let step = |who: &str, what: &str, age: u64, place: Option<&str>| StoryStep {
        who: who.to_owned(),
        what: what.to_owned(),
        age: Some(Duration::from_millis(age)),
        goes_on: false,
        place: place.map(str::to_owned),
    };
    let steps = match &row.last_cause {
        None => Vec::new(),
        Some(said) => vec![
            step("task-1-4f", "returned a shard map with 3 entries", 1900, Some("shards.rs:12:5")),
            step(path, said, 1607, Some("scores.rs:41:9")),
            step("actor_host", "decided to restart it: one-for-one, 5 in 30 s", 1600, None),
        ],
    };
    let now = match row.state {
        ActorState::Restarting => "waits for its next life".to_owned(),
        state => format!("is {state}, {} so far", text::many(row.restarts.into(), "restart")),
    };
    Story { about: path.to_owned(), id: row.id, now, steps, ..Story::default() }
}

/// Two that wait for each other, and one that waits for a task.
pub(super) fn waits(age: Duration) -> Vec<Story> {
    let step = |who: &str, what: &str, age: Duration, place: &str| StoryStep {
        who: who.to_owned(),
        what: what.to_owned(),
        age: Some(age),
        goes_on: true,
        place: Some(place.to_owned()),
    };
    let later = age.saturating_sub(Duration::from_secs(1));
    vec![
        Story {
            about: "learner#2".to_owned(),
            now: "waits for a task".to_owned(),
            steps: vec![
                step(
                    "learner#2",
                    "waits for obj-91c2",
                    Duration::from_millis(240),
                    "learner.rs:88:22",
                ),
                step("task-1-7b", "runs on node-2", Duration::from_millis(310), "rollout.rs:20:1"),
            ],
            ..Story::default()
        },
        Story {
            about: "left_fork#a".to_owned(),
            now: "waits for itself".to_owned(),
            steps: vec![
                step("left_fork#a", "waits for `take` of right_fork#b", age, "forks.rs:31:14"),
                step("right_fork#b", "waits for `take` of left_fork#a", later, "forks.rs:31:14"),
            ],
            is_cycle: true,
            ..Story::default()
        },
    ]
}

/// What is lost with an actor.
pub(super) fn losses(row: &TreeRow) -> Vec<String> {
    let mut lost = vec!["its state".to_owned()];
    lost.extend(row.current.iter().map(|current| format!("what it is handling now: {current}")));
    if row.queued > 0 {
        lost.push(format!("{} in its mailbox", text::many(row.queued, "call")));
    }
    if row.name.starts_with("algorithm") {
        lost.push("2 actors that it owns: learner#2, evaluator#3".to_owned());
    }
    lost
}

/// What an actor has written in one second.
pub(super) fn log(row: &TreeRow, look: u64, noon: Duration) -> String {
    let at = text::exact_time(noon + Duration::from_secs(look));
    format!("{at}  INFO {}: batch {} took {} ms", row.name, 8040 + look, 200 + look * 37 % 61)
}

//! The word of a task: any story at all, its edges, and a random world around it.

mod sim;

use super::*;
use proptest::prelude::*;

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::ArgumentReady),
        1 => Just(Event::ArgumentFailed),
        1 => (0u32..4).prop_map(|missing| Event::ArgumentsLost { missing }),
        4 => Just(Event::Begin),
        2 => Just(Event::Returned),
        3 => any::<bool>().prop_map(|worth_a_retry| Event::Failed { worth_a_retry }),
        2 => Just(Event::WorkerLost),
        1 => Just(Event::Cancel),
        1 => Just(Event::QueueExpired),
        1 => (0u32..4).prop_map(|run| Event::RunExpired { run }),
    ]
}

proptest! {
    #[test]
    fn tk_1_2_3_4_hold_in_every_story(
        missing in 0u32..4,
        (lost, errors) in (0u32..3, 0u32..3),
        story in prop::collection::vec(events(), 0..60),
    ) {
        let retries = Retries { lost, errors };
        let mut task = Task::new(missing);
        let (mut resolved, mut runs, mut running, mut cancelled) = (0, 0u32, false, false);
        for event in story {
            // A body can only end while one runs.
            let ends_body = matches!(event, Event::Returned | Event::Failed { .. } | Event::WorkerLost);
            if ends_body && !running {
                continue;
            }
            let (next, effect) = task.step(event, retries);
            match effect {
                Effect::Run => {
                    prop_assert!(!running, "TK-2: two bodies");
                    prop_assert!(!cancelled, "TK-4: runs after it was cancelled");
                    running = true;
                    runs += 1;
                }
                Effect::Resolve | Effect::Abandon => resolved += 1,
                Effect::None | Effect::Ask | Effect::Queue | Effect::Discard => {}
            }
            if ends_body {
                running = false;
            }
            cancelled |= event == Event::Cancel && task.phase() != Phase::Done;
            prop_assert!(resolved <= 1, "TK-1: resolved twice");
            prop_assert_eq!(resolved == 1, next.phase() == Phase::Done, "TK-1");
            prop_assert!(runs <= 1 + lost + errors, "TK-3: {} runs", runs);
            prop_assert_eq!(Task::from_bits(next.to_bits()), next);
            task = next;
        }
    }
}

#[test]
fn a_retry_that_is_not_worth_it_is_not_made() {
    let retries = Retries { lost: 0, errors: 5 };
    let (running, _) = Task::new(0).step(Event::Begin, retries);
    let (done, effect) = running.step(Event::Failed { worth_a_retry: false }, retries);
    assert_eq!((done.phase(), effect), (Phase::Done, Effect::Resolve));
    let (again, effect) = running.step(Event::Failed { worth_a_retry: true }, retries);
    assert_eq!((again.phase(), effect, again.run()), (Phase::Queued, Effect::Queue, 1));
}

#[test]
fn for_ever_is_for_ever() {
    let retries = Retries { lost: u32::MAX, errors: 0 };
    let mut task = Task::new(0);
    for _ in 0..70_000 {
        task = task.step(Event::Begin, retries).0;
        let (next, effect) = task.step(Event::WorkerLost, retries);
        assert_eq!(effect, Effect::Queue);
        task = next;
    }
}

#[test]
fn a_timer_of_an_earlier_run_does_nothing() {
    let retries = Retries { lost: 1, errors: 0 };
    let task = Task::new(0).step(Event::Begin, retries).0.step(Event::WorkerLost, retries).0;
    let running = task.step(Event::Begin, retries).0;
    assert_eq!(running.step(Event::RunExpired { run: 0 }, retries).1, Effect::None);
    assert_eq!(running.step(Event::RunExpired { run: 1 }, retries).1, Effect::Abandon);
}

#[test]
fn tk_1_2_4_every_event_in_every_phase() {
    let retries = Retries { lost: 1, errors: 1 };
    let begun = |task: Task| task.step(Event::Begin, retries).0;
    let again = begun(Task::new(0)).step(Event::WorkerLost, retries).0;
    let tasks = [
        ("waiting", Task::new(2)),
        ("queued", Task::new(0)),
        ("queued again", again),
        ("running", begun(Task::new(0))),
        ("running again", begun(again)),
        ("done", Task::new(0).step(Event::Cancel, retries).0),
    ];
    let events = [
        Event::ArgumentReady,
        Event::ArgumentFailed,
        Event::Begin,
        Event::Returned,
        Event::Failed { worth_a_retry: true },
        Event::Failed { worth_a_retry: false },
        Event::WorkerLost,
        Event::Cancel,
        Event::QueueExpired,
        Event::RunExpired { run: 0 },
        Event::RunExpired { run: 1 },
    ];
    let mut table = String::new();
    for (name, task) in tasks {
        for event in events {
            let (next, effect) = task.step(event, retries);
            if next != task || effect != Effect::None {
                let (phase, run) = (next.phase(), next.run());
                table += &format!("{name}: {event:?}: {effect:?}, {phase:?}, run {run}\n");
            }
        }
    }
    expect_test::expect![[r#"
        waiting: ArgumentReady: None, Waiting, run 0
        waiting: ArgumentFailed: Resolve, Done, run 0
        waiting: Cancel: Resolve, Done, run 0
        waiting: QueueExpired: Resolve, Done, run 0
        queued: Begin: Run, Running, run 0
        queued: Cancel: Resolve, Done, run 0
        queued: QueueExpired: Resolve, Done, run 0
        queued again: Begin: Run, Running, run 1
        queued again: Cancel: Resolve, Done, run 1
        running: Returned: Resolve, Done, run 0
        running: Failed { worth_a_retry: true }: Queue, Queued, run 1
        running: Failed { worth_a_retry: false }: Resolve, Done, run 0
        running: WorkerLost: Queue, Queued, run 1
        running: Cancel: Abandon, Done, run 0
        running: RunExpired { run: 0 }: Abandon, Done, run 0
        running again: Returned: Resolve, Done, run 1
        running again: Failed { worth_a_retry: true }: Queue, Queued, run 2
        running again: Failed { worth_a_retry: false }: Resolve, Done, run 1
        running again: WorkerLost: Resolve, Done, run 1
        running again: Cancel: Abandon, Done, run 1
        running again: RunExpired { run: 1 }: Abandon, Done, run 1
        done: Returned: Discard, Done, run 0
        done: Failed { worth_a_retry: true }: Discard, Done, run 0
        done: Failed { worth_a_retry: false }: Discard, Done, run 0
        done: WorkerLost: Discard, Done, run 0
    "#]]
    .assert_eq(&table);
}

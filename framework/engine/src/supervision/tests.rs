//! The supervisor's decisions, told as stories, then driven by random failures in a simulated world.

mod sim;

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::{Just, ProptestConfig, any, prop, prop_assert_eq, prop_oneof, proptest};

use super::*;

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn group(strategy: Strategy) -> GroupPolicy {
    GroupPolicy {
        strategy,
        limit: RestartLimit { max: 3, within: seconds(10) },
        independent: false,
    }
}

fn adopt_up(engine: &mut Supervision, keys: std::ops::Range<u64>, policy: ChildPolicy) {
    for key in keys {
        engine.step(Input::Adopt(key, policy), Duration::ZERO);
        engine.step(Input::Started(key, 0), Duration::ZERO);
    }
}

fn crash(key: u64, life: Life) -> Input {
    Input::Exited { key, life, normal: false }
}

fn check(effects: Vec<Effect>, expected: Expect) {
    let lines: Vec<String> = effects.iter().map(|effect| format!("{effect:?}")).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn one_for_one_restarts_only_the_one_that_failed() {
    let mut engine = Supervision::new(group(Strategy::OneForOne));
    adopt_up(&mut engine, 0..3, ChildPolicy::default());
    check(
        engine.step(crash(1, 0), seconds(1)),
        expect![[r#"
            Restarting { key: 1, restarts: 1, after: 0ns }
            Start(1, 1)"#]],
    );
    check(
        engine.step(crash(1, 1), seconds(1)),
        expect![[r#"
            Restarting { key: 1, restarts: 2, after: 50ms }
            Arm(Restart(1, 1), 50ms)"#]],
    );
    check(engine.step(Input::Timer(Timer::Restart(1, 1)), seconds(2)), expect!["Start(1, 2)"]);
}

#[test]
fn sd_2_sd_3_one_for_all_stops_youngest_first_and_starts_oldest_first() {
    let mut engine = Supervision::new(group(Strategy::OneForAll));
    adopt_up(&mut engine, 0..3, ChildPolicy::default());
    check(
        engine.step(crash(1, 0), seconds(1)),
        expect![[r#"
            Restarting { key: 1, restarts: 1, after: 0ns }
            Stop(2, Stop(5s))
            Arm(Deadline(2, 0), 5s)"#]],
    );
    let stopped = |key| Input::Exited { key, life: 0, normal: true };
    check(
        engine.step(stopped(2), seconds(1)),
        expect![[r#"
            Stop(0, Stop(5s))
            Arm(Deadline(0, 0), 5s)"#]],
    );
    check(engine.step(stopped(0), seconds(1)), expect!["Start(0, 1)"]);
    check(engine.step(Input::Started(0, 1), seconds(1)), expect!["Start(1, 1)"]);
    check(engine.step(Input::Started(1, 1), seconds(1)), expect!["Start(2, 1)"]);
    check(engine.step(Input::Started(2, 1), seconds(1)), expect![""]);
}

#[test]
fn rest_for_one_leaves_the_older_ones_alone() {
    let mut engine = Supervision::new(group(Strategy::RestForOne));
    adopt_up(&mut engine, 0..3, ChildPolicy::default());
    check(
        engine.step(crash(1, 0), seconds(1)),
        expect![[r#"
            Restarting { key: 1, restarts: 1, after: 0ns }
            Stop(2, Stop(5s))
            Arm(Deadline(2, 0), 5s)"#]],
    );
    let stopped = Input::Exited { key: 2, life: 0, normal: true };
    check(engine.step(stopped, seconds(1)), expect!["Start(1, 1)"]);
    check(engine.step(Input::Started(1, 1), seconds(1)), expect!["Start(2, 1)"]);
}

#[test]
fn transient_and_temporary_children() {
    let mut engine = Supervision::new(group(Strategy::OneForOne));
    let transient = ChildPolicy { restart: Restart::Transient, ..ChildPolicy::default() };
    let temporary = ChildPolicy { restart: Restart::Temporary, ..ChildPolicy::default() };
    adopt_up(&mut engine, 0..1, transient);
    adopt_up(&mut engine, 1..2, temporary);
    check(
        engine.step(crash(0, 0), seconds(1)),
        expect![[r#"
            Restarting { key: 0, restarts: 1, after: 0ns }
            Start(0, 1)"#]],
    );
    engine.step(Input::Started(0, 1), seconds(1));
    let ended = Input::Exited { key: 0, life: 1, normal: true };
    check(engine.step(ended, seconds(1)), expect!["Ended(0, Finished)"]);
    check(engine.step(crash(1, 0), seconds(1)), expect!["Ended(1, Finished)"]);
    assert!(engine.is_empty());
}

#[test]
fn sd_4_the_fourth_restart_in_the_window_gives_up_in_order() {
    let mut engine = Supervision::new(group(Strategy::OneForOne));
    let eager = ChildPolicy { backoff: Backoff::NONE, ..ChildPolicy::default() };
    adopt_up(&mut engine, 0..2, eager);
    for life in 0..3 {
        engine.step(crash(1, life), seconds(1));
        engine.step(Input::Started(1, life + 1), seconds(1));
    }
    check(
        engine.step(crash(1, 3), seconds(2)),
        expect![[r#"
            Ended(1, GaveUp)
            Stop(0, Stop(5s))
            Arm(Deadline(0, 0), 5s)"#]],
    );
    check(
        engine.step(Input::Exited { key: 0, life: 0, normal: true }, seconds(2)),
        expect![[r#"
            Ended(0, Stopped)
            Done { failed: Some(1) }"#]],
    );
}

#[test]
fn sd_4_slow_failures_never_exceed_the_window() {
    let mut engine = Supervision::new(group(Strategy::OneForOne));
    adopt_up(&mut engine, 0..1, ChildPolicy::default());
    for life in 0..100 {
        let now = seconds(11 * (u64::from(life) + 1));
        let effects = engine.step(crash(0, life), now);
        assert!(effects.contains(&Effect::Start(0, life + 1)), "no backoff after a good run");
        engine.step(Input::Started(0, life + 1), now);
    }
}

#[test]
fn an_own_budget_ends_the_child_and_nobody_else() {
    let mut engine = Supervision::new(group(Strategy::OneForOne));
    let own =
        ChildPolicy { budget: Budget::Own(1), backoff: Backoff::NONE, ..ChildPolicy::default() };
    adopt_up(&mut engine, 0..2, own);
    engine.step(crash(0, 0), seconds(1));
    check(engine.step(crash(0, 1), seconds(1)), expect!["Ended(0, Exhausted)"]);
    assert_eq!(engine.len(), 1);
}

#[test]
fn a_child_that_misses_its_deadline_is_killed_then_left_behind() {
    let mut engine = Supervision::new(group(Strategy::OneForOne));
    adopt_up(&mut engine, 0..2, ChildPolicy::default());
    check(
        engine.step(Input::Shutdown, seconds(1)),
        expect![[r#"
            Stop(1, Stop(5s))
            Arm(Deadline(1, 0), 5s)"#]],
    );
    check(
        engine.step(Input::Timer(Timer::Deadline(1, 0)), seconds(6)),
        expect![[r#"
            Kill(1)
            Arm(Grace(1, 0), 5s)"#]],
    );
    check(
        engine.step(Input::Timer(Timer::Grace(1, 0)), seconds(11)),
        expect![[r#"
            Ended(1, Abandoned)
            Stop(0, Stop(5s))
            Arm(Deadline(0, 0), 5s)"#]],
    );
}

#[test]
fn a_child_that_never_ends_holds_up_neither_a_shutdown_nor_its_own_end() {
    let mut engine = Supervision::new(group(Strategy::OneForAll));
    adopt_up(&mut engine, 0..2, ChildPolicy::default());
    engine.step(crash(0, 0), seconds(1));
    engine.step(Input::Timer(Timer::Deadline(1, 0)), seconds(6));
    // The recovery waits for the old body, however long that takes (SD-1).
    check(engine.step(Input::Timer(Timer::Grace(1, 0)), seconds(11)), expect![""]);
    check(engine.step(Input::Shutdown, seconds(20)), expect!["Arm(Grace(1, 0), 5s)"]);
    check(
        engine.step(Input::Timer(Timer::Grace(1, 0)), seconds(25)),
        expect![[r#"
            Ended(1, Abandoned)
            Ended(0, Stopped)
            Done { failed: None }"#]],
    );
}

#[test]
fn independent_children_are_stopped_together() {
    let policy = GroupPolicy { independent: true, ..group(Strategy::OneForOne) };
    let mut engine = Supervision::new(policy);
    adopt_up(&mut engine, 0..3, ChildPolicy::default());
    let stops = engine.step(Input::Shutdown, seconds(1));
    assert_eq!(stops.iter().filter(|e| matches!(e, Effect::Stop(..))).count(), 3);
}

/// The world around a supervisor: bodies that start, crash, stop or hang, and timers that fire late.
#[derive(Default)]
struct World {
    bodies: BTreeMap<ChildKey, (Life, bool)>,
    timers: Vec<(Duration, Timer)>,
    ended: BTreeMap<ChildKey, u32>,
    restarts: Vec<Duration>,
    done: u32,
}

impl World {
    fn carry_out(&mut self, effects: Vec<Effect>, now: Duration) {
        for effect in effects {
            match effect {
                Effect::Start(key, life) => {
                    let before = self.bodies.insert(key, (life, false));
                    assert!(before.is_none(), "SD-1: two lives of {key}");
                }
                Effect::Stop(key, _) | Effect::Kill(key) => {
                    assert!(self.bodies.contains_key(&key), "told a dead child {key} to end");
                }
                Effect::Arm(timer, after) => self.timers.push((now + after, timer)),
                Effect::Restarting { .. } => self.restarts.push(now),
                Effect::Ended(key, _) => *self.ended.entry(key).or_default() += 1,
                Effect::Done { .. } => self.done += 1,
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn sd_1_sd_5_random_failures_never_double_a_life_nor_lose_an_end(
        strategy in prop_oneof![
            Just(Strategy::OneForOne),
            Just(Strategy::OneForAll),
            Just(Strategy::RestForOne),
        ],
        independent in any::<bool>(),
        steps in prop::collection::vec((0u8..7, any::<u16>(), 0u64..3000), 1..120),
    ) {
        let mut engine = Supervision::new(GroupPolicy { independent, ..group(strategy) });
        let mut world = World::default();
        let (mut adopted, mut now) = (0u64, Duration::ZERO);
        let mut own = BTreeMap::new();
        for (what, pick, wait) in steps {
            now += Duration::from_millis(wait);
            let alive: Vec<_> = world.bodies.iter().map(|(k, (l, up))| (*k, *l, *up)).collect();
            let chosen = (!alive.is_empty()).then(|| alive[pick as usize % alive.len()]);
            let input = match (what, chosen) {
                (0, _) => {
                    let budget = if pick % 2 == 0 { Budget::Shared } else { Budget::Own(u32::from(pick % 5)) };
                    let restart = [Restart::Permanent, Restart::Transient, Restart::Temporary][pick as usize % 3];
                    adopted += 1;
                    own.insert(adopted, budget);
                    Input::Adopt(adopted, ChildPolicy { restart, budget, ..ChildPolicy::default() })
                }
                (1 | 2, Some((key, life, false))) => {
                    world.bodies.insert(key, (life, true));
                    Input::Started(key, life)
                }
                (1..=3, Some((key, life, _))) => {
                    world.bodies.remove(&key);
                    Input::Exited { key, life, normal: what == 2 }
                }
                (4, Some((key, _, _))) => Input::End(key, pick % 2 == 0),
                (5, _) if pick % 40 == 0 => Input::Shutdown,
                _ => {
                    let due = world.timers.iter().position(|(at, _)| *at <= now);
                    match due { Some(index) => Input::Timer(world.timers.remove(index).1), None => continue }
                }
            };
            let effects = engine.step(input, now);
            world.carry_out(effects, now);
        }
        // The end: everything is told to go, every second body obeys, every timer fires.
        let effects = engine.step(Input::Shutdown, now);
        world.carry_out(effects, now);
        for _ in 0..10_000 {
            if world.done > 0 { break }
            let next = world.bodies.iter().rev().find(|(key, _)| *key % 2 == 0).map(|(key, body)| (*key, *body));
            let input = match next {
                Some((key, (life, _))) => {
                    world.bodies.remove(&key);
                    Input::Exited { key, life, normal: true }
                }
                None => match world.timers.pop() { Some((_, timer)) => Input::Timer(timer), None => break },
            };
            let effects = engine.step(input, now);
            world.carry_out(effects, now);
        }
        prop_assert_eq!(world.done, 1, "exactly one Done");
        for key in 1..=adopted {
            prop_assert_eq!(world.ended.get(&key), Some(&1), "SD-5: child {}", key);
        }
    }
}

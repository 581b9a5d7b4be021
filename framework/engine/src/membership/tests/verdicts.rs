//! What a judge decides, and when.

use expect_test::expect;
use raytree_types::limits;

use super::super::{DeathCause, ExitStatus, Phase};
use super::*;

#[test]
fn mb_9_a_silent_local_child_is_suspect_then_killed_then_declared() {
    let mut judge = judge_of_one(Place::Local);
    check_ticks(
        &ticks(&mut judge, 0, 3000),
        &expect![[r#"
            800: Mark { 1, phase: Suspect }
            1500: Convict { 1, cause: Silent { after: 1.5s }, fence: Kill }"#]],
    );
    assert_eq!(judge.phase("node"), Some(Phase::Fenced));
    let fenced = Input::Fenced { member: node(1) };
    check(
        &judge.step(fenced, ms(3050)),
        &expect!["Down { 1, cause: Silent { after: 1.5s }, asked: false }"],
    );
    assert_eq!(judge.phase("node"), Some(Phase::Gone));
    assert_eq!(judge.next_incarnation("node"), life(2));
}

#[test]
fn mb_9_a_killed_process_that_hangs_is_declared_after_the_kill_grace() {
    let mut judge = judge_of_one(Place::Local);
    ticks(&mut judge, 0, 1500);
    check_ticks(
        &ticks(&mut judge, 1500, 7000),
        &expect!["6500: Down { 1, cause: Silent { after: 1.5s }, asked: false }"],
    );
}

#[test]
fn a_silent_remote_child_is_fenced_by_its_lease() {
    let mut judge = judge_of_one(Place::Remote);
    check_ticks(
        &ticks(&mut judge, 0, 4000),
        &expect![[r#"
            800: Mark { 1, phase: Suspect }
            3000: Convict { 1, cause: Silent { after: 3s }, fence: Lease { until: 3s } }
            3000: Down { 1, cause: Silent { after: 3s }, asked: false }"#]],
    );
}

#[test]
fn mb_2_a_child_that_still_beats_is_declared_when_its_lease_is_surely_over() {
    let mut judge = judge_of_one(Place::Remote);
    let replace = Input::Replace { member: node(1) };
    check(
        &judge.step(replace, ms(50)),
        &expect!["Convict { 1, cause: Replaced, fence: Lease { until: 2.551505s } }"],
    );
    // What it says now renews nothing (MB-1).
    check(&judge.step(beat(1, 2, 2), ms(90)), &expect!["TellExit { 1, seq: 2 }"]);
    check(
        &judge.step(join(Some(1), 1, 2), ms(95)),
        &expect![[r#"AnswerJoin { name: "node", process: 1, ticket: 7, answer: Replaced }"#]],
    );
    check_ticks(&ticks(&mut judge, 0, 2500), &expect![""]);
    check_ticks(
        &ticks(&mut judge, 2500, 3000),
        &expect!["2600: Down { 1, cause: Replaced, asked: false }"],
    );
}

#[test]
fn mb_7_an_exit_needs_no_fence_and_keeps_an_earlier_verdict() {
    let exited = || Input::Exited { member: node(1), status: ExitStatus::Signal(9) };
    let mut judge = judge_of_one(Place::Local);
    check(
        &judge.step(exited(), ms(10)),
        &expect!["Down { 1, cause: Exited { status: Signal(9) }, asked: false }"],
    );
    assert_eq!(judge.step(exited(), ms(20)), vec![], "MB-1: once");
    let mut judge = judge_of_one(Place::Local);
    ticks(&mut judge, 0, 1500);
    check(
        &judge.step(exited(), ms(1510)),
        &expect!["Down { 1, cause: Silent { after: 1.5s }, asked: false }"],
    );
    let cause = judge.end("node").map(|end| end.cause);
    assert_eq!(cause, Some(DeathCause::Silent { after: ms(1500) }));
}

#[test]
fn a_child_that_was_asked_to_stop_gets_no_work_and_is_not_expected_back() {
    let mut judge = judge_of_one(Place::Local);
    let stop = || Input::Stop { member: node(1) };
    check(
        &judge.step(stop(), ms(10)),
        &expect![[r#"
        Mark { 1, phase: Stopping }
        AskToStop { 1 }"#]],
    );
    assert_eq!(judge.step(stop(), ms(20)), vec![]);
    check(&judge.step(beat(1, 2, 2), ms(30)), &expect!["Answer { 1, seq: 2 }"]);
    let exited = Input::Exited { member: node(1), status: ExitStatus::Code(0) };
    check(
        &judge.step(exited, ms(40)),
        &expect!["Down { 1, cause: Exited { status: Code(0) }, asked: true }"],
    );
}

#[test]
fn one_that_beats_and_does_not_move_is_degraded_then_dead() {
    let mut judge = judge_of_one(Place::Remote);
    let mut all = Vec::new();
    for at in 1..=60 {
        let answered = judge.step(beat(1, 1 + at, 1), ms(at * 100));
        let marks = answered.into_iter().filter(|effect| matches!(effect, Effect::Mark { .. }));
        all.extend(marks.map(|effect| (at * 100, effect)));
        all.extend(judge.step(Input::Tick, ms(at * 100)).into_iter().map(|it| (at * 100, it)));
    }
    check_ticks(
        &all,
        &expect![[r#"
            800: Mark { 1, phase: Degraded }
            5000: Convict { 1, cause: Stuck { after: 5s }, fence: Lease { until: 7.551505s } }"#]],
    );
}

#[test]
fn mb_5_a_starved_child_is_not_dead() {
    let mut judge = judge_of_one(Place::Local);
    let mut seq = 1;
    for at in 1..=600 {
        // A beat every 1.4 s is late every time; the runtime moves a little.
        if at % 14 == 0 {
            seq += 1;
            judge.step(beat(1, seq, seq), ms(at * 100));
        }
        for effect in judge.step(Input::Tick, ms(at * 100)) {
            assert!(matches!(effect, Effect::Mark { .. }), "{effect:?}");
        }
    }
    judge.step(beat(1, seq + 1, seq + 1), ms(60_000));
    // No beat at all, and the operating system says why.
    for at in 601..=800 {
        judge.step(Input::Starved { member: node(1), by: ms(100) }, ms(at * 100));
        judge.step(Input::Tick, ms(at * 100));
    }
    assert_eq!(judge.phase("node"), Some(Phase::Up));
    // There is an end to that.
    judge.step(Input::Starved { member: node(1), by: ms(3_600_000) }, ms(80_000));
    let excused = limits::MEMBER_EXCUSED_MAX.as_millis() as u64;
    ticks(&mut judge, 80_000, 60_000 + excused + 1400);
    assert_eq!(judge.phase("node"), Some(Phase::Suspect));
    ticks(&mut judge, 60_000 + excused + 1400, 60_000 + excused + 1500);
    assert_eq!(judge.phase("node"), Some(Phase::Fenced));
}

#[test]
fn of_a_remote_child_no_operating_system_tells() {
    let mut judge = judge_of_one(Place::Remote);
    judge.step(Input::Starved { member: node(1), by: ms(9000) }, ms(10));
    ticks(&mut judge, 0, 3000);
    assert_eq!(judge.phase("node"), Some(Phase::Gone));
}

#[test]
fn a_repeated_or_overtaken_beat_is_no_sign_of_life_and_renews_nothing() {
    let mut judge = judge_of_one(Place::Local);
    judge.step(beat(1, 5, 5), ms(100));
    for at in 2..=16 {
        for old in [1, 4, 5] {
            assert_eq!(judge.step(beat(1, old, old), ms(at * 100)), vec![], "beat {old}");
        }
        judge.step(Input::Tick, ms(at * 100));
    }
    assert_eq!(judge.phase("node"), Some(Phase::Fenced));
}

#[test]
fn a_long_silence_between_beats_is_not_standing_still() {
    let mut judge = judge_of_one(Place::Remote);
    for at in 1..=10 {
        ticks(&mut judge, (at - 1) * 2000, at * 2000);
        judge.step(beat(1, 1 + at, 1), ms(at * 2000));
    }
    assert_eq!(judge.phase("node"), Some(Phase::Up));
}

#[test]
fn a_lost_link_is_suspect_at_once_and_dead_in_time_although_it_beats() {
    let mut judge = judge_of_one(Place::Remote);
    let lost = |link| Input::LinkLost { member: node(1), link };
    judge.step(join(Some(1), 1, 1), ms(10));
    assert_eq!(judge.step(lost(0), ms(20)), vec![], "an earlier link");
    check(&judge.step(lost(1), ms(30)), &expect!["Mark { 1, phase: Suspect }"]);
    // It comes back over a new link.
    check(
        &judge.step(join(Some(1), 1, 2), ms(40)),
        &expect![[r#"
        Mark { 1, phase: Up }
        AnswerJoin { name: "node", process: 1, ticket: 7, answer: Continue { incarnation: ProcessIncarnation(1), place: Remote } }"#]],
    );
    assert_eq!(judge.step(lost(1), ms(50)), vec![], "late news");
    judge.step(lost(2), ms(60));
    let mut all = Vec::new();
    for at in 1..=60 {
        judge.step(beat(1, 1 + at, at), ms(at * 100));
        all.extend(judge.step(Input::Tick, ms(at * 100)).into_iter().map(|it| (at * 100, it)));
    }
    check_ticks(
        &all,
        &expect![[r#"
        3100: Convict { 1, cause: LinkLost { after: 3.04s }, fence: Lease { until: 5.651505s } }
        5700: Down { 1, cause: LinkLost { after: 3.04s }, asked: false }"#]],
    );
}

#[test]
fn mb_4_a_late_judge_convicts_nobody_and_looks_twice() {
    let mut judge = judge_of_one(Place::Local);
    ticks(&mut judge, 0, 1400);
    // It stands still for ten seconds, and looks at the clock before it reads what has arrived.
    assert_eq!(judge.step(Input::Tick, ms(11_400)), vec![]);
    judge.step(beat(1, 2, 2), ms(11_400));
    assert_eq!(judge.phase("node"), Some(Phase::Up));
    // With nothing to read the second look decides.
    ticks(&mut judge, 11_400, 12_800);
    assert_eq!(judge.step(Input::Tick, ms(22_800)), vec![]);
    let second = judge.step(Input::Tick, ms(22_900));
    assert!(matches!(second.first(), Some(Effect::Convict { .. })), "{second:?}");
}

#[test]
fn mb_4_what_the_shell_says_about_lateness_counts_once() {
    let mut judge = judge_of_one(Place::Local);
    ticks(&mut judge, 0, 900);
    judge.step(beat(1, 2, 2), ms(900));
    // The judge noticed 900 of the 1000 ms itself.
    judge.step(Input::Stalled { by: ms(1000) }, ms(1900));
    ticks(&mut judge, 1900, 3300);
    assert_eq!(judge.phase("node"), Some(Phase::Suspect));
    ticks(&mut judge, 3300, 3400);
    assert_eq!(judge.phase("node"), Some(Phase::Fenced));
}

#[test]
fn mb_4_a_judge_cannot_have_been_late_for_longer_than_it_exists() {
    let mut judge = Judge::new(Settings::default(), ms(5000));
    judge.step(register(1, Place::Local), ms(5000));
    judge.step(beat(1, 1, 1), ms(5000));
    judge.step(Input::Stalled { by: ms(3_600_000) }, ms(5050));
    ticks(&mut judge, 5050, 6500);
    assert_eq!(judge.phase("node"), Some(Phase::Suspect));
    ticks(&mut judge, 6500, 6600);
    assert_eq!(judge.phase("node"), Some(Phase::Fenced));
}

#[test]
fn mb_4_a_judge_that_is_always_late_still_comes_to_its_verdicts() {
    let mut judge = judge_of_one(Place::Local);
    for at in 1..=20 {
        judge.step(Input::Tick, ms(at * 1000));
    }
    assert_eq!(judge.phase("node"), Some(Phase::Fenced));
}

#[test]
fn mb_4_a_restarted_judge_convicts_nobody_for_one_grace() {
    let mut judge = Judge::restarted(Settings::default(), life(4), Duration::ZERO);
    let recall = || Input::Recall { member: node(2), place: Place::Remote, origin: origin(2) };
    check(&judge.step(recall(), Duration::ZERO), &expect!["Mark { 2, phase: Suspect }"]);
    assert!(matches!(judge.step(recall(), ms(1))[..], [Effect::Refused { .. }]));
    assert_eq!(ticks(&mut judge, 0, 59_900), vec![]);
    // Facts are another thing.
    assert_eq!(judge.phase("node"), Some(Phase::Suspect));
    check_ticks(
        &ticks(&mut judge, 59_900, 60_000),
        &expect![[r#"
        60000: Convict { 2, cause: Silent { after: 60s }, fence: Lease { until: 60s } }
        60000: Down { 2, cause: Silent { after: 60s }, asked: false }"#]],
    );
    assert_eq!(judge.next_incarnation("node"), life(3));
    assert_eq!(judge.next_incarnation("other"), life(5), "MB-6: above all in the journal");
}

#[test]
fn a_recalled_child_that_beats_is_up_again() {
    let mut judge = Judge::restarted(Settings::default(), life(2), Duration::ZERO);
    judge.step(
        Input::Recall { member: node(2), place: Place::Remote, origin: origin(2) },
        Duration::ZERO,
    );
    check(
        &judge.step(beat(2, 900, 5), ms(10)),
        &expect![[r#"
        Mark { 2, phase: Up }
        Answer { 2, seq: 900 }"#]],
    );
}

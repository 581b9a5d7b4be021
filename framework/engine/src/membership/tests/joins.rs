//! Who may join, and as whom.

use expect_test::expect;

use super::super::{ExitStatus, JoinAnswer, Phase};
use super::*;

fn answer(effects: &[Effect]) -> JoinAnswer {
    match effects.last() {
        Some(Effect::AnswerJoin { answer, ticket: 7, .. }) => answer.clone(),
        other => panic!("no answer but {other:?}"),
    }
}

fn goes_on(number: u64) -> JoinAnswer {
    JoinAnswer::Continue { incarnation: life(number), place: Place::Remote }
}

/// A judge whose only child, process 1, has joined and beaten.
fn joined() -> Judge {
    let mut judge = Judge::new(Settings::default(), Duration::ZERO);
    assert_eq!(answer(&judge.step(join(None, 1, 1), Duration::ZERO)), goes_on(1));
    judge.step(beat(1, 2, 1), Duration::ZERO);
    judge
}

#[test]
fn a_request_that_is_repeated_gets_the_same_answer() {
    let mut judge = joined();
    assert_eq!(answer(&judge.step(join(None, 1, 1), ms(10))), goes_on(1));
    assert_eq!(answer(&judge.step(join(Some(1), 1, 2), ms(10))), goes_on(1));
    assert_eq!(judge.len(), 1);
}

#[test]
fn a_repeated_request_is_no_sign_of_life() {
    let mut judge = joined();
    for at in 1..=30 {
        judge.step(join(Some(1), 1, 1), ms(at * 100));
        judge.step(Input::Tick, ms(at * 100));
    }
    assert_eq!(judge.phase("node"), Some(Phase::Fenced));
}

#[test]
fn mb_3_a_second_process_with_a_living_name_is_refused_and_both_are_named() {
    let mut judge = joined();
    let taken = JoinAnswer::NameTaken { holder: "host-1".into(), asker: "host-2".into() };
    assert_eq!(answer(&judge.step(join(None, 2, 1), ms(10))), taken);
    assert_eq!(answer(&judge.step(join(Some(1), 2, 1), ms(10))), taken, "a copy");
    check(
        &judge.step(register(2, Place::Local), ms(10)),
        &expect![[r#"Refused { 2, why: NameTaken { holder: "host-1", asker: "host-2" } }"#]],
    );
    assert_eq!(judge.phase("node"), Some(Phase::Up));
}

#[test]
fn mb_3_while_the_holder_of_a_name_is_in_doubt_a_successor_is_told_to_ask_again() {
    let later = JoinAnswer::Later { after: Settings::default().rejoin_every };
    let taken = JoinAnswer::NameTaken { holder: "host-1".into(), asker: "host-2".into() };
    // Its link is lost.
    let mut judge = joined();
    judge.step(Input::LinkLost { member: node(1), link: 1 }, ms(5));
    assert_eq!(answer(&judge.step(join(None, 2, 1), ms(10))), later);
    assert_eq!(answer(&judge.step(join(Some(1), 2, 1), ms(10))), taken, "a copy is no successor");
    assert_eq!(answer(&judge.step(join(Some(1), 1, 2), ms(20))), goes_on(1));
    assert_eq!(answer(&judge.step(join(None, 2, 1), ms(30))), taken, "it has come back");
    // It is silent, and is asked to stop besides.
    let mut judge = joined();
    judge.step(Input::Stop { member: node(1) }, ms(5));
    ticks(&mut judge, 0, 1400);
    assert_eq!(answer(&judge.step(join(None, 2, 1), ms(1450))), later);
    ticks(&mut judge, 1450, 3000);
    assert_eq!(answer(&judge.step(join(None, 2, 1), ms(3010))), goes_on(2));
    // A restarted judge has not heard it yet.
    let mut judge = Judge::restarted(Settings::default(), life(1), Duration::ZERO);
    let recall = Input::Recall { member: node(1), place: Place::Remote, origin: origin(1) };
    judge.step(recall, Duration::ZERO);
    assert_eq!(answer(&judge.step(join(None, 2, 1), ms(10))), later);
}

#[test]
fn mb_3_a_successor_waits_until_the_convicted_is_surely_isolated() {
    let mut judge = joined();
    judge.step(Input::Replace { member: node(1) }, ms(10));
    let later = answer(&judge.step(join(None, 2, 1), ms(20)));
    let JoinAnswer::Later { after } = later else { panic!("{later:?}") };
    ticks(&mut judge, 0, 3000);
    assert!(ms(2500) < ms(20) + after && ms(20) + after < ms(3000), "{after:?}");
    assert_eq!(answer(&judge.step(join(None, 2, 1), ms(3010))), goes_on(2));
}

#[test]
fn mb_6_older_and_unknown_lives_are_told_to_exit() {
    let mut judge = joined();
    judge.step(Input::Exited { member: node(1), status: ExitStatus::Unknown }, ms(10));
    assert_eq!(answer(&judge.step(join(Some(1), 1, 2), ms(20))), JoinAnswer::Replaced);
    assert_eq!(answer(&judge.step(join(None, 1, 1), ms(20))), JoinAnswer::Replaced, "a late copy");
    assert_eq!(answer(&judge.step(join(None, 2, 1), ms(30))), goes_on(2));
    assert_eq!(answer(&judge.step(join(Some(1), 1, 3), ms(40))), JoinAnswer::Replaced);
    assert_eq!(answer(&judge.step(join(Some(9), 1, 3), ms(40))), JoinAnswer::Replaced);
    check(&judge.step(beat(1, 90, 1), ms(50)), &expect!["TellExit { 1, seq: 90 }"]);
    // What is said of the old life says nothing of the new one.
    for old in [
        Input::Exited { member: node(1), status: ExitStatus::Unknown },
        Input::Fenced { member: node(1) },
        Input::LinkLost { member: node(1), link: 1 },
        Input::Replace { member: node(1) },
        Input::Stop { member: node(1) },
    ] {
        assert_eq!(judge.step(old, ms(60)), vec![]);
    }
    check(
        &judge.step(register(2, Place::Local), ms(70)),
        &expect![[r#"Refused { 2, why: NameTaken { holder: "host-2", asker: "host-2" } }"#]],
    );
}

#[test]
fn mb_6_a_registration_with_an_old_incarnation_is_refused() {
    let mut judge = judge_of_one(Place::Local);
    judge.step(Input::Exited { member: node(1), status: ExitStatus::Unknown }, ms(10));
    check(&judge.step(register(1, Place::Local), ms(20)), &expect!["Refused { 1, why: Replaced }"]);
    assert_eq!(judge.step(register(2, Place::Local), ms(20)), vec![]);
}

#[test]
fn a_name_is_a_path_of_names() {
    let mut judge = Judge::new(Settings::default(), Duration::ZERO);
    let long = "n".repeat(129);
    for bad in ["", "/", "node//worker", long.as_str()] {
        let member = Member::new(Arc::from(bad), life(1));
        let refused = judge.step(
            Input::Register { member, place: Place::Local, origin: origin(1) },
            Duration::ZERO,
        );
        let [Effect::Refused { why: JoinAnswer::BadName { .. }, .. }] = refused[..] else {
            panic!("{bad}: {refused:?}")
        };
    }
    let member = Member::new(Arc::from("node-2/worker-1"), life(1));
    let input = Input::Register { member, place: Place::Local, origin: origin(1) };
    assert_eq!(judge.step(input, Duration::ZERO), vec![]);
}

#[test]
fn mb_2_each_answer_repeats_as_what_a_life_was_let_in() {
    let beside = |claim, process, link| match join(claim, process, link) {
        Input::Join { name, claim, origin, link, ticket, .. } => {
            Input::Join { name, claim, place: Place::Local, origin, link, ticket }
        }
        other => other,
    };
    let local = JoinAnswer::Continue { incarnation: life(1), place: Place::Local };
    let mut judge = Judge::new(Settings::default(), Duration::ZERO);
    assert_eq!(answer(&judge.step(beside(None, 1, 1), ms(0))), local);
    assert_eq!(answer(&judge.step(join(Some(1), 1, 2), ms(10))), local, "its handle is kept");
    let mut judge = joined();
    assert_eq!(answer(&judge.step(beside(Some(1), 1, 2), ms(10))), goes_on(1), "it came too late");
}

#[test]
fn a_local_child_that_is_quiet_and_not_yet_suspect_is_named() {
    let mut judge = judge_of_one(Place::Local);
    assert_eq!(ticks(&mut judge, 0, 300), []);
    assert_eq!(judge.quiet().count(), 0);
    ticks(&mut judge, 300, 400);
    assert_eq!(judge.quiet().collect::<Vec<_>>(), [node(1)]);
    judge.step(beat(1, 2, 2), ms(410));
    assert_eq!(judge.quiet().count(), 0);
    ticks(&mut judge, 410, 2000);
    assert_eq!(judge.quiet().count(), 0, "a verdict stands");
    let mut judge = judge_of_one(Place::Remote);
    ticks(&mut judge, 0, 1000);
    assert_eq!(judge.quiet().count(), 0, "nobody can look there");
}

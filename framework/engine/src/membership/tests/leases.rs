//! What a child thinks of itself.

use std::time::Duration;

use super::super::{
    ChildEffect, ChildInput, ExitReason, JoinAnswer, Lease, Place, Settings, Standing,
};
use super::{life, ms};

fn goes_on(ticket: u64, number: u64) -> ChildInput {
    let answer = JoinAnswer::Continue { incarnation: life(number), place: Place::Remote };
    ChildInput::Joined { ticket, answer }
}

fn answered(seq: u64) -> ChildInput {
    ChildInput::Answered { incarnation: life(1), seq }
}

/// A remote child that asked at 0 and was answered at 50 ms.
fn member() -> Lease {
    let mut lease = Lease::new(Settings::default(), Place::Remote, None, Duration::ZERO);
    let asked = lease.step(ChildInput::Tick, Duration::ZERO);
    assert_eq!(asked, [ChildEffect::Join { claim: None, link: 1, ticket: 1 }]);
    assert!(!lease.may_work(ms(10)));
    let works = lease.step(goes_on(1, 1), ms(50));
    assert_eq!(works, [ChildEffect::Work { incarnation: life(1) }]);
    lease
}

#[test]
fn mb_2_the_lease_runs_from_when_the_answered_was_sent() {
    let mut lease = member();
    assert!(lease.may_work(ms(2499)) && !lease.may_work(ms(2500)));
    lease.step(ChildInput::Tick, ms(100));
    lease.step(answered(2), ms(2400));
    assert!(lease.may_work(ms(2599)) && !lease.may_work(ms(2600)));
    // An answer that comes again, or to nothing that was sent, renews nothing.
    lease.step(answered(2), ms(2590));
    lease.step(answered(77), ms(2590));
    assert!(!lease.may_work(ms(2600)));
}

#[test]
fn mb_2_the_lease_is_the_one_by_which_the_judge_waits() {
    let mut lease = Lease::new(Settings::default(), Place::Remote, None, Duration::ZERO);
    lease.step(ChildInput::Tick, Duration::ZERO);
    let answer = JoinAnswer::Continue { incarnation: life(1), place: Place::Local };
    lease.step(ChildInput::Joined { ticket: 1, answer }, ms(50));
    assert!(lease.may_work(ms(1199)) && !lease.may_work(ms(1200)));
    lease.step(ChildInput::Tick, ms(100));
    lease.step(answered(2), ms(150));
    assert!(lease.may_work(ms(1299)) && !lease.may_work(ms(1300)));
}

#[test]
fn mb_2_a_frozen_process_is_isolated_before_it_does_anything_else() {
    let mut lease = member();
    lease.step(ChildInput::Tick, ms(100));
    // It sleeps; the answer to the beat was there in time.
    assert!(!lease.may_work(ms(9000)));
    assert_eq!(lease.step(answered(2), ms(9000)), [ChildEffect::Isolate]);
    assert_eq!(lease.standing(), Standing::Isolated);
    // The next beat is answered: it was not replaced.
    let sent = lease.step(ChildInput::Tick, ms(9001));
    let [ChildEffect::Join { claim: Some(_), .. }, ChildEffect::Beat { seq, .. }] = sent[..] else {
        panic!("{sent:?}")
    };
    let works = [ChildEffect::Work { incarnation: life(1) }];
    assert_eq!(lease.step(answered(seq), ms(9100)), works);
    assert!(lease.may_work(ms(9001 + 2499)) && !lease.may_work(ms(9001 + 2500)));
}

#[test]
fn an_isolated_child_exits_after_the_grace() {
    let mut lease = member();
    assert_eq!(lease.step(ChildInput::Tick, ms(2500))[0], ChildEffect::Isolate);
    lease.step(ChildInput::Tick, ms(62_499));
    assert_eq!(lease.standing(), Standing::Isolated);
    let exit = ChildEffect::Exit(ExitReason::IsolatedTooLong { grace: ms(60_000) });
    assert_eq!(lease.step(ChildInput::Tick, ms(62_500)), [exit]);
    assert_eq!(lease.step(goes_on(1, 1), ms(62_600)), []);
    assert_eq!(lease.standing(), Standing::Exited);
}

#[test]
fn a_child_that_is_never_answered_exits_after_the_grace() {
    let mut lease = Lease::new(Settings::default(), Place::Local, Some(life(3)), ms(0));
    lease.step(ChildInput::Tick, ms(59_999));
    let exit = ChildEffect::Exit(ExitReason::NeverJoined { grace: ms(60_000) });
    assert_eq!(lease.step(ChildInput::Tick, ms(60_000)), [exit]);
}

#[test]
fn refusals_end_a_child_and_later_does_not() {
    let taken = JoinAnswer::NameTaken { holder: "a".into(), asker: "b".into() };
    let cases = [
        (JoinAnswer::Replaced, ExitReason::Replaced),
        (taken, ExitReason::NameTaken { holder: "a".into(), asker: "b".into() }),
        (JoinAnswer::Full { limit: 4096 }, ExitReason::Full { limit: 4096 }),
        (JoinAnswer::BadName { reason: "no".into() }, ExitReason::BadName { reason: "no".into() }),
    ];
    for (answer, reason) in cases {
        let mut lease = Lease::new(Settings::default(), Place::Remote, None, ms(0));
        lease.step(ChildInput::Tick, ms(0));
        let effects = lease.step(ChildInput::Joined { ticket: 1, answer: answer.clone() }, ms(1));
        assert_eq!(effects, [ChildEffect::Exit(reason)]);
        // The same answer to a request that is long forgotten.
        let mut lease = member();
        assert_eq!(lease.step(ChildInput::Joined { ticket: 1, answer }, ms(60)), []);
    }
    let mut lease = Lease::new(Settings::default(), Place::Remote, None, ms(0));
    lease.step(ChildInput::Tick, ms(0));
    let answer = JoinAnswer::Later { after: ms(2000) };
    assert_eq!(lease.step(ChildInput::Joined { ticket: 1, answer }, ms(1)), []);
    assert_eq!(lease.step(ChildInput::Tick, ms(2000)), []);
    assert_eq!(lease.step(ChildInput::Tick, ms(2001)).len(), 1);
}

#[test]
fn mb_6_answers_to_another_life_change_nothing() {
    let mut lease = member();
    lease.step(ChildInput::Tick, ms(100));
    let other = life(2);
    assert_eq!(lease.step(ChildInput::ToldToExit { incarnation: other }, ms(110)), []);
    lease.step(ChildInput::Answered { incarnation: other, seq: 2 }, ms(110));
    assert!(!lease.may_work(ms(2500)));
    let told = lease.step(ChildInput::ToldToExit { incarnation: life(1) }, ms(120));
    assert_eq!(told, [ChildEffect::Exit(ExitReason::Replaced)]);
}

#[test]
fn a_lost_link_is_opened_again_under_a_new_number() {
    let mut lease = member();
    assert_eq!(lease.step(ChildInput::LinkLost, ms(60)), []);
    assert_eq!(lease.step(ChildInput::LinkLost, ms(61)), [], "it is lost once");
    let effects = lease.step(ChildInput::Tick, ms(70));
    assert_eq!(effects[0], ChildEffect::Join { claim: Some(life(1)), link: 2, ticket: 2 });
    assert!(lease.may_work(ms(71)), "a lost link alone isolates nobody");
}

/// The link of the request that it sends, if it sends one.
fn asks(lease: &mut Lease, at: u64) -> Option<u64> {
    let effects = lease.step(ChildInput::Tick, ms(at));
    effects.iter().find_map(|effect| match effect {
        ChildEffect::Join { link, .. } => Some(*link),
        _ => None,
    })
}

#[test]
fn mb_5_a_link_that_is_lost_before_its_answer_is_not_the_next_one() {
    let mut lease = member();
    lease.step(ChildInput::LinkLost, ms(60));
    assert_eq!(asks(&mut lease, 70), Some(2));
    // The head has heard the request, perhaps.
    lease.step(ChildInput::LinkLost, ms(80));
    assert_eq!(asks(&mut lease, 90), None, "the last request is not long ago");
    assert_eq!(asks(&mut lease, 600), Some(3));
    assert_eq!(asks(&mut lease, 1200), Some(3), "repeated over the same link");
}

#[test]
fn mb_5_a_link_over_which_nobody_asked_keeps_its_number() {
    let mut lease = Lease::new(Settings::default(), Place::Remote, None, Duration::ZERO);
    lease.step(ChildInput::LinkLost, Duration::ZERO);
    assert_eq!(asks(&mut lease, 0), Some(1));
}

#[test]
fn mb_5_an_answer_that_a_beat_has_overtaken_links_and_one_over_a_lost_link_does_not() {
    let mut lease = member();
    lease.step(ChildInput::LinkLost, ms(60));
    assert_eq!(asks(&mut lease, 100), Some(2), "ticket 2, and beat 3");
    lease.step(answered(3), ms(110));
    lease.step(goes_on(2, 1), ms(120));
    assert_eq!(asks(&mut lease, 1200), None, "it is linked");
    lease.step(ChildInput::LinkLost, ms(1210));
    assert_eq!(asks(&mut lease, 1300), Some(3));
    lease.step(ChildInput::LinkLost, ms(1310));
    assert_eq!(asks(&mut lease, 1800), Some(4));
    lease.step(goes_on(2, 1), ms(1810));
    assert_eq!(asks(&mut lease, 2400), Some(4), "that was answered over another link");
}

#[test]
fn after_a_pause_one_beat_is_sent() {
    let mut lease = member();
    let beats = |effects: Vec<ChildEffect>| {
        effects.iter().filter(|effect| matches!(effect, ChildEffect::Beat { .. })).count()
    };
    assert_eq!(beats(lease.step(ChildInput::Tick, ms(60))), 1);
    assert_eq!(beats(lease.step(ChildInput::Tick, ms(2000))), 1);
    assert_eq!(beats(lease.step(ChildInput::Tick, ms(2099))), 0);
    assert_eq!(beats(lease.step(ChildInput::Tick, ms(2100))), 1);
}

#[test]
fn mb_8_beats_under_way_are_bounded_whatever_the_settings() {
    let settings =
        Settings { beat_every: ms(1), lease_remote: ms(3_600_000), ..Settings::default() };
    let mut lease = Lease::new(settings, Place::Remote, Some(life(1)), ms(0));
    for at in 0..5000 {
        lease.step(ChildInput::Tick, ms(at));
    }
    assert_eq!(lease.under_way(), raytree_types::limits::BEATS_IN_FLIGHT_MAX);
}

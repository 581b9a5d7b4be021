//! Bounds, settings, and what receivers remember.

use raytree_types::{Error, limits};

use super::super::{ExitStatus, JoinAnswer, Peers, Stale};
use super::*;

fn named(name: &str, number: u64) -> Member {
    Member::new(Arc::from(name), life(number))
}

#[test]
fn the_defaults_keep_the_promises() {
    let settings = Settings::default();
    assert_eq!(settings.checked(), Ok(settings));
    assert_eq!(settings.lease_surely_over(Place::Remote), Duration::from_micros(2_551_505));
    let exact = Settings { drift_max_ppm: 0, ..settings };
    assert_eq!(exact.lease_surely_over(Place::Local), ms(1201));
}

#[test]
fn mb_2_settings_that_could_break_a_promise_are_refused_by_name() {
    type Change = fn(&mut Settings);
    let cases: [(&str, Change); 16] = [
        ("beat_every", |s| s.beat_every = ms(9)),
        ("dead_after_local", |s| s.dead_after_local = ms(3_600_001)),
        ("dead_after_remote", |s| s.dead_after_remote = Duration::ZERO),
        ("suspect_after", |s| s.suspect_after = ms(299)),
        ("suspect_after", |s| s.suspect_after = ms(1500)),
        ("stuck_after", |s| s.stuck_after = ms(800)),
        ("start_within", |s| s.start_within = ms(2999)),
        ("isolation_grace", |s| s.isolation_grace = ms(2999)),
        ("isolation_grace", |s| s.isolation_grace = Duration::MAX),
        ("rejoin_every", |s| s.rejoin_every = ms(0)),
        ("kill_grace", |s| s.kill_grace = ms(1)),
        ("drift_max_ppm", |s| s.drift_max_ppm = 100_001),
        ("lease_local", |s| s.lease_local = ms(1475)),
        ("lease_remote", |s| s.lease_remote = ms(2950)),
        ("lease_remote", |s| s.lease_remote = ms(199)),
        ("lease_remote", |s| s.lease_remote = Duration::MAX),
    ];
    for (name, change) in cases {
        let mut settings = Settings::default();
        change(&mut settings);
        match settings.checked() {
            Err(Error::BadOption { option, .. }) => {
                assert_eq!(option, format!("membership.{name}"))
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn mb_8_there_are_as_many_members_as_there_may_be() {
    let mut judge = Judge::new(Settings::default(), Duration::ZERO);
    let add = |judge: &mut Judge, number: usize| {
        let member = named(&format!("n{number}"), 1);
        let input = Input::Register { member, place: Place::Local, origin: origin(1) };
        judge.step(input, Duration::ZERO)
    };
    for number in 0..limits::MEMBERS_MAX {
        assert_eq!(add(&mut judge, number), vec![]);
    }
    let full = JoinAnswer::Full { limit: limits::MEMBERS_MAX };
    let refused = add(&mut judge, limits::MEMBERS_MAX);
    assert!(matches!(&refused[..], [Effect::Refused { why, .. }] if *why == full), "{refused:?}");
    assert_eq!(judge.len(), limits::MEMBERS_MAX);
    let exited = Input::Exited { member: named("n0", 1), status: ExitStatus::Unknown };
    judge.step(exited, Duration::ZERO);
    assert_eq!(add(&mut judge, limits::MEMBERS_MAX), vec![]);
}

#[test]
fn mb_8_ends_are_forgotten_and_their_incarnations_are_not() {
    let mut judge = Judge::new(Settings::default(), Duration::ZERO);
    let mut live_and_die = |name: &str| {
        let incarnation = judge.next_incarnation(name);
        let member = Member::new(Arc::from(name), incarnation);
        let input =
            Input::Register { member: member.clone(), place: Place::Local, origin: origin(1) };
        assert_eq!(judge.step(input, Duration::ZERO), vec![]);
        judge.step(Input::Exited { member, status: ExitStatus::Unknown }, Duration::ZERO);
        assert!(judge.ends_remembered() <= limits::MEMBER_ENDS_MAX, "MB-8");
        (incarnation, judge.floor())
    };
    for number in 1..=5 {
        assert_eq!(live_and_die("old"), (life(number), life(0)));
    }
    for number in 0..3 * limits::MEMBER_ENDS_MAX {
        live_and_die(&format!("n{number}"));
    }
    let (incarnation, floor) = live_and_die("old");
    assert!(incarnation > life(5) && incarnation > floor.min(life(5)), "MB-6: {incarnation}");
    // One that dies all the time does not push the others out.
    let mut judge = Judge::new(Settings::default(), Duration::ZERO);
    for number in 1..=10_000 {
        let member = named("loop", number);
        let input =
            Input::Register { member: member.clone(), place: Place::Local, origin: origin(1) };
        judge.step(input, Duration::ZERO);
        judge.step(Input::Exited { member, status: ExitStatus::Unknown }, Duration::ZERO);
    }
    assert_eq!((judge.ends_remembered(), judge.next_incarnation("loop")), (1, life(10_001)));
}

#[test]
fn mb_6_a_receiver_listens_to_the_newest_life_only() {
    let mut peers = Peers::default();
    assert_eq!(peers.admit(&named("a", 2)), Ok(()));
    assert_eq!(peers.admit(&named("a", 2)), Ok(()));
    assert_eq!(peers.admit(&named("a", 1)), Err(Stale::Older { oldest: life(2) }));
    assert_eq!(peers.down(&named("a", 2)), Ok(()));
    assert_eq!(peers.admit(&named("a", 2)), Err(Stale::Older { oldest: life(3) }));
    assert_eq!(peers.down(&named("a", 1)), Ok(()), "old news");
    assert_eq!(peers.admit(&named("a", 3)), Ok(()));
    for number in 1..limits::PEERS_MAX {
        assert_eq!(peers.admit(&named(&format!("n{number}"), 1)), Ok(()));
    }
    let full = Err(Stale::Full { limit: limits::PEERS_MAX });
    assert_eq!((peers.admit(&named("z", 1)), peers.down(&named("z", 1))), (full.clone(), full));
    peers.forget("a");
    assert_eq!(peers.admit(&named("z", 1)), Ok(()));
    assert_eq!(peers.len(), limits::PEERS_MAX);
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    let mut judge = judge_of_one(Place::Local);
    ticks(&mut judge, 0, 1400);
    assert_eq!(judge.step(Input::Tick, ms(3)), vec![]);
    judge.step(Input::Tick, ms(1500));
    assert_eq!(judge.phase("node"), Some(super::super::Phase::Fenced));
}

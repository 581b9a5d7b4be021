//! Any story at all, in any order: what must hold even if the shell makes no sense.

use std::collections::BTreeMap;

use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use raytree_types::limits;

use super::super::{ChildEffect, ChildInput, DeathCause, ExitStatus, JoinAnswer, Lease, Standing};
use super::*;

const NAMES: [&str; 3] = ["a", "b", "b/c"];

fn member() -> impl Strategy<Value = Member> {
    (0..NAMES.len(), 1u64..5)
        .prop_map(|(name, number)| Member::new(NAMES[name].into(), life(number)))
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![Just(Place::Local), Just(Place::Remote)]
}

fn input() -> impl Strategy<Value = Input> {
    let at = || (member(), place(), 0u64..4);
    let joins = (member(), any::<bool>(), place(), 0u64..4, 0u64..4);
    prop_oneof![
        3 => at().prop_map(|(member, place, process)| {
            Input::Register { member, place, origin: origin(process) }
        }),
        1 => at().prop_map(|(member, place, process)| {
            Input::Recall { member, place, origin: origin(process) }
        }),
        3 => joins.prop_map(|(member, new, place, process, link)| Input::Join {
            name: member.name,
            claim: (!new).then_some(member.incarnation),
            place,
            origin: origin(process),
            link,
            ticket: 1,
        }),
        6 => (member(), any::<u8>(), 0u64..2).prop_map(|(member, seq, progress)| {
            Input::Beat { member, seq: seq.into(), progress }
        }),
        1 => (member(), 0u64..4).prop_map(|(member, link)| Input::LinkLost { member, link }),
        1 => member().prop_map(|member| Input::Exited { member, status: ExitStatus::Code(1) }),
        1 => (member(), any::<u16>()).prop_map(|(member, by)| {
            Input::Starved { member, by: ms(by.into()) }
        }),
        1 => any::<u16>().prop_map(|by| Input::Stalled { by: ms(by.into()) }),
        1 => member().prop_map(|member| Input::Stop { member }),
        1 => member().prop_map(|member| Input::Replace { member }),
        1 => member().prop_map(|member| Input::Fenced { member }),
        12 => Just(Input::Tick),
    ]
}

proptest! {
    #[test]
    fn mb_1_3_6_7_hold_whatever_a_judge_is_told(
        restarted in any::<bool>(),
        story in prop::collection::vec((input(), 0u64..700), 0..200),
    ) {
        let settings = Settings::default();
        let mut judge = match restarted {
            true => Judge::restarted(settings, life(4), Duration::ZERO),
            false => Judge::new(settings, Duration::ZERO),
        };
        let mut convicted: BTreeMap<Member, DeathCause> = BTreeMap::new();
        let mut newest: BTreeMap<Name, ProcessIncarnation> = BTreeMap::new();
        let mut down: Vec<Member> = Vec::new();
        let mut now = 0;
        for (input, pause) in story {
            now += pause;
            let exit = matches!(input, Input::Exited { .. });
            for effect in judge.step(input, ms(now)) {
                match effect {
                    Effect::Convict { member, cause, .. } => {
                        prop_assert!(!down.contains(&member), "MB-1");
                        prop_assert_eq!(convicted.insert(member, cause), None, "MB-1");
                    }
                    Effect::Down { member, cause, .. } => {
                        let known = convicted.get(&member).copied();
                        let exited = matches!(cause, DeathCause::Exited { .. }) && exit;
                        prop_assert!(known.map_or(exited, |known| known == cause), "MB-7");
                        prop_assert!(!down.contains(&member), "MB-1");
                        down.push(member);
                    }
                    Effect::Mark { member, .. } | Effect::Answer { member, .. } => {
                        prop_assert!(!down.contains(&member), "MB-1");
                        prop_assert!(!convicted.contains_key(&member), "MB-1");
                    }
                    _ => {}
                }
            }
            for (member, _) in judge.members() {
                prop_assert!(!down.contains(&member), "MB-3");
                let before = newest.insert(member.name, member.incarnation);
                prop_assert!(before.is_none_or(|before| before <= member.incarnation), "MB-6");
            }
        }
    }

    #[test]
    fn mb_2_the_stretched_lease_is_the_longer_one_by_any_two_clocks(
        lease in 1u64..100_000,
        drift in 0u32..=100_000,
        (child, judge) in (-1.0f64..=1.0, -1.0f64..=1.0),
    ) {
        let settings = Settings { lease_remote: ms(lease), drift_max_ppm: drift, ..Settings::default() };
        // How long each clock takes in truth to show what it shows.
        let truth = |shown: Duration, skew: f64| shown.as_secs_f64() / (1.0 + skew * f64::from(drift) / 1e6);
        let waits = truth(settings.lease_surely_over(Place::Remote), judge);
        prop_assert!(waits > truth(settings.lease(Place::Remote), child));
    }

    #[test]
    fn mb_2_8_no_answer_gives_a_child_more_than_its_lease(
        story in prop::collection::vec((0u8..6, 0u64..40, 0u64..900), 0..200),
    ) {
        let settings = Settings::default();
        let mut lease = Lease::new(settings, Place::Remote, None, Duration::ZERO);
        let mut sent: Vec<(u64, u64)> = Vec::new();
        let (mut now, mut granted) = (0, None);
        for (what, back, pause) in story {
            now += pause;
            let (number, at) = match sent.len().checked_sub(1 + back as usize) {
                Some(index) => sent[index],
                None => (u64::MAX, 0),
            };
            let answer = JoinAnswer::Continue { incarnation: life(1), place: Place::Remote };
            let input = match what {
                0 => ChildInput::Answered { incarnation: life(1), seq: number },
                1 => ChildInput::Joined { ticket: number, answer },
                2 => ChildInput::LinkLost,
                _ => ChildInput::Tick,
            };
            if what < 2 && number != u64::MAX {
                granted = granted.max(Some(at + 2500));
            }
            for effect in lease.step(input, ms(now)) {
                match effect {
                    ChildEffect::Beat { seq, .. } => sent.push((seq, now)),
                    ChildEffect::Join { ticket, .. } => sent.push((ticket, now)),
                    ChildEffect::Exit(_) => prop_assert_eq!(lease.standing(), Standing::Exited),
                    ChildEffect::Work { .. } | ChildEffect::Isolate => {}
                }
            }
            prop_assert!(lease.under_way() <= limits::BEATS_IN_FLIGHT_MAX, "MB-8");
            if lease.may_work(ms(now)) {
                prop_assert!(granted.is_some_and(|until| now < until), "MB-2");
            }
        }
    }
}

use std::time::Duration;

use proptest::prelude::*;
use raytree_types::Error;

use super::*;

const TOTAL: u64 = 1000;
const EVERY: Duration = Duration::from_millis(250);

fn watch() -> Watch {
    Watch::new(Settings { refuse_at: 900 })
}

fn of(used: u64) -> Reading {
    Reading { used, total: TOTAL }
}

fn shortage(used: u64) -> Shortage {
    Shortage { used, total: TOTAL, limit: 900 }
}

fn isolated(id: u32, own: u64) -> Process {
    let age = Duration::from_secs(u64::from(id));
    Process { id, kind: Kind::Isolated, is_idle: false, is_retriable: false, age, own }
}

fn shared(id: u32, own: u64) -> Process {
    Process { kind: Kind::Shared, ..isolated(id, own) }
}

/// At the tick of this number.
fn at(tick: u32) -> Duration {
    EVERY * tick
}

#[test]
fn a_node_with_room_does_all_it_is_asked_for() {
    let mut watch = watch();
    for (tick, used) in [0, 500, 899, 900].into_iter().enumerate() {
        let decision = watch.read(of(used), &[isolated(1, 500)], false, at(tick as u32));
        assert_eq!(decision, Decision::Calm, "{used}");
    }
    // Nobody says how much there is.
    let unknown = Reading { used: 0, total: 0 };
    assert_eq!(watch.read(unknown, &[], false, at(9)), Decision::Calm);
}

#[test]
fn mw_1_it_refuses_before_it_ends_anything_and_has_patience_below_the_urgent_line() {
    let mut watch = watch();
    let all = [isolated(1, 500)];
    for tick in 0..4 {
        assert_eq!(watch.read(of(940), &all, false, at(tick)), Decision::Refuse(shortage(940)));
    }
    assert_eq!(watch.read(of(940), &all, false, at(4)), Decision::End(shortage(940), all[0]));
    // Above it there is none, and still it refuses first.
    let mut watch = self::watch();
    assert_eq!(watch.read(of(999), &all, false, at(0)), Decision::Refuse(shortage(999)));
    assert_eq!(watch.read(of(999), &all, false, at(1)), Decision::End(shortage(999), all[0]));
}

#[test]
fn mw_7_nobody_is_ended_while_the_store_goes_to_disk_for_as_long_as_a_disk_may_take() {
    let all = [isolated(1, 500)];
    let ends_at = |used, spills: &dyn Fn(u32) -> bool| {
        let mut watch = watch();
        (0..1000).find(|tick| {
            watch.store_spills(spills(*tick));
            watch.read(of(used), &all, false, at(*tick)) == Decision::End(shortage(used), all[0])
        })
    };
    let ticks = |long: Duration| (long.as_millis() / EVERY.as_millis()) as u32;
    assert_eq!(ends_at(940, &|_| false), Some(ticks(PATIENCE)));
    let all_is_written = ends_at(940, &|tick| tick <= 20);
    assert_eq!(all_is_written, Some(20 + ticks(PATIENCE)), "its memory is given back after that");
    assert_eq!(ends_at(940, &|_| true), Some(ticks(PATIENCE_WITH_DISKS)), "it hangs");
    assert_eq!(ends_at(999, &|_| true), Some(1), "there is no time");
}

#[test]
fn its_patience_begins_anew_when_it_was_below_the_limit() {
    let mut watch = watch();
    let all = [isolated(1, 500)];
    for (tick, used) in [940, 940, 900, 940, 940, 940].into_iter().enumerate() {
        let decision = watch.read(of(used), &all, false, at(tick as u32));
        assert_eq!(decision, Decision::Refuse(shortage(used)), "at {tick}");
    }
}

#[test]
fn mw_5_it_goes_on_only_well_below_the_limit() {
    let mut watch = watch();
    let decide = |watch: &mut Watch, used| watch.read(of(used), &[], false, at(0));
    assert_eq!(decide(&mut watch, 901), Decision::Refuse(shortage(901)));
    assert_eq!(decide(&mut watch, 855), Decision::Refuse(shortage(855)));
    assert_eq!(decide(&mut watch, 854), Decision::Calm);
    assert_eq!(decide(&mut watch, 899), Decision::Calm);
}

#[test]
fn mw_2_the_cheapest_goes_first() {
    let idle = |process| Process { is_idle: true, ..process };
    let again = |process| Process { is_retriable: true, ..process };
    // As they would be ended, one after the other.
    let order = [
        idle(again(isolated(8, 100))),
        idle(isolated(1, 100)),
        again(isolated(2, 100)),
        again(isolated(7, 100)),
        isolated(3, 100),
        isolated(6, 500),
        shared(9, 400),
        idle(again(shared(4, 300))),
    ];
    for at in 0..order.len() {
        let mut left = order[at..].to_vec();
        left.reverse();
        assert_eq!(first(&left, TOTAL), Some(&order[at]));
    }
}

#[test]
fn mw_3_the_next_one_waits_until_the_last_is_gone_or_hangs() {
    let mut watch = watch();
    let all = [isolated(1, 300), isolated(2, 300)];
    watch.read(of(999), &all, false, at(0));
    assert_eq!(watch.read(of(999), &all, false, at(1)), Decision::End(shortage(999), all[0]));
    assert_eq!(watch.ending(), Some(1));
    for tick in 2..21 {
        let decision = watch.read(of(999), &all, true, at(tick));
        assert_eq!(decision, Decision::Refuse(shortage(999)), "at {tick}");
    }
    // It hangs in the kernel: the next one goes, and it is not told again.
    assert_eq!(watch.read(of(999), &all, true, at(21)), Decision::End(shortage(999), all[1]));
    assert_eq!(watch.read(of(999), &all[..1], false, at(22)), Decision::End(shortage(999), all[0]));
    assert_eq!(watch.read(of(500), &[], false, at(23)), Decision::Calm);
    assert_eq!(watch.ending(), None);
}

#[test]
fn mw_4_what_would_change_nothing_is_left_alone() {
    let small = [isolated(1, 9), shared(2, 49)];
    let mut watch = watch();
    for tick in 0..100 {
        let decision = watch.read(of(999), &small, false, at(tick));
        assert_eq!(decision, Decision::Refuse(shortage(999)));
    }
    assert_eq!(first(&[isolated(1, 10), shared(2, 50)], TOTAL).map(|one| one.id), Some(1));
    assert_eq!(first(&[isolated(1, 9), shared(2, 50)], TOTAL).map(|one| one.id), Some(2));
    assert_eq!(first(&[isolated(1, 0)], 0), None);
}

#[test]
fn the_lines_of_machines_of_all_sizes() {
    let lines = |refuse_at, total| {
        let Lines { resume, limit, urgent } = Watch::new(Settings { refuse_at }).lines(total);
        (resume, limit, urgent)
    };
    let gib = 1 << 30;
    assert_eq!(lines(950, 100 * gib), (92 * gib, 95 * gib, 95 * gib + 5 * gib / 2));
    assert_eq!(lines(950, 1000), (903, 950, 975));
    assert_eq!(lines(100, 1000), (95, 100, 550));
    // All of it is the limit, which cannot be passed.
    assert_eq!(lines(1000, 1000), (950, 1000, 1000));
    assert_eq!(lines(950, 0), (0, 0, 0));
    assert_eq!(lines(1000, u64::MAX).1, u64::MAX);
}

#[test]
fn an_error_names_the_sizes() {
    let Error::OutOfMemory { process, used, total, limit, own } = shortage(950).error("eats", 7)
    else {
        panic!("another error")
    };
    assert_eq!((&*process, used, total, limit, own), ("eats", 950, 1000, 900, 7));
    let said = shortage(950).to_string();
    assert_eq!(said, "950 of 1000 bytes of memory are in use, where 900 is the limit");
}

/// A node of one test: what it has, and how long one that was told to end takes to go.
#[derive(Debug)]
struct World {
    processes: Vec<Process>,
    /// What others use of the machine.
    foreign: u64,
    going: Option<(u32, u32)>,
}

impl World {
    fn used(&self) -> u64 {
        let own: u64 = self.processes.iter().map(|one| one.own).sum();
        (own + self.foreign).min(TOTAL)
    }
}

fn any_process() -> impl Strategy<Value = Process> {
    let kind = prop_oneof![3 => Just(Kind::Isolated), 1 => Just(Kind::Shared)];
    (kind, any::<bool>(), any::<bool>(), 0u64..5, 0u64..300).prop_map(
        |(kind, is_idle, is_retriable, age, own)| {
            let age = Duration::from_secs(age);
            Process { id: 0, kind, is_idle, is_retriable, age, own }
        },
    )
}

/// What happens before a reading: somebody comes, somebody grows, the rest of the machine changes.
#[derive(Clone, Debug)]
enum Happens {
    Comes(Process),
    Grows(usize, u64),
    Foreign(u64),
    Nothing,
}

fn any_event() -> impl Strategy<Value = Happens> {
    prop_oneof![
        2 => any_process().prop_map(Happens::Comes),
        2 => (0usize..8, 0u64..400).prop_map(|(who, own)| Happens::Grows(who, own)),
        1 => (0u64..1000).prop_map(Happens::Foreign),
        3 => Just(Happens::Nothing),
    ]
}

proptest! {
    #[test]
    fn mw_1_to_5_hold_whatever_happens(
        story in prop::collection::vec((any_event(), 1u32..30), 1..150),
    ) {
        let mut world = World { processes: Vec::new(), foreign: 100, going: None };
        let mut watch = watch();
        let (mut next, mut was_refusing) = (1, false);
        let mut told: Option<(u32, Duration)> = None;
        for (tick, (happens, goes_after)) in story.into_iter().enumerate() {
            match happens {
                Happens::Comes(process) => {
                    world.processes.push(Process { id: next, ..process });
                    next += 1;
                }
                Happens::Grows(who, own) => {
                    if let Some(process) = world.processes.get_mut(who) {
                        process.own = own;
                    }
                }
                Happens::Foreign(used) => world.foreign = used,
                Happens::Nothing => {}
            }
            if let Some((id, left)) = world.going {
                world.going = (left > 0).then_some((id, left.saturating_sub(1)));
                if world.going.is_none() {
                    world.processes.retain(|one| one.id != id);
                }
            }
            let (now, used) = (at(tick as u32), world.used());
            let is_there = watch.ending().is_some_and(|id| {
                world.processes.iter().any(|one| one.id == id)
            });
            let decision = watch.read(of(used), &world.processes, is_there, now);
            let refuses = decision != Decision::Calm;
            prop_assert_eq!(refuses, used > 900 || (was_refusing && used >= 855), "MW-5");
            if let Decision::End(said, victim) = decision {
                prop_assert_eq!(said, shortage(used));
                prop_assert!(was_refusing, "MW-1");
                prop_assert!(used > 900);
                let hangs = told.filter(|_| is_there);
                prop_assert!(hangs.is_none_or(|(_, at)| now - at >= GRACE), "MW-3");
                let worth = |one: &&Process| match one.kind {
                    Kind::Isolated => one.own >= 10,
                    Kind::Shared => one.own >= 50,
                };
                let others = || {
                    let left = world.processes.iter().filter(worth);
                    left.filter(move |one| hangs.is_none_or(|(id, _)| one.id != id))
                };
                prop_assert!(others().any(|one| *one == victim), "MW-4");
                // MW-2, said in another way: nobody is left who would have been better to lose.
                let is_better = |one: &Process| match (one.kind, victim.kind) {
                    (Kind::Isolated, Kind::Shared) => true,
                    (Kind::Shared, Kind::Isolated) => false,
                    (Kind::Shared, Kind::Shared) => one.own > victim.own,
                    (Kind::Isolated, Kind::Isolated) if one.is_idle != victim.is_idle => one.is_idle,
                    (Kind::Isolated, Kind::Isolated) if one.is_retriable != victim.is_retriable => {
                        one.is_retriable
                    }
                    (Kind::Isolated, Kind::Isolated) => one.age < victim.age,
                };
                prop_assert!(!others().any(is_better), "MW-2: {:?} of {:?}", victim, world);
                told = Some((victim.id, now));
                world.going = Some((victim.id, goes_after));
            }
            was_refusing = refuses;
        }
    }

    #[test]
    fn a_node_that_can_free_enough_gets_calm_again(
        processes in prop::collection::vec(any_process(), 1..12), foreign in 0u64..800,
    ) {
        let all: Vec<_> = (1..).zip(processes).map(|(id, one)| Process { id, ..one }).collect();
        let mut world = World { processes: all, foreign, going: None };
        let mut watch = watch();
        for tick in 0..200 {
            let decision = watch.read(of(world.used()), &world.processes, false, at(tick));
            if let Decision::End(_, victim) = decision {
                world.processes.retain(|one| one.id != victim.id);
            }
        }
        let left = first(&world.processes, TOTAL).is_some();
        prop_assert!(world.used() <= 900 || !left, "{:?}", world);
    }
}

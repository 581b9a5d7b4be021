//! All that can happen to few processes, and much of what can happen to many.

mod judge;
mod steps;
mod world;

use std::collections::{BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use steps::Step;
use world::{May, OWNER, Ref, World};

use crate::sim::{Figures, Rng, every_seed};

/// Whatever can happen in a world, in every order: how many worlds that is.
fn every_order(world: World) -> usize {
    let (mut seen, mut path) = (HashSet::new(), Vec::new());
    let lived = catch_unwind(AssertUnwindSafe(|| explore(world, &mut seen, &mut path)));
    lived.unwrap_or_else(|panic| {
        eprintln!("it went wrong after {path:#?}");
        resume_unwind(panic)
    });
    seen.len()
}

fn explore(world: World, seen: &mut HashSet<u64>, path: &mut Vec<Step>) {
    seen.insert(world.digest());
    // What is left to do in each world on the way.
    let mut way = vec![(world.steps(), world)];
    while let Some((steps, world)) = way.last_mut() {
        let Some(step) = steps.pop() else {
            way.pop();
            path.pop();
            continue;
        };
        let mut world = world.clone();
        path.push(step);
        world.take(step);
        if !seen.insert(world.digest()) {
            path.pop();
            continue;
        }
        let steps = judged(&world);
        way.push((steps, world));
    }
}

/// What can happen next in a world in which all is well.
fn judged(world: &World) -> Vec<Step> {
    world.is_sound();
    let steps = world.steps();
    world.all_are_told(&steps);
    if World::is_quiet(&steps) {
        world.is_clean();
    }
    steps
}

#[test]
fn bw_1_bw_2_an_object_of_the_owner_is_there_for_two_who_hand_it_on_in_every_order_there_is() {
    let may = May { send: 4, unsay: 1, ..May::default() };
    let worlds = every_order(World::new(3, &[OWNER], may));
    assert!(worlds > 10_000, "{worlds}");
}

#[test]
fn bw_1_bw_3_so_is_one_of_a_borrower_in_every_order_there_is() {
    let may = May { send: 4, unsay: 1, ..May::default() };
    let worlds = every_order(World::new(3, &[1], may));
    assert!(worlds > 10_000, "{worlds}");
}

#[test]
fn bw_2_bw_3_whoever_dies_when_takes_nothing_with_him_and_leaves_nothing() {
    for (owner, dies) in [(OWNER, 1), (1, 1), (1, 2)] {
        let may = May { send: 3, die: 1, ..May::default() };
        let mut world = World::new(3, &[owner], may);
        world.mortal = BTreeSet::from([dies]);
        let worlds = every_order(world);
        assert!(worlds > 10_000, "{worlds}");
    }
}

#[test]
fn bw_1_bw_2_what_an_object_has_inside_is_there_for_whoever_asks_for_it() {
    let may = May { send: 2, fetch: 2, ..May::default() };
    let mut world = World::new(3, &[OWNER, OWNER], may);
    world.inside.insert(0, 1);
    // Nobody else has it.
    world.take(Step::Drops(OWNER, Ref::Own(1)));
    let worlds = every_order(world);
    assert!(worlds > 1000, "{worlds}");
}

#[test]
fn bw_4_whoever_holds_an_actor_hears_of_its_end_and_nobody_else_does() {
    for owner in [OWNER, 1] {
        let may = May { send: 2, end: 1, watch: 2, ..May::default() };
        let worlds = every_order(World::new(3, &[owner], may));
        assert!(worlds > 1000, "{worlds}");
    }
}

#[test]
fn bw_1_bw_2_bw_3_bw_4_hold_for_many_processes_and_objects() {
    every_seed(|seed| {
        let mut random = Rng::new(seed);
        let mut figures = Figures::new(["sent", "passed", "unsaid", "fetched", "died", "ended"]);
        let processes = 3 + random.index(3);
        let objects: Vec<_> = (0..4).map(|_| random.index(processes)).collect();
        let may =
            May { send: 24, unsay: 3, fetch: 6, end: 2, watch: 6, die: 1 + (seed % 2) as u32 };
        let mut world = World::new(processes, &objects, may);
        for (outer, inner) in [(0, 1), (1, 2), (0, 3)] {
            if objects[usize::from(outer)] == objects[usize::from(inner)] {
                world.inside.insert(outer, inner);
            }
        }
        loop {
            let steps = judged(&world);
            if World::is_quiet(&steps) {
                return figures;
            }
            // Not too soon.
            let rare =
                |step: &Step| matches!(step, Step::Dies(_) | Step::Ends(_) | Step::Drops(..));
            let is_rare = random.percent(8) || steps.iter().all(rare);
            let steps: Vec<_> = steps.into_iter().filter(|step| rare(step) == is_rare).collect();
            let Some(step) = (!steps.is_empty()).then(|| steps[random.index(steps.len())]) else {
                continue;
            };
            match step {
                Step::Packs(own, to, _) if own == OWNER || to == OWNER => figures.count("sent"),
                Step::Packs(..) => figures.count("passed"),
                Step::Unsays(_) => figures.count("unsaid"),
                Step::Fetches(..) => figures.count("fetched"),
                Step::Dies(_) => figures.count("died"),
                Step::Ends(_) => figures.count("ended"),
                _ => {}
            }
            world.take(step);
        }
    });
}

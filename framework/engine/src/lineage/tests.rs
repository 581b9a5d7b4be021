//! Each reason, and books in any story.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::task::{Effect, Event};

/// A task that has run so often, and lost its worker all but the last time.
fn ran(runs: u32, retries: Retries) -> Task {
    let mut task = Task::new(0);
    for _ in 1..runs {
        task = task.step(Event::Begin, retries).0.step(Event::WorkerLost, retries).0;
    }
    task.step(Event::Begin, retries).0.step(Event::Returned, retries).0
}

fn made(runs: u32, lost: u32, lineage: Lineage) -> Origin {
    let retries = Retries { lost, errors: 0 };
    Origin::Task { task: ran(runs, retries), retries, lineage }
}

#[test]
fn lg_1_each_origin_has_its_way_or_its_reason() {
    let (given_up, off) = (Lineage::GivenUp { bound: 7 }, Lineage::GivenUp { bound: 0 });
    let owner = || "node-1".to_owned();
    let borrowed = |is_there, asked| Origin::Borrowed { owner: owner(), is_there, asked };
    let all = [
        (Origin::Put, Err(Unrebuilt::Put)),
        (Origin::Unknown, Err(Unrebuilt::NotKept)),
        (Origin::Method, Err(Unrebuilt::ActorResult)),
        (borrowed(true, 0), Ok(Way::Ask)),
        (borrowed(false, 0), Err(Unrebuilt::Borrowed { owner: owner() })),
        (borrowed(true, limits::BORROWED_AGAIN_MAX), Err(Unrebuilt::Borrowed { owner: owner() })),
        (made(1, 1, Lineage::Kept), Ok(Way::Run)),
        (made(1, 0, Lineage::Cannot), Err(Unrebuilt::RetriesDisabled)),
        (made(1, 0, off), Err(Unrebuilt::RetriesDisabled)),
        (made(1, 3, off), Err(Unrebuilt::LineageOff)),
        (made(1, 3, Lineage::Cannot), Err(Unrebuilt::NotKept)),
        (made(3, 3, Lineage::Kept), Ok(Way::Run)),
        (made(4, 3, Lineage::Kept), Err(Unrebuilt::RetriesUsedUp { runs: 4 })),
        (made(4, 3, given_up), Err(Unrebuilt::RetriesUsedUp { runs: 4 })),
        (made(1, 3, given_up), Err(Unrebuilt::LineageGivenUp { bound: 7 })),
        (made(9, u32::MAX, Lineage::Kept), Ok(Way::Run)),
    ];
    for (origin, expected) in all {
        assert_eq!(decide(&origin), expected, "{origin:?}");
    }
}

#[test]
fn lg_1_lost_results_and_lost_workers_cost_the_same_retries() {
    let retries = Retries { lost: 3, errors: 0 };
    let mut task = ran(2, retries);
    for rebuilt in [true, true, false] {
        assert_eq!(task.may_be_rebuilt(retries), rebuilt, "{task:?}");
        let again = task.rebuilt(1);
        assert_eq!(again.step(Event::ArgumentReady, retries).1, Effect::Queue);
        task = again.step(Event::ArgumentReady, retries).0;
        task = task.step(Event::Begin, retries).0;
        if rebuilt {
            task = task.step(Event::Returned, retries).0;
        } else {
            assert_eq!(task.step(Event::WorkerLost, retries).1, Effect::Resolve, "it was the last");
        }
    }
}

proptest! {
    #[test]
    fn lg_2_3_hold_in_every_story(
        bound in 0u64..50,
        story in prop::collection::vec((any::<bool>(), 1u64..20, any::<prop::sample::Index>()), 0..200),
    ) {
        let mut books = Books::new(bound);
        // What should be kept, by age, and all that was told.
        let mut kept: Vec<(u64, u64)> = Vec::new();
        let mut told = BTreeSet::new();
        for (enters, bytes, which) in story {
            if enters {
                let (number, given_up) = books.enter(bytes);
                kept.push((number, bytes));
                for gone in given_up {
                    prop_assert!(told.insert(gone), "LG-3: told twice");
                    let at = kept.iter().position(|(number, _)| *number == gone);
                    let is_own = bytes > bound && gone == number;
                    prop_assert!(at == Some(0) || is_own, "LG-2: not the oldest");
                    kept.retain(|(number, _)| *number != gone);
                }
            } else if !kept.is_empty() {
                let (number, _) = kept.remove(which.index(kept.len()));
                books.leave(number);
            }
            prop_assert!(books.bytes() <= bound, "LG-2: above the bound");
            prop_assert_eq!(books.bytes(), kept.iter().map(|(_, bytes)| bytes).sum::<u64>(), "LG-3");
        }
        // Late news changes nothing.
        let before = books.bytes();
        told.into_iter().for_each(|number| books.leave(number));
        prop_assert_eq!(books.bytes(), before);
    }
}

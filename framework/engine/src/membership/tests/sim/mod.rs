//! A small world with one head, three to five named nodes (some on the head's host, some not), clocks that drift by up
//! to 1 %, links that delay, lose, repeat, reorder, break and heal, and processes that crash, freeze, stand still and
//! are started twice. Calls with and without retries go between the nodes. After every event [`ledger`] checks every
//! invariant; when the faults have ended, everything must be well again.
//!
//! Everything follows from a seed. A failing seed is printed; to run it alone:
//!
//! ```text
//! SEED=4711 cargo test -p raytree-engine membership::tests::sim
//! ```
//!
//! `SEEDS=1000000` runs more than the usual ten thousand, from 0; `STORY=1` prints what happens, for use with `SEED`.

mod chaos;
mod head;
mod ledger;
mod process;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use world::World;

/// Time in the world, in microseconds since its beginning.
type Time = u64;

const MILLI: Time = 1_000;
const SECOND: Time = 1_000_000;

/// Faults happen until then.
const CHAOS_ENDS: Time = 12 * SECOND;
/// Everything must be well by then.
const STORY_ENDS: Time = 28 * SECOND;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Runs every `step`th seed from `first`, and says which one failed.
fn run(first: u64, end: u64, step: usize) -> ledger::Figures {
    let mut figures = ledger::Figures::default();
    for seed in (first..end).step_by(step) {
        match catch_unwind(AssertUnwindSafe(|| World::new(seed).run())) {
            Ok(told) => figures.add(&told),
            Err(panic) => {
                eprintln!("the story of SEED={seed} went wrong");
                resume_unwind(panic);
            }
        }
    }
    figures
}

#[test]
fn mb_1_2_3_4_5_6_7_8_9_and_dl_1_2_3_hold_in_every_story() {
    if let Some(seed) = number("SEED") {
        run(seed, seed + 1, 1);
        return;
    }
    let seeds = number("SEEDS").unwrap_or(10_000);
    let figures = thread::scope(|scope| {
        let odd = scope.spawn(|| run(1, seeds, 2));
        let mut figures = run(0, seeds, 2);
        figures.add(&odd.join().unwrap_or_else(|panic| resume_unwind(panic)));
        figures
    });
    println!("{figures:?}");
    if seeds >= 1000 {
        figures.everything_happened();
    }
}

#[test]
fn one_seed_tells_one_story() {
    assert_eq!(World::new(7).run(), World::new(7).run());
}

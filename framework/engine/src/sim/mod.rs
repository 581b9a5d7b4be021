//! What the random worlds of the tests share: chance from a seed, time, and the runner of many seeds.

mod rng;
mod timeline;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

pub(crate) use rng::Rng;
pub(crate) use timeline::Timeline;

/// Time in a world, in microseconds since its beginning.
pub(crate) type Time = u64;

pub(crate) const MILLI: Time = 1_000;
pub(crate) const SECOND: Time = 1_000_000;

/// How often each kind of thing happened, so that nobody believes in a test in which it did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures<const N: usize> {
    names: [&'static str; N],
    counts: [u64; N],
}

impl<const N: usize> Figures<N> {
    pub(crate) fn new(names: [&'static str; N]) -> Self {
        Self { names, counts: [0; N] }
    }

    pub(crate) fn count(&mut self, name: &str) {
        let at = self.names.iter().position(|known| *known == name);
        self.counts[at.unwrap_or_else(|| panic!("{name} is not counted"))] += 1;
    }

    fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
    }

    fn told(&self) -> String {
        let one = |(name, count): (&&str, &u64)| format!("{name} {count}");
        self.names.iter().zip(&self.counts).map(one).collect::<Vec<_>>().join(", ")
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Whether the stories are to be told line by line (`STORY=1`).
pub(crate) fn is_told() -> bool {
    std::env::var_os("STORY").is_some()
}

/// Lives through the worlds of ten thousand seeds, or of `SEEDS`, or of the one in `SEED`. A seed whose story goes wrong
/// is printed.
pub(crate) fn every_seed<const N: usize>(story: impl Fn(u64) -> Figures<N> + Sync) {
    let live = |seed: u64| {
        catch_unwind(AssertUnwindSafe(|| story(seed))).unwrap_or_else(|panic| {
            eprintln!("the story of SEED={seed} went wrong");
            resume_unwind(panic);
        })
    };
    if let Some(seed) = number("SEED") {
        println!("{}", live(seed).told());
        return;
    }
    let seeds = number("SEEDS").unwrap_or(10_000);
    let run = |first: u64| {
        let mut figures = live(first);
        (first + 2..seeds).step_by(2).for_each(|seed| figures.add(&live(seed)));
        figures
    };
    let figures = thread::scope(|scope| {
        let odd = scope.spawn(|| run(1));
        let mut figures = run(0);
        figures.add(&odd.join().unwrap_or_else(|panic| resume_unwind(panic)));
        figures
    });
    println!("{}", figures.told());
    let all = figures.counts.iter().all(|count| *count > 0);
    assert!(all || seeds < 1000, "something never happened: {}", figures.told());
}

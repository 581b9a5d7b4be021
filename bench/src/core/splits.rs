//! Work that takes a while, split over the CPUs.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use rayon::prelude::*;
use raytree::prelude::*;
use raytree::{Task, get_all};

use super::{CPUS, Sides, runtimes};
use crate::report::{Report, median, now, time};

/// Holds its thread until so much time of the clock has passed.
fn hold(micros: u64) {
    let start = now();
    while start.elapsed() < Duration::from_micros(micros) {
        std::hint::spin_loop();
    }
}

#[remote]
fn spin(micros: u64) {
    hold(micros);
}

/// Tasks of 1 ms each on two CPUs: the time they would take with nothing in between, over the time they took; the
/// floor is two threads that share them.
pub(super) fn efficiency(report: &mut Report) -> Result<()> {
    let (repeats, count) = (report.repeats(15), report.size(500).next_multiple_of(CPUS));
    let (runtime, _) = runtimes()?;
    let here = runtime.enter();
    let ideal = count as f64 / CPUS as f64 * 1e-3;
    let mut sides = Sides::default();
    for _ in 0..repeats {
        let refs = || (0..count).map(|_| spin::remote(1000)).collect::<Vec<_>>();
        let (took, done) = time(|| get_all(refs()).get());
        done?;
        sides.ours.push(ideal / took.as_secs_f64());
        let (took, ()) = time(|| {
            thread::scope(|scope| {
                for _ in 0..CPUS {
                    scope.spawn(|| (0..count / CPUS).for_each(|_| hold(1000)));
                }
            });
        });
        sides.bare.push(ideal / took.as_secs_f64());
    }
    drop(here);
    runtime.shutdown();
    sides.report(report, "task_1ms_efficiency", "x");
    Ok(())
}

/// A fixed amount of work: so many rounds, each of which needs the one before.
fn churn(rounds: u64, seed: u64) -> u64 {
    (0..rounds).fold(seed, |x, round| black_box(x.rotate_left(5).wrapping_mul(0x9E37_79B9) ^ round))
}

#[remote]
fn work(rounds: u64, seed: u64) -> u64 {
    churn(rounds, seed)
}

/// Rounds of [`churn`] in a microsecond.
fn rounds_in_a_microsecond() -> f64 {
    const ROUNDS: u64 = 200_000;
    let sample = |_| time(|| black_box(churn(ROUNDS, 1))).0.as_secs_f64();
    ROUNDS as f64 / median((0..9).map(sample).collect()) / 1e6
}

pub(super) fn par_map_1ms(report: &mut Report) -> Result<()> {
    let sizes = (report.repeats(15), report.size(500));
    par_map_row(report, "par_map_1ms", 1000.0, sizes)
}

pub(super) fn par_map_10us(report: &mut Report) -> Result<()> {
    let sizes = (report.repeats(21), report.size(20_000));
    par_map_row(report, "par_map_10us", 10.0, sizes)
}

/// A map with one task an item, and rayon's `par_iter` over the same items on two threads: our time over rayon's, and
/// both times.
fn par_map_row(
    report: &mut Report,
    name: &str,
    micros: f64,
    (repeats, count): (usize, usize),
) -> Result<()> {
    let rounds = (rounds_in_a_microsecond() * micros) as u64;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(CPUS).build()?;
    let (runtime, _) = runtimes()?;
    let here = runtime.enter();
    let items: Vec<u64> = (0..count as u64).collect();
    let mut sides = Sides::default();
    let mut ratios = Vec::new();
    for _ in 0..repeats {
        let (ours, mapped) = time(|| par_map(&items, rounds, &work::task()));
        let (bare, expected) = time(|| -> Vec<u64> {
            pool.install(|| items.par_iter().map(|item| churn(rounds, *item)).collect())
        });
        ensure!(mapped? == expected, "the two maps differ");
        ratios.push(ours.as_secs_f64() / bare.as_secs_f64());
        sides.ours.push(ours.as_secs_f64() * 1e3);
        sides.bare.push(bare.as_secs_f64() * 1e3);
    }
    drop(here);
    runtime.shutdown();
    report.row(name, median(ratios), "x");
    sides.report(report, &format!("{name}_time"), "ms");
    drop(pool);
    Ok(())
}

fn par_map(items: &[u64], rounds: u64, task: &Task<(u64, u64), u64>) -> Result<Vec<u64>> {
    let refs: Vec<_> = items.iter().map(|item| task.remote(rounds, *item)).collect();
    get_all(refs).get().map_err(|error| anyhow!(error))
}

//! `recovery`: what happens when something dies, with times; prints the table of `docs/recovery.md`.
//!
//! Every case is one fresh cluster of this machine for each repeat: a head, its own node, a node that has joined, this
//! program as the driver. On both nodes lives an actor; one is hit, the other has answered calls; tasks are under way.

mod cases;
pub(crate) mod cluster;
mod scene;

use anyhow::{Result, ensure};

use crate::report::median;

/// Milliseconds from the blow on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Somebody outside can see that something is wrong.
    seen: Option<f64>,
    /// Whoever waits for what is lost is told.
    told: Option<f64>,
    /// What was lost works again.
    answers: Option<f64>,
    /// Everything is as it was.
    whole: Option<f64>,
    /// What was acknowledged and is gone, and tasks that were not answered or wrongly.
    lost: u64,
}

/// One row.
pub(crate) struct Case {
    name: &'static str,
    bound: &'static str,
    run: fn() -> Result<Sample>,
}

/// Prints one row for each case.
///
/// # Errors
/// When a case cannot be played, or something is lost.
pub(crate) fn run(repeats: usize, only: &[String]) -> Result<()> {
    let (mut lines, mut lost) = (Vec::new(), 0);
    println!("| what | seen | told | answers again | whole again | bound | lost |");
    println!("|---|---|---|---|---|---|---|");
    let wanted = |case: &&Case| only.is_empty() || only.iter().any(|part| case.name.contains(part));
    for case in cases::ALL.iter().filter(wanted) {
        let samples = (0..repeats).map(|_| (case.run)()).collect::<Result<Vec<_>>>()?;
        let column = |pick: fn(&Sample) -> Option<f64>| cell(samples.iter().filter_map(pick));
        let gone: u64 = samples.iter().map(|sample| sample.lost).sum();
        let (seen, told) = (column(|own| own.seen), column(|own| own.told));
        let (answers, whole) = (column(|own| own.answers), column(|own| own.whole));
        let Case { name, bound, .. } = case;
        println!("| {name} | {seen} | {told} | {answers} | {whole} | {bound} | {gone} |");
        lost += gone;
        lines.push(*name);
    }
    ensure!(!lines.is_empty(), "no such case");
    ensure!(lost == 0, "{lost} answers were lost");
    Ok(())
}

/// Median and worst.
fn cell(samples: impl Iterator<Item = f64>) -> String {
    let samples: Vec<f64> = samples.collect();
    let Some(worst) = samples.iter().copied().reduce(f64::max) else { return String::new() };
    let text = |value: f64| {
        if value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") }
    };
    format!("{} / {} ms", text(median(samples)), text(worst))
}

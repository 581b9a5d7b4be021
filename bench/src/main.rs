//! Benchmark rows of the whole system: `cargo run --release -p raytree-bench -- core|actors|inspector|objects|cluster|rl [--rows a,b] [--quick]`.
//!
//! `recovery` and `soak` print what becomes of a cluster when something dies, and when nothing does.
//!
//! One line a figure, `row value unit`, and its bare floor from the same run as `row.floor value unit`: the same work
//! with no framework around it. Figures are medians over repeats. What counts is the ratio of the two lines; absolute
//! figures belong to the machine.

#![expect(clippy::print_stdout, reason = "the rows are the product of this program")]

mod actors;
mod child;
mod cluster;
mod core;
mod direct;
mod emptied;
mod live;
mod look;
mod objects;
mod recovery;
mod report;
mod rl;
mod soak;
mod spill;
mod stored;
mod transfer;

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;

use report::Report;

/// Prints benchmark rows with their bare floors.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Which group: `core`, `actors`, `inspector`, `objects`, `cluster`, `rl`, or `all`; or `recovery`, or `soak`.
    #[arg(default_value = "all")]
    group: String,
    /// Only these rows, separated by commas.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<String>,
    /// Fewer and shorter repeats: to see that everything runs, not to quote.
    #[arg(long)]
    quick: bool,
    /// How often each case of `recovery` is played.
    #[arg(long, default_value_t = 15)]
    repeats: usize,
    /// How long `soak` takes.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Internal: what a child process of a benchmark does.
    #[arg(long, hide = true)]
    child: Option<child::Role>,
    /// Internal: the seed of a child process.
    #[arg(long, hide = true, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<()> {
    // A head's own node is started without arguments, and everybody else with some.
    if std::env::args_os().len() == 1 && std::env::var_os(raytree_daemon::ROLE_VARIABLE).is_some() {
        raytree_daemon::take_role()?;
        return Ok(());
    }
    let args = Args::parse();
    if let Some(role) = args.child {
        return role.run(args.seed);
    }
    match args.group.as_str() {
        "recovery" => return recovery::run(if args.quick { 1 } else { args.repeats }, &args.rows),
        "soak" => return soak::run(Duration::from_secs_f64(args.minutes * 60.0)),
        _ => {}
    }
    let mut known = Vec::new();
    let mut groups: Vec<(&str, report::Row)> = Vec::new();
    let all = [
        ("core", core::ROWS),
        ("actors", actors::ROWS),
        ("inspector", look::ROWS),
        ("inspector", live::ROWS),
        ("objects", objects::ROWS),
        ("objects", stored::ROWS),
        ("objects", emptied::ROWS),
        ("objects", transfer::ROWS),
        ("cluster", cluster::ROWS),
        ("cluster", direct::ROWS),
        ("rl", rl::ROWS),
    ];
    for (group, rows) in all {
        known.extend(rows.iter().map(|row| row.name));
        if args.group == group || args.group == "all" {
            groups.extend(rows.iter().map(|row| (group, *row)));
        }
    }
    if groups.is_empty() {
        bail!(
            "unknown group {}: it is core, actors, inspector, objects, cluster, rl or all",
            args.group
        );
    }
    if let Some(unknown) = args.rows.iter().find(|row| !known.contains(&row.as_str())) {
        bail!("unknown row {unknown}: the rows are {}", known.join(", "));
    }
    for (_, row) in groups {
        if args.rows.is_empty() || args.rows.iter().any(|name| name == row.name) {
            let mut report = Report::new(args.quick);
            (row.run)(&mut report)?;
            report.lines().iter().for_each(|line| println!("{line}"));
        }
    }
    Ok(())
}

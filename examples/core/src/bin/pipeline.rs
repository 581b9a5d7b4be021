//! Many tasks, one result, and progress on the way: `cargo run --bin pipeline`.
//!
//! A range of numbers is searched for primes in parts. The parts are joined in a tree of further tasks, which is
//! submitted at once: a reference is an argument like any other, and a task begins when its arguments are there.

#![expect(clippy::print_stdout, reason = "a program says what it found")]

use std::collections::VecDeque;

use anyhow::Context;
use clap::Parser;
use clap::builder::RangedU64ValueParser;
use raytree::prelude::*;
use serde::{Deserialize, Serialize};

/// Searches for primes in many tasks, and joins what they found in a tree.
#[derive(Debug, Parser)]
struct Flags {
    /// Numbers below this one are searched, 3 to 100000000
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    #[arg(value_parser = RangedU64ValueParser::<u64>::new().range(3..=100_000_000))]
    below: u64,
    /// Tasks that search, 1 to 10000
    #[arg(long, value_name = "N", default_value_t = 16)]
    #[arg(value_parser = RangedU64ValueParser::<u64>::new().range(1..=10_000))]
    parts: u64,
}

/// What is known of the numbers from `from` to before `to`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Found {
    from: u64,
    to: u64,
    primes: u64,
    largest: Option<u64>,
}

#[remote]
fn search(from: u64, to: u64) -> Found {
    let primes = (from..to).filter(|number| is_prime(*number));
    let (count, largest) = primes.fold((0, None), |(count, _), prime| (count + 1, Some(prime)));
    Found { from, to, primes: count, largest }
}

fn is_prime(number: u64) -> bool {
    let mut divisors = (2..).take_while(|divisor| divisor * divisor <= number);
    number >= 2 && divisors.all(|divisor| !number.is_multiple_of(divisor))
}

#[remote]
fn join(one: Found, other: Found) -> Found {
    Found {
        from: one.from.min(other.from),
        to: one.to.max(other.to),
        primes: one.primes + other.primes,
        largest: one.largest.max(other.largest),
    }
}

/// Joins all, two at a time.
fn reduce(found: &[ObjectRef<Found>]) -> Option<ObjectRef<Found>> {
    let mut line: VecDeque<_> = found.iter().cloned().collect();
    loop {
        match (line.pop_front(), line.pop_front()) {
            (Some(one), Some(other)) => line.push_back(join::remote(one, other)),
            (last, _) => return last,
        }
    }
}

#[raytree::main]
async fn main() -> anyhow::Result<()> {
    let Flags { below, parts } = Flags::parse();
    let bound = |part: u64| below * part / parts;
    let mut searching: Vec<_> =
        (0..parts).map(|part| search::remote(bound(part), bound(part + 1))).collect();
    let whole = reduce(&searching).context("there is nothing to search")?;

    // As they are done, whatever their order.
    for done in 1..=parts {
        let waited = raytree::wait(searching).await?;
        for found in waited.ready {
            let Found { from, to, primes, .. } = found.await?;
            println!("{done:>3} of {parts}  {primes:>6} primes from {from} to before {to}");
        }
        searching = waited.pending;
    }

    let Found { primes, largest, .. } = whole.await?;
    let largest = largest.context("there is no prime")?;
    println!("{primes} primes below {below}, the largest is {largest}");
    Ok(())
}

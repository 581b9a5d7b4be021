//! The programs every newcomer meets first: `cargo run --bin quickstart`.
//!
//! Each is a function and one row of `docs/parity.md`, by whose id it is called.

#![expect(clippy::print_stdout, reason = "a program says what it found")]

use std::time::Duration;

use raytree::prelude::*;
use raytree::{Result, get_all, put};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

fn main() -> anyhow::Result<()> {
    let init = raytree::init().cpus(4.0).resource("special_hardware", 4.0);
    raytree::run_on(init, async {
        tasks().await?;
        actors().await?;
        arguments().await?;
        naps().await?;
        one_copy().await?;
        errors().await?;
        special_hardware().await
    })??;
    started_by_hand_or_not()?;
    Ok(())
}

/// A function like any other; `square::remote(3)` runs it somewhere else.
#[remote]
fn square(x: u64) -> u64 {
    x * x
}

async fn tasks() -> Result<()> {
    println!("S-1   four tasks at once, their results in order");
    let squares = (0..4).map(square::remote);
    println!("      {:?}", get_all(squares).await?);
    Ok(())
}

/// A state that is changed by one call at a time.
#[derive(Debug, Default)]
pub struct Counter {
    value: u64,
}

#[remote]
impl Counter {
    /// Begins at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts on.
    pub fn incr(&mut self, by: u64) {
        self.value += by;
    }

    /// The sum so far.
    pub fn get(&self) -> u64 {
        self.value
    }
}

async fn actors() -> Result<()> {
    println!("S-2   an actor is called ten times, and then asked");
    let counter = Counter::remote();
    for _ in 0..10 {
        counter.incr(1);
    }
    println!("      {}", counter.get().await?);
    Ok(())
}

fn ones(rows: usize, columns: usize) -> Vec<Vec<f64>> {
    vec![vec![1.0; columns]; rows]
}

#[remote]
fn sum_matrix(matrix: &[Vec<f64>]) -> f64 {
    matrix.iter().flatten().sum()
}

async fn arguments() -> Result<()> {
    println!("S-4   an argument is a value, or a reference to one");
    println!("      {:?}", sum_matrix::remote(ones(100, 100)).await?);
    let large = put(ones(1000, 1000)).await?;
    println!("      {:?}", sum_matrix::remote(&large).await?);
    Ok(())
}

/// Started where there is no runtime, a remote call starts one.
fn started_by_hand_or_not() -> Result<()> {
    println!("S-5   the same program on a runtime of its own, and on the default one");
    let program = || get_all((0..4).map(square::remote)).get();
    let runtime = raytree::init().cpus(2.0).start()?;
    {
        let _here = runtime.enter();
        println!("      {:?} on {}", program()?, runtime.cluster_resources());
    }
    runtime.shutdown();
    println!("      {:?} without init", program()?);
    Ok(())
}

/// Calls that only wait.
#[derive(Debug, Default)]
pub struct Sleeper;

#[remote]
impl Sleeper {
    /// Wide awake.
    pub fn new() -> Self {
        Self
    }

    /// Takes `&self`, so that several may nap at a time.
    pub async fn nap(&self, time: Duration) {
        sleep(time).await;
    }
}

async fn naps() -> Result<()> {
    println!("S-9   ten naps in one actor, one at a time or side by side");
    let one = Duration::from_millis(20);
    for at_once in [1, 10] {
        let sleeper = Sleeper::with(ActorOptions::new().max_concurrency(at_once)).remote();
        sleeper.ready().await?;
        let began = Instant::now();
        get_all((0..10).map(|_| sleeper.nap(one))).await?;
        let naps = began.elapsed().as_secs_f64() / one.as_secs_f64();
        println!("      {naps:.1} x the time of one, max_concurrency = {at_once}");
    }
    Ok(())
}

/// Its parameter is the reference itself: nothing is fetched before it asks. Tells the sum, and where the values lie.
#[remote]
fn sum_of(values: ObjectRef<Vec<f64>>) -> Result<(f64, usize)> {
    let values = values.get_shared()?;
    Ok((values.iter().sum(), values.as_ptr().addr()))
}

async fn one_copy() -> Result<()> {
    println!("S-28  a large object is stored once, and read where it lies");
    let large = put(vec![1.0; 1_000_000]).await?;
    let (sum, here) = sum_of::remote(large.clone()).await?;
    let (_, there) = sum_of::remote(large).await?;
    println!("      {sum:?}, the same copy for two tasks: {}", here == there);
    Ok(())
}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{0} is negative")]
struct Negative(i64);

#[remote]
fn may_fail(x: i64) -> Result<i64, Negative> {
    if x < 0 { Err(Negative(x)) } else { Ok(x) }
}

async fn errors() -> Result<()> {
    println!("S-29  an error comes back as what it was");
    if let Err(error) = may_fail::remote(-1).await {
        println!("      {} {error}", error.code());
        println!("      {:?}", error.downcast::<Negative>());
    }
    Ok(())
}

/// How many are inside, and how many there were at most.
#[derive(Debug, Default)]
pub struct Gauge {
    inside: u32,
    most: u32,
}

#[remote]
impl Gauge {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    pub fn enter(&mut self) {
        self.inside += 1;
        self.most = self.most.max(self.inside);
    }

    /// One less.
    pub fn leave(&mut self) {
        self.inside -= 1;
    }

    /// The most at a time.
    pub fn most(&self) -> u32 {
        self.most
    }
}

#[remote(cpus = 0, resources(special_hardware = 1))]
async fn measure(gauge: GaugeHandle) -> Result<()> {
    gauge.enter().await?;
    sleep(Duration::from_millis(20)).await;
    gauge.leave().await
}

async fn special_hardware() -> Result<()> {
    println!("S-31  twelve tasks want one of four special devices each");
    let gauge = Gauge::remote();
    get_all((0..12).map(|_| measure::remote(gauge.clone()))).await?;
    println!("      at most {} at a time", gauge.most().await?);
    Ok(())
}

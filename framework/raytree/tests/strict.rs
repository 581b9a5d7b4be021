//! What the macros generate passes the lints of a strict program.

#![deny(missing_docs, unreachable_pub, missing_debug_implementations, warnings)]
#![deny(missing_copy_implementations, single_use_lifetimes, unused_qualifications, unused_results)]
#![forbid(unsafe_code)]

use raytree::prelude::*;

/// A value.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// How many.
    pub count: u64,
    /// Of what.
    pub of: String,
}

/// Counts.
#[remote(cpus = 0.5, retry_on(std::io::Error))]
pub async fn count(config: Config, by: &u64, ctx: &TaskContext) -> Result<u64, String> {
    drop(ctx.clone());
    unused(*by);
    config.count.checked_mul(*by).ok_or_else(|| "too many".to_owned())
}

/// Counts one by one.
#[remote]
pub fn each(config: Shared<Config>) -> impl Iterator<Item = Result<u64, String>> {
    (0..config.count).map(Ok)
}

#[remote]
fn unused(_: u64) {}

/// An actor.
#[derive(Debug)]
pub struct Counter {
    config: Config,
}

#[remote(restarts = 1, max_concurrency = 3)]
impl Counter {
    /// Begins.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Counts.
    pub async fn add(&mut self, amount: Config) -> Result<Config, String> {
        self.config.count += amount.count;
        Ok(self.config.clone())
    }

    /// Counts one by one.
    pub fn each(&self) -> impl Iterator<Item = u64> + use<> {
        0..self.config.count
    }

    #[remote(on_stop)]
    fn bye(&mut self) {}
}

#[raytree::main(cpus = 2, strict = true)]
async fn main() -> raytree::Result<()> {
    let config = Config { count: 2, of: "apples".to_owned() };
    assert_eq!(count::remote(config.clone(), 3).await?, 6);
    assert_eq!(each::remote(config.clone()).next().await, Some(Ok(0)));
    unused::remote(1).await?;
    let counter = Counter::remote(config.clone());
    assert_eq!(counter.add(config).await?.count, 4);
    assert_eq!(counter.each().next().await, Some(Ok(0)));
    Ok(())
}

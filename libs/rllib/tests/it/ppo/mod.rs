//! PPO as a user sees it, and what its actors do when things fail.

mod checkpoints;
mod curves;
mod envs;
mod failures;
mod learning;
mod run_folder;
mod settings;

use raytree_rllib::{Ppo, PpoConfig, Report, Result};
use std::future::Future;
use std::time::Duration;

/// Nothing may hang.
const GENEROUS: Duration = Duration::from_secs(120);

/// Runs a test on a private runtime.
fn with_runtime<T: Send + 'static>(test: impl Future<Output = T> + Send + 'static) -> T {
    let init = raytree::init().cpus(2.0).threads(2);
    raytree::run_on(init, async { tokio::time::timeout(GENEROUS, test).await.unwrap() }).unwrap()
}

/// As [`with_runtime`], where every value goes through the codec as it would between processes.
fn with_strict_runtime<T: Send + 'static>(test: impl Future<Output = T> + Send + 'static) -> T {
    let init = raytree::init().cpus(2.0).threads(2).strict(true);
    raytree::run_on(init, async { tokio::time::timeout(GENEROUS, test).await.unwrap() }).unwrap()
}

/// The tuned preset, without evaluations, for a few iterations.
fn short(iterations: u64) -> PpoConfig {
    PpoConfig::tuned("CartPole-v1")
        .unwrap()
        .without_run_folder()
        .evaluation_every(0)
        .stop_at_return(None)
        .total_env_steps(256 * iterations)
        .seed(11)
}

/// What a report says about learning, bit by bit: everything but times.
fn bits(report: &Report) -> Vec<Option<u64>> {
    let learning = Report {
        env_steps_per_s: None,
        sample_s: None,
        update_s: None,
        elapsed_s: 0.0,
        ..report.clone()
    };
    learning.values().into_iter().map(|value| value.map(f64::to_bits)).collect()
}

/// A learning curve, bit by bit, and the final weights.
#[derive(Debug, PartialEq)]
struct Curve {
    reports: Vec<Vec<Option<u64>>>,
    weights: Vec<u32>,
}

/// Trains to the end.
async fn finish(ppo: &mut Ppo) -> Result<Curve> {
    let mut reports = Vec::new();
    while let Some(report) = ppo.step().await? {
        reports.push(bits(&report));
    }
    let weights = ppo.weights().iter().copied().map(f32::to_bits).collect();
    Ok(Curve { reports, weights })
}

/// A whole training.
async fn curve(config: PpoConfig) -> Curve {
    let mut ppo = config.build().await.unwrap();
    let curve = finish(&mut ppo).await.unwrap();
    ppo.shutdown().await.unwrap();
    curve
}

/// The path of the actor whose name begins so; waits until it is there, and not on its way out.
async fn path(name: &str) -> String {
    let runtime = raytree::current().unwrap();
    loop {
        let tree = runtime.probe("node/worker/actor_host").unwrap().snapshot();
        let found = tree.root.children.iter().rev().find(|child| child.name.starts_with(name));
        let path = found.map(|actor| format!("node/worker/actor_host/{}", actor.name));
        if let Some(path) = path.filter(|path| runtime.probe(path).is_some()) {
            return path;
        }
        tokio::task::yield_now().await;
    }
}

/// The actor whose name begins so makes its next move a panic.
async fn panic_now(name: &str) {
    loop {
        let path = path(name).await;
        if let Some(probe) = raytree::current().unwrap().probe(&path) {
            return probe.panic_now();
        }
    }
}

/// How often the actor whose name begins so was restarted.
async fn restarts(name: &str) -> u32 {
    let path = path(name).await;
    raytree::current().unwrap().probe(&path).unwrap().restarts()
}

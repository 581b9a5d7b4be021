//! PPO learns CartPole: `cargo run --release --bin ppo_cartpole`.
//!
//! Exits with 0 once a greedy evaluation of 20 episodes has a mean return of at least 475, else with 1; with 2 after an
//! error.

#![expect(clippy::print_stdout, reason = "a program says what it found")]

use clap::Parser;
use raytree_examples_rllib::Reporter;
use raytree_rllib::{Evaluation, Ppo, PpoConfig};
use std::path::PathBuf;
use std::process::ExitCode;

/// Mean return at which CartPole-v1 counts as solved.
const SOLVED: f64 = 475.0;
/// Greedy episodes that the verdict is taken over.
const EPISODES: usize = 20;

/// PPO learns CartPole on supervised actors.
#[derive(Parser)]
struct Flags {
    /// Environments of the experiment [default: 8]
    #[arg(long)]
    envs: Option<usize>,
    /// Actors that the environments are divided among; does not change the curve [default: 1]
    #[arg(long)]
    env_runners: Option<usize>,
    /// Seed of the experiment [default: 1]
    #[arg(long)]
    seed: Option<u64>,
    /// Environment steps after which training ends [default: 100000]
    #[arg(long)]
    total_env_steps: Option<u64>,
    /// TOML file of settings, below these flags
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Checkpoint to go on from, with the settings saved in it below the file and the flags
    #[arg(long, value_name = "FOLDER")]
    checkpoint: Option<PathBuf>,
    /// Folder in which the run gets a folder of its own [default: runs]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Say only the result
    #[arg(long)]
    quiet: bool,
}

impl Flags {
    /// The preset or what the checkpoint was trained with, below the file, below the flags.
    fn config(&self) -> anyhow::Result<PpoConfig> {
        let mut config = match &self.checkpoint {
            Some(path) => PpoConfig::of_checkpoint(path)?,
            None => PpoConfig::tuned("CartPole-v1")?.seed(1),
        };
        if let Some(path) = &self.config {
            config = config.with_file(path)?;
        }
        config.envs = self.envs.unwrap_or(config.envs);
        config.env_runners = self.env_runners.unwrap_or(config.env_runners);
        config.seed = self.seed.unwrap_or(config.seed);
        config.total_env_steps = self.total_env_steps.unwrap_or(config.total_env_steps);
        config.out = self.out.clone().or(config.out);
        Ok(config)
    }
}

fn main() -> ExitCode {
    raytree_examples_rllib::end(run())
}

fn run() -> anyhow::Result<ExitCode> {
    let flags = Flags::parse();
    let evaluation = raytree::run(async move { train(&flags).await })??;
    let solved = evaluation.mean() >= SOLVED;
    println!(
        "evaluation: mean return {:.1} (min {:.0}, max {:.0}) over {} greedy episodes: {}",
        evaluation.mean(),
        evaluation.min(),
        evaluation.max(),
        evaluation.returns.len(),
        if solved { "solved" } else { "not solved" },
    );
    Ok(if solved { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Trains, and leaves no line open and nothing running, whatever comes of it.
async fn train(flags: &Flags) -> anyhow::Result<Evaluation> {
    let config = flags.config()?;
    let mut ppo = match &flags.checkpoint {
        Some(path) => config.restore(path).await?,
        None => config.build().await?,
    };
    let mut reporter = Reporter::new(flags.quiet);
    let evaluation = train_to_the_end(&mut ppo, &mut reporter).await;
    if let Some(folder) = ppo.run_folder() {
        reporter.note(&format!("run folder: {}", folder.display()));
    }
    reporter.close();
    let stopped = ppo.shutdown().await;
    let evaluation = evaluation?;
    stopped?;
    Ok(evaluation)
}

/// The verdict is the last evaluation of the training, or a new one if there was none.
async fn train_to_the_end(ppo: &mut Ppo, reporter: &mut Reporter) -> anyhow::Result<Evaluation> {
    let outcome = ppo.train(|report| reporter.report(report)).await?;
    Ok(match outcome.evaluation {
        Some(evaluation) if evaluation.returns.len() == EPISODES => evaluation,
        _ => ppo.evaluate(EPISODES).await?,
    })
}

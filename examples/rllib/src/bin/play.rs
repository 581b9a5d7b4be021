//! Watches what was learned: `cargo run --release --bin play -- runs/<run>/checkpoints/<step>`.
//!
//! Needs no runtime: a policy is a value that maps observations to actions.

#![expect(clippy::print_stdout, reason = "a program says what it found")]

use anyhow::Context;
use clap::Parser;
use raytree_rllib::env::{SingleEnv, find};
use raytree_rllib::record::GifRecorder;
use raytree_rllib::{Policy, Rng, Stream, make};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Plays episodes with the policy of a checkpoint.
#[derive(Parser)]
struct Flags {
    /// Checkpoint folder (with spec.json and model.safetensors)
    checkpoint: PathBuf,
    /// Episodes to play
    #[arg(long, default_value_t = 3)]
    episodes: u64,
    /// Seed of the episodes
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Draw actions from the policy's distribution instead of taking the most likely one
    #[arg(long)]
    sample: bool,
    /// Record the first episode to an animated GIF
    #[arg(long, value_name = "FILE.gif")]
    record: Option<PathBuf>,
    /// Show the episodes as text, every so many steps
    #[arg(long, value_name = "STEPS", num_args = 0..=1, default_missing_value = "25")]
    ascii: Option<u32>,
}

/// Frames per second of recordings.
const FRAMES_PER_S: u32 = 50;
/// Steps after which an episode is cut if its environment has no limit: a good policy may never end one.
const EPISODE_STEPS_MAX: u32 = 100_000;

fn main() -> ExitCode {
    raytree_examples_rllib::end(run())
}

fn run() -> anyhow::Result<ExitCode> {
    let flags = Flags::parse();
    let mut policy = Policy::load(&flags.checkpoint)?;
    println!("{} after {} environment steps", policy.env(), policy.env_steps());
    for episode in 0..flags.episodes {
        let stream = Stream::Evaluation(u64::MAX - episode);
        let steps = find(policy.env())?.spec.max_episode_steps.unwrap_or(EPISODE_STEPS_MAX);
        let mut env = make(policy.env())?.max_episode_steps(Some(steps)).stream(flags.seed, stream);
        let mut rng = Rng::stream(flags.seed, Stream::Custom(episode));
        let recording = flags.record.as_deref().filter(|_| episode == 0);
        play(&mut policy, &mut env, &mut rng, &flags, recording)?;
        println!(
            "episode {}: return {:.1} in {} steps",
            episode + 1,
            env.episode_return(),
            env.episode_steps()
        );
        if let Some(path) = recording {
            println!("recorded {}", path.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn play(
    policy: &mut Policy,
    env: &mut SingleEnv,
    rng: &mut Rng,
    flags: &Flags,
    recording: Option<&Path>,
) -> anyhow::Result<()> {
    env.reset()?;
    let mut gif = match recording {
        Some(path) => {
            let first = env.render().with_context(|| format!("{} draws nothing", policy.env()))?;
            Some(GifRecorder::create(path, &first, FRAMES_PER_S)?)
        }
        None => None,
    };
    loop {
        if let (Some(gif), Some(frame)) = (&mut gif, env.render()) {
            gif.push(&frame)?;
        }
        if flags.ascii.is_some_and(|every| env.episode_steps().is_multiple_of(every.max(1))) {
            println!("{}", env.render_text().unwrap_or_default());
        }
        let action = match flags.sample {
            true => policy.sample(env.obs(), rng)?,
            false => policy.act(env.obs())?,
        };
        let step = env.step(action.as_action())?;
        if step.terminated || step.truncated {
            break;
        }
    }
    gif.map_or(Ok(()), GifRecorder::finish)?;
    Ok(())
}

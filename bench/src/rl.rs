//! Rows of the learning layer: environments, networks, PPO.

#[path = "../../libs/rllib/benches/floor/mod.rs"]
mod floor;

use std::hint::black_box;
use std::time::Duration;

use anyhow::Result;
use raytree_nn::floor::BareProducts;
use raytree_nn::{Activation, Adam, Mlp, Model, Net, Optimizer, loss};
use raytree_rllib::env::Vectorized;
use raytree_rllib::envs::CartPole;
use raytree_rllib::{Actions, PpoConfig, Rng, Stream, VectorEnv, VectorOptions};

use crate::child::Role;
use crate::report::{Report, Row, median, time};
use floor::{ENVS, Floor};

/// All rows, in the order in which they are printed.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "env_steps_cartpole", run: env_steps },
    Row { name: "env_steps_cartpole_runner", run: runner_steps },
    Row { name: "mlp_64_train_step", run: train_step },
    Row { name: "ppo_cartpole_steps_per_s", run: ppo_rate },
    Row { name: "ppo_cartpole_time_to_475", run: ppo_time },
];

/// 256 CartPoles stepped in place with random actions, resets included, one thread; the floor is a bare loop over the
/// same dynamics.
fn env_steps(report: &mut Report) -> Result<()> {
    let steps = report.size(20_000);
    let (mut vector, mut bare) = (Vector::new()?, Floor::new());
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..report.repeats(15) {
        // In turn, so that both meet the same noise.
        ours.push(vector.rate(steps)?);
        let (took, ()) = time(|| {
            for _ in 0..steps {
                bare.step();
                black_box((&bare.obs, &bare.rewards, &bare.done));
            }
        });
        floors.push((steps * ENVS) as f64 / took.as_secs_f64());
    }
    report.row("env_steps_cartpole", median(ours), "/s");
    report.row("env_steps_cartpole.floor", median(floors), "/s");
    Ok(())
}

/// The same through the env runner actor; the floor is the vector of environments without an actor.
fn runner_steps(report: &mut Report) -> Result<()> {
    let (repeats, steps) = (report.repeats(15), report.size(20_000));
    let config = PpoConfig::new("CartPole-v1").envs(ENVS).rollout_steps(1).without_run_folder();
    let (ours, floors) = raytree::run(async move {
        let ppo = config.build().await?;
        let mut vector = Vector::new()?;
        let (mut ours, mut floors) = (Vec::new(), Vec::new());
        for _ in 0..repeats {
            let walked = ppo.random_baseline(steps).await?;
            ours.push(walked.env_steps as f64 / walked.elapsed_s);
            floors.push(vector.rate(steps)?);
        }
        ppo.shutdown().await?;
        Ok::<_, raytree_rllib::Error>((ours, floors))
    })??;
    report.row("env_steps_cartpole_runner", median(ours), "/s");
    report.row("env_steps_cartpole_runner.floor", median(floors), "/s");
    Ok(())
}

/// 256 CartPoles in one vector.
struct Vector {
    envs: Box<dyn VectorEnv>,
    rng: Rng,
    actions: [u32; ENVS],
}

impl Vector {
    fn new() -> raytree_rllib::Result<Self> {
        let options = VectorOptions::new(ENVS).max_episode_steps(500);
        let mut envs: Box<dyn VectorEnv> = Box::new(Vectorized::new(CartPole::new, options));
        envs.reset()?;
        Ok(Self { envs, rng: Rng::stream(0, Stream::Custom(0)), actions: [0; ENVS] })
    }

    /// Environment steps per second over so many steps of all.
    fn rate(&mut self, steps: usize) -> raytree_rllib::Result<f64> {
        let (took, outcome) = time(|| -> raytree_rllib::Result<()> {
            for _ in 0..steps {
                random_actions(&mut self.rng, &mut self.actions);
                black_box(self.envs.step(Actions::Discrete(&self.actions))?.obs[0]);
            }
            Ok(())
        });
        outcome?;
        Ok((steps * ENVS) as f64 / took.as_secs_f64())
    }
}

fn random_actions(rng: &mut Rng, actions: &mut [u32]) {
    for chunk in actions.chunks_mut(64) {
        let bits = rng.next_u64();
        for (at, action) in chunk.iter_mut().enumerate() {
            *action = (bits >> at & 1) as u32;
        }
    }
}

/// 4-64-64-2, tanh, batch 128: forward, squared error, backward, Adam; the floor is the matrix products alone.
fn train_step(report: &mut Report) -> Result<()> {
    const SIZES: [usize; 4] = [4, 64, 64, 2];
    const ROWS: usize = 128;
    let mut rng = Rng::stream(1, Stream::Init);
    let mut numbers =
        |count: usize| -> Vec<f32> { (0..count).map(|_| rng.uniform_f32() - 0.5).collect() };
    let (x, targets) = (numbers(ROWS * 4), numbers(ROWS * 2));
    let mut init = Rng::stream(2, Stream::Init);
    let mut net = Net::new(Mlp::new(&SIZES, Activation::Tanh), &mut init);
    let mut adam = Adam::default();
    let (mut out, mut cotangent) = (vec![0.0; ROWS * 2], vec![0.0; ROWS * 2]);
    let mut grad = vec![0.0; net.params().len()];
    let mut bare = BareProducts::new(&SIZES, ROWS);
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..report.size(4000) {
        let (took, ()) = time(|| {
            net.forward_train(&x, ROWS, &mut out);
            loss::mse(&out, &targets, &mut cotangent);
            grad.fill(0.0);
            net.vjp(&x, &cotangent, &mut grad, None);
            adam.step(net.params_mut(), &grad, 1e-3);
        });
        ours.push(took.as_secs_f64() * 1e6);
        let (took, ()) = time(|| bare.step());
        floors.push(took.as_secs_f64() * 1e6);
    }
    report.row("mlp_64_train_step", median(ours), "us");
    report.row("mlp_64_train_step.floor", median(floors), "us");
    Ok(())
}

/// Rows of a minibatch, epochs and steps of an iteration at the preset's settings: one minibatch of 256 rows, 20 times.
const PPO_ROWS: usize = 256;
const PPO_EPOCHS: usize = 20;

/// Environment steps per second if PPO were nothing but the matrix products of its updates.
fn bare_ppo_rate(repeats: usize) -> f64 {
    let mut policy = BareProducts::new(&[4, 64, 64, 2], PPO_ROWS);
    let mut value = BareProducts::new(&[4, 64, 64, 1], PPO_ROWS);
    let rate = |_| {
        let (took, ()) = time(|| {
            for _ in 0..PPO_EPOCHS {
                policy.step();
                value.step();
            }
        });
        PPO_ROWS as f64 / took.as_secs_f64()
    };
    median((0..repeats).map(rate).collect())
}

/// Environment steps per second of a whole training: sampling and all epochs, no evaluation. The floor is the matrix
/// products of the updates alone.
fn ppo_rate(report: &mut Report) -> Result<()> {
    let steps = report.size(100_000) as u64;
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for seed in 1..=report.repeats(5) as u64 {
        let config = PpoConfig::tuned("CartPole-v1")?
            .seed(seed)
            .without_run_folder()
            .total_env_steps(steps)
            .evaluation_every(0)
            .stop_at_return(None);
        let (took, trained) = raytree::run(async move {
            let mut ppo = config.build().await?;
            let start = crate::report::now();
            let outcome = ppo.train(|_| {}).await?;
            let took = start.elapsed();
            ppo.shutdown().await?;
            Ok::<_, raytree_rllib::Error>((took, outcome.env_steps))
        })??;
        ours.push(trained as f64 / took.as_secs_f64());
        floors.push(bare_ppo_rate(report.size(200)));
    }
    report.row("ppo_cartpole_steps_per_s", median(ours), "/s");
    report.row("ppo_cartpole_steps_per_s.floor", median(floors), "/s");
    Ok(())
}

/// From the start of a process to the first evaluation (every 5,000 steps, 20 fresh greedy episodes) with a mean of at
/// least 475: median of 5 seeds; the share of 10 seeds that got there within 60,000 steps. The
/// floor is the matrix products of as many updates.
fn ppo_time(report: &mut Report) -> Result<()> {
    let seeds = if report.repeats(10) == 10 { 10 } else { 2 };
    let (mut times, mut steps) = (Vec::new(), Vec::new());
    for seed in 1..=seeds {
        let (took, solved) = time(|| Role::Solve.measure(seed, Duration::from_secs(120)));
        times.push(took.as_secs_f64());
        steps.push(solved?);
    }
    let within = steps.iter().filter(|steps| **steps <= 60_000.0).count() as f64;
    times.truncate(5);
    let typical = median(steps.clone());
    report.row("ppo_cartpole_time_to_475", median(times), "s");
    report.row("ppo_cartpole_time_to_475.floor", typical / bare_ppo_rate(200), "s");
    report.row("ppo_cartpole_seeds_within_60k", within / seeds as f64, "x");
    Ok(())
}

//! Stepping environments, against a bare scalar loop over the same dynamics.
//!
//! Both take random actions, 256 environments, reset included, on one thread; one iteration is one step of all.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use raytree_rllib::env::Vectorized;
use raytree_rllib::envs::CartPole;
use raytree_rllib::loss::{PolicyBatch, PpoConfig, ppo_categorical};
use raytree_rllib::{Actions, Env, Rng, Stream, VectorEnv, VectorOptions};
use std::hint::black_box;

const ENVS: usize = 256;

/// The bare loop: plain arrays, the C library's sine and cosine, one xorshift for everything.
struct Floor {
    state: [[f64; 4]; ENVS],
    steps: [u32; ENVS],
    obs: [[f32; 4]; ENVS],
    rewards: [f32; ENVS],
    done: [bool; ENVS],
    random: u64,
}

impl Floor {
    fn new() -> Box<Self> {
        Box::new(Self {
            state: [[0.0; 4]; ENVS],
            steps: [0; ENVS],
            obs: [[0.0; 4]; ENVS],
            rewards: [0.0; ENVS],
            done: [true; ENVS],
            random: 88_172_645_463_325_252,
        })
    }

    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn step(&mut self) {
        for at in 0..ENVS {
            if self.done[at] {
                for number in 0..4 {
                    let unit = (self.next() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0);
                    self.state[at][number] = -0.05 + 0.1 * unit;
                }
                self.steps[at] = 0;
            }
            let force = if (self.next() >> 40) & 1 == 1 { 10.0 } else { -10.0 };
            let [x, x_dot, theta, theta_dot] = self.state[at];
            let (cos, sin) = (theta.cos(), theta.sin());
            let temp = (force + 0.05 * theta_dot * theta_dot * sin) / 1.1;
            let theta_acc = (9.8 * sin - cos * temp) / (0.5 * (4.0 / 3.0 - 0.1 * cos * cos / 1.1));
            let x_acc = temp - 0.05 * theta_acc * cos / 1.1;
            self.state[at] = [
                x + 0.02 * x_dot,
                x_dot + 0.02 * x_acc,
                theta + 0.02 * theta_dot,
                theta_dot + 0.02 * theta_acc,
            ];
            let [x, _, theta, _] = self.state[at];
            self.steps[at] += 1;
            self.done[at] =
                x.abs() > 2.4 || theta.abs() > 0.209_439_510_239_319_53 || self.steps[at] >= 500;
            self.rewards[at] = 1.0;
            self.obs[at] = self.state[at].map(|value| value as f32);
        }
    }
}

fn cartpole(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("env_steps_cartpole");
    group.throughput(Throughput::Elements(ENVS as u64));

    let mut floor = Floor::new();
    group.bench_function("floor", |bencher| {
        bencher.iter(|| {
            floor.step();
            black_box((&floor.obs, &floor.rewards, &floor.done));
        });
    });

    let mut envs = Vectorized::new(CartPole::new, VectorOptions::new(ENVS).max_episode_steps(500));
    let envs: &mut dyn VectorEnv = &mut envs;
    assert!(envs.reset().is_ok(), "a CartPole can be reset");
    let (mut rng, mut actions) = (Rng::stream(0, Stream::Custom(0)), [0; ENVS]);
    group.bench_function("vector", |bencher| {
        bencher.iter(|| {
            let mut bits = 0;
            for (at, action) in actions.iter_mut().enumerate() {
                bits = if at % 64 == 0 { rng.next_u64() } else { bits >> 1 };
                *action = (bits & 1) as u32;
            }
            black_box(envs.step(Actions::Discrete(&actions)).map(|view| view.obs[0]))
        });
    });

    let (mut env, mut obs) = (CartPole::new(), [0.0; 4]);
    group.throughput(Throughput::Elements(1));
    group.bench_function("one_reset", |bencher| {
        bencher.iter(|| env.reset(black_box(&mut rng), black_box(&mut obs)));
    });
    group.finish();
}

fn ppo_loss(criterion: &mut Criterion) {
    const ROWS: usize = 256;
    let mut rng = Rng::stream(0, Stream::Custom(1));
    let mut normals =
        |count: usize| -> Vec<f32> { (0..count).map(|_| rng.normal() as f32).collect() };
    let (logits, advantages) = (normals(2 * ROWS), normals(ROWS));
    let (old, actions) = (vec![-0.7; ROWS], vec![1; ROWS]);
    let mut grad = vec![0.0; 2 * ROWS];
    let mut group = criterion.benchmark_group("ppo_loss");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("categorical_2", |bencher| {
        bencher.iter(|| {
            let batch =
                PolicyBatch { actions: &actions, old_log_probs: &old, advantages: &advantages };
            ppo_categorical(black_box(&logits), batch, &PpoConfig::default(), &mut grad)
        });
    });
    group.finish();
}

criterion_group!(benches, cartpole, ppo_loss);
criterion_main!(benches);

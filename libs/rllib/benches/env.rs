//! Stepping environments, against a bare scalar loop over the same dynamics.
//!
//! Both take random actions, 256 environments, reset included, on one thread; one iteration is one step of all.

mod floor;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use floor::{ENVS, Floor};
use raytree_rllib::env::Vectorized;
use raytree_rllib::envs::CartPole;
use raytree_rllib::loss::{PolicyBatch, PpoLossConfig, ppo_categorical};
use raytree_rllib::{Actions, Env, Rng, Stream, VectorEnv, VectorOptions};
use std::hint::black_box;

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
            ppo_categorical(black_box(&logits), batch, &PpoLossConfig::default(), &mut grad)
        });
    });
    group.finish();
}

criterion_group!(benches, cartpole, ppo_loss);
criterion_main!(benches);

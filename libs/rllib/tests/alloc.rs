//! Nothing is allocated per step: a counting allocator around the hot paths. One test, so that no other counts along.

#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]

use raytree_rllib::env::Vectorized;
use raytree_rllib::envs::CartPole;
use raytree_rllib::gae::{Rollout, gae};
use raytree_rllib::loss::{
    GaussianPolicy, Normalizer, PolicyBatch, PpoLossConfig, ValueBatch, ValueLossConfig,
    ppo_categorical, ppo_gaussian, value_loss,
};
use raytree_rllib::stats::RunningStats;
use raytree_rllib::{Actions, VectorEnv, VectorOptions};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed on to the system allocator unchanged; counting touches only a thread-local without
// destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is the one `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the one `System` asks for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this thread while `work` runs.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn no_allocation_per_step() {
    assert!(allocations(|| drop(std::hint::black_box(Box::new(1)))) > 0, "the counter counts");

    let options = VectorOptions::new(64).max_episode_steps(50);
    let mut envs = Vectorized::new(CartPole::new, options);
    envs.reset().unwrap();
    let actions: Vec<u32> = (0..64).map(|at| at % 2).collect();
    let mut episodes = 0;
    let stepping = allocations(|| {
        for _ in 0..500 {
            episodes += envs.step(Actions::Discrete(&actions)).unwrap().episodes.len();
        }
    });
    assert!(episodes > 100, "resets are counted too");
    assert_eq!(stepping, 0, "steps of a vector environment");

    let ones = [1.0; 64];
    let (mut grads, mut others) = ([0.0; 64], [0.0; 64]);
    let mut stats = RunningStats::new(4);
    let learning = allocations(|| {
        let rollout = Rollout {
            rewards: &ones,
            values: &ones,
            terminated: &[false; 64],
            truncated: &[true; 64],
            truncation_values: &ones,
            last_values: &ones[..8],
        };
        gae(rollout, 0.9, 0.9, &mut grads, &mut others).unwrap();
        let config =
            PpoLossConfig { normalizer: Normalizer::of(&ones), ..PpoLossConfig::default() };
        let (old_log_probs, advantages) = (&ones[..32], &ones[..32]);
        let batch = PolicyBatch { actions: &actions[..32], old_log_probs, advantages };
        ppo_categorical(&ones, batch, &config, &mut grads).unwrap();
        let batch = PolicyBatch { actions: &ones[..], old_log_probs, advantages };
        let policy = GaussianPolicy { mean: &ones, log_std: &ones[..2] };
        ppo_gaussian(policy, batch, &config, &mut grads, &mut others[..2]).unwrap();
        let batch = ValueBatch { targets: &ones, old_values: &ones };
        value_loss(&ones, batch, &ValueLossConfig::default(), &mut grads).unwrap();
        stats.update(&ones);
        stats.normalize(&mut grads, 5.0);
    });
    assert_eq!(learning, 0, "advantages, losses and statistics");
}

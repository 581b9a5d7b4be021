//! Once warm, neither a training step nor inference allocates.

#![expect(unsafe_code, reason = "a counting allocator is a global allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use raytree_nn::dist::{categorical, gaussian};
use raytree_nn::{
    Act, Activation, AdaGrad, Adam, BatchNorm, Beside, CausalAttention, Conv2d, Embedding, Gru,
    Layer, LayerNorm, Linear, LogSoftmax, Lstm, MaxPool2d, Mlp, Model, Net, Optimizer, RmsProp,
    Sequential, Sgd, Softmax, WithFree, clip_global_norm, init, loss,
};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Counts what this thread allocates.
struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

fn rng() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(3)
}

/// Trains and infers with `layer` and fails if that allocates after a few rounds.
fn check(layer: impl Layer, rows: usize, optimizer: &mut dyn Optimizer) {
    let what = format!("{layer:?}").chars().take(20).collect::<String>();
    let mut net = Net::new(layer, &mut rng());
    // Numbers that are valid ids, too.
    let x: Vec<f32> = (0..rows * net.inputs()).map(|i| (i % 5) as f32).collect();
    let (mut out, mut dx) = (vec![0.0; rows * net.outputs()], vec![0.0; x.len()]);
    let targets = out.clone();
    let (mut cotangent, mut grad) = (out.clone(), vec![0.0; net.params().len()]);
    let mut round = || {
        net.forward(&x, rows, &mut out);
        net.forward_train(&x, rows, &mut out);
        loss::mse(&out, &targets, &mut cotangent);
        grad.fill(0.0);
        net.vjp(&x, &cotangent, &mut grad, Some(&mut dx));
        net.vjp(&x, &cotangent, &mut grad, None);
        clip_global_norm(&mut grad, 0.5);
        optimizer.step(net.params_mut(), &grad, 1e-3);
    };
    for _ in 0..3 {
        round();
    }
    assert_eq!(allocations(|| (0..10).for_each(|_| round())), 0, "{what}");
}

#[test]
fn a_warm_step_allocates_nothing() {
    assert!(allocations(|| drop(vec![1])) > 0, "the counter counts");
    let mut plain = Sgd::default();
    let policy = Mlp::new(&[4, 64, 64, 2], Activation::Tanh);
    let value = Mlp::new(&[4, 32, 1], Activation::Gelu);
    let policy = WithFree::new(policy, "log_std", 2, 0.0);
    check(Beside::new(("policy", policy), ("value", value)), 100, &mut Adam::default());
    check(Mlp::new(&[4, 16, 3], Activation::Relu), 8, &mut Adam::default().amsgrad());
    check(Mlp::new(&[4, 16, 3], Activation::Relu), 8, &mut Sgd::default().nesterov(0.9));
    check(Mlp::new(&[4, 3], Activation::Relu), 8, &mut RmsProp::default().centered().momentum(0.9));
    check(Linear::new(4, 3), 8, &mut AdaGrad::default());
    check(Conv2d::new([2, 7, 7], 3, 3).stride(2).padding(1), 4, &mut plain);
    check(MaxPool2d::new([2, 6, 6], 2), 4, &mut plain);
    check(LayerNorm::new(6), 4, &mut plain);
    check(BatchNorm::new(6), 4, &mut plain);
    check(Embedding::new(7, 4), 5, &mut plain);
    check(Lstm::new(3, 4).steps(5), 15, &mut plain);
    check(Gru::new(3, 4).steps(5), 15, &mut plain);
    check(CausalAttention::new(8, 2, 5), 10, &mut plain);
    check(Softmax::new(5), 3, &mut plain);
    check(LogSoftmax::new(5), 3, &mut plain);
    let conv = Conv2d::new([1, 8, 8], 4, 3);
    let features = conv.outputs();
    let act = Act::new(Activation::Silu, features);
    check(Sequential::new().then(conv).then(act).then(Linear::new(features, 3)), 6, &mut plain);
}

#[test]
fn distributions_allocate_nothing() {
    let (logits, other, mut row) = ([0.1, -0.4, 0.9], [0.0; 3], [0.0; 3]);
    let (mut a, mut b) = ([0.0; 3], [0.0; 3]);
    let counted = allocations(|| {
        categorical::probs(&logits, &mut row);
        categorical::log_prob_grad(&logits, 1, 0.5, &mut row);
        categorical::entropy_grad(&logits, 0.5, &mut row);
        categorical::kl_grad(&logits, &other, 0.5, &mut row);
        categorical::sample(&logits, 0.5);
        init::normals(&mut row, &mut rng());
        gaussian::sample(&logits, &other, &row, &mut a);
        gaussian::log_prob_grad(&logits, &other, &row, 1.0, &mut a, &mut b);
    });
    assert_eq!(counted, 0);
}

//! Perceptrons: training steps against their bare matrix products, and inference.
//!
//! `mlp_64_train_step/step` (4-64-64-2, tanh, batch 128: forward, squared error, backward, Adam) should take at most
//! twice as long as `mlp_64_train_step/bare_products`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use raytree_nn::floor::BareProducts;
use raytree_nn::{Activation, Adam, Mlp, Model, Net, Optimizer, init, loss};

/// A network, an optimiser and a batch, with room for everything a step writes.
struct Step {
    net: Net<Mlp>,
    adam: Adam,
    rows: usize,
    x: Vec<f32>,
    targets: Vec<f32>,
    out: Vec<f32>,
    cotangent: Vec<f32>,
    grad: Vec<f32>,
}

impl Step {
    fn new(sizes: &[usize], activation: Activation, rows: usize) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let net = Net::new(Mlp::new(sizes, activation), &mut rng);
        let mut x = vec![0.0; rows * net.inputs()];
        init::normals(&mut x, &mut rng);
        let mut targets = vec![0.0; rows * net.outputs()];
        init::normals(&mut targets, &mut rng);
        let (out, grad) = (targets.clone(), vec![0.0; net.params().len()]);
        Self { net, adam: Adam::default(), rows, x, cotangent: out.clone(), out, targets, grad }
    }

    fn run(&mut self) {
        self.net.forward_train(&self.x, self.rows, &mut self.out);
        loss::mse(&self.out, &self.targets, &mut self.cotangent);
        self.grad.fill(0.0);
        self.net.vjp(&self.x, &self.cotangent, &mut self.grad, None);
        self.adam.step(self.net.params_mut(), &self.grad, 1e-3);
    }
}

fn train(c: &mut Criterion) {
    let shapes = [
        ("mlp_64_train_step", &[4, 64, 64, 2][..], Activation::Tanh, 128),
        ("mlp_64_train_step_4096", &[4, 64, 64, 2][..], Activation::Tanh, 4096),
        ("mlp_256_train_step", &[23, 256, 256, 1][..], Activation::Relu, 256),
    ];
    for (name, sizes, activation, rows) in shapes {
        let mut group = c.benchmark_group(name);
        let mut step = Step::new(sizes, activation, rows);
        group.bench_function("step", |b| b.iter(|| step.run()));
        let mut floor = BareProducts::new(sizes, rows);
        group.bench_function("bare_products", |b| b.iter(|| floor.step()));
        group.finish();
    }
}

fn inference(c: &mut Criterion) {
    for sizes in [&[4, 64, 64, 2][..], &[23, 256, 256, 1]] {
        let mut group = c.benchmark_group(format!("mlp_{}_inference", sizes[1]));
        for rows in [1, 8, 32, 256] {
            let mut step = Step::new(sizes, Activation::Tanh, rows);
            group.bench_function(BenchmarkId::from_parameter(rows), |b| {
                b.iter(|| step.net.forward(black_box(&step.x), rows, &mut step.out));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, train, inference);
criterion_main!(benches);

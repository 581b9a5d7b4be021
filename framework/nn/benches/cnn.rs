//! A small convolutional network: 16 and 32 maps of 3x3, each with a rectifier and 2x2 pooling, on 32 images of 28x28;
//! forward, cross-entropy, backward and Adam.

use criterion::{Criterion, criterion_group, criterion_main};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use raytree_nn::{
    Act, Activation, Adam, Conv2d, Linear, MaxPool2d, Model, Net, Optimizer, Sequential, init, loss,
};

const IMAGES: usize = 32;

fn network() -> Sequential {
    let mut image = [1, 28, 28];
    let mut net = Sequential::new();
    for maps in [16, 32] {
        let conv = Conv2d::new(image, maps, 3);
        image = conv.output_shape();
        let pool = MaxPool2d::new(image, 2);
        let relu = Act::new(Activation::Relu, image.iter().product());
        image = pool.output_shape();
        net = net.then(conv).then(relu).then(pool);
    }
    net.then(Linear::new(image.iter().product(), 10))
}

fn cnn(c: &mut Criterion) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut net = Net::new(network(), &mut rng);
    let mut x = vec![0.0; IMAGES * net.inputs()];
    init::normals(&mut x, &mut rng);
    let classes: Vec<usize> = (0..IMAGES).map(|i| i % 10).collect();
    let mut out = vec![0.0; IMAGES * net.outputs()];
    let (mut cotangent, mut grad) = (out.clone(), vec![0.0; net.params().len()]);
    let mut adam = Adam::default();
    let mut group = c.benchmark_group("cnn");
    group.bench_function("inference", |b| b.iter(|| net.forward(&x, IMAGES, &mut out)));
    group.bench_function("train_step", |b| {
        b.iter(|| {
            net.forward_train(&x, IMAGES, &mut out);
            loss::cross_entropy(&out, &classes, &mut cotangent);
            grad.fill(0.0);
            net.vjp(&x, &cotangent, &mut grad, None);
            adam.step(net.params_mut(), &grad, 1e-3);
        });
    });
    group.finish();
}

criterion_group!(benches, cnn);
criterion_main!(benches);

//! The perceptron, alone and combined.

use raytree_nn::{
    Activation, Adam, Beside, Layer, Mlp, Model, Net, Optimizer, WithFree, clip_global_norm, loss,
    tanh,
};

use crate::support::{assert_row_stable, check_vjp, normals, rng};

fn every_activation() -> [Activation; 10] {
    use Activation::*;
    [Identity, Tanh, Relu, Sigmoid, Gelu, GeluTanh, Silu, Elu, LeakyRelu, Softplus]
}

#[test]
fn gradients_agree_with_differences() {
    for activation in every_activation() {
        let mut mlp = Mlp::new(&[3, 7, 18, 2], activation);
        check_vjp(&mut mlp, &normals(15, 3), 11, 2e-2);
        let mut squashed = Mlp::new(&[3, 2], Activation::Tanh).output(activation);
        check_vjp(&mut squashed, &normals(15, 3), 12, 2e-2);
    }
    let policy = WithFree::new(Mlp::new(&[3, 5, 2], Activation::Tanh), "log_std", 2, -0.5);
    let value = Mlp::new(&[3, 4, 1], Activation::Silu);
    check_vjp(&mut Beside::new(("policy", policy), ("value", value)), &normals(12, 4), 5, 2e-2);
}

#[test]
fn inference_is_row_stable_and_equals_the_training_pass() {
    for sizes in [&[4, 64, 64, 2][..], &[4, 64, 64, 1], &[23, 256, 256, 1], &[5, 17, 33], &[1, 1]] {
        let mut net = Net::new(Mlp::new(sizes, Activation::Tanh), &mut rng(1));
        assert_row_stable(&mut net, 256);
    }
    for activation in every_activation() {
        let mlp = Mlp::new(&[3, 40, 5], activation).output(activation);
        assert_row_stable(&mut Net::new(mlp, &mut rng(2)), 64);
    }
    let policy = WithFree::new(Mlp::new(&[3, 20, 2], Activation::Tanh), "log_std", 2, -0.5);
    let value = Mlp::new(&[3, 30, 1], Activation::Relu);
    let both = Beside::new(("policy", policy), ("value", value));
    assert_row_stable(&mut Net::new(both, &mut rng(3)), 64);
}

#[test]
fn training_twice_gives_the_same_bits() {
    let train = || {
        let mlp = Mlp::new(&[5, 33, 3], Activation::Silu).orthogonal(1.0, 0.1);
        let (mut net, mut adam) = (Net::new(mlp, &mut rng(4)), Adam::default());
        let (x, targets) = (normals(5 * 37, 5), normals(3 * 37, 6));
        let (mut out, mut cotangent) = (targets.clone(), targets.clone());
        let mut grad = vec![0.0; net.params().len()];
        for _ in 0..20 {
            net.forward_train(&x, 37, &mut out);
            loss::mse(&out, &targets, &mut cotangent);
            grad.fill(0.0);
            net.vjp(&x, &cotangent, &mut grad, None);
            clip_global_norm(&mut grad, 0.5);
            adam.step(net.params_mut(), &grad, 1e-2);
        }
        net.params().to_vec()
    };
    assert_eq!(train(), train());
}

#[test]
fn tensors_are_named_and_placed_without_gaps() {
    let policy = WithFree::new(Mlp::new(&[3, 5, 2], Activation::Tanh), "log_std", 2, -0.5);
    let both = Beside::new(("pi", policy), ("v", Mlp::new(&[3, 1], Activation::Tanh)));
    let layout = both.layout();
    let names: Vec<_> = layout.iter().map(|spec| spec.name.as_str()).collect();
    let want = [
        "pi.0.weight",
        "pi.0.bias",
        "pi.2.weight",
        "pi.2.bias",
        "pi.log_std",
        "v.0.weight",
        "v.0.bias",
    ];
    assert_eq!(names, want);
    let mut at = 0;
    for spec in &layout {
        assert_eq!(spec.offset, at);
        at += spec.len();
    }
    assert_eq!(at, both.param_len());
}

#[test]
fn orthogonal_weights_are_orthogonal_and_repeatable() {
    let mlp = || Mlp::new(&[64, 64, 3], Activation::Tanh).orthogonal(1.0, 0.5);
    let net = Net::new(mlp(), &mut rng(1));
    assert_eq!(net.params(), Net::new(mlp(), &mut rng(1)).params());
    let (w, head) = (&net.params()[..64 * 64], &net.params()[64 * 65..64 * 68]);
    for (rows, gain) in [(w, 1.0), (head, 0.25)] {
        let rows: Vec<_> = rows.chunks(64).collect();
        for (i, a) in rows.iter().enumerate() {
            for (j, b) in rows.iter().enumerate() {
                let dot: f32 = a.iter().zip(*b).map(|(a, b)| a * b).sum();
                let want = if i == j { gain } else { 0.0 };
                assert!((dot - want).abs() < 1e-5, "{i} {j}: {dot}");
            }
        }
    }
}

#[test]
fn fast_tanh_is_off_by_less_than_4_parts_in_10_million_everywhere() {
    let mut worst = 0.0_f64;
    let grid = (0..=2_000_000).map(|step| step as f32 * 5e-6);
    let small = (0..2_000).map(|step| 1.01_f32.powi(-step) * 0.1).filter(|x| *x > 1e-30);
    for x in grid.chain(small) {
        let want = f64::from(x).tanh();
        worst = worst.max((f64::from(tanh(x)) - want).abs() / want.max(1e-30));
        assert_eq!(tanh(x), -tanh(-x), "odd at {x}");
        assert!(tanh(x) <= 1.0, "bounded at {x}");
    }
    assert!(worst < 3.6e-7, "off by {worst:e}");
    for huge in [f32::INFINITY, f32::MAX] {
        assert!((tanh(huge) - 1.0).abs() < 3e-7);
    }
    assert!(tanh(f32::NAN).is_nan());
    // In a slice it is the vectorised one: the same bits.
    let x: Vec<f32> = normals(1003, 1).iter().map(|x| 3.0 * x).collect();
    let mut all = x.clone();
    Activation::Tanh.apply(&mut all);
    assert!(all.iter().zip(&x).all(|(all, x)| all.to_bits() == tanh(*x).to_bits()));
}

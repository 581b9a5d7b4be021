//! Shared helpers: random numbers, closeness, finite differences.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use raytree_nn::{Layer, Model, init};
use serde_json::Value;

/// A generator that always starts the same.
pub(crate) fn rng(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// `len` standard normal numbers.
pub(crate) fn normals(len: usize, seed: u64) -> Vec<f32> {
    let mut out = vec![0.0; len];
    init::normals(&mut out, &mut rng(seed));
    out
}

/// Fails unless `got` is within `relative * |want| + absolute` of `want`, element by element.
pub(crate) fn assert_close(what: &str, got: &[f32], want: &[f64], relative: f64, absolute: f64) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let allowed = relative * want.abs() + absolute;
        let off = (f64::from(*got) - want).abs();
        assert!(off <= allowed, "{what}[{i}]: got {got}, want {want}, off by {off:e}");
    }
}

/// Compares a layer's vector-Jacobian product with central differences, for parameters and input.
pub(crate) fn check_vjp<L: Layer>(layer: &mut L, x: &[f32], seed: u64, tolerance: f64) {
    let rows = x.len() / layer.inputs();
    let mut params = vec![0.0; layer.param_len()];
    layer.init(&mut params, &mut rng(seed));
    let jitter = normals(params.len(), seed + 1);
    params.iter_mut().zip(jitter).for_each(|(p, j)| *p += 0.1 * j);
    let cotangent = normals(rows * layer.outputs(), seed + 2);

    let mut out = vec![0.0; cotangent.len()];
    let (mut grad, mut dx) = (vec![0.0; params.len()], vec![f32::NAN; x.len()]);
    layer.prepare(&params);
    layer.forward_train(&params, x, rows, &mut out);
    layer.vjp(&params, x, &cotangent, &mut grad, Some(&mut dx));

    let mut value = |params: &[f32], x: &[f32]| -> f64 {
        layer.prepare(params);
        layer.forward_train(params, x, rows, &mut out);
        out.iter().zip(&cotangent).map(|(o, c)| f64::from(*o) * f64::from(*c)).sum()
    };
    let step = 1e-2_f32;
    let middle = value(&params, x);
    // Between the slopes to the left and to the right: at a kink both are right.
    let compare = |what: &str, at: usize, got: f32, plus: f64, minus: f64| {
        let slopes = [(plus - middle) / f64::from(step), (middle - minus) / f64::from(step)];
        let slack = tolerance * (1.0 + slopes[0].abs());
        let (low, high) = (slopes[0].min(slopes[1]) - slack, slopes[0].max(slopes[1]) + slack);
        let got = f64::from(got);
        assert!(low <= got && got <= high, "{what}[{at}]: got {got}, differences say {slopes:?}");
    };
    for i in 0..params.len() {
        let mut moved = params.clone();
        moved[i] = params[i] + step;
        let plus = value(&moved, x);
        moved[i] = params[i] - step;
        compare("grad", i, grad[i], plus, value(&moved, x));
    }
    for i in 0..x.len() {
        let mut moved = x.to_vec();
        moved[i] = x[i] + step;
        let plus = value(&params, &moved);
        moved[i] = x[i] - step;
        compare("dx", i, dx[i], plus, value(&params, &moved));
    }
}

/// One of the golden files, from the repository or from the folder that `RAYTREE_GOLDEN` names.
pub(crate) fn golden(file: &str) -> Value {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden");
    let folder = std::env::var("RAYTREE_GOLDEN").unwrap_or_else(|_| here.to_owned());
    let path = std::path::Path::new(&folder).join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// All numbers of a nested list, in order; truth values are 1 and 0.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Number(number) => vec![number.as_f64().unwrap()],
        Value::Bool(truth) => vec![f64::from(u8::from(*truth))],
        other => panic!("not numbers: {other}"),
    }
}

/// [`numbers`] in single precision.
pub(crate) fn singles(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|number| number as f32).collect()
}

/// [`singles`], one vector per item of the outer list.
pub(crate) fn rows(value: &Value) -> Vec<Vec<f32>> {
    value.as_array().unwrap().iter().map(singles).collect()
}

/// Fails unless a row's output bits are the same at every place of batches of many sizes up to `most`, and in training.
pub(crate) fn assert_row_stable(net: &mut dyn Model, most: usize) {
    let (inputs, outputs) = (net.inputs(), net.outputs());
    let x = normals(most * inputs, 9);
    let mut alone = vec![0.0; most * outputs];
    for row in 0..most {
        net.forward(&x[row * inputs..][..inputs], 1, &mut alone[row * outputs..][..outputs]);
    }
    for rows in [1, 2, 3, 4, 7, 8, 16, 31, 64, 256].into_iter().filter(|rows| *rows <= most) {
        for start in 0..=most - rows {
            let mut out = vec![0.0; rows * outputs];
            net.forward(&x[start * inputs..][..rows * inputs], rows, &mut out);
            let want = &alone[start * outputs..][..rows * outputs];
            assert!(
                out.iter().zip(want).all(|(a, b)| a.to_bits() == b.to_bits()),
                "{rows} {start}"
            );
        }
    }
    let mut out = vec![0.0; most * outputs];
    net.forward_train(&x, most, &mut out);
    assert_eq!(out, alone);
}

//! Every layer: golden numbers, finite differences, row stability.

use raytree_nn::{
    Act, Activation, BatchNorm, CausalAttention, Conv2d, Embedding, Gru, Layer, LayerNorm, Linear,
    LogSoftmax, Lstm, MaxPool2d, Mlp, Net, Sequential, Softmax, loss,
};
use serde_json::Value;

use crate::support::{
    assert_close, assert_row_stable, check_vjp, golden, normals, numbers, rng, singles,
};

fn shape(value: &Value) -> Vec<usize> {
    value["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

/// `steps`, `batch` and so on from a case's name: the number behind `letter`.
fn in_name(name: &str, letter: char) -> usize {
    let part = name
        .split('_')
        .find(|part| part.strip_prefix(letter).is_some_and(|rest| rest.parse::<usize>().is_ok()));
    part.unwrap()[1..].parse().unwrap()
}

fn activation(name: &str) -> Option<Activation> {
    Some(match name {
        "gelu" => Activation::Gelu,
        "gelu_tanh" => Activation::GeluTanh,
        "silu" => Activation::Silu,
        "elu" => Activation::Elu,
        "leaky_relu" => Activation::LeakyRelu,
        "softplus" => Activation::Softplus,
        "tanh" => Activation::Tanh,
        "relu" => Activation::Relu,
        "sigmoid" => Activation::Sigmoid,
        _ => return None,
    })
}

/// The layer that a case describes. A name that is not known here fails the test.
fn layer(name: &str, case: &Value) -> Box<dyn Layer> {
    let input = shape(&case["inputs"][0]);
    let weight = |tensor: &str| shape(&case["params"][tensor]);
    let width = *input.last().unwrap();
    match name.split('_').next().unwrap() {
        "linear" => Box::new(Linear::new(width, weight("weight")[0])),
        "mlp" => {
            let mut sizes = vec![width];
            sizes.extend((0..).map_while(|i| {
                let tensor = &case["params"][format!("{}.weight", 2 * i)];
                tensor.is_object().then(|| shape(tensor)[0])
            }));
            Box::new(Mlp::new(&sizes, activation(name.split('_').nth(1).unwrap()).unwrap()))
        }
        "conv2d" => {
            let weight = weight("weight");
            let conv = Conv2d::new([input[1], input[2], input[3]], weight[0], weight[2]);
            let (stride, out) = (in_name(name, 's'), shape(&case["output"])[2]);
            let padding = ((out - 1) * stride + weight[2]).saturating_sub(input[2]).div_ceil(2);
            Box::new(conv.stride(stride).padding(padding))
        }
        "maxpool2d" => {
            let kernel = input[2] / shape(&case["output"])[2];
            Box::new(MaxPool2d::new([input[1], input[2], input[3]], kernel))
        }
        "layernorm" => Box::new(LayerNorm::new(width)),
        "batchnorm1d" => Box::new(BatchNorm::new(width)),
        "embedding" => Box::new(Embedding::new(weight("weight")[0], weight("weight")[1])),
        "lstm" => Box::new(Lstm::new(width, weight("weight_hh_l0")[1]).steps(input[0])),
        "gru" => Box::new(Gru::new(width, weight("weight_hh_l0")[1]).steps(input[0])),
        "mha" => Box::new(CausalAttention::new(width, in_name(name, 'h'), input[1])),
        "act" => match name.strip_prefix("act_").unwrap() {
            "softmax" => Box::new(Softmax::new(width)),
            "log_softmax" => Box::new(LogSoftmax::new(width)),
            other => match activation(other) {
                Some(activation) => Box::new(Act::new(activation, width)),
                None => panic!("no activation is called {other}"),
            },
        },
        other => panic!("no layer is called {other}"),
    }
}

#[test]
fn golden_nn_every_layer() {
    for (name, case) in golden("algo_nn.json")["layers"].as_object().unwrap() {
        if let Some(loss) = name.strip_prefix("loss_") {
            check_loss(loss, case);
            continue;
        }
        assert_eq!(case["inputs"].as_array().unwrap().len(), 1, "{name}");
        let mut layer = layer(name, case);
        let layout = layer.layout();
        let expected = case["params"].as_object().unwrap();
        assert_eq!(layout.len(), expected.len(), "{name}: number of tensors");
        let mut params = Vec::new();
        for spec in &layout {
            let tensor =
                expected.get(&spec.name).unwrap_or_else(|| panic!("{name}: {}", spec.name));
            assert_eq!(shape(tensor), spec.shape, "{name}: {}", spec.name);
            assert_eq!(params.len(), spec.offset, "{name}: {}", spec.name);
            params.extend(singles(&tensor["value"]));
        }
        let recurrent = ["lstm", "gru", "mha"].iter().any(|kind| name.starts_with(kind));
        let gradient = if recurrent { 1e-4 } else { 1e-5 };
        let x = singles(&case["inputs"][0]["value"]);
        let rows = x.len() / layer.inputs();
        let mut out = vec![0.0; rows * layer.outputs()];
        let (mut grad, mut dx) = (vec![0.0; params.len()], vec![f32::NAN; x.len()]);
        layer.prepare(&params);
        layer.forward_train(&params, &x, rows, &mut out);
        assert_close(name, &out, &numbers(&case["output"]["value"]), 1e-5, 1e-6);
        layer.vjp(&params, &x, &singles(&case["cotangent"]), &mut grad, Some(&mut dx));
        for spec in &layout {
            let want = numbers(&expected[&spec.name]["grad"]);
            let got = &grad[spec.offset..spec.offset + spec.len()];
            assert_close(&format!("{name}.{}", spec.name), got, &want, gradient, 1e-6);
        }
        let want = &case["inputs"][0]["grad"];
        if !want.is_null() {
            assert_close(&format!("{name}.dx"), &dx, &numbers(want), gradient, 1e-6);
        }
    }
}

fn check_loss(name: &str, case: &Value) {
    let x = singles(&case["inputs"][0]["value"]);
    let mut grad = vec![0.0; x.len()];
    let loss = match name {
        "cross_entropy_mean" => {
            let classes: Vec<_> = numbers(&case["labels"]).iter().map(|c| *c as usize).collect();
            loss::cross_entropy(&x, &classes, &mut grad)
        }
        "bce_logits_mean" => loss::bce_with_logits(&x, &singles(&case["labels"]), &mut grad),
        other => panic!("no loss is called {other}"),
    };
    assert_close(name, &[loss], &numbers(&case["output"]["value"]), 1e-5, 1e-6);
    let scale = singles(&case["cotangent"])[0];
    grad.iter_mut().for_each(|g| *g *= scale);
    assert_close(name, &grad, &numbers(&case["inputs"][0]["grad"]), 1e-5, 1e-6);
}

fn network() -> Sequential {
    let conv = Conv2d::new([2, 6, 5], 3, 2).stride(1).padding(1);
    let pool = MaxPool2d::new(conv.output_shape(), 2);
    let features = pool.outputs();
    Sequential::new()
        .then(conv)
        .then(pool)
        .then(Act::new(Activation::Silu, features))
        .then(LayerNorm::new(features))
        .then(Linear::new(features, 4))
        .then(LogSoftmax::new(4))
}

#[test]
fn gradients_agree_with_differences() {
    check_vjp(&mut Linear::new(5, 17), &normals(15, 1), 1, 2e-2);
    check_vjp(&mut Conv2d::new([2, 5, 4], 3, 3).stride(2).padding(1), &normals(80, 2), 2, 2e-2);
    check_vjp(&mut LayerNorm::new(6), &normals(18, 3), 3, 2e-2);
    check_vjp(&mut BatchNorm::new(3), &normals(24, 4), 4, 2e-2);
    check_vjp(&mut Lstm::new(3, 4).steps(5), &normals(30, 5), 5, 2e-2);
    check_vjp(&mut Gru::new(3, 4).steps(5), &normals(30, 6), 6, 2e-2);
    check_vjp(&mut CausalAttention::new(6, 2, 4), &normals(48, 7), 7, 2e-2);
    check_vjp(&mut Softmax::new(5), &normals(15, 8), 8, 2e-2);
    check_vjp(&mut LogSoftmax::new(5), &normals(15, 9), 9, 2e-2);
    check_vjp(&mut MaxPool2d::new([2, 4, 4], 2), &normals(64, 10), 10, 2e-2);
    check_vjp(&mut network(), &normals(120, 11), 11, 3e-2);
}

#[test]
fn a_sequence_may_be_cut_where_the_state_is_carried_over() {
    let x = normals(6 * 2 * 3, 1);
    let params = normals(Lstm::new(3, 4).param_len(), 2);
    let (mut whole, mut cut) = (vec![0.0; 48], vec![0.0; 48]);
    let mut lstm = Lstm::new(3, 4).steps(6);
    lstm.prepare(&params);
    lstm.forward(&params, &x, 12, &mut whole);
    let mut lstm = Lstm::new(3, 4).steps(3);
    lstm.prepare(&params);
    lstm.forward(&params, &x[..18], 6, &mut cut[..24]);
    let state = lstm.last().to_vec();
    lstm.start(&state);
    lstm.forward(&params, &x[18..], 6, &mut cut[24..]);
    assert_eq!(whole, cut);

    let params = normals(Gru::new(3, 4).param_len(), 2);
    let mut gru = Gru::new(3, 4).steps(6);
    gru.prepare(&params);
    gru.forward(&params, &x, 12, &mut whole);
    let mut gru = Gru::new(3, 4).steps(3);
    gru.prepare(&params);
    gru.forward(&params, &x[..18], 6, &mut cut[..24]);
    let state = gru.last().to_vec();
    gru.start(&state);
    gru.forward(&params, &x[18..], 6, &mut cut[24..]);
    assert_eq!(whole, cut);
}

#[test]
fn batch_norm_infers_from_running_statistics() {
    let mut norm = BatchNorm::new(1);
    let params = [2.0, 1.0];
    let mut out = vec![0.0; 4];
    for _ in 0..500 {
        norm.forward_train(&params, &[1.0, 2.0, 3.0, 6.0], 4, &mut out);
    }
    norm.forward(&params, &[3.0], 1, &mut out[..1]);
    assert!((out[0] - 1.0).abs() < 1e-5);
    let mut buffers = Vec::new();
    norm.visit_buffers(&mut |name, values| buffers.push((name.to_owned(), values[0])));
    assert_eq!(buffers[0].0, "running_mean");
    assert!((buffers[1].1 - 14.0 / 3.0).abs() < 1e-4, "the unbiased variance");
}

#[test]
fn inference_is_row_stable() {
    assert_row_stable(&mut Net::new(network(), &mut rng(1)), 64);
    assert_row_stable(&mut Net::new(Lstm::new(3, 20), &mut rng(2)), 64);
    assert_row_stable(&mut Net::new(Gru::new(3, 20), &mut rng(3)), 64);
    assert_row_stable(&mut Net::new(Softmax::new(5), &mut rng(4)), 64);
}

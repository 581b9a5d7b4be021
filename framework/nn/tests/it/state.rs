//! State files: round trips, typed errors, all or nothing.

use std::collections::BTreeMap;

use raytree_nn::{
    Activation, Adam, BatchNorm, Linear, Mlp, Model, Net, Optimizer, Sequential, State, StateError,
};

use crate::support::{normals, rng};

fn net(seed: u64) -> Net<Mlp> {
    Net::new(Mlp::new(&[3, 5, 2], Activation::Tanh), &mut rng(seed))
}

fn trained() -> (Net<Mlp>, Adam) {
    let (mut net, mut adam) = (net(1), Adam::default());
    let grads = normals(net.params().len(), 5);
    adam.step(net.params_mut(), &grads, 0.1);
    (net, adam)
}

fn notes() -> BTreeMap<String, String> {
    ["algorithm", "step", "env", "seed"].map(|key| (key.to_owned(), format!("the {key}"))).into()
}

fn saved() -> Vec<u8> {
    let (mut net, mut adam) = trained();
    State::new().model("", &mut net).optimizer("adam", &mut adam).to_bytes(&notes()).unwrap()
}

#[test]
fn a_round_trip_continues_bit_by_bit() {
    let (mut first, mut first_adam) = trained();
    let (mut second, mut second_adam) = (net(2), Adam::default());
    let state = State::new().model("", &mut second).optimizer("adam", &mut second_adam);
    assert_eq!(state.load(&saved()).unwrap(), notes());
    assert_eq!(first.params(), second.params());
    let grads = normals(first.params().len(), 6);
    first_adam.step(first.params_mut(), &grads, 0.1);
    second_adam.step(second.params_mut(), &grads, 0.1);
    assert_eq!(first.params(), second.params());
    let mut policy_only = net(3);
    State::new().model("", &mut policy_only).load(&saved()).unwrap();
    assert_eq!(policy_only.params(), trained().0.params());
}

#[test]
fn the_same_state_gives_the_same_bytes_and_other_readers_understand_them() {
    assert_eq!(saved(), saved());
    let bytes = saved();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("2.weight").unwrap().shape(), [2, 5]);
    assert_eq!(file.len(), 4 + 3);
}

#[test]
fn buffers_belong_to_the_state() {
    let layer = || Sequential::new().then(Linear::new(2, 3)).then(BatchNorm::new(3));
    let mut net = Net::new(layer(), &mut rng(1));
    net.forward_train(&normals(8, 1), 4, &mut [0.0; 12]);
    let bytes = State::new().model("q", &mut net).to_bytes(&BTreeMap::new()).unwrap();
    let mut copy = Net::zeroed(layer());
    State::new().model("q", &mut copy).load(&bytes).unwrap();
    let (mut a, mut b) = ([0.0; 3], [0.0; 3]);
    net.forward(&[0.3, 0.4], 1, &mut a);
    copy.forward(&[0.3, 0.4], 1, &mut b);
    assert_eq!(a, b);
}

#[test]
fn an_optimizer_may_be_saved_before_its_first_step() {
    let (mut net, mut adam) = (net(1), Adam::default());
    let state = State::new().model("", &mut net).optimizer("adam", &mut adam);
    let bytes = state.to_bytes(&notes()).unwrap();
    let (mut net, mut adam) = trained();
    State::new().model("", &mut net).optimizer("adam", &mut adam).load(&bytes).unwrap();
    let mut lens = Vec::new();
    adam.visit_state(&mut |_, values| lens.push(values.len()));
    assert_eq!(lens, [1, 0, 0]);
}

/// Loads `bytes` into a fresh net and optimiser, which must fail and change nothing.
fn refused(bytes: &[u8]) -> StateError {
    let (mut model, mut adam) = (net(9), Adam::default());
    let error = State::new().model("", &mut model).optimizer("adam", &mut adam).load(bytes);
    assert_eq!(model.params(), net(9).params(), "the old state stays");
    adam.visit_state(&mut |_, values| assert!(values.iter().all(|v| *v == 0.0)));
    error.unwrap_err()
}

/// The saved file with one passage of its header replaced by another of the same length.
fn edited(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = saved();
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    bytes
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    assert!(matches!(refused(b"hello"), StateError::NotSafetensors { bytes: 5, .. }));
    let whole = saved();
    assert!(matches!(refused(&whole[..whole.len() - 4]), StateError::NotSafetensors { .. }));

    let error = refused(&edited("\"2.bias\"", "\"2.bios\""));
    assert!(matches!(&error, StateError::MissingTensor { tensor } if tensor == "2.bias"));
    assert_eq!(error.to_string(), "tensor 2.bias is missing");

    let error = refused(&edited("[5,3]", "[3,5]"));
    assert_eq!(error.to_string(), "tensor 0.weight has shape [3, 5], expected [5, 3]");

    let error = refused(&edited("adam.exp_avg_sq", "adam.exp_avg_sp"));
    assert_eq!(error.to_string(), "tensor adam.exp_avg_sq is missing");

    let error = refused(&edited("\"F32\"", "\"I32\""));
    assert!(matches!(error, StateError::WrongType { found, .. } if found == "I32"));

    let mut broken = saved();
    let end = broken.len();
    broken[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(matches!(refused(&broken), StateError::NotFinite { index: 31, .. }));
}

#[test]
fn a_diverged_network_is_not_written() {
    let mut net = net(1);
    net.params_mut()[16] = f32::INFINITY;
    let error = State::new().model("", &mut net).to_bytes(&notes()).unwrap_err();
    assert_eq!(error.to_string(), "tensor 0.bias has the value inf at index 1");
}

#[test]
fn two_parts_need_two_prefixes() {
    let (mut a, mut b) = (net(1), net(2));
    let error = State::new().model("q", &mut a).model("q", &mut b).to_bytes(&notes());
    let error = error.unwrap_err();
    assert!(matches!(error, StateError::DuplicateTensor { tensor } if tensor == "q.0.weight"));
}

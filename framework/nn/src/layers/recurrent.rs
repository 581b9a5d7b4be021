//! What recurrent layers share: two weight matrices and two biases over several gates.

use rand_core::Rng;

use crate::linear::add_rows;
use crate::product::{Lhs, Panels, product};
use crate::{Init, TensorSpec};

/// The batch of a time-major array of `rows` rows.
pub(super) fn time_major(rows: usize, steps: usize) -> usize {
    assert_eq!(rows % steps, 0, "rows are steps times the batch");
    rows / steps
}

/// Weights `[gates * hidden, inputs]` and `[gates * hidden, hidden]` with a bias each, named as PyTorch does.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    pub(super) inputs: usize,
    pub(super) hidden: usize,
    gates: usize,
    input: Panels,
    state: Panels,
    input_back: Panels,
    state_back: Panels,
    back_ready: bool,
    samples: Panels,
}

impl Weights {
    pub(super) fn new(inputs: usize, hidden: usize, gates: usize) -> Self {
        Self {
            inputs,
            hidden,
            gates,
            input: Panels::default(),
            state: Panels::default(),
            input_back: Panels::default(),
            state_back: Panels::default(),
            back_ready: false,
            samples: Panels::default(),
        }
    }

    fn width(&self) -> usize {
        self.gates * self.hidden
    }

    pub(super) fn layout(&self) -> Vec<TensorSpec> {
        let width = self.width();
        let biases = width * (self.inputs + self.hidden);
        vec![
            TensorSpec::new("weight_ih_l0", &[width, self.inputs], 0),
            TensorSpec::new("weight_hh_l0", &[width, self.hidden], width * self.inputs),
            TensorSpec::new("bias_ih_l0", &[width], biases),
            TensorSpec::new("bias_hh_l0", &[width], biases + width),
        ]
    }

    pub(super) fn param_len(&self) -> usize {
        self.width() * (self.inputs + self.hidden + 2)
    }

    /// Everything uniform on `±1/sqrt(hidden)`, PyTorch's law.
    pub(super) fn init(&self, params: &mut [f32], rng: &mut dyn Rng) {
        Init::KaimingUniform.bias(params, self.hidden, rng);
    }

    /// The four tensors, in order.
    fn split<'a>(&self, params: &'a [f32]) -> [&'a [f32]; 4] {
        let (input, rest) = params.split_at(self.width() * self.inputs);
        let (state, rest) = rest.split_at(self.width() * self.hidden);
        let (input_bias, state_bias) = rest.split_at(self.width());
        [input, state, input_bias, state_bias]
    }

    pub(super) fn prepare(&mut self, params: &[f32]) {
        let [input, state, input_bias, state_bias] = self.split(params);
        let width = self.width();
        self.input.pack_transposed(input, Some(input_bias), self.inputs, width);
        self.state.pack_transposed(state, Some(state_bias), self.hidden, width);
        self.back_ready = false;
    }

    pub(super) fn prepare_back(&mut self, params: &[f32]) {
        if !self.back_ready {
            let [input, state, ..] = self.split(params);
            let width = self.width();
            self.input_back.pack(input, width, self.inputs);
            self.state_back.pack(state, width, self.hidden);
            self.back_ready = true;
        }
    }

    /// What the input gives the gates, with its bias.
    pub(super) fn perceive(&self, x: &[f32], rows: usize, gates: &mut [f32]) {
        product(Lhs::rows(x, rows, self.inputs), &self.input, false, gates);
    }

    /// What the last output gives the gates, with its bias.
    pub(super) fn recall(&self, hidden: &[f32], rows: usize, gates: &mut [f32]) {
        product(Lhs::rows(hidden, rows, self.hidden), &self.state, false, gates);
    }

    /// The cotangent of the last output from that of the gates.
    pub(super) fn to_hidden(&self, gates: Lhs<'_>, hidden: &mut [f32]) {
        product(gates, &self.state_back, false, hidden);
    }

    /// Adds all gradients, from the cotangents of what the input and the last output gave the gates.
    pub(super) fn gradients(
        &mut self,
        (x, from_input): (&[f32], &[f32]),
        (hidden, from_hidden): (&[f32], &[f32]),
        rows: usize,
        grad: &mut [f32],
        dx: Option<&mut [f32]>,
    ) {
        let width = self.width();
        let (input, rest) = grad.split_at_mut(width * self.inputs);
        let (state, rest) = rest.split_at_mut(width * self.hidden);
        let (input_bias, state_bias) = rest.split_at_mut(width);
        self.samples.pack(x, rows, self.inputs);
        product(Lhs::columns(from_input, width), &self.samples, true, input);
        self.samples.pack(hidden, rows, self.hidden);
        product(Lhs::columns(from_hidden, width), &self.samples, true, state);
        add_rows(from_input, input_bias);
        add_rows(from_hidden, state_bias);
        if let Some(dx) = dx {
            product(Lhs::rows(from_input, rows, width), &self.input_back, false, dx);
        }
    }
}

//! The gated recurrent unit.

use rand_core::Rng;

use super::recurrent::{Weights, time_major};
use crate::product::Lhs;
use crate::{Layer, TensorSpec, sigmoid, tanh};

/// A layer of gated recurrent units (Cho et al. 2014), in PyTorch's variant: gates in the order reset, update, new, and
/// the reset gate acts on the product with the last output, bias included.
///
/// Rows are time-major: `steps` times the batch, `[steps, batch, inputs]`. Each sequence starts from
/// [`start`](Self::start), zeros by default, and leaves its last output in [`last`](Self::last). Row stability holds for
/// whole sequences.
#[derive(Clone, Debug)]
pub struct Gru {
    weights: Weights,
    steps: usize,
    /// `[batch, hidden]`; empty means zeros.
    start: Vec<f32>,
    /// Outputs before each step and after the last, `[(steps + 1) * batch, hidden]`.
    outputs: Vec<f32>,
    /// Reset, update and new, after their non-linearities, `[steps * batch, 3 * hidden]`; in the backward pass the
    /// cotangents of what the input gave them.
    gates: Vec<f32>,
    /// What the last output gave the gates, likewise; in the backward pass its cotangents.
    recalled: Vec<f32>,
    d_output: Vec<f32>,
    d_kept: Vec<f32>,
    batch: usize,
}

impl Gru {
    /// From `inputs` to `hidden` numbers, one step at a time.
    pub fn new(inputs: usize, hidden: usize) -> Self {
        Self {
            weights: Weights::new(inputs, hidden, 3),
            steps: 1,
            start: Vec::new(),
            outputs: Vec::new(),
            gates: Vec::new(),
            recalled: Vec::new(),
            d_output: Vec::new(),
            d_kept: Vec::new(),
            batch: 0,
        }
    }

    /// How many steps a pass has; default 1.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Sets the output that the next passes start from, `[batch, hidden]`; empty means zeros. It counts as a
    /// constant: no gradient flows into it.
    pub fn start(&mut self, state: &[f32]) {
        self.start.clear();
        self.start.extend_from_slice(state);
    }

    /// The output of the last step of the last pass, `[batch, hidden]`.
    pub fn last(&self) -> &[f32] {
        &self.outputs[self.outputs.len() - self.batch * self.weights.hidden..]
    }

    /// Turns the cotangent of one step's output into those of its gates and, directly, of the output before.
    fn step_back(&mut self, step: usize, batch: usize) {
        let hidden = self.weights.hidden;
        for b in 0..batch {
            let row = step * batch + b;
            let gates = &mut self.gates[row * 3 * hidden..][..3 * hidden];
            let recalled = &mut self.recalled[row * 3 * hidden..][..3 * hidden];
            for j in 0..hidden {
                let [reset, update, new] = [0, 1, 2].map(|gate| gates[gate * hidden + j]);
                let before = self.outputs[row * hidden + j];
                let d_output = self.d_output[b * hidden + j];
                let d_new = d_output * (1.0 - update) * (1.0 - new * new);
                let d_update = d_output * (before - new) * update * (1.0 - update);
                let d_reset = d_new * recalled[2 * hidden + j] * reset * (1.0 - reset);
                self.d_kept[b * hidden + j] = d_output * update;
                (gates[j], recalled[j]) = (d_reset, d_reset);
                (gates[hidden + j], recalled[hidden + j]) = (d_update, d_update);
                (gates[2 * hidden + j], recalled[2 * hidden + j]) = (d_new, d_new * reset);
            }
        }
    }
}

impl Layer for Gru {
    fn inputs(&self) -> usize {
        self.weights.inputs
    }

    fn outputs(&self) -> usize {
        self.weights.hidden
    }

    fn layout(&self) -> Vec<TensorSpec> {
        self.weights.layout()
    }

    fn param_len(&self) -> usize {
        self.weights.param_len()
    }

    fn init(&self, params: &mut [f32], rng: &mut dyn Rng) {
        self.weights.init(params, rng);
    }

    fn prepare(&mut self, params: &[f32]) {
        self.weights.prepare(params);
    }

    fn forward(&mut self, _params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        let (hidden, batch) = (self.weights.hidden, time_major(rows, self.steps));
        self.batch = batch;
        self.outputs.resize((self.steps + 1) * batch * hidden, 0.0);
        self.gates.resize(rows * 3 * hidden, 0.0);
        self.recalled.resize(rows * 3 * hidden, 0.0);
        match self.start.len() {
            0 => self.outputs[..batch * hidden].fill(0.0),
            _ => self.outputs[..batch * hidden].copy_from_slice(&self.start),
        }
        self.weights.perceive(x, rows, &mut self.gates);
        for step in 0..self.steps {
            let (before, after) = self.outputs.split_at_mut((step + 1) * batch * hidden);
            let before = &before[step * batch * hidden..];
            let recalled = &mut self.recalled[step * batch * 3 * hidden..][..batch * 3 * hidden];
            self.weights.recall(before, batch, recalled);
            for b in 0..batch {
                let gates = &mut self.gates[(step * batch + b) * 3 * hidden..][..3 * hidden];
                let recalled = &recalled[b * 3 * hidden..][..3 * hidden];
                for j in 0..hidden {
                    let reset = sigmoid(gates[j] + recalled[j]);
                    let update = sigmoid(gates[hidden + j] + recalled[hidden + j]);
                    let new = tanh(gates[2 * hidden + j] + reset * recalled[2 * hidden + j]);
                    let old = before[b * hidden + j];
                    after[b * hidden + j] = (1.0 - update) * new + update * old;
                    gates[j] = reset;
                    gates[hidden + j] = update;
                    gates[2 * hidden + j] = new;
                }
            }
        }
        out.copy_from_slice(&self.outputs[batch * hidden..]);
    }

    fn vjp(
        &mut self,
        params: &[f32],
        x: &[f32],
        cotangent: &[f32],
        grad: &mut [f32],
        dx: Option<&mut [f32]>,
    ) {
        let hidden = self.weights.hidden;
        let rows = cotangent.len() / hidden;
        let batch = time_major(rows, self.steps);
        self.weights.prepare_back(params);
        for d in [&mut self.d_output, &mut self.d_kept] {
            d.clear();
            d.resize(batch * hidden, 0.0);
        }
        for step in (0..self.steps).rev() {
            let own = &cotangent[step * batch * hidden..][..batch * hidden];
            self.d_output.iter_mut().zip(own).for_each(|(d, c)| *d += c);
            self.step_back(step, batch);
            let recalled = &self.recalled[step * batch * 3 * hidden..][..batch * 3 * hidden];
            self.weights.to_hidden(Lhs::rows(recalled, batch, 3 * hidden), &mut self.d_output);
            self.d_output.iter_mut().zip(&self.d_kept).for_each(|(d, kept)| *d += kept);
        }
        let before = &self.outputs[..rows * hidden];
        self.weights.gradients((x, &self.gates), (before, &self.recalled), rows, grad, dx);
    }
}

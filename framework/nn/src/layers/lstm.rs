//! Long short-term memory.

use rand_core::Rng;

use super::recurrent::{Weights, time_major};
use crate::product::Lhs;
use crate::{Layer, TensorSpec, sigmoid, tanh};

/// A layer of long short-term memory (Hochreiter and Schmidhuber 1997); gates in PyTorch's order: input, forget,
/// cell, output.
///
/// Rows are time-major: `steps` times the batch, `[steps, batch, inputs]`. Each sequence starts from
/// [`start`](Self::start), zeros by default, and leaves its last state in [`last`](Self::last). Row stability holds for
/// whole sequences.
#[derive(Clone, Debug)]
pub struct Lstm {
    weights: Weights,
    steps: usize,
    /// `[batch, 2 * hidden]`, the output then the cell; empty means zeros.
    start: Vec<f32>,
    last: Vec<f32>,
    /// After their non-linearities, `[steps * batch, 4 * hidden]`; in the backward pass their cotangents.
    gates: Vec<f32>,
    /// Cells before each step and after the last, `[(steps + 1) * batch, hidden]`.
    cells: Vec<f32>,
    /// Outputs, likewise.
    outputs: Vec<f32>,
    recalled: Vec<f32>,
    d_output: Vec<f32>,
    d_cell: Vec<f32>,
}

impl Lstm {
    /// From `inputs` to `hidden` numbers, one step at a time.
    pub fn new(inputs: usize, hidden: usize) -> Self {
        Self {
            weights: Weights::new(inputs, hidden, 4),
            steps: 1,
            start: Vec::new(),
            last: Vec::new(),
            gates: Vec::new(),
            cells: Vec::new(),
            outputs: Vec::new(),
            recalled: Vec::new(),
            d_output: Vec::new(),
            d_cell: Vec::new(),
        }
    }

    /// How many steps a pass has; default 1.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Sets the state that the next passes start from, `[batch, 2 * hidden]` (output, then cell); empty means zeros.
    /// It counts as a constant: no gradient flows into it.
    pub fn start(&mut self, state: &[f32]) {
        self.start.clear();
        self.start.extend_from_slice(state);
    }

    /// The state after the last step of the last pass, `[batch, 2 * hidden]`.
    pub fn last(&self) -> &[f32] {
        &self.last
    }

    fn begin(&mut self, batch: usize) {
        let hidden = self.weights.hidden;
        self.cells.resize((self.steps + 1) * batch * hidden, 0.0);
        self.outputs.resize((self.steps + 1) * batch * hidden, 0.0);
        let (outputs, cells) = (self.outputs.chunks_mut(hidden), self.cells.chunks_mut(hidden));
        for (b, (output, cell)) in outputs.zip(cells).take(batch).enumerate() {
            if self.start.is_empty() {
                output.fill(0.0);
                cell.fill(0.0);
            } else {
                let state = &self.start[b * 2 * hidden..][..2 * hidden];
                output.copy_from_slice(&state[..hidden]);
                cell.copy_from_slice(&state[hidden..]);
            }
        }
    }

    fn finish(&mut self, batch: usize) {
        let hidden = self.weights.hidden;
        let end = self.steps * batch * hidden;
        self.last.resize(batch * 2 * hidden, 0.0);
        for (b, state) in self.last.chunks_exact_mut(2 * hidden).enumerate() {
            state[..hidden].copy_from_slice(&self.outputs[end + b * hidden..][..hidden]);
            state[hidden..].copy_from_slice(&self.cells[end + b * hidden..][..hidden]);
        }
    }

    /// Turns the cotangents of one step's output and next cell into those of its gates and previous cell.
    fn step_back(&mut self, step: usize, batch: usize) {
        let hidden = self.weights.hidden;
        for b in 0..batch {
            let row = step * batch + b;
            let gates = &mut self.gates[row * 4 * hidden..][..4 * hidden];
            for j in 0..hidden {
                let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates[gate * hidden + j]);
                let before = self.cells[row * hidden + j];
                let squashed = tanh(self.cells[(row + batch) * hidden + j]);
                let d_output = self.d_output[b * hidden + j];
                let d_cell =
                    self.d_cell[b * hidden + j] + d_output * o * (1.0 - squashed * squashed);
                gates[j] = d_cell * g * i * (1.0 - i);
                gates[hidden + j] = d_cell * before * f * (1.0 - f);
                gates[2 * hidden + j] = d_cell * i * (1.0 - g * g);
                gates[3 * hidden + j] = d_output * squashed * o * (1.0 - o);
                self.d_cell[b * hidden + j] = d_cell * f;
            }
        }
    }
}

impl Layer for Lstm {
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
        self.begin(batch);
        self.gates.resize(rows * 4 * hidden, 0.0);
        self.recalled.resize(batch * 4 * hidden, 0.0);
        self.weights.perceive(x, rows, &mut self.gates);
        for step in 0..self.steps {
            let (before, after) = self.outputs.split_at_mut((step + 1) * batch * hidden);
            let before = &before[step * batch * hidden..];
            self.weights.recall(before, batch, &mut self.recalled);
            for b in 0..batch {
                let row = step * batch + b;
                let gates = &mut self.gates[row * 4 * hidden..][..4 * hidden];
                gates.iter_mut().zip(&self.recalled[b * 4 * hidden..]).for_each(|(g, h)| *g += h);
                let (sigmoids, rest) = gates.split_at_mut(2 * hidden);
                let (cells, output) = rest.split_at_mut(hidden);
                sigmoids.iter_mut().chain(output).for_each(|g| *g = sigmoid(*g));
                cells.iter_mut().for_each(|g| *g = tanh(*g));
                for j in 0..hidden {
                    let kept = gates[hidden + j] * self.cells[row * hidden + j];
                    let cell = kept + gates[j] * gates[2 * hidden + j];
                    self.cells[(row + batch) * hidden + j] = cell;
                    after[b * hidden + j] = gates[3 * hidden + j] * tanh(cell);
                }
            }
        }
        out.copy_from_slice(&self.outputs[batch * hidden..]);
        self.finish(batch);
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
        for d in [&mut self.d_output, &mut self.d_cell] {
            d.clear();
            d.resize(batch * hidden, 0.0);
        }
        for step in (0..self.steps).rev() {
            let own = &cotangent[step * batch * hidden..][..batch * hidden];
            self.d_output.iter_mut().zip(own).for_each(|(d, c)| *d += c);
            self.step_back(step, batch);
            let gates = &self.gates[step * batch * 4 * hidden..][..batch * 4 * hidden];
            self.weights.to_hidden(Lhs::rows(gates, batch, 4 * hidden), &mut self.d_output);
        }
        let before = &self.outputs[..rows * hidden];
        self.weights.gradients((x, &self.gates), (before, &self.gates), rows, grad, dx);
    }
}

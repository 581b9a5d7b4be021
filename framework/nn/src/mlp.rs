//! The multilayer perceptron, the workhorse of reinforcement learning.

use rand_core::Rng;

use crate::buffer::room;
use crate::{Activation, Init, Layer, Linear, TensorSpec};

/// Rows that inference takes through all layers at once, so that they stay in the first cache.
const BLOCK_ROWS: usize = 48;

/// Linear layers with activations between them.
///
/// Its tensors are named as PyTorch names those of `Sequential(Linear, Tanh, Linear, ..)`: `0.weight`, `0.bias`,
/// `2.weight`, and so on.
///
/// # Examples
///
/// ```
/// use raytree_nn::{Activation, Mlp, Model, Net};
/// use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
///
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
/// let policy = Mlp::new(&[4, 64, 64, 2], Activation::Tanh).orthogonal(2_f32.sqrt(), 0.01);
/// let mut policy = Net::new(policy, &mut rng);
///
/// let observation = [0.1, -0.2, 0.3, 0.0];
/// let mut logits = [0.0; 2];
/// policy.forward(&observation, 1, &mut logits);
///
/// // A training step: the loss is `logits[0]`, so its cotangent is (1, 0).
/// let mut grad = vec![0.0; policy.params().len()];
/// policy.forward_train(&observation, 1, &mut logits);
/// policy.vjp(&observation, &[1.0, 0.0], &mut grad, None);
/// for (param, grad) in policy.params_mut().iter_mut().zip(&grad) {
///     *param -= 0.1 * grad;
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Mlp {
    linears: Vec<Linear>,
    activations: Vec<Activation>,
    /// What each layer but the last put out in the last training pass.
    outputs: Vec<Vec<f32>>,
    /// What entered each activation, where its derivative asks for that; the last layer's output where its does.
    inputs: Vec<Vec<f32>>,
    here: Vec<f32>,
    there: Vec<f32>,
}

impl Mlp {
    /// A network through layers of these `sizes` (inputs first, outputs last; at least two), with `activation` after
    /// every layer but the last.
    pub fn new(sizes: &[usize], activation: Activation) -> Self {
        assert!(sizes.len() >= 2, "a network has at least an input size and an output size");
        let linears: Vec<_> = sizes.windows(2).map(|pair| Linear::new(pair[0], pair[1])).collect();
        let mut activations = vec![activation; linears.len()];
        if let Some(last) = activations.last_mut() {
            *last = Activation::Identity;
        }
        let empty = vec![Vec::new(); linears.len()];
        Self {
            linears,
            activations,
            outputs: empty.clone(),
            inputs: empty,
            here: Vec::new(),
            there: Vec::new(),
        }
    }

    /// One activation per layer, the last one's for the output.
    #[must_use]
    pub fn activations(mut self, activations: &[Activation]) -> Self {
        assert_eq!(activations.len(), self.linears.len(), "one activation per layer");
        self.activations.copy_from_slice(activations);
        self
    }

    /// An activation on the output, which has none by default.
    #[must_use]
    pub fn output(mut self, activation: Activation) -> Self {
        if let Some(last) = self.activations.last_mut() {
            *last = activation;
        }
        self
    }

    /// Laws for the starting values of the hidden layers and of the last one.
    #[must_use]
    pub fn init(mut self, hidden: Init, head: Init) -> Self {
        let last = self.linears.len() - 1;
        self.linears = std::mem::take(&mut self.linears)
            .into_iter()
            .enumerate()
            .map(|(i, linear)| linear.init(if i == last { head } else { hidden }))
            .collect();
        self
    }

    /// Orthogonal starting values with these gains, biases zero: what policy gradient methods like.
    #[must_use]
    pub fn orthogonal(self, hidden_gain: f32, head_gain: f32) -> Self {
        self.init(Init::Orthogonal(hidden_gain), Init::Orthogonal(head_gain))
    }

    /// The layer sizes, inputs first.
    pub fn sizes(&self) -> Vec<usize> {
        let outputs = self.linears.iter().map(Layer::outputs);
        std::iter::once(Layer::inputs(self)).chain(outputs).collect()
    }

    fn widest(&self) -> usize {
        self.linears.iter().map(|l| l.inputs().max(l.outputs())).max().unwrap_or(0)
    }

    /// Takes at most [`BLOCK_ROWS`] rows through all layers.
    fn forward_block(&mut self, x: &[f32], rows: usize, out: &mut [f32]) {
        let last = self.linears.len() - 1;
        for (i, (linear, activation)) in self.linears.iter_mut().zip(&self.activations).enumerate()
        {
            let from = if i == 0 { x } else { &self.here[..rows * linear.inputs()] };
            if i == last {
                linear.forward(&[], from, rows, out);
                activation.apply(out);
            } else {
                let to = &mut self.there[..rows * linear.outputs()];
                linear.forward(&[], from, rows, to);
                activation.apply(to);
                std::mem::swap(&mut self.here, &mut self.there);
            }
        }
    }
}

impl Layer for Mlp {
    fn inputs(&self) -> usize {
        self.linears.first().map_or(0, Layer::inputs)
    }

    fn outputs(&self) -> usize {
        self.linears.last().map_or(0, Layer::outputs)
    }

    fn layout(&self) -> Vec<TensorSpec> {
        let mut base = 0;
        let mut specs = Vec::new();
        for (i, linear) in self.linears.iter().enumerate() {
            let prefix = (2 * i).to_string();
            specs.extend(linear.layout().into_iter().map(|spec| spec.nested(&prefix, base)));
            base += linear.param_len();
        }
        specs
    }

    fn param_len(&self) -> usize {
        self.linears.iter().map(Layer::param_len).sum()
    }

    fn init(&self, mut params: &mut [f32], rng: &mut dyn Rng) {
        for linear in &self.linears {
            let (own, rest) = params.split_at_mut(linear.param_len());
            Layer::init(linear, own, rng);
            params = rest;
        }
    }

    fn prepare(&mut self, mut params: &[f32]) {
        for linear in &mut self.linears {
            let (own, rest) = params.split_at(linear.param_len());
            linear.prepare(own);
            params = rest;
        }
    }

    fn forward(&mut self, _params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        let widest = self.widest() * BLOCK_ROWS.min(rows);
        room(&mut self.here, widest);
        room(&mut self.there, widest);
        let (inputs, outputs) = (Layer::inputs(self), self.outputs());
        let blocks = x.chunks(BLOCK_ROWS * inputs).zip(out.chunks_mut(BLOCK_ROWS * outputs));
        for (x, out) in blocks {
            self.forward_block(x, x.len() / inputs, out);
        }
    }

    fn forward_train(&mut self, _params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        let last = self.linears.len() - 1;
        for (i, linear) in self.linears.iter_mut().enumerate() {
            let numbers = rows * linear.outputs();
            let (done, rest) = self.outputs.split_at_mut(i);
            let (from, kept) = (done.last().map_or(x, Vec::as_slice), &mut rest[0]);
            let activation = self.activations[i];
            kept.resize(numbers, 0.0);
            linear.forward(&[], from, rows, kept);
            if !activation.invertible() {
                self.inputs[i].resize(numbers, 0.0);
                self.inputs[i].copy_from_slice(kept);
            }
            activation.apply(kept);
            if i == last {
                out.copy_from_slice(kept);
            }
        }
    }

    fn vjp(
        &mut self,
        params: &[f32],
        x: &[f32],
        cotangent: &[f32],
        grad: &mut [f32],
        mut dx: Option<&mut [f32]>,
    ) {
        let rows = cotangent.len() / self.outputs();
        let widest = self.widest() * rows;
        room(&mut self.here, widest);
        room(&mut self.there, widest);
        self.here[..cotangent.len()].copy_from_slice(cotangent);
        let mut end = params.len();
        for (i, linear) in self.linears.iter_mut().enumerate().rev() {
            let start = end - linear.param_len();
            let (own, own_grad) = (&params[start..end], &mut grad[start..end]);
            end = start;
            let cotangent = &mut self.here[..rows * linear.outputs()];
            self.activations[i].pull_back(&self.inputs[i], &self.outputs[i], cotangent);
            if i == 0 {
                linear.vjp(own, x, cotangent, own_grad, dx.take());
            } else {
                let to = &mut self.there[..rows * linear.inputs()];
                linear.vjp(own, &self.outputs[i - 1], cotangent, own_grad, Some(to));
                std::mem::swap(&mut self.here, &mut self.there);
            }
        }
    }
}

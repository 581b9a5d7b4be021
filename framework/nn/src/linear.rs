//! The fully connected layer.

use pulp::Arch;
use rand_core::Rng;

use crate::product::{Lhs, Panels, product};
use crate::{Init, Layer, TensorSpec};

/// `out = x · weightᵀ + bias`, with `weight` of shape `[outputs, inputs]`.
#[derive(Clone, Debug)]
pub struct Linear {
    inputs: usize,
    outputs: usize,
    init: Init,
    forward: Panels,
    backward: Panels,
    backward_ready: bool,
    samples: Panels,
}

impl Linear {
    /// A layer from `inputs` to `outputs` numbers, with PyTorch's default starting values.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            init: Init::default(),
            forward: Panels::default(),
            backward: Panels::default(),
            backward_ready: false,
            samples: Panels::default(),
        }
    }

    /// Another law for the starting values.
    #[must_use]
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    pub(crate) fn split<'a>(&self, params: &'a [f32]) -> (&'a [f32], &'a [f32]) {
        params.split_at(self.inputs * self.outputs)
    }
}

impl Layer for Linear {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn layout(&self) -> Vec<TensorSpec> {
        let weights = self.inputs * self.outputs;
        vec![
            TensorSpec::new("weight", &[self.outputs, self.inputs], 0),
            TensorSpec::new("bias", &[self.outputs], weights),
        ]
    }

    fn param_len(&self) -> usize {
        (self.inputs + 1) * self.outputs
    }

    fn init(&self, params: &mut [f32], rng: &mut dyn Rng) {
        let (weight, bias) = params.split_at_mut(self.inputs * self.outputs);
        self.init.weights(weight, self.outputs, self.inputs, rng);
        self.init.bias(bias, self.inputs, rng);
    }

    fn prepare(&mut self, params: &[f32]) {
        let (weight, bias) = self.split(params);
        self.forward.pack_transposed(weight, Some(bias), self.inputs, self.outputs);
        self.backward_ready = false;
    }

    fn forward(&mut self, _params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        product(Lhs::rows(x, rows, self.inputs), &self.forward, false, out);
    }

    fn vjp(
        &mut self,
        params: &[f32],
        x: &[f32],
        cotangent: &[f32],
        grad: &mut [f32],
        dx: Option<&mut [f32]>,
    ) {
        let rows = cotangent.len() / self.outputs;
        let (weight_grad, bias_grad) = grad.split_at_mut(self.inputs * self.outputs);
        add_rows(cotangent, bias_grad);
        self.samples.pack(x, rows, self.inputs);
        product(Lhs::columns(cotangent, self.outputs), &self.samples, true, weight_grad);
        if let Some(dx) = dx {
            if !self.backward_ready {
                let (weight, _) = self.split(params);
                self.backward.pack(weight, self.outputs, self.inputs);
                self.backward_ready = true;
            }
            product(Lhs::rows(cotangent, rows, self.outputs), &self.backward, false, dx);
        }
    }
}

/// Adds each row of `rows` to `sum`, first row first.
pub(crate) fn add_rows(rows: &[f32], sum: &mut [f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for row in rows.chunks_exact(sum.len()) {
                sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
        },
    );
}

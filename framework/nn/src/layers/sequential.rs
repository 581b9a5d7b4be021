//! One layer after another.

use rand_core::Rng;

use crate::{Layer, TensorSpec};

/// Layers in a row, each fed by the one before. Tensors are named by their layer's number: `0.weight`, `2.bias`.
///
/// # Examples
///
/// ```
/// use raytree_nn::{Act, Activation, Conv2d, Linear, Sequential, Layer};
///
/// let conv = Conv2d::new([3, 8, 8], 16, 3).stride(2);
/// let features = conv.outputs();
/// let net = Sequential::new()
///     .then(conv)
///     .then(Act::new(Activation::Relu, features))
///     .then(Linear::new(features, 10));
/// assert_eq!((net.inputs(), net.outputs()), (192, 10));
/// assert_eq!(net.layout()[2].name, "2.weight");
/// ```
#[derive(Debug, Default)]
pub struct Sequential {
    layers: Vec<Box<dyn Layer>>,
    /// Parameters before each layer, and before the end.
    bases: Vec<usize>,
    /// What each layer but the last put out in the last training pass.
    outputs: Vec<Vec<f32>>,
    here: Vec<f32>,
    there: Vec<f32>,
}

impl Sequential {
    /// No layers yet. At least one must follow.
    pub fn new() -> Self {
        Self { bases: vec![0], ..Self::default() }
    }

    /// Appends a layer whose inputs are the last one's outputs.
    #[must_use]
    pub fn then(mut self, layer: impl Layer + 'static) -> Self {
        if let Some(last) = self.layers.last() {
            assert_eq!(last.outputs(), layer.inputs(), "a layer fits the one before");
        }
        self.bases.push(self.param_len() + layer.param_len());
        self.layers.push(Box::new(layer));
        self.outputs.push(Vec::new());
        self
    }

    fn own(&self, i: usize) -> std::ops::Range<usize> {
        self.bases[i]..self.bases[i + 1]
    }
}

impl Layer for Sequential {
    fn inputs(&self) -> usize {
        self.layers.first().map_or(0, Layer::inputs)
    }

    fn outputs(&self) -> usize {
        self.layers.last().map_or(0, Layer::outputs)
    }

    fn layout(&self) -> Vec<TensorSpec> {
        let layers = self.layers.iter().zip(&self.bases).enumerate();
        let nested = layers.map(|(i, (layer, base))| {
            let specs = layer.layout().into_iter();
            specs.map(move |spec| spec.nested(&i.to_string(), *base))
        });
        nested.flatten().collect()
    }

    fn param_len(&self) -> usize {
        self.bases.last().copied().unwrap_or(0)
    }

    fn init(&self, params: &mut [f32], rng: &mut dyn Rng) {
        for (i, layer) in self.layers.iter().enumerate() {
            layer.init(&mut params[self.own(i)], rng);
        }
    }

    fn prepare(&mut self, params: &[f32]) {
        for (layer, own) in self.layers.iter_mut().zip(self.bases.windows(2)) {
            layer.prepare(&params[own[0]..own[1]]);
        }
    }

    fn forward(&mut self, params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        let last = self.layers.len().saturating_sub(1);
        for i in 0..self.layers.len() {
            let own = &params[self.own(i)];
            let layer = &mut self.layers[i];
            let from = if i == 0 { x } else { &self.here[..] };
            if i == last {
                layer.forward(own, from, rows, out);
            } else {
                self.there.resize(rows * layer.outputs(), 0.0);
                layer.forward(own, from, rows, &mut self.there);
                std::mem::swap(&mut self.here, &mut self.there);
            }
        }
    }

    fn forward_train(&mut self, params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        let last = self.layers.len().saturating_sub(1);
        for i in 0..self.layers.len() {
            let own = &params[self.own(i)];
            let layer = &mut self.layers[i];
            let (done, rest) = self.outputs.split_at_mut(i);
            let from = done.last().map_or(x, Vec::as_slice);
            if i == last {
                layer.forward_train(own, from, rows, out);
            } else {
                rest[0].resize(rows * layer.outputs(), 0.0);
                layer.forward_train(own, from, rows, &mut rest[0]);
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
        self.here.resize(cotangent.len(), 0.0);
        self.here.copy_from_slice(cotangent);
        for i in (0..self.layers.len()).rev() {
            let own = self.own(i);
            let (own, own_grad) = (&params[own.clone()], &mut grad[own]);
            let layer = &mut self.layers[i];
            if i == 0 {
                layer.vjp(own, x, &self.here, own_grad, dx.take());
            } else {
                let from = &self.outputs[i - 1];
                self.there.resize(from.len(), 0.0);
                layer.vjp(own, from, &self.here, own_grad, Some(&mut self.there));
                std::mem::swap(&mut self.here, &mut self.there);
            }
        }
    }

    fn visit_buffers(&mut self, visit: &mut dyn FnMut(&str, &mut [f32])) {
        for (i, layer) in self.layers.iter_mut().enumerate() {
            layer.visit_buffers(&mut |name, values| visit(&format!("{i}.{name}"), values));
        }
    }
}

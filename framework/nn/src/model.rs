//! What a learner sees of a network: [`Model`]; and what a network is made of: [`Layer`] and [`Net`].
//!
//! All arrays are flat row-major `f32` slices. A *row* is one sample. Nothing here names a device: a model whose
//! products run elsewhere implements the same traits.

use std::fmt;

use rand_core::Rng;

/// Where one named tensor lies inside a model's flat parameter vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Dotted path, as PyTorch would name it: `0.weight`, `policy.2.bias`.
    pub name: String,
    /// Row-major shape; a linear weight is `[outputs, inputs]`.
    pub shape: Vec<usize>,
    /// Index of the first number.
    pub offset: usize,
}

impl TensorSpec {
    /// A tensor that starts at `offset`.
    pub fn new(name: impl Into<String>, shape: &[usize], offset: usize) -> Self {
        Self { name: name.into(), shape: shape.to_vec(), offset }
    }

    /// How many numbers the tensor has.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the tensor has no numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same tensor inside a larger vector and a larger name: `prefix.name`, `base` numbers further on.
    #[must_use]
    pub fn nested(mut self, prefix: &str, base: usize) -> Self {
        if !prefix.is_empty() {
            self.name = format!("{prefix}.{}", self.name);
        }
        self.offset += base;
        self
    }
}

/// A differentiable map from rows of [`inputs`](Self::inputs) to rows of [`outputs`](Self::outputs) numbers, with one
/// flat parameter vector. Everything a learner asks of a network.
///
/// Most networks come from [`Net`], which makes a model of any [`Layer`]; implement `Model` itself to bring a network
/// from another framework.
///
/// Slices have exactly the length that `rows` implies; anything else is a bug of the caller and may panic.
pub trait Model: fmt::Debug + Send {
    /// Numbers per input row.
    fn inputs(&self) -> usize;

    /// Numbers per output row.
    fn outputs(&self) -> usize;

    /// All parameters, in the order of [`layout`](Self::layout).
    fn params(&self) -> &[f32];

    /// All parameters, to be changed: the model takes it that they were.
    fn params_mut(&mut self) -> &mut [f32];

    /// The named tensors inside the flat vector, in order, without gaps.
    fn layout(&self) -> Vec<TensorSpec>;

    /// Inference. Keeps nothing, and is *row-stable*: the bits of an output row depend on its input row and the
    /// parameters only, not on how many rows are asked for at once or on its place among them.
    fn forward(&mut self, x: &[f32], rows: usize, out: &mut [f32]);

    /// Like [`forward`](Self::forward), and keeps what [`vjp`](Self::vjp) needs. Deterministic.
    fn forward_train(&mut self, x: &[f32], rows: usize, out: &mut [f32]);

    /// Vector-Jacobian product at the rows of the last [`forward_train`](Self::forward_train) (`x` is the same):
    /// **adds** the gradient of `sum(out * cotangent)` with respect to the parameters to `grad`, and **writes** the
    /// one with respect to `x` to `dx`, if asked.
    fn vjp(&mut self, x: &[f32], cotangent: &[f32], grad: &mut [f32], dx: Option<&mut [f32]>);

    /// Shows every tensor that belongs to the state but is not trained by gradients (running statistics).
    fn visit_buffers(&mut self, _visit: &mut dyn FnMut(&str, &mut [f32])) {}
}

/// A piece of a network: like [`Model`], but the parameters are handed in, so that pieces can be put together over
/// one flat vector ([`Sequential`](crate::Sequential), [`Beside`](crate::Beside), [`WithFree`](crate::WithFree)).
///
/// The same rules hold as for [`Model`]: inference is row-stable, `grad` is added to, `dx` is written.
///
/// # Examples
///
/// A network of one's own: `out = a * x² + b`, per input.
///
/// ```
/// use raytree_nn::{Layer, Model, Net, Rng, TensorSpec};
///
/// #[derive(Debug)]
/// struct Square(usize);
///
/// impl Layer for Square {
///     fn inputs(&self) -> usize { self.0 }
///     fn outputs(&self) -> usize { self.0 }
///     fn layout(&self) -> Vec<TensorSpec> {
///         vec![TensorSpec::new("a", &[self.0], 0), TensorSpec::new("b", &[self.0], self.0)]
///     }
///     fn init(&self, params: &mut [f32], _rng: &mut dyn Rng) { params.fill(1.0) }
///     fn forward(&mut self, params: &[f32], x: &[f32], _rows: usize, out: &mut [f32]) {
///         let (a, b) = params.split_at(self.0);
///         for (i, (out, x)) in out.iter_mut().zip(x).enumerate() {
///             *out = a[i % self.0] * x * x + b[i % self.0];
///         }
///     }
///     fn vjp(&mut self, params: &[f32], x: &[f32], cotangent: &[f32], grad: &mut [f32], dx: Option<&mut [f32]>) {
///         for (i, (c, x)) in cotangent.iter().zip(x).enumerate() {
///             grad[i % self.0] += c * x * x;
///             grad[self.0 + i % self.0] += c;
///         }
///         for (i, dx) in dx.into_iter().flatten().enumerate() {
///             *dx = cotangent[i] * params[i % self.0] * 2.0 * x[i];
///         }
///     }
/// }
///
/// let mut net = Net::zeroed(Square(2));
/// net.params_mut().copy_from_slice(&[1.0, 2.0, 0.0, 0.5]);
/// let mut out = [0.0; 2];
/// net.forward(&[3.0, 4.0], 1, &mut out);
/// assert_eq!(out, [9.0, 32.5]);
/// ```
pub trait Layer: fmt::Debug + Send {
    /// Numbers per input row.
    fn inputs(&self) -> usize;

    /// Numbers per output row.
    fn outputs(&self) -> usize;

    /// The named tensors of the layer's parameters, in order, without gaps.
    fn layout(&self) -> Vec<TensorSpec> {
        Vec::new()
    }

    /// How many parameters there are.
    fn param_len(&self) -> usize {
        self.layout().iter().map(TensorSpec::len).sum()
    }

    /// Writes starting values to all of `params`; the same `rng` gives the same values.
    fn init(&self, _params: &mut [f32], _rng: &mut dyn Rng) {}

    /// Called once before the first pass and again after each change of the parameters, to repack them, say.
    fn prepare(&mut self, _params: &[f32]) {}

    /// See [`Model::forward`].
    fn forward(&mut self, params: &[f32], x: &[f32], rows: usize, out: &mut [f32]);

    /// See [`Model::forward_train`]. By default [`forward`](Self::forward), for layers that need nothing kept.
    fn forward_train(&mut self, params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        self.forward(params, x, rows, out);
    }

    /// See [`Model::vjp`].
    fn vjp(
        &mut self,
        params: &[f32],
        x: &[f32],
        cotangent: &[f32],
        grad: &mut [f32],
        dx: Option<&mut [f32]>,
    );

    /// See [`Model::visit_buffers`].
    fn visit_buffers(&mut self, _visit: &mut dyn FnMut(&str, &mut [f32])) {}
}

impl<L: Layer + ?Sized> Layer for Box<L> {
    fn inputs(&self) -> usize {
        (**self).inputs()
    }

    fn outputs(&self) -> usize {
        (**self).outputs()
    }

    fn layout(&self) -> Vec<TensorSpec> {
        (**self).layout()
    }

    fn param_len(&self) -> usize {
        (**self).param_len()
    }

    fn init(&self, params: &mut [f32], rng: &mut dyn Rng) {
        (**self).init(params, rng);
    }

    fn prepare(&mut self, params: &[f32]) {
        (**self).prepare(params);
    }

    fn forward(&mut self, params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        (**self).forward(params, x, rows, out);
    }

    fn forward_train(&mut self, params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        (**self).forward_train(params, x, rows, out);
    }

    fn vjp(
        &mut self,
        params: &[f32],
        x: &[f32],
        cotangent: &[f32],
        grad: &mut [f32],
        dx: Option<&mut [f32]>,
    ) {
        (**self).vjp(params, x, cotangent, grad, dx);
    }

    fn visit_buffers(&mut self, visit: &mut dyn FnMut(&str, &mut [f32])) {
        (**self).visit_buffers(visit);
    }
}

/// A [`Layer`] together with its parameters: a [`Model`].
#[derive(Clone, Debug)]
pub struct Net<L> {
    layer: L,
    params: Vec<f32>,
    prepared: bool,
}

impl<L: Layer> Net<L> {
    /// A network whose parameters are drawn by the layer's initialisers.
    pub fn new(layer: L, rng: &mut dyn Rng) -> Self {
        let mut net = Self::zeroed(layer);
        net.layer.init(&mut net.params, rng);
        net
    }

    /// A network whose parameters are all zero, to be filled from a file, say.
    pub fn zeroed(layer: L) -> Self {
        let params = vec![0.0; layer.param_len()];
        Self { layer, params, prepared: false }
    }

    /// The layer inside.
    pub fn layer(&self) -> &L {
        &self.layer
    }

    /// The layer inside, to change its settings.
    pub fn layer_mut(&mut self) -> &mut L {
        self.prepared = false;
        &mut self.layer
    }

    fn prepare(&mut self) {
        if !self.prepared {
            self.layer.prepare(&self.params);
            self.prepared = true;
        }
    }
}

impl<L: Layer> Model for Net<L> {
    fn inputs(&self) -> usize {
        self.layer.inputs()
    }

    fn outputs(&self) -> usize {
        self.layer.outputs()
    }

    fn params(&self) -> &[f32] {
        &self.params
    }

    fn params_mut(&mut self) -> &mut [f32] {
        self.prepared = false;
        &mut self.params
    }

    fn layout(&self) -> Vec<TensorSpec> {
        self.layer.layout()
    }

    fn forward(&mut self, x: &[f32], rows: usize, out: &mut [f32]) {
        self.prepare();
        self.layer.forward(&self.params, x, rows, out);
    }

    fn forward_train(&mut self, x: &[f32], rows: usize, out: &mut [f32]) {
        self.prepare();
        self.layer.forward_train(&self.params, x, rows, out);
    }

    fn vjp(&mut self, x: &[f32], cotangent: &[f32], grad: &mut [f32], dx: Option<&mut [f32]>) {
        self.prepare();
        self.layer.vjp(&self.params, x, cotangent, grad, dx);
    }

    fn visit_buffers(&mut self, visit: &mut dyn FnMut(&str, &mut [f32])) {
        self.layer.visit_buffers(visit);
    }
}

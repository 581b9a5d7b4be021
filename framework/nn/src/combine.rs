//! Larger networks from smaller ones, over one flat parameter vector.

use rand_core::Rng;

use crate::{Layer, TensorSpec};

/// Two networks side by side on the same input; an output row is the first one's followed by the second one's.
///
/// The usual actor-critic: a policy and a value network that share nothing but the optimiser.
///
/// # Examples
///
/// ```
/// use raytree_nn::{Activation, Beside, Mlp, Model, Net};
/// use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
///
/// let policy = Mlp::new(&[4, 64, 64, 2], Activation::Tanh).orthogonal(2_f32.sqrt(), 0.01);
/// let value = Mlp::new(&[4, 64, 64, 1], Activation::Tanh).orthogonal(2_f32.sqrt(), 1.0);
/// let both = Beside::new(("policy", policy), ("value", value));
/// let net = Net::new(both, &mut Xoshiro256PlusPlus::seed_from_u64(1));
/// assert_eq!(net.outputs(), 3);
/// assert_eq!(net.layout()[0].name, "policy.0.weight");
/// ```
#[derive(Clone, Debug)]
pub struct Beside<A, B> {
    names: [String; 2],
    first: A,
    second: B,
    /// One part's outputs or cotangents, and one part's `dx`.
    part: Vec<f32>,
    part_dx: Vec<f32>,
}

impl<A: Layer, B: Layer> Beside<A, B> {
    /// Puts two networks of equal input width side by side; their names prefix those of their tensors.
    pub fn new(first: (&str, A), second: (&str, B)) -> Self {
        assert_eq!(first.1.inputs(), second.1.inputs(), "both sides see the same input");
        Self {
            names: [first.0.to_owned(), second.0.to_owned()],
            first: first.1,
            second: second.1,
            part: Vec::new(),
            part_dx: Vec::new(),
        }
    }

    fn pass(&mut self, params: &[f32], x: &[f32], rows: usize, out: &mut [f32], train: bool) {
        let (own, rest) = params.split_at(self.first.param_len());
        let (a, b) = (self.first.outputs(), self.second.outputs());
        self.part.resize(rows * a, 0.0);
        run(&mut self.first, own, x, rows, &mut self.part, train);
        scatter(&self.part, a, out, a + b, 0);
        self.part.resize(rows * b, 0.0);
        run(&mut self.second, rest, x, rows, &mut self.part, train);
        scatter(&self.part, b, out, a + b, a);
    }
}

fn run<L: Layer>(
    layer: &mut L,
    params: &[f32],
    x: &[f32],
    rows: usize,
    out: &mut [f32],
    train: bool,
) {
    if train {
        layer.forward_train(params, x, rows, out);
    } else {
        layer.forward(params, x, rows, out);
    }
}

/// Copies rows of `width` into columns `at..at + width` of rows of `wide`.
fn scatter(from: &[f32], width: usize, to: &mut [f32], wide: usize, at: usize) {
    for (to, from) in to.chunks_exact_mut(wide).zip(from.chunks_exact(width)) {
        to[at..at + width].copy_from_slice(from);
    }
}

/// The reverse of [`scatter`].
fn gather(from: &[f32], wide: usize, at: usize, to: &mut [f32], width: usize) {
    for (to, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(wide)) {
        to.copy_from_slice(&from[at..at + width]);
    }
}

impl<A: Layer, B: Layer> Layer for Beside<A, B> {
    fn inputs(&self) -> usize {
        self.first.inputs()
    }

    fn outputs(&self) -> usize {
        self.first.outputs() + self.second.outputs()
    }

    fn layout(&self) -> Vec<TensorSpec> {
        let base = self.first.param_len();
        let first = self.first.layout().into_iter().map(|spec| spec.nested(&self.names[0], 0));
        let second = self.second.layout().into_iter().map(|spec| spec.nested(&self.names[1], base));
        first.chain(second).collect()
    }

    fn param_len(&self) -> usize {
        self.first.param_len() + self.second.param_len()
    }

    fn init(&self, params: &mut [f32], rng: &mut dyn Rng) {
        let (first, second) = params.split_at_mut(self.first.param_len());
        self.first.init(first, rng);
        self.second.init(second, rng);
    }

    fn prepare(&mut self, params: &[f32]) {
        let (first, second) = params.split_at(self.first.param_len());
        self.first.prepare(first);
        self.second.prepare(second);
    }

    fn forward(&mut self, params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        self.pass(params, x, rows, out, false);
    }

    fn forward_train(&mut self, params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        self.pass(params, x, rows, out, true);
    }

    fn vjp(
        &mut self,
        params: &[f32],
        x: &[f32],
        cotangent: &[f32],
        grad: &mut [f32],
        mut dx: Option<&mut [f32]>,
    ) {
        let (a, b) = (self.first.outputs(), self.second.outputs());
        let rows = cotangent.len() / (a + b);
        let (own, rest) = params.split_at(self.first.param_len());
        let (own_grad, rest_grad) = grad.split_at_mut(self.first.param_len());
        self.part.resize(rows * a, 0.0);
        gather(cotangent, a + b, 0, &mut self.part, a);
        self.first.vjp(own, x, &self.part, own_grad, dx.as_deref_mut());
        self.part.resize(rows * b, 0.0);
        gather(cotangent, a + b, a, &mut self.part, b);
        if let Some(dx) = dx {
            self.part_dx.resize(x.len(), 0.0);
            self.second.vjp(rest, x, &self.part, rest_grad, Some(&mut self.part_dx));
            dx.iter_mut().zip(&self.part_dx).for_each(|(dx, more)| *dx += more);
        } else {
            self.second.vjp(rest, x, &self.part, rest_grad, None);
        }
    }

    fn visit_buffers(&mut self, visit: &mut dyn FnMut(&str, &mut [f32])) {
        let [first, second] = &self.names;
        self.first.visit_buffers(&mut |name, values| visit(&format!("{first}.{name}"), values));
        self.second.visit_buffers(&mut |name, values| visit(&format!("{second}.{name}"), values));
    }
}

/// A network followed by free parameters: each output row ends with `count` numbers that do not depend on the input.
///
/// A Gaussian policy's state-independent `log_std`, for one.
#[derive(Clone, Debug)]
pub struct WithFree<L> {
    inner: L,
    name: String,
    count: usize,
    start: f32,
    part: Vec<f32>,
}

impl<L: Layer> WithFree<L> {
    /// Appends `count` free parameters, a tensor called `name`, that start at `start`.
    pub fn new(inner: L, name: &str, count: usize, start: f32) -> Self {
        Self { inner, name: name.to_owned(), count, start, part: Vec::new() }
    }

    fn pass(&mut self, params: &[f32], x: &[f32], rows: usize, out: &mut [f32], train: bool) {
        let (own, free) = params.split_at(self.inner.param_len());
        let width = self.inner.outputs();
        self.part.resize(rows * width, 0.0);
        run(&mut self.inner, own, x, rows, &mut self.part, train);
        scatter(&self.part, width, out, width + self.count, 0);
        for row in out.chunks_exact_mut(width + self.count) {
            row[width..].copy_from_slice(free);
        }
    }
}

impl<L: Layer> Layer for WithFree<L> {
    fn inputs(&self) -> usize {
        self.inner.inputs()
    }

    fn outputs(&self) -> usize {
        self.inner.outputs() + self.count
    }

    fn layout(&self) -> Vec<TensorSpec> {
        let mut specs = self.inner.layout();
        specs.push(TensorSpec::new(self.name.clone(), &[self.count], self.inner.param_len()));
        specs
    }

    fn param_len(&self) -> usize {
        self.inner.param_len() + self.count
    }

    fn init(&self, params: &mut [f32], rng: &mut dyn Rng) {
        let (own, free) = params.split_at_mut(self.inner.param_len());
        self.inner.init(own, rng);
        free.fill(self.start);
    }

    fn prepare(&mut self, params: &[f32]) {
        self.inner.prepare(&params[..self.inner.param_len()]);
    }

    fn forward(&mut self, params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        self.pass(params, x, rows, out, false);
    }

    fn forward_train(&mut self, params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        self.pass(params, x, rows, out, true);
    }

    fn vjp(
        &mut self,
        params: &[f32],
        x: &[f32],
        cotangent: &[f32],
        grad: &mut [f32],
        dx: Option<&mut [f32]>,
    ) {
        let width = self.inner.outputs();
        let wide = width + self.count;
        let (own_grad, free_grad) = grad.split_at_mut(self.inner.param_len());
        for row in cotangent.chunks_exact(wide) {
            free_grad.iter_mut().zip(&row[width..]).for_each(|(sum, value)| *sum += value);
        }
        self.part.resize(cotangent.len() / wide * width, 0.0);
        gather(cotangent, wide, 0, &mut self.part, width);
        let own = &params[..self.inner.param_len()];
        self.inner.vjp(own, x, &self.part, own_grad, dx);
    }

    fn visit_buffers(&mut self, visit: &mut dyn FnMut(&str, &mut [f32])) {
        self.inner.visit_buffers(visit);
    }
}

//! A table of vectors.

use rand_core::Rng;

use crate::{Layer, TensorSpec, init};

/// Row `id` of a table `[count, width]`; the input row is one number, the id.
#[derive(Clone, Debug)]
pub struct Embedding {
    count: usize,
    width: usize,
}

impl Embedding {
    /// A table of `count` vectors of `width` numbers, standard normal at first.
    pub fn new(count: usize, width: usize) -> Self {
        Self { count, width }
    }

    /// Where the vector of an id, given as a number, begins in the table.
    fn place(&self, id: f32) -> usize {
        debug_assert!(id >= 0.0 && id < self.count as f32, "an id is below the table's length");
        id as usize * self.width
    }
}

impl Layer for Embedding {
    fn inputs(&self) -> usize {
        1
    }

    fn outputs(&self) -> usize {
        self.width
    }

    fn layout(&self) -> Vec<TensorSpec> {
        vec![TensorSpec::new("weight", &[self.count, self.width], 0)]
    }

    fn param_len(&self) -> usize {
        self.count * self.width
    }

    fn init(&self, params: &mut [f32], rng: &mut dyn Rng) {
        init::normals(params, rng);
    }

    fn forward(&mut self, params: &[f32], x: &[f32], _rows: usize, out: &mut [f32]) {
        for (id, out) in x.iter().zip(out.chunks_exact_mut(self.width)) {
            out.copy_from_slice(&params[self.place(*id)..][..self.width]);
        }
    }

    fn vjp(
        &mut self,
        _params: &[f32],
        x: &[f32],
        cotangent: &[f32],
        grad: &mut [f32],
        dx: Option<&mut [f32]>,
    ) {
        for (id, cotangent) in x.iter().zip(cotangent.chunks_exact(self.width)) {
            let grad = &mut grad[self.place(*id)..][..self.width];
            grad.iter_mut().zip(cotangent).for_each(|(grad, c)| *grad += c);
        }
        if let Some(dx) = dx {
            dx.fill(0.0);
        }
    }
}

//! Probabilities from scores, as layers.

use crate::Layer;
use crate::dist::categorical;

/// `exp(x) / sum(exp(x))` over each row.
#[derive(Clone, Debug)]
pub struct Softmax {
    width: usize,
    probs: Vec<f32>,
}

impl Softmax {
    /// Over rows of `width` numbers.
    pub fn new(width: usize) -> Self {
        Self { width, probs: vec![0.0; width] }
    }
}

impl Layer for Softmax {
    fn inputs(&self) -> usize {
        self.width
    }

    fn outputs(&self) -> usize {
        self.width
    }

    fn forward(&mut self, _params: &[f32], x: &[f32], _rows: usize, out: &mut [f32]) {
        for (x, out) in x.chunks_exact(self.width).zip(out.chunks_exact_mut(self.width)) {
            categorical::probs(x, out);
        }
    }

    fn vjp(
        &mut self,
        _params: &[f32],
        x: &[f32],
        cotangent: &[f32],
        _grad: &mut [f32],
        dx: Option<&mut [f32]>,
    ) {
        let Some(dx) = dx else { return };
        let rows = x.chunks_exact(self.width).zip(cotangent.chunks_exact(self.width));
        for ((x, c), dx) in rows.zip(dx.chunks_exact_mut(self.width)) {
            categorical::probs(x, &mut self.probs);
            let mean: f32 = self.probs.iter().zip(c).map(|(p, c)| p * c).sum();
            for (i, dx) in dx.iter_mut().enumerate() {
                *dx = self.probs[i] * (c[i] - mean);
            }
        }
    }
}

/// The logarithm of [`Softmax`], without loss of precision.
#[derive(Clone, Debug)]
pub struct LogSoftmax {
    width: usize,
}

impl LogSoftmax {
    /// Over rows of `width` numbers.
    pub fn new(width: usize) -> Self {
        Self { width }
    }
}

impl Layer for LogSoftmax {
    fn inputs(&self) -> usize {
        self.width
    }

    fn outputs(&self) -> usize {
        self.width
    }

    fn forward(&mut self, _params: &[f32], x: &[f32], _rows: usize, out: &mut [f32]) {
        for (x, out) in x.chunks_exact(self.width).zip(out.chunks_exact_mut(self.width)) {
            categorical::log_probs(x, out);
        }
    }

    fn vjp(
        &mut self,
        _params: &[f32],
        x: &[f32],
        cotangent: &[f32],
        _grad: &mut [f32],
        dx: Option<&mut [f32]>,
    ) {
        let Some(dx) = dx else { return };
        let rows = x.chunks_exact(self.width).zip(cotangent.chunks_exact(self.width));
        for ((x, c), dx) in rows.zip(dx.chunks_exact_mut(self.width)) {
            categorical::probs(x, dx);
            let sum: f32 = c.iter().sum();
            dx.iter_mut().zip(c).for_each(|(dx, c)| *dx = c - *dx * sum);
        }
    }
}

//! The measuring floor: what a training step of a perceptron costs if only its matrix products are done.
//!
//! They are done by the `gemm` crate, not by this crate's own kernel, so that the floor is independent of what is
//! measured against it.

use crate::gemm::{Matrix, gemm};

/// The bare matrix products of one training step: per layer forward, weight gradient and, but for the first layer,
/// input gradient. No biases, activations, loss or optimiser.
///
/// # Examples
///
/// ```
/// let mut floor = raytree_nn::floor::BareProducts::new(&[4, 64, 64, 2], 128);
/// assert_eq!(floor.multiply_adds(), 128 * (2 * 4 * 64 + 3 * 64 * 64 + 3 * 64 * 2));
/// floor.step();
/// ```
#[derive(Clone, Debug)]
pub struct BareProducts {
    batch: usize,
    /// Inputs and outputs of each layer.
    layers: Vec<(usize, usize)>,
    weights: Vec<Vec<f32>>,
    grads: Vec<Vec<f32>>,
    /// Activations, inputs first, and their cotangents.
    rows: Vec<Vec<f32>>,
    cotangents: Vec<Vec<f32>>,
}

impl BareProducts {
    /// For a perceptron with these layer `sizes` and `batch` rows.
    pub fn new(sizes: &[usize], batch: usize) -> Self {
        let layers: Vec<_> = sizes.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let numbers = |len: usize| (0..len).map(|i| (i % 7) as f32 * 0.01 - 0.03).collect();
        let weights: Vec<Vec<f32>> = layers.iter().map(|(k, n)| numbers(k * n)).collect();
        let rows: Vec<Vec<f32>> = sizes.iter().map(|n| numbers(batch * n)).collect();
        Self { batch, layers, grads: weights.clone(), weights, cotangents: rows.clone(), rows }
    }

    /// Multiplications with addition in one [`step`](Self::step).
    pub fn multiply_adds(&self) -> usize {
        let products = |i: usize| if i == 0 { 2 } else { 3 };
        let layers = self.layers.iter().enumerate();
        layers.map(|(i, (k, n))| products(i) * self.batch * k * n).sum()
    }

    /// The forward products only.
    pub fn forward(&mut self) {
        for (i, (k, n)) in self.layers.iter().copied().enumerate() {
            let (done, rest) = self.rows.split_at_mut(i + 1);
            let x = Matrix::new(&done[i], self.batch, k);
            let weight = Matrix::new(&self.weights[i], n, k);
            gemm(x, weight.transposed(), false, &mut rest[0]);
        }
    }

    /// All products of a training step.
    pub fn step(&mut self) {
        self.forward();
        for (i, (k, n)) in self.layers.iter().copied().enumerate().rev() {
            let (before, after) = self.cotangents.split_at_mut(i + 1);
            let cotangent = Matrix::new(&after[0], self.batch, n);
            let x = Matrix::new(&self.rows[i], self.batch, k);
            gemm(cotangent.transposed(), x, false, &mut self.grads[i]);
            if i > 0 {
                gemm(cotangent, Matrix::new(&self.weights[i], n, k), false, &mut before[i]);
            }
        }
    }
}

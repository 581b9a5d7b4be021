//! Starting values for parameters. The same generator gives the same values.

use rand_core::Rng;
use serde::{Deserialize, Serialize};

/// A law for the starting values of a weight matrix `[outputs, inputs]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Init {
    /// PyTorch's default for linear and convolution layers: uniform on `±1/sqrt(inputs)`, weights and biases alike
    /// (Kaiming's uniform law with `a = sqrt(5)`).
    #[default]
    KaimingUniform,
    /// Orthonormal rows (or columns, whichever are fewer) times the gain; biases zero.
    /// Saxe et al. 2013, *Exact solutions to the nonlinear dynamics of learning in deep linear networks*.
    Orthogonal(f32),
    /// Every weight this value; biases zero.
    Constant(f32),
    /// Everything zero.
    Zeros,
}

impl Init {
    /// [`Orthogonal`](Self::Orthogonal) with the given gain; `sqrt(2)` is usual for hidden layers.
    pub fn orthogonal(gain: f32) -> Self {
        Self::Orthogonal(gain)
    }

    /// Fills a weight matrix of `outputs` rows by `inputs` columns.
    pub fn weights(self, weights: &mut [f32], outputs: usize, inputs: usize, rng: &mut dyn Rng) {
        match self {
            Self::KaimingUniform => uniform(weights, 1.0 / (inputs.max(1) as f32).sqrt(), rng),
            Self::Orthogonal(gain) => orthogonal(weights, outputs, inputs, gain, rng),
            Self::Constant(value) => weights.fill(value),
            Self::Zeros => weights.fill(0.0),
        }
    }

    /// Fills the bias that belongs to a weight matrix with `inputs` columns.
    pub fn bias(self, bias: &mut [f32], inputs: usize, rng: &mut dyn Rng) {
        match self {
            Self::KaimingUniform => uniform(bias, 1.0 / (inputs.max(1) as f32).sqrt(), rng),
            Self::Orthogonal(_) | Self::Constant(_) | Self::Zeros => bias.fill(0.0),
        }
    }
}

/// A uniform number in `[0, 1)` with 53 random bits.
pub fn unit(rng: &mut dyn Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Two independent standard normal numbers (Box and Muller 1958).
pub fn normal_pair(rng: &mut dyn Rng) -> (f64, f64) {
    let radius = (-2.0 * (1.0 - unit(rng)).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * unit(rng)).sin_cos();
    (radius * cos, radius * sin)
}

/// Fills `out` with independent standard normal numbers.
pub fn normals(out: &mut [f32], rng: &mut dyn Rng) {
    for pair in out.chunks_mut(2) {
        let (first, second) = normal_pair(rng);
        for (to, from) in pair.iter_mut().zip([first, second]) {
            *to = from as f32;
        }
    }
}

fn uniform(out: &mut [f32], bound: f32, rng: &mut dyn Rng) {
    for value in out {
        *value = (unit(rng) * 2.0 - 1.0) as f32 * bound;
    }
}

/// Gram-Schmidt, twice for accuracy, over vectors of normal numbers: their direction is uniform, so the result is
/// distributed like the orthogonal factor of a random matrix.
fn orthogonal(weights: &mut [f32], outputs: usize, inputs: usize, gain: f32, rng: &mut dyn Rng) {
    let (count, len) = (outputs.min(inputs), outputs.max(inputs));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut vector: Vec<f64> =
            (0..len.div_ceil(2)).flat_map(|_| <[f64; 2]>::from(normal_pair(rng))).collect();
        vector.truncate(len);
        for _ in 0..2 {
            for known in &basis {
                let along: f64 = known.iter().zip(&vector).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(known).for_each(|(v, k)| *v -= along * k);
            }
        }
        let norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm > 1e-6 {
            vector.iter_mut().for_each(|v| *v /= norm);
            basis.push(vector);
        }
    }
    for (i, weight) in weights.iter_mut().enumerate() {
        let (row, column) = (i / inputs, i % inputs);
        let value = if outputs <= inputs { basis[row][column] } else { basis[column][row] };
        *weight = value as f32 * gain;
    }
}

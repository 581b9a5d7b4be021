//! Normalisation over a row or over a batch. Variances are sums in double precision.

use rand_core::Rng;

use crate::{Layer, TensorSpec};

const EPS: f64 = 1e-5;

fn layout(width: usize) -> Vec<TensorSpec> {
    vec![TensorSpec::new("weight", &[width], 0), TensorSpec::new("bias", &[width], width)]
}

fn init(params: &mut [f32], width: usize) {
    let (weight, bias) = params.split_at_mut(width);
    weight.fill(1.0);
    bias.fill(0.0);
}

/// Mean and `1 / sqrt(variance + eps)` of some numbers, and their plain variance.
fn moments(values: impl Iterator<Item = f32> + Clone) -> (f64, f64, f64) {
    let (mut count, mut sum, mut square) = (0.0, 0.0, 0.0);
    for value in values.clone() {
        count += 1.0;
        sum += f64::from(value);
    }
    let mean = sum / count;
    for value in values {
        square += (f64::from(value) - mean).powi(2);
    }
    let variance = square / count;
    (mean, 1.0 / (variance + EPS).sqrt(), variance)
}

/// Each row shifted to mean 0 and scaled to variance 1, times `weight`, plus `bias` (Ba, Kiros and Hinton 2016).
#[derive(Clone, Debug)]
pub struct LayerNorm {
    width: usize,
}

impl LayerNorm {
    /// Over rows of `width` numbers; epsilon 1e-5.
    pub fn new(width: usize) -> Self {
        Self { width }
    }
}

impl Layer for LayerNorm {
    fn inputs(&self) -> usize {
        self.width
    }

    fn outputs(&self) -> usize {
        self.width
    }

    fn layout(&self) -> Vec<TensorSpec> {
        layout(self.width)
    }

    fn param_len(&self) -> usize {
        2 * self.width
    }

    fn init(&self, params: &mut [f32], _rng: &mut dyn Rng) {
        init(params, self.width);
    }

    fn forward(&mut self, params: &[f32], x: &[f32], _rows: usize, out: &mut [f32]) {
        let (weight, bias) = params.split_at(self.width);
        for (x, out) in x.chunks_exact(self.width).zip(out.chunks_exact_mut(self.width)) {
            let (mean, scale, _) = moments(x.iter().copied());
            for (i, out) in out.iter_mut().enumerate() {
                *out = ((f64::from(x[i]) - mean) * scale) as f32 * weight[i] + bias[i];
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
        let width = self.width;
        let (weight_grad, bias_grad) = grad.split_at_mut(width);
        let rows = x.chunks_exact(width).zip(cotangent.chunks_exact(width)).enumerate();
        for (row, (x, cotangent)) in rows {
            let (mean, scale, _) = moments(x.iter().copied());
            let unit = |i: usize| (f64::from(x[i]) - mean) * scale;
            let pulled = |i: usize| f64::from(cotangent[i] * params[i]);
            for (i, c) in cotangent.iter().enumerate() {
                weight_grad[i] += c * unit(i) as f32;
                bias_grad[i] += c;
            }
            if let Some(dx) = dx.as_deref_mut() {
                let mean_pulled = (0..width).map(pulled).sum::<f64>() / width as f64;
                let along = (0..width).map(|i| pulled(i) * unit(i)).sum::<f64>() / width as f64;
                for (i, dx) in dx[row * width..][..width].iter_mut().enumerate() {
                    *dx = (scale * (pulled(i) - mean_pulled - unit(i) * along)) as f32;
                }
            }
        }
    }
}

/// Each column shifted to mean 0 and scaled to variance 1 over the batch, times `weight`, plus `bias` (Ioffe and
/// Szegedy 2015).
///
/// Inference uses running statistics instead of the batch's; they are buffers, `running_mean` and `running_var`.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    width: usize,
    momentum: f32,
    mean: Vec<f32>,
    variance: Vec<f32>,
}

impl BatchNorm {
    /// Over rows of `width` numbers; epsilon 1e-5; a training pass moves the running statistics by a tenth.
    pub fn new(width: usize) -> Self {
        Self { width, momentum: 0.1, mean: vec![0.0; width], variance: vec![1.0; width] }
    }

    fn column<'a>(&self, x: &'a [f32], column: usize) -> impl Iterator<Item = f32> + Clone + 'a {
        x.iter().skip(column).step_by(self.width).copied()
    }
}

impl Layer for BatchNorm {
    fn inputs(&self) -> usize {
        self.width
    }

    fn outputs(&self) -> usize {
        self.width
    }

    fn layout(&self) -> Vec<TensorSpec> {
        layout(self.width)
    }

    fn param_len(&self) -> usize {
        2 * self.width
    }

    fn init(&self, params: &mut [f32], _rng: &mut dyn Rng) {
        init(params, self.width);
    }

    fn forward(&mut self, params: &[f32], x: &[f32], _rows: usize, out: &mut [f32]) {
        let (weight, bias) = params.split_at(self.width);
        for (x, out) in x.chunks_exact(self.width).zip(out.chunks_exact_mut(self.width)) {
            for (i, out) in out.iter_mut().enumerate() {
                let scale = 1.0 / (f64::from(self.variance[i]) + EPS).sqrt();
                *out = (x[i] - self.mean[i]) * scale as f32 * weight[i] + bias[i];
            }
        }
    }

    fn forward_train(&mut self, params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        let (weight, bias) = params.split_at(self.width);
        for column in 0..self.width {
            let (mean, scale, variance) = moments(self.column(x, column));
            let places = (column..x.len()).step_by(self.width);
            places.for_each(|at| {
                out[at] =
                    ((f64::from(x[at]) - mean) * scale) as f32 * weight[column] + bias[column];
            });
            let unbiased = variance * rows as f64 / rows.saturating_sub(1).max(1) as f64;
            self.mean[column] += self.momentum * (mean as f32 - self.mean[column]);
            self.variance[column] += self.momentum * (unbiased as f32 - self.variance[column]);
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
        let (weight_grad, bias_grad) = grad.split_at_mut(self.width);
        let rows = (x.len() / self.width) as f64;
        for column in 0..self.width {
            let (mean, scale, _) = moments(self.column(x, column));
            let unit = |at: usize| (f64::from(x[at]) - mean) * scale;
            let places = || (column..x.len()).step_by(self.width);
            let sum: f64 = places().map(|at| f64::from(cotangent[at])).sum();
            let along: f64 = places().map(|at| f64::from(cotangent[at]) * unit(at)).sum();
            weight_grad[column] += along as f32;
            bias_grad[column] += sum as f32;
            if let Some(dx) = dx.as_deref_mut() {
                let factor = scale * f64::from(params[column]);
                for at in places() {
                    let c = f64::from(cotangent[at]);
                    dx[at] = (factor * (c - sum / rows - unit(at) * along / rows)) as f32;
                }
            }
        }
    }

    fn visit_buffers(&mut self, visit: &mut dyn FnMut(&str, &mut [f32])) {
        visit("running_mean", &mut self.mean);
        visit("running_var", &mut self.variance);
    }
}

//! Element-wise activations: the function, its derivative, and a fast `tanh`.
//!
//! PyTorch's conventions and default constants (`ELU` alpha 1, `LeakyReLU` slope 0.01, `Softplus` beta 1).

use pulp::Arch;
use serde::{Deserialize, Serialize};

use crate::Layer;

/// An element-wise activation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Activation {
    /// `x`.
    #[default]
    Identity,
    /// Hyperbolic tangent, see [`tanh`].
    Tanh,
    /// `max(x, 0)`.
    Relu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x * Phi(x)`, with the error function.
    Gelu,
    /// The `tanh` approximation of [`Gelu`](Self::Gelu).
    GeluTanh,
    /// `x * sigmoid(x)`.
    Silu,
    /// `x`, or `exp(x) - 1` below zero.
    Elu,
    /// `x`, or `0.01 x` below zero.
    LeakyRelu,
    /// `ln(1 + exp(x))`.
    Softplus,
}

/// Slope of [`Activation::LeakyRelu`] below zero.
const LEAK: f32 = 0.01;
const SQRT_2_OVER_PI: f32 = 0.797_884_6;
const GELU_CUBIC: f32 = 0.044_715;

impl Activation {
    /// Replaces each number by its image.
    pub fn apply(self, values: &mut [f32]) {
        match self {
            Self::Identity => {}
            Self::Tanh => each(values, tanh),
            Self::Relu => each(values, |x| if x > 0.0 { x } else { 0.0 }),
            Self::Sigmoid => each(values, sigmoid),
            Self::Gelu => each(values, |x| x * normal_cdf(x)),
            Self::GeluTanh => each(values, |x| 0.5 * x * (1.0 + tanh(gelu_inner(x)))),
            Self::Silu => each(values, |x| x * sigmoid(x)),
            Self::Elu => each(values, |x| if x > 0.0 { x } else { x.exp_m1() }),
            Self::LeakyRelu => each(values, |x| if x > 0.0 { x } else { LEAK * x }),
            Self::Softplus => each(values, softplus),
        }
    }

    /// Whether the derivative can be told from the output alone; otherwise the input must be kept.
    pub fn invertible(self) -> bool {
        matches!(
            self,
            Self::Identity
                | Self::Tanh
                | Self::Relu
                | Self::Sigmoid
                | Self::Elu
                | Self::LeakyRelu
                | Self::Softplus
        )
    }

    /// Multiplies each of `cotangent` by the derivative at the element whose image was `output`, or, for an
    /// activation that is not [`invertible`](Self::invertible), whose pre-image was `input`.
    pub fn pull_back(self, input: &[f32], output: &[f32], cotangent: &mut [f32]) {
        match self {
            Self::Identity => {}
            Self::Tanh => pair(cotangent, output, |y| 1.0 - y * y),
            Self::Relu => pair(cotangent, output, |y| if y > 0.0 { 1.0 } else { 0.0 }),
            Self::Sigmoid => pair(cotangent, output, |y| y * (1.0 - y)),
            Self::Elu => pair(cotangent, output, |y| if y > 0.0 { 1.0 } else { 1.0 + y }),
            Self::LeakyRelu => pair(cotangent, output, |y| if y > 0.0 { 1.0 } else { LEAK }),
            Self::Softplus => pair(cotangent, output, |y| -(-y).exp_m1()),
            Self::Gelu => pair(cotangent, input, |x| normal_cdf(x) + x * normal_pdf(x)),
            Self::Silu => pair(cotangent, input, |x| {
                let s = sigmoid(x);
                s * (1.0 + x * (1.0 - s))
            }),
            Self::GeluTanh => pair(cotangent, input, |x| {
                let t = tanh(gelu_inner(x));
                let slope = SQRT_2_OVER_PI * (1.0 + 3.0 * GELU_CUBIC * x * x);
                0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope
            }),
        }
    }
}

/// `tanh` within a relative error of 3.5e-7 everywhere, by a ratio of two polynomials that vectorises.
///
/// The ratio (degrees 9 and 8) was fitted to the least greatest relative error on ±8.7, where it is off by 1.5e-8; the
/// rest is rounding. It never exceeds ±1. Not-a-number stays not-a-number.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let x = x.clamp(-8.7, 8.7);
    let s = x * x;
    let p = s * 1.389_656_9e-8 + 2.099_317_9e-5;
    let p = s * p + 3.518_709_4e-3;
    let p = s * p + 0.134_004_4;
    let p = s * p + 1.0;
    let q = s * 7.996_125_6e-7 + 3.323_587_6e-4;
    let q = s * q + 2.596_476_9e-2;
    let q = s * q + 0.467_337_6;
    let q = s * q + 1.0;
    (x * (p / q)).clamp(-1.0, 1.0)
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// `ln(1 + exp(x))`, without overflow.
#[inline]
pub fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[inline]
fn gelu_inner(x: f32) -> f32 {
    SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)
}

fn normal_pdf(x: f32) -> f32 {
    0.398_942_3 * (-0.5 * x * x).exp()
}

/// The normal distribution function, by the rational Chebyshev fit of Numerical Recipes' `erfcc`
/// (relative error below 1.2e-7), in double precision.
fn normal_cdf(x: f32) -> f32 {
    let z = (f64::from(x) * std::f64::consts::FRAC_1_SQRT_2).abs();
    let t = 1.0 / (1.0 + 0.5 * z);
    let poly = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let series = poly.iter().rev().fold(0.0, |sum, c| sum * t + c);
    let tail = 0.5 * t * (series - z * z).exp();
    (if x >= 0.0 { 1.0 - tail } else { tail }) as f32
}

#[inline(always)]
fn each(values: &mut [f32], f: impl Fn(f32) -> f32) {
    Arch::new().dispatch(
        #[inline(always)]
        || values.iter_mut().for_each(|v| *v = f(*v)),
    );
}

#[inline(always)]
fn pair(cotangent: &mut [f32], at: &[f32], slope: impl Fn(f32) -> f32) {
    Arch::new().dispatch(
        #[inline(always)]
        || cotangent.iter_mut().zip(at).for_each(|(c, v)| *c *= slope(*v)),
    );
}

/// An activation as a layer of its own, over rows of `width` numbers.
#[derive(Clone, Debug)]
pub struct Act {
    activation: Activation,
    width: usize,
}

impl Act {
    /// Applies `activation` to each of the `width` numbers of a row.
    pub fn new(activation: Activation, width: usize) -> Self {
        Self { activation, width }
    }
}

impl Layer for Act {
    fn inputs(&self) -> usize {
        self.width
    }

    fn outputs(&self) -> usize {
        self.width
    }

    fn forward(&mut self, _params: &[f32], x: &[f32], _rows: usize, out: &mut [f32]) {
        out.copy_from_slice(x);
        self.activation.apply(out);
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
        // The output is not kept: it is found again, in `dx`, and turned into the slope there.
        dx.copy_from_slice(x);
        self.activation.apply(dx);
        self.activation.slopes(x, dx);
        dx.iter_mut().zip(cotangent).for_each(|(dx, c)| *dx *= c);
    }
}

impl Activation {
    /// Replaces each image in `output` by the derivative there.
    fn slopes(self, input: &[f32], output: &mut [f32]) {
        const CHUNK: usize = 256;
        for (out, x) in output.chunks_mut(CHUNK).zip(input.chunks(CHUNK)) {
            let mut slope = [1.0; CHUNK];
            let slope = &mut slope[..out.len()];
            self.pull_back(x, out, slope);
            out.copy_from_slice(slope);
        }
    }
}

//! Convolution over images.

use rand_core::Rng;

use crate::product::{Lhs, Panels, product};
use crate::{Init, Layer, TensorSpec};

/// Two-dimensional convolution. A row is an image `[channels, height, width]`; the weight has the shape
/// `[outputs, channels, kernel, kernel]`.
///
/// Each image becomes a matrix of patches and one product (im2col).
#[derive(Clone, Debug)]
pub struct Conv2d {
    channels: usize,
    height: usize,
    width: usize,
    maps: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    init: Init,
    /// `[places, patch]` of one image.
    patches: Vec<f32>,
    panels: Panels,
    weights: Panels,
    weights_ready: bool,
}

impl Conv2d {
    /// From images of the given shape (`[channels, height, width]`) to `maps` channels, with a square `kernel`,
    /// stride 1 and no padding.
    pub fn new(image: [usize; 3], maps: usize, kernel: usize) -> Self {
        let [channels, height, width] = image;
        Self {
            channels,
            height,
            width,
            maps,
            kernel,
            stride: 1,
            padding: 0,
            init: Init::default(),
            patches: Vec::new(),
            panels: Panels::default(),
            weights: Panels::default(),
            weights_ready: false,
        }
    }

    /// Pixels from one place of the kernel to the next; default 1.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// Rows and columns of zeros around the image; default 0.
    #[must_use]
    pub fn padding(mut self, padding: usize) -> Self {
        self.padding = padding;
        self
    }

    /// Another law for the starting values.
    #[must_use]
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// The shape of an output row: `[maps, height, width]`.
    pub fn output_shape(&self) -> [usize; 3] {
        let side = |len: usize| (len + 2 * self.padding - self.kernel) / self.stride + 1;
        [self.maps, side(self.height), side(self.width)]
    }

    fn places(&self) -> usize {
        let [_, height, width] = self.output_shape();
        height * width
    }

    fn patch(&self) -> usize {
        self.channels * self.kernel * self.kernel
    }

    /// Calls `f(index into the patches, index into the image, length)` for each run of pixels that a line of a patch
    /// shares with the image.
    fn for_each_run(&self, mut f: impl FnMut(usize, usize, usize)) {
        let [_, out_height, out_width] = self.output_shape();
        let (k, patch, pad) = (self.kernel, self.patch(), self.padding);
        for oy in 0..out_height {
            // The kernel's rows and columns that lie on the image.
            let top = oy * self.stride;
            let rows = pad.saturating_sub(top)..k.min((self.height + pad).saturating_sub(top));
            for ox in 0..out_width {
                let left = ox * self.stride;
                let first = pad.saturating_sub(left);
                let len = k.min((self.width + pad).saturating_sub(left)).saturating_sub(first);
                if len == 0 {
                    continue;
                }
                let base = (oy * out_width + ox) * patch + first;
                for c in 0..self.channels {
                    for ky in rows.clone() {
                        let line = (c * self.height + top + ky - pad) * self.width;
                        f(base + (c * k + ky) * k, line + left + first - pad, len);
                    }
                }
            }
        }
    }

    fn cut(&mut self, image: &[f32]) {
        let mut patches = std::mem::take(&mut self.patches);
        patches.resize(self.places() * self.patch(), 0.0);
        if self.padding > 0 {
            patches.fill(0.0);
        }
        self.for_each_run(|to, from, len| {
            for (to, from) in patches[to..to + len].iter_mut().zip(&image[from..from + len]) {
                *to = *from;
            }
        });
        self.patches = patches;
    }
}

impl Layer for Conv2d {
    fn inputs(&self) -> usize {
        self.channels * self.height * self.width
    }

    fn outputs(&self) -> usize {
        self.maps * self.places()
    }

    fn layout(&self) -> Vec<TensorSpec> {
        let shape = [self.maps, self.channels, self.kernel, self.kernel];
        let weights = self.maps * self.patch();
        vec![TensorSpec::new("weight", &shape, 0), TensorSpec::new("bias", &[self.maps], weights)]
    }

    fn param_len(&self) -> usize {
        self.maps * (self.patch() + 1)
    }

    fn init(&self, params: &mut [f32], rng: &mut dyn Rng) {
        let (weight, bias) = params.split_at_mut(self.maps * self.patch());
        self.init.weights(weight, self.maps, self.patch(), rng);
        self.init.bias(bias, self.patch(), rng);
    }

    fn prepare(&mut self, _params: &[f32]) {
        self.weights_ready = false;
    }

    fn forward(&mut self, params: &[f32], x: &[f32], _rows: usize, out: &mut [f32]) {
        let (weight, bias) = params.split_at(self.maps * self.patch());
        let (places, patch) = (self.places(), self.patch());
        let images = x.chunks_exact(self.inputs()).zip(out.chunks_exact_mut(self.outputs()));
        for (image, out) in images {
            self.cut(image);
            self.panels.pack_transposed(&self.patches, None, patch, places);
            product(Lhs::rows(weight, self.maps, patch), &self.panels, false, out);
            for (map, bias) in out.chunks_exact_mut(places).zip(bias) {
                map.iter_mut().for_each(|value| *value += bias);
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
        let (places, patch, inputs) = (self.places(), self.patch(), self.inputs());
        let (weight_grad, bias_grad) = grad.split_at_mut(self.maps * patch);
        if dx.is_some() && !self.weights_ready {
            self.weights.pack(&params[..self.maps * patch], self.maps, patch);
            self.weights_ready = true;
        }
        let images = x.chunks_exact(inputs).zip(cotangent.chunks_exact(self.outputs()));
        for (i, (image, cotangent)) in images.enumerate() {
            for (sum, map) in bias_grad.iter_mut().zip(cotangent.chunks_exact(places)) {
                *sum += map.iter().sum::<f32>();
            }
            self.cut(image);
            self.panels.pack(&self.patches, places, patch);
            let lhs = Lhs::rows(cotangent, self.maps, places);
            product(lhs, &self.panels, true, weight_grad);
            if let Some(dx) = dx.as_deref_mut() {
                let lhs = Lhs::columns(cotangent, places);
                product(lhs, &self.weights, false, &mut self.patches);
                let dx = &mut dx[i * inputs..][..inputs];
                dx.fill(0.0);
                self.for_each_run(|from, to, len| {
                    let patch = &self.patches[from..from + len];
                    dx[to..to + len].iter_mut().zip(patch).for_each(|(dx, p)| *dx += p);
                });
            }
        }
    }
}

//! Pooling over images.

use crate::Layer;

/// The largest value of each `kernel` by `kernel` square; squares do not overlap, incomplete ones are left out. A row
/// is an image `[channels, height, width]`.
#[derive(Clone, Debug)]
pub struct MaxPool2d {
    channels: usize,
    height: usize,
    width: usize,
    kernel: usize,
}

impl MaxPool2d {
    /// Pools images of the given shape (`[channels, height, width]`).
    pub fn new(image: [usize; 3], kernel: usize) -> Self {
        let [channels, height, width] = image;
        Self { channels, height, width, kernel }
    }

    /// The shape of an output row: `[channels, height, width]`.
    pub fn output_shape(&self) -> [usize; 3] {
        [self.channels, self.height / self.kernel, self.width / self.kernel]
    }

    /// Calls `f(index into the output, index of the largest pixel of its square)` for one image.
    fn for_each_square(&self, image: &[f32], mut f: impl FnMut(usize, usize)) {
        let [channels, height, width] = self.output_shape();
        let mut place = 0;
        for c in 0..channels {
            for y in 0..height {
                let line = (c * self.height + y * self.kernel) * self.width;
                for corner in (line..).step_by(self.kernel).take(width) {
                    f(place, self.largest(image, corner));
                    place += 1;
                }
            }
        }
    }

    fn largest(&self, image: &[f32], corner: usize) -> usize {
        let mut best = corner;
        for line in (corner..).step_by(self.width).take(self.kernel) {
            for (at, value) in image[line..line + self.kernel].iter().enumerate() {
                if *value > image[best] {
                    best = line + at;
                }
            }
        }
        best
    }
}

impl Layer for MaxPool2d {
    fn inputs(&self) -> usize {
        self.channels * self.height * self.width
    }

    fn outputs(&self) -> usize {
        self.output_shape().iter().product()
    }

    fn forward(&mut self, _params: &[f32], x: &[f32], _rows: usize, out: &mut [f32]) {
        let images = x.chunks_exact(self.inputs()).zip(out.chunks_exact_mut(self.outputs()));
        for (image, out) in images {
            self.for_each_square(image, |place, best| out[place] = image[best]);
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
        dx.fill(0.0);
        let inputs = self.inputs();
        let images = x.chunks_exact(inputs).zip(cotangent.chunks_exact(self.outputs()));
        for ((image, cotangent), dx) in images.zip(dx.chunks_exact_mut(inputs)) {
            self.for_each_square(image, |place, best| dx[best] += cotangent[place]);
        }
    }
}

//! Small pictures of environments.

/// A picture: rows of red, green and blue bytes, top to bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

/// A colour: red, green, blue.
pub type Rgb = [u8; 3];

impl Frame {
    /// A picture of one colour.
    #[must_use]
    pub fn new(width: usize, height: usize, background: Rgb) -> Self {
        Self { width, height, rgb: background.repeat(width * height) }
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// `3 * width * height` bytes.
    #[must_use]
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The colour of a pixel; `None` outside.
    #[must_use]
    pub fn pixel(&self, x: usize, y: usize) -> Option<Rgb> {
        let at = 3 * (y * self.width + x);
        let inside = x < self.width && y < self.height;
        inside.then(|| [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]])
    }

    /// Fills the rectangle between two corners, in pixels; what lies outside is cut off.
    pub fn fill_rect(&mut self, left: f64, top: f64, right: f64, bottom: f64, color: Rgb) {
        self.fill_where([left, top, right, bottom], color, |x, y| {
            x >= left && x < right && y >= top && y < bottom
        });
    }

    /// Fills a disc.
    pub fn fill_disc(&mut self, center_x: f64, center_y: f64, radius: f64, color: Rgb) {
        let around = |at: f64| (at - radius, at + radius);
        let ((left, right), (top, bottom)) = (around(center_x), around(center_y));
        self.fill_where([left, top, right, bottom], color, |x, y| {
            (x - center_x).hypot(y - center_y) <= radius
        });
    }

    /// Draws a straight line with round ends, `width` pixels wide.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), width: f64, color: Rgb) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length2 = dx * dx + dy * dy;
        let reach = width / 2.0;
        let area = [
            from.0.min(to.0) - reach,
            from.1.min(to.1) - reach,
            from.0.max(to.0) + reach,
            from.1.max(to.1) + reach,
        ];
        self.fill_where(area, color, |x, y| {
            let along = ((x - from.0) * dx + (y - from.1) * dy) / length2.max(f64::MIN_POSITIVE);
            let along = along.clamp(0.0, 1.0);
            (x - from.0 - along * dx).hypot(y - from.1 - along * dy) <= reach
        });
    }

    /// Colours the pixels of `area` (left, top, right, bottom) whose centre is `inside`.
    fn fill_where(&mut self, area: [f64; 4], color: Rgb, inside: impl Fn(f64, f64) -> bool) {
        let clip = |at: f64, end: usize| at.clamp(0.0, end as f64) as usize;
        let [left, top, right, bottom] = area;
        for y in clip(top.floor(), self.height)..clip(bottom.ceil(), self.height) {
            for x in clip(left.floor(), self.width)..clip(right.ceil(), self.width) {
                if inside(x as f64 + 0.5, y as f64 + 0.5) {
                    let at = 3 * (y * self.width + x);
                    self.rgb[at..at + 3].copy_from_slice(&color);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_fill_about_their_area_and_are_cut_at_the_edge() {
        let mut frame = Frame::new(40, 30, [0; 3]);
        let count = |frame: &Frame| frame.rgb().chunks(3).filter(|rgb| rgb[0] == 9).count();
        frame.fill_rect(-5.0, -5.0, 10.0, 4.0, [9; 3]);
        assert_eq!(count(&frame), 40);
        let mut frame = Frame::new(40, 30, [0; 3]);
        frame.fill_disc(20.0, 15.0, 10.0, [9; 3]);
        assert!((300..330).contains(&count(&frame)), "{}", count(&frame));
        let mut frame = Frame::new(40, 30, [0; 3]);
        frame.line((5.0, 15.0), (35.0, 15.0), 2.0, [9; 3]);
        assert!((60..66).contains(&count(&frame)), "{}", count(&frame));
        frame.line((f64::NAN, 0.0), (1e9, -1e9), 3.0, [1; 3]);
        assert_eq!((frame.pixel(40, 0), frame.pixel(20, 15)), (None, Some([9; 3])));
    }
}

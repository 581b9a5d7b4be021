//! `curve.svg`: a learning curve that any browser shows.

use std::fmt::Write;

/// A learning curve: return over environment steps.
///
/// ```
/// use raytree_rllib::run::Curve;
///
/// let mut curve = Curve::new("ppo on CartPole-v1, seed 1");
/// curve.threshold = Some(475.0);
/// curve.returns = vec![(2_048.0, 22.5), (4_096.0, 61.0)];
/// assert!(curve.to_svg().starts_with("<svg "));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// The heading.
    pub title: String,
    /// `(environment steps, mean training return)`, drawn as a line; steps increase.
    pub returns: Vec<(f64, f64)>,
    /// `(environment steps, mean evaluation return)`, drawn as dots.
    pub evaluations: Vec<(f64, f64)>,
    /// The return at which the task counts as solved, drawn as a dashed line.
    pub threshold: Option<f64>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
/// The area between the axes: left, top, right, bottom.
const AREA: [f64; 4] = [70.0, 44.0, 700.0, 364.0];

impl Curve {
    /// An empty curve.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// The picture, 720 x 420.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let finite = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
        };
        let (returns, evaluations) = (finite(&self.returns), finite(&self.evaluations));
        let all = || returns.iter().chain(&evaluations);
        let steps = Axis::over(all().map(|point| point.0).chain([0.0]));
        let values = all().map(|point| point.1).chain([0.0]).chain(self.threshold);
        let values = Axis::over(values);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        );
        let mut drawing = Drawing { svg: &mut svg, steps, values };
        drawing.frame(&self.title);
        if let Some(threshold) = self.threshold.filter(|value| value.is_finite()) {
            drawing.threshold(threshold);
        }
        drawing.line(&returns);
        drawing.dots(&evaluations);
        drawing.legend(!returns.is_empty(), !evaluations.is_empty());
        svg.push_str("</svg>\n");
        svg
    }
}

/// A range of numbers with round steps.
struct Axis {
    start: f64,
    end: f64,
    tick: f64,
}

impl Axis {
    /// Covers the numbers, from a tick to a tick.
    fn over(numbers: impl Iterator<Item = f64>) -> Self {
        let (low, high) = numbers
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        let span = if high > low { high - low } else { 1.0 };
        let tick = round_step(span / 5.0);
        let start = (low / tick).floor() * tick;
        let end = ((low + span) / tick - 1e-9).ceil() * tick;
        Self { start, end, tick }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let count = ((self.end - self.start) / self.tick).round() as u32;
        (0..=count).map(|index| self.start + f64::from(index) * self.tick)
    }

    /// Where a number lies, from 0 at the start to 1 at the end.
    fn place(&self, number: f64) -> f64 {
        (number - self.start) / (self.end - self.start)
    }

    fn label(&self, number: f64) -> String {
        let (scale, suffix) = match self.end.abs().max(self.start.abs()) {
            1e6.. => (1e6, "M"),
            1e4.. => (1e3, "k"),
            _ => (1.0, ""),
        };
        let decimals = (-(self.tick / scale).log10().floor()).max(0.0) as usize;
        // Adding zero turns -0 into 0.
        let number = number / scale + 0.0;
        let zero = number.abs() < self.tick / scale / 2.0;
        if zero { "0".to_owned() } else { format!("{number:.decimals$}{suffix}") }
    }
}

/// The nearest of 1, 2 and 5 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|rounded| *rounded >= step * (1.0 - 1e-9))
        .unwrap_or(step)
}

struct Drawing<'a> {
    svg: &'a mut String,
    steps: Axis,
    values: Axis,
}

impl Drawing<'_> {
    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        _ = self.svg.write_fmt(element);
        self.svg.push('\n');
    }

    fn x(&self, steps: f64) -> f64 {
        AREA[0] + (AREA[2] - AREA[0]) * self.steps.place(steps)
    }

    fn y(&self, value: f64) -> f64 {
        AREA[3] - (AREA[3] - AREA[1]) * self.values.place(value)
    }

    fn frame(&mut self, title: &str) {
        let [left, top, right, bottom] = AREA;
        let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let middle = (left + right) / 2.0;
        self.add(format_args!(
            "<text x=\"{middle}\" y=\"24\" text-anchor=\"middle\" font-size=\"15\">{title}</text>"
        ));
        for tick in self.values.ticks().collect::<Vec<_>>() {
            let (y, label) = (self.y(tick), self.values.label(tick));
            let (x, text_y) = (left - 8.0, y + 4.0);
            self.add(format_args!(
                "<line x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#e2e2e2\"/>\
                 <text x=\"{x}\" y=\"{text_y:.1}\" text-anchor=\"end\">{label}</text>"
            ));
        }
        for tick in self.steps.ticks().collect::<Vec<_>>() {
            let (x, label) = (self.x(tick), self.steps.label(tick));
            let (end, text_y) = (bottom + 5.0, bottom + 19.0);
            self.add(format_args!(
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom}\" y2=\"{end}\" stroke=\"#444\"/>\
                 <text x=\"{x:.1}\" y=\"{text_y}\" text-anchor=\"middle\">{label}</text>"
            ));
        }
        self.add(format_args!(
            "<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#444\"/>"
        ));
        let (caption_y, height) = (bottom + 42.0, (top + bottom) / 2.0);
        self.add(format_args!(
            "<text x=\"{middle}\" y=\"{caption_y}\" text-anchor=\"middle\">environment steps</text>\n\
             <text transform=\"translate(18 {height}) rotate(-90)\" text-anchor=\"middle\">\
             episode return</text>"
        ));
    }

    fn threshold(&mut self, threshold: f64) {
        let ([left, _, right, _], y) = (AREA, self.y(threshold));
        let (x, text_y) = (left + 6.0, y - 5.0);
        self.add(format_args!(
            "<line x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#2a8a4a\" \
             stroke-dasharray=\"6 4\"/>\
             <text x=\"{x}\" y=\"{text_y:.1}\" fill=\"#2a8a4a\">solved at {threshold}</text>"
        ));
    }

    fn line(&mut self, points: &[(f64, f64)]) {
        let places: Vec<String> = points
            .iter()
            .map(|(steps, value)| format!("{:.1},{:.1}", self.x(*steps), self.y(*value)))
            .collect();
        if !places.is_empty() {
            self.add(format_args!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"2\" \
                 stroke-linejoin=\"round\"/>",
                places.join(" ")
            ));
        }
    }

    fn dots(&mut self, points: &[(f64, f64)]) {
        for (steps, value) in points {
            let (x, y) = (self.x(*steps), self.y(*value));
            self.add(format_args!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"#d9730d\"/>"
            ));
        }
    }

    fn legend(&mut self, line: bool, dots: bool) {
        let (right, y) = (AREA[2], AREA[3] - 14.0);
        if line {
            let (start, end, text) = (right - 212.0, right - 190.0, right - 184.0);
            let text_y = y + 4.0;
            self.add(format_args!(
                "<line x1=\"{start}\" x2=\"{end}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#1f5fa8\" \
                 stroke-width=\"2\"/><text x=\"{text}\" y=\"{text_y}\">training</text>"
            ));
        }
        if dots {
            let (dot, text, text_y) = (right - 102.0, right - 92.0, y + 4.0);
            self.add(format_args!(
                "<circle cx=\"{dot}\" cy=\"{y}\" r=\"3.5\" fill=\"#d9730d\"/>\
                 <text x=\"{text}\" y=\"{text_y}\">evaluation</text>"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_ticks() {
        let axis = |numbers: &[f64]| -> String {
            let axis = Axis::over(numbers.iter().copied());
            axis.ticks().map(|tick| axis.label(tick)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(axis(&[0.0, 500.0]), "0 100 200 300 400 500");
        assert_eq!(axis(&[0.0, 99_840.0]), "0 20k 40k 60k 80k 100k");
        assert_eq!(axis(&[0.0, 2_400_000.0]), "0 0.5M 1.0M 1.5M 2.0M 2.5M");
        assert_eq!(axis(&[-1.3, 0.4]), "-1.5 -1.0 -0.5 0 0.5");
        assert_eq!(axis(&[3.0]), "3.0 3.2 3.4 3.6 3.8 4.0");
    }

    #[test]
    fn odd_input_still_draws() {
        let mut curve = Curve::new("a < b & c");
        assert!(curve.to_svg().contains("a &lt; b &amp; c"));
        curve.returns = vec![(f64::NAN, 1.0), (1.0, f64::INFINITY)];
        curve.threshold = Some(f64::NAN);
        let svg = curve.to_svg();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}

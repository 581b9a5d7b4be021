//! Sine and cosine of small angles.

/// Up to this angle, in radians, the polynomials below are exact to the last bit or two of a double.
const SMALL: f64 = 0.42;

/// Sine and cosine, in radians. For small angles by Taylor polynomials of degree 15 and 16, whose remainder is below
/// 1e-21; a fraction of the cost of the library functions, and the same bits on every machine.
#[inline]
pub(super) fn sin_cos(angle: f64) -> (f64, f64) {
    if angle.abs() > SMALL || angle.is_nan() {
        return angle.sin_cos();
    }
    let x = angle * angle;
    let x4 = (x * x) * (x * x);
    let sin = polynomial(x, SIN_LOW) + x4 * polynomial(x, SIN_HIGH);
    let cos = polynomial(x, COS_LOW) + x4 * polynomial(x, COS_HIGH);
    (angle + angle * sin, 1.0 + cos)
}

/// Coefficients of `sin(a) / a - 1` in powers of `a * a`: minus and plus one over odd factorials.
const SIN_LOW: [f64; 4] = [-1.0 / 6.0, 1.0 / 120.0, -1.0 / 5_040.0, 1.0 / 362_880.0];
const SIN_HIGH: [f64; 4] =
    [-1.0 / 39_916_800.0, 1.0 / 6_227_020_800.0, -1.0 / 1_307_674_368_000.0, 0.0];
/// Coefficients of `cos(a) - 1` in powers of `a * a`: minus and plus one over even factorials.
const COS_LOW: [f64; 4] = [-0.5, 1.0 / 24.0, -1.0 / 720.0, 1.0 / 40_320.0];
const COS_HIGH: [f64; 4] =
    [-1.0 / 3_628_800.0, 1.0 / 479_001_600.0, -1.0 / 87_178_291_200.0, 1.0 / 20_922_789_888_000.0];

/// `c[0] x + c[1] x^2 + c[2] x^3 + c[3] x^4`.
#[inline]
fn polynomial(x: f64, c: [f64; 4]) -> f64 {
    x * (c[0] + x * (c[1] + x * (c[2] + x * c[3])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_library() {
        for step in -600_000..=600_000 {
            let angle = f64::from(step) * 1e-6;
            let ((sin, cos), (sin0, cos0)) = (sin_cos(angle), angle.sin_cos());
            assert!((sin - sin0).abs() <= 4.5e-16 * sin0.abs(), "sin {angle}: {sin} {sin0}");
            assert!((cos - cos0).abs() <= 2.3e-16, "cos {angle}: {cos} {cos0}");
        }
        assert!(sin_cos(f64::NAN).0.is_nan());
    }
}

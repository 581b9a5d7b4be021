//! Running statistics: mean and variance of a stream of rows, percentiles, moving averages.

use serde::{Deserialize, Serialize};

/// Running mean and population variance of each column of a stream of rows.
///
/// Batches are merged by the parallel formula of Chan et al. (1979), so the result does not depend on how rows were
/// divided, up to rounding. Merge in a fixed order for equal bits.
///
/// ```
/// use raytree_rllib::stats::RunningStats;
///
/// let mut stats = RunningStats::empty(2);
/// stats.update(&[1.0, 10.0, 3.0, 30.0]); // two rows
/// assert_eq!((stats.mean(), stats.var()), (&[2.0, 20.0][..], &[1.0, 100.0][..]));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunningStats {
    mean: Vec<f64>,
    var: Vec<f64>,
    count: f64,
}

impl RunningStats {
    /// The weight of the prior of [`new`](Self::new), in rows.
    pub const PRIOR_COUNT: f64 = 1e-4;

    /// Begins with mean 0 and variance 1 at the weight of 0.0001 rows, so that normalising is sound before the first row.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self { mean: vec![0.0; columns], var: vec![1.0; columns], count: Self::PRIOR_COUNT }
    }

    /// Begins with nothing: exact over the rows given.
    #[must_use]
    pub fn empty(columns: usize) -> Self {
        Self { mean: vec![0.0; columns], var: vec![0.0; columns], count: 0.0 }
    }

    /// Means, one per column.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Population variances, one per column.
    #[must_use]
    pub fn var(&self) -> &[f64] {
        &self.var
    }

    /// Rows seen, and the weight of the prior.
    #[must_use]
    pub const fn count(&self) -> f64 {
        self.count
    }

    /// Takes in rows, one after another in a slice; an incomplete last row is left out. Allocates nothing.
    pub fn update<T: Copy + Into<f64>>(&mut self, rows: &[T]) {
        let columns = self.mean.len();
        let count = rows.len().checked_div(columns).unwrap_or(0);
        if count == 0 {
            return;
        }
        for column in 0..columns {
            let values = || rows.chunks_exact(columns).map(|row| -> f64 { row[column].into() });
            let mean = values().sum::<f64>() / count as f64;
            let var = values().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count as f64;
            self.merge_column(column, mean, var, count as f64);
        }
        self.count += count as f64;
    }

    /// Takes in what another one has seen. Columns beyond the shorter of both are left out.
    pub fn merge(&mut self, other: &Self) {
        if other.count > 0.0 {
            for column in 0..self.mean.len().min(other.mean.len()) {
                self.merge_column(column, other.mean[column], other.var[column], other.count);
            }
            self.count += other.count;
        }
    }

    fn merge_column(&mut self, column: usize, mean: f64, var: f64, count: f64) {
        let total = self.count + count;
        let distance = mean - self.mean[column];
        let squares = self.var[column] * self.count
            + var * count
            + distance * distance * self.count * count / total;
        self.mean[column] += distance * count / total;
        self.var[column] = squares / total;
    }

    /// Shifts and scales rows in place to mean 0 and variance 1, then clips them to `±clip`.
    pub fn normalize(&self, rows: &mut [f32], clip: f32) {
        for row in rows.chunks_exact_mut(self.mean.len().max(1)) {
            for (value, (mean, var)) in row.iter_mut().zip(self.mean.iter().zip(&self.var)) {
                let scaled = (f64::from(*value) - mean) / (var + 1e-8).sqrt();
                *value = (scaled as f32).clamp(-clip, clip);
            }
        }
    }
}

/// The `percent`-th percentile (0 to 100) with linear interpolation between neighbours; `None` for no values. Sorts
/// `values`.
///
/// ```
/// assert_eq!(raytree_rllib::stats::percentile(&mut [4.0, 1.0, 2.0, 3.0], 50.0), Some(2.5));
/// ```
#[must_use]
pub fn percentile(values: &mut [f64], percent: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let place = (percent / 100.0).clamp(0.0, 1.0) * last as f64;
    let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

/// An exponential moving average: `value = decay * value + (1 - decay) * x`, beginning with the first `x`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ema {
    decay: f64,
    value: Option<f64>,
}

impl Ema {
    /// `decay` is in `[0, 1)`: 0 keeps only the newest value.
    #[must_use]
    pub const fn new(decay: f64) -> Self {
        Self { decay, value: None }
    }

    /// Takes in a value and returns the new average.
    pub fn update(&mut self, x: f64) -> f64 {
        let value = self.value.map_or(x, |value| self.decay * value + (1.0 - self.decay) * x);
        self.value = Some(value);
        value
    }

    /// The average; `None` before the first value.
    #[must_use]
    pub const fn value(&self) -> Option<f64> {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_division_into_batches_does_not_matter(
            rows in prop::collection::vec(-1e3..1e3f64, 2..60),
            cut in 0..60usize,
        ) {
            let cut = cut.min(rows.len());
            let mut whole = RunningStats::empty(1);
            whole.update(&rows);
            let (mut left, mut right) = (RunningStats::empty(1), RunningStats::empty(1));
            left.update(&rows[..cut]);
            right.update(&rows[cut..]);
            left.merge(&right);
            prop_assert!((left.mean()[0] - whole.mean()[0]).abs() < 1e-9);
            prop_assert!((left.var()[0] - whole.var()[0]).abs() < 1e-6);
            prop_assert_eq!(left.count(), whole.count());
        }
    }

    #[test]
    fn normalizing() {
        let mut stats = RunningStats::new(1);
        let mut row = [0.5f32];
        stats.normalize(&mut row, 10.0);
        assert!((row[0] - 0.5).abs() < 1e-6, "sound before the first row");
        stats.update(&[1.0, 3.0]);
        let mut rows = [1.0f32, 3.0, 1e9];
        stats.normalize(&mut rows, 5.0);
        assert!((rows[0] + 1.0).abs() < 1e-3 && (rows[1] - 1.0).abs() < 1e-3 && rows[2] == 5.0);
        assert_eq!(percentile(&mut [], 50.0), None);
    }
}

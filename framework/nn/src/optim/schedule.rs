//! Learning rates over time.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// A learning rate as a function of the number of steps done, from zero.
///
/// # Examples
///
/// ```
/// use raytree_nn::Schedule;
///
/// let schedule = Schedule::Linear { start: 3e-4, end: 0.0, steps: 1000 };
/// assert_eq!(schedule.at(500), 1.5e-4);
/// assert_eq!(schedule.at(5000), 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Schedule {
    /// Always the same.
    Constant(f64),
    /// In a straight line from `start` to `end`, where it stays.
    Linear {
        /// Rate at step zero.
        start: f64,
        /// Rate from step `steps` on.
        end: f64,
        /// Steps the way takes.
        steps: u64,
    },
    /// Half a cosine wave from `start` down to `end` (Loshchilov and Hutter 2016), and back up after that.
    Cosine {
        /// Rate at step zero.
        start: f64,
        /// Rate at step `steps`.
        end: f64,
        /// Steps of half a wave.
        steps: u64,
    },
    /// Multiplied by `factor` after `every` steps.
    Step {
        /// Rate at step zero.
        start: f64,
        /// Factor at each stair.
        factor: f64,
        /// Steps between stairs.
        every: u64,
    },
    /// Multiplied by `factor` at each step.
    Exponential {
        /// Rate at step zero.
        start: f64,
        /// Factor at each step.
        factor: f64,
    },
    /// One cycle (Smith and Topin 2017): a half wave up from `peak / 25` over the first share `warmup` of all steps, then
    /// one down to `peak / 250 000` at step `steps - 1`, where it stays.
    OneCycle {
        /// The highest rate.
        peak: f64,
        /// Steps altogether.
        steps: u64,
        /// Share of the way up; 0.3 is usual.
        warmup: f64,
    },
}

impl Schedule {
    /// The rate for the step after `done` steps.
    pub fn at(self, done: u64) -> f64 {
        let time = done as f64;
        match self {
            Self::Constant(rate) => rate,
            Self::Linear { start, end, steps } => {
                start + (end - start) * (time / steps.max(1) as f64).min(1.0)
            }
            Self::Cosine { start, end, steps } => wave(start, end, time / steps.max(1) as f64),
            Self::Step { start, factor, every } => {
                start * factor.powf((done / every.max(1)) as f64)
            }
            Self::Exponential { start, factor } => start * factor.powf(time),
            Self::OneCycle { peak, steps, warmup } => {
                let (start, end) = (peak / 25.0, peak / 25.0 / 1e4);
                let (top, last) = (warmup * steps as f64 - 1.0, steps as f64 - 1.0);
                if time <= top {
                    wave(start, peak, time / top)
                } else {
                    wave(peak, end, ((time - top) / (last - top)).min(1.0))
                }
            }
        }
    }
}

impl Default for Schedule {
    /// A constant 3e-4.
    fn default() -> Self {
        Self::Constant(3e-4)
    }
}

/// Half a cosine wave: `from` at 0, `to` at 1.
fn wave(from: f64, to: f64, time: f64) -> f64 {
    to + (from - to) * 0.5 * (1.0 + (PI * time).cos())
}

//! Random streams: one per environment and per purpose, all from the experiment's seed.
//!
//! A stream is named by *what it is for* ([`Stream`]), never by who draws from it. So eight environments draw the same
//! numbers whether one runner steps them or four do, and a new consumer of randomness disturbs no other.
//!
//! ```
//! use raytree_rllib::rng::{Rng, Stream};
//!
//! let mut here = Rng::stream(1, Stream::Env(3));
//! let mut there = Rng::stream(1, Stream::Env(3));
//! assert_eq!(here.next_u64(), there.next_u64());
//! assert_ne!(here, Rng::stream(1, Stream::Env(4)));
//! ```

use rand_core::{Rng as _, SeedableRng, TryRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;

/// What a random stream is for. Two different values never share a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Stream {
    /// Resets and noise of one training environment, by its index in the experiment.
    Env(u64),
    /// Actions drawn for one training environment, by its index in the experiment.
    Policy(u64),
    /// Resets and noise of one evaluation episode, by its index in the experiment.
    Evaluation(u64),
    /// The order of rows in minibatches.
    Minibatch,
    /// Initial weights.
    Init,
    /// Anything else; the number is the caller's choice and must differ between uses.
    Custom(u64),
}

impl Stream {
    /// The stream's family and its index in it.
    const fn key(self) -> (u64, u64) {
        match self {
            Self::Env(index) => (1, index),
            Self::Policy(index) => (2, index),
            Self::Evaluation(index) => (3, index),
            Self::Minibatch => (4, 0),
            Self::Init => (5, 0),
            Self::Custom(index) => (6, index),
        }
    }
}

/// A random number generator: xoshiro256++, 32 bytes of state, serialisable bit for bit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rng(Xoshiro256PlusPlus);

impl Rng {
    /// The stream for `purpose` in the experiment with this `seed`.
    #[must_use]
    pub fn stream(seed: u64, purpose: Stream) -> Self {
        let (family, index) = purpose.key();
        let mut state = mix(mix(mix(seed).wrapping_add(family)).wrapping_add(index));
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            state = state.wrapping_add(GOLDEN_GAMMA);
            chunk.copy_from_slice(&finish(state).to_le_bytes());
        }
        Self(Xoshiro256PlusPlus::from_seed(bytes))
    }

    /// 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `[0, 1)`, with 53 random bits.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `[0, 1)`, with 24 random bits.
    #[inline]
    pub fn uniform_f32(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 * (1.0 / (1u64 << 24) as f32)
    }

    /// Uniform in `[low, high)`; `low` when the range is empty.
    #[inline]
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Uniform in `0..n`, without bias; 0 when `n` is 0 or 1.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        // Lemire's multiply-and-reject: the high half of a 128-bit product, redrawn in the rare biased case.
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if (product as u64) < n {
            let threshold = n.wrapping_neg() % n.max(1);
            while (product as u64) < threshold {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }

    /// Standard normal (mean 0, standard deviation 1), by Box and Muller. Two draws per value and nothing kept between
    /// calls, so that the generator's state is all there is to save.
    #[inline]
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Shuffles in place; every order is equally likely (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// So that it serves wherever a `rand_core::Rng` is asked for, such as the initialisers of `raytree_nn`.
impl TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

/// The odd constant of SplitMix64: 2^64 divided by the golden ratio.
const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// One SplitMix64 step.
const fn mix(state: u64) -> u64 {
    finish(state.wrapping_add(GOLDEN_GAMMA))
}

/// SplitMix64's finalizer: a bijection in which each input bit flips about half of the output bits.
const fn finish(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn streams_differ_by_seed_purpose_and_index() {
        let mut seen = HashSet::new();
        for seed in 0..20 {
            for index in 0..50 {
                for stream in [
                    Stream::Env(index),
                    Stream::Policy(index),
                    Stream::Evaluation(index),
                    Stream::Custom(index),
                ] {
                    assert!(seen.insert(Rng::stream(seed, stream).next_u64()));
                }
            }
            assert!(seen.insert(Rng::stream(seed, Stream::Minibatch).next_u64()));
            assert!(seen.insert(Rng::stream(seed, Stream::Init).next_u64()));
        }
    }

    /// A changed derivation would silently change every published curve.
    #[test]
    fn streams_are_pinned() {
        let first: Vec<u64> = [Stream::Env(0), Stream::Policy(7), Stream::Minibatch]
            .map(|stream| Rng::stream(1, stream).next_u64())
            .to_vec();
        expect_test::expect![[r#"
            [
                6923812125190581470,
                707430619744750744,
                2412628504249136294,
            ]
        "#]]
        .assert_debug_eq(&first);
    }

    #[test]
    fn serde_keeps_the_stream() {
        let mut rng = Rng::stream(5, Stream::Init);
        rng.normal();
        let text = serde_json::to_string(&rng).unwrap();
        let mut back: Rng = serde_json::from_str(&text).unwrap();
        assert_eq!(back, rng);
        assert_eq!(back.next_u64(), rng.next_u64());
    }

    #[test]
    fn moments_and_bounds() {
        let mut rng = Rng::stream(2, Stream::Init);
        let n = 200_000;
        let normals: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        let mean = normals.iter().sum::<f64>() / f64::from(n);
        let variance = normals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        let mut counts = [0; 7];
        for _ in 0..70_000 {
            counts[rng.below(7) as usize] += 1;
            assert!((0.0..1.0).contains(&rng.uniform()) && (0.0..1.0).contains(&rng.uniform_f32()));
            assert!((-3.0..2.0).contains(&rng.range(-3.0, 2.0)));
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        assert_eq!((rng.below(0), rng.below(1)), (0, 0));
    }

    #[test]
    fn shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..100).collect();
        Rng::stream(3, Stream::Minibatch).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}

//! The seeded generator that everything random draws from.
//!
//! ChaCha8 (the `rand_chacha` crate, whose stream is a stable part of its contract) under a few
//! derived draws of our own, so that a seed gives the same numbers on every platform and with
//! every later version of this program. candle's CPU generator cannot be seeded.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// A stream of random numbers named by a seed and a purpose.
#[derive(Clone)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream of `seed` for one purpose. Different purposes give independent streams, so
    /// adding a draw for one never shifts another; parts such as `&["shuffle", "3"]` nest.
    pub fn new(seed: u64, purpose: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        for part in purpose {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Rng(ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()))
    }

    /// The `nth` of 2^64 independent streams of the same seed and purpose, from its start; the
    /// stream itself is number 0.
    ///
    /// Why besides [`Rng::new`]: neither text nor hash for each of many streams.
    pub fn stream(&self, nth: u64) -> Self {
        let mut stream = ChaCha8Rng::from_seed(self.0.get_seed());
        stream.set_stream(nth);
        Rng(stream)
    }

    /// Uniform over all `u64`.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform over all `u32`.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Uniform in `[0, 1)`, 24 bits.
    pub fn unit_f32(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// Uniform in `[lo, hi)`.
    pub fn uniform_f32(&mut self, lo: f32, hi: f32) -> f32 {
        lo + (hi - lo) * self.unit_f32()
    }

    /// Standard normal (Box-Muller, one of the pair).
    pub fn normal_f32(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - f64::from(self.unit_f32())).ln()).sqrt();
        let angle = std::f64::consts::TAU * f64::from(self.unit_f32());
        (radius * angle.cos()) as f32
    }

    /// Uniform in `0..n` without bias (Lemire, ACM TOMACS 29 (2019), 3).
    ///
    /// # Panics
    /// If `n` is zero.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "a draw needs at least one outcome");
        let n = n as u64;
        let threshold = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(n);
            if product as u64 >= threshold {
                return (product >> 64) as usize;
            }
        }
    }

    /// Fisher-Yates shuffle.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_is_pinned_for_ever() {
        let mut rng = Rng::new(42, &["test"]);
        let drawn: Vec<usize> = (0..8).map(|_| rng.below(1000)).collect();
        assert_eq!(drawn, [971, 342, 997, 395, 788, 266, 76, 935]);
    }

    #[test]
    fn purposes_are_independent_and_do_not_concatenate() {
        let first = Rng::new(1, &["ab", "c"]).next_u64();
        assert_ne!(first, Rng::new(1, &["a", "bc"]).next_u64());
        assert_ne!(first, Rng::new(2, &["ab", "c"]).next_u64());
    }

    #[test]
    fn streams_are_pinned_for_ever_and_start_anew() {
        let base = Rng::new(42, &["test"]);
        let mut used = base.clone();
        used.next_u64();
        let draw = |mut rng: Rng| -> Vec<usize> { (0..4).map(|_| rng.below(1000)).collect() };
        assert_eq!(draw(base.stream(0)), draw(base.clone()));
        assert_eq!(draw(used.stream(7)), draw(base.stream(7)));
        assert_eq!(draw(base.stream(7)), [455, 926, 114, 194]);
        assert_ne!(draw(base.stream(7)), draw(base.stream(8)));
    }

    #[test]
    fn shuffle_keeps_every_item() {
        let mut items: Vec<usize> = (0..100).collect();
        Rng::new(3, &["shuffle"]).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn normal_draws_have_mean_zero_and_unit_variance() {
        let mut rng = Rng::new(4, &["normal"]);
        let draws: Vec<f64> = (0..20_000).map(|_| f64::from(rng.normal_f32())).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.03, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.05, "variance {variance}");
    }
}

//! Inner products of rows with weight vectors, in double precision.
//!
//! `score[v] += sum_f row[f] * weight[v][f]`, one chain of fused multiply-adds over features 0, 1,
//! 2, …: a score never depends on which rows it was computed with, and a sum of `n` terms is off by
//! at most `n * 2^-53 * sum |row[f] * weight[v][f]|`. Tiles of 8 rows by 16 vectors; features in
//! blocks of `BLOCK`, of which the weights of a panel stay in the first cache.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod products;

pub use products::add_products;

use super::cpu::{Cpu, Level, per_level};

/// Rows of a tile.
const N_ROWS: usize = 8;
/// Weight vectors of a tile.
const N_VECTORS: usize = 16;
/// Features of one pass: 32 KiB of weights.
const BLOCK: usize = 256;

/// Sums of a tile, `[row][vector]`.
type Tile = [[f64; N_VECTORS]; N_ROWS];

/// Values of rows.
pub trait Widen: Copy {
    /// Writes the values as `f64`, over the common length.
    fn widen(cpu: Cpu, values: &[Self], out: &mut [f64]);
}

macro_rules! widen {
    ($value:ty, $name:ident) => {
        per_level! {
            fn $name(values: &[$value], out: &mut [f64]) {
                for (out, &value) in out.iter_mut().zip(values) {
                    *out = f64::from(value);
                }
            }
        }

        impl Widen for $value {
            fn widen(cpu: Cpu, values: &[Self], out: &mut [f64]) {
                $name(cpu, values, out);
            }
        }
    };
}

widen!(u8, widen_bytes);
widen!(f32, widen_floats);
widen!(f64, widen_doubles);

/// Weight vectors, packed.
pub struct Weights {
    /// `[panel][feature][N_VECTORS]`
    values: Vec<f64>,
    n_features: usize,
    n_vectors: usize,
}

impl Weights {
    /// Packs vectors of `n_features` values, given one after the other.
    ///
    /// # Panics
    /// If `vectors` is no whole number of them.
    pub fn pack(n_features: usize, vectors: &[f64]) -> Self {
        let n_vectors = vectors.len().checked_div(n_features).unwrap_or(0);
        assert_eq!(n_vectors * n_features, vectors.len(), "vectors differ in length");
        let n_panels = n_vectors.div_ceil(N_VECTORS);
        let mut values = vec![0.0; n_panels * n_features * N_VECTORS];
        for (v, vector) in vectors.chunks_exact(n_features.max(1)).enumerate() {
            let panel = &mut values[v / N_VECTORS * n_features * N_VECTORS..];
            for (feature, &value) in panel.chunks_exact_mut(N_VECTORS).zip(vector) {
                feature[v % N_VECTORS] = value;
            }
        }
        Weights { values, n_features, n_vectors }
    }

    /// Adds the products of each row with each vector to `scores`, `[row][vector]`.
    ///
    /// # Panics
    /// If a row or `scores` has another length.
    pub fn add_scores<T: Widen>(&self, cpu: Cpu, rows: &[&[T]], scores: &mut [f64]) {
        let (n_features, n_vectors) = (self.n_features, self.n_vectors);
        assert!(rows.iter().all(|row| row.len() == n_features), "rows differ in length");
        assert_eq!(scores.len(), rows.len() * n_vectors, "one score for each row and vector");
        let n_groups = rows.len().div_ceil(N_ROWS);
        let mut packed = vec![0.0; n_groups * BLOCK.min(n_features) * N_ROWS];
        for start in (0..n_features).step_by(BLOCK) {
            let end = (start + BLOCK).min(n_features);
            let packed = &mut packed[..n_groups * (end - start) * N_ROWS];
            pack_rows(cpu, rows, start, end, packed);
            for first in (0..n_vectors).step_by(N_VECTORS) {
                let panel = &self.values[first * n_features..];
                let panel = &panel[start * N_VECTORS..end * N_VECTORS];
                let n_used = N_VECTORS.min(n_vectors - first);
                for (group, packed) in packed.chunks_exact((end - start) * N_ROWS).enumerate() {
                    let mut sums = [[0.0; N_VECTORS]; N_ROWS];
                    let of_group = group * N_ROWS * n_vectors;
                    let outs = scores[of_group..].chunks_exact_mut(n_vectors).take(N_ROWS);
                    for (sums, out) in sums.iter_mut().zip(outs) {
                        sums[..n_used].copy_from_slice(&out[first..first + n_used]);
                    }
                    add_tile(cpu, packed, panel, &mut sums);
                    let outs = scores[of_group..].chunks_exact_mut(n_vectors).take(N_ROWS);
                    for (sums, out) in sums.iter().zip(outs) {
                        out[first..first + n_used].copy_from_slice(&sums[..n_used]);
                    }
                }
            }
        }
    }
}

/// Features `start..end` of the rows as `[group of 8][feature][8]`.
fn pack_rows<T: Widen>(cpu: Cpu, rows: &[&[T]], start: usize, end: usize, packed: &mut [f64]) {
    let mut lines = [[0.0; BLOCK]; N_ROWS];
    let groups = packed.chunks_exact_mut((end - start) * N_ROWS);
    for (group, rows) in groups.zip(rows.chunks(N_ROWS)) {
        // Converted along the row and only then transposed: the first is vectorised.
        for (line, row) in lines.iter_mut().zip(rows) {
            T::widen(cpu, &row[start..end], line);
        }
        for (f, feature) in group.as_chunks_mut::<N_ROWS>().0.iter_mut().enumerate() {
            for (to, line) in feature.iter_mut().zip(&lines) {
                *to = line[f];
            }
        }
    }
}

/// Adds the products of 8 rows, `[feature][8]`, with 16 vectors, `[feature][16]`.
fn add_tile(cpu: Cpu, rows: &[f64], vectors: &[f64], tile: &mut Tile) {
    assert_eq!(rows.len() * 2, vectors.len(), "rows and vectors differ in length");
    match cpu.0 {
        Level::Scalar => add_scalar(rows, vectors, tile),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the CPU features; both slices hold the same number of features.
        Level::Avx2 => unsafe { avx2::add(rows, vectors, tile) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the CPU features; both slices hold the same number of features.
        Level::Avx512 => unsafe { avx512::add(rows, vectors, tile) },
    }
}

/// The definition that the other variants are tested against.
fn add_scalar(rows: &[f64], vectors: &[f64], tile: &mut Tile) {
    for (row, vector) in rows.chunks_exact(N_ROWS).zip(vectors.chunks_exact(N_VECTORS)) {
        for (sums, &value) in tile.iter_mut().zip(row) {
            for (sum, &weight) in sums.iter_mut().zip(vector) {
                *sum = value.mul_add(weight, *sum);
            }
        }
    }
}

per_level! {
    /// `sum[f] += factor * row[f]` over the common length, rounded once.
    pub fn add_multiple(sum: &mut [f64], factor: f64, row: &[f64]) {
        for (sum, &value) in sum.iter_mut().zip(row) {
            *sum = factor.mul_add(value, *sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    #[test]
    fn every_level_gives_the_same_bits_as_a_chain_of_fused_multiply_adds() {
        for (n_features, n_rows, n_vectors) in
            [(0, 3, 0), (1, 1, 1), (7, 9, 15), (BLOCK, 8, 16), (BLOCK + 1, 17, 33), (784, 0, 3)]
        {
            let mut rng = Rng::new(n_features as u64, &["weights"]);
            let rows: Vec<Vec<f32>> =
                (0..n_rows).map(|_| (0..n_features).map(|_| rng.normal_f32()).collect()).collect();
            let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
            let vectors: Vec<f64> =
                (0..n_vectors * n_features).map(|_| f64::from(rng.normal_f32())).collect();
            let weights = Weights::pack(n_features, &vectors);
            for cpu in Cpu::all() {
                let mut scores = vec![0.5; n_rows * n_vectors];
                weights.add_scores(cpu, &rows, &mut scores);
                for (at, found) in scores.iter().enumerate() {
                    let vector = &vectors[at % n_vectors * n_features..][..n_features];
                    let naive = rows[at / n_vectors]
                        .iter()
                        .zip(vector)
                        .fold(0.5, |sum, (&x, &w)| f64::from(x).mul_add(w, sum));
                    assert_eq!(found.to_bits(), naive.to_bits(), "{cpu:?}, {n_features}, {at}");
                }
            }
        }
    }

    #[test]
    fn bytes_are_taken_as_whole_numbers_and_multiples_are_added_alike_at_every_level() {
        let rows: [&[u8]; 2] = [&[0, 255, 7], &[1, 2, 3]];
        let weights = Weights::pack(3, &[1.0, 2.0, 4.0, -1.0, 0.5, 0.0]);
        for cpu in Cpu::all() {
            let mut scores = vec![0.0; 4];
            weights.add_scores(cpu, &rows, &mut scores);
            assert_eq!(scores, [538.0, 127.5, 17.0, 0.0], "{cpu:?}");
            let mut sum = vec![1.0; 19];
            add_multiple(cpu, &mut sum, 0.1, &[0.3; 19]);
            assert_eq!(sum, [0.1f64.mul_add(0.3, 1.0); 19], "{cpu:?}");
        }
    }
}

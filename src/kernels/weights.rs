//! Inner products of rows with weight vectors, in double precision.
//!
//! `score[v] += sum_f row[f] * weight[v][f]`, one chain of fused multiply-adds over features 0, 1,
//! 2, …: a score never depends on which rows it was computed with, and a sum of `n` terms is off by
//! at most `n * 2^-53 * sum |row[f] * weight[v][f]|`. Tiles of 8 rows by 16 vectors; features in
//! blocks of [`BLOCK`], of which the weights of a panel stay in the first cache.

use super::cpu::{Cpu, per_level};

/// Rows of a tile.
const N_ROWS: usize = 8;
/// Weight vectors of a tile.
const N_VECTORS: usize = 16;
/// Features of one pass: 32 KiB of weights.
const BLOCK: usize = 256;

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
    pub fn add_scores<T: Copy + Into<f64>>(&self, cpu: Cpu, rows: &[&[T]], scores: &mut [f64]) {
        let (n_features, n_vectors) = (self.n_features, self.n_vectors);
        assert!(rows.iter().all(|row| row.len() == n_features), "rows differ in length");
        assert_eq!(scores.len(), rows.len() * n_vectors, "one score for each row and vector");
        let n_groups = rows.len().div_ceil(N_ROWS);
        let mut packed = vec![0.0; n_groups * BLOCK.min(n_features) * N_ROWS];
        for start in (0..n_features).step_by(BLOCK) {
            let end = (start + BLOCK).min(n_features);
            let packed = &mut packed[..n_groups * (end - start) * N_ROWS];
            let groups = || rows.chunks(N_ROWS);
            for (group, rows) in packed.chunks_exact_mut((end - start) * N_ROWS).zip(groups()) {
                for (lane, row) in rows.iter().enumerate() {
                    for (feature, &value) in
                        group.as_chunks_mut::<N_ROWS>().0.iter_mut().zip(&row[start..end])
                    {
                        feature[lane] = value.into();
                    }
                }
            }
            for first in (0..n_vectors).step_by(N_VECTORS) {
                let panel = &self.values[first * n_features..];
                let panel = &panel[start * N_VECTORS..end * N_VECTORS];
                let n_used = N_VECTORS.min(n_vectors - first);
                for (group, packed) in packed.chunks_exact((end - start) * N_ROWS).enumerate() {
                    let lines = scores[group * N_ROWS * n_vectors..].chunks_exact_mut(n_vectors);
                    let mut tile = [[0.0; N_VECTORS]; N_ROWS];
                    let mut lines: Vec<&mut [f64]> =
                        lines.take(N_ROWS).map(|line| &mut line[first..first + n_used]).collect();
                    for (sums, line) in tile.iter_mut().zip(&lines) {
                        sums[..n_used].copy_from_slice(line);
                    }
                    add_tile(cpu, packed, panel, &mut tile);
                    for (sums, line) in tile.iter().zip(&mut lines) {
                        line.copy_from_slice(&sums[..n_used]);
                    }
                }
            }
        }
    }
}

per_level! {
    /// Adds the products of 8 rows `[feature][8]` with 16 vectors `[feature][16]`.
    pub fn add_tile(rows: &[f64], vectors: &[f64], tile: &mut [[f64; N_VECTORS]; N_ROWS]) {
        let mut sums = *tile;
        let features = rows.as_chunks::<N_ROWS>().0.iter().zip(vectors.as_chunks::<N_VECTORS>().0);
        for (row, vector) in features {
            for r in 0..N_ROWS {
                for v in 0..N_VECTORS {
                    sums[r][v] = row[r].mul_add(vector[v], sums[r][v]);
                }
            }
        }
        *tile = sums;
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

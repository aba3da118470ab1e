//! The transposed product: rows added to weight vectors, each row times a factor of its own.

use super::super::cpu::{Cpu, per_level};
use super::Widen;

/// Rows added at a time.
const N_ROWS: usize = 8;
/// Features of a run: eight registers of sums.
const RUN: usize = 64;

/// Eight rows of a run of features, `[row][feature]`.
type Lines = [[f64; RUN]; N_ROWS];

/// `sums[v][f] += sum_r factors[r][v] * rows[r][f]`, one chain of fused multiply-adds over rows 0, 1,
/// 2, …
///
/// # Shapes   `rows`: rows of `n_features`; `factors`: `[row][vector]`; `sums`: `[vector][feature]`
/// # Panics   if lengths do not fit
pub fn add_products<T: Widen>(cpu: Cpu, rows: &[&[T]], factors: &[f64], sums: &mut [f64]) {
    let Some(first) = rows.first() else { return };
    let (n_features, n_vectors) = (first.len(), factors.len() / rows.len());
    assert!(rows.iter().all(|row| row.len() == n_features), "rows differ in length");
    assert_eq!(factors.len(), rows.len() * n_vectors, "a factor for each row and vector");
    assert_eq!(sums.len(), n_vectors * n_features, "a sum for each vector and feature");
    let mut lines = [[0.0; RUN]; N_ROWS];
    for (rows, factors) in rows.chunks(N_ROWS).zip(factors.chunks(N_ROWS * n_vectors.max(1))) {
        for start in (0..n_features).step_by(RUN) {
            let end = (start + RUN).min(n_features);
            for (line, row) in lines.iter_mut().zip(rows) {
                T::widen(cpu, &row[start..end], &mut line[..end - start]);
            }
            if end - start == RUN && rows.len() == N_ROWS {
                add_run(cpu, &lines, factors, sums, start, n_features);
            } else {
                add_rest(cpu, &lines[..rows.len()], factors, sums, start..end, n_features);
            }
        }
    }
}

per_level! {
    fn add_run(
        lines: &Lines,
        factors: &[f64],
        sums: &mut [f64],
        start: usize,
        n_features: usize,
    ) {
        let n_vectors = factors.len() / N_ROWS;
        for (v, sums) in sums.chunks_exact_mut(n_features).enumerate() {
            let Some(sums) = sums[start..].first_chunk_mut::<RUN>() else { return };
            let mut run = *sums;
            for (r, line) in lines.iter().enumerate() {
                let factor = factors[r * n_vectors + v];
                for l in 0..RUN {
                    run[l] = factor.mul_add(line[l], run[l]);
                }
            }
            *sums = run;
        }
    }
}

per_level! {
    fn add_rest(
        lines: &[[f64; RUN]],
        factors: &[f64],
        sums: &mut [f64],
        features: std::ops::Range<usize>,
        n_features: usize,
    ) {
        let n_vectors = factors.len() / lines.len();
        for (v, sums) in sums.chunks_exact_mut(n_features).enumerate() {
            for (r, line) in lines.iter().enumerate() {
                let factor = factors[r * n_vectors + v];
                for (sum, &value) in sums[features.clone()].iter_mut().zip(line) {
                    *sum = factor.mul_add(value, *sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    #[test]
    fn every_level_gives_the_bits_of_a_chain_over_rows() {
        for (n_rows, n_features, n_vectors) in
            [(0, 3, 2), (1, 1, 1), (7, 63, 2), (8, 64, 3), (9, 65, 1), (17, 130, 10)]
        {
            let mut rng = Rng::new(n_features as u64, &["products"]);
            let rows: Vec<Vec<u8>> = (0..n_rows)
                .map(|_| (0..n_features).map(|_| rng.next_u32() as u8).collect())
                .collect();
            let reals: Vec<Vec<f32>> =
                rows.iter().map(|row| row.iter().map(|&v| f32::from(v)).collect()).collect();
            let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
            let reals: Vec<&[f32]> = reals.iter().map(Vec::as_slice).collect();
            let factors: Vec<f64> =
                (0..n_rows * n_vectors).map(|_| f64::from(rng.normal_f32())).collect();
            for cpu in Cpu::all() {
                let mut sums = vec![0.25; n_vectors * n_features];
                add_products(cpu, &rows, &factors, &mut sums);
                let mut of_reals = vec![0.25; n_vectors * n_features];
                add_products(cpu, &reals, &factors, &mut of_reals);
                assert_eq!(sums, of_reals);
                for (at, found) in sums.iter().enumerate() {
                    let (v, f) = (at / n_features, at % n_features);
                    let naive = rows.iter().enumerate().fold(0.25, |sum, (r, row)| {
                        factors[r * n_vectors + v].mul_add(f64::from(row[f]), sum)
                    });
                    assert_eq!(found.to_bits(), naive.to_bits(), "{cpu:?} {n_rows} {n_features}");
                }
            }
        }
    }
}

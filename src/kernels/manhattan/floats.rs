//! Sums of absolute differences of `f32` vectors.

use super::super::cpu::per_level;
use super::N_ROWS;
use crate::kernels::Cpu;

/// One feature of the rows of a panel.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; N_ROWS]);

/// Queries of a tile: with 32 rows, 12 accumulators of AVX2.
const N_QUERIES: usize = 3;
/// Features of one pass over a panel: 32 KiB of rows, which the first cache keeps for all queries.
const BLOCK: usize = 256;

/// Features that packing transposes at a time.
const STEP: usize = 16;

/// Packed rows of floats, in panels of 32.
pub struct FloatRows {
    /// `[panel][feature]`
    lines: Vec<Line>,
    n_features: usize,
}

impl FloatRows {
    /// Packs rows of `n_features` values.
    ///
    /// # Panics
    /// If a row has another length.
    pub fn pack(n_features: usize, rows: &[&[f32]]) -> Self {
        assert!(rows.iter().all(|row| row.len() == n_features), "rows differ in length");
        let mut lines = vec![Line([0.0; N_ROWS]); rows.len().div_ceil(N_ROWS) * n_features];
        for (panel, rows) in rows.chunks(N_ROWS).enumerate() {
            let lines = &mut lines[panel * n_features..][..n_features];
            // A few features at a time: the lines they go to stay in the first cache.
            for (few, lines) in lines.chunks_mut(STEP).enumerate() {
                for (lane, row) in rows.iter().enumerate() {
                    for (line, &value) in lines.iter_mut().zip(&row[few * STEP..]) {
                        line.0[lane] = value;
                    }
                }
            }
        }
        FloatRows { lines, n_features }
    }

    /// Distances of each query to the rows of a panel, `[query][32]`; entries beyond the last row
    /// are meaningless.
    ///
    /// # Panics
    /// If the panel does not exist or lengths differ.
    pub fn distances(&self, cpu: Cpu, queries: &[&[f32]], panel: usize, out: &mut [[f32; N_ROWS]]) {
        assert_eq!(queries.len(), out.len(), "one line of distances a query");
        let n_features = self.n_features;
        assert!(queries.iter().all(|q| q.len() == n_features), "queries differ in length");
        let lines = &self.lines[panel * n_features..][..n_features];
        out.fill([0.0; N_ROWS]);
        for (block, lines) in lines.chunks(BLOCK).enumerate() {
            let features = block * BLOCK..block * BLOCK + lines.len();
            for (queries, out) in queries.chunks(N_QUERIES).zip(out.chunks_mut(N_QUERIES)) {
                let of = |nth: usize| &queries[nth.min(queries.len() - 1)][features.clone()];
                let mut sums = [[0.0; N_ROWS]; N_QUERIES];
                sums[..out.len()].copy_from_slice(out);
                add(cpu, [of(0), of(1), of(2)], lines, &mut sums);
                out.copy_from_slice(&sums[..out.len()]);
            }
        }
    }
}

per_level! {
    fn add(queries: [&[f32]; N_QUERIES], lines: &[Line], sums: &mut [[f32; N_ROWS]; N_QUERIES]) {
        let [a, b, c] = queries;
        let [mut of_a, mut of_b, mut of_c] = *sums;
        for (((line, &a), &b), &c) in lines.iter().zip(a).zip(b).zip(c) {
            for lane in 0..N_ROWS {
                of_a[lane] += (line.0[lane] - a).abs();
                of_b[lane] += (line.0[lane] - b).abs();
                of_c[lane] += (line.0[lane] - c).abs();
            }
        }
        *sums = [of_a, of_b, of_c];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    #[test]
    fn every_level_gives_the_bits_of_a_chain_over_features() {
        for (n_features, n_queries, n_rows) in
            [(0, 1, 1), (1, 2, 31), (15, 3, 32), (16, 4, 33), (257, 7, 65), (784, 1, 3)]
        {
            let mut rng = Rng::new(n_features as u64, &["manhattan", "floats"]);
            let mut draw = |n: usize| -> Vec<Vec<f32>> {
                (0..n).map(|_| (0..n_features).map(|_| rng.normal_f32()).collect()).collect()
            };
            let (queries, rows) = (draw(n_queries), draw(n_rows));
            let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
            let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
            let packed = FloatRows::pack(n_features, &rows);
            for cpu in Cpu::all() {
                for panel in 0..n_rows.div_ceil(N_ROWS) {
                    let mut out = vec![[f32::NAN; N_ROWS]; n_queries];
                    packed.distances(cpu, &queries, panel, &mut out);
                    for (query, out) in queries.iter().zip(&out) {
                        for (row, found) in rows[panel * N_ROWS..].iter().zip(out) {
                            let naive =
                                query.iter().zip(*row).fold(0.0, |s, (q, r)| s + (r - q).abs());
                            assert_eq!(found.to_bits(), naive.to_bits(), "{cpu:?} {n_features}");
                        }
                    }
                }
            }
        }
    }
}

//! Exact sums of outer products of byte rows, `X^T X`, and of the rows themselves.
//!
//! The features take the part of the vectors, a block of rows that of their length: four rows are
//! interleaved into the quads that the tiles read, for all features at once.

use super::{Cpu, Line, N_QUERIES, N_ROWS, Tile, tile_of};

/// Most rows of a block: a panel of 32 features by so many rows stays in the first-level cache, and
/// its products fit `i32`.
pub const GRAM_MAX_ROWS: usize = 1024;

/// Sums over rows of bytes.
#[derive(Clone)]
pub struct ByteGram {
    n_features: usize,
    /// `[n_features, n_features]`, filled on and below the diagonal.
    products: Vec<i64>,
    /// `[n_features]`
    sums: Vec<i64>,
    lines: Vec<Line>,
    quads: Vec<i32>,
    offsets: Vec<i32>,
}

impl ByteGram {
    /// Sums over no rows.
    pub fn new(n_features: usize) -> Self {
        ByteGram {
            n_features,
            products: vec![0; n_features * n_features],
            sums: vec![0; n_features],
            lines: Vec::new(),
            quads: Vec::new(),
            offsets: vec![0; n_features.next_multiple_of(N_ROWS)],
        }
    }

    /// `sum_i x_ij x_ik` for `k <= j`, `[n_features, n_features]` row-major; above the diagonal
    /// meaningless.
    pub fn products(&self) -> &[i64] {
        &self.products
    }

    /// `sum_i x_ij`, `[n_features]`.
    pub fn sums(&self) -> &[i64] {
        &self.sums
    }

    /// Adds a block of rows, one after another in `rows`.
    ///
    /// # Panics
    /// If the rows are not whole or more than [`GRAM_MAX_ROWS`].
    ///
    /// # Cost
    /// `n_features^2 / 2` multiplications a row; with VNNI 64 a cycle and port.
    pub fn add(&mut self, cpu: Cpu, rows: &[u8]) {
        let n_features = self.n_features;
        assert_eq!(rows.len() % n_features.max(1), 0, "rows are not whole");
        let n_rows = rows.len().checked_div(n_features).unwrap_or(0);
        assert!(n_rows <= GRAM_MAX_ROWS, "{n_rows} rows in a block");
        self.pack(rows, n_rows);
        let n_quads = n_rows.div_ceil(4);
        let mut tile: Tile = [[0; N_ROWS]; N_QUERIES];
        for query in (0..n_features).step_by(N_QUERIES) {
            let quads = &self.quads[query * n_quads..][..n_quads * N_QUERIES];
            let end = (query + N_QUERIES).min(n_features);
            for row in (0..end).step_by(N_ROWS) {
                let lines = &self.lines[row / 16 * n_quads..][..n_quads * 2];
                let offsets = self.offsets[row..].first_chunk().expect("a panel is full");
                tile_of(cpu, quads, lines, offsets, &mut tile);
                for (j, products) in (query..end).zip(&tile) {
                    let n_below = (j + 1).saturating_sub(row).min(N_ROWS);
                    let sums = &mut self.products[j * n_features + row..][..n_below];
                    for (sum, &product) in sums.iter_mut().zip(products) {
                        *sum += i64::from(product);
                    }
                }
            }
        }
    }

    fn pack(&mut self, rows: &[u8], n_rows: usize) {
        let n_features = self.n_features;
        let n_quads = n_rows.div_ceil(4);
        let zero = Line([0; 64]);
        self.lines.clear();
        self.lines.resize(n_features.next_multiple_of(N_ROWS) / 16 * n_quads, zero);
        self.quads.clear();
        self.quads.resize(n_features.next_multiple_of(N_QUERIES) * n_quads, 0);
        self.offsets.fill(0);
        let absent = vec![0; n_features];
        let mut interleaved = vec![[0u8; 4]; n_features.next_multiple_of(N_ROWS)];
        for (quad, four) in rows.chunks(4 * n_features.max(1)).enumerate() {
            let row = |nth: usize| four.chunks_exact(n_features).nth(nth).unwrap_or(&absent);
            let four = row(0).iter().zip(row(1)).zip(row(2)).zip(row(3));
            for (out, (((&a, &b), &c), &d)) in interleaved.iter_mut().zip(four) {
                *out = [a, b, c, d];
            }
            for (panel, features) in interleaved.chunks_exact(N_ROWS).enumerate() {
                let lines = &mut self.lines[(panel * n_quads + quad) * 2..][..2];
                for (line, features) in lines.iter_mut().zip(features.as_flattened().chunks(64)) {
                    line.0.copy_from_slice(features);
                }
            }
            for (panel, features) in interleaved[..n_features].chunks(N_QUERIES).enumerate() {
                let quads = &mut self.quads[(panel * n_quads + quad) * N_QUERIES..];
                for (out, bytes) in quads.iter_mut().zip(features) {
                    // The signed byte `q - 128`.
                    *out = i32::from_le_bytes(*bytes) ^ i32::from_le_bytes([0x80; 4]);
                }
            }
            for (sum, bytes) in self.offsets.iter_mut().zip(&interleaved) {
                *sum += bytes.iter().map(|&v| i32::from(v)).sum::<i32>();
            }
        }
        for (sum, offset) in self.sums.iter_mut().zip(&mut self.offsets) {
            *sum += i64::from(*offset);
            // What a signed query lacks.
            *offset *= 128;
        }
    }

    /// Adds the sums over other rows.
    ///
    /// # Panics
    /// If the number of features differs.
    pub fn merge(&mut self, other: &ByteGram) {
        assert_eq!(self.n_features, other.n_features, "rows differ in length");
        self.products.iter_mut().zip(&other.products).for_each(|(sum, &more)| *sum += more);
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, &more)| *sum += more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    fn check(n_features: usize, n_rows: usize, byte: impl Fn(&mut Rng) -> u8) {
        let mut rng = Rng::new(n_features as u64, &["gram"]);
        let rows: Vec<u8> = (0..n_rows * n_features).map(|_| byte(&mut rng)).collect();
        for cpu in Cpu::all() {
            let mut gram = ByteGram::new(n_features);
            let first = n_rows / 3 * n_features;
            gram.add(cpu, &rows[..first]);
            let mut rest = ByteGram::new(n_features);
            rest.add(cpu, &rows[first..]);
            gram.merge(&rest);
            let of = |j: usize| rows.iter().skip(j).step_by(n_features).map(|&v| i64::from(v));
            for j in 0..n_features {
                assert_eq!(gram.sums()[j], of(j).sum::<i64>(), "{cpu:?}, sum {j}");
                for k in 0..=j {
                    let naive: i64 = of(j).zip(of(k)).map(|(a, b)| a * b).sum();
                    let found = gram.products()[j * n_features + k];
                    assert_eq!(found, naive, "{cpu:?}, {n_rows} rows, product {j} {k}");
                }
            }
        }
    }

    #[test]
    fn every_level_gives_the_naive_sums() {
        for n_features in [1, 2, 11, 12, 13, 31, 32, 33, 70] {
            for n_rows in [0, 1, 2, 3, 4, 5, 63, 64, 65] {
                check(n_features, n_rows, |rng| rng.next_u32() as u8);
            }
        }
    }

    #[test]
    fn extreme_bytes_of_a_full_block_do_not_overflow() {
        check(35, GRAM_MAX_ROWS, |_| 255);
    }
}

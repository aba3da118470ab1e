//! Dot products of `f32` vectors in tiles of 12 queries by 32 rows, with one order of summation.
//!
//! Every product is a chain of fused multiply-adds over features 0, 1, 2, …, at every instruction
//! level and for every batch: a kernel value never depends on which rows it was computed with.
//! Features are taken in blocks of [`BLOCK`] so that panels of rows and queries stay near the core;
//! partial sums are stored and reloaded between blocks, which changes no bit.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use super::cpu::{Cpu, Level, per_level};

/// Queries of a tile.
pub const N_QUERIES: usize = 12;
/// Rows of a tile.
pub const N_ROWS: usize = 32;
/// Features of one pass over a tile.
pub const BLOCK: usize = 256;

/// Dot products of a tile, `[query][row]`.
pub type Tile = [[f32; N_ROWS]; N_QUERIES];

/// One feature of 16 rows, one cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Packed rows, with their squared lengths.
pub struct Rows {
    lines: Vec<Line>,
    n_features: usize,
    n_rows: usize,
    squares: Vec<f32>,
}

/// Packed queries, with their squared lengths.
#[derive(Default)]
pub struct Queries {
    values: Vec<f32>,
    n_features: usize,
    n_queries: usize,
    squares: Vec<f32>,
}

/// Features that packing transposes at a time.
const STRIP: usize = 16;

per_level! {
    /// Adds the squares of features, one chain a lane in the order of the tiles, so that a vector
    /// is at distance 0 of itself.
    pub fn add_squares(strip: &[[f32; N_ROWS]], squares: &mut [f32; N_ROWS]) {
        for feature in strip {
            for (square, &value) in squares.iter_mut().zip(feature) {
                *square = value.mul_add(value, *square);
            }
        }
    }
}

/// Calls `take` with every strip of at most 32 vectors, transposed to `[feature][vector]`; returns
/// the squared lengths, zero beyond the last vector.
fn transpose(
    n_features: usize,
    vectors: &[&[f32]],
    mut take: impl FnMut(&[[f32; N_ROWS]]),
) -> [f32; N_ROWS] {
    assert!(vectors.iter().all(|vector| vector.len() == n_features), "vectors differ in length");
    let cpu = Cpu::detect();
    let mut squares = [0.0; N_ROWS];
    let mut strip = [[0.0f32; N_ROWS]; STRIP];
    for start in (0..n_features).step_by(STRIP) {
        let end = (start + STRIP).min(n_features);
        for (lane, vector) in vectors.iter().enumerate() {
            for (feature, &value) in strip.iter_mut().zip(&vector[start..end]) {
                feature[lane] = value;
            }
        }
        let strip = &strip[..end - start];
        add_squares(cpu, strip, &mut squares);
        take(strip);
    }
    squares
}

impl Rows {
    /// Packs rows of `n_features` values.
    ///
    /// # Panics
    /// If a row has another length.
    pub fn pack(n_features: usize, rows: &[&[f32]]) -> Self {
        Self::pack_while(n_features, rows, || true).unwrap_or_else(|| unreachable!("never stopped"))
    }

    /// As [`Rows::pack`], asking before every panel of 32 rows whether to go on; none if not.
    ///
    /// # Panics
    /// If a row has another length.
    pub fn pack_while(
        n_features: usize,
        rows: &[&[f32]],
        go_on: impl Fn() -> bool,
    ) -> Option<Self> {
        let n_panels = rows.len().div_ceil(N_ROWS);
        let mut lines = Vec::with_capacity(n_panels * n_features * 2);
        let mut squares = Vec::with_capacity(n_panels * N_ROWS);
        for panel in rows.chunks(N_ROWS) {
            if !go_on() {
                return None;
            }
            squares.extend(transpose(n_features, panel, |strip| {
                for feature in strip {
                    lines.extend(feature.as_chunks::<16>().0.iter().map(|&half| Line(half)));
                }
            }));
        }
        Some(Rows { lines, n_features, n_rows: rows.len(), squares })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.n_rows
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.n_rows == 0
    }

    /// Squared lengths of the rows of a panel (zero beyond the last row).
    pub fn squares(&self, panel: usize) -> &[f32; N_ROWS] {
        self.squares[panel * N_ROWS..][..N_ROWS].try_into().expect("a panel is full")
    }
}

impl Queries {
    /// Packs queries of `n_features` values.
    ///
    /// # Panics
    /// If a query has another length.
    pub fn pack(n_features: usize, queries: &[&[f32]]) -> Self {
        let mut packed = Queries::default();
        packed.repack(n_features, queries);
        packed
    }

    /// As [`Queries::pack`], into memory that is already there.
    ///
    /// # Panics
    /// If a query has another length.
    pub fn repack(&mut self, n_features: usize, queries: &[&[f32]]) {
        (self.n_features, self.n_queries) = (n_features, queries.len());
        self.values.clear();
        self.squares.clear();
        for panel in queries.chunks(N_QUERIES) {
            let squares = transpose(n_features, panel, |strip| {
                for feature in strip {
                    self.values.extend_from_slice(&feature[..N_QUERIES]);
                }
            });
            self.squares.extend_from_slice(&squares[..panel.len()]);
        }
    }

    /// Number of queries.
    pub fn len(&self) -> usize {
        self.n_queries
    }

    /// True if there is no query.
    pub fn is_empty(&self) -> bool {
        self.n_queries == 0
    }

    /// Squared length of each query.
    pub fn squares(&self) -> &[f32] {
        &self.squares
    }
}

/// Adds to `tile` the products over features `block * BLOCK ..` (at most `BLOCK` of them) of one
/// panel of queries with one panel of rows.
///
/// # Panics
/// If a panel does not exist or the vectors differ in length.
pub fn add_tile(
    cpu: Cpu,
    queries: &Queries,
    query_panel: usize,
    rows: &Rows,
    row_panel: usize,
    block: usize,
    tile: &mut Tile,
) {
    let n_features = rows.n_features;
    assert_eq!(queries.n_features, n_features, "queries and rows differ in length");
    let (start, end) = ((block * BLOCK).min(n_features), ((block + 1) * BLOCK).min(n_features));
    let lines = &rows.lines[(row_panel * n_features + start) * 2..][..(end - start) * 2];
    let values = &queries.values[(query_panel * n_features + start) * N_QUERIES..]
        [..(end - start) * N_QUERIES];
    match cpu.0 {
        Level::Scalar => add_scalar(values, lines, tile),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the CPU features; both slices hold the same number of features.
        Level::Avx2 => unsafe { avx2::add(values, lines, tile) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the CPU features; both slices hold the same number of features.
        Level::Avx512 => unsafe { avx512::add(values, lines, tile) },
    }
}

/// The definition that the other variants are tested against.
fn add_scalar(values: &[f32], lines: &[Line], tile: &mut Tile) {
    for (queries, two_lines) in values.chunks_exact(N_QUERIES).zip(lines.chunks_exact(2)) {
        for (products, &query) in tile.iter_mut().zip(queries) {
            for (lane, product) in products.iter_mut().enumerate() {
                *product = query.mul_add(two_lines[lane / 16].0[lane % 16], *product);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    #[test]
    fn every_level_gives_the_same_bits_as_a_chain_of_fused_multiply_adds() {
        for n_features in [0, 1, 2, 15, 16, 17, 784, BLOCK - 1, BLOCK, BLOCK + 1] {
            let mut rng = Rng::new(n_features as u64, &["floats"]);
            let mut draw = |n: usize| -> Vec<Vec<f32>> {
                (0..n).map(|_| (0..n_features).map(|_| rng.normal_f32()).collect()).collect()
            };
            let (queries, rows) = (draw(13), draw(33));
            let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
            let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
            let packed_rows = Rows::pack(n_features, &rows);
            let packed_queries = Queries::pack(n_features, &queries);
            for cpu in Cpu::all() {
                for (query_idx, query) in queries.iter().enumerate() {
                    for (row_idx, row) in rows.iter().enumerate() {
                        let (q, r) = (query_idx / N_QUERIES, row_idx / N_ROWS);
                        let mut tile = [[0.0; N_ROWS]; N_QUERIES];
                        for block in 0..n_features.div_ceil(BLOCK) {
                            add_tile(cpu, &packed_queries, q, &packed_rows, r, block, &mut tile);
                        }
                        let naive =
                            query.iter().zip(*row).fold(0.0f32, |s, (a, b)| a.mul_add(*b, s));
                        let found = tile[query_idx % N_QUERIES][row_idx % N_ROWS];
                        assert_eq!(found.to_bits(), naive.to_bits(), "{cpu:?}, {n_features}");
                    }
                }
            }
        }
    }
}

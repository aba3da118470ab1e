//! Exact integer dot products of byte vectors, in tiles of 12 queries by 32 rows.
//!
//! Rows are packed so that four consecutive features of 16 rows fill one 64-byte line; a query
//! feature `q` is stored as the signed byte `q - 128`, which is what `vpdpbusd` (unsigned times
//! signed, four at a time) needs. A tile is `sum row * (q - 128)` on top of `128 * sum row`: the dot
//! product. All arithmetic is exact while `n_features <= MAX_FEATURES`.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod gram;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod vnni;

pub use gram::{ByteGram, GRAM_MAX_ROWS};

use super::cpu::{Cpu, Level};

/// Queries of a tile.
pub const N_QUERIES: usize = 12;
/// Rows of a tile.
pub const N_ROWS: usize = 32;
/// Longest vectors whose dot products surely fit `i32`: `255 * 255 * 33_025 < 2^31`.
pub const MAX_FEATURES: usize = 33_025;

/// Dot products of a tile, `[query][row]`.
pub type Tile = [[i32; N_ROWS]; N_QUERIES];

/// Four features of 16 rows, one cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Packed rows, with their sums and squared lengths.
pub struct Rows {
    lines: Vec<Line>,
    n_quads: usize,
    n_rows: usize,
    /// `128 * sum row`: what a signed query lacks.
    offsets: Vec<i32>,
    squares: Vec<i32>,
}

/// Packed queries, with their squared lengths.
#[derive(Default)]
pub struct Queries {
    quads: Vec<i32>,
    n_quads: usize,
    n_queries: usize,
    squares: Vec<i32>,
}

fn square(row: &[u8]) -> i32 {
    row.iter().map(|&v| i32::from(v) * i32::from(v)).sum()
}

impl Rows {
    /// Packs rows of `n_features` bytes.
    ///
    /// # Panics
    /// If a row has another length or `n_features > MAX_FEATURES`.
    pub fn pack(n_features: usize, rows: &[&[u8]]) -> Self {
        assert!(n_features <= MAX_FEATURES, "{n_features} features overflow i32");
        let n_quads = n_features.div_ceil(4);
        let n_panels = rows.len().div_ceil(N_ROWS);
        let mut lines = vec![Line([0; 64]); n_panels * n_quads * 2];
        let mut offsets = vec![0; n_panels * N_ROWS];
        let mut squares = vec![0; n_panels * N_ROWS];
        for (row_idx, row) in rows.iter().enumerate() {
            assert_eq!(row.len(), n_features, "rows differ in length");
            let (panel, lane) = (row_idx / N_ROWS, row_idx % N_ROWS);
            let panel = &mut lines[panel * n_quads * 2..][..n_quads * 2];
            for (quad, four) in row.chunks(4).enumerate() {
                let at = lane % 16 * 4;
                panel[quad * 2 + lane / 16].0[at..at + four.len()].copy_from_slice(four);
            }
            offsets[row_idx] = 128 * row.iter().map(|&v| i32::from(v)).sum::<i32>();
            squares[row_idx] = square(row);
        }
        Rows { lines, n_quads, n_rows: rows.len(), offsets, squares }
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
    pub fn squares(&self, panel: usize) -> &[i32; N_ROWS] {
        self.squares[panel * N_ROWS..][..N_ROWS].try_into().expect("a panel is full")
    }
}

impl Queries {
    /// Packs queries of `n_features` bytes.
    ///
    /// # Panics
    /// If a query has another length or `n_features > MAX_FEATURES`.
    pub fn pack(n_features: usize, queries: &[&[u8]]) -> Self {
        let mut packed = Queries::default();
        packed.repack(n_features, queries);
        packed
    }

    /// As [`Queries::pack`], into memory that is already there.
    ///
    /// # Panics
    /// If a query has another length or `n_features > MAX_FEATURES`.
    pub fn repack(&mut self, n_features: usize, queries: &[&[u8]]) {
        assert!(n_features <= MAX_FEATURES, "{n_features} features overflow i32");
        let n_quads = n_features.div_ceil(4);
        let n_panels = queries.len().div_ceil(N_QUERIES);
        (self.n_quads, self.n_queries) = (n_quads, queries.len());
        self.quads.clear();
        self.quads.resize(n_panels * n_quads * N_QUERIES, 0);
        for (query_idx, query) in queries.iter().enumerate() {
            assert_eq!(query.len(), n_features, "queries differ in length");
            let (panel, lane) = (query_idx / N_QUERIES, query_idx % N_QUERIES);
            let panel = &mut self.quads[panel * n_quads * N_QUERIES..][..n_quads * N_QUERIES];
            for (quad, four) in query.chunks(4).enumerate() {
                let mut bytes = [0u8; 4];
                bytes[..four.len()].copy_from_slice(four);
                panel[quad * N_QUERIES + lane] = i32::from_le_bytes(bytes.map(|v| v ^ 0x80));
            }
        }
        self.squares.clear();
        self.squares.extend(queries.iter().map(|query| square(query)));
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
    pub fn squares(&self) -> &[i32] {
        &self.squares
    }
}

/// Dot products of panel `query_panel` of the queries with panel `row_panel` of the rows; entries
/// beyond the last query or row are meaningless.
///
/// # Panics
/// If a panel does not exist or the vectors differ in length.
pub fn dot_tile(
    cpu: Cpu,
    queries: &Queries,
    query_panel: usize,
    rows: &Rows,
    row_panel: usize,
    tile: &mut Tile,
) {
    let n_quads = rows.n_quads;
    assert_eq!(queries.n_quads, n_quads, "queries and rows differ in length");
    let lines = &rows.lines[row_panel * n_quads * 2..][..n_quads * 2];
    let quads = &queries.quads[query_panel * n_quads * N_QUERIES..][..n_quads * N_QUERIES];
    let offsets = rows.offsets[row_panel * N_ROWS..].first_chunk().expect("a panel is full");
    tile_of(cpu, quads, lines, offsets, tile);
}

/// One tile of packed vectors: `lines` two a quad, `quads` [`N_QUERIES`] a quad.
fn tile_of(cpu: Cpu, quads: &[i32], lines: &[Line], offsets: &[i32; N_ROWS], tile: &mut Tile) {
    assert_eq!(quads.len() * 2, lines.len() * N_QUERIES, "queries and rows differ in length");
    match cpu.0 {
        Level::Scalar => scalar::tile(quads, lines, offsets, tile),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the CPU features; both slices hold the same number of quads.
        Level::Avx2 => unsafe { avx2::tile(quads, lines, offsets, tile) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the CPU features; both slices hold the same number of quads.
        Level::Avx512 => unsafe { vnni::tile(quads, lines, offsets, tile) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    fn check(n_features: usize, n_queries: usize, n_rows: usize, byte: impl Fn(&mut Rng) -> u8) {
        let mut rng = Rng::new(n_features as u64, &["bytes"]);
        let mut draw = |n: usize| -> Vec<Vec<u8>> {
            (0..n).map(|_| (0..n_features).map(|_| byte(&mut rng)).collect()).collect()
        };
        let (queries, rows) = (draw(n_queries), draw(n_rows));
        let queries: Vec<&[u8]> = queries.iter().map(Vec::as_slice).collect();
        let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        let packed_rows = Rows::pack(n_features, &rows);
        let packed_queries = Queries::pack(n_features, &queries);
        for cpu in Cpu::all() {
            let mut tile = [[0; N_ROWS]; N_QUERIES];
            for (query_idx, query) in queries.iter().enumerate() {
                for (row_idx, row) in rows.iter().enumerate() {
                    let (query_panel, row_panel) = (query_idx / N_QUERIES, row_idx / N_ROWS);
                    dot_tile(cpu, &packed_queries, query_panel, &packed_rows, row_panel, &mut tile);
                    let naive: i32 =
                        query.iter().zip(*row).map(|(&q, &r)| i32::from(q) * i32::from(r)).sum();
                    let found = tile[query_idx % N_QUERIES][row_idx % N_ROWS];
                    assert_eq!(found, naive, "{cpu:?}, {n_features} features");
                }
            }
        }
    }

    #[test]
    fn every_level_gives_the_naive_dot_products() {
        for n_features in [0, 1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 784, 785] {
            check(n_features, 13, 33, |rng| rng.next_u32() as u8);
        }
    }

    #[test]
    fn extreme_bytes_do_not_overflow() {
        check(MAX_FEATURES, 2, 2, |_| 255);
        check(1024, 3, 3, |rng| if rng.below(2) == 0 { 0 } else { 255 });
    }
}

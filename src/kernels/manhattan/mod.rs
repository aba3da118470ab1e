//! Manhattan distances (sums of absolute differences), in tiles of queries by rows.
//!
//! Of bytes the sums are exact: rows are packed so that eight consecutive features of eight rows
//! fill one 64-byte line, which is what `vpsadbw` (eight differences added at a time) needs. Of
//! floats every distance is one chain over features 0, 1, 2, …, whatever it was computed with:
//! [`FloatRows`].

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod floats;
mod scalar;

pub use super::bytes::{N_QUERIES, N_ROWS, Tile};
pub use floats::FloatRows;

use super::cpu::{Cpu, Level};

/// Longest byte vectors whose distance surely fits `i32`: `255 * 8_421_504 < 2^31`.
pub const MAX_FEATURES: usize = 8_421_504;

/// Eight features of eight rows, one cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Rows of a line.
const LINE_ROWS: usize = 8;
/// Lines of eight features of a panel.
const N_LINES: usize = N_ROWS / LINE_ROWS;

/// Packed rows of bytes.
pub struct ByteRows {
    /// `[panel][eight features][N_LINES]`
    lines: Vec<Line>,
    n_octets: usize,
    n_features: usize,
}

/// Packed queries of bytes.
pub struct ByteQueries {
    /// `[panel][eight features][N_QUERIES]`
    octets: Vec<u64>,
    n_features: usize,
}

fn check(n_features: usize, rows: &[&[u8]]) {
    assert!(n_features <= MAX_FEATURES, "{n_features} features overflow i32");
    assert!(rows.iter().all(|row| row.len() == n_features), "rows differ in length");
}

impl ByteRows {
    /// Packs rows of `n_features` bytes.
    ///
    /// # Panics
    /// If a row has another length or `n_features > MAX_FEATURES`.
    pub fn pack(n_features: usize, rows: &[&[u8]]) -> Self {
        check(n_features, rows);
        let n_octets = n_features.div_ceil(8);
        let mut lines = vec![Line([0; 64]); rows.len().div_ceil(N_ROWS) * n_octets * N_LINES];
        for (row_idx, row) in rows.iter().enumerate() {
            let (panel, lane) = (row_idx / N_ROWS, row_idx % N_ROWS);
            let panel = &mut lines[panel * n_octets * N_LINES..][..n_octets * N_LINES];
            for (octet, eight) in row.chunks(8).enumerate() {
                let at = lane % LINE_ROWS * 8;
                let line = &mut panel[octet * N_LINES + lane / LINE_ROWS];
                line.0[at..at + eight.len()].copy_from_slice(eight);
            }
        }
        ByteRows { lines, n_octets, n_features }
    }
}

impl ByteQueries {
    /// Packs queries of `n_features` bytes.
    ///
    /// # Panics
    /// If a query has another length or `n_features > MAX_FEATURES`.
    pub fn pack(n_features: usize, queries: &[&[u8]]) -> Self {
        check(n_features, queries);
        let n_octets = n_features.div_ceil(8);
        let mut octets = vec![0; queries.len().div_ceil(N_QUERIES) * n_octets * N_QUERIES];
        for (query_idx, query) in queries.iter().enumerate() {
            let (panel, lane) = (query_idx / N_QUERIES, query_idx % N_QUERIES);
            let panel = &mut octets[panel * n_octets * N_QUERIES..][..n_octets * N_QUERIES];
            for (octet, eight) in query.chunks(8).enumerate() {
                let mut bytes = [0u8; 8];
                bytes[..eight.len()].copy_from_slice(eight);
                panel[octet * N_QUERIES + lane] = u64::from_le_bytes(bytes);
            }
        }
        ByteQueries { octets, n_features }
    }
}

/// Distances of panel `query_panel` of the queries to panel `row_panel` of the rows; entries beyond
/// the last query or row are meaningless.
///
/// # Panics
/// If a panel does not exist or the vectors differ in length.
pub fn byte_tile(
    cpu: Cpu,
    queries: &ByteQueries,
    query_panel: usize,
    rows: &ByteRows,
    row_panel: usize,
    tile: &mut Tile,
) {
    assert_eq!(queries.n_features, rows.n_features, "queries and rows differ in length");
    let n_octets = rows.n_octets;
    let lines = &rows.lines[row_panel * n_octets * N_LINES..][..n_octets * N_LINES];
    let octets = &queries.octets[query_panel * n_octets * N_QUERIES..][..n_octets * N_QUERIES];
    match cpu.0 {
        Level::Scalar => scalar::tile(octets, lines, tile),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the CPU features; both slices hold the same number of octets.
        Level::Avx2 => unsafe { avx2::tile(octets, lines, tile) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the CPU features; both slices hold the same number of octets.
        Level::Avx512 => unsafe { avx512::tile(octets, lines, tile) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    fn check(n_features: usize, n_queries: usize, n_rows: usize, byte: impl Fn(&mut Rng) -> u8) {
        let mut rng = Rng::new(n_features as u64, &["manhattan"]);
        let mut draw = |n: usize| -> Vec<Vec<u8>> {
            (0..n).map(|_| (0..n_features).map(|_| byte(&mut rng)).collect()).collect()
        };
        let (queries, rows) = (draw(n_queries), draw(n_rows));
        let queries: Vec<&[u8]> = queries.iter().map(Vec::as_slice).collect();
        let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        let packed_rows = ByteRows::pack(n_features, &rows);
        let packed_queries = ByteQueries::pack(n_features, &queries);
        for cpu in Cpu::all() {
            let mut tile = [[0; N_ROWS]; N_QUERIES];
            for (q, query) in queries.iter().enumerate() {
                for (r, row) in rows.iter().enumerate() {
                    let (query_panel, row_panel) = (q / N_QUERIES, r / N_ROWS);
                    byte_tile(
                        cpu,
                        &packed_queries,
                        query_panel,
                        &packed_rows,
                        row_panel,
                        &mut tile,
                    );
                    let naive: i32 =
                        query.iter().zip(*row).map(|(&q, &r)| i32::from(q.abs_diff(r))).sum();
                    let found = tile[q % N_QUERIES][r % N_ROWS];
                    assert_eq!(found, naive, "{cpu:?}, {n_features} features");
                }
            }
        }
    }

    #[test]
    fn every_level_gives_the_naive_distances() {
        for n_features in [0, 1, 7, 8, 9, 63, 64, 65, 784, 785] {
            check(n_features, 13, 33, |rng| rng.next_u32() as u8);
        }
    }

    #[test]
    fn extreme_bytes_do_not_overflow() {
        check(70_000, 2, 9, |rng| if rng.below(2) == 0 { 0 } else { 255 });
    }
}

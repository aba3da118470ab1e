//! Queries, packed for products with many rows: interleaved, or as lists of what is not zero.

use super::rows::{LANES, transpose};
use super::{BLOCK, N_QUERIES};
use crate::kernels::Cpu;
use crate::kernels::cpu::per_level;

/// Packed queries, with their squared lengths.
#[derive(Default)]
pub struct Queries {
    pub(super) form: Form,
    pub(super) n_features: usize,
    n_queries: usize,
    squares: Vec<f32>,
}

pub(super) enum Form {
    Tiles(Tiles),
    Lists(Lists),
}

impl Default for Form {
    fn default() -> Self {
        Form::Tiles(Tiles::default())
    }
}

/// Queries in threes.
#[derive(Default)]
pub(super) struct Tiles {
    /// `[block][three][feature][3]`, zero beyond the last query.
    values: Vec<f32>,
    n_queries: usize,
}

/// The tiles of a block of features: `[three][feature][3]`.
#[derive(Clone, Copy)]
pub(super) struct TileBlock<'a> {
    pub values: &'a [f32],
    pub n_queries: usize,
}

/// Entries that are not zero, by feature block, query and feature.
#[derive(Default)]
pub(super) struct Lists {
    /// Position in the block: less than its number of features.
    features: Vec<u8>,
    values: Vec<f32>,
    /// Where the list of `[block][query]` starts; one more at the end.
    starts: Vec<u32>,
    n_queries: usize,
}

/// The lists of a block of features: that of query `q` is `starts[q]..starts[q + 1]`.
#[derive(Clone, Copy)]
pub(super) struct ListBlock<'a> {
    pub features: &'a [u8],
    pub values: &'a [f32],
    pub starts: &'a [u32],
}

const _: () = assert!(BLOCK <= 256);

/// Whether lists are faster: they load a row for each multiply-add and reach 0.65 of the limit, tiles
/// 0.85 (`benches/kernels.rs`).
fn lists_pay(n_entries: usize, n_queries: usize, n_features: usize) -> bool {
    n_entries * 5 < n_queries.next_multiple_of(N_QUERIES) * n_features * 4
}

per_level! {
    /// Number of values that are not zero.
    pub fn count_entries(values: &[f32]) -> usize {
        // Short runs: a lane of 32 bits counts without widening.
        values.chunks(4096).map(|run| {
            run.iter().map(|&v| u32::from(v != 0.0)).sum::<u32>() as usize
        }).sum()
    }
}

impl Tiles {
    fn repack(&mut self, n_features: usize, queries: &[&[f32]]) {
        self.n_queries = queries.len();
        self.values.clear();
        self.values.reserve(queries.len().next_multiple_of(N_QUERIES) * n_features);
        for start in (0..n_features).step_by(BLOCK) {
            let end = (start + BLOCK).min(n_features);
            for three in queries.chunks(N_QUERIES) {
                if let [a, b, c] = three {
                    let all = a[start..end].iter().zip(&b[start..end]).zip(&c[start..end]);
                    self.values.extend(all.flat_map(|((&a, &b), &c)| [a, b, c]));
                } else {
                    let value =
                        |query: usize, feature: usize| three.get(query).map_or(0.0, |v| v[feature]);
                    let features = start..end;
                    self.values
                        .extend(features.flat_map(|f| [value(0, f), value(1, f), value(2, f)]));
                }
            }
        }
    }

    pub fn block(&self, block: usize) -> TileBlock<'_> {
        let n_padded = self.n_queries.next_multiple_of(N_QUERIES);
        let start = block * BLOCK * n_padded;
        let end = (start + BLOCK * n_padded).min(self.values.len());
        TileBlock { values: &self.values[start..end], n_queries: self.n_queries }
    }
}

impl Lists {
    fn repack(&mut self, n_entries: usize, n_features: usize, queries: &[&[f32]]) {
        assert!(u32::try_from(n_entries).is_ok(), "a batch of {n_entries} entries");
        self.n_queries = queries.len();
        self.features.clear();
        self.values.clear();
        self.starts.clear();
        self.starts.push(0);
        let mut features = [0u8; BLOCK];
        let mut values = [0.0f32; BLOCK];
        for start in (0..n_features).step_by(BLOCK) {
            for query in queries {
                let mut n = 0;
                let block = &query[start..(start + BLOCK).min(n_features)];
                for (feature, &value) in block.iter().enumerate() {
                    // Written always, counted if not zero: no branch to mispredict.
                    features[n] = feature as u8;
                    values[n] = value;
                    n += usize::from(value != 0.0);
                }
                self.features.extend_from_slice(&features[..n]);
                self.values.extend_from_slice(&values[..n]);
                self.starts.push(self.values.len() as u32);
            }
        }
    }

    pub fn block(&self, block: usize) -> ListBlock<'_> {
        let starts = &self.starts[block * self.n_queries..][..self.n_queries + 1];
        ListBlock { features: &self.features, values: &self.values, starts }
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
        self.squares.clear();
        for queries in queries.chunks(LANES) {
            let squares = transpose(n_features, queries, |_| ());
            self.squares.extend_from_slice(&squares[..queries.len()]);
        }
        let cpu = Cpu::detect();
        let n_entries = queries.iter().map(|query| count_entries(cpu, query)).sum();
        let lists = lists_pay(n_entries, queries.len(), n_features);
        match &mut self.form {
            Form::Tiles(tiles) if !lists => tiles.repack(n_features, queries),
            Form::Lists(entries) if lists => entries.repack(n_entries, n_features, queries),
            form if lists => {
                let mut entries = Lists::default();
                entries.repack(n_entries, n_features, queries);
                *form = Form::Lists(entries);
            }
            form => {
                let mut tiles = Tiles::default();
                tiles.repack(n_features, queries);
                *form = Form::Tiles(tiles);
            }
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

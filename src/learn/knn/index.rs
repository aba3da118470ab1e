//! All training rows, packed for a search of all of them with many queries at once.
//!
//! ```text
//! for each batch of queries (in parallel):
//!   for each panel of rows, ascending:
//!     distances of the batch to the panel, a tile at a time
//!     queries with a distance below their limit (the k-th smallest so far) look at theirs
//! ```
//!
//! Integer distances (Euclidean and Manhattan on bytes) are exact. Of the others a rounded lower
//! bound is compared with the limit, and what passes is computed again in `f64` from the differences
//! themselves: the neighbours are those of an exhaustive search in `f64`, whatever cancels in
//! `q^2 + r^2 - 2 q r`. With unit roundoff `u = 2^-24` a product of `n` features, one chain of fused
//! multiply-adds, is off by at most `n u |q| |r|`, and so are the squares; since
//! `2 |q| |r| <= q^2 + r^2`, taking `1 - (2 n + 16) u` of the two squares covers all roundings.
//!
//! Rows come in ascending order and the limit is strict, so of equal distances the smaller row is
//! kept. The neighbours of a query do not depend on its batch, nor on the number of threads.

use std::ops::Range;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::params::Metric;
use super::top::{Entry, Top};
use crate::data::Features;
use crate::kernels::bytes::{self, N_QUERIES, N_ROWS, Tile};
use crate::kernels::{Cpu, floats, manhattan, nearest};
use crate::learn::LearnError;
use crate::progress::Progress;

/// Most query panels of a batch of bytes: 600 KiB at 784 features, within the second cache.
const MAX_PANELS: usize = 64;
/// Queries of a batch of floats.
const FLOAT_BATCH: usize = 192;
/// Rows of a panel of floats, and its strips.
const PANEL: usize = 128;
const PANEL_STRIPS: usize = PANEL / floats::N_ROWS;
/// More features than this, and roundings could add up to half a distance.
const MAX_FLOAT_FEATURES: usize = 1 << 21;

/// Rows packed for one metric and one type of queries.
pub(super) struct Index {
    cpu: Cpu,
    metric: Metric,
    n_rows: usize,
    n_features: usize,
    packed: Packed,
}

enum Packed {
    Bytes(bytes::Rows),
    /// With 1 over the length of each row, 0 for rows of zeros, `[panels * 32]`.
    BytesCosine(bytes::Rows, Vec<f32>),
    BytesManhattan(manhattan::ByteRows),
    /// With the term of each row in the bound, `[panels * 128]`.
    Floats(floats::Rows, Vec<f32>),
    FloatsManhattan(manhattan::FloatRows),
}

/// Whether rows of so many bytes have exact integer distances.
pub(super) fn takes_bytes(metric: Metric, n_features: usize) -> bool {
    match metric {
        Metric::Euclidean | Metric::Cosine => n_features <= bytes::MAX_FEATURES,
        Metric::Manhattan => n_features <= manhattan::MAX_FEATURES,
    }
}

/// Row-major rows as slices.
fn slices<T>(rows: ArrayView2<'_, T>) -> Vec<&[T]> {
    let n_features = rows.ncols();
    let values = rows.to_slice().expect("rows are row-major");
    values.chunks_exact(n_features.max(1)).collect()
}

/// The cosine distance of two rows by their product and squared lengths; exactly 0 of equal rows.
fn cosine(product: f64, square: f64, other: f64) -> f64 {
    let lengths = (square * other).sqrt();
    if lengths > 0.0 { (1.0 - product / lengths).max(0.0) } else { 1.0 }
}

/// A row of unit length, rounded; zeros stay.
fn normalised(row: &[f32], out: &mut Vec<f32>) {
    let length = nearest::product(Cpu::detect(), row, row).sqrt();
    let factor = if length > 0.0 { 1.0 / length } else { 0.0 };
    out.extend(row.iter().map(|&value| (f64::from(value) * factor) as f32));
}

fn all_normalised(rows: &[&[f32]], n_features: usize) -> Vec<f32> {
    let mut all = Vec::with_capacity(rows.len() * n_features);
    rows.iter().for_each(|row| normalised(row, &mut all));
    all
}

/// What is left of a sum of two squares, or of a sum of absolute differences, after all that
/// roundings may have added; not a number (everything is looked at) for too many features.
fn shrink(metric: Metric, n_features: usize) -> f32 {
    let n = n_features as f64;
    let n_roundings = match metric {
        Metric::Manhattan => n + 8.0,
        Metric::Euclidean | Metric::Cosine => 2.0 * n + 16.0,
    };
    if n_features > MAX_FLOAT_FEATURES {
        return f32::NAN;
    }
    (1.0 - 1.01 * n_roundings * 0.5f64.powi(24)) as f32
}

impl Index {
    /// Packs row-major rows.
    ///
    /// # Panics   if [`takes_bytes`] refuses bytes of this metric
    pub fn new(cpu: Cpu, metric: Metric, rows: &Features) -> Self {
        let n_features = rows.n_features();
        let packed = match (rows, metric) {
            (Features::Bytes(rows), Metric::Manhattan) => {
                Packed::BytesManhattan(manhattan::ByteRows::pack(n_features, &slices(rows.view())))
            }
            (Features::Bytes(rows), _) => {
                let packed = bytes::Rows::pack(n_features, &slices(rows.view()));
                if metric == Metric::Euclidean {
                    Packed::Bytes(packed)
                } else {
                    let n_panels = packed.len().div_ceil(N_ROWS);
                    let squares = (0..n_panels).flat_map(|panel| *packed.squares(panel));
                    let inverse = |square: i32| match square {
                        0 => 0.0,
                        square => (1.0 / f64::from(square).sqrt()) as f32,
                    };
                    let inverses = squares.map(inverse).collect();
                    Packed::BytesCosine(packed, inverses)
                }
            }
            (Features::Floats(rows), Metric::Manhattan) => {
                let rows = slices(rows.view());
                Packed::FloatsManhattan(manhattan::FloatRows::pack(n_features, &rows))
            }
            (Features::Floats(rows), Metric::Cosine) => {
                let unit = all_normalised(&slices(rows.view()), n_features);
                let rows: Vec<&[f32]> = unit.chunks_exact(n_features.max(1)).collect();
                let packed = floats::Rows::pack(n_features, &rows);
                let n_strips = rows.len().div_ceil(floats::N_ROWS);
                Packed::Floats(packed, vec![0.0; n_strips * floats::N_ROWS])
            }
            (Features::Floats(rows), Metric::Euclidean) => {
                let packed = floats::Rows::pack(n_features, &slices(rows.view()));
                let shrink = shrink(metric, n_features);
                let squares = packed.squares(0..packed.len().div_ceil(floats::N_ROWS));
                let terms = squares.iter().map(|square| square * shrink).collect();
                Packed::Floats(packed, terms)
            }
        };
        Index { cpu, metric, n_rows: rows.n_samples(), n_features, packed }
    }

    /// The `k` nearest of `rows`, which the index was made of, to each of some queries, nearest
    /// first; distances as [`Index::distance`] reads them.
    ///
    /// # Errors   if the user asks to stop
    /// # Panics   if rows or queries are of another type or width than the index
    pub fn search(
        &self,
        rows: &Features,
        queries: &Features,
        which: Range<usize>,
        k: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<Entry>>, LearnError> {
        match (rows, queries) {
            (Features::Bytes(_), Features::Bytes(queries)) => {
                let all = slices(queries.view());
                let queries = &all[which];
                let n_panels = queries.len().div_ceil(N_QUERIES);
                // Batches of equal size, a whole number for each thread.
                let n_threads = rayon::current_num_threads();
                let n_batches = n_panels.div_ceil(MAX_PANELS).next_multiple_of(n_threads);
                let size = n_panels.div_ceil(n_batches.max(1)).max(1) * N_QUERIES;
                in_batches(queries, size, progress, |batch| self.scan_bytes(batch, k, progress))
            }
            (Features::Floats(rows), Features::Floats(queries)) => {
                let rows = slices(rows.view());
                let all = slices(queries.view());
                in_batches(&all[which], FLOAT_BATCH, progress, |batch| {
                    self.scan_floats(&rows, batch, k, progress)
                })
            }
            _ => panic!("rows and queries differ in type"),
        }
    }

    /// The distance of an entry in real units, where a byte counts as itself / 255.
    pub fn distance(&self, (bits, _): Entry) -> f64 {
        match self.packed {
            Packed::Bytes(_) => (bits as f64).sqrt() / 255.0,
            Packed::BytesManhattan(_) => bits as f64 / 255.0,
            Packed::Floats(..) if self.metric == Metric::Euclidean => f64::from_bits(bits).sqrt(),
            Packed::BytesCosine(..) | Packed::Floats(..) | Packed::FloatsManhattan(_) => {
                f64::from_bits(bits)
            }
        }
    }

    fn scan_bytes(
        &self,
        queries: &[&[u8]],
        k: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<Entry>>, LearnError> {
        let cpu = self.cpu;
        match &self.packed {
            Packed::Bytes(rows) => {
                let packed = bytes::Queries::pack(self.n_features, queries);
                let tile = |query_panel, row_panel, tile: &mut Tile| {
                    bytes::dot_tile(cpu, &packed, query_panel, rows, row_panel, tile);
                };
                let row_terms = |panel| rows.squares(panel);
                self.scan_ints(packed.squares(), -2, row_terms, tile, k, progress)
            }
            Packed::BytesManhattan(rows) => {
                let packed = manhattan::ByteQueries::pack(self.n_features, queries);
                let tile = |query_panel, row_panel, tile: &mut Tile| {
                    manhattan::byte_tile(cpu, &packed, query_panel, rows, row_panel, tile);
                };
                let zeros = vec![0; queries.len()];
                self.scan_ints(&zeros, 1, |_| &[0; N_ROWS], tile, k, progress)
            }
            Packed::BytesCosine(rows, inverses) => {
                self.scan_byte_cosines(rows, inverses, queries, k, progress)
            }
            Packed::Floats(..) | Packed::FloatsManhattan(_) => unreachable!("an index of floats"),
        }
    }

    /// Distances `query_terms[q] + row_terms(panel)[r] + factor * tile[q][r]`, all exact.
    fn scan_ints<'a>(
        &self,
        query_terms: &[i32],
        factor: i32,
        row_terms: impl Fn(usize) -> &'a [i32; N_ROWS],
        tile_of: impl Fn(usize, usize, &mut Tile),
        k: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<Entry>>, LearnError> {
        let cpu = self.cpu;
        let mut tops: Vec<Top> = query_terms.iter().map(|_| Top::new(k)).collect();
        let mut limits = vec![i32::MAX; query_terms.len()];
        let mut tile = [[0; N_ROWS]; N_QUERIES];
        for row_panel in 0..self.n_rows.div_ceil(N_ROWS) {
            stop_if(progress)?;
            let first_row = row_panel * N_ROWS;
            let n_lanes = N_ROWS.min(self.n_rows - first_row);
            let row_terms = row_terms(row_panel);
            let panels = query_terms.chunks(N_QUERIES).zip(limits.chunks_mut(N_QUERIES));
            let panels = panels.zip(tops.chunks_mut(N_QUERIES));
            for (query_panel, ((terms, limits), tops)) in panels.enumerate() {
                tile_of(query_panel, row_panel, &mut tile);
                let mut found =
                    nearest::any_below_ints(cpu, &tile, terms, row_terms, factor, limits);
                while found != 0 {
                    let query = found.trailing_zeros() as usize;
                    found &= found - 1;
                    for lane in 0..n_lanes {
                        let product = factor.wrapping_mul(tile[query][lane]);
                        let sum = terms[query].wrapping_add(row_terms[lane]);
                        let distance = sum.wrapping_add(product);
                        if distance < limits[query] {
                            tops[query].offer((distance as u64, (first_row + lane) as u32));
                            limits[query] = tops[query].limit().map_or(i32::MAX, |l| l as i32);
                        }
                    }
                }
            }
        }
        Ok(tops.into_iter().map(Top::into_sorted).collect())
    }

    fn scan_byte_cosines(
        &self,
        rows: &bytes::Rows,
        inverses: &[f32],
        queries: &[&[u8]],
        k: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<Entry>>, LearnError> {
        let cpu = self.cpu;
        let packed = bytes::Queries::pack(self.n_features, queries);
        let squares = packed.squares();
        // Similarities are rounded five times, none is above 1.
        let query_term = 1.0 - 16.0 * f32::EPSILON;
        let mut search: Vec<Candidates> = queries.iter().map(|_| Candidates::new(k)).collect();
        let mut tile = [[0; N_ROWS]; N_QUERIES];
        let mut similarities = [0.0; N_ROWS];
        for row_panel in 0..self.n_rows.div_ceil(N_ROWS) {
            stop_if(progress)?;
            let first_row = row_panel * N_ROWS;
            let n_lanes = N_ROWS.min(self.n_rows - first_row);
            let row_squares = rows.squares(row_panel);
            let inverses = inverses[first_row..].first_chunk().expect("a panel is full");
            for (query_panel, search) in search.chunks_mut(N_QUERIES).enumerate() {
                bytes::dot_tile(cpu, &packed, query_panel, rows, row_panel, &mut tile);
                for (lane, search) in search.iter_mut().enumerate() {
                    let products = &tile[lane];
                    nearest::scale_ints(cpu, products, inverses, &mut similarities);
                    let square = f64::from(squares[query_panel * N_QUERIES + lane]);
                    let factor = if square > 0.0 { -(1.0 / square.sqrt()) as f32 } else { 0.0 };
                    let bound = Bound { cpu, query_term, row_terms: &[0.0; N_ROWS], factor };
                    search.look(&similarities[..n_lanes], bound, first_row, |row| {
                        let lane = row - first_row;
                        cosine(f64::from(products[lane]), square, f64::from(row_squares[lane]))
                    });
                }
            }
        }
        Ok(search.into_iter().map(|search| search.top.into_sorted()).collect())
    }

    fn scan_floats(
        &self,
        rows: &[&[f32]],
        queries: &[&[f32]],
        k: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<Entry>>, LearnError> {
        let cpu = self.cpu;
        let shrink = shrink(self.metric, self.n_features);
        let mut search: Vec<Candidates> = queries.iter().map(|_| Candidates::new(k)).collect();
        match &self.packed {
            Packed::FloatsManhattan(packed) => {
                let mut lines = vec![[0.0; N_ROWS]; queries.len()];
                for (panel, of_panel) in rows.chunks(N_ROWS).enumerate() {
                    stop_if(progress)?;
                    packed.distances(cpu, queries, panel, &mut lines);
                    let bound =
                        Bound { cpu, query_term: 0.0, row_terms: &[0.0; N_ROWS], factor: shrink };
                    for ((search, line), query) in search.iter_mut().zip(&lines).zip(queries) {
                        search.look(&line[..of_panel.len()], bound, panel * N_ROWS, |row| {
                            nearest::absolute_distance(cpu, query, rows[row])
                        });
                    }
                }
            }
            Packed::Floats(packed, row_terms) => {
                let squares: Vec<f64> =
                    queries.iter().map(|query| nearest::product(cpu, query, query)).collect();
                let is_cosine = self.metric == Metric::Cosine;
                let unit;
                let packed_queries = if is_cosine {
                    unit = all_normalised(queries, self.n_features);
                    let unit: Vec<&[f32]> = unit.chunks_exact(self.n_features.max(1)).collect();
                    floats::Queries::pack(self.n_features, &unit)
                } else {
                    floats::Queries::pack(self.n_features, queries)
                };
                let mut lines = vec![0.0; queries.len() * PANEL];
                for (panel, of_panel) in rows.chunks(PANEL).enumerate() {
                    stop_if(progress)?;
                    let first_strip = panel * PANEL_STRIPS;
                    let strips = first_strip..first_strip + of_panel.len().div_ceil(floats::N_ROWS);
                    floats::products(cpu, &packed_queries, packed, strips, &mut lines, PANEL);
                    let row_terms = &row_terms[panel * PANEL..][..of_panel.len()];
                    for (nth, (search, query)) in search.iter_mut().zip(queries).enumerate() {
                        let line = &lines[nth * PANEL..][..of_panel.len()];
                        if is_cosine {
                            let bound = Bound { cpu, query_term: shrink, row_terms, factor: -1.0 };
                            search.look(line, bound, panel * PANEL, |row| {
                                let row = rows[row];
                                let square = nearest::product(cpu, row, row);
                                cosine(nearest::product(cpu, query, row), squares[nth], square)
                            });
                        } else {
                            let query_term = packed_queries.squares()[nth] * shrink;
                            let bound = Bound { cpu, query_term, row_terms, factor: -2.0 };
                            search.look(line, bound, panel * PANEL, |row| {
                                nearest::squared_distance(cpu, query, rows[row])
                            });
                        }
                    }
                }
            }
            _ => unreachable!("an index of bytes"),
        }
        Ok(search.into_iter().map(|search| search.top.into_sorted()).collect())
    }
}

/// `query_term + row_terms[r] + factor * value[r]` is not above the exact distance of row `r`.
#[derive(Clone, Copy)]
struct Bound<'a> {
    cpu: Cpu,
    query_term: f32,
    row_terms: &'a [f32],
    factor: f32,
}

/// The nearest rows of one query whose distances are real numbers.
struct Candidates {
    top: Top,
    /// Bounds from here on cannot be among the nearest. Not a number: all may be.
    limit: f32,
}

impl Candidates {
    fn new(k: usize) -> Self {
        Candidates { top: Top::new(k), limit: f32::NAN }
    }

    /// Offers the rows whose bound is below the limit, by their exact distances.
    fn look(
        &mut self,
        values: &[f32],
        bound: Bound,
        first_row: usize,
        exact: impl Fn(usize) -> f64,
    ) {
        let Bound { cpu, query_term, row_terms, factor } = bound;
        // A square that overflows makes a bound that is too high.
        let limit = if query_term.is_finite() { self.limit } else { f32::NAN };
        if !nearest::any_below_floats(cpu, values, query_term, row_terms, factor, limit) {
            return;
        }
        for (lane, (&value, &term)) in values.iter().zip(row_terms).enumerate() {
            let at_least = factor.mul_add(value, query_term + term);
            let limit = if query_term.is_finite() { self.limit } else { f32::NAN };
            if at_least >= limit {
                continue;
            }
            let row = first_row + lane;
            self.top.offer((exact(row).to_bits(), row as u32));
            if let Some(worst) = self.top.limit() {
                // Products below the normal numbers lose up to 2^-149 each, millions of them 1e-38.
                let rounded_up = (f64::from_bits(worst) as f32).next_up();
                self.limit = rounded_up + f32::MIN_POSITIVE;
            }
        }
    }
}

fn stop_if(progress: &dyn Progress) -> Result<(), LearnError> {
    if progress.interrupted() { Err(LearnError::Interrupted) } else { Ok(()) }
}

/// Searches batches of queries in parallel; the results in the order of the queries.
fn in_batches<Q: Sync>(
    queries: &[Q],
    size: usize,
    progress: &dyn Progress,
    scan: impl Fn(&[Q]) -> Result<Vec<Vec<Entry>>, LearnError> + Sync,
) -> Result<Vec<Vec<Entry>>, LearnError> {
    let n_done = AtomicUsize::new(0);
    let batches: Result<Vec<_>, LearnError> = queries
        .par_chunks(size)
        .map(|batch| {
            let found = scan(batch)?;
            let n_done = n_done.fetch_add(batch.len(), Relaxed) + batch.len();
            progress.update(n_done as u64, queries.len() as u64, "");
            Ok(found)
        })
        .collect();
    Ok(batches?.into_iter().flatten().collect())
}

//! Matrix products through the `gemm` crate, safe and reproducible.
//!
//! Every product runs on one thread; parallel ones are cut into tiles of a fixed size that rayon
//! hands out, so the bits of a result never depend on the number of threads. With `gemm`'s feature
//! `x86-v4` one core of a Zen 5 reaches 216 GFLOP/s on 512x5408x128 (AVX2: 115).

use rayon::prelude::*;

/// A matrix in borrowed memory; element `(i, j)` is `data[i * row_stride + j * col_stride]`.
#[derive(Clone, Copy)]
pub struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Mat<'a> {
    /// A row-major matrix `[rows, cols]`.
    ///
    /// # Panics
    /// If `data` has another length.
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "matrix {rows}x{cols}");
        Mat { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transposed matrix; nothing is moved.
    pub fn t(self) -> Self {
        Mat {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    /// The columns `from..to`; nothing is moved.
    fn columns(self, from: usize, to: usize) -> Self {
        let start = (from * self.col_stride).min(self.data.len());
        Mat { data: &self.data[start..], cols: to - from, ..self }
    }
}

/// `c = a b`, or `c += a b` if `accumulate`; `c` is row-major `[a.rows, b.cols]`. One thread.
///
/// # Panics
/// If the shapes do not fit.
pub fn gemm(a: Mat<'_>, b: Mat<'_>, c: &mut [f32], accumulate: bool) {
    let (rows, cols) = (a.rows, b.cols);
    check(a, b, c);
    // SAFETY: `check` saw that `c` holds `rows * cols` values; the tile is the whole of it.
    unsafe { tile(a, b, c.as_mut_ptr(), accumulate, (0, rows), (0, cols)) }
}

/// `c = a b` as [`gemm()`], in parallel over tiles of `tile_rows x tile_cols` of `c`.
///
/// # Panics
/// If the shapes do not fit or a tile is empty.
pub fn gemm_tiled(a: Mat<'_>, b: Mat<'_>, c: &mut [f32], tile_rows: usize, tile_cols: usize) {
    assert!(tile_rows > 0 && tile_cols > 0, "empty tile");
    check(a, b, c);
    let (rows, cols) = (a.rows, b.cols);
    let n_across = cols.div_ceil(tile_cols);
    let n_tiles = n_across * rows.div_ceil(tile_rows);
    let c = SendPtr(c.as_mut_ptr());
    (0..n_tiles).into_par_iter().for_each(|i| {
        let (row, col) = (i / n_across * tile_rows, i % n_across * tile_cols);
        let row_range = (row, (row + tile_rows).min(rows));
        let col_range = (col, (col + tile_cols).min(cols));
        // SAFETY: `check` saw that `c` holds `rows * cols` values, the borrow outlives the loop,
        // and different tiles have no element in common.
        unsafe { tile(a, b, c.get(), false, row_range, col_range) }
    });
}

/// Parts of `c = a b` whose sum is `c`, in parallel: part `i` covers inner indices
/// `i * inner..(i + 1) * inner` and lies at `parts[i * a.rows * b.cols..]`.
///
/// For a product of few rows and a long inner dimension: each part packs its own piece of `a` and
/// `b`, which tiles of `c` would all pack again.
///
/// # Panics
/// If the shapes do not fit or `inner` is 0.
pub fn gemm_parts(a: Mat<'_>, b: Mat<'_>, parts: &mut [f32], inner: usize) {
    assert_eq!(a.cols, b.rows, "inner dimensions");
    let (n_inner, n_values) = (a.cols, a.rows * b.cols);
    assert_eq!(parts.len(), n_inner.div_ceil(inner) * n_values, "parts of {}x{}", a.rows, b.cols);
    if n_values == 0 {
        return;
    }
    parts.par_chunks_mut(n_values).enumerate().for_each(|(i, part)| {
        let (from, to) = (i * inner, ((i + 1) * inner).min(n_inner));
        gemm(a.columns(from, to), b.t().columns(from, to).t(), part, false);
    });
}

/// A pointer that disjoint tiles are written through.
struct SendPtr(*mut f32);

// SAFETY: the users of `SendPtr` write disjoint elements only.
unsafe impl Send for SendPtr {}
// SAFETY: as above.
unsafe impl Sync for SendPtr {}

impl SendPtr {
    fn get(&self) -> *mut f32 {
        self.0
    }
}

fn check(a: Mat<'_>, b: Mat<'_>, c: &[f32]) {
    assert_eq!(a.cols, b.rows, "inner dimensions");
    assert_eq!(c.len(), a.rows * b.cols, "output of {}x{}", a.rows, b.cols);
}

/// Computes one tile of `c`.
///
/// # Safety
/// `c` must point to `a.rows * b.cols` values that nobody else touches within the tile.
unsafe fn tile(
    a: Mat<'_>,
    b: Mat<'_>,
    c: *mut f32,
    accumulate: bool,
    (row, row_end): (usize, usize),
    (col, col_end): (usize, usize),
) {
    let (m, n, k) = (row_end - row, col_end - col, a.cols);
    if m == 0 || n == 0 {
        return;
    }
    // SAFETY: a `Mat` holds every element its strides reach (`new` checked the length), the ranges
    // lie within the shapes, and the caller vouches for `c`.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.add(row * b.cols + col),
            1,
            b.cols as isize,
            accumulate,
            a.data.as_ptr().add(row * a.row_stride),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr().add(col * b.col_stride),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    fn naive(a: Mat<'_>, b: Mat<'_>) -> Vec<f32> {
        let at =
            |m: Mat<'_>, i: usize, j: usize| f64::from(m.data[i * m.row_stride + j * m.col_stride]);
        (0..a.rows * b.cols)
            .map(|ij| {
                let (i, j) = (ij / b.cols, ij % b.cols);
                (0..a.cols).map(|k| at(a, i, k) * at(b, k, j)).sum::<f64>() as f32
            })
            .collect()
    }

    fn draw(n: usize, purpose: &str) -> Vec<f32> {
        let mut rng = Rng::new(1, &[purpose]);
        (0..n).map(|_| rng.uniform_f32(-1.0, 1.0)).collect()
    }

    /// Tolerance: 1e-5 per unit of the sum of at most 70 products below 1.
    #[test]
    fn products_match_the_naive_sum_for_every_shape_and_transposition() {
        for (m, k, n) in [(1, 1, 1), (3, 5, 7), (17, 70, 33), (64, 9, 16), (5, 0, 4)] {
            let (a, b) = (draw(m * k, "a"), draw(k * n, "b"));
            let plain = (Mat::new(&a, m, k), Mat::new(&b, k, n));
            let turned = (Mat::new(&a, k, m).t(), Mat::new(&b, n, k).t());
            for (a, b) in [plain, turned] {
                let expected = naive(a, b);
                let mut whole = vec![0.5; m * n];
                gemm(a, b, &mut whole, false);
                let mut tiled = vec![0.5; m * n];
                gemm_tiled(a, b, &mut tiled, 4, 6);
                let mut added = vec![0.5; m * n];
                gemm(a, b, &mut added, true);
                let mut parts = vec![0.5; k.div_ceil(16) * m * n];
                gemm_parts(a, b, &mut parts, 16);
                for i in 0..m * n {
                    let sum: f32 = parts.iter().skip(i).step_by(m * n).sum();
                    assert!((sum - expected[i]).abs() < 1e-4, "{m}x{k}x{n} at {i}");
                    assert!((whole[i] - expected[i]).abs() < 1e-4, "{m}x{k}x{n} at {i}");
                    assert!((tiled[i] - expected[i]).abs() < 1e-4, "{m}x{k}x{n} at {i}");
                    assert!((added[i] - expected[i] - 0.5).abs() < 1e-4, "{m}x{k}x{n} at {i}");
                }
            }
        }
    }
}

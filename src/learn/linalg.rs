//! Decompositions of symmetric matrices, by faer on one thread: the same bits whatever the number of
//! threads. Matrices are row-major and read in their lower triangle.

mod largest;

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use faer::linalg::matmul::{matmul, triangular};
use faer::linalg::solvers::Solve;
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Accum, MatMut, MatRef, Par, Side};
use ndarray::{Array2, ArrayView2};

pub(super) use largest::{LargestEigen, largest_eigen};

use crate::progress::Progress;

/// Time between two looks at [`Progress::interrupted`].
const POLL: Duration = Duration::from_millis(50);

/// Why a matrix could not be decomposed.
#[derive(Debug, thiserror::Error)]
pub enum LinalgError {
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The iteration for the eigenvalues did not end, as with values that are not finite.
    #[error("the eigenvalues of a matrix of {n} rows did not converge")]
    NoConvergence {
        /// Rows of the matrix.
        n: usize,
    },
}

fn view(matrix: &Array2<f64>) -> MatRef<'_, f64> {
    let (rows, columns) = matrix.dim();
    let values = matrix.as_slice().expect("matrices here are row-major");
    MatRef::from_row_major_slice(values, rows, columns)
}

fn view_mut(matrix: &mut Array2<f64>) -> MatMut<'_, f64> {
    let (rows, columns) = matrix.dim();
    let values = matrix.as_slice_mut().expect("matrices here are row-major");
    MatMut::from_row_major_slice_mut(values, rows, columns)
}

/// `x` of `a x = b` by a Cholesky factorisation; none if `a` is not positive definite.
///
/// # Cost
/// `n^3 / 3` multiplications: 3 ms at `n = 785`, on one core.
pub(super) fn solve_positive_definite(a: &Array2<f64>, b: &[f64]) -> Option<Vec<f64>> {
    let factor = view(a).llt(Side::Lower).ok()?;
    let x = factor.solve(MatRef::from_column_major_slice(b, b.len(), 1));
    let x: Vec<f64> = (0..b.len()).map(|i| x[(i, 0)]).collect();
    x.iter().all(|value| value.is_finite()).then_some(x)
}

/// The lower triangle `l` of `a = l l^T`; none if `a` is not positive definite.
pub(super) fn cholesky(a: &Array2<f64>) -> Option<Array2<f64>> {
    let factor = view(a).llt(Side::Lower).ok()?;
    let n = a.nrows();
    let l = factor.L();
    let l = Array2::from_shape_fn((n, n), |(i, j)| if j <= i { l[(i, j)] } else { 0.0 });
    l.iter().all(|value| value.is_finite()).then_some(l)
}

/// The inverse of a lower triangle with a diagonal above 0.
pub(super) fn invert_lower(l: &Array2<f64>) -> Array2<f64> {
    let mut inverse = Array2::zeros(l.dim());
    invert_lower_triangular(view_mut(&mut inverse), view(l), Par::Seq);
    inverse
}

/// Adds `rows^T rows` to the lower triangle of `gram`, `[n_columns, n_columns]`; what is above it is
/// left as it is.
pub(super) fn add_gram(gram: &mut Array2<f64>, rows: ArrayView2<f64>) {
    let (n, n_columns) = rows.dim();
    let values = rows.to_slice().expect("matrices here are row-major");
    let rows = MatRef::from_row_major_slice(values, n, n_columns);
    let (lower, whole) =
        (triangular::BlockStructure::TriangularLower, triangular::BlockStructure::Rectangular);
    triangular::matmul(
        view_mut(gram),
        lower,
        Accum::Add,
        rows.transpose(),
        whole,
        rows,
        whole,
        1.0,
        Par::Seq,
    );
}

/// `a b` into `out`, row-major `[a.rows, b.columns]`.
pub(super) fn product_into(a: ArrayView2<f64>, b: ArrayView2<f64>, out: &mut [f64]) {
    let (rows, inner) = a.dim();
    let columns = b.ncols();
    let a = a.to_slice().expect("matrices here are row-major");
    let b = b.to_slice().expect("matrices here are row-major");
    matmul(
        MatMut::from_row_major_slice_mut(out, rows, columns),
        Accum::Replace,
        MatRef::from_row_major_slice(a, rows, inner),
        MatRef::from_row_major_slice(b, inner, columns),
        1.0,
        Par::Seq,
    );
}

/// `a b`.
pub(super) fn product(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    let mut out = Array2::zeros((a.nrows(), b.ncols()));
    product_into(a.view(), b.view(), out.as_slice_mut().unwrap_or(&mut []));
    out
}

/// Singular values, descending, and right singular vectors of `a`, one a row: at most as many as `a`
/// has rows or columns.
///
/// # Errors
/// [`LinalgError::NoConvergence`]
pub(super) fn right_singular_vectors(
    a: &Array2<f64>,
) -> Result<(Vec<f64>, Array2<f64>), LinalgError> {
    let n_kept = a.nrows().min(a.ncols());
    let svd = view(a).thin_svd().map_err(|_| LinalgError::NoConvergence { n: a.nrows() })?;
    let values = (0..n_kept).map(|nth| svd.S()[nth]).collect();
    let vectors = Array2::from_shape_fn((n_kept, a.ncols()), |(nth, j)| svd.V()[(j, nth)]);
    Ok((values, vectors))
}

/// Eigenvalues, ascending, and eigenvectors of a symmetric matrix.
pub(super) struct Eigen {
    /// `[n]`
    pub values: Vec<f64>,
    /// `[n, n]`, one vector a column.
    pub vectors: Array2<f64>,
}

/// Eigenvalues and eigenvectors of a symmetric matrix.
///
/// # Errors
/// [`LinalgError`]
///
/// # Cost
/// About `9 n^3` multiplications, on one core.
pub(super) fn symmetric_eigen(
    matrix: Array2<f64>,
    progress: &dyn Progress,
) -> Result<Eigen, LinalgError> {
    let n = matrix.nrows();
    let eigen = apart(progress, move || {
        let eigen = view(&matrix).self_adjoint_eigen(Side::Lower).map(|eigen| Eigen {
            values: eigen.S().column_vector().iter().copied().collect(),
            vectors: Array2::from_shape_fn((n, n), |(i, j)| eigen.U()[(i, j)]),
        });
        // faer takes values that are not finite, and gives such back.
        let finite = |eigen: &Eigen| eigen.values.iter().all(|value| value.is_finite());
        eigen.ok().filter(finite)
    })?;
    eigen.flatten().ok_or(LinalgError::NoConvergence { n })
}

/// What `work` makes, on a thread of its own that is left to end by itself once the user asked to
/// stop: faer cannot be interrupted. None if it panicked.
fn apart<T: Send + 'static>(
    progress: &dyn Progress,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Option<T>, LinalgError> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody listens any more if the user asked to stop.
        let _ = sender.send(work());
    });
    loop {
        match receiver.recv_timeout(POLL) {
            Ok(made) => return Ok(Some(made)),
            Err(RecvTimeoutError::Timeout) if progress.interrupted() => {
                return Err(LinalgError::Interrupted);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;
    use crate::progress::Silent;

    fn symmetric(n: usize) -> Array2<f64> {
        let mut rng = Rng::new(1, &["linalg"]);
        let any = Array2::from_shape_fn((n, n), |_| f64::from(rng.normal_f32()));
        &any + &any.t()
    }

    #[test]
    fn eigenvectors_diagonalise_the_matrix_in_ascending_order() {
        for n in [1, 2, 17, 130] {
            let matrix = symmetric(n);
            let eigen = symmetric_eigen(matrix.clone(), &Silent).unwrap();
            assert!(eigen.values.is_sorted());
            let scaled = &eigen.vectors * &ndarray::Array1::from(eigen.values);
            for (a, b) in scaled.dot(&eigen.vectors.t()).iter().zip(&matrix) {
                assert!((a - b).abs() < 1e-11, "{n}: {a} and {b}");
            }
        }
    }

    #[test]
    fn values_that_are_not_finite_are_an_error() {
        let mut matrix = symmetric(20);
        matrix[[7, 3]] = f64::NAN;
        let found = symmetric_eigen(matrix, &Silent);
        assert!(matches!(found, Err(LinalgError::NoConvergence { n: 20 })));
    }

    #[test]
    fn positive_definite_systems_are_solved_and_others_refused() {
        let factor = symmetric(40);
        let matrix = factor.dot(&factor.t()) + Array2::<f64>::eye(40);
        let expected: Vec<f64> = (0..40).map(f64::from).collect();
        let b = matrix.dot(&ndarray::Array1::from(expected.clone()));
        let found = solve_positive_definite(&matrix, &b.to_vec()).unwrap();
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-8, "{a} and {b}");
        }
        assert!(solve_positive_definite(&(-matrix), &b.to_vec()).is_none());
    }
}

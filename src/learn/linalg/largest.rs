//! The largest eigenvalues of a symmetric matrix and their eigenvectors, without the others.
//!
//! `A = Q T Q^T` with `T` tridiagonal (Householder, by faer); eigenvalues of `T` by bisection on the
//! number of negative pivots of `T - x I`, to the last bits; eigenvectors of `T` by inverse iteration,
//! each orthogonalised against those before it (as LAPACK's `dstebz` and `dstein`). What does not
//! come out an eigenvector is found again by the full decomposition.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::tridiag::{tridiag_in_place, tridiag_in_place_scratch};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj,
};
use faer::linalg::qr::no_pivoting::factor::recommended_block_size;
use faer::{Conj, Mat, Par};
use ndarray::{Array2, s};

use super::{Eigen, LinalgError, apart, symmetric_eigen, view};
use crate::data::Rng;
use crate::progress::Progress;

/// Matrices up to this size are decomposed whole: it takes a millisecond.
const SMALL: usize = 64;

/// Eigenvalues bisected side by side, so that their divisions overlap.
const LANES: usize = 8;

/// Largest residual `|T v - l v| / |T|` of an eigenvector.
const RESIDUAL: f64 = 1e-11;

/// Steps of inverse iteration: two suffice, one more for neighbours that are close.
const N_STEPS: usize = 3;

/// Eigenvalues, descending, and their eigenvectors.
pub(in crate::learn) struct LargestEigen {
    /// `[n_found]`
    pub values: Vec<f64>,
    /// `[n, n_found]`, one vector a column.
    pub vectors: Array2<f64>,
}

/// The fewest largest eigenvalues that are `enough`, at least one, and their eigenvectors.
///
/// # Errors
/// [`LinalgError`]
///
/// # Cost
/// `4/3 n^3` multiplications on one core, `2 n^2` an eigenvector, and `n` an orthogonalisation of each
/// pair; `9 n^3` if more than a third are wanted.
pub(in crate::learn) fn largest_eigen(
    matrix: Array2<f64>,
    enough: &dyn Fn(&[f64]) -> bool,
    progress: &dyn Progress,
) -> Result<LargestEigen, LinalgError> {
    let n = matrix.nrows();
    if matrix.iter().any(|value| !value.is_finite()) {
        return Err(LinalgError::NoConvergence { n });
    }
    let scale = matrix.iter().fold(0.0f64, |largest, v| largest.max(v.abs()));
    if n <= SMALL || scale == 0.0 {
        return whole(matrix, enough, progress);
    }
    // Squares of what is far from 1 would overflow or vanish.
    let scaled = &matrix / scale;
    let reduced = apart(progress, move || Reduced::of(&scaled))?;
    let reduced = reduced.ok_or(LinalgError::NoConvergence { n })?;
    let unscaled = |values: &[f64]| values.iter().map(|v| v * scale).collect::<Vec<f64>>();
    let values = reduced.tridiagonal.largest(&|values| enough(&unscaled(values)), progress)?;
    if values.len() > n / 3 {
        return whole(matrix, enough, progress);
    }
    let Some(vectors) = reduced.tridiagonal.eigenvectors(&values, progress)? else {
        return whole(matrix, enough, progress);
    };
    let vectors = apart(progress, move || reduced.turn_back(vectors))?;
    let vectors = vectors.ok_or(LinalgError::NoConvergence { n })?;
    Ok(LargestEigen { values: unscaled(&values), vectors })
}

/// By the full decomposition.
fn whole(
    matrix: Array2<f64>,
    enough: &dyn Fn(&[f64]) -> bool,
    progress: &dyn Progress,
) -> Result<LargestEigen, LinalgError> {
    let n = matrix.nrows();
    let Eigen { mut values, vectors } = symmetric_eigen(matrix, progress)?;
    values.reverse();
    let n_found = (1..n).find(|&n_found| enough(&values[..n_found])).unwrap_or(n);
    values.truncate(n_found);
    let vectors = vectors.slice(s![.., n - n_found..; -1]).as_standard_layout().into_owned();
    Ok(LargestEigen { values, vectors })
}

/// A tridiagonal matrix, and the reflections that made it.
struct Reduced {
    tridiagonal: Tridiagonal,
    basis: Mat<f64>,
    factor: Mat<f64>,
}

impl Reduced {
    fn of(matrix: &Array2<f64>) -> Self {
        let n = matrix.nrows();
        let mut basis = view(matrix).to_owned();
        let block = recommended_block_size::<f64>(n, n);
        let mut factor = Mat::zeros(block, n - 1);
        let needed = tridiag_in_place_scratch::<f64>(n, Par::Seq, Default::default());
        let mut memory = MemBuffer::new(needed);
        let stack = MemStack::new(&mut memory);
        tridiag_in_place(basis.as_mut(), factor.as_mut(), Par::Seq, stack, Default::default());
        let diagonal = (0..n).map(|i| basis[(i, i)]).collect();
        let beside = (1..n).map(|i| basis[(i, i - 1)]).collect();
        Reduced { tridiagonal: Tridiagonal { diagonal, beside }, basis, factor }
    }

    /// `Q v` for vectors one a row.
    fn turn_back(self, vectors: Vec<Vec<f64>>) -> Array2<f64> {
        let (n, n_vectors) = (self.basis.nrows(), vectors.len());
        let mut turned = Mat::from_fn(n, n_vectors, |i, nth| vectors[nth][i]);
        let needed = apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(
            n - 1,
            self.factor.nrows(),
            n_vectors,
        );
        let mut memory = MemBuffer::new(needed);
        apply_block_householder_sequence_on_the_left_in_place_with_conj(
            self.basis.as_ref().submatrix(1, 0, n - 1, n - 1),
            self.factor.as_ref(),
            Conj::No,
            turned.as_mut().subrows_mut(1, n - 1),
            Par::Seq,
            MemStack::new(&mut memory),
        );
        Array2::from_shape_fn((n, n_vectors), |(i, nth)| turned[(i, nth)])
    }
}

/// A symmetric tridiagonal matrix.
struct Tridiagonal {
    /// `[n]`
    diagonal: Vec<f64>,
    /// `[n - 1]`
    beside: Vec<f64>,
}

impl Tridiagonal {
    /// An interval that holds all eigenvalues (Gershgorin).
    fn bounds(&self) -> (f64, f64) {
        let n = self.diagonal.len();
        let beside = |i: usize| self.beside.get(i).map_or(0.0, |v| v.abs());
        let radius = |i: usize| beside(i) + if i > 0 { beside(i - 1) } else { 0.0 };
        let low = (0..n).map(|i| self.diagonal[i] - radius(i)).fold(f64::INFINITY, f64::min);
        let high = (0..n).map(|i| self.diagonal[i] + radius(i)).fold(f64::NEG_INFINITY, f64::max);
        let slack = 1e-12 * low.abs().max(high.abs()) + f64::MIN_POSITIVE;
        (low - slack, high + slack)
    }

    /// Eigenvalues below each `x`.
    fn n_below(&self, x: &[f64; LANES], squares: &[f64], least: f64) -> [usize; LANES] {
        let mut counts = [0; LANES];
        let mut pivots = [1.0f64; LANES];
        for (i, &diagonal) in self.diagonal.iter().enumerate() {
            let square = if i > 0 { squares[i - 1] } else { 0.0 };
            for lane in 0..LANES {
                let pivot = diagonal - x[lane] - square / pivots[lane];
                pivots[lane] = if pivot.abs() < least { -least } else { pivot };
                counts[lane] += usize::from(pivots[lane] < 0.0);
            }
        }
        counts
    }

    /// The fewest largest eigenvalues that are enough, descending.
    fn largest(
        &self,
        enough: &dyn Fn(&[f64]) -> bool,
        progress: &dyn Progress,
    ) -> Result<Vec<f64>, LinalgError> {
        let n = self.diagonal.len();
        let (low, high) = self.bounds();
        let squares: Vec<f64> = self.beside.iter().map(|v| v * v).collect();
        let least = f64::MIN_POSITIVE * squares.iter().copied().fold(1.0, f64::max);
        let mut found = Vec::new();
        while found.len() < n {
            stop_if(progress)?;
            let (mut lows, mut highs) = ([low; LANES], [high; LANES]);
            loop {
                let middles: [f64; LANES] =
                    std::array::from_fn(|lane| 0.5 * (lows[lane] + highs[lane]));
                let is_done = (0..LANES)
                    .all(|lane| middles[lane] <= lows[lane] || middles[lane] >= highs[lane]);
                if is_done {
                    break;
                }
                let counts = self.n_below(&middles, &squares, least);
                for lane in 0..LANES {
                    // The eigenvalue sought has `n - 1 - (found + lane)` below it.
                    if counts[lane] + found.len() + lane < n {
                        lows[lane] = middles[lane];
                    } else {
                        highs[lane] = middles[lane];
                    }
                }
            }
            for value in highs.into_iter().take(n - found.len()) {
                found.push(value);
                if enough(&found) {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// Unit vectors, orthogonal to each other; none if one is no eigenvector.
    fn eigenvectors(
        &self,
        values: &[f64],
        progress: &dyn Progress,
    ) -> Result<Option<Vec<Vec<f64>>>, LinalgError> {
        let n = self.diagonal.len();
        let (low, high) = self.bounds();
        let norm = low.abs().max(high.abs());
        let mut rng = Rng::new(0, &["linalg", "inverse iteration"]);
        let mut found: Vec<Vec<f64>> = Vec::new();
        let mut shift = f64::INFINITY;
        for &value in values {
            stop_if(progress)?;
            // Equal shifts would give equal vectors.
            shift = value.min(shift - 10.0 * f64::EPSILON * norm);
            let factored = Factored::of(self, shift, f64::EPSILON * norm);
            let mut x: Vec<f64> = (0..n).map(|_| f64::from(rng.normal_f32())).collect();
            for _ in 0..N_STEPS {
                orthonormalise(&mut x, &found);
                factored.solve(&mut x);
                orthonormalise(&mut x, &found);
            }
            let residual = self.residual(value, &x);
            if residual.is_nan() || residual > RESIDUAL * norm {
                return Ok(None);
            }
            found.push(x);
        }
        Ok(Some(found))
    }

    /// `|T x - value x|`
    fn residual(&self, value: f64, x: &[f64]) -> f64 {
        let at = |i: usize| {
            let mut sum = (self.diagonal[i] - value) * x[i];
            if i > 0 {
                sum += self.beside[i - 1] * x[i - 1];
            }
            if let Some(beside) = self.beside.get(i) {
                sum += beside * x[i + 1];
            }
            sum
        };
        (0..x.len()).map(at).map(|v| v * v).sum::<f64>().sqrt()
    }
}

/// Takes the share of `others` out of `x`, twice for rounding, and scales it to length 1.
fn orthonormalise(x: &mut [f64], others: &[Vec<f64>]) {
    normalise(x);
    for _ in 0..2 {
        for other in others {
            let share: f64 = x.iter().zip(other).map(|(a, b)| a * b).sum();
            x.iter_mut().zip(other).for_each(|(a, b)| *a -= share * b);
        }
    }
    normalise(x);
}

fn normalise(x: &mut [f64]) {
    // Inverse iteration grows vectors to sizes whose squares overflow.
    let largest = x.iter().fold(0.0f64, |largest, v| largest.max(v.abs()));
    if largest > 0.0 && largest.is_finite() {
        x.iter_mut().for_each(|v| *v /= largest);
        let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
        x.iter_mut().for_each(|v| *v /= norm);
    }
}

/// `P (T - shift I) = L U` with rows exchanged for the larger pivot.
struct Factored {
    /// Diagonal of `U` and the two above it.
    upper: Vec<[f64; 3]>,
    /// Multiplier of each step, and whether its two rows were exchanged.
    steps: Vec<(f64, bool)>,
}

impl Factored {
    /// A pivot below `least` is replaced by it: the shift is an eigenvalue.
    fn of(matrix: &Tridiagonal, shift: f64, least: f64) -> Self {
        let n = matrix.diagonal.len();
        let beside = |i: usize| matrix.beside.get(i).copied().unwrap_or(0.0);
        let clear = |pivot: f64| if pivot.abs() < least { least } else { pivot };
        let (mut upper, mut steps) = (Vec::with_capacity(n), Vec::with_capacity(n));
        let mut row = [matrix.diagonal[0] - shift, beside(0), 0.0];
        for i in 0..n - 1 {
            let below = [beside(i), matrix.diagonal[i + 1] - shift, beside(i + 1)];
            let is_exchanged = below[0].abs() > row[0].abs();
            let (mut pivot, other) = if is_exchanged { (below, row) } else { (row, below) };
            pivot[0] = clear(pivot[0]);
            let factor = other[0] / pivot[0];
            row = [other[1] - factor * pivot[1], other[2] - factor * pivot[2], 0.0];
            upper.push(pivot);
            steps.push((factor, is_exchanged));
        }
        row[0] = clear(row[0]);
        upper.push(row);
        Factored { upper, steps }
    }

    fn solve(&self, x: &mut [f64]) {
        for (i, &(factor, is_exchanged)) in self.steps.iter().enumerate() {
            if is_exchanged {
                x.swap(i, i + 1);
            }
            x[i + 1] -= factor * x[i];
        }
        for i in (0..x.len()).rev() {
            let [pivot, first, second] = self.upper[i];
            let mut value = x[i];
            if let Some(next) = x.get(i + 1) {
                value -= first * next;
            }
            if let Some(next) = x.get(i + 2) {
                value -= second * next;
            }
            x[i] = value / pivot;
        }
    }
}

fn stop_if(progress: &dyn Progress) -> Result<(), LinalgError> {
    if progress.interrupted() { Err(LinalgError::Interrupted) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    fn check(matrix: &Array2<f64>, n_wanted: usize) {
        let full = symmetric_eigen(matrix.clone(), &Silent).unwrap();
        let found =
            largest_eigen(matrix.clone(), &|values| values.len() == n_wanted, &Silent).unwrap();
        let (n, norm) = (matrix.nrows(), full.values.iter().fold(0.0f64, |a, b| a.max(b.abs())));
        assert_eq!(found.vectors.dim(), (n, n_wanted));
        for (nth, value) in found.values.iter().enumerate() {
            let expected = full.values[n - 1 - nth];
            assert!((value - expected).abs() <= 1e-13 * norm, "{nth}: {value} and {expected}");
        }
        let scaled = &found.vectors * &ndarray::Array1::from(found.values.clone());
        for (a, b) in matrix.dot(&found.vectors).iter().zip(&scaled) {
            assert!((a - b).abs() <= 1e-11 * norm, "{a} and {b}");
        }
        for ((i, j), &value) in found.vectors.t().dot(&found.vectors).indexed_iter() {
            let expected = if i == j { 1.0 } else { 0.0 };
            assert!((value - expected).abs() < 1e-12, "{i} {j}: {value}");
        }
    }

    fn gram(n: usize, rank: usize) -> Array2<f64> {
        let mut rng = Rng::new(n as u64, &["largest"]);
        let factor = Array2::from_shape_simple_fn((n, rank), || f64::from(rng.normal_f32()));
        factor.dot(&factor.t())
    }

    #[test]
    fn the_largest_are_those_of_the_full_decomposition() {
        for (n, n_wanted) in [(1, 1), (64, 5), (65, 1), (65, 21), (200, 7), (200, 66), (90, 90)] {
            check(&gram(n, n), n_wanted);
        }
    }

    #[test]
    fn repeated_and_vanishing_eigenvalues_are_told_apart() {
        check(&Array2::eye(100), 20);
        check(&gram(150, 10), 40);
        let mut blocks = Array2::zeros((160, 160));
        for start in [0, 80] {
            blocks.slice_mut(s![start..start + 80, start..start + 80]).assign(&gram(80, 80));
        }
        check(&blocks, 30);
        check(&(Array2::<f64>::ones((120, 120)) * 1e-200), 3);
    }

    #[test]
    fn values_that_are_not_finite_are_an_error() {
        let mut matrix = gram(70, 70);
        matrix[[3, 2]] = f64::INFINITY;
        let found = largest_eigen(matrix, &|_| true, &Silent);
        assert!(matches!(found, Err(LinalgError::NoConvergence { n: 70 })));
    }
}

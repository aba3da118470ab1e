//! Newton's method on the primal of the squared hinge (Keerthi, DeCoste, "A modified finite Newton
//! method for fast solution of large scale linear SVMs", JMLR 6 (2005), 341-361; the problem and its
//! symbols are in `problem.rs`).
//!
//! The primal is a quadratic between changes of the active set `I = {i: m_i < 1}`: gradient
//! `w - sum_I alpha_i y_i x_i` with `alpha_i = 2 C_i (1 - m_i)`, second derivatives
//! `H = 1 + 2 sum_I C_i x_i x_i^T`. Each step solves `H d = -gradient` by a Cholesky factorisation and
//! searches along `d` exactly; once the active set stays, the step lands on the solution. Where the
//! paper runs conjugate gradients, `H` is kept whole here and only the rows that enter or leave `I`
//! are added or taken away: for bytes these sums are exact integers, so nothing drifts. Those of real
//! features are products in `f32`: the solution stays exact, as gradient and search are in `f64`, but
//! steps get short where `C |x|^2` exceeds some 1e10 (at `C = 1e8` on columns from 1e-3 to 1e3, 100
//! steps leave a gap of a third, and the report says so).

use ndarray::Array2;

use super::gram::Gram;
use super::problem::{Problem, Solution};
use crate::learn::LearnError;
use crate::learn::linalg::solve_positive_definite;

/// The line search ends at this share of the first slope: as good as exact.
const SLOPE: f64 = 1e-9;

/// What is added to the diagonal, relative to its mean, until it can be factorised.
const RIDGES: [f64; 5] = [0.0, 1e-10, 1e-7, 1e-4, 1e-1];

/// Steps of the line search; each at least halves the bracket or is Newton's.
const N_SEARCH: usize = 60;

/// The active rows whose outer products `H` holds.
struct Hessian<'a> {
    problem: &'a Problem<'a>,
    gram: Gram,
    held: Vec<bool>,
    /// Largest `C_i`; factors are relative to it.
    c: f64,
    /// `C_i / c`; none if all are equal.
    factors: Option<Vec<f32>>,
}

/// Steps until the violation is at most `tol`, at most `max_iter`. `all`: outer products of all
/// samples of the problem, if they are at hand; read only if all `C_i` are equal.
///
/// # Errors
/// [`LearnError::Interrupted`]
pub(super) fn solve(
    problem: &Problem,
    all: Option<&Gram>,
    tol: f64,
    max_iter: u64,
) -> Result<Solution, LearnError> {
    let n = problem.len();
    let mut hessian = Hessian::new(problem, all)?;
    let mut w = vec![0.0; problem.rows.n_features() + 1];
    let mut margins = vec![0.0f64; n];
    let radius = radius(problem)?;
    let mut n_steps = 0;
    let mut aim = tol;
    loop {
        let alpha: Vec<f64> =
            (0..n).map(|i| 2.0 * problem.c[i] * (1.0 - margins[i]).max(0.0)).collect();
        let from_alpha = problem.weights(&alpha)?;
        let gradient: Vec<f64> = w.iter().zip(&from_alpha).map(|(w, sum)| w - sum).collect();
        let length = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        // The projected gradient of `alpha` is `-y <gradient, x>` on the active set, and beyond it at
        // least `-|gradient| |x|`: its spread is at most twice the product.
        if 2.0 * length * radius <= aim || n_steps >= max_iter {
            let solution = problem.judge(&alpha, n_steps)?;
            if solution.violation <= tol || n_steps >= max_iter || aim < tol * 1e-3 {
                return Ok(solution);
            }
            aim *= 0.1;
        }
        n_steps += 1;
        hessian.hold(&margins)?;
        let Some(direction) = hessian.solve(&gradient) else {
            return problem.judge(&alpha, n_steps);
        };
        let change: Vec<f64> = problem.margins(&direction)?;
        let step = line_search(problem, &w, &direction, &margins, &change);
        for (w, d) in w.iter_mut().zip(&direction) {
            *w += step * d;
        }
        for (margin, change) in margins.iter_mut().zip(&change) {
            *margin += step * change;
        }
    }
}

/// Largest `|x_i|`.
fn radius(problem: &Problem) -> Result<f64, LearnError> {
    let mut row = vec![0.0; problem.rows.n_features() + 1];
    let mut largest = 0.0;
    for i in 0..problem.len() {
        problem.stop_at(i)?;
        row.fill(0.0);
        problem.add(i, 1.0, &mut row);
        largest = f64::max(largest, problem.decision(i, &row));
    }
    Ok(largest.sqrt())
}

/// The step at which the slope along `d` is 0: Newton's method in one variable, kept inside a bracket.
fn line_search(
    problem: &Problem,
    w: &[f64],
    direction: &[f64],
    margins: &[f64],
    change: &[f64],
) -> f64 {
    let along: f64 = w.iter().zip(direction).map(|(w, d)| w * d).sum();
    let square: f64 = direction.iter().map(|d| d * d).sum();
    let slope_and_curvature = |step: f64| {
        let (mut slope, mut curvature) = (along + step * square, square);
        for ((&margin, &change), &c) in margins.iter().zip(change).zip(&problem.c) {
            let violation = 1.0 - margin - step * change;
            if violation > 0.0 {
                slope -= 2.0 * c * violation * change;
                curvature += 2.0 * c * change * change;
            }
        }
        (slope, curvature)
    };
    let goal = SLOPE * slope_and_curvature(0.0).0.abs();
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut step = 1.0;
    for _ in 0..N_SEARCH {
        let (slope, curvature) = slope_and_curvature(step);
        if slope.abs() <= goal || curvature <= 0.0 {
            break;
        }
        if slope < 0.0 {
            low = step
        } else {
            high = step
        }
        let newton = step - slope / curvature;
        step = if newton > low && newton < high {
            newton
        } else if high.is_finite() {
            0.5 * (low + high)
        } else {
            2.0 * low
        };
    }
    step
}

impl<'a> Hessian<'a> {
    fn new(problem: &'a Problem<'a>, all: Option<&Gram>) -> Result<Self, LearnError> {
        let c = problem.c.iter().copied().fold(0.0, f64::max);
        let uniform = problem.c.iter().all(|&one| one == c);
        let factors = (!uniform).then(|| problem.c.iter().map(|&one| (one / c) as f32).collect());
        let (gram, held) = match all {
            Some(all) if uniform => (all.clone(), vec![true; problem.len()]),
            _ => (Gram::new(problem.rows.n_features()), vec![false; problem.len()]),
        };
        Ok(Hessian { problem, gram, held, c, factors })
    }

    /// Makes the sum that of the active rows: by what changed, or anew if that is less.
    fn hold(&mut self, margins: &[f64]) -> Result<(), LearnError> {
        let active: Vec<bool> = margins.iter().map(|&margin| margin < 1.0).collect();
        let at = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
            (0..active.len()).filter(|&i| wanted(i)).collect()
        };
        let entering = at(&|i| active[i] && !self.held[i]);
        let leaving = at(&|i| !active[i] && self.held[i]);
        let whole = at(&|i| active[i]);
        if whole.len() < entering.len() + leaving.len() {
            self.gram = Gram::new(self.problem.rows.n_features());
            self.add(&whole, 1.0)?;
        } else {
            self.add(&entering, 1.0)?;
            self.add(&leaving, -1.0)?;
        }
        self.held = active;
        Ok(())
    }

    fn add(&mut self, samples: &[usize], sign: f64) -> Result<(), LearnError> {
        let problem = self.problem;
        let idx: Vec<usize> = samples.iter().map(|&i| problem.idx[i]).collect();
        let factors: Option<Vec<f32>> =
            self.factors.as_ref().map(|all| samples.iter().map(|&i| all[i]).collect());
        self.gram.add(&problem.rows, &idx, factors.as_deref(), sign, problem.progress)
    }

    /// `d` of `H d = -gradient`; none if `H` is not finite. Sums of real features are rounded: where
    /// that leaves `H` indefinite, a growing multiple of its mean diagonal is added, which turns `d`
    /// towards the gradient.
    fn solve(&self, gradient: &[f64]) -> Option<Vec<f64>> {
        let n = gradient.len();
        let scale = |i: usize| match i + 1 == n {
            true => self.problem.constant,
            false => self.problem.rows.scale(),
        };
        let mut lower = Array2::zeros((n, n));
        self.gram.for_each(|i, j, value| {
            lower[[i, j]] = 2.0 * self.c * scale(i) * scale(j) * value;
        });
        let mean = 1.0 + lower.diag().sum() / n as f64;
        let downhill: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut added = 0.0;
        RIDGES.into_iter().find_map(|ridge| {
            let wanted = 1.0 + ridge * mean;
            lower.diag_mut().iter_mut().for_each(|value| *value += wanted - added);
            added = wanted;
            solve_positive_definite(&lower, &downhill)
        })
    }
}

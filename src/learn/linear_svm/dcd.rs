//! Dual coordinate descent with shrinking (Hsieh et al., ICML 2008, algorithm 3; the problem and its
//! symbols are in `problem.rs`).
//!
//! One step minimises the dual over one `alpha_i`: `alpha_i <- clip(alpha_i - G / Q_ii, 0, U_i)` with
//! `Q_ii = |x_i|^2 + D_i`, and `w` follows. A sweep visits the active samples in a random order.
//! A sample at a bound whose gradient points outward beyond the last sweep's extremes leaves the
//! active ones; once these are optimal all return.

use super::problem::{Problem, Solution};
use crate::data::Rng;
use crate::learn::LearnError;

/// Steps shorter than this in gradient change nothing.
const NEGLIGIBLE: f64 = 1e-12;

/// Sweeps until `max PG - min PG <= tol`, at most `max_iter`.
///
/// The extremes seen during a sweep are of a moving `alpha`; what counts is the violation of the
/// final one, so a solution that misses `tol` is swept on with a stricter aim.
///
/// # Errors
/// [`LearnError::Interrupted`]
pub(super) fn solve(
    problem: &Problem,
    tol: f64,
    max_iter: u64,
    mut rng: Rng,
) -> Result<Solution, LearnError> {
    let mut state = State::new(problem)?;
    let mut aim = tol;
    loop {
        state.sweep_until(problem, aim, max_iter, &mut rng)?;
        let solution = problem.judge(&state.alpha, state.n_sweeps)?;
        if solution.violation <= tol || state.n_sweeps >= max_iter {
            return Ok(solution);
        }
        // Without the rounding that many updates gathered.
        state.w.clone_from(&solution.w);
        aim *= 0.5;
    }
}

struct State {
    alpha: Vec<f64>,
    w: Vec<f64>,
    /// `Q_ii`
    q_diag: Vec<f64>,
    /// Samples, the first `n_active` of which are active.
    order: Vec<u32>,
    n_sweeps: u64,
}

impl State {
    fn new(problem: &Problem) -> Result<Self, LearnError> {
        let n_features = problem.rows.n_features();
        let mut row = vec![0.0; n_features + 1];
        let mut q_diag = Vec::with_capacity(problem.len());
        for i in 0..problem.len() {
            problem.stop_at(i)?;
            row.fill(0.0);
            problem.add(i, 1.0, &mut row);
            q_diag.push(problem.decision(i, &row) + problem.diagonal_and_bound(i).0);
        }
        Ok(State {
            alpha: vec![0.0; problem.len()],
            w: vec![0.0; n_features + 1],
            q_diag,
            order: (0..problem.len() as u32).collect(),
            n_sweeps: 0,
        })
    }

    /// Sweeps until no sweep over all samples saw a spread of `PG` above `aim`.
    fn sweep_until(
        &mut self,
        problem: &Problem,
        aim: f64,
        max_iter: u64,
        rng: &mut Rng,
    ) -> Result<(), LearnError> {
        let n = problem.len();
        let mut n_active = n;
        // Extremes of the last sweep, beyond which a sample at a bound is left out.
        let (mut last_top, mut last_bottom) = (f64::INFINITY, f64::NEG_INFINITY);
        while self.n_sweeps < max_iter {
            self.n_sweeps += 1;
            rng.shuffle(&mut self.order[..n_active]);
            let (mut top, mut bottom) = (f64::NEG_INFINITY, f64::INFINITY);
            let mut position = 0;
            let mut n_steps = 0;
            while position < n_active {
                problem.stop_at(n_steps)?;
                n_steps += 1;
                let i = self.order[position] as usize;
                let (diagonal, bound) = problem.diagonal_and_bound(i);
                let (alpha, y) = (self.alpha[i], problem.y[i]);
                let gradient = y * problem.decision(i, &self.w) - 1.0 + diagonal * alpha;
                let (projected, leaves) = if alpha <= 0.0 {
                    (gradient.min(0.0), gradient > last_top)
                } else if alpha >= bound {
                    (gradient.max(0.0), gradient < last_bottom)
                } else {
                    (gradient, false)
                };
                if leaves {
                    n_active -= 1;
                    self.order.swap(position, n_active);
                    continue;
                }
                position += 1;
                top = f64::max(top, projected);
                bottom = f64::min(bottom, projected);
                if projected.abs() > NEGLIGIBLE {
                    let moved = (alpha - gradient / self.q_diag[i]).clamp(0.0, bound);
                    self.alpha[i] = moved;
                    problem.add(i, (moved - alpha) * y, &mut self.w);
                }
            }
            if top - bottom <= aim {
                if n_active == n {
                    return Ok(());
                }
                n_active = n;
                (last_top, last_bottom) = (f64::INFINITY, f64::NEG_INFINITY);
            } else {
                last_top = if top > 0.0 { top } else { f64::INFINITY };
                last_bottom = if bottom < 0.0 { bottom } else { f64::NEG_INFINITY };
            }
        }
        Ok(())
    }
}

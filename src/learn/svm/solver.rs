//! One pair of classes: the C-SVC dual by batched decomposition.
//!
//! ```text
//! min_beta  1/2 beta' K beta - y' beta    sum beta = 0,  0 <= y_t beta_t <= C_t
//! value_t = y_t - sum_s K_ts beta_s       minus the gradient; LIBSVM's -y_t G_t
//! m = max value_t over beta_t < upper_t   M = min value_t over beta_t > lower_t
//! optimal:  m - M <= tol                  bias = value of the free ones
//! decision of t = sum_s K_ts beta_s + bias = y_t - value_t + bias
//! ```
//!
//! `C_t` is the bound of sample `t`. With bound 0 a sample takes no part in the solution, while its
//! decision comes with it: that is how a held-out fold is predicted.
//!
//! `beta = y alpha`. Until optimal: take the W samples that violate most, half of them kept from
//! before; fetch their kernel rows; solve the sub-problem by SMO with second-order selection (Fan,
//! Chen, Lin, JMLR 6 (2005), 1889-1918) on the W x W matrix; update `value` over all samples. The
//! most violating pair is always in the working set and the sub-problem's tolerance never exceeds
//! the gap, so the objective falls every time and LIBSVM's convergence proof holds.

use super::block::{Block, stop_if};
use super::gradient;
use super::kernel_cache::KernelCache;
use super::local::Local;
use super::params::{Kernel, SvcError};
use super::watch::Watch;
use super::working_set::next_working_set;
use crate::kernels::{Cpu, smo};

/// Samples of a working set. CPU seconds of a fit on one thread of a 2-core Zen 5 with AVX-512 that
/// had other work to do (one run each, RBF `C = 10`, 60,000 samples) for 256, 512, 1024: 7.2, 9.5,
/// 10.2 (`cargo bench --bench svm -- pixels`) and 7.3, 5.6, 6.9 (`-- relu128`). Few samples mean
/// more rounds, each of which reads a class again: at 5,408 features that is what costs.
const WORKING_SET: usize = 512;

/// The same for a linear kernel, whose free multipliers are as many as its features: they should fit.
/// CPU seconds as above (`pixels,linear,1`) for 256, 512, 1024, 2048: 58, 6.5, 5.5, 10.
const LINEAR_WORKING_SET: usize = 1024;

/// Times that values of a linear kernel are computed anew and found short of the tolerance before
/// the solver gives up: single precision does not suffice then.
const MAX_REVALUES: usize = 20;

/// Solution of one pair.
pub(super) struct Solution {
    /// Signed multipliers: the first class's samples, then the second's.
    pub beta: Vec<f64>,
    /// `value` of the same samples.
    value: Vec<f64>,
    n_first: usize,
    pub bias: f64,
    pub objective: f64,
    pub gap: f64,
    /// None if not told.
    pub n_iterations: Option<u64>,
    pub converged: bool,
}

impl Solution {
    /// Decision of each sample of the pair, also of those whose bound is 0; positive means the first
    /// class.
    pub fn decisions(&self) -> impl Iterator<Item = f64> {
        let y = |t: usize| if t < self.n_first { 1.0 } else { -1.0 };
        self.value.iter().enumerate().map(move |(t, value)| y(t) - value + self.bias)
    }

    /// Rows and multipliers of the support vectors of each class.
    pub fn support(&self, pair: &Pair) -> [Vec<(usize, f64)>; 2] {
        let (first, second) = self.beta.split_at(self.n_first);
        [(pair.first_rows, first), (pair.second_rows, second)].map(|(rows, beta)| {
            let all = rows.iter().copied().zip(beta.iter().copied());
            all.filter(|(_, beta)| *beta != 0.0).collect()
        })
    }
}

/// A pair: positions of the samples of both classes in the cache's features.
pub(super) struct Pair<'a> {
    pub first: usize,
    pub second: usize,
    pub first_rows: &'a [usize],
    pub second_rows: &'a [usize],
}

impl Pair<'_> {
    /// Positions of the samples of both classes.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        self.first_rows.iter().chain(self.second_rows).copied()
    }

    fn y(&self, t: usize) -> f64 {
        if t < self.first_rows.len() { 1.0 } else { -1.0 }
    }
}

/// Multipliers of a pair, their values and bounds.
pub(super) struct State {
    pub beta: Vec<f64>,
    pub value: Vec<f64>,
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
}

impl State {
    /// All multipliers 0.
    fn new(n_first: usize, bounds: &[f64]) -> Self {
        let by_class = |first: fn(f64) -> f64, second: fn(f64) -> f64| -> Vec<f64> {
            let (of_first, of_second) = bounds.split_at(n_first);
            of_first.iter().map(|&c| first(c)).chain(of_second.iter().map(|&c| second(c))).collect()
        };
        State {
            beta: vec![0.0; bounds.len()],
            value: by_class(|_| 1.0, |_| -1.0),
            lower: by_class(|_| 0.0, |c| -c),
            upper: by_class(|c| c, |_| 0.0),
        }
    }

    pub fn may_grow(&self, t: usize) -> bool {
        self.beta[t] < self.upper[t]
    }

    pub fn may_shrink(&self, t: usize) -> bool {
        self.beta[t] > self.lower[t]
    }

    /// Samples whose multiplier is not 0.
    fn multipliers(&self) -> impl Iterator<Item = (usize, f64)> {
        self.beta.iter().copied().enumerate().filter(|&(_, beta)| beta != 0.0)
    }

    /// A multiplier that is off its bound by rounding alone, on it.
    fn snapped(&self, t: usize, beta: f64) -> f64 {
        let is_near = |bound: &f64| (beta - bound).abs() <= 1e-12 * bound.abs();
        [self.lower[t], self.upper[t]].into_iter().find(is_near).unwrap_or(beta)
    }

    /// Moves the multipliers into their bounds and their sum back to 0, where that costs the
    /// objective least by the values at hand. Returns what was changed; the values are not.
    fn make_feasible(&mut self) -> Vec<(usize, f64)> {
        let n = self.beta.len();
        let before = self.beta.clone();
        for t in 0..n {
            self.beta[t] = self.beta[t].clamp(self.lower[t], self.upper[t]);
        }
        let sum: f64 = self.beta.iter().sum();
        let size: f64 = self.beta.iter().map(|beta| beta.abs()).sum();
        let mut excess = if sum.abs() > 1e-12 * size { sum } else { 0.0 };
        let mut order: Vec<usize> = (0..n).collect();
        // The most willing to shrink have the least value, to grow the greatest.
        order.sort_unstable_by(|&a, &b| {
            let by_value = self.value[a].total_cmp(&self.value[b]);
            (if sum > 0.0 { by_value } else { by_value.reverse() }).then(a.cmp(&b))
        });
        for t in order {
            if excess == 0.0 {
                break;
            }
            let room = if excess > 0.0 { self.lower[t] } else { self.upper[t] } - self.beta[t];
            let step = if excess > 0.0 { room.max(-excess) } else { room.min(-excess) };
            self.beta[t] += step;
            excess += step;
        }
        (0..n).map(|t| (t, self.beta[t] - before[t])).filter(|(_, change)| *change != 0.0).collect()
    }

    /// (m, M)
    fn extremes(&self) -> (f64, f64) {
        let (mut top, mut bottom) = (f64::NEG_INFINITY, f64::INFINITY);
        for t in 0..self.beta.len() {
            if self.may_grow(t) {
                top = top.max(self.value[t]);
            }
            if self.may_shrink(t) {
                bottom = bottom.min(self.value[t]);
            }
        }
        (top, bottom)
    }
}

/// Solves one pair to `tol`, or to `max_iter` steps. `bounds` are those of [`Pair::rows`].
///
/// # Errors
/// [`SvcError::Interrupted`]
pub(super) fn solve(
    cache: &KernelCache,
    pair: &Pair,
    bounds: &[f64],
    tol: f64,
    max_iter: Option<u64>,
    watch: &Watch,
) -> Result<Solution, SvcError> {
    let state = State::new(pair.first_rows.len(), bounds);
    Solver::new(cache, pair, state, watch).solve(tol, max_iter)
}

/// As [`solve`], from the multipliers of another solution of the pair times `ratio`.
///
/// # Errors
/// [`SvcError::Interrupted`]
pub(super) fn solve_from(
    cache: &KernelCache,
    pair: &Pair,
    bounds: &[f64],
    tol: f64,
    max_iter: Option<u64>,
    (start, ratio): (&Solution, f64),
    watch: &Watch,
) -> Result<Solution, SvcError> {
    let mut state = State::new(pair.first_rows.len(), bounds);
    for (t, (beta, value)) in start.beta.iter().zip(&start.value).enumerate() {
        state.beta[t] = state.snapped(t, ratio * beta);
        state.value[t] += ratio * (value - state.value[t]);
    }
    let changes = state.make_feasible();
    let mut solver = Solver::new(cache, pair, state, watch);
    solver.subtract(&changes)?;
    solver.solve(tol, max_iter)
}

/// The solution that another implementation found, judged by our kernel values: its multipliers are
/// clamped to their bounds.
///
/// # Errors
/// [`SvcError::Interrupted`]
pub(super) fn judge(
    cache: &KernelCache,
    pair: &Pair,
    bounds: &[f64],
    tol: f64,
    beta: &[f64],
    bias: f64,
    watch: &Watch,
) -> Result<Solution, SvcError> {
    let mut state = State::new(pair.first_rows.len(), bounds);
    for (t, &beta) in beta.iter().enumerate().take(state.beta.len()) {
        state.beta[t] = beta.clamp(state.lower[t], state.upper[t]);
    }
    let changes: Vec<(usize, f64)> = state.multipliers().collect();
    let mut solver = Solver::new(cache, pair, state, watch);
    match cache.resolved.kernel {
        Kernel::Linear => solver.revalue()?,
        _ => solver.subtract(&changes)?,
    }
    let mut solution = solver.finish(tol);
    (solution.bias, solution.n_iterations) = (bias, None);
    Ok(solution)
}

/// A pair on its way to its solution.
struct Solver<'a> {
    cache: &'a KernelCache<'a>,
    pair: &'a Pair<'a>,
    rows: Vec<usize>,
    state: State,
    local: Local,
    block: Block,
    n_iterations: u64,
    watch: &'a Watch<'a>,
}

impl<'a> Solver<'a> {
    fn new(cache: &'a KernelCache, pair: &'a Pair, state: State, watch: &'a Watch) -> Self {
        let rows = pair.rows().collect();
        let (local, block) = (Local::default(), Block::default());
        Solver { cache, pair, rows, state, local, block, n_iterations: 0, watch }
    }

    fn solve(mut self, tol: f64, max_iter: Option<u64>) -> Result<Solution, SvcError> {
        let max_iter = max_iter.unwrap_or(u64::MAX);
        let mut stalled = self.descend(tol, max_iter)?;
        if self.cache.resolved.kernel == Kernel::Linear {
            // The rounds took the values along in single precision; in double they may be found to
            // be short of the tolerance.
            for _ in 0..MAX_REVALUES {
                self.revalue()?;
                let (top, bottom) = self.state.extremes();
                if top - bottom <= tol || stalled || self.n_iterations >= max_iter {
                    break;
                }
                stalled = self.descend(tol, max_iter)?;
            }
        }
        Ok(self.finish(tol))
    }

    /// Rounds of working sets until `tol` or `max_iter` is reached; true if no step was possible.
    fn descend(&mut self, tol: f64, max_iter: u64) -> Result<bool, SvcError> {
        let cpu = Cpu::detect();
        let size = match self.cache.resolved.kernel {
            Kernel::Linear => {
                self.cache.features.n_features().clamp(WORKING_SET, LINEAR_WORKING_SET)
            }
            _ => WORKING_SET,
        };
        let (mut top, mut bottom) = self.state.extremes();
        while top - bottom > tol && self.n_iterations < max_iter {
            stop_if(self.watch.progress)?;
            let working = next_working_set(&self.state, self.local.working(), size);
            self.local.load(self.cache, &self.rows, &self.state, working, self.watch.progress)?;
            let tolerance = (0.1 * (top - bottom)).max(0.5 * tol);
            let n_steps = self.local.solve(cpu, tolerance, max_iter - self.n_iterations);
            self.n_iterations += n_steps;
            if n_steps == 0 {
                return Ok(true);
            }
            let mut changes = Vec::new();
            for (t, beta) in self.local.multipliers() {
                let change = beta - self.state.beta[t];
                if change != 0.0 {
                    self.state.beta[t] = beta;
                    changes.push((t, change));
                }
            }
            self.subtract(&changes)?;
            (top, bottom) = self.state.extremes();
            self.watch.round(n_steps, top - bottom);
        }
        Ok(false)
    }

    /// `value -= K changes`
    fn subtract(&mut self, changes: &[(usize, f64)]) -> Result<(), SvcError> {
        let Solver { cache, pair, rows, state, block, watch, .. } = self;
        if cache.resolved.kernel == Kernel::Linear {
            let by_row: Vec<(usize, f64)> = changes.iter().map(|&(t, c)| (rows[t], c)).collect();
            let weights = gradient::weights_of(cache.features, &by_row);
            return gradient::subtract(
                cache.features,
                rows,
                &weights,
                &mut state.value,
                watch.progress,
            );
        }
        let cpu = Cpu::detect();
        let (first_values, second_values) = state.value.split_at_mut(pair.first_rows.len());
        for some in changes.chunks(WORKING_SET) {
            let samples: Vec<usize> = some.iter().map(|&(t, _)| rows[t]).collect();
            let changes: Vec<f64> = some.iter().map(|&(_, change)| change).collect();
            for (values, class) in
                [(&mut *first_values, pair.first), (&mut *second_values, pair.second)]
            {
                let kernel = cache.fetch(&samples, class, block, watch.progress)?;
                let kernel: Vec<&[f32]> = kernel.iter().map(|row| &**row).collect();
                smo::subtract_rows(cpu, values, &changes, &kernel);
            }
        }
        Ok(())
    }

    /// `value = y - K beta` of a linear kernel anew, in double precision.
    fn revalue(&mut self) -> Result<(), SvcError> {
        let Solver { cache, pair, rows, state, watch, .. } = self;
        let by_row: Vec<(usize, f64)> =
            state.multipliers().map(|(t, beta)| (rows[t], beta)).collect();
        let weights = gradient::weights_of(cache.features, &by_row);
        for (t, value) in state.value.iter_mut().enumerate() {
            *value = pair.y(t);
        }
        gradient::subtract_exactly(cache.features, rows, &weights, &mut state.value, watch.progress)
    }

    fn finish(self, tol: f64) -> Solution {
        let Solver { pair, state, n_iterations, .. } = self;
        let (top, bottom) = state.extremes();
        let n = state.beta.len();
        let free = (0..n).filter(|&t| state.may_grow(t) && state.may_shrink(t));
        let (n_free, sum) = free.fold((0u64, 0.0), |(n, sum), t| (n + 1, sum + state.value[t]));
        let bias = if n_free > 0 { sum / n_free as f64 } else { (top + bottom) / 2.0 };
        // 1/2 b'Kb - y'b = -1/2 sum b (value + y)
        let doubled: f64 = (0..n).map(|t| state.beta[t] * (state.value[t] + pair.y(t))).sum();
        let gap = (top - bottom).max(0.0);
        Solution {
            n_first: pair.first_rows.len(),
            bias,
            objective: -0.5 * doubled,
            gap,
            n_iterations: Some(n_iterations),
            converged: gap <= tol,
            beta: state.beta,
            value: state.value,
        }
    }
}

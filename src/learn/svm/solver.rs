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

use std::sync::Arc;

use super::block::{Block, stop_if};
use super::kernel_cache::KernelCache;
use super::params::SvcError;
use crate::kernels::{Cpu, smo};
use crate::progress::Progress;

/// Samples of a working set. CPU seconds of a fit on one thread of a 2-core Zen 5 with AVX-512 that
/// had other work to do (one run each, RBF `C = 10`, 60,000 samples) for 256, 512, 1024: 7.2, 9.5,
/// 10.2 (`cargo bench --bench svm -- pixels`) and 7.3, 5.6, 6.9 (`-- relu128`). Few samples mean
/// more rounds, each of which reads a class again: at 5,408 features that is what costs.
const WORKING_SET: usize = 512;

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
}

struct State {
    beta: Vec<f64>,
    value: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
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

    fn may_grow(&self, t: usize) -> bool {
        self.beta[t] < self.upper[t]
    }

    fn may_shrink(&self, t: usize) -> bool {
        self.beta[t] > self.lower[t]
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
pub(super) fn solve(
    cache: &KernelCache,
    pair: &Pair,
    bounds: &[f64],
    tol: f64,
    max_iter: Option<u64>,
    progress: &dyn Progress,
) -> Result<Solution, SvcError> {
    let n_first = pair.first_rows.len();
    let mut state = State::new(n_first, bounds);
    let row_of = |t: usize| {
        if t < n_first { pair.first_rows[t] } else { pair.second_rows[t - n_first] }
    };
    let max_iter = max_iter.unwrap_or(u64::MAX);
    let cpu = Cpu::detect();
    let mut block = Block::default();
    let mut working: Vec<usize> = Vec::new();
    let mut n_iterations = 0;
    let (mut top, mut bottom) = state.extremes();
    let mut stalled = false;
    while top - bottom > tol && n_iterations < max_iter && !stalled {
        stop_if(progress)?;
        working = next_working_set(&state, &working);
        let samples: Vec<usize> = working.iter().map(|&t| row_of(t)).collect();
        let to_first = cache.fetch(&samples, pair.first, &mut block, progress)?;
        let to_second = cache.fetch(&samples, pair.second, &mut block, progress)?;
        let tolerance = (0.1 * (top - bottom)).max(0.5 * tol);
        let mut local = Local::gather(&state, &working, n_first, &to_first, &to_second);
        let n_steps = local.solve(cpu, tolerance, max_iter - n_iterations);
        n_iterations += n_steps;
        stalled = n_steps == 0;
        let mut changes = Vec::new();
        let (mut first_rows, mut second_rows) = (Vec::new(), Vec::new());
        for (s, &t) in working.iter().enumerate() {
            let change = local.beta[s] - state.beta[t];
            if change != 0.0 {
                state.beta[t] = local.beta[s];
                changes.push(change);
                first_rows.push(&*to_first[s]);
                second_rows.push(&*to_second[s]);
            }
        }
        let (first_values, second_values) = state.value.split_at_mut(n_first);
        smo::subtract_rows(cpu, first_values, &changes, &first_rows);
        smo::subtract_rows(cpu, second_values, &changes, &second_rows);
        (top, bottom) = state.extremes();
    }
    let mut solution = finish(state, n_first, tol);
    solution.n_iterations = Some(n_iterations);
    Ok(solution)
}

/// The solution that another implementation found, judged by our kernel values: its multipliers are
/// clamped to their bounds.
pub(super) fn judge(
    cache: &KernelCache,
    pair: &Pair,
    bounds: &[f64],
    tol: f64,
    beta: &[f64],
    bias: f64,
    progress: &dyn Progress,
) -> Result<Solution, SvcError> {
    let n_first = pair.first_rows.len();
    let mut state = State::new(n_first, bounds);
    for (t, &beta) in beta.iter().enumerate().take(state.beta.len()) {
        state.beta[t] = beta.clamp(state.lower[t], state.upper[t]);
    }
    let mut block = Block::default();
    let cpu = Cpu::detect();
    let rows: Vec<usize> = pair.rows().collect();
    let support: Vec<usize> = (0..rows.len()).filter(|&t| state.beta[t] != 0.0).collect();
    for some in support.chunks(WORKING_SET) {
        let samples: Vec<usize> = some.iter().map(|&t| rows[t]).collect();
        let changes: Vec<f64> = some.iter().map(|&t| state.beta[t]).collect();
        let (first_values, second_values) = state.value.split_at_mut(n_first);
        for (values, class) in [(first_values, pair.first), (second_values, pair.second)] {
            let kernel = cache.fetch(&samples, class, &mut block, progress)?;
            let kernel: Vec<&[f32]> = kernel.iter().map(|row| &**row).collect();
            smo::subtract_rows(cpu, values, &changes, &kernel);
        }
    }
    let mut solution = finish(state, n_first, tol);
    solution.bias = bias;
    Ok(solution)
}

fn finish(state: State, n_first: usize, tol: f64) -> Solution {
    let (top, bottom) = state.extremes();
    let n = state.beta.len();
    let free = (0..n).filter(|&t| state.may_grow(t) && state.may_shrink(t));
    let (n_free, sum) = free.fold((0u64, 0.0), |(n, sum), t| (n + 1, sum + state.value[t]));
    let bias = if n_free > 0 { sum / n_free as f64 } else { (top + bottom) / 2.0 };
    // 1/2 b'Kb - y'b = -1/2 sum b (value + y)
    let y = |t: usize| if t < n_first { 1.0 } else { -1.0 };
    let objective = -0.5 * (0..n).map(|t| state.beta[t] * (state.value[t] + y(t))).sum::<f64>();
    let gap = (top - bottom).max(0.0);
    let converged = gap <= tol;
    let State { beta, value, .. } = state;
    Solution { beta, value, n_first, bias, objective, gap, n_iterations: None, converged }
}

/// The most violating samples of both sides, filled up with those of the last set.
fn next_working_set(state: &State, last: &[usize]) -> Vec<usize> {
    let n = state.beta.len();
    let size = WORKING_SET.min(n);
    let n_new = if last.is_empty() { size } else { size / 2 };
    let value = &state.value;
    let most = |mut side: Vec<usize>, count: usize, descending: bool| {
        let order = |a: &usize, b: &usize| {
            let by_value = value[*a].total_cmp(&value[*b]);
            (if descending { by_value.reverse() } else { by_value }).then(a.cmp(b))
        };
        if side.len() > count {
            side.select_nth_unstable_by(count, order);
            side.truncate(count);
        }
        side.sort_unstable_by(order);
        side
    };
    let side_size = n_new.div_ceil(2).max(1);
    let up = most((0..n).filter(|&t| state.may_grow(t)).collect(), side_size, true);
    let low = most((0..n).filter(|&t| state.may_shrink(t)).collect(), side_size, false);
    let mut taken = vec![false; n];
    let mut chosen = Vec::with_capacity(size + 2);
    let mut take = |t: usize, chosen: &mut Vec<usize>| {
        if !taken[t] {
            taken[t] = true;
            chosen.push(t);
        }
    };
    for rank in 0..up.len().max(low.len()) {
        for side in [&up, &low] {
            if let Some(&t) = side.get(rank) {
                take(t, &mut chosen);
            }
        }
    }
    // Newest of the last set first, free ones before bounded ones.
    let is_free = |t: usize| state.may_grow(t) && state.may_shrink(t);
    for free in [true, false] {
        for &t in last {
            if chosen.len() < size && is_free(t) == free {
                take(t, &mut chosen);
            }
        }
    }
    chosen
}

/// The sub-problem of a working set, padded to whole vectors.
struct Local {
    n: usize,
    beta: Vec<f64>,
    value: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
    up: Vec<f64>,
    low: Vec<f64>,
    diagonal: Vec<f32>,
    kernel: Vec<f32>,
    stride: usize,
}

impl Local {
    fn gather(
        state: &State,
        working: &[usize],
        n_first: usize,
        to_first: &[Arc<[f32]>],
        to_second: &[Arc<[f32]>],
    ) -> Self {
        let n = working.len();
        let stride = n.next_multiple_of(8);
        let mut kernel = vec![0.0f32; n * stride];
        for (s, row) in kernel.chunks_exact_mut(stride).enumerate() {
            for (value, &t) in row.iter_mut().zip(working) {
                *value = if t < n_first { to_first[s][t] } else { to_second[s][t - n_first] };
            }
        }
        let pick = |from: &[f64]| -> Vec<f64> {
            let mut picked: Vec<f64> = working.iter().map(|&t| from[t]).collect();
            picked.resize(stride, 0.0);
            picked
        };
        let mut local = Local {
            n,
            beta: pick(&state.beta),
            value: pick(&state.value),
            lower: pick(&state.lower),
            upper: pick(&state.upper),
            up: vec![f64::NEG_INFINITY; stride],
            low: vec![f64::INFINITY; stride],
            diagonal: (0..stride)
                .map(|s| if s < n { kernel[s * stride + s] } else { 1.0 })
                .collect(),
            kernel,
            stride,
        };
        for s in 0..n {
            local.mark(s);
        }
        local
    }

    fn mark(&mut self, s: usize) {
        let grows = self.beta[s] < self.upper[s];
        let shrinks = self.beta[s] > self.lower[s];
        self.up[s] = if grows { 0.0 } else { f64::NEG_INFINITY };
        self.low[s] = if shrinks { 0.0 } else { f64::INFINITY };
    }

    /// Steps taken until the gap is at most `tolerance`.
    fn solve(&mut self, cpu: Cpu, tolerance: f64, max_steps: u64) -> u64 {
        let max_steps = max_steps.min(100 * self.n as u64);
        let mut gains = vec![0.0; self.stride];
        let mut n_steps = 0;
        let (mut top, mut i) = smo::max_up(cpu, &self.value, &self.up);
        while n_steps < max_steps && top > f64::NEG_INFINITY {
            let row_i = &self.kernel[i * self.stride..][..self.stride];
            let (bottom, gain, j) = smo::select_partner(
                cpu,
                &self.value,
                &self.low,
                &self.diagonal,
                row_i,
                self.diagonal[i],
                top,
                &mut gains,
            );
            if top - bottom <= tolerance || gain <= 0.0 {
                break;
            }
            let curvature = f64::from(self.diagonal[i]) + f64::from(self.diagonal[j])
                - 2.0 * f64::from(row_i[j]);
            let room_i = self.upper[i] - self.beta[i];
            let room_j = self.beta[j] - self.lower[j];
            let step = ((top - self.value[j]) / curvature.max(1e-12)).min(room_i).min(room_j);
            // A bound that is reached is reached exactly.
            self.beta[i] = if step == room_i { self.upper[i] } else { self.beta[i] + step };
            self.beta[j] = if step == room_j { self.lower[j] } else { self.beta[j] - step };
            self.mark(i);
            self.mark(j);
            let row_i = &self.kernel[i * self.stride..][..self.stride];
            let row_j = &self.kernel[j * self.stride..][..self.stride];
            (top, i) = smo::step_and_max_up(cpu, &mut self.value, &self.up, row_i, row_j, step);
            n_steps += 1;
        }
        n_steps
    }
}

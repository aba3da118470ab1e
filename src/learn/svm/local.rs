//! The sub-problem of a working set, solved by sequential minimal optimisation.

use ndarray::Array2;

use super::block::Block;
use super::gram::Panel;
use super::kernel_cache::KernelCache;
use super::params::SvcError;
use super::solver::State;
use crate::kernels::{Cpu, smo};
use crate::learn::linalg::solve_positive_definite;
use crate::progress::Progress;

/// Lanes of the inner loops; everything is padded to whole ones.
const LANES: usize = 8;

/// Newton steps in a row.
const N_FACES: usize = 4;

/// What is added to a Hessian's diagonal, as part of its mean: kernel values are rounded to single
/// precision, which makes small eigenvalues of either sign.
const RIDGE: f64 = 1e-6;

fn face_every() -> u64 {
    std::env::var("FACE").map_or(16, |v| v.parse().unwrap())
}

/// The sub-problem. Samples that stay from one working set to the next keep their kernel values.
#[derive(Default)]
pub(super) struct Local {
    working: Vec<usize>,
    /// `[n][stride]`
    kernel: Vec<f32>,
    stride: usize,
    /// Place of a sample of the pair in `working`.
    place: Vec<Option<usize>>,
    block: Block,
    before: Vec<f32>,
    beta: Vec<f64>,
    value: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
    up: Vec<f64>,
    low: Vec<f64>,
    diagonal: Vec<f32>,
    gains: Vec<f64>,
}

impl Local {
    /// Takes a working set of a pair whose samples are `rows`. The kernel values of its new samples with all of it are computed anew:
    /// that is faster than to pick them from rows of a whole class.
    ///
    /// # Errors
    /// [`SvcError::Interrupted`]
    pub fn load(
        &mut self,
        cache: &KernelCache,
        rows: &[usize],
        state: &State,
        working: Vec<usize>,
        progress: &dyn Progress,
    ) -> Result<(), SvcError> {
        let n = working.len();
        let (old_stride, stride) = (self.stride, n.next_multiple_of(LANES));
        self.place.resize(state.beta.len(), None);
        std::mem::swap(&mut self.kernel, &mut self.before);
        self.kernel.clear();
        self.kernel.resize(n * stride, 0.0);
        let rows: Vec<usize> = working.iter().map(|&t| rows[t]).collect();
        let new: Vec<usize> = (0..n).filter(|&s| self.place[working[s]].is_none()).collect();
        let queries: Vec<usize> = new.iter().map(|&s| rows[s]).collect();
        let panel = Panel::pack(cache.features, &rows, progress)?;
        self.block.compute(&cache.resolved, cache.features, &queries, &panel, progress)?;
        cache.count(new.len() * n);
        let kept: Vec<(usize, usize)> =
            (0..n).filter_map(|s| self.place[working[s]].map(|old| (s, old))).collect();
        for &(s, old) in &kept {
            let (row, before) = (&mut self.kernel[s * stride..], &self.before[old * old_stride..]);
            for &(other, old) in &kept {
                row[other] = before[old];
            }
        }
        for (query, &s) in new.iter().enumerate() {
            let mut start = s * stride;
            for piece in self.block.pieces(query) {
                self.kernel[start..start + piece.len()].copy_from_slice(piece);
                start += piece.len();
            }
            for &(other, _) in &kept {
                self.kernel[other * stride + s] = self.kernel[s * stride + other];
            }
        }
        for &t in &self.working {
            self.place[t] = None;
        }
        for (s, &t) in working.iter().enumerate() {
            self.place[t] = Some(s);
        }
        (self.working, self.stride) = (working, stride);
        self.set(state);
        Ok(())
    }

    /// Multipliers, values and bounds of the working set.
    fn set(&mut self, state: &State) {
        let (n, stride) = (self.working.len(), self.stride);
        for (to, from) in [
            (&mut self.beta, &state.beta),
            (&mut self.value, &state.value),
            (&mut self.lower, &state.lower),
            (&mut self.upper, &state.upper),
        ] {
            to.clear();
            to.extend(self.working.iter().map(|&t| from[t]));
            to.resize(stride, 0.0);
        }
        self.diagonal.clear();
        self.diagonal.extend((0..n).map(|s| self.kernel[s * stride + s]));
        self.diagonal.resize(stride, 1.0);
        for (penalties, padding) in
            [(&mut self.up, f64::NEG_INFINITY), (&mut self.low, f64::INFINITY)]
        {
            penalties.clear();
            penalties.resize(stride, padding);
        }
        self.gains.resize(stride, 0.0);
        for s in 0..n {
            self.mark(s);
        }
    }

    fn mark(&mut self, s: usize) {
        let grows = self.beta[s] < self.upper[s];
        let shrinks = self.beta[s] > self.lower[s];
        self.up[s] = if grows { 0.0 } else { f64::NEG_INFINITY };
        self.low[s] = if shrinks { 0.0 } else { f64::INFINITY };
    }

    /// The samples of the working set with their multipliers.
    pub fn multipliers(&self) -> impl Iterator<Item = (usize, f64)> {
        self.working.iter().zip(&self.beta).map(|(&t, &beta)| (t, beta))
    }

    /// The samples, in the order of their choice.
    pub fn working(&self) -> &[usize] {
        &self.working
    }

    /// Steps taken until the gap is at most `tolerance`.
    pub fn solve(&mut self, cpu: Cpu, tolerance: f64, max_steps: u64) -> u64 {
        let max_steps = max_steps.min(100 * self.working.len() as u64);
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
                &mut self.gains,
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
            if n_steps.is_multiple_of(face_every() * self.working.len() as u64) {
                self.optimise_free(cpu);
                (top, i) = smo::max_up(cpu, &self.value, &self.up);
            }
        }
        n_steps
    }

    /// Moves the free multipliers towards their joint optimum, all others as they are:
    ///
    /// ```text
    /// min_d  1/2 d' K_FF d - value_F' d    sum d = 0
    /// ```
    ///
    /// by Newton steps to the first bound that is met. A step that meets one is taken as far as it
    /// goes, and those beyond their bounds at its end stay out of the next. The objective falls
    /// with each, so this changes nothing of the convergence; where the Hessian is near singular
    /// (large `C`) it does what takes sequential steps many thousands.
    fn optimise_free(&mut self, cpu: Cpu) {
        let is_free = |s: &usize| self.lower[*s] < self.beta[*s] && self.beta[*s] < self.upper[*s];
        let mut free: Vec<usize> = (0..self.working.len()).filter(is_free).collect();
        for _ in 0..N_FACES {
            let Some(steps) = self.newton(&free) else { return };
            let room = |(&s, &step): (&usize, &f64)| {
                let bound = if step > 0.0 { self.upper[s] } else { self.lower[s] };
                if step == 0.0 { f64::INFINITY } else { (bound - self.beta[s]) / step }
            };
            let rooms: Vec<f64> = free.iter().zip(&steps).map(room).collect();
            let part = rooms.iter().copied().fold(1.0, f64::min);
            let mut changes = Vec::with_capacity(free.len());
            for ((&s, &step), &room) in free.iter().zip(&steps).zip(&rooms) {
                let bound = if step > 0.0 { self.upper[s] } else { self.lower[s] };
                let to = if room == part { bound } else { self.beta[s] + part * step };
                let to = to.clamp(self.lower[s], self.upper[s]);
                changes.push(to - self.beta[s]);
                self.beta[s] = to;
            }
            let rows: Vec<&[f32]> =
                free.iter().map(|&s| &self.kernel[s * self.stride..][..self.stride]).collect();
            smo::subtract_rows(cpu, &mut self.value, &changes, &rows);
            for &s in &free {
                self.mark(s);
            }
            if part == 1.0 {
                return;
            }
            free =
                free.iter().zip(&rooms).filter(|(_, room)| **room > 1.0).map(|(&s, _)| s).collect();
        }
    }

    /// The Newton step of some multipliers under `sum d = 0`, which the last of them pays for; none if
    /// there is none to move.
    fn newton(&self, free: &[usize]) -> Option<Vec<f64>> {
        let (&last, others) = free.split_last()?;
        if others.is_empty() {
            return None;
        }
        let k = |s: usize, t: usize| f64::from(self.kernel[s * self.stride + t]);
        let mut hessian = Array2::zeros((others.len(), others.len()));
        for (mut line, &s) in hessian.rows_mut().into_iter().zip(others) {
            let of_last = k(last, last) - k(s, last);
            for (value, &t) in line.iter_mut().zip(others) {
                *value = k(s, t) - k(t, last) + of_last;
            }
        }
        let mean = hessian.diag().sum() / others.len() as f64;
        hessian.diag_mut().mapv_inplace(|value| value + RIDGE * mean);
        let slope: Vec<f64> = others.iter().map(|&s| self.value[s] - self.value[last]).collect();
        let mut steps = solve_positive_definite(&hessian, &slope)?;
        steps.push(-steps.iter().sum::<f64>());
        Some(steps)
    }
}
